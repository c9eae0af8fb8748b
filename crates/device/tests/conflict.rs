//! Edits that meet other changes: which value stays, and what the person is told.

use rondo_device::domain::instant::Instant;
use rondo_device::{Answer, Device, Edit, Effect, NoticeKind, Record, Request, Table};
use serde_json::{Value, json};

fn at(time: &str) -> Instant {
    format!("2031-03-26T{time}Z").parse().unwrap()
}

fn task(members: Value) -> Value {
    let mut task = json!({"id": 4, "uid": "u", "title": "Milk", "status": "pending", "tags": [],
        "blocked_by": [], "time_zone": "UTC", "revision": 7, "position": "a00000000000004",
        "created_at": "2031-03-26T08:00:00Z", "updated_at": "2031-03-26T08:00:00Z"});
    for (name, value) in members.as_object().unwrap() {
        task[name.as_str()] = value.clone();
    }
    task
}

/// A device that has the task.
fn device() -> Device {
    let records = [
        Record { table: Table::Task, key: "u".to_owned(), value: Some(task(json!({}))) },
        Record { table: Table::Meta, key: "cursor".to_owned(), value: Some(json!(7)) },
    ];
    let mut device = Device::restore([1; 16], records);
    device.lead(at("08:30:00"));
    device
}

fn requests(device: &mut Device) -> Vec<Request> {
    let sent = device.drain().into_iter().filter_map(|effect| match effect {
        Effect::Send(request) => Some(request),
        _ => None,
    });
    sent.collect()
}

fn frame(task: &Value) -> String {
    json!({"type": "task.updated", "revision": task["revision"], "task_id": 4, "task": task})
        .to_string()
}

/// The bodies of the patches that the device sends, once it is online.
fn patches(device: &mut Device) -> Vec<Value> {
    device.online(at("10:00:00"));
    let sent = requests(device).into_iter().filter(|request| request.method == "PATCH");
    sent.map(|request| serde_json::from_str(&request.body.unwrap()).unwrap()).collect()
}

#[test]
fn members_meet() {
    let check = |mine: Value,
                 theirs: Value,
                 shown: Value,
                 sent: Option<Value>,
                 told: Option<NoticeKind>| {
        let mut device = device();
        let edit = Edit::patch("u", mine.as_object().cloned().unwrap());
        device.edit(vec![edit], at("09:00:00")).unwrap();
        let mut other = task(theirs.clone());
        other["revision"] = json!(9);
        device.frame(&frame(&other), at("09:30:00"));
        let row = device.task("u").unwrap();
        for (name, value) in shown.as_object().unwrap() {
            assert_eq!(row.member(name), *value, "{mine} meets {theirs}: {name}");
        }
        let kinds: Vec<_> = device.notices().iter().map(|notice| notice.kind).collect();
        assert_eq!(kinds, told.into_iter().collect::<Vec<_>>(), "{mine} meets {theirs}");
        let expected: Vec<_> = sent.into_iter().collect();
        assert_eq!(patches(&mut device), expected, "{mine} meets {theirs}");
    };
    let (earlier, later) = ("2031-03-26T08:59:00Z", "2031-03-26T09:20:00Z");
    let mine = json!({"title": "Oat milk"});
    // Other members: both stay.
    check(
        mine.clone(),
        json!({"priority": "high", "updated_at": later}),
        json!({"title": "Oat milk", "priority": "high"}),
        Some(mine.clone()),
        None,
    );
    // The same member: the later one stays.
    check(
        mine.clone(),
        json!({"title": "Soy milk", "updated_at": later}),
        json!({"title": "Soy milk"}),
        None,
        Some(NoticeKind::Lost),
    );
    check(
        mine.clone(),
        json!({"title": "Soy milk", "updated_at": earlier}),
        json!({"title": "Oat milk"}),
        Some(mine.clone()),
        Some(NoticeKind::Replaced),
    );
    // The same value: nothing is left to do.
    check(
        mine,
        json!({"title": "Oat milk", "updated_at": later}),
        json!({"title": "Oat milk"}),
        None,
        None,
    );
    // Of two members, one.
    check(
        json!({"title": "Oat milk", "estimate": 5}),
        json!({"title": "Soy milk", "updated_at": later}),
        json!({"title": "Soy milk", "estimate": 5}),
        Some(json!({"estimate": 5})),
        Some(NoticeKind::Lost),
    );
    // A day and a moment are one thing.
    check(
        json!({"due_day": "2031-04-01"}),
        json!({"due_date": "2031-04-02T09:00:00Z", "updated_at": later}),
        json!({"due_day": null, "due_date": "2031-04-02T09:00:00Z"}),
        None,
        Some(NoticeKind::Lost),
    );
    check(
        json!({"due_day": "2031-04-01"}),
        json!({"due_date": "2031-04-02T09:00:00Z", "updated_at": earlier}),
        json!({"due_day": "2031-04-01", "due_date": null}),
        Some(json!({"due_day": "2031-04-01", "due_date": null})),
        Some(NoticeKind::Replaced),
    );
}

#[test]
fn a_lost_value_is_put_back() {
    let mut device = device();
    device.edit(vec![Edit::set("u", "title", json!("Oat milk"))], at("09:00:00")).unwrap();
    let other = task(json!({"title": "Soy", "revision": 9, "updated_at": "2031-03-26T09:20:00Z"}));
    device.frame(&frame(&other), at("09:30:00"));
    let notice = device.notices()[0].clone();
    assert_eq!(
        (&notice.mine["title"], &notice.theirs["title"]),
        (&json!("Oat milk"), &json!("Soy"))
    );
    device.answer(&notice.id, at("09:40:00")).unwrap();
    assert_eq!(device.task("u").unwrap().title, "Oat milk");
    assert!(device.notices().is_empty());
    assert_eq!(patches(&mut device), [json!({"title": "Oat milk"})]);
}

#[test]
fn a_task_that_is_gone_is_restored_with_the_edits() {
    let mut device = device();
    device.edit(vec![Edit::set("u", "title", json!("Oat milk"))], at("09:00:00")).unwrap();
    device.edit(vec![Edit::complete("u")], at("09:01:00")).unwrap();
    let gone = json!({"type": "task.updated", "revision": 9, "task_id": 4, "task": null});
    device.frame(&gone.to_string(), at("09:30:00"));
    assert!(device.task("u").is_none() && device.outbox().is_empty());
    let notice = device.notices()[0].clone();
    assert_eq!((notice.kind, &notice.mine["title"]), (NoticeKind::Gone, &json!("Oat milk")));
    // Also after a restart.
    let records = [Record {
        table: Table::Notice,
        key: notice.id.clone(),
        value: Some(serde_json::to_value(&notice).unwrap()),
    }];
    let mut device = Device::restore([2; 16], records);
    device.lead(at("09:40:00"));
    device.answer(&notice.id, at("09:40:00")).unwrap();
    let row = device.task("u").unwrap();
    assert_eq!((row.title.as_str(), row.is_completed()), ("Oat milk", true));
    device.online(at("09:41:00"));
    assert!(requests(&mut device).iter().any(|sent| sent.path == "/api/tasks/4/restore"));
}

#[test]
fn a_refused_edit_is_taken_back_and_kept_in_a_notice() {
    let mut device = device();
    device.online(at("09:00:00"));
    requests(&mut device);
    device.edit(vec![Edit::set("u", "title", json!("Oat milk"))], at("09:00:00")).unwrap();
    device.edit(vec![Edit::set("u", "title", json!("Soy milk"))], at("09:00:01")).unwrap();
    let sent = requests(&mut device);
    let errors = json!([{"pointer": "/title", "code": "too_long", "detail": "is too long"}]);
    let body = json!({"status": 422, "code": "invalid_request", "detail": "", "errors": errors});
    let answer = Answer { status: 422, body: body.to_string(), ..Answer::default() };
    device.answered(sent[0].ticket, &answer, at("09:00:02"));
    assert_eq!(device.task("u").unwrap().title, "Soy milk");
    let notice = device.notices()[0];
    assert_eq!((notice.kind, &notice.mine["title"]), (NoticeKind::Refused, &json!("Oat milk")));
    assert_eq!(notice.problem.as_ref().unwrap().errors[0].pointer, "/title");
    // The next edit counts from what is there: nothing has been changed elsewhere.
    let sent = requests(&mut device);
    assert_eq!(sent[0].body.as_deref(), Some(r#"{"title":"Soy milk"}"#));
    assert_eq!(device.notices().len(), 1);
}

#[test]
fn waits_and_tokens() {
    let mut device = device();
    device.online(at("09:00:00"));
    requests(&mut device);
    device.edit(vec![Edit::set("u", "title", json!("Oat milk"))], at("09:00:00")).unwrap();
    let ticket = requests(&mut device)[0].ticket;
    let busy = Answer {
        status: 429,
        headers: vec![("retry-after".to_owned(), "30".to_owned())],
        ..Answer::default()
    };
    device.answered(ticket, &busy, at("09:00:00"));
    assert!(device.drain().contains(&Effect::Wake(at("09:00:30"))));
    device.tick(at("09:00:29"));
    assert!(requests(&mut device).is_empty());
    device.tick(at("09:00:30"));
    let ticket = requests(&mut device)[0].ticket;
    let expired = Answer { status: 401, ..Answer::default() };
    device.answered(ticket, &expired, at("09:00:31"));
    assert!(device.drain().contains(&Effect::Refresh));
    device.tick(at("09:05:00"));
    assert!(requests(&mut device).is_empty());
    device.refreshed(at("09:05:01"));
    assert_eq!(requests(&mut device)[0].method, "PATCH");
}
