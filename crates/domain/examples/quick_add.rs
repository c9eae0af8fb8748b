//! Prints the lines of the tables in `tests/quick_add` as questions to other parsers, each with this crate's answer.
//! A question is a line of fields, separated by tabs: kind, present, zone, language, text, answer, the answer in words.
//!
//! - `when`: the text is the line without its phrases, except those of days and times. The answer is a day, a moment,
//!   or `none`.
//! - `rule`, in English: the text is the repetition with the days and times of the line, or the whole line if it has
//!   none. The answer lists the first occurrences, or is `none`.
//!
//! `cargo xtask oracle` runs it.

use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use rondo_domain::jiff::civil::{DateTime, Time};
use rondo_domain::quick_add::{Context, Due, Language, QuickAdd, SpanKind, parse};
use rondo_domain::recurrence::{Anchor, Series};
use rondo_domain::zone::Zone;

/// The tables.
const TABLES: [&str; 9] = [
    "mark",
    "english_date",
    "english_time",
    "english_recurrence",
    "english_title",
    "german_date",
    "german_time",
    "german_recurrence",
    "german_title",
];
/// Number of occurrences of a repetition that are compared.
const OCCURRENCES: usize = 12;
/// The answer without a due date or repetition.
const NONE: &str = "none";

fn main() -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/quick_add");
    for table in TABLES {
        let text = std::fs::read_to_string(folder.join(table).with_extension("txt"))?;
        let mut now = None;
        for row in text.lines() {
            if let Some(words) = row.strip_prefix("now ") {
                now = Some(Now::parse(words));
            } else if let Some((line, _)) = row.split_once(" => ") {
                let now = now.as_ref().expect("a present before the first line");
                for question in now.questions(line) {
                    writeln!(out, "{question}")?;
                }
            }
        }
    }
    out.flush()
}

/// The present of a part of a table.
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

    fn questions(&self, line: &str) -> Vec<String> {
        let now = self.zone.instant_of(self.local).expect("an instant");
        let zone = &self.zone;
        let context = Context { now, zone, language: self.language, lists: &[], ignored: &[] };
        let found = parse(line, &context).expect("a line that is short enough");
        let question = |kind: &str, text: &str, answer: &str, words: &str| {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let now = minute(self.local);
            format!("{kind}\t{now}\t{zone}\t{}\t{text}\t{answer}\t{words}", self.language)
        };
        let rest = rest(line, &found);
        let when = when(&found);
        let mut questions = vec![question("when", &rest, &when, &when)];
        // recurrent reads English only.
        if self.language == Language::English {
            questions.push(match &found.recurrence {
                Some(recurrence) => {
                    let text = repetition(line, &found);
                    question("rule", &text, &self.occurrences(&found), &recurrence.words)
                }
                None => question("rule", &rest, NONE, NONE),
            });
        }
        questions
    }

    /// The first occurrences.
    fn occurrences(&self, found: &QuickAdd) -> String {
        let (Some(recurrence), Some(due)) = (&found.recurrence, found.due) else {
            return NONE.to_owned();
        };
        let (anchor, is_of_days) = match due {
            Due::Day(day) => (day.to_datetime(Time::midnight()), true),
            Due::At(moment) => (moment.local, false),
        };
        let anchor = Anchor::of_local(anchor, is_of_days);
        let series = Series::new(recurrence.rule.clone(), anchor, self.zone.clone());
        let slots = series.preview(OCCURRENCES);
        let slots = slots.iter().map(|slot| match is_of_days {
            true => slot.local.date().to_string(),
            false => minute(slot.local),
        });
        slots.collect::<Vec<_>>().join(" ")
    }
}

/// Date and time without seconds.
fn minute(local: DateTime) -> String {
    format!("{}T{:02}:{:02}", local.date(), local.hour(), local.minute())
}

/// What the days and times of the line say. Beside a repetition, only their own part of the due date counts.
fn when(found: &QuickAdd) -> String {
    if found.recurrence.is_some() {
        let spans = found.spans.iter().filter(|span| span.kind == SpanKind::Due);
        // Without seconds, which only a time has.
        let meanings = spans.map(|span| span.meaning.strip_suffix(":00").unwrap_or(&span.meaning));
        let meanings: Vec<_> = meanings.collect();
        return if meanings.is_empty() { NONE.to_owned() } else { meanings.join("T") };
    }
    match found.due {
        None => NONE.to_owned(),
        Some(Due::Day(day)) => day.to_string(),
        Some(Due::At(moment)) => minute(moment.local),
    }
}

/// The line without its phrases, except those of days and times. A backslash is shown, because it tells why a word
/// stays in the title.
fn rest(line: &str, found: &QuickAdd) -> String {
    let is_kept = |kind| matches!(kind, SpanKind::Due | SpanKind::Escape);
    let mut text = String::new();
    let mut from = 0;
    for span in found.spans.iter().filter(|span| !is_kept(span.kind)) {
        text += &line[from..span.range.start];
        text.push(' ');
        from = span.range.end;
    }
    text + &line[from..]
}

/// The repetition, and the days and times from which it begins.
fn repetition(line: &str, found: &QuickAdd) -> String {
    let is_wanted = |kind| matches!(kind, SpanKind::Recurrence | SpanKind::Due);
    let spans = found.spans.iter().filter(|span| is_wanted(span.kind));
    spans.map(|span| &line[span.range.clone()]).collect::<Vec<_>>().join(" ")
}
