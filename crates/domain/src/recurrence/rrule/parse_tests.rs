use super::*;

fn check(text: &str, expected: &str) {
    let answer = rule(text)
        .map_or_else(|violation| violation.code().to_owned(), |(rule, _)| rule.to_string());
    assert_eq!(answer, expected, "{text}");
}

#[test]
fn valid_rules() {
    check("FREQ=DAILY", "FREQ=DAILY");
    check(" rrule:freq=weekly;byday=mo,We ", "FREQ=WEEKLY;BYDAY=MO,WE");
    check("RRULE:FREQ=DAILY;", "FREQ=DAILY");
    check("freq=daily;until=20310330t140000z;", "FREQ=DAILY;UNTIL=20310330T140000Z");
    check("INTERVAL=2;FREQ=MONTHLY;BYDAY=+2TU,-1FR", "INTERVAL=2;FREQ=MONTHLY;BYDAY=+2TU,-1FR");
    check("FREQ=YEARLY;BYYEARDAY=1,-366", "FREQ=YEARLY;BYYEARDAY=1,-366");
    check("FREQ=YEARLY;BYWEEKNO=53,-1;WKST=SU", "FREQ=YEARLY;BYWEEKNO=53,-1;WKST=SU");
    check("FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0", "FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0");
    check("FREQ=DAILY;BYHOUR=9,09", "FREQ=DAILY;BYHOUR=9,09");
    check("FREQ=DAILY;INTERVAL=9999;COUNT=10000", "FREQ=DAILY;INTERVAL=9999;COUNT=10000");
}

#[test]
fn malformed_rules() {
    for text in [
        "",
        "FREQ",
        "FREQ=",
        "FREQ=DAILY;;",
        ";FREQ=DAILY",
        ";",
        "RRULE:",
        "RRULE:RRULE:FREQ=DAILY",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=FORTNIGHTLY",
        "INTERVAL=2",
        "FREQ=DAILY;COLOUR=RED",
        "FREQ=DAILY;RSCALE=HEBREW",
        "DTSTART:20310101T090000\nRRULE:FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;INTERVAL=10000",
        "FREQ=DAILY;INTERVAL=1.5",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=10001",
        "FREQ=DAILY;COUNT=+3",
        "FREQ=DAILY;BYMONTH=0",
        "FREQ=DAILY;BYMONTH=13",
        "FREQ=DAILY;BYMONTH=-1",
        "FREQ=DAILY;BYMONTH=1,,2",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=MONTHLY;BYMONTHDAY=-32",
        "FREQ=MONTHLY;BYMONTHDAY=--1",
        "FREQ=YEARLY;BYYEARDAY=367",
        "FREQ=YEARLY;BYWEEKNO=54",
        "FREQ=MONTHLY;BYDAY=0MO",
        "FREQ=MONTHLY;BYDAY=54MO",
        "FREQ=WEEKLY;BYDAY=M",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=WEEKLY;BYDAY=é",
        "FREQ=WEEKLY;WKST=1MO",
        "FREQ=DAILY;BYHOUR=24",
        "FREQ=DAILY;BYHOUR=-1",
        "FREQ=DAILY;BYMINUTE=60",
        "FREQ=DAILY;BYSECOND=60",
        "FREQ=DAILY;UNTIL=2031-03-30",
        "FREQ=DAILY;UNTIL=20310230",
        "FREQ=DAILY;UNTIL=20310330T1400",
        "FREQ=DAILY;UNTIL=20310330T140000X",
        "FREQ=DAILY;UNTIL=20310330T250000Z",
        "FREQ=DAILY;UNTIL=20310330T140060Z",
        "FREQ=DAILY;UNTIL=20310330T140061Z",
        "FREQ=DAILY;UNTIL=2031033é",
    ] {
        check(text, "malformed");
    }
    check(&format!("FREQ=DAILY;BYMONTH={}1", "1,".repeat(500)), "too_long");
}

#[test]
fn rules_that_repeat_too_often() {
    for text in [
        "FREQ=SECONDLY",
        "FREQ=MINUTELY;INTERVAL=1440",
        "FREQ=HOURLY;INTERVAL=24",
        "FREQ=DAILY;BYHOUR=9,17",
        "FREQ=DAILY;BYMINUTE=0,30",
        "FREQ=YEARLY;BYSECOND=0,1,2,3",
    ] {
        check(text, "too_frequent");
    }
}

#[test]
fn combinations_that_rfc_5545_forbids() {
    for text in [
        "FREQ=DAILY;BYDAY=1MO",
        "FREQ=WEEKLY;BYDAY=-1MO",
        "FREQ=YEARLY;BYWEEKNO=20;BYDAY=1MO",
        "FREQ=WEEKLY;BYMONTHDAY=1",
        "FREQ=DAILY;BYYEARDAY=1",
        "FREQ=WEEKLY;BYYEARDAY=1",
        "FREQ=MONTHLY;BYYEARDAY=1",
        "FREQ=MONTHLY;BYWEEKNO=1",
        "FREQ=MONTHLY;BYSETPOS=1",
    ] {
        check(text, "not_applicable");
    }
    check("FREQ=DAILY;COUNT=2;UNTIL=20310330", "conflict");
}

#[test]
fn ends() {
    let check = |text: &str, expected: End| {
        assert_eq!(rule(&format!("FREQ=DAILY;{text}")).map(|(_, end)| end), Ok(expected), "{text}");
    };
    check("INTERVAL=1", End::Never);
    check("COUNT=3", End::AfterCount(3));
    check("UNTIL=20310330", End::OnDate("2031-03-30".parse().unwrap()));
    check("UNTIL=20310330T140000", End::AtLocal("2031-03-30T14:00:00".parse().unwrap()));
    check("UNTIL=20310330T140000Z", End::AtInstant("2031-03-30T14:00:00Z".parse().unwrap()));
    check("UNTIL=20310330;", End::OnDate("2031-03-30".parse().unwrap()));
    check("UNTIL=20161231T235960Z", End::AtInstant("2016-12-31T23:59:59Z".parse().unwrap()));
    check("UNTIL=99991231T235959Z", End::AtInstant("9999-12-31T23:59:59Z".parse().unwrap()));
}
