use proptest::prelude::*;

use super::*;
use crate::recurrence::Series;

/// A Wednesday, the last minute of a leap day, and the night in which the clocks go back.
const NOWS: [&str; 3] = ["2031-03-26T09:00:00Z", "2032-02-29T22:59:00Z", "2031-10-26T00:59:00Z"];

const LISTS: &[&str] = &["work", "Two words", "two", "12345 €"];

/// Phrases, marks and separators of both languages.
const PIECES: &[&str] = &[
    "tomorrow",
    "today",
    "tonight",
    "friday",
    "next",
    "this",
    "on",
    "the",
    "at",
    "9",
    "9am",
    "9:30",
    "noon",
    "in",
    "3",
    "days",
    "weeks",
    "2 hours",
    "17th",
    "29 Feb",
    "2032",
    "2031-05-01",
    "T18:30",
    "24.12.",
    "end of month",
    "every",
    "every!",
    "other",
    "last",
    "3rd",
    "weekday",
    "and",
    "mon",
    "starting",
    "until",
    "for",
    "times",
    "after",
    "daily",
    "p1",
    "p4",
    "!high",
    "!",
    "!1h",
    "30 min",
    "before",
    "#home",
    "@work",
    "#\"two words\"",
    "+work",
    "+two words",
    "+\"two words\"",
    "+",
    "#",
    "//",
    "\"",
    "“",
    "”",
    "\\",
    "\\tomorrow",
    ",",
    ":",
    ".",
    "(",
    ")",
    "-",
    "Call Bob",
    "The",
    "5th",
    "Wave",
    "https://example.com/today",
    "morgen",
    "übermorgen",
    "heute Abend",
    "am",
    "um",
    "Uhr",
    "jeden",
    "alle",
    "zweiten",
    "Wochen",
    "Montag",
    "montags",
    "im Monat",
    "werktags",
    "next week",
    "of next month",
    "from",
    "mondays",
    "-",
    "every month",
    "after completion",
    "half an hour",
    "june",
    "nächster Woche",
    "in einer Woche",
    "übernächsten",
    "jeden Monats",
    "nach Erledigung",
    "ab",
    "bis",
    "lang",
    "mal",
    "3.",
    "3.5.",
    "halb",
    "!30 Min vorher",
    "nächsten",
    "Freitagabend",
    "ß",
    "😀",
    "u\u{308}",
    "İ",
    "\u{a0}",
    "\n",
    "  ",
    "99999999999999999999",
    "0",
    "31",
    "365",
    "9999-12-31",
    "in 9999 years",
    "23:59",
];

fn pieces() -> impl Strategy<Value = String> {
    let piece = (prop::sample::select(PIECES), prop::sample::select(vec![" ", " ", " ", ""]));
    proptest::collection::vec(piece, 0..30)
        .prop_map(|pieces| pieces.into_iter().flat_map(|(piece, gap)| [piece, gap]).collect())
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![6 => pieces(), 1 => any::<String>(), 1 => "[ -~]{0,60}"]
}

fn bare(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// Invariants of any line.
fn check(line: &str, now: &str, zone: &str, language: Language) -> Result<(), TestCaseError> {
    let zone = Zone::parse(zone).expect("a zone");
    let now = now.parse().expect("an instant");
    let read = |ignored: &[Range<usize>]| {
        parse(line, &Context { now, zone: &zone, language, lists: LISTS, ignored })
            .expect("a short line")
    };
    let found = read(&[]);
    let mut from = 0;
    let mut title = String::new();
    for span in &found.spans {
        prop_assert!(from <= span.range.start && span.range.start < span.range.end, "{span:?}");
        let text = line.get(span.range.clone());
        prop_assert!(text.is_some_and(|text| !text.trim().is_empty()), "{span:?}");
        title += &line[from..span.range.start];
        from = span.range.end;
    }
    title += &line[from..];
    prop_assert_eq!(bare(&title), bare(&found.title), "the title is the line without its spans");
    prop_assert_eq!(
        found.spans.is_empty(),
        found.reading().is_empty() && bare(line) == bare(&title)
    );
    if let Some(recurrence) = &found.recurrence {
        let (anchor, first) = match found.due.expect("a first occurrence") {
            Due::Day(day) => (day.at(0, 0, 0, 0), day),
            Due::At(moment) => (moment.local, moment.local.date()),
        };
        let series = Series::new(recurrence.rule.clone(), anchor, zone.clone());
        prop_assert_eq!(series.preview(1).first().map(|slot| slot.local.date()), Some(first));
    }
    // Switching spans off.
    let all: Vec<_> = found.spans.iter().map(|span| span.range.clone()).collect();
    let none = read(&all);
    prop_assert_eq!(none.title, line.split_whitespace().collect::<Vec<_>>().join(" "));
    prop_assert!(none.spans.is_empty() && none.due.is_none() && none.description.is_none());
    for range in &all {
        let fewer = read(std::slice::from_ref(range));
        let known: Vec<_> = fewer.spans.iter().map(|span| &span.range).collect();
        prop_assert!(known.iter().all(|other| all.contains(other) && *other != range));
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_line(
        line in line(),
        now in prop::sample::select(&NOWS[..]),
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "Pacific/Apia"]),
        language in prop::sample::select(Language::ALL),
    ) {
        check(&line, now, zone, language)?;
    }
}

/// The work grows linearly with the line, whatever repeats in it: a line of the maximum length takes about as
/// many steps per token as a short one.
#[test]
fn cost_is_bounded() {
    let zone = Zone::utc();
    for language in Language::ALL {
        for piece in PIECES.iter().chain(&[
            "every 1st and 2nd, ",
            "mon, tue and ",
            "every mon-fri tue ",
            "1st and ",
            "1h 30m ",
            "!1h ",
        ]) {
            let steps = |repeat: usize| {
                let line: String = format!("{piece} ").repeat(repeat);
                let line: String = line.chars().take(LINE_CHARS_MAX).collect();
                let tokens = token::tokens(&line);
                let words = language.words();
                let now = NOWS[0].parse().expect("an instant");
                let local = zone.local_of(now);
                let steps = std::cell::Cell::new(0);
                let lists: Vec<_> = LISTS.iter().copied().map(scan::ListName::of).collect();
                let scan = scan::Scan {
                    tokens: &tokens,
                    lists: &lists,
                    words,
                    now: local,
                    zone: &zone,
                    steps: &steps,
                };
                phrase::phrases(&scan, &line, now);
                steps.get() / tokens.len().max(1)
            };
            let (few, many) = (steps(40), steps(LINE_CHARS_MAX));
            assert!(many <= 2 * few.max(1), "{piece}: {few}, then {many} for each token");
        }
    }
}

#[test]
fn a_line_has_an_end() {
    let zone = Zone::utc();
    let now = NOWS[0].parse().unwrap();
    let context =
        Context { now, zone: &zone, language: Language::English, lists: &[], ignored: &[] };
    let line = "ü".repeat(LINE_CHARS_MAX);
    assert_eq!(parse(&line, &context).unwrap().title, line);
    let too_long = Err(Violation::TooLong { max: LINE_CHARS_MAX });
    assert_eq!(parse(&(line + "x"), &context), too_long);
}
