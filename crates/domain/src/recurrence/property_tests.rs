use jiff::civil::DateTime;
use proptest::prelude::*;

use super::*;
use crate::zone::Zone;

fn draft() -> impl Strategy<Value = RuleDraft> {
    (
        0..Frequency::ALL.len(),
        1..=365_i64,
        proptest::collection::vec(0..7_i64, 0..7),
        proptest::option::of(1..=31_i64),
        0..MonthEnd::ALL.len(),
    )
        .prop_map(|(frequency, interval, days, day_of_month, month_end)| {
            let frequency = Frequency::ALL[frequency];
            RuleDraft {
                frequency: Some(frequency),
                interval: Some(interval),
                days_of_week: (frequency == Frequency::Weekly).then_some(days),
                day_of_month: day_of_month.filter(|_| frequency == Frequency::Monthly),
                month_end: Some(MonthEnd::ALL[month_end]),
                ..RuleDraft::default()
            }
        })
}

proptest! {
    /// Slots strictly increase, none is before the anchor, and the next after a slot is the one
    /// that follows it in the preview.
    #[test]
    fn slots_increase_from_the_anchor(
        draft in draft(),
        zone in prop::sample::select(vec!["UTC", "Europe/Paris", "Australia/Lord_Howe", "Pacific/Apia"]),
        days in 0..20_000_i64,
        minutes in 0..1_440_i64,
    ) {
        let epoch: DateTime = "2000-01-01T00:00:00".parse().unwrap();
        let anchor = epoch
            .checked_add(jiff::Span::new().days(days).minutes(minutes))
            .unwrap();
        let series = Series::new(draft.build().unwrap(), anchor, Zone::parse(zone).unwrap());
        let slots = series.preview(20);
        prop_assert!(slots.iter().all(|slot| slot.local >= anchor));
        for pair in slots.windows(2) {
            prop_assert!(pair[0].local < pair[1].local);
            prop_assert_eq!(series.slot_after(pair[0].local), Some(pair[1].local));
        }
    }
}
