"""Checks occurrences against python-dateutil and zoneinfo.

Reads the lines of the example `oracle` of crates/domain from its standard input, works out the same
occurrences, and says where they differ. Where dateutil differs from RFC 5545, it is asked in another
way; README.md beside this file explains each such place.
"""

import datetime as datetime_module
import json
import re
import sys
import warnings
from datetime import date, datetime, timedelta, timezone
from itertools import count, islice
from zoneinfo import ZoneInfo

import tzdata
from dateutil.relativedelta import relativedelta
from dateutil.rrule import rrulestr

SHOWN_MAX = 20
WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
UTC = timezone.utc


def instant(local, zone):
    """A gap moves forward by its length, an overlap is its first: fold 0."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def shown(at):
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def parts_of(rule):
    return dict(part.split("=") for part in rule.split(";"))


def weekdays_alike(parts):
    """Where some weekdays have numbers and others have not, all of them with numbers."""
    days = parts["BYDAY"].split(",")
    if all(len(day) == 2 for day in days) or all(len(day) > 2 for day in days):
        return parts["BYDAY"]
    last = 53 if parts["FREQ"] == "YEARLY" and "BYMONTH" not in parts else 5
    numbered = (
        [day] if len(day) > 2 else [f"{number}{day}" for number in range(1, last + 1)]
        for day in days
    )
    return ",".join(day for group in numbered for day in group)


def locals_of_edge_weeks(parts, weeks, anchor, horizon):
    """Weeks 52 and 53, also from the end of the year, by the standard library's ISO 8601 weeks."""
    local = anchor
    while local < horizon:
        year, week, weekday = local.isocalendar()
        length = date(year, 12, 28).isocalendar()[1]
        if WEEKDAYS[weekday - 1] in parts["BYDAY"] and {week, week - length - 1} & weeks:
            yield local
        local += timedelta(days=1)


def locals_of_rrule(text, anchor, horizon):
    """Wall-clock times of an RFC 5545 rule, up to the horizon; its end is the caller's."""
    parts = parts_of(text)
    parts.pop("UNTIL", None)
    parts.pop("COUNT", None)
    weeks = {int(week) for week in parts.get("BYWEEKNO", "0").split(",")}
    if weeks & {52, 53, -52, -53}:
        return locals_of_edge_weeks(parts, weeks, anchor, horizon)
    start = anchor
    if "BYWEEKNO" in parts and not parts.keys() & {"BYDAY", "BYMONTHDAY", "BYYEARDAY"}:
        parts["BYDAY"] = WEEKDAYS[anchor.weekday()]
    if parts["FREQ"] == "WEEKLY" and "BYSETPOS" in parts:
        if "BYDAY" not in parts:
            parts["BYDAY"] = WEEKDAYS[anchor.weekday()]
        first = WEEKDAYS.index(parts.get("WKST", "MO"))
        start -= timedelta(days=(anchor.weekday() - first) % 7)
    if "BYDAY" in parts:
        parts["BYDAY"] = weekdays_alike(parts)
    # Where it gives up: without this, a rule that never matches is followed to the year 9999.
    datetime_module.MAXYEAR = horizon.year
    parts["UNTIL"] = horizon.strftime("%Y%m%dT%H%M%S")
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    return (local for local in rrulestr(text, dtstart=start) if local >= anchor)


def locals_of_structured(case, anchor, horizon):
    frequency, interval = case["frequency"], case["interval"]
    if frequency in ("daily", "weekly") or case["month_end"] == "skip":
        parts = {"FREQ": frequency.upper(), "INTERVAL": str(interval)}
        if case.get("weekdays"):
            parts["BYDAY"] = ",".join(WEEKDAYS[day] for day in case["weekdays"])
        if "day" in case:
            parts["BYMONTHDAY"] = str(case["day"])
        text = ";".join(f"{name}={value}" for name, value in parts.items())
        yield from locals_of_rrule(text, anchor, horizon)
        return
    day = case.get("day", anchor.day)
    months = interval * (12 if frequency == "yearly" else 1)
    for index in count():
        # `day=` is clamped to the month's last.
        local = anchor + relativedelta(day=1) + relativedelta(months=months * index, day=day)
        if local >= horizon:
            return
        if local.date() >= anchor.date():
            yield local


def within(case, zone):
    """A condition on a local time, and how many may meet it."""
    parts = parts_of(case["rrule"]) if "rrule" in case else {}
    limit = int(parts.get("COUNT", case.get("count", sys.maxsize)))
    until = parts.get("UNTIL")
    if until is None and "end_date" in case:
        until = case["end_date"].replace("-", "")
    if until is None:
        return (lambda local: True), limit
    if len(until) == 8:
        last = date(int(until[:4]), int(until[4:6]), int(until[6:]))
        return (lambda local: local.date() <= last), limit
    last = datetime(*map(int, re.findall(r"\d\d(?:\d\d(?=\d{4}T))?", until.rstrip("Z"))))
    if until.endswith("Z"):
        return (lambda local: instant(local, zone) <= last.replace(tzinfo=UTC)), limit
    return (lambda local: local <= last), limit


def expected(case):
    zone = ZoneInfo(case["zone"])
    anchor = datetime.fromisoformat(case["anchor"])
    horizon = datetime(case["horizon"], 1, 1)
    if "rrule" in case:
        found = locals_of_rrule(case["rrule"], anchor, horizon)
    else:
        found = locals_of_structured(case, anchor, horizon)
    condition, limit = within(case, zone)
    days, seconds = case["remind"]
    slots = []
    for local in islice(found, min(limit, case["max"])):
        if local >= horizon or not condition(local):
            break
        due = instant(local, zone)
        remind = due
        if days:
            wall = due.astimezone(zone).replace(tzinfo=None) - timedelta(days=days)
            remind = instant(wall, zone)
        remind -= timedelta(seconds=seconds)
        slots.append([local.isoformat(), shown(due), shown(remind)])
    return slots


def main():
    warnings.simplefilter("error")
    header = json.loads(sys.stdin.readline())
    if header["time_zone_database"] != tzdata.IANA_VERSION:
        sys.exit(f"time zones: {header['time_zone_database']} here, {tzdata.IANA_VERSION} there")
    checked = occurrences = empty = differing = 0
    for line in sys.stdin:
        case = json.loads(line)
        slots = expected(case)
        checked += 1
        occurrences += len(slots)
        empty += not slots
        if slots != case["slots"]:
            differing += 1
            if differing <= SHOWN_MAX:
                ours = case.pop("slots")
                place = next((n for n, (a, b) in enumerate(zip(ours, slots)) if a != b),
                             min(len(ours), len(slots)))
                print(f"DIFFERENT {json.dumps(case)}\n  from occurrence {place + 1} on\n"
                      f"  ours   {ours[place:place + 3]}\n  theirs {slots[place:place + 3]}")
    print(f"{checked} rules, {occurrences} occurrences, {empty} rules without any, "
          f"{differing} different")
    sys.exit(1 if differing or not checked else 0)


main()
