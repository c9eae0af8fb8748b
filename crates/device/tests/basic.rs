//! One device and scripted answers: what it shows, sends and keeps.

use rondo_device::domain::instant::Instant;
use rondo_device::{Answer, Device, Edit, Effect, Members, Record, Request};
use serde_json::{Value, json};

fn now() -> Instant {
    "2031-03-26T09:00:00Z".parse().unwrap()
}

fn members(value: Value) -> Members {
    value.as_object().cloned().unwrap()
}

/// The requests of changes that the device wants sent, and the records that it keeps.
fn drain(device: &mut Device) -> (Vec<Request>, Vec<Record>) {
    let (mut requests, mut records) = (Vec::new(), Vec::new());
    for effect in device.drain() {
        match effect {
            Effect::Send(request) => requests.push(request),
            Effect::Keep(record) => records.push(record),
            _ => {}
        }
    }
    (requests, records)
}

fn online() -> Device {
    let mut device = Device::new([7; 16]);
    device.lead(now());
    device.online(now());
    drain(&mut device);
    device
}

#[test]
fn a_created_task_is_shown_at_once_and_sent_with_its_uid() {
    let mut device = online();
    let uid = device.edit(vec![Edit::create(members(json!({"title": " Milk "})))], now()).unwrap();
    let row = device.task(&uid[0]).unwrap();
    assert_eq!((row.title.as_str(), row.id < 0, row.is_unsent), ("Milk", true, true));
    let (requests, records) = drain(&mut device);
    assert_eq!(requests.len(), 1);
    assert_eq!((requests[0].method, requests[0].path.as_str()), ("POST", "/api/tasks"));
    assert!(requests[0].headers.iter().any(|(name, _)| *name == "idempotency-key"));
    assert!(!records.is_empty());
    let body: Value = serde_json::from_str(requests[0].body.as_ref().unwrap()).unwrap();
    assert_eq!((&body["uid"], &body["title"]), (&json!(uid[0]), &json!("Milk")));

    // An edit of it waits, and is sent to the id of the answer.
    device.edit(vec![Edit::set(&uid[0], "priority", json!("high"))], now()).unwrap();
    assert!(drain(&mut device).0.is_empty());
    let answer = json!({"id": 4, "uid": uid[0], "title": "Milk", "status": "pending", "revision": 9,
        "position": "a00000000000004", "tags": [], "time_zone": "UTC",
        "created_at": "2031-03-26T09:00:00Z", "updated_at": "2031-03-26T09:00:00Z"});
    let answer = Answer { status: 201, body: answer.to_string(), ..Answer::default() };
    device.answered(requests[0].ticket, &answer, now());
    let (requests, _) = drain(&mut device);
    assert_eq!((requests[0].method, requests[0].path.as_str()), ("PATCH", "/api/tasks/4"));
    assert_eq!(requests[0].headers, [("if-match", "\"9\"".to_owned())]);
    assert_eq!(device.task(&uid[0]).unwrap().id, 4);
}

#[test]
fn storage_gives_back_what_waits() {
    let mut device = Device::new([1; 16]);
    device.lead(now());
    let uid = device.edit(vec![Edit::create(members(json!({"title": "Milk"})))], now()).unwrap();
    let (_, records) = drain(&mut device);
    let restored = Device::restore([2; 16], records);
    assert_eq!(restored.task(&uid[0]).map(|row| row.title.as_str()), Some("Milk"));
    assert_eq!(restored.outbox().len(), 1);
}

#[test]
fn an_edit_is_undone_and_redone_before_it_is_sent() {
    let mut device = Device::new([1; 16]);
    device.lead(now());
    let uid = device.edit(vec![Edit::create(members(json!({"title": "Milk"})))], now()).unwrap();
    device.edit(vec![Edit::set(&uid[0], "title", json!("Oat milk"))], now()).unwrap();
    assert!(device.undo(now()));
    assert_eq!(device.task(&uid[0]).unwrap().title, "Milk");
    assert!(device.redo(now()));
    assert_eq!(device.task(&uid[0]).unwrap().title, "Oat milk");
    assert!(device.undo(now()) && device.undo(now()) && !device.undo(now()));
    assert!(device.task(&uid[0]).is_none() && device.outbox().is_empty());
}

#[test]
fn faults_name_their_members() {
    let mut device = Device::new([1; 16]);
    let task = members(json!({"title": "", "due_day": "2031-02-30", "priority": "huge"}));
    let faults = device.edit(vec![Edit::create(task)], now()).unwrap_err();
    let found: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    assert_eq!(found, ["/due_day", "/priority", "/title"]);
}

#[test]
fn a_line_says_more_than_its_place() {
    let mut device = Device::new([1; 16]);
    let place = members(json!({"due_day": "2031-03-26", "tags": ["work", "home"], "list_id": 7}));
    let cases = [
        ("Milk", json!(null), json!("2031-03-26"), json!(["home", "work"])),
        ("Milk tomorrow 9am", json!("2031-03-27T09:00:00Z"), json!(null), json!(["home", "work"])),
        ("Milk friday #home", json!(null), json!("2031-03-28"), json!(["home", "work"])),
    ];
    for (text, due_date, due_day, tags) in cases {
        let uid = device.add_line(&members(json!({"text": text})), &place, now()).unwrap();
        let row = device.task(&uid).unwrap();
        let found = ["due_date", "due_day", "tags", "list_id"].map(|name| row.member(name));
        assert_eq!(found, [due_date, due_day, tags, json!(7)], "{text}");
    }
}

#[test]
fn an_account_without_changes_is_known_to_have_none() {
    let mut device = Device::new([1; 16]);
    device.lead(now());
    device.online(now());
    let (requests, _) = drain(&mut device);
    let feed = requests.iter().find(|request| request.path.starts_with("/api/changes")).unwrap();
    assert!(!device.is_complete());
    let page = json!({"changes": [], "revision": 0, "has_more": false, "cursor": null});
    let answer = Answer { status: 200, body: page.to_string(), ..Answer::default() };
    device.answered(feed.ticket, &answer, now());
    assert!(device.is_complete());
    let (_, records) = drain(&mut device);
    assert!(Device::restore([2; 16], records).is_complete());
}

#[test]
fn requests_that_fail_together_wait_as_long_as_one() {
    let mut device = Device::new([7; 16]);
    device.lead(now());
    device.online(now());
    let mut requests = Vec::new();
    for effect in device.drain() {
        requests.extend(match effect {
            Effect::Send(request) => Some(request),
            _ => None,
        });
    }
    assert!(requests.len() > 3, "{requests:?}");
    for request in &requests {
        device.failed(request.ticket, now());
    }
    let mut wakes = device.drain().into_iter().filter_map(|effect| match effect {
        Effect::Wake(at) => Some(at.duration_since(now()).as_millis()),
        _ => None,
    });
    let wait = wakes.next_back().unwrap();
    assert!((1..=1_000).contains(&wait), "{wait} ms");
}
