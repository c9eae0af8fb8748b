"""Answers the questions `rule` of the example `quick_add` of crates/domain with recurrent and python-dateutil.

For each question, a line with the first occurrences of the rule that recurrent reads, by dateutil, and the rule itself.
Both are `none` where it reads none.
"""

import re
import sys
from datetime import datetime, time
from itertools import islice

from dateutil.rrule import rrulestr
from recurrent.event_parser import RecurringEvent

# For each occurrence of the question's.
TIME = re.compile(r"BY(HOUR|MINUTE)")


def occurrences(rule, now, ours):
    """As many occurrences as the question has."""
    first = datetime.fromisoformat(ours[0])
    is_timed = "T" in ours[0]
    # A rule without an interval begins with its first date from the present on. Otherwise any date may be the first,
    # and the question's is as good as another.
    start = first if "INTERVAL=1;" not in rule + ";" else now
    if not is_timed and not TIME.search(rule):
        start = datetime.combine(start, time())
    found = islice(rrulestr(rule, dtstart=start), len(ours))
    has_time = is_timed or TIME.search(rule)
    return [at.strftime("%Y-%m-%dT%H:%M" if has_time else "%Y-%m-%d") for at in found]


def answer(now, text, ours):
    event = RecurringEvent(now_date=now)
    try:
        rule = event.parse(text)
    except (TypeError, ValueError) as error:
        return "failed", f"failed: {type(error).__name__}"
    if not isinstance(rule, str) or not event.is_recurring:
        return "none", "none"
    shown = " ".join(rule.split()).replace("RRULE:", "")
    if ours == ["none"]:
        return shown, shown
    return " ".join(occurrences(rule, now, ours)), shown


def main():
    for line in sys.stdin:
        _, now, _, _, text, ours, _ = line.rstrip("\n").split("\t")
        print(*answer(datetime.fromisoformat(now), text, ours.split(" ")), sep="\t")


main()
