//! Combines the phrases of a line into a task.

use std::ops::Range;

use jiff::civil::{Date, DateTime, Time};

use super::calendar::in_days;
use super::due::When;
use super::phrase::{Item, Phrase};
use super::reading::rule_in_words;
use super::reminder::ReminderPhrase;
use super::repetition::{Bound, Ending, Repetition};
use super::scan::Scan;
use super::span::title;
use super::token::Kind;
use super::{Due, Moment, NamedList, QuickAdd, Recurrence, Reminder, Span, SpanKind};
use crate::due::DAY_REMINDER_TIME;
use crate::recurrence::{EndDate, RuleDraft, Series};
use crate::task::{TAGS_MAX, tag_key};

/// Keeps the last priority, list, recurrence, day and time, and as many tags as a task can have. Other phrases
/// become words of the title.
pub(super) fn drop_repeated(phrases: &mut Vec<Phrase>, scan: &Scan<'_>) {
    let last =
        |wanted: &dyn Fn(&Item) -> bool| phrases.iter().rposition(|phrase| wanted(&phrase.item));
    let priority = last(&|item| matches!(item, Item::Priority(_)));
    let list = last(&|item| matches!(item, Item::List(_)));
    let mut repetition = last(&|item| matches!(item, Item::Repetition(_)));
    if repetition.is_some() && Parts::of(phrases).recurrence(scan).is_none() {
        repetition = None;
    }
    let repeated = repetition.and_then(|at| match &phrases[at].item {
        Item::Repetition(repetition) => Some(repetition),
        _ => None,
    });
    let day = last(&|item| match item {
        Item::When(When::Day(_) | When::DayTime(..)) => repeated.is_none_or(|r| r.start.is_none()),
        Item::When(When::Instant(_)) => repeated.is_none(),
        _ => false,
    });
    let start = last(&|item| {
        matches!(item, Item::Bound(Bound::Start(_))) && repeated.is_some_and(|r| r.start.is_none())
    });
    let until = last(&|item| {
        matches!(item, Item::Bound(Bound::Until(_))) && repeated.is_some_and(|r| r.ending.is_none())
    });
    let is_timed = day.is_some_and(|at| !matches!(phrases[at].item, Item::When(When::Day(_))));
    let is_timed = is_timed || repeated.is_some_and(|repetition| repetition.time.is_some());
    let time = last(&|item| matches!(item, Item::When(When::Time(_)))).filter(|_| !is_timed);
    let mut tags: Vec<String> = Vec::new();
    let mut at = 0;
    phrases.retain(|phrase| {
        let here = Some(at);
        at += 1;
        match &phrase.item {
            Item::Priority(_) => here == priority,
            Item::List(_) => here == list,
            Item::Repetition(_) => here == repetition,
            Item::When(When::Time(_)) => here == time,
            Item::When(_) => here == day,
            Item::Bound(_) => here == start || here == until,
            Item::Tag(tag) => {
                let key = tag_key(tag);
                let is_known = tags.contains(&key);
                let fits = is_known || tags.len() < TAGS_MAX;
                if fits && !is_known {
                    tags.push(key);
                }
                fits
            }
            Item::Reminder(_) | Item::Escape | Item::Description => true,
        }
    });
}

/// The phrases about dates and times.
#[derive(Default)]
struct Parts<'a> {
    day: Option<&'a Phrase>,
    time: Option<Time>,
    repetition: Option<&'a Repetition>,
    start: Option<Date>,
    until: Option<Date>,
}

impl<'a> Parts<'a> {
    fn of(phrases: &'a [Phrase]) -> Self {
        let mut parts = Self::default();
        for phrase in phrases {
            match &phrase.item {
                Item::When(When::Time(time)) => parts.time = Some(*time),
                Item::When(_) => parts.day = Some(phrase),
                Item::Repetition(repetition) => parts.repetition = Some(repetition),
                Item::Bound(Bound::Start(day)) => parts.start = Some(*day),
                Item::Bound(Bound::Until(day)) => parts.until = Some(*day),
                _ => {}
            }
        }
        parts
    }

    fn when(&self) -> Option<When> {
        match self.day?.item {
            Item::When(when) => Some(when),
            _ => None,
        }
    }

    fn due(&self, scan: &Scan<'_>) -> Option<Due> {
        let day = match (self.when(), self.time) {
            (Some(When::Instant(utc)), _) => return Some(Due::At(Moment::at(utc, scan.zone))),
            (Some(When::Day(day)), None) => return Some(Due::Day(day)),
            (Some(When::Day(day)), Some(time)) => day.to_datetime(time),
            (Some(When::DayTime(day, time)), _) if self.is_part_gone(scan, day, time) => {
                return Some(Due::Day(day));
            }
            (Some(When::DayTime(day, time)), _) => day.to_datetime(time),
            (None | Some(When::Time(_)), time) => next(scan, time?)?,
        };
        Some(Due::At(Moment::of(day, scan.zone)?))
    }

    /// Whether a part of today without an hour, such as "this morning", is over.
    fn is_part_gone(&self, scan: &Scan<'_>, day: Date, time: Time) -> bool {
        let tokens = self.day.and_then(|phrase| scan.tokens.get(phrase.tokens.clone()));
        let mut kinds = tokens.unwrap_or_default().iter().map(|token| &token.kind);
        day.to_datetime(time) <= scan.now && kinds.all(|kind| matches!(kind, Kind::Word(_)))
    }

    /// The recurrence and its first occurrence. None if the rule never matches.
    fn recurrence(&self, scan: &Scan<'_>) -> Option<(Recurrence, Due)> {
        let repetition = self.repetition?;
        let (day, day_time) = match self.when() {
            Some(When::Day(day)) => (Some(day), None),
            Some(When::DayTime(day, time)) => (Some(day), Some(time)),
            _ => (None, None),
        };
        let time = repetition.time.or(day_time).or(self.time);
        let from = match repetition.start.or(self.start).or(day) {
            Some(start) => start,
            None => time.map_or(Some(scan.now), |time| next(scan, time))?.date(),
        };
        let first = repetition.schedule.first_from(from)?;
        let due = match time {
            Some(time) => Due::At(Moment::of(first.to_datetime(time), scan.zone)?),
            None => Due::Day(first),
        };
        let anchor = first.to_datetime(time.unwrap_or(Time::midnight()));
        let ending = repetition.ending.or(self.until.map(Ending::On));
        let series = series(scan, repetition, ending, anchor)?;
        let slots = series.preview(1);
        slots.first().filter(|slot| slot.local == anchor)?;
        let words = rule_in_words(&scan.words.reading, &repetition.schedule, &series);
        Some((Recurrence { rule: series.rule().clone(), words }, due))
    }
}

fn series(
    scan: &Scan<'_>,
    repetition: &Repetition,
    ending: Option<Ending>,
    anchor: DateTime,
) -> Option<Series> {
    let draft = repetition.schedule.draft(repetition.basis);
    let draft = match ending {
        None => draft,
        Some(Ending::On(date)) => RuleDraft { end_date: Some(EndDate::Date(date)), ..draft },
        Some(Ending::Times(number)) => RuleDraft { count: Some(number.into()), ..draft },
        Some(Ending::During(length)) => {
            let last = in_days(length.after(anchor.date())?, -1)?;
            RuleDraft { end_date: Some(EndDate::Date(last)), ..draft }
        }
    };
    Some(Series::new(draft.build().ok()?, anchor, scan.zone.clone()))
}

/// When the clock next shows a time: today or tomorrow.
fn next(scan: &Scan<'_>, time: Time) -> Option<DateTime> {
    let today = scan.today().to_datetime(time);
    if today > scan.now { Some(today) } else { Some(in_days(scan.today(), 1)?.to_datetime(time)) }
}

fn reminder(scan: &Scan<'_>, phrase: ReminderPhrase, due: Option<Due>) -> Option<Reminder> {
    let local = match phrase {
        ReminderPhrase::Offset(offset) => return Some(Reminder::Offset(offset)),
        ReminderPhrase::When(When::Instant(utc)) => {
            return Some(Reminder::At(Moment::at(utc, scan.zone)));
        }
        ReminderPhrase::When(When::DayTime(day, time)) => day.to_datetime(time),
        ReminderPhrase::When(When::Day(day)) => day.to_datetime(DAY_REMINDER_TIME),
        ReminderPhrase::When(When::Time(time)) => match due {
            Some(due) => due.date().to_datetime(time),
            None => next(scan, time)?,
        },
    };
    Some(Reminder::At(Moment::of(local, scan.zone)?))
}

/// The task, and each span with its meaning.
pub(super) fn quick_add(
    line: &str,
    scan: &Scan<'_>,
    ranges: &[Range<usize>],
    phrases: Vec<Phrase>,
) -> QuickAdd {
    let parts = Parts::of(&phrases);
    let (recurrence, due) = match parts.recurrence(scan) {
        Some((recurrence, due)) => (Some(recurrence), Some(due)),
        None => (None, parts.due(scan)),
    };
    let has_day = parts.day.is_some() || recurrence.is_some();
    let mut quick_add = QuickAdd {
        title: String::new(),
        description: None,
        priority: None,
        tags: Vec::new(),
        list: None,
        due,
        recurrence,
        reminders: Vec::new(),
        spans: Vec::new(),
        words: &scan.words.reading,
    };
    for (range, phrase) in ranges.iter().zip(&phrases) {
        let said = take(&mut quick_add, line, scan, range, &phrase.item, has_day);
        if let Some((kind, meaning)) = said {
            quick_add.spans.push(Span { range: range.clone(), kind, meaning });
        }
    }
    let kept: Vec<_> = quick_add.spans.iter().map(|span| span.range.clone()).collect();
    quick_add.title = title(line, &kept);
    quick_add
}

/// Applies a phrase to the task and returns its meaning. None if it has none.
fn take(
    task: &mut QuickAdd,
    line: &str,
    scan: &Scan<'_>,
    range: &Range<usize>,
    item: &Item,
    has_day: bool,
) -> Option<(SpanKind, String)> {
    Some(match item {
        Item::Priority(priority) => {
            task.priority = Some(*priority);
            (SpanKind::Priority, priority.to_string())
        }
        Item::Tag(tag) => {
            if task.tags.iter().all(|known| tag_key(known) != tag_key(tag)) {
                task.tags.push(tag.clone());
            }
            (SpanKind::Tag, tag.clone())
        }
        Item::List(place) => {
            let name = scan.lists.get(*place)?.name.to_owned();
            task.list = Some(NamedList { place: *place, name: name.clone() });
            (SpanKind::List, name)
        }
        Item::When(When::Time(time)) if has_day => (SpanKind::Due, time.to_string()),
        Item::When(When::Day(day)) => (SpanKind::Due, day.to_string()),
        Item::When(When::DayTime(day, time)) if task.recurrence.is_some() => {
            (SpanKind::Due, day.to_datetime(*time).to_string())
        }
        Item::When(_) => match task.due? {
            Due::Day(day) => (SpanKind::Due, day.to_string()),
            Due::At(moment) => (SpanKind::Due, moment.local.to_string()),
        },
        Item::Repetition(_) => (SpanKind::Recurrence, task.recurrence.as_ref()?.words.clone()),
        Item::Bound(Bound::Start(day) | Bound::Until(day)) => {
            task.recurrence.as_ref()?;
            (SpanKind::Recurrence, day.to_string())
        }
        Item::Reminder(phrase) => {
            let reminder = reminder(scan, *phrase, task.due)?;
            if !task.reminders.contains(&reminder) {
                task.reminders.push(reminder);
            }
            let meaning = match reminder {
                Reminder::Offset(offset) => offset.to_string(),
                Reminder::At(moment) => moment.local.to_string(),
            };
            (SpanKind::Reminder, meaning)
        }
        Item::Escape => (SpanKind::Escape, String::new()),
        Item::Description => {
            let text = line.get(range.clone())?.trim_start_matches([',', ';', '-', '–', '—', ' ']);
            let text = text.strip_prefix("//").unwrap_or(text).trim();
            task.description = Some(text.to_owned()).filter(|text| !text.is_empty());
            (SpanKind::Description, text.to_owned())
        }
    })
}
