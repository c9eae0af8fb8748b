//! Daily occurrences of a year in many zones, compared with another implementation; see `golden/year.py`.

use std::collections::BTreeSet;

use rondo_domain::jiff::civil::{Date, DateTime};
use rondo_domain::recurrence::{Frequency, Rule, Series};
use rondo_domain::zone::Zone;

const YEARS: &str = include_str!("golden/year.txt");
const ZONES_MIN: usize = 12;

/// The instant in the file's format: time in UTC, with a sign for each day of difference.
fn formatted(local: DateTime, utc: DateTime) -> String {
    let apart = local.date().until(utc.date()).expect("days").get_days();
    let sign = if apart < 0 { "-" } else { "+" }.repeat(apart.unsigned_abs() as usize);
    format!("{sign}{:02}:{:02}", utc.hour(), utc.minute())
}

#[test]
fn a_year_of_each_zone() {
    let mut zones = BTreeSet::new();
    let mut days = 0;
    let mut current: Option<(Zone, &str)> = None;
    for line in YEARS.lines().filter(|line| !line.starts_with('#')) {
        if !line.starts_with(|first: char| first.is_ascii_digit()) {
            let (name, time) = line.split_once(' ').expect("a zone and a time");
            zones.insert(name);
            current = Some((Zone::parse(name).expect("a zone"), time));
            continue;
        }
        let (zone, time) = current.as_ref().expect("a zone before its months");
        let mut words = line.split(' ');
        let month = words.next().expect("a month");
        let first: Date = format!("{month}-01").parse().expect("a month");
        let expected: Vec<_> = words.collect();
        assert_eq!(expected.len(), first.days_in_month() as usize);
        // From the first of the year, so that the anchor differs from the month's first day.
        let anchor =
            first.first_of_year().to_datetime(format!("{time}:00").parse().expect("a time"));
        let series = Series::new(Rule::every(Frequency::Daily), anchor, zone.clone());
        let found: Vec<_> = series
            .preview(366)
            .into_iter()
            .filter(|slot| slot.local.date().first_of_month() == first)
            .map(|slot| formatted(slot.local, Zone::utc().local_of(slot.due.end(zone))))
            .collect();
        assert_eq!(found, expected, "{month} in {zone} at {time}");
        days += found.len();
    }
    assert!(zones.len() >= ZONES_MIN);
    assert!(days >= ZONES_MIN * 365);
}
