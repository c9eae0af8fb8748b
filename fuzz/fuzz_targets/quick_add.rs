//! A line of quick add: whatever it says, spans and title make it up again, and with its spans switched
//! off it is its own title.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rondo_domain::instant::Instant;
use rondo_domain::quick_add::{Context, Language, parse};
use rondo_domain::zone::Zone;

fn bare(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

fuzz_target!(|input: (u32, bool, &str)| {
    let (second, is_german, line) = input;
    let language = if is_german { Language::German } else { Language::English };
    let now =
        Instant::from_microsecond(i64::from(second) * 1_000_000).expect("within the calendar");
    let zone = Zone::parse("Europe/Berlin").expect("a zone");
    let lists = &["work", "Two words", "+"];
    let read = |ignored: &[_]| parse(line, &Context { now, zone: &zone, language, lists, ignored });
    let Ok(found) = read(&[]) else { return };
    let _ = found.reading();
    let mut from = 0;
    let mut title = String::new();
    for span in &found.spans {
        assert!(from <= span.range.start && span.range.start < span.range.end);
        title += &line[from..span.range.start];
        from = span.range.end;
    }
    title += &line[from..];
    assert_eq!(bare(&title), bare(&found.title));
    let all: Vec<_> = found.spans.iter().map(|span| span.range.clone()).collect();
    let none = read(&all).expect("the same line");
    assert!(none.spans.is_empty());
    assert_eq!(bare(line), bare(&none.title));
});
