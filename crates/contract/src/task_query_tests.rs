use super::*;
use crate::query::LIMIT_DEFAULT;

fn check(query: &str, expected: &[(&str, &str)]) {
    let errors = TaskQuery::parse(query).err().unwrap_or_default();
    let found: Vec<_> = errors.iter().map(|e| (e.pointer.as_str(), &*e.code)).collect();
    assert_eq!(found, expected, "{query}");
}

#[test]
fn parameters_are_read() {
    let query = TaskQuery::parse(
        "search=A%25b&status=pending,completed&status=in_progress&tags=Home&has_due_date=true\
         &due_date_start=2031-01-01T00:00:00%2B01:00&due_date_end=2031-02-01&sort_by=title&sort_order=asc&limit=7",
    )
    .unwrap();
    assert_eq!(query.search.as_deref(), Some("a%b"));
    assert_eq!(query.status, [Status::Pending, Status::Completed, Status::InProgress]);
    assert_eq!(query.tags, ["home"]);
    assert_eq!((query.sort_by, query.sort_order), (SortBy::Title, SortOrder::Asc));
    assert_eq!((query.limit, query.offset, query.has_due_date), (7, 0, Some(true)));
    assert!(query.names_days());
    let span = ["2030-12-31T23:00:00Z", "2031-02-01T23:59:59.999999Z"];
    assert_eq!(
        query.due_dates(&Zone::utc(), Instant::UNIX_EPOCH),
        span.map(|at| Some(at.to_owned()))
    );
    assert_eq!(TaskQuery::parse("").unwrap().limit, LIMIT_DEFAULT);
}

#[test]
fn a_place_is_a_list_or_the_inbox() {
    let place = |query: &str| TaskQuery::parse(query).unwrap().list_id;
    assert_eq!(place("list_id=7"), Some(Place::List(7)));
    assert_eq!(place("list_id=inbox"), Some(Place::Inbox));
    assert_eq!(place(""), None);
    for text in ["", "0", "-1", "Inbox", "null", "7,8", "9007199254740992"] {
        check(&format!("list_id={text}"), &[("?list_id", "malformed")]);
    }
}

#[test]
fn a_tree_has_smaller_pages_and_begins_at_no_uid() {
    let query = TaskQuery::parse("subtask_of=7&blocked=true&limit=500").unwrap();
    assert_eq!((query.subtask_of, query.blocked), (Some(7), Some(true)));
    assert_eq!((query.tree, query.limit), (false, 500));
    assert_eq!(TaskQuery::parse("tree=true").unwrap().limit, TREE_LIMIT_MAX);
    assert_eq!(TaskQuery::parse("tree=true&limit=7").unwrap().limit, 7);
    check("tree=true&uid=a", &[("?uid", "conflict")]);
    check("tree=false&uid=a", &[]);
    check(
        "subtask_of=0&blocked=yes&tree=1",
        &[("?subtask_of", "out_of_range"), ("?blocked", "malformed"), ("?tree", "malformed")],
    );
    let part = TaskQuery::parse_part("status=pending", "tree=true").unwrap();
    assert!(part.tree && part.status == [Status::Pending]);
    let stored = TaskQuery::parse_stored("tree=true").unwrap_err();
    assert_eq!((stored[0].pointer.as_str(), &*stored[0].code), ("?tree", "not_applicable"));
}

#[test]
fn a_date_is_a_whole_local_day() {
    let check = |query: &str, zone: &str, expected: (Option<&str>, Option<&str>)| {
        let query = TaskQuery::parse(query).unwrap();
        let [start, end] = query.due_dates(&Zone::parse(zone).unwrap(), Instant::UNIX_EPOCH);
        assert_eq!((start.as_deref(), end.as_deref()), expected, "in {zone}");
    };
    let day = "due_date_start=2031-03-30&due_date_end=2031-03-30";
    check(day, "UTC", (Some("2031-03-30T00:00:00Z"), Some("2031-03-30T23:59:59.999999Z")));
    let paris = (Some("2031-03-29T23:00:00Z"), Some("2031-03-30T21:59:59.999999Z"));
    check(day, "Europe/Paris", paris);
    let start = "due_date_start=2031-03-30";
    check(start, "Asia/Kathmandu", (Some("2031-03-29T18:15:00Z"), None));
    let mixed = "due_date_start=2031-03-30T01:00:00Z&due_date_end=2031-03-30";
    let new_york = (Some("2031-03-30T01:00:00Z"), Some("2031-03-31T03:59:59.999999Z"));
    check(mixed, "America/New_York", new_york);
    check("due_date_end=9999-12-31", "Etc/GMT+12", (None, Some("9999-12-31T23:59:59.999999Z")));
    check("", "Europe/Paris", (None, None));
    assert!(!TaskQuery::parse("due_date_end=2031-03-30T00:00:00Z").unwrap().names_days());
}

#[test]
fn a_comma_may_belong_to_a_tag() {
    let query = TaskQuery::parse("tags=E%CC%81t%C3%A9%5C%2C1,b&tags_all=C%5C%2C&tags=d").unwrap();
    assert_eq!(
        (query.tags, query.tags_all),
        (vec!["été,1".to_owned(), "b".to_owned(), "d".to_owned()], vec!["c,".to_owned()],)
    );
}

#[test]
fn a_cursor_applies_to_its_order_only() {
    use SortBy::{CreatedAt, DueDate, Position, Priority, Title};
    let check = |sort_by: SortBy, key: Option<&str>, id: i64, accepted: bool| {
        let cursor = Cursor::new(sort_by, SortOrder::Asc, key.map(str::to_owned), id);
        let of = |order| {
            let query = format!("sort_by={sort_by}&sort_order={order}&cursor={}", cursor.encode());
            TaskQuery::parse(&query).ok().and_then(|query| query.cursor)
        };
        assert_eq!(of("asc").is_some(), accepted, "{cursor:?}");
        assert_eq!(of("desc"), None, "{cursor:?}");
    };
    check(CreatedAt, Some("2031-01-01T00:00:00.123456Z"), 9, true);
    check(CreatedAt, None, 9, false);
    check(CreatedAt, Some("infinity"), 9, false);
    check(DueDate, None, 9, true);
    check(DueDate, Some("1"), 9, false);
    check(Priority, Some("4"), 9, true);
    check(Priority, Some("5"), 9, false);
    check(Title, Some(""), 9, true);
    check(Title, Some("\0"), 9, false);
    check(Title, Some("a"), 0, false);
    check(Position, Some("a00000000000007V"), 9, true);
    check(Position, Some("a0000000000000"), 9, false);
    check(Position, Some("a00000000000007%"), 9, false);
    check(Position, None, 9, false);
}

#[test]
fn a_page_begins_after_a_task() {
    let check = |sort_by, task: serde_json::Value, key: Option<&str>| {
        let cursor = Cursor::after(sort_by, SortOrder::Asc, &task.to_string()).unwrap();
        let expected = Cursor::new(sort_by, SortOrder::Asc, key.map(str::to_owned), 7);
        assert_eq!(cursor, expected);
    };
    let task = serde_json::json!({
        "id": 7, "title": "Öl", "description": null, "status": "pending", "priority": "urgent",
        "due_date": "2031-01-01T08:00:00Z", "due_day": null, "time_zone": "UTC", "created_at": "2030-01-01T08:00:00.123456Z",
        "updated_at": "2030-01-02T08:00:00Z", "position": "a00000000000007V",
    });
    check(SortBy::CreatedAt, task.clone(), Some("2030-01-01T08:00:00.123456Z"));
    check(SortBy::UpdatedAt, task.clone(), Some("2030-01-02T08:00:00Z"));
    check(SortBy::DueDate, task.clone(), Some("2031-01-01T08:00:00Z"));
    check(SortBy::Priority, task.clone(), Some("4"));
    check(SortBy::Title, task.clone(), Some("ol"));
    check(SortBy::Position, task.clone(), Some("a00000000000007V"));
    let mut task = task;
    task["priority"] = serde_json::Value::Null;
    task["due_date"] = serde_json::Value::Null;
    check(SortBy::DueDate, task.clone(), None);
    check(SortBy::Priority, task.clone(), None);
    task["due_day"] = "2031-03-30".into();
    task["time_zone"] = "Europe/Paris".into();
    check(SortBy::DueDate, task, Some("2031-03-30T21:59:59.999999Z"));
    assert!(Cursor::after(SortBy::Title, SortOrder::Asc, "{}").is_err());
}

#[test]
fn every_fault_is_named() {
    check("limit=0", &[("?limit", "out_of_range")]);
    check("parent_task_id=9007199254740991", &[]);
    check("parent_task_id=9007199254740992", &[("?parent_task_id", "out_of_range")]);
    check("parent_task_id=0", &[("?parent_task_id", "out_of_range")]);
    check("limit=501&limitt=1", &[("?limit", "out_of_range"), ("?limitt", "unknown_parameter")]);
    check("limit=1&limit=2", &[("?limit", "repeated")]);
    check("status=done", &[("?status", "unknown_value")]);
    check("count=yes", &[("?count", "malformed")]);
    check("cursor=x", &[("?cursor", "malformed")]);
    check("search=%00", &[("?search", "forbidden_character")]);
    check("status=", &[("?status", "unknown_value")]);
    check("tags=a,,b", &[("?tags", "required")]);
    check("tags=a,%E2%80%8B", &[("?tags", "required")]);
    check(&format!("tags_all={}", "x".repeat(51)), &[("?tags_all", "too_long")]);
    check(&format!("search={}", "x".repeat(201)), &[("?search", "too_long")]);
    check(
        "limit=&sort_by=&cursor=",
        &[("?sort_by", "unknown_value"), ("?limit", "out_of_range"), ("?cursor", "malformed")],
    );
    check("search=", &[]);
    check("due_date_end=2031-02-30", &[("?due_date_end", "malformed")]);
    check("updated_since=yesterday", &[("?updated_since", "malformed")]);
}

#[test]
fn a_counted_day_is_one_of_the_users_zone() {
    // In Paris it is half past midnight on Monday, 31 March.
    let now = instant::parse("2031-03-30T22:30:00Z").unwrap();
    let check = |query: &str, expected: [Option<&str>; 2]| {
        let query = TaskQuery::parse(query).unwrap();
        assert!(query.names_days());
        let found = query.due_dates(&Zone::parse("Europe/Paris").unwrap(), now);
        assert_eq!(found, expected.map(|at| at.map(str::to_owned)));
    };
    let (today, tonight) = ("2031-03-30T22:00:00Z", "2031-03-31T21:59:59.999999Z");
    check("due_date_start=today&due_date_end=today", [Some(today), Some(tonight)]);
    check("due_date_start=start_of_week&due_date_end=%2B0d", [Some(today), Some(tonight)]);
    check("due_date_end=-1d", [None, Some("2031-03-30T21:59:59.999999Z")]);
    check("due_date_end=+7d", [None, Some("2031-04-07T21:59:59.999999Z")]);
}

#[test]
fn a_saved_query_and_the_part_that_is_wanted() {
    let stored = "status=pending&sort_by=title";
    assert!(TaskQuery::parse_stored(stored).is_ok() && TaskQuery::parse_stored("").is_ok());
    let query = TaskQuery::parse_part(stored, "limit=3&count=true").unwrap();
    assert_eq!((query.sort_by, query.limit, query.count), (SortBy::Title, 3, true));
    assert_eq!(TaskQuery::parse_part("", "").unwrap(), TaskQuery::parse("").unwrap());
    let codes = |errors: Result<TaskQuery, Vec<FieldError>>| {
        let errors = errors.err().unwrap_or_default().into_iter();
        errors.map(|error| (error.pointer, error.code.into_owned())).collect::<Vec<_>>()
    };
    let pair = |pointer: &str, code: &str| (pointer.to_owned(), code.to_owned());
    let refused = codes(TaskQuery::parse_stored("status=pending&limit=3&%63ursor=x"));
    assert_eq!(refused, [pair("?limit", "not_applicable"), pair("?cursor", "not_applicable")]);
    let refused = codes(TaskQuery::parse_part(stored, "status=completed"));
    assert_eq!(refused, [pair("?status", "unknown_parameter")]);
}
