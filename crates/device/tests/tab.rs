//! Two tabs of one person: one leads, the other shows the same and forwards its edits.

use rondo_device::domain::instant::Instant;
use rondo_device::{Answer, Device, Edit, Effect, Entry, Record, Request};
use serde_json::{Value, json};

fn now() -> Instant {
    "2031-03-26T09:00:00Z".parse().unwrap()
}

#[derive(Default)]
struct Told {
    records: Vec<Record>,
    forwarded: Vec<Entry>,
    requests: Vec<Request>,
}

/// What a tab wants done. What goes to other tabs goes as JSON.
fn drain(device: &mut Device) -> Told {
    let mut told = Told::default();
    for effect in device.drain() {
        match effect {
            Effect::Keep(record) => told.records.push(through_json(&record)),
            Effect::Forward(entries) => told.forwarded.extend(through_json(&entries)),
            Effect::Send(request) => told.requests.push(request),
            _ => {}
        }
    }
    told
}

fn through_json<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

fn create(title: &str) -> Edit {
    Edit::create(json!({ "title": title }).as_object().cloned().unwrap())
}

fn same(one: &Device, other: &Device) {
    let shown = |device: &Device| device.tasks().cloned().collect::<Vec<_>>();
    assert_eq!(shown(one), shown(other));
}

fn answer(uid: &str, id: i64, title: &str) -> Answer {
    let body = json!({"id": id, "uid": uid, "title": title, "status": "pending", "revision": id,
        "position": "a00000000000004", "tags": [], "time_zone": "UTC",
        "created_at": "2031-03-26T09:00:00Z", "updated_at": "2031-03-26T09:00:00Z"});
    let token = ("undo-token".to_owned(), format!("r{id}"));
    Answer { status: 201, headers: vec![token], body: body.to_string() }
}

#[test]
fn tabs_show_the_same() {
    let (mut leader, mut other) = (Device::new([1; 16]), Device::new([2; 16]));
    leader.lead(now());
    leader.online(now());
    drain(&mut leader);

    // An edit of the other tab is shown there at once, and forwarded.
    let uid = other.edit(vec![create("Milk")], now()).unwrap().remove(0);
    assert_eq!(other.task(&uid).unwrap().title, "Milk");
    let entries = drain(&mut other).forwarded;
    leader.accept(entries.clone(), now());
    leader.accept(entries, now());
    assert_eq!(leader.outbox().len(), 1);
    let told = drain(&mut leader);
    other.absorb(told.records);
    same(&leader, &other);

    // So is the answer.
    let ticket = told.requests[0].ticket;
    leader.answered(ticket, &answer(&uid, 4, "Milk"), now());
    other.absorb(drain(&mut leader).records);
    same(&leader, &other);
    assert_eq!(other.task(&uid).map(|row| (row.id, row.is_unsent)), Some((4, false)));

    // The other tab undoes by the token that the leading one got.
    assert!(other.undo(now()));
    assert!(other.task(&uid).is_none());
    leader.accept(drain(&mut other).forwarded, now());
    let told = drain(&mut leader);
    assert_eq!(told.requests[0].path, "/api/undo");
    assert_eq!(told.requests[0].body.as_deref(), Some(r#"{"token":"r4"}"#));
    other.absorb(told.records);
    same(&leader, &other);
}

#[test]
fn a_tab_takes_the_lead_with_what_waits() {
    let (mut leader, mut other) = (Device::new([1; 16]), Device::new([2; 16]));
    leader.lead(now());
    let milk = leader.edit(vec![create("Milk")], now()).unwrap().remove(0);
    other.absorb(drain(&mut leader).records);
    let eggs = other.edit(vec![create("Eggs")], now()).unwrap().remove(0);
    // The leading tab closes before it hears of the second.
    drop(leader);
    drain(&mut other);
    other.lead(now());
    other.online(now());
    let sent = drain(&mut other).requests;
    let uid = |request: &Request| {
        let body: Value = serde_json::from_str(request.body.as_ref().unwrap()).unwrap();
        body["uid"].as_str().unwrap().to_owned()
    };
    let first = sent.iter().find(|request| request.method == "POST").unwrap();
    assert_eq!(uid(first), milk);
    other.answered(first.ticket, &answer(&milk, 4, "Milk"), now());
    let sent = drain(&mut other).requests;
    assert_eq!(uid(sent.iter().find(|request| request.method == "POST").unwrap()), eggs);
}

#[test]
fn a_tab_that_comes_later_shows_what_is_stored() {
    let mut leader = Device::new([1; 16]);
    leader.lead(now());
    leader.edit(vec![create("Milk"), create("Eggs")], now()).unwrap();
    leader.undo(now());
    leader.edit(vec![create("Bread")], now()).unwrap();
    let mut stored = std::collections::BTreeMap::new();
    for record in drain(&mut leader).records {
        match record.value {
            Some(_) => stored.insert((record.table, record.key.clone()), record),
            None => stored.remove(&(record.table, record.key)),
        };
    }
    let other = Device::restore([2; 16], stored.into_values());
    same(&leader, &other);
    assert_eq!(other.tasks().count(), 1);
}
