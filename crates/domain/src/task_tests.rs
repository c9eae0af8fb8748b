use super::*;
use crate::due::DAY_REMINDER_TIME;
use crate::recurrence::Frequency;

#[test]
fn titles() {
    let check = |text: &str, expected: Result<&str, &str>| {
        let title = Title::parse(text);
        assert_eq!(title.as_ref().map(Title::as_str).map_err(|v| v.code()), expected, "{text:?}");
    };
    check("Water the plants", Ok("Water the plants"));
    check("  \u{3000}tea\n", Ok("tea"));
    check(&"é".repeat(200), Ok(&"é".repeat(200)));
    check(&format!(" {} ", "🌱".repeat(200)), Ok(&"🌱".repeat(200)));
    check(&"é".repeat(201), Err("too_long"));
    check("", Err("required"));
    check(" \t\n", Err("required"));
    check("\u{200b}", Err("required"));
    check(" \u{2800}\u{ad} ", Err("required"));
    check("\u{200b}tea", Ok("\u{200b}tea"));
    check("\0", Err("forbidden_character"));
    check("a\0b", Err("forbidden_character"));
}

#[test]
fn a_title_key_is_no_longer_than_a_title() {
    let long = Title::parse(&"ﷺ".repeat(TITLE_CHARS_MAX)).unwrap();
    assert_eq!(title_key(long.as_str()).chars().count(), TITLE_CHARS_MAX);
}

#[test]
fn descriptions() {
    let check = |text: &str, expected: Result<&str, &str>| {
        let kept = Description::parse(text);
        assert_eq!(kept.as_ref().map(Description::as_str).map_err(|v| v.code()), expected);
    };
    check("", Ok(""));
    check("  kept as given\n", Ok("  kept as given\n"));
    check(&"x".repeat(2_000), Ok(&"x".repeat(2_000)));
    check(&"x".repeat(2_001), Err("too_long"));
    check("\0", Err("forbidden_character"));
    check("\u{200b}", Ok("\u{200b}"));
    check(" ", Ok(" "));
    check(&" ".repeat(2_001), Err("too_long"));
}

#[test]
fn tags() {
    let check = |tags: &[&str], expected: Result<&[&str], &[(&str, &str)]>| {
        let answer = Tags::parse(tags.iter().copied());
        match (answer, expected) {
            (Ok(kept), Ok(expected)) => assert_eq!(kept.as_slice(), expected, "{tags:?}"),
            (Err(faults), Err(expected)) => {
                let faults: Vec<_> =
                    faults.iter().map(|f| (f.at.as_str(), f.violation.code())).collect();
                assert_eq!(faults, expected, "{tags:?}");
            }
            (answer, expected) => panic!("{tags:?}: {answer:?}, expected {expected:?}"),
        }
    };
    check(&[], Ok(&[]));
    check(&["work", "meetings"], Ok(&["meetings", "work"]));
    check(&[" Work ", "work", "WORK"], Ok(&["Work"]));
    check(&["b", "A", "a", "B"], Ok(&["A", "b"]));
    check(&["École", "école", "Zoo"], Ok(&["Zoo", "École"]));
    check(&["École", "e\u{301}cole", "E\u{301}COLE"], Ok(&["École"]));
    check(&["Straße", "STRASSE", "straẞe"], Ok(&["Straße"]));
    check(&["\u{212a}elvin", "kelvin"], Ok(&["\u{212a}elvin"]));
    check(&["ΟΔΟΣ", "οδος"], Ok(&["ΟΔΟΣ"]));
    check(&["ısı", "isi"], Ok(&["isi", "ısı"]));
    check(&["\u{200b}", "ok"], Err(&[("0", "required")]));
    check(&["ok", " ", "x\0"], Err(&[("1", "required"), ("2", "forbidden_character")]));
    let long = "t".repeat(51);
    check(&[&long[..50], &long], Err(&[("1", "too_long")]));
    let many = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
    check(&many, Err(&[("", "too_many")]));
    check(&many[..10], Ok(&many[..10]));
    check(&["a", "A", "b", "c", "d", "e", "f", "g", "h", "i", "j"], Ok(&many[..10]));
}

#[test]
fn words() {
    assert_eq!(Status::parse("in_progress"), Ok(Status::InProgress));
    let unknown = Violation::UnknownValue { expected: &["pending", "in_progress", "completed"] };
    for word in ["", "Pending", "done"] {
        assert_eq!(Status::parse(word), Err(unknown));
    }
    assert_eq!(unknown.to_string(), "must be one of: pending, in_progress, completed");
    assert_eq!(
        Priority::ALL.iter().map(|p| p.as_str()).collect::<Vec<_>>(),
        ["low", "medium", "high", "urgent"]
    );
    assert!(Priority::Low < Priority::Urgent);
}

fn fields(status: Status) -> TaskFields {
    TaskFields {
        status,
        due: Some(Due::At("2026-01-12T14:00:00Z".parse().unwrap())),
        ..TaskFields::new(Title::parse("Tea").unwrap(), Zone::utc())
    }
}

#[test]
fn a_change_has_one_event() {
    use Status::{Completed, InProgress, Pending};
    let check = |before: Status, after: Status, expected: Option<ChangeEvent>| {
        let change = Change::between(&fields(before), &fields(after), EditScope::This);
        assert_eq!(change.map(|change| change.event), expected, "{before} to {after}");
        // Another change beside it adds no event.
        let mut wanted = fields(after);
        wanted.title = Title::parse("Coffee").unwrap();
        let event = Change::between(&fields(before), &wanted, EditScope::This).unwrap().event;
        assert_eq!(event, expected.unwrap_or(ChangeEvent::Updated), "{before} to {after}");
    };
    check(Pending, Pending, None);
    check(Pending, InProgress, Some(ChangeEvent::Updated));
    check(Pending, Completed, Some(ChangeEvent::Completed));
    check(InProgress, Pending, Some(ChangeEvent::Updated));
    check(InProgress, InProgress, None);
    check(InProgress, Completed, Some(ChangeEvent::Completed));
    check(Completed, Pending, Some(ChangeEvent::Reopened));
    check(Completed, InProgress, Some(ChangeEvent::Reopened));
    check(Completed, Completed, None);
}

#[test]
fn completing_and_reopening() {
    for status in Status::ALL {
        assert_eq!(fields(*status).completed().status, Status::Completed);
    }
    assert_eq!(fields(Status::Completed).reopened().status, Status::Pending);
    assert_eq!(fields(Status::InProgress).reopened().status, Status::InProgress);
}

#[test]
fn completed_at_is_set_once_and_cleared() {
    use Status::{Completed, InProgress, Pending};
    let check = |before: Status, after: Status, expected: Completion| {
        assert_eq!(ChangeEvent::of(before, after).completion(), expected, "{before} to {after}");
    };
    check(Pending, InProgress, Completion::Keep);
    check(Pending, Completed, Completion::Set);
    check(InProgress, Completed, Completion::Set);
    check(Completed, Completed, Completion::Keep);
    check(Completed, Pending, Completion::Clear);
    check(Completed, InProgress, Completion::Clear);
}

#[test]
fn the_effect_of_a_change_on_the_series() {
    let with = |rule: Option<Frequency>, due: &str| TaskFields {
        recurrence_rule: rule.map(Rule::every),
        due: Some(Due::At(due.parse().unwrap())),
        ..fields(Status::Pending)
    };
    let (monday, tuesday) = ("2026-01-12T14:00:00Z", "2026-01-13T14:00:00Z");
    let check = |before: TaskFields, after: TaskFields, expected: SeriesChange| {
        assert_eq!(Change::between(&before, &after, EditScope::This).unwrap().series, expected);
    };
    let (daily, weekly) = (Some(Frequency::Daily), Some(Frequency::Weekly));
    check(with(None, monday), with(None, tuesday), SeriesChange::Keep);
    check(with(daily, monday), with(daily, tuesday), SeriesChange::Keep);
    check(with(None, monday), with(daily, monday), SeriesChange::Start);
    check(with(daily, monday), with(weekly, monday), SeriesChange::Start);
    check(with(daily, monday), with(None, monday), SeriesChange::Leave);
}

#[test]
fn the_effect_of_an_edit_of_several_occurrences() {
    use EditScope::{All, Future, This};
    let with = |rule: Option<Frequency>, due: &str| TaskFields {
        recurrence_rule: rule.map(Rule::every),
        due: Some(Due::At(due.parse().unwrap())),
        ..fields(Status::Pending)
    };
    let daily = with(Some(Frequency::Daily), "2026-01-12T14:00:00Z");
    let moved = with(Some(Frequency::Daily), "2026-01-13T14:00:00Z");
    let weekly = with(Some(Frequency::Weekly), "2026-01-12T14:00:00Z");
    let single = with(None, "2026-01-12T14:00:00Z");
    let mut renamed = daily.clone();
    renamed.title = Title::parse("another").unwrap();
    let check = |before: &TaskFields, after: &TaskFields, scope, expected: SeriesChange| {
        let series = Change::between(before, after, scope).unwrap().series;
        assert_eq!(series, expected, "{scope}");
    };
    check(&daily, &moved, This, SeriesChange::Keep);
    check(&daily, &moved, Future, SeriesChange::Start);
    check(&daily, &moved, All, SeriesChange::Rewrite);
    check(&daily, &weekly, This, SeriesChange::Start);
    check(&daily, &weekly, Future, SeriesChange::Start);
    check(&daily, &weekly, All, SeriesChange::Rewrite);
    for scope in [This, Future, All] {
        // Later occurrences inherit from this one in any case.
        check(&daily, &renamed, scope, SeriesChange::Keep);
        check(&daily, &single, scope, SeriesChange::Leave);
        check(&single, &daily, scope, SeriesChange::Start);
        check(&daily.clone().completed(), &moved.clone().completed(), scope, SeriesChange::Keep);
        check(&daily.clone().completed(), &weekly.clone().completed(), scope, SeriesChange::Keep);
    }
}

#[test]
fn remind_at_needs_due_date_and_offset() {
    let mut task = fields(Status::Pending);
    assert_eq!(task.remind_at(DAY_REMINDER_TIME), None);
    task.reminder_offset = Some(ReminderOffset::parse("PT1H").unwrap());
    assert_eq!(task.remind_at(DAY_REMINDER_TIME), Some("2026-01-12T13:00:00Z".parse().unwrap()));
    task.due = None;
    assert_eq!(task.remind_at(DAY_REMINDER_TIME), None);
}

#[test]
fn a_start_moves_along() {
    let day = |text: &str| Some(Due::On(text.parse().unwrap()));
    let mut task = fields(Status::Pending);
    task.due = day("2031-03-31");
    task.start = day("2031-03-28");
    assert!(!task.starts_after_due());
    let moved = task.clone().moved_to(day("2031-04-07").unwrap());
    assert_eq!((moved.due, moved.start), (day("2031-04-07"), day("2031-04-04")));
    task.start = day("2031-04-01");
    assert!(task.starts_after_due());
    task.due = None;
    assert!(!task.starts_after_due());
}

#[test]
fn a_series_of_days_starts_anew_when_it_gets_times() {
    let mut day = fields(Status::Pending);
    day.recurrence_rule = Some(Rule::every(Frequency::Daily));
    day.due = Some(Due::On("2026-01-12".parse().unwrap()));
    let mut timed = day.clone();
    timed.due = Some(Due::At("2026-01-12T14:00:00Z".parse().unwrap()));
    let mut next = day.clone();
    next.due = Some(Due::On("2026-01-13".parse().unwrap()));
    let check = |wanted: &TaskFields, scope, expected| {
        let change = Change::between(&day, wanted, scope).unwrap();
        assert_eq!(change.series, expected, "{scope}");
    };
    check(&timed, EditScope::This, SeriesChange::Keep);
    check(&timed, EditScope::Future, SeriesChange::Start);
    check(&timed, EditScope::All, SeriesChange::Start);
    check(&next, EditScope::All, SeriesChange::Rewrite);
}

#[test]
fn other_rules_of_a_zone_keep_what_the_clock_shows() {
    let check = |zone: &str, before: &str, due: &str, expected: &str| {
        let mut task = TaskFields::new(Title::parse("t").unwrap(), Zone::parse(zone).unwrap());
        task.due = Some(Due::At(due.parse().unwrap()));
        let before = Zone::all_rules().find(|(name, _)| *name == before).unwrap().1;
        let moved = task.by_rules_after(&Zone::of_rules(zone, before).unwrap());
        assert_eq!(moved.due, Some(Due::At(expected.parse().unwrap())), "{due}");
    };
    // Morocco was an hour ahead of UTC until 2026.
    check("Africa/Casablanca", "Africa/Algiers", "2031-07-01T10:00:00Z", "2031-07-01T11:00:00Z");
    check("Europe/Paris", "Europe/Paris", "2031-07-01T10:00:00Z", "2031-07-01T10:00:00Z");
    // Only in summer.
    check("Europe/Paris", "Africa/Algiers", "2031-07-01T10:00:00Z", "2031-07-01T09:00:00Z");
    check("Europe/Paris", "Africa/Algiers", "2031-01-01T10:00:00Z", "2031-01-01T10:00:00Z");
    // The second 02:30 of the autumn night.
    check("Europe/Paris", "Europe/Berlin", "2031-10-26T01:30:00Z", "2031-10-26T01:30:00Z");
}
