//! Describes the result in plain words.

use jiff::civil::Date;

use super::language::{Language, ReadingWords, RuleWords};
use super::schedule::{Days, Schedule, WORKDAYS};
use super::{Due, Moment, QuickAdd, Reminder};
use crate::offset::ReminderOffset;
use crate::recurrence::{Basis, End, Frequency, Series, describe};

impl QuickAdd {
    /// All but the title and the text of the description, in sentences of the line's language. Empty if
    /// nothing was understood.
    #[must_use]
    pub fn reading(&self) -> String {
        let words = self.words;
        let mut sentences = Vec::new();
        if let Some(due) = self.due {
            let due = match due {
                Due::Day(day) => day_in_words(words, day),
                Due::At(moment) => moment_in_words(words, moment),
            };
            sentences.push(format!("{} {due}", words.due));
        }
        sentences.extend(self.recurrence.as_ref().map(|recurrence| recurrence.words.clone()));
        for reminder in &self.reminders {
            let when = match reminder {
                Reminder::Offset(offset) => offset_in_words(words, *offset),
                Reminder::At(moment) => moment_in_words(words, *moment),
            };
            sentences.push(format!("{} {when}", words.remind));
        }
        let priorities = words.priorities.iter();
        for (name, _) in priorities.filter(|(_, known)| Some(*known) == self.priority) {
            sentences.push(format!("{} {name}", words.priority));
        }
        sentences.extend(self.list.as_ref().map(|list| format!("{} {}", words.list, list.name)));
        if !self.tags.is_empty() {
            sentences.push(format!("{} {}", words.tags, listed(&self.tags, words.and)));
        }
        if self.description.is_some() {
            sentences.push(words.description.to_owned());
        }
        let sentences = sentences.iter().map(|text| sentence(text));
        sentences.collect::<Vec<_>>().join(" ")
    }
}

/// Capitalised and with a full stop, unless the text already ends with one: "am 26."
fn sentence(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).chain(['.']).collect()
}

fn listed(items: &[String], and: &str) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} {and} {last}", first.join(", ")),
    }
}

fn name(names: &[&'static str], place: i8) -> &'static str {
    usize::try_from(place).ok().and_then(|place| names.get(place)).copied().unwrap_or_default()
}

fn day_in_words(words: &ReadingWords, day: Date) -> String {
    words
        .date
        .replace("{weekday}", name(&words.weekdays, day.weekday().to_monday_zero_offset()))
        .replace("{day}", &day.day().to_string())
        .replace("{month}", name(&words.months, day.month() - 1))
        .replace("{year}", &day.year().to_string())
}

fn moment_in_words(words: &ReadingWords, moment: Moment) -> String {
    let local = moment.local;
    let day = day_in_words(words, local.date());
    format!("{day} {} {:02}:{:02}", words.at, local.hour(), local.minute())
}

fn offset_in_words(words: &ReadingWords, offset: ReminderOffset) -> String {
    let [minute, hour, day] = words.lengths;
    let (days, seconds) = offset.parts();
    let lengths: Vec<_> = [(days, day), (seconds / 3_600, hour), (seconds / 60 % 60, minute)]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, (one, many))| format!("{number} {}", if number == 1 { one } else { many }))
        .collect();
    if lengths.is_empty() {
        return words.at_due.to_owned();
    }
    words.before.replace("{length}", &listed(&lengths, words.and))
}

/// A series in a language, for example "Every 2 weeks on Monday". What only English has words for is in English.
#[must_use]
pub fn describe_in(series: &Series, language: Language) -> String {
    let words = &language.words().reading;
    match Schedule::of(series.rule()) {
        Some(schedule) => rule_in_words(words, &schedule, series),
        None => describe(series),
    }
}

/// A rule in the language of the words: its own description, or one built from the words for rules.
pub(super) fn rule_in_words(words: &ReadingWords, schedule: &Schedule, series: &Series) -> String {
    let Some(rule_words) = &words.rule else { return describe(series) };
    let rule = series.rule();
    let mut text = every(rule_words, schedule);
    text += &days(words, rule_words, schedule, series.anchor().date());
    if rule.basis == Basis::Completion {
        text += rule_words.after_completion;
    }
    text + &match rule.end {
        End::OnDate(date) => rule_words.until.replace("{date}", &day_in_words(words, date)),
        End::AfterCount(1) => rule_words.once.to_owned(),
        End::AfterCount(count) => rule_words.times.replace("{n}", &count.to_string()),
        End::AtLocal(local) => {
            rule_words.until.replace("{date}", &day_in_words(words, local.date()))
        }
        End::AtInstant(at) => {
            let day = series.zone().local_of(at).date();
            rule_words.until.replace("{date}", &day_in_words(words, day))
        }
        End::Never => String::new(),
    }
}

fn every(words: &RuleWords, schedule: &Schedule) -> String {
    let found = words.every.iter().find(|(frequency, ..)| *frequency == schedule.frequency);
    let (_, one, many) = found.copied().unwrap_or((schedule.frequency, "", ""));
    match schedule.interval {
        1 => one.to_owned(),
        interval => many.replace("{n}", &interval.to_string()),
    }
}

fn days(words: &ReadingWords, rule: &RuleWords, schedule: &Schedule, anchor: Date) -> String {
    let weekday = |day: u8| name(&words.weekdays, day as i8);
    let nth = |place: i8| match place {
        -1 => rule.last.to_owned(),
        _ => rule.nth.replace("{n}", &place.to_string()),
    };
    let of_month = |days: &[i8]| {
        let days = days.iter().map(|day| match day {
            -1 => rule.last_day.to_owned(),
            day => rule.day.replace("{n}", &day.to_string()),
        });
        let shorter = if days.len() == 1 { rule.shorter_month } else { "" };
        let days: Vec<_> = days.collect();
        (listed(&days, words.and), shorter)
    };
    let on_date = |day: i8, month: i8| {
        let date = rule.on_date.replace("{n}", &day.to_string());
        date.replace("{month}", name(&words.months, month - 1))
    };
    match (&schedule.days, schedule.frequency) {
        (Days::Anchor, Frequency::Daily) => String::new(),
        (Days::Weekdays(days), _) if *days == WORKDAYS => rule.from_monday_to_friday.to_owned(),
        (Days::Weekdays(days), _) => {
            let days: Vec<_> = days.iter().map(|day| weekday(*day).to_owned()).collect();
            rule.on_weekdays.replace("{days}", &listed(&days, words.and))
        }
        (Days::Anchor, Frequency::Weekly) => {
            let day = weekday(anchor.weekday().to_monday_zero_offset() as u8);
            rule.on_weekdays.replace("{days}", day)
        }
        (Days::Anchor, Frequency::Monthly) => {
            let (days, shorter) = of_month(&[anchor.day()]);
            let shorter = if anchor.day() > 28 { shorter } else { "" };
            rule.on_days.replace("{days}", &days) + shorter
        }
        (Days::OfMonth(days), _) => {
            let can_lack = days.first().is_some_and(|day| *day > 28);
            let (days, shorter) = of_month(days);
            rule.on_days.replace("{days}", &days) + if can_lack { shorter } else { "" }
        }
        (Days::Numbered(places, day), _) => {
            let days: Vec<_> = places
                .iter()
                .map(|place| rule.numbered_weekday.replace("{nth}", &nth(*place)))
                .map(|text| text.replace("{weekday}", weekday(*day)))
                .collect();
            rule.on_days.replace("{days}", &listed(&days, words.and))
        }
        (Days::Workday(place), _) => {
            rule.on_days.replace("{days}", &rule.workday.replace("{nth}", &nth(*place)))
        }
        (Days::OfYear(day, months), _) => {
            let dates = months.iter().map(|month| on_date(*day, *month).trim_start().to_owned());
            format!(" {}", listed(&dates.collect::<Vec<_>>(), words.and))
        }
        (Days::Anchor, Frequency::Yearly) => on_date(anchor.day(), anchor.month()),
    }
}
