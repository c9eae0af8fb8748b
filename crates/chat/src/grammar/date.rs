//! Days and times, read by quick add and written in words, as the user's clock shows them.

use std::ops::Range;

use rondo_domain::due::Due;
use rondo_domain::fold::fold;
use rondo_domain::instant::{self, Instant};
use rondo_domain::jiff::ToSpan as _;
use rondo_domain::jiff::civil::{Date, DateTime};
use rondo_domain::offset::ReminderOffset;
use rondo_domain::quick_add::{self, Language, QuickAdd, Reminder, SpanKind};
use rondo_domain::relative_day::RelativeDay;
use rondo_domain::zone::Zone;
use serde_json::Value;

use super::text::Text;
use super::words::{Period, Words};

/// A title that no phrase contains, so that what was not understood is noticed.
const PLACEHOLDER: &str = "task";
/// Maximum length of a date at the end of a text, in words.
const DATE_WORDS_MAX: usize = 12;
/// Maximum length of a day within a text, in words.
const DAY_WORDS_MAX: usize = 7;
/// Maximum length of a phrase that is all a date, in characters.
const DATE_CHARS_MAX: usize = 150;

/// The present, and the language in which days and times are written.
#[derive(Debug, Clone, Copy)]
pub struct Clock<'a> {
    pub now: Instant,
    pub zone: &'a Zone,
    pub words: &'static Words,
}

/// Days, both inclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Days {
    pub first: Option<Date>,
    pub last: Option<Date>,
    /// What answers call them.
    pub name: String,
}

/// When a reminder comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Before(ReminderOffset),
    At(Instant),
}

impl Clock<'_> {
    pub fn today(&self) -> Date {
        self.zone.local_of(self.now).date()
    }

    /// A line as quick add reads it. None if it is too long.
    pub fn line(&self, line: &str) -> Option<QuickAdd> {
        let context = quick_add::Context {
            now: self.now,
            zone: self.zone,
            language: self.words.language,
            lists: &[],
            ignored: &[],
        };
        quick_add::parse(line, &context).ok()
    }

    /// The clock of the language in which quick add understands the most dates of a line; of equals, this one.
    pub fn likeliest(self, line: &str) -> Self {
        let is_of_language = |kind: SpanKind| {
            matches!(kind, SpanKind::Due | SpanKind::Recurrence | SpanKind::Reminder)
        };
        let mut best = (self, self.spans(line, is_of_language));
        for language in Language::ALL {
            let other = Clock { words: Words::of(*language), ..self };
            let found = other.spans(line, is_of_language);
            if found > best.1 {
                best = (other, found);
            }
        }
        best.0
    }

    /// How many dates and marks quick add understands of a line.
    pub fn marks(&self, line: &str) -> usize {
        self.spans(line, |kind| !matches!(kind, SpanKind::Description | SpanKind::Escape))
    }

    fn spans(&self, line: &str, counts: impl Fn(SpanKind) -> bool) -> usize {
        let found = self.line(line).filter(|found| !found.title.is_empty());
        found.map_or(0, |found| found.spans.iter().filter(|span| counts(span.kind)).count())
    }

    /// What quick add understands of a phrase, if that is all of it.
    fn phrase(&self, phrase: &str) -> Option<QuickAdd> {
        let phrase = phrase.trim_end_matches(['!', '?']);
        if phrase.is_empty() || phrase.chars().nth(DATE_CHARS_MAX).is_some() {
            return None;
        }
        let found = self.line(&format!("{PLACEHOLDER} {phrase}"))?;
        let is_all = found.title == PLACEHOLDER && found.description.is_none();
        (is_all && found.tags.is_empty() && found.priority.is_none()).then_some(found)
    }

    /// The moment that a phrase means, if that is all of it.
    pub fn due(&self, phrase: &str) -> Option<quick_add::Due> {
        let found = self.phrase(phrase)?;
        if found.recurrence.is_some() || !found.reminders.is_empty() { None } else { found.due }
    }

    /// The moment to which a phrase moves a task. A time alone keeps the day, a day alone keeps the time.
    pub fn moved(&self, phrase: &str, from: Option<Due>) -> Option<Due> {
        let found = self.due(phrase)?;
        let Some(from) = from else { return Some(plain(found)) };
        let local = from.local(self.zone);
        if matches!(found, quick_add::Due::At(_))
            && let Some(same_day) = self.due(&format!("{} {phrase}", local.date()))
            && same_day.date() == local.date()
        {
            return Some(plain(same_day));
        }
        match (found, from) {
            (quick_add::Due::Day(day), Due::At(_)) => {
                self.zone.instant_of(day.to_datetime(local.time())).map(Due::At)
            }
            (found, _) => Some(plain(found)),
        }
    }

    /// Whether a phrase is a length of time, such as "2 days".
    pub fn is_length(&self, phrase: &str) -> bool {
        self.due(&format!("{} {phrase}", self.words.date.within)).is_some()
    }

    /// The moment that is a length of time after another, such as "2 days".
    pub fn shifted(&self, length: &str, from: Option<Due>) -> Option<Due> {
        let phrase = format!("{} {length}", self.words.date.within);
        let from = from.unwrap_or_else(|| Due::On(self.today()));
        let start = match from {
            Due::At(at) => at,
            Due::On(day) => self.zone.first_instant_of(day)?,
        };
        let found = Clock { now: start, ..*self }.due(&phrase)?;
        match (found, from) {
            // An hour after a day is no moment that anybody means.
            (quick_add::Due::At(_), Due::On(_)) => None,
            (quick_add::Due::Day(day), Due::At(_)) => {
                let time = from.local(self.zone).time();
                self.zone.instant_of(day.to_datetime(time)).map(Due::At)
            }
            (found, _) => Some(plain(found)),
        }
    }

    /// Whether a phrase is a repetition, and the first due date that it names.
    pub fn repetition(&self, phrase: &str) -> Option<Due> {
        let found = self.phrase(phrase)?;
        found.recurrence.as_ref()?;
        found.due.map(plain)
    }

    /// When a reminder in these words comes, for a task that is due then.
    pub fn reminder(&self, phrase: &str, due: Option<Due>) -> Option<When> {
        let with_due = due.and_then(|due| {
            let local = due.local(self.zone);
            let time = if due.is_day() {
                String::new()
            } else {
                format!(" {:02}:{:02}", local.hour(), local.minute())
            };
            self.only_reminder(&format!("{}{time} !{phrase}", local.date()))
        });
        with_due.or_else(|| self.only_reminder(&format!("!{phrase}")))
    }

    fn only_reminder(&self, phrase: &str) -> Option<When> {
        let found = self.phrase(phrase)?;
        match found.reminders[..] {
            [Reminder::Offset(offset)] => Some(When::Before(offset)),
            [Reminder::At(moment)] => Some(When::At(moment.utc)),
            _ => None,
        }
    }

    /// Where endings of a text begin that are of a kind, from the longest to the shortest. Each leaves a word before it.
    pub fn endings(
        &self,
        text: &Text<'_>,
        words: Range<usize>,
        is_kind: impl Fn(&str) -> bool,
    ) -> Vec<usize> {
        let first = words.end.saturating_sub(DATE_WORDS_MAX).max(words.start + 1);
        (first..words.end).filter(|at| is_kind(text.slice(*at..words.end))).collect()
    }

    /// The words of a name without those that join it to a date.
    pub fn unjoined(&self, text: &Text<'_>, words: Range<usize>) -> Range<usize> {
        let mut end = words.end;
        while end > words.start + 1 && self.words.date.joining.contains(&text.word(end - 1)) {
            end -= 1;
        }
        words.start..end
    }

    /// The period that begins at a place, and where it ends.
    pub fn days(&self, text: &Text<'_>, at: usize) -> Option<(Days, usize)> {
        let named = self.words.date.periods.iter().filter_map(|(period, phrases, name)| {
            let (_, end) = text.longest(at, phrases.iter().copied())?;
            Some((end, *period, *name))
        });
        if let Some((end, period, name)) = named.max_by_key(|(end, ..)| *end) {
            let (first, last) = self.period(period)?;
            let days = Days { first: Some(first), last: Some(last), name: name.to_owned() };
            return Some((days, end));
        }
        if let Some((_, start)) = text.longest(at, self.words.list.coming.iter().copied()) {
            for end in (start + 1..=text.len().min(start + DAY_WORDS_MAX)).rev() {
                let phrase = format!("{} {}", self.words.date.within, text.slice(start..end));
                if let Some(quick_add::Due::Day(day)) = self.due(&phrase) {
                    let name = text.slice(at..end).trim_end_matches(['?', '.']).to_owned();
                    return Some((Days { first: Some(self.today()), last: Some(day), name }, end));
                }
            }
        }
        let until = text.longest(at, self.words.list.until.iter().copied());
        let start = until.map_or(at, |(_, end)| end);
        let longest = text.len().min(start + DAY_WORDS_MAX);
        for end in (start + 1..=longest).rev() {
            let Some(quick_add::Due::Day(day)) = self.due(text.slice(start..end)) else { continue };
            let days = if until.is_some() {
                let name = self.words.date.until.replace("{day}", &self.day(day));
                Days { first: None, last: Some(day), name }
            } else {
                let shown = self.day(day);
                let is_relative = self.near(day).is_some();
                let name =
                    if is_relative { shown } else { self.words.date.on.replace("{day}", &shown) };
                Days { first: Some(day), last: Some(day), name }
            };
            return Some((days, end));
        }
        // "May" alone is more often no month.
        let is_led = at > 0 && self.words.date.month_lead.contains(&text.word(at - 1));
        let month = if is_led { self.month(text.word(at)) } else { None };
        month.map(|days| (days, at + 1))
    }

    /// The days of a month by its name: of this one, or of the next that is called so.
    fn month(&self, word: &str) -> Option<Days> {
        let names = &self.words.date.months;
        let place = names.iter().position(|name| fold(name) == word)?;
        let this = i64::from(self.today().month());
        let months = (place as i64 + 1 - this).rem_euclid(12);
        let (first, last) = self.period(Period::Month(months))?;
        let name = self.words.date.in_month.replace("{month}", names[place]);
        Some(Days { first: Some(first), last: Some(last), name })
    }

    fn period(&self, period: Period) -> Option<(Date, Date)> {
        let today = self.today();
        let monday = RelativeDay::WeekStart.from(today)?;
        match period {
            Period::Day(days) => {
                let day = today.checked_add(days.days()).ok()?;
                Some((day, day))
            }
            Period::Week(weeks) => {
                let first = monday.checked_add((7 * weeks).days()).ok()?;
                Some((first, first.checked_add(6.days()).ok()?))
            }
            Period::Weekend(weeks) => {
                let first = monday.checked_add((7 * weeks + 5).days()).ok()?;
                Some((first, first.checked_add(1.days()).ok()?))
            }
            Period::Month(months) => {
                let first = today.first_of_month().checked_add(months.months()).ok()?;
                Some((first, first.last_of_month()))
            }
        }
    }

    /// What a day close to today is called.
    fn near(&self, day: Date) -> Option<&'static str> {
        let found = self.words.date.periods.iter().find(|(period, ..)| {
            matches!(period, Period::Day(-1..=1)) && self.period(*period) == Some((day, day))
        });
        found.map(|(.., name)| *name)
    }

    /// A day in words.
    pub fn day(&self, day: Date) -> String {
        if let Some(near) = self.near(day) {
            return near.to_owned();
        }
        let words = &self.words.date;
        let name = |names: &[&'static str], place: i8| {
            usize::try_from(place).ok().and_then(|place| names.get(place)).copied()
        };
        let is_this_year = day.year() == self.today().year();
        let template = if is_this_year { words.date } else { words.date_with_year };
        let weekday = name(&words.weekdays, day.weekday().to_monday_zero_offset());
        template
            .replace("{weekday}", weekday.unwrap_or_default())
            .replace("{day}", &day.day().to_string())
            .replace("{month}", name(&words.months, day.month() - 1).unwrap_or_default())
            .replace("{year}", &day.year().to_string())
    }

    /// A day and a time in words.
    pub fn moment(&self, at: Instant) -> String {
        self.local(self.zone.local_of(at))
    }

    fn local(&self, local: DateTime) -> String {
        format!("{}, {:02}:{:02}", self.day(local.date()), local.hour(), local.minute())
    }

    /// When something is due, in words.
    pub fn due_in_words(&self, due: Due) -> String {
        match due {
            Due::At(at) => self.moment(at),
            Due::On(day) => self.day(day),
        }
    }

    /// The first and the last instant of days.
    pub fn instants(&self, days: &Days) -> [Option<Instant>; 2] {
        [
            days.first.and_then(|day| self.zone.first_instant_of(day)),
            days.last.and_then(|day| self.zone.last_instant_of(day)),
        ]
    }
}

/// A due date of quick add as tasks have it.
pub const fn plain(due: quick_add::Due) -> Due {
    match due {
        quick_add::Due::Day(day) => Due::On(day),
        quick_add::Due::At(moment) => Due::At(moment.utc),
    }
}

/// A due date as tools take it.
pub fn written(due: Due) -> String {
    match due {
        Due::At(at) => instant::format(at),
        Due::On(day) => day.to_string(),
    }
}

/// Reads what [`written`] has written.
pub fn unwritten(text: &str) -> Option<Due> {
    let day = instant::parse_date(text).ok().map(Due::On);
    day.or_else(|| instant::parse(text).ok().map(Due::At))
}

/// When a task is due.
pub fn due_of(task: &Value) -> Option<Due> {
    Due::parse(task["due_date"].as_str(), task["due_day"].as_str()).ok().flatten()
}
