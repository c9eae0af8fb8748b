//! Lines and what they mean; the tables are in `quick_add/`.

use rondo_domain::jiff::civil::DateTime;
use rondo_domain::quick_add::{Context, Due, Language, QuickAdd, Reminder, parse};
use rondo_domain::recurrence::{Basis, End, Pattern, Rule};
use rondo_domain::zone::Zone;

const TABLES: [(&str, &str); 9] = [
    ("mark", include_str!("quick_add/mark.txt")),
    ("english_date", include_str!("quick_add/english_date.txt")),
    ("english_time", include_str!("quick_add/english_time.txt")),
    ("english_recurrence", include_str!("quick_add/english_recurrence.txt")),
    ("english_title", include_str!("quick_add/english_title.txt")),
    ("german_date", include_str!("quick_add/german_date.txt")),
    ("german_time", include_str!("quick_add/german_time.txt")),
    ("german_recurrence", include_str!("quick_add/german_recurrence.txt")),
    ("german_title", include_str!("quick_add/german_title.txt")),
];
const PHRASES_MIN: usize = 400;

/// Date and time as the tables write them.
fn minute(local: DateTime) -> String {
    let time = local.time();
    let seconds = if time.second() == 0 { String::new() } else { format!(":{}", time.second()) };
    format!("{}T{:02}:{:02}{seconds}", local.date(), time.hour(), time.minute())
}

fn rule(rule: &Rule) -> String {
    let mut text = match &rule.pattern {
        Pattern::Rrule(rrule) => rrule.to_string(),
        Pattern::Structured(structured) => {
            let mut text = structured.frequency.to_string();
            if structured.interval != 1 {
                text += &format!("*{}", structured.interval);
            }
            if let Some(days) = structured.days_of_week {
                let days: Vec<_> = days.iter().map(|day| day.to_string()).collect();
                text += &format!(" on {}", days.join(","));
            }
            if let Some(day) = structured.day_of_month {
                text += &format!(" day {day}");
            }
            text
        }
    };
    text += &match rule.end {
        End::Never => String::new(),
        End::OnDate(date) => format!(" until {date}"),
        End::AfterCount(count) => format!(" x{count}"),
        other => format!(" {other:?}"),
    };
    text + if rule.basis == Basis::Completion { " after completion" } else { "" }
}

/// A result in one line: the title, and what else there is, with bars between them.
fn shown(found: &QuickAdd) -> String {
    let mut parts = vec![found.title.clone()];
    parts.extend(found.due.map(|due| match due {
        Due::Day(day) => format!("due {day}"),
        Due::At(moment) => format!("due {}", minute(moment.local)),
    }));
    parts.extend(found.recurrence.as_ref().map(|found| rule(&found.rule)));
    parts.extend(found.reminders.iter().map(|reminder| match reminder {
        Reminder::Offset(offset) => format!("remind {offset}"),
        Reminder::At(moment) => format!("remind {}", minute(moment.local)),
    }));
    parts.extend(found.priority.map(|priority| priority.to_string()));
    parts.extend(found.tags.iter().map(|tag| format!("#{tag}")));
    parts.extend(found.description.iter().map(|text| format!("// {text}")));
    parts.join(" | ")
}

struct Now {
    local: DateTime,
    zone: Zone,
    language: Language,
}

impl Now {
    /// `2031-03-26T10:00 Europe/Berlin en`
    fn parse(text: &str) -> Self {
        let words: Vec<_> = text.split(' ').collect();
        let [local, zone, language] = words[..] else { panic!("{text}") };
        Self {
            local: local.parse().expect("a local time"),
            zone: Zone::parse(zone).expect("a zone"),
            language: Language::parse(language).expect("a language"),
        }
    }

    fn read(&self, line: &str) -> QuickAdd {
        let now = self.zone.instant_of(self.local).expect("an instant");
        let context = Context { now, zone: &self.zone, language: self.language, ignored: &[] };
        parse(line, &context).expect("a line that is short enough")
    }
}

#[test]
fn tables() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (table, text) in TABLES {
        let mut now = None;
        for (number, row) in (1..).zip(text.lines()) {
            if row.is_empty() || row.starts_with("# ") {
                continue;
            }
            if let Some(text) = row.strip_prefix("now ") {
                now = Some(Now::parse(text));
                continue;
            }
            let (line, expected) =
                row.split_once(" => ").unwrap_or_else(|| panic!("{table}: {row}"));
            let found = now.as_ref().expect("a now before the first line").read(line);
            if shown(&found).trim() != expected.trim() {
                wrong.push(format!(
                    "{table}:{number}: {line} => {}\n  wanted {expected}",
                    shown(&found)
                ));
            }
            count += 1;
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= PHRASES_MIN, "{count} phrases");
}
