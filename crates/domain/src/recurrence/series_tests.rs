use jiff::civil::DateTime;

use super::*;
use crate::recurrence::{Basis, CatchUp, End, Frequency, MonthEnd, RuleDraft};

fn local(text: &str) -> DateTime {
    text.parse().unwrap()
}

fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap()
}

fn series(draft: RuleDraft, anchor: &str, time_zone: &str) -> Series {
    Series::new(draft.build().unwrap(), local(anchor), zone(time_zone))
}

fn every(frequency: Frequency) -> RuleDraft {
    RuleDraft { frequency: Some(frequency), ..RuleDraft::default() }
}

/// The first slots, as local dates and times.
fn check(series: &Series, expected: &[&str]) {
    let slots: Vec<_> =
        series.preview(expected.len()).iter().map(|slot| slot.local.to_string()).collect();
    assert_eq!(slots, expected);
}

#[test]
fn months_clamp_without_drift() {
    let monthly = series(every(Frequency::Monthly), "2031-01-31T09:00:00", "UTC");
    check(&monthly, &["2031-01-31T09:00:00", "2031-02-28T09:00:00", "2031-03-31T09:00:00"]);
    let skip = RuleDraft { month_end: Some(MonthEnd::Skip), ..every(Frequency::Monthly) };
    check(
        &series(skip, "2031-01-31T09:00:00", "UTC"),
        &["2031-01-31T09:00:00", "2031-03-31T09:00:00", "2031-05-31T09:00:00"],
    );
    let yearly = series(every(Frequency::Yearly), "2032-02-29T09:00:00", "UTC");
    check(&yearly, &["2032-02-29T09:00:00", "2033-02-28T09:00:00", "2034-02-28T09:00:00"]);
}

#[test]
fn weeks_begin_on_monday() {
    // 6 January 2031 is a Monday.
    let days =
        RuleDraft { days_of_week: Some(vec![0, 2]), interval: Some(2), ..every(Frequency::Weekly) };
    check(
        &series(days, "2031-01-06T09:00:00", "UTC"),
        &["2031-01-06T09:00:00", "2031-01-08T09:00:00", "2031-01-20T09:00:00"],
    );
}

#[test]
fn the_wall_clock_holds_across_clock_changes() {
    let daily = series(every(Frequency::Daily), "2031-03-29T02:30:00", "Europe/Paris");
    let slots = daily.preview(3);
    let instants: Vec<_> = slots.iter().map(|slot| slot.utc.to_string()).collect();
    // On the 30th, 02:30 does not exist and becomes 03:30.
    assert_eq!(instants, ["2031-03-29T01:30:00Z", "2031-03-30T01:30:00Z", "2031-03-31T00:30:00Z"]);
}

#[test]
fn ends_are_inclusive() {
    let counted = RuleDraft { count: Some(2), ..every(Frequency::Daily) };
    let counted = series(counted, "2031-01-01T09:00:00", "UTC");
    assert_eq!(counted.preview(5).len(), 2);
    assert_eq!(counted.slot_after(local("2031-01-02T09:00:00")), None);
    let mut dated = every(Frequency::Daily).build().unwrap();
    dated.end = End::OnDate("2031-01-03".parse().unwrap());
    let dated = Series::new(dated, local("2031-01-01T09:00:00"), zone("UTC"));
    assert_eq!(dated.preview(9).len(), 3);
}

#[test]
fn a_late_completion_continues_in_the_future() {
    let slot = local("2031-01-01T09:00:00");
    let now = "2031-01-04T10:00:00Z".parse().unwrap();
    let daily = series(every(Frequency::Daily), "2031-01-01T09:00:00", "UTC");
    let Successor::Next { slot: next, skipped, .. } = daily.successor(slot, now, now, 1, &[])
    else {
        panic!("a daily series goes on");
    };
    assert_eq!(next, local("2031-01-05T09:00:00"));
    assert_eq!(skipped.len(), 3);
    let step = RuleDraft { catch_up: Some(CatchUp::OneStep), ..every(Frequency::Daily) };
    let step = series(step, "2031-01-01T09:00:00", "UTC");
    let Successor::Next { slot: next, skipped, .. } = step.successor(slot, now, now, 1, &[]) else {
        panic!("a daily series goes on");
    };
    assert_eq!((next, skipped.len()), (local("2031-01-02T09:00:00"), 0));
}

#[test]
fn the_rest_of_a_count() {
    let check = |draft: RuleDraft, slot: &str, completions, expected: RuleDraft| {
        let series = series(draft, "2031-01-01T09:00:00", "UTC");
        assert_eq!(series.rest_from(local(slot), completions), expected.build().unwrap());
    };
    let count = |count| RuleDraft { count: Some(count), ..every(Frequency::Daily) };
    check(every(Frequency::Daily), "2031-01-03T09:00:00", 0, every(Frequency::Daily));
    check(count(10), "2031-01-01T09:00:00", 0, count(10));
    check(count(10), "2031-01-03T09:00:00", 0, count(8));
    check(count(2), "2031-01-03T09:00:00", 0, count(1));
    let done = |draft| RuleDraft { basis: Some(Basis::Completion), ..draft };
    check(done(count(10)), "2031-01-03T09:00:00", 4, done(count(6)));
    let rrule = |text: &str| RuleDraft { rrule: Some(text.to_owned()), ..RuleDraft::default() };
    let slot = "2031-01-03T09:00:00";
    check(rrule("COUNT=5;FREQ=DAILY"), slot, 0, rrule("COUNT=3;FREQ=DAILY"));
    let beside = |count| RuleDraft { count: Some(count), ..rrule("FREQ=DAILY") };
    check(beside(5), slot, 0, beside(3));
}

#[test]
fn taken_slots_are_passed_over() {
    let daily = series(every(Frequency::Daily), "2031-01-01T09:00:00", "UTC");
    let (slot, now) = (local("2031-01-01T09:00:00"), "2031-01-01T10:00:00Z".parse().unwrap());
    let taken = [local("2031-01-02T09:00:00"), local("2031-01-03T09:00:00")];
    let Successor::Next { slot: next, .. } = daily.successor(slot, now, now, 1, &taken) else {
        panic!("a daily series goes on");
    };
    assert_eq!(next, local("2031-01-04T09:00:00"));
}
