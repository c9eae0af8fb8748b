use super::*;

/// The first dates of a rule.
fn check(rule: &str, anchor: &str, expected: &[&str]) {
    let anchor: Date = anchor.parse().unwrap();
    let expansion = Expansion::new(&Rrule::parse(rule).unwrap().0, anchor, anchor);
    let dates: Vec<_> =
        expansion.dates(anchor).take(expected.len()).map(|date| date.to_string()).collect();
    assert_eq!(dates, expected, "{rule} from {anchor}");
    for (index, date) in expected.iter().enumerate() {
        let date = date.parse().unwrap();
        assert_eq!(expansion.first_from(date), Some(date), "{rule} from {date}");
        assert_eq!(expansion.nth(index as u16 + 1), Some(date), "{rule}, {index}");
    }
}

/// Examples of RFC 5545, section 3.8.5.3.
#[test]
fn examples_of_the_standard() {
    check("FREQ=DAILY;INTERVAL=10", "1997-09-02", &["1997-09-02", "1997-09-12", "1997-09-22"]);
    check(
        "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=MO,WE,FR",
        "1997-09-01",
        &["1997-09-01", "1997-09-03", "1997-09-05", "1997-09-15", "1997-09-17"],
    );
    // The same rule with another first day of the week.
    check(
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=MO",
        "1997-08-05",
        &["1997-08-05", "1997-08-10", "1997-08-19", "1997-08-24"],
    );
    check(
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU",
        "1997-08-05",
        &["1997-08-05", "1997-08-17", "1997-08-19", "1997-08-31"],
    );
    check(
        "FREQ=MONTHLY;INTERVAL=2;BYDAY=1SU,-1SU",
        "1997-09-07",
        &["1997-09-07", "1997-09-28", "1997-11-02", "1997-11-30", "1998-01-04", "1998-01-25"],
    );
    check("FREQ=MONTHLY;BYMONTHDAY=-3", "1997-09-28", &["1997-09-28", "1997-10-29", "1997-11-28"]);
    check(
        "FREQ=YEARLY;INTERVAL=3;BYYEARDAY=1,100,200",
        "1997-01-01",
        &["1997-01-01", "1997-04-10", "1997-07-19", "2000-01-01", "2000-04-09", "2000-07-18"],
    );
    check("FREQ=YEARLY;BYDAY=20MO", "1997-05-19", &["1997-05-19", "1998-05-18", "1999-05-17"]);
    check(
        "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
        "1997-05-12",
        &["1997-05-12", "1998-05-11", "1999-05-17"],
    );
    check(
        "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        "1997-09-02",
        &["1998-02-13", "1998-03-13", "1998-11-13", "1999-08-13", "2000-10-13"],
    );
    // The first Tuesday after the first Monday in November, every fourth year.
    check(
        "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
        "1996-11-05",
        &["1996-11-05", "2000-11-07", "2004-11-02"],
    );
    check(
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
        "1997-09-29",
        &["1997-09-29", "1997-10-30", "1997-11-27", "1997-12-30"],
    );
}

#[test]
fn common_rules() {
    check("FREQ=MONTHLY;BYMONTHDAY=-1", "2031-01-31", &["2031-01-31", "2031-02-28", "2031-03-31"]);
    check("FREQ=MONTHLY;BYDAY=2TU", "2031-01-01", &["2031-01-14", "2031-02-11", "2031-03-11"]);
    // The last workday: 31 May and 31 August 2031 are at a weekend.
    let workdays = "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1";
    check(workdays, "2031-05-01", &["2031-05-30", "2031-06-30", "2031-07-31", "2031-08-29"]);
    let weekdays = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR";
    check(weekdays, "2031-01-02", &["2031-01-02", "2031-01-03", "2031-01-06", "2031-01-07"]);
    let weekdays = "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR";
    check(weekdays, "2031-01-02", &["2031-01-02", "2031-01-03", "2031-01-06", "2031-01-07"]);
}

#[test]
fn the_anchor_supplies_what_a_rule_leaves_out() {
    check("FREQ=MONTHLY", "2031-01-31", &["2031-01-31", "2031-03-31", "2031-05-31"]);
    check("FREQ=YEARLY", "2032-02-29", &["2032-02-29", "2036-02-29", "2040-02-29"]);
    check("FREQ=YEARLY", "2096-02-29", &["2096-02-29", "2104-02-29"]);
    check("FREQ=YEARLY;BYMONTH=3,1", "2031-01-31", &["2031-01-31", "2031-03-31", "2032-01-31"]);
    check("FREQ=YEARLY;BYWEEKNO=1", "2031-01-02", &["2031-01-02", "2032-01-01", "2033-01-06"]);
    check("FREQ=WEEKLY;BYMONTH=2", "2031-01-02", &["2031-02-06", "2031-02-13"]);
}

#[test]
fn weeks_of_the_year() {
    // 2026 and 2032 have 53 weeks, by ISO 8601.
    check("FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO", "2026-01-01", &["2026-12-28", "2032-12-27"]);
    check("FREQ=YEARLY;BYWEEKNO=-1;BYDAY=MO", "2026-01-01", &["2026-12-28", "2027-12-27"]);
    // The first week of 2031 begins in 2030.
    check("FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO", "2030-01-01", &["2030-12-30", "2031-12-29"]);
}

#[test]
fn a_set_is_the_whole_period() {
    // Wednesday is not the first of Monday, Wednesday and Friday, even if the series starts on it.
    check("FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=1", "2031-01-08", &["2031-01-13", "2031-01-20"]);
    check("FREQ=YEARLY;BYMONTHDAY=1;BYSETPOS=-1", "2031-01-08", &["2031-12-01", "2032-12-01"]);
}

#[test]
fn a_rule_that_never_matches_ends_after_a_cycle() {
    for rule in [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=-30",
        "FREQ=DAILY;BYDAY=MO;BYSETPOS=2",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;BYSETPOS=3",
        "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6",
        "FREQ=YEARLY;BYYEARDAY=1;BYMONTH=2",
        "FREQ=YEARLY;INTERVAL=4;BYYEARDAY=366",
    ] {
        let anchor = "2031-01-31".parse().unwrap();
        let expansion = Expansion::new(&Rrule::parse(rule).unwrap().0, anchor, anchor);
        assert_eq!(expansion.first_from(anchor), None, "{rule}");
    }
}

#[test]
fn rare_matches_are_found_and_the_calendar_ends() {
    // A leap day on a Monday comes once in 28 years.
    check(
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
        "2031-01-01",
        &["2044-02-29", "2072-02-29", "2112-02-29"],
    );
    let anchor = "9998-06-01".parse().unwrap();
    for rule in ["FREQ=DAILY", "FREQ=WEEKLY", "FREQ=MONTHLY", "FREQ=YEARLY"] {
        let expansion = Expansion::new(&Rrule::parse(rule).unwrap().0, anchor, anchor);
        assert_eq!(expansion.nth(1_000), None, "{rule}");
    }
}
