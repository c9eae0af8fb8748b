//! What views show: the list's parameters evaluated here, in the server's order.

use rondo_device::domain::instant::Instant;
use rondo_device::{Device, Edit, Record, Row, Table};
use serde_json::{Value, json};

/// A Wednesday, at 10:00 in Berlin.
const NOW: &str = "2031-03-26T09:00:00Z";

fn now() -> Instant {
    NOW.parse().unwrap()
}

/// A device with these tasks. Members that are left out have their defaults; the uid is the title.
fn device(tasks: &[Value]) -> Device {
    let mut records = vec![Record {
        table: Table::Meta,
        key: "account".to_owned(),
        value: Some(json!({"id": 1, "email": "me@example.org", "time_zone": "Europe/Berlin"})),
    }];
    for (index, given) in tasks.iter().enumerate() {
        let id = index as i64 + 1;
        let mut task = json!({"id": id, "uid": given["title"], "status": "pending", "tags": [],
            "blocked_by": [], "time_zone": "Europe/Berlin", "revision": id,
            "position": format!("a{id:014x}"),
            "created_at": "2031-01-01T00:00:00Z", "updated_at": "2031-01-01T00:00:00Z"});
        for (name, value) in given.as_object().unwrap() {
            task[name.as_str()] = value.clone();
        }
        let key = given["title"].as_str().unwrap().to_owned();
        records.push(Record { table: Table::Task, key, value: Some(task) });
    }
    Device::restore([1; 16], records)
}

fn titles(rows: &[&Row]) -> String {
    rows.iter().map(|row| row.title.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn queries_find_what_the_server_finds() {
    let device = device(&[
        json!({"title": "a", "description": "Café in Łódź", "priority": "high", "tags": ["Work"],
            "due_date": "2031-03-26T08:00:00Z"}),
        json!({"title": "b", "status": "completed", "tags": ["home", "work"], "list_id": 3}),
        json!({"title": "c", "due_day": "2031-03-26", "subtask_of": 1, "list_id": 3}),
        json!({"title": "d", "due_day": "2031-03-31", "blocked_by": [2, 3], "estimate": 5}),
        json!({"title": "e", "start_day": "2031-03-27", "updated_at": "2031-03-01T00:00:00Z"}),
        json!({"title": "f", "blocked_by": [2], "parent_task_id": 1, "priority": "low"}),
    ]);
    for (query, expected) in [
        ("", "a b c d f"),
        ("search=CAFE", "a"),
        ("search=in%20lodz", "a"),
        ("search=f", "a f"),
        ("status=completed", "b"),
        ("status=pending,in_progress", "a c d f"),
        ("priority=high,low", "a f"),
        ("tags=work", "a b"),
        ("tags=HOME&tags=nothing", "b"),
        ("tags_all=work,home", "b"),
        ("due_date_start=today&due_date_end=today", "a c"),
        // A day is due when it has ended.
        ("due_date_end=2031-03-26T22:00:00Z", "a"),
        ("due_date_end=2031-03-26T22:59:59.999999Z", "a c"),
        ("due_date_end=end_of_week", "a c"),
        ("due_date_start=tomorrow", "d"),
        ("due_date_end=%2B5d", "a c d"),
        ("has_due_date=true", "a c d"),
        ("has_due_date=false", "b f"),
        ("list_id=3", "b c"),
        ("list_id=inbox", "a d f"),
        ("subtask_of=1", "c"),
        ("parent_task_id=1", "f"),
        ("blocked=true", "d"),
        ("blocked=false", "a b c f"),
        ("deferred=only", "e"),
        ("deferred=true", "a b c d e f"),
        ("uid=e", "e"),
        ("deferred=true&updated_since=2031-02-01T00:00:00Z", "e"),
    ] {
        let rows = device.query(&format!("{query}&sort_by=title&sort_order=asc"), now()).unwrap();
        assert_eq!(titles(&rows), expected, "{query}");
    }
    let faults = device.query("status=done&colour=red", now()).unwrap_err();
    let found: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    assert_eq!(found, ["?status", "?colour"]);
}

#[test]
fn queries_sort_as_the_server_does() {
    let device = device(&[
        json!({"title": "Émile", "priority": "low", "due_date": "2031-03-26T21:00:00Z",
            "created_at": "2031-01-03T00:00:00Z", "updated_at": "2031-01-03T00:00:00Z"}),
        json!({"title": "zoo", "priority": "urgent", "due_day": "2031-03-26",
            "created_at": "2031-01-03T00:00:00Z", "updated_at": "2031-01-09T00:00:00.5Z"}),
        json!({"title": "eva", "created_at": "2031-01-01T00:00:00Z",
            "updated_at": "2031-01-09T00:00:00Z", "position": "Zzzzzzzzzzzzzzz"}),
        json!({"title": "Älter", "priority": "low", "due_date": "2031-03-27T21:00:00Z",
            "created_at": "2031-01-02T00:00:00Z"}),
        json!({"title": "straße", "due_date": "2031-03-26T21:00:00Z",
            "created_at": "2031-01-04T00:00:00Z"}),
    ]);
    for (by, ascending, descending) in [
        ("created_at", "eva Älter Émile zoo straße", "straße zoo Émile Älter eva"),
        ("updated_at", "Älter straße Émile eva zoo", "zoo eva Émile straße Älter"),
        // Without a value last in both; a day after what has a time on it; ties by id in the same direction.
        ("due_date", "Émile straße zoo Älter eva", "Älter zoo straße Émile eva"),
        ("priority", "Émile Älter zoo eva straße", "zoo Älter Émile straße eva"),
        ("title", "Älter Émile eva straße zoo", "zoo straße eva Émile Älter"),
        ("position", "eva Émile zoo Älter straße", "straße Älter zoo Émile eva"),
    ] {
        for (order, expected) in [("asc", ascending), ("desc", descending)] {
            let rows = device.query(&format!("sort_by={by}&sort_order={order}"), now()).unwrap();
            assert_eq!(titles(&rows), expected, "{by} {order}");
        }
    }
}

#[test]
fn pages_show_what_is_open() {
    let device = device(&[
        json!({"title": "overdue", "due_day": "2031-03-25"}),
        json!({"title": "today", "due_day": "2031-03-26", "list_id": 3}),
        json!({"title": "tonight", "due_date": "2031-03-26T22:59:00Z"}),
        json!({"title": "tomorrow", "due_date": "2031-03-26T23:00:00Z"}),
        // That day wherever its owner is, although it ends earlier in Tokyo.
        json!({"title": "tokyo", "due_day": "2031-03-27", "time_zone": "Asia/Tokyo"}),
        json!({"title": "later", "due_day": "2031-03-26", "start_date": "2031-03-26T12:00:00Z"}),
        json!({"title": "done", "status": "completed", "due_day": "2031-03-26",
            "completed_at": "2031-03-26T08:00:00Z", "tags": ["x"]}),
        json!({"title": "first", "position": "Zzzzzzzzzzzzzzz", "tags": ["X", "y"]}),
    ]);
    assert_eq!(titles(&device.today(now())), "overdue tonight today");
    assert_eq!(titles(&device.list(3, now())), "today");
    assert_eq!(titles(&device.inbox(now())), "first overdue tonight tomorrow tokyo");
    assert_eq!(titles(&device.completed()), "done");
    assert_eq!(titles(&device.deferred(now())), "later");
    assert_eq!(titles(&device.tag("x")), "first");
    assert_eq!(titles(&device.search(" TO ")), "today tonight tomorrow tokyo");
    let days = device.upcoming("2031-03-26".parse().unwrap(), "2031-03-27".parse().unwrap());
    let days: Vec<_> = days.iter().map(|(day, rows)| format!("{day}: {}", titles(rows))).collect();
    assert_eq!(days, ["2031-03-26: tonight today later", "2031-03-27: tomorrow tokyo"]);
    let tags: Vec<_> = device.tags().into_iter().map(|tag| (tag.name, tag.count)).collect();
    assert_eq!(tags, [("X".to_owned(), 1), ("y".to_owned(), 1)]);
}

#[test]
fn steps_form_a_tree() {
    let mut device = device(&[
        json!({"title": "house"}),
        json!({"title": "paint", "subtask_of": 1}),
        json!({"title": "pack", "subtask_of": 1, "position": "Zzzzzzzzzzzzzzz", "status": "completed"}),
        json!({"title": "buy", "subtask_of": 2}),
    ]);
    assert_eq!(titles(&device.subtasks("house")), "pack paint");
    assert_eq!(device.progress("house"), (2, 1));
    assert_eq!(device.beneath("house").len(), 3);
    let parent = device.task("buy").unwrap().id;
    let step = json!({"title": "pay", "subtask_of": parent}).as_object().cloned().unwrap();
    let uid = device.edit(vec![Edit::create(step)], now()).unwrap().remove(0);
    // A step of a step that the server does not know.
    let parent = device.task(&uid).unwrap().id;
    let step = json!({"title": "count", "subtask_of": parent}).as_object().cloned().unwrap();
    device.edit(vec![Edit::create(step)], now()).unwrap();
    assert_eq!(titles(&device.subtasks(&uid)), "count");
    device.edit(vec![Edit::Complete { uid: "paint".to_owned(), steps: true }], now()).unwrap();
    assert_eq!(device.completed().len(), 5);
    device.edit(vec![Edit::delete("house")], now()).unwrap();
    assert_eq!(device.tasks().count(), 0);
    assert!(device.undo(now()));
    assert_eq!(device.tasks().count(), 6);
}
