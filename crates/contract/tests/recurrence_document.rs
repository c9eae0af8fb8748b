//! Checks the examples of docs/recurrence.md.

use std::collections::BTreeMap;
use std::path::Path;

use rondo_contract::recurrence_rule;
use rondo_domain::instant::Instant;
use rondo_domain::jiff::civil::DateTime;
use rondo_domain::offset::ReminderOffset;
use rondo_domain::recurrence::{Series, Successor, describe};
use rondo_domain::zone::Zone;

/// The blocks of a kind, each with the number of its first line.
fn blocks(kind: &str) -> Vec<(usize, Vec<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/recurrence.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line == format!("```{kind}") {
            let block = lines.by_ref().map(|(_, line)| line.to_owned());
            blocks.push((number + 1, block.take_while(|line| line != "```").collect()));
        }
    }
    assert!(!blocks.is_empty(), "the document has no ```{kind}");
    blocks
}

/// The lines that begin with a name, by that name, and the other lines.
fn named(lines: &[String]) -> (BTreeMap<&str, &str>, Vec<&str>) {
    let mut named = BTreeMap::new();
    let mut others = Vec::new();
    for line in lines {
        match line.split_once(' ').unwrap_or((line, "")) {
            (name, rest) if name.chars().all(char::is_alphabetic) => {
                named.insert(name, rest.trim());
            }
            _ => others.push(line.as_str()),
        }
    }
    (named, others)
}

fn local(text: &str) -> DateTime {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The series of a block's rule and anchor.
fn series(named: &BTreeMap<&str, &str>) -> Series {
    let (anchor, zone) = named["anchor"].split_once(' ').expect("an anchor and a zone");
    let rule = serde_json::from_str(named["rule"]).expect("a rule in JSON");
    let rule = recurrence_rule::from_json(&rule).expect("a valid rule");
    Series::new(rule, local(anchor), Zone::parse(zone).expect("a zone"))
}

#[test]
fn previews() {
    for (number, lines) in blocks("preview") {
        let (named, slots) = named(&lines);
        let series = series(&named);
        assert_eq!(describe(&series), named["says"], "line {number}");
        let found: Vec<_> = series
            .preview(slots.len() + 1)
            .iter()
            .map(|slot| format!("{}  {}", slot.local, slot.due.end(series.zone())))
            .collect();
        assert_eq!(found[..slots.len()], slots, "line {number}");
        let is_over = found.len() == slots.len();
        assert_eq!(is_over, named.contains_key("end"), "line {number}: {found:?}");
    }
}

#[test]
fn refusals() {
    for (number, lines) in blocks("refused") {
        for line in lines {
            let (rule, code) = line.rsplit_once(' ').expect("a rule and a code");
            let rule = serde_json::from_str(rule.trim()).expect("a rule in JSON");
            let found = match recurrence_rule::from_json(&rule) {
                Err(errors) => errors[0].code.to_string(),
                Ok(rule) => Series::new(rule, local("2031-01-01T09:00:00"), Zone::utc())
                    .validate()
                    .map_or_else(|violation| violation.code().to_owned(), |()| "ok".to_owned()),
            };
            assert_eq!(found, code, "after line {number}: {rule}");
        }
    }
}

#[test]
fn successors() {
    for (number, lines) in blocks("successor") {
        let (named, _) = named(&lines);
        let completed: Instant = named["completed"].parse().expect("an instant");
        let follows = series(&named).successor(local(named["slot"]), completed, completed, 1, &[]);
        let Successor::Next { slot, skipped, .. } = follows else { panic!("line {number}") };
        assert_eq!(slot, local(named["next"]), "line {number}");
        let wanted: Vec<_> = named["skipped"].split_whitespace().map(local).collect();
        assert_eq!(skipped, wanted, "line {number}");
    }
}

#[test]
fn reminders() {
    for (number, lines) in blocks("reminder") {
        for line in lines {
            let words: Vec<_> = line.split_whitespace().collect();
            let [offset, "before", due, zone, "is", expected] = words[..] else {
                panic!("after line {number}: {line}")
            };
            let zone = Zone::parse(zone).expect("a zone");
            let due = zone.instant_of(local(due)).expect("an instant");
            let offset = ReminderOffset::parse(offset).expect("an offset");
            let found = zone.local_of(offset.remind_at(due, &zone));
            assert_eq!(found, local(expected), "{line}");
        }
    }
}
