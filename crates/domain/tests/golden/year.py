"""Writes year.txt: what a daily wall-clock time is in UTC on each day of a year, by Python's zoneinfo.

    PYTHONTZPATH= python year.py > year.txt      (with the package tzdata of the version named there)

A line is a month. A time is that of the same day in UTC, or with `-` of the day before, with `+` of
the day after, and so on.
"""

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import tzdata

YEARS = [
    ("UTC", 2026, "09:00"),
    # The clock passes over 02:30, and shows it twice.
    ("Europe/Paris", 2026, "02:30"),
    ("Europe/London", 2026, "01:30"),
    ("America/New_York", 2026, "02:30"),
    ("America/New_York", 2026, "01:30"),
    ("America/St_Johns", 2026, "02:30"),
    # Changes at midnight.
    ("America/Sao_Paulo", 2018, "00:30"),
    ("America/Sao_Paulo", 2018, "23:30"),
    ("Africa/Cairo", 2026, "00:30"),
    ("Asia/Tehran", 2022, "00:30"),
    # Half an hour of daylight saving.
    ("Australia/Lord_Howe", 2026, "02:15"),
    ("Australia/Lord_Howe", 2026, "01:45"),
    # Four changes a year, around Ramadan.
    ("Africa/Casablanca", 2026, "02:30"),
    ("Asia/Gaza", 2026, "02:30"),
    ("Asia/Kathmandu", 2026, "09:00"),
    ("Pacific/Chatham", 2026, "02:50"),
    # A day that never was.
    ("Pacific/Apia", 2011, "09:00"),
    # Years in which a zone changed its rules.
    ("America/Caracas", 2016, "02:45"),
    ("Asia/Pyongyang", 2018, "23:45"),
    ("Europe/Istanbul", 2016, "03:30"),
]

print(f"# tzdata {tzdata.IANA_VERSION}")
for name, year, time in YEARS:
    print(f"{name} {time}")
    zone = ZoneInfo(name)
    local = datetime.fromisoformat(f"{year}-01-01T{time}")
    months = {}
    while local.year == year:
        at = local.replace(tzinfo=zone, fold=0).astimezone(timezone.utc)
        days = (at.date() - local.date()).days
        sign = ("-" if days < 0 else "+") * abs(days)
        months.setdefault(f"{local:%Y-%m}", []).append(f"{sign}{at:%H:%M}")
        local += timedelta(days=1)
    for month, times in months.items():
        print(month, *times)
