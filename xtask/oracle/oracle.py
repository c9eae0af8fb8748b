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
from datetime import date, datetime, time, timedelta, timezone
from itertools import count, islice
from zoneinfo import ZoneInfo

import tzdata
from dateutil.relativedelta import relativedelta
from dateutil.rrule import rrulestr

SHOWN_MAX = 20
# Slots that were passed over are listed up to so many.
SKIPPED_MAX = 100
WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
UTC = timezone.utc


def instant(local, zone):
    """A gap moves forward by its length, an overlap is its first: fold 0."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def end_of_day(local, zone):
    """The last microsecond of a day. A clock may go back over midnight, and the day then goes on."""
    midnight = local + timedelta(days=1)
    ends = [
        midnight.replace(tzinfo=zone, fold=fold).astimezone(UTC) - timedelta(microseconds=1)
        for fold in (0, 1)
    ]
    last = max(ends)
    return last if last.astimezone(zone).date() == local.date() else ends[0]


def shown(at):
    fraction = ".%f" if at.microsecond else ""
    return at.strftime(f"%Y-%m-%dT%H:%M:%S{fraction}Z")


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


class Case:
    """A rule with what it is calculated from."""

    def __init__(self, case):
        self.case = case
        self.zone = ZoneInfo(case["zone"])
        self.anchor = datetime.fromisoformat(case["anchor"])
        self.horizon = datetime(case["horizon"], 1, 1)
        self.is_of_days = case["days"]
        self.condition, self.limit = within(case, self.zone)
        self.follows_completions = case.get("basis") == "completion"

    def due(self, local):
        """When the task of a slot is due; on a day, until the day ends."""
        return (end_of_day if self.is_of_days else instant)(local, self.zone)

    def locals(self, start):
        """Wall-clock times of the rule without its end, as if it began at `start`."""
        if "rrule" in self.case:
            return locals_of_rrule(self.case["rrule"], start, self.horizon)
        return locals_of_structured(self.case, start, self.horizon)

    def scheduled(self):
        """The slots of the schedule, up to the horizon."""
        for local in islice(self.locals(self.anchor), self.limit):
            if local >= self.horizon or not self.condition(local):
                return
            yield local


def slots_of(case):
    if case.follows_completions:
        return []
    zone = case.zone
    days, seconds = case.case["remind"]
    slots = []
    for local in islice(case.scheduled(), case.case["max"]):
        due = case.due(local)
        # Reminders of a day count from nine o'clock.
        remind = instant(local + timedelta(hours=9), zone) if case.is_of_days else due
        if days:
            wall = remind.astimezone(zone).replace(tzinfo=None) - timedelta(days=days)
            remind = instant(wall, zone)
        remind -= timedelta(seconds=seconds)
        slots.append([local.isoformat(), shown(due), shown(remind)])
    return slots


def shifted(case, done):
    """The day after a completion that a frequency and an interval alone mean, asked of dateutil."""
    members = case.case
    if "rrule" in members:
        parts = parts_of(members["rrule"])
        frequency, interval = parts["FREQ"].lower(), int(parts.get("INTERVAL", 1))
        clamps = False
    else:
        frequency, interval = members["frequency"], members["interval"]
        clamps = members["month_end"] == "clamp"
    if frequency == "daily":
        return done + relativedelta(days=interval)
    if frequency == "weekly":
        return done + relativedelta(weeks=interval)
    months = interval * (12 if frequency == "yearly" else 1)
    if clamps:
        return done + relativedelta(months=months)
    # A month without the day is passed over: for a year's, that is the same month of another year.
    first = done + relativedelta(day=1) + relativedelta(months=months)
    months = f"FREQ=YEARLY;BYMONTH={done.month}" if frequency == "yearly" else "FREQ=MONTHLY"
    datetime_module.MAXYEAR = 9999
    rule = f"{months};BYMONTHDAY={done.day};COUNT=1"
    return next(iter(rrulestr(rule, dtstart=datetime.combine(first, time()))), None)


def dates_from(case, done):
    """The days of the rule as if it began on the day of a completion, with their time."""
    midnight = datetime.combine(done, time())
    anchor = case.anchor.time()
    names_time = "BYHOUR" in case.case.get("rrule", "")
    for local in case.locals(midnight):
        yield local if names_time else datetime.combine(local.date(), anchor)


def repeats_its_anchor(case):
    if "rrule" in case.case:
        plain = {"FREQ", "INTERVAL", "WKST", "UNTIL", "COUNT", "BYHOUR", "BYMINUTE"}
        return not parts_of(case.case["rrule"]).keys() - plain
    return not case.case.keys() & {"weekdays", "day"}


def after_completion(case, done, slot):
    """What follows a completion on the local day `done`, but for the end of the series."""
    at = case.anchor.time()
    if repeats_its_anchor(case):
        if "rrule" in case.case and "BYHOUR" in case.case["rrule"]:
            parts = parts_of(case.case["rrule"])
            at = time(int(parts["BYHOUR"]), int(parts["BYMINUTE"]))
        day = shifted(case, done)
        return day and datetime.combine(day, at)
    found = dates_from(case, done)
    if case.case.get("month_end") == "skip" and "day" in case.case:
        # The month is found as if it had the day, and then passed over for one that has it.
        clamping = Case(case.case | {"month_end": "clamp"})
        found = dates_from(clamping, done)
    local = next((local for local in found if local.date() > max(done, slot.date())), None)
    if local and "day" in case.case and case.case.get("month_end") == "skip":
        datetime_module.MAXYEAR = 9999
        rule = f"FREQ=MONTHLY;BYMONTHDAY={case.case['day']};COUNT=1"
        local = rrulestr(rule, dtstart=local.replace(day=1))[0]
    return local


def chain_of(case):
    """What follows each completion of the case's chain, by the catch-up of its rule."""
    chain, slot = [], case.anchor
    scheduled = case.scheduled()
    one_step = case.case.get("catch_up") == "one_step"
    for completions, (done_text, *_) in enumerate(case.case["chain"], start=1):
        done = datetime.fromisoformat(done_text)
        following, skipped = None, []
        if case.follows_completions:
            local = after_completion(case, done.astimezone(case.zone).date(), slot)
            if local and completions < case.limit and case.condition(local):
                following = local
        else:
            for local in scheduled:
                if local <= slot:
                    continue
                if one_step or case.due(local) >= done:
                    following = local
                    break
                skipped.append(local)
        if following is None or following >= case.horizon:
            chain.append([done_text])
            break
        chain.append([done_text, following.isoformat(), shown(case.due(following)),
                      [local.isoformat() for local in skipped[:SKIPPED_MAX]]])
        slot = following
    return chain


def tell(case, part, ours, theirs):
    place = next((n for n, (a, b) in enumerate(zip(ours, theirs)) if a != b),
                 min(len(ours), len(theirs)))
    print(f"DIFFERENT {json.dumps(case)}\n  {part} from number {place + 1} on\n"
          f"  ours   {ours[place:place + 3]}\n  theirs {theirs[place:place + 3]}")


def main():
    warnings.simplefilter("error")
    header = json.loads(sys.stdin.readline())
    if header["time_zone_database"] != tzdata.IANA_VERSION:
        sys.exit(f"time zones: {header['time_zone_database']} here, {tzdata.IANA_VERSION} there")
    checked = occurrences = followed = ended = differing = 0
    for line in sys.stdin:
        case = json.loads(line)
        theirs = {"slots": slots_of(Case(case)), "chain": chain_of(Case(case))}
        checked += 1
        occurrences += len(theirs["slots"])
        followed += len(theirs["chain"])
        ended += len(theirs["chain"][-1]) == 1
        ours = {part: case.pop(part) for part in theirs}
        for part in theirs:
            if ours[part] != theirs[part]:
                differing += 1
                if differing <= SHOWN_MAX:
                    tell(case, part, ours[part], theirs[part])
    print(f"{checked} rules, {occurrences} occurrences, {followed} completions, {ended} of which "
          f"have no successor, {differing} different")
    sys.exit(1 if differing or not checked else 0)


main()
