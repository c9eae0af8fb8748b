use jiff::civil::DateTime;
use proptest::prelude::*;

use super::*;
use crate::offset::ReminderOffset;
use crate::zone::Zone;

/// Text that resembles a rule.
const NEARLY_A_RULE: &str = "(FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY|HOURLY))(;(INTERVAL=[0-9]{1,4}|COUNT=[0-9]{1,5}|\
    UNTIL=20[0-9]{6}(T[0-2][0-9][0-5][0-9]00Z?)?|WKST=(MO|SU|XX)|BYMONTH=-?[0-9]{1,2}(,[0-9]{1,2})?|\
    BYMONTHDAY=-?[0-9]{1,2}|BYYEARDAY=-?[0-9]{1,3}|BYWEEKNO=-?[0-9]{1,2}|BYSETPOS=-?[0-9]{1,3}|\
    BYDAY=[+-]?[0-9]?(MO|TU|WE|TH|FR|SA|SU)(,[0-9]?(MO|SA))?|BYHOUR=[0-9]{1,2}|BYSECOND=[0-9]{1,2})){0,5}";

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
    /// Slots strictly increase, none is before the anchor, and `slot_after` agrees with the preview.
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

    /// A parsed rule takes bounded work, and its text parses to the same rule.
    #[test]
    fn a_parsed_rule_can_be_expanded(text in NEARLY_A_RULE, days in 0..20_000_i64) {
        let epoch: DateTime = "2000-01-31T09:30:00".parse().unwrap();
        let anchor = epoch.checked_add(jiff::Span::new().days(days)).unwrap();
        let draft = RuleDraft { rrule: Some(text.clone()), ..RuleDraft::default() };
        if let Ok(rule) = draft.build() {
            let (again, _) = Rrule::parse(&text).unwrap();
            prop_assert_eq!(again.as_str(), &text);
            let series = Series::new(rule, anchor, Zone::utc());
            prop_assert!(!describe(&series).is_empty());
            let slots = series.preview(5);
            prop_assert_eq!(series.validate().is_ok(), !slots.is_empty());
            for pair in slots.windows(2) {
                prop_assert!(pair[0].local < pair[1].local);
                prop_assert_eq!(series.slot_after(pair[0].local), Some(pair[1].local));
            }
        }
    }

    /// Parsers never panic, whatever the text.
    #[test]
    fn parsers_take_any_text(text in any::<String>(), ascii in "[ -~]{0,40}", duration in "-?P?[0-9WDTHMS.]{0,12}") {
        for text in [&text, &ascii, &duration] {
            if let Ok((rule, _)) = Rrule::parse(text) {
                prop_assert_eq!(Rrule::parse(rule.as_str()).unwrap().0, rule);
            }
            if let Ok(zone) = Zone::parse(text) {
                prop_assert_eq!(Zone::parse(zone.name()), Ok(zone));
            }
            if let Ok(offset) = ReminderOffset::parse(text) {
                prop_assert_eq!(ReminderOffset::parse(&offset.to_string()), Ok(offset));
            }
        }
    }
}
