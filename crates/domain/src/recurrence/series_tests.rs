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
    let instants: Vec<_> =
        slots.iter().map(|slot| slot.due.end(daily.zone()).to_string()).collect();
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
fn slots_of_days_are_past_when_their_day_has_ended() {
    let day = |text: &str| text.parse::<Date>().unwrap();
    let series = |draft: RuleDraft, first: &str, time_zone: &str| {
        Series::new(draft.build().unwrap(), Anchor::Day(day(first)), zone(time_zone))
    };
    let check = |draft: RuleDraft, slot: &str, now: &str, expected: &str, skipped: usize| {
        let daily = series(draft, "2031-03-28", "Europe/Paris");
        let now = now.parse().unwrap();
        let slot = day(slot).to_datetime(Time::midnight());
        match daily.successor(slot, now, now, 1, &[]) {
            Successor::Next { slot: next, due, skipped: passed } => {
                assert_eq!(next, day(expected).to_datetime(Time::midnight()), "{now}");
                assert_eq!((due, passed.len()), (Due::On(day(expected)), skipped), "{now}");
            }
            Successor::Ended => panic!("a daily series goes on"),
        }
    };
    let daily = every(Frequency::Daily);
    // In the evening of the day itself, and after midnight in Paris, where 31 March has begun.
    check(daily.clone(), "2031-03-28", "2031-03-28T20:00:00Z", "2031-03-29", 0);
    check(daily.clone(), "2031-03-28", "2031-03-30T21:59:59Z", "2031-03-30", 1);
    check(daily.clone(), "2031-03-28", "2031-03-30T22:00:00Z", "2031-03-31", 2);
    // Far beyond the skipped slots that are listed.
    check(daily.clone(), "2031-03-28", "2032-03-28T20:00:00Z", "2032-03-28", SKIPPED_SLOTS_MAX);
    let step = RuleDraft { catch_up: Some(CatchUp::OneStep), ..daily.clone() };
    check(step, "2031-03-28", "2031-04-30T22:00:00Z", "2031-03-29", 0);
    let completion = RuleDraft { basis: Some(Basis::Completion), ..daily };
    // Completed on 1 April in Paris.
    check(completion, "2031-03-28", "2031-03-31T22:00:00Z", "2031-04-02", 0);
    let monthly = series(every(Frequency::Monthly), "2031-01-31", "UTC");
    let slots: Vec<_> = monthly.preview(3).iter().map(|slot| slot.due).collect();
    let expected = ["2031-01-31", "2031-02-28", "2031-03-31"].map(|text| Due::On(day(text)));
    assert_eq!(slots, expected);
    let timed = RuleDraft { rrule: Some("FREQ=DAILY;BYHOUR=9".to_owned()), ..RuleDraft::default() };
    let refused = series(timed, "2031-01-31", "UTC").validate().unwrap_err();
    assert_eq!(refused.code(), "malformed");
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
