//! Lines and their meanings: the tables in `quick_add/`, and the examples of docs/quick-add.md.

use std::ops::Range;
use std::path::Path;

use rondo_domain::jiff::civil::DateTime;
use rondo_domain::quick_add::{Context, Due, Language, QuickAdd, Reminder, SpanKind, parse};
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
/// The user's lists.
const LISTS: [&str; 6] = ["Work", "Two words", "Two", "Café 🍰", "work", "2031"];
const PHRASES_MIN: usize = 1_000;

/// Date and time in the tables' format.
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

/// A result in one line: the title and the other fields, separated by bars.
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
    parts.extend(found.list.iter().map(|list| format!("+{}", list.name)));
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
        self.read_without(line, &[])
    }

    fn read_without(&self, line: &str, ignored: &[Range<usize>]) -> QuickAdd {
        let now = self.zone.instant_of(self.local).expect("an instant");
        let (zone, language) = (&self.zone, self.language);
        let context = Context { now, zone, language, lists: &LISTS, ignored };
        parse(line, &context).expect("a line that is short enough")
    }
}

/// The rows with a wrong result.
fn wrong_rows(now: &Now, rows: &[(String, &str)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (place, row) in rows {
        let (line, expected) = row.split_once(" => ").unwrap_or_else(|| panic!("{place}: {row}"));
        let found = shown(&now.read(line));
        if found.trim() != expected.trim() {
            wrong.push(format!("{place}: {line} => {found}\n  wanted {expected}"));
        }
    }
    wrong
}

#[test]
fn tables() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (table, text) in TABLES {
        let mut now = None;
        for (number, row) in (1..).zip(text.lines()) {
            if let Some(text) = row.strip_prefix("now ") {
                now = Some(Now::parse(text));
            } else if !row.is_empty() && !row.starts_with("# ") {
                let now = now.as_ref().expect("a now before the first line");
                wrong.extend(wrong_rows(now, &[(format!("{table}:{number}"), row)]));
                count += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= PHRASES_MIN, "{count} phrases");
}

/// The blocks of a kind in the document, each with its first line.
fn blocks(kind: &str) -> Vec<(String, Vec<(String, String)>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/quick-add.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let mut blocks = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((_, line)) = lines.next() {
        if let Some(rest) = line.strip_prefix(&format!("```{kind} ")) {
            let rows = lines.by_ref().take_while(|(_, line)| *line != "```");
            let rows = rows.map(|(number, row)| (format!("line {number}"), row.to_owned()));
            blocks.push((rest.to_owned(), rows.collect()));
        }
    }
    assert!(!blocks.is_empty(), "the document has no ```{kind}");
    blocks
}

#[test]
fn examples_of_the_document() {
    let mut wrong = Vec::new();
    for (now, rows) in blocks("lines") {
        let rows: Vec<_> = rows.iter().map(|(place, row)| (place.clone(), row.as_str())).collect();
        assert!(!rows.is_empty(), "{now}");
        wrong.extend(wrong_rows(&Now::parse(&now), &rows));
    }
    for (now, rows) in blocks("reading") {
        let now = Now::parse(&now);
        for pair in rows.chunks(2) {
            let [(place, line), (_, expected)] = pair else { panic!("{pair:?}") };
            let found = now.read(line).reading();
            if found != *expected {
                wrong.push(format!("{place}: {line}\n  {found}\n  wanted {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const WEDNESDAY: &str = "2031-03-26T10:00 Europe/Berlin en";
const MITTWOCH: &str = "2031-03-26T10:00 Europe/Berlin de";

#[test]
fn spans() {
    use SpanKind::{Description, Due, Escape, List, Priority, Recurrence, Reminder, Tag};
    let now = Now::parse(WEDNESDAY);
    let check = |line: &str, expected: &[(&str, SpanKind, &str)]| {
        let found = now.read(line);
        let spans = found.spans.iter();
        let spans: Vec<_> =
            spans.map(|s| (&line[s.range.clone()], s.kind, s.meaning.as_str())).collect();
        assert_eq!(spans, expected, "{line}");
    };
    check("Call Bob", &[]);
    check(
        "Call Bob, tomorrow 9am, #home p1 // ask",
        &[
            (", tomorrow 9am,", Due, "2031-03-27T09:00:00"),
            ("#home", Tag, "home"),
            ("p1", Priority, "urgent"),
            ("// ask", Description, "ask"),
        ],
    );
    check("Call Bob (+work) p1", &[("(+work)", List, "Work"), ("p1", Priority, "urgent")]);
    check(
        "tomorrow: call Bob at 9",
        &[("tomorrow:", Due, "2031-03-27"), ("at 9", Due, "09:00:00")],
    );
    check("at 9am call Bob", &[("at 9am", Due, "2031-03-27T09:00:00")]);
    check("Dentist (friday) soon", &[("(friday)", Due, "2031-03-28")]);
    check(
        "beer every 3rd friday at 9 until june 30th !1h !friday",
        &[
            (
                "every 3rd friday at 9 until june 30th",
                Recurrence,
                "Every month on the third Friday, until 2031-06-30",
            ),
            ("!1h", Reminder, "PT1H"),
            ("!friday", Reminder, "2031-03-28T09:00:00"),
        ],
    );
    check("übermäßig 😀 \\friday tomorrow", &[("\\", Escape, ""), ("tomorrow", Due, "2031-03-27")]);
    check(
        "report every day starting friday tomorrow",
        &[("every day starting friday", Recurrence, "Every day")],
    );
}

#[test]
fn spans_that_are_switched_off() {
    let now = Now::parse(WEDNESDAY);
    let check = |line: &str, ignored: &[&str], expected: &str| {
        let ranges: Vec<_> = ignored
            .iter()
            .map(|text| {
                let start = line.find(text).expect("a part of the line");
                start..start + text.len()
            })
            .collect();
        assert_eq!(shown(&now.read_without(line, &ranges)), expected, "{line} {ignored:?}");
    };
    let line = "Watch Saturday Kitchen tomorrow at 9 #tv p1 !1h // new";
    let all = "Watch Kitchen | due 2031-03-29 | remind PT1H | urgent | #tv | // new";
    check(
        &line.replace("tomorrow at 9 ", "saturday "),
        &[],
        &all.replace("Kitchen", "Saturday Kitchen"),
    );
    check(
        line,
        &["#tv"],
        "Watch Saturday Kitchen #tv | due 2031-03-27T09:00 | remind PT1H | urgent | // new",
    );
    check(
        line,
        &["// new"],
        "Watch Saturday Kitchen // new | due 2031-03-27T09:00 | remind PT1H | urgent | #tv",
    );
    check(
        line,
        &["p1", "!1h"],
        "Watch Saturday Kitchen p1 !1h | due 2031-03-27T09:00 | #tv | // new",
    );
    // A part of the span is enough.
    check(
        line,
        &["morrow"],
        "Watch Saturday Kitchen tomorrow at 9 | remind PT1H | urgent | #tv | // new",
    );
    // The other parts of the due date stay as they are.
    check("tomorrow call Bob at 9", &["tomorrow"], "tomorrow call Bob | due 2031-03-27T09:00");
    check("tomorrow call Bob at 11", &["tomorrow"], "tomorrow call Bob | due 2031-03-26T11:00");
    check("tomorrow call Bob at 9", &["at 9"], "call Bob at 9 | due 2031-03-27");
    check("friday report every day", &["friday"], "friday report | due 2031-03-26 | daily");
    check("friday report every day", &["every"], "report every day | due 2031-03-28");
    check("Buy milk \\tomorrow", &["\\"], "Buy milk \\tomorrow");
    // Nothing replaces a span that is switched off.
    check(
        "Buy milk monday for the party friday",
        &["friday"],
        "Buy milk monday for the party friday",
    );
    check("Buy milk p1 p2", &["p2"], "Buy milk p1 p2");
}

#[test]
fn readings() {
    let check = |now: &str, line: &str, expected: &str| {
        assert_eq!(Now::parse(now).read(line).reading(), expected, "{line}");
    };
    let english = |line: &str, expected: &str| check(WEDNESDAY, line, expected);
    english("Call Bob", "");
    english("Call Bob tomorrow", "Due Thursday, 27 March 2031.");
    english("Call Bob tomorrow p2", "Due Thursday, 27 March 2031. Priority high.");
    english("Call Bob !1h30min", "Reminder 1 hour and 30 minutes before.");
    english("Call Bob !1 day before", "Reminder 1 day before.");
    english("Call Bob !0 min", "Reminder when it is due.");
    english("Call Bob !friday 9am", "Reminder Friday, 28 March 2031 at 09:00.");
    english("Call Bob +two words", "List Two words.");
    english("Call Bob #a #b #c // d", "Tagged a, b and c. With a description.");
    english(
        "Call Bob every! 3 days at 9",
        "Due Thursday, 27 March 2031 at 09:00. Every 3 days after the last one was done.",
    );
    let german = |line: &str, expected: &str| check(MITTWOCH, line, expected);
    german("Bob anrufen", "");
    german("Bob anrufen morgen um 9", "Fällig Donnerstag, 27. März 2031 um 09:00.");
    german("Bob anrufen !30 Min vorher p1", "Erinnerung 30 Minuten vorher. Priorität dringend.");
    german("Bob anrufen #a #b // c", "Tags a und b. Mit Beschreibung.");
    let rule = |line: &str, expected: &str| {
        let found = Now::parse(MITTWOCH).read(&format!("Bericht {line}"));
        let rule = found.spans.iter().find(|span| span.kind == SpanKind::Recurrence);
        assert_eq!(rule.map(|span| span.meaning.as_str()), Some(expected), "{line}");
    };
    rule("jeden Tag", "Jeden Tag");
    rule("alle! 3 Tage", "Alle 3 Tage nach der letzten Erledigung");
    rule("jede Woche", "Jede Woche am Mittwoch");
    rule("alle 2 Wochen montags", "Alle 2 Wochen am Montag");
    rule("jeden Mo, Mi und Fr", "Jede Woche am Montag, Mittwoch und Freitag");
    rule("werktags", "Jede Woche von Montag bis Freitag");
    rule("jeden Monat", "Jeden Monat am 26.");
    rule("jedes Quartal am 31.", "Alle 3 Monate am 31. oder am letzten Tag eines kürzeren Monats");
    rule("jeden letzten Tag 5 mal", "Jeden Monat am letzten Tag, 5-mal");
    rule("jeden 1. und 15.", "Jeden Monat am 1. und am 15.");
    rule(
        "jeden ersten und letzten Montag im Monat",
        "Jeden Monat am 1. Montag und am letzten Montag",
    );
    rule("jeden letzten Werktag", "Jeden Monat am letzten Werktag");
    rule("jedes Jahr", "Jedes Jahr am 26. März");
    rule("jeden 24. Dezember", "Jedes Jahr am 24. Dezember");
    rule("jeden 1. Januar und 1. Juli", "Jedes Jahr am 1. Januar und am 1. Juli");
    rule("jeden Tag bis Freitag", "Jeden Tag, bis Freitag, 28. März 2031");
    rule("jeden Tag 1 mal", "Jeden Tag, einmal");
}
