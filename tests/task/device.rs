//! The core of a client against the server: two devices edit, lose requests and answers, and end with what the server
//! has. `crates/device/tests/agreement` tries far more, but against a model.

use std::collections::{BTreeMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use http::Method;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rondo_device::domain::instant::Instant;
use rondo_device::{
    Answer, Beside, Device, Edit, Effect, Members, Notice, NoticeKind, Part, Request, WRITABLE,
};
use rondo_testkit::http::Client;
use rondo_tests::arrangement::Up;
use rondo_tests::story::{User, register};
use serde_json::{Value, json};

const DEVICES: usize = 2;
/// Each has a seed of its own.
const STORIES: u64 = 6;
const STEPS: usize = 150;
/// Rounds in which everything has to come to rest.
const ROUNDS_MAX: usize = 200;
/// Headers that the core reads.
const HEADERS: [&str; 4] = ["undo-token", "location", "retry-after", "idempotency-replayed"];

struct Shell {
    device: Device,
    outgoing: VecDeque<Request>,
    told: Vec<Notice>,
}

fn now() -> Instant {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time since 1970");
    Instant::from_microsecond(now.as_micros() as i64).expect("an instant")
}

fn members(value: Value) -> Members {
    value.as_object().cloned().expect("an object")
}

impl Shell {
    fn new(seed: u8) -> Self {
        let mut device = Device::new([seed; 16]);
        device.lead(now());
        device.online(now());
        Self { device, outgoing: VecDeque::new(), told: Vec::new() }
    }

    /// Takes the effects. There is no WebSocket here: changes come by the feed.
    fn settle(&mut self) {
        for effect in self.device.drain() {
            match effect {
                Effect::Send(request) => self.outgoing.push_back(request),
                Effect::Notify(notice) => self.told.push(notice),
                _ => {}
            }
        }
    }

    async fn exchange(&mut self, client: &Client, random: &mut StdRng, losses: f64) {
        self.settle();
        let Some(request) = self.outgoing.pop_front() else { return };
        if random.random_bool(losses) {
            self.device.failed(request.ticket, now());
            return self.hurry();
        }
        let method = Method::from_bytes(request.method.as_bytes()).expect("a method");
        let mut pending = client.request(method, &request.path);
        for (name, value) in &request.headers {
            pending = pending.header(name, value);
        }
        if let Some(body) = &request.body {
            pending = pending.json(&serde_json::from_str(body).expect("JSON"));
        }
        let found = pending.send().await.expect("an answer");
        if random.random_bool(losses) {
            self.device.failed(request.ticket, now());
            return self.hurry();
        }
        let header =
            |name: &str| found.header(name).map(|value| (name.to_owned(), value.to_owned()));
        let answer = Answer {
            status: found.status.as_u16(),
            headers: HEADERS.into_iter().filter_map(header).collect(),
            body: found.text(),
        };
        assert!(answer.status < 500 || answer.status == 503, "{request:?}: {answer:?}");
        self.device.answered(request.ticket, &answer, now());
        self.settle();
    }

    /// Ends a wait.
    fn hurry(&mut self) {
        self.device.online(now());
        self.settle();
    }

    fn edit(&mut self, random: &mut StdRng, number: usize) {
        let device = &mut self.device;
        let uids: Vec<String> = device.tasks().map(|row| row.uid.clone()).collect();
        let mut some = || {
            let uid = uids.get(random.random_range(0..uids.len().max(1)));
            uid.cloned().unwrap_or_default()
        };
        let (uid, other) = (some(), some());
        let id = device.task(&other).map(|row| row.id);
        let list = device.lists().first().map(|list| list.id);
        let title = format!("T{number}");
        let edit = match random.random_range(0..26) {
            _ if uids.is_empty() => Edit::create(members(json!({ "title": title }))),
            0..=2 => Edit::create(members(json!({"title": title, "tags": ["a", "B"]}))),
            3 => Edit::create(members(json!({"title": title, "list_id": list}))),
            4 => Edit::create(members(json!({"title": title, "subtask_of": id}))),
            5 => Edit::create(members(json!({"title": title, "due_date": "2041-01-01T08:00:00Z",
                "reminder_offset": "PT1H", "recurrence_rule": {"frequency": "daily"}}))),
            6..=8 => Edit::set(&uid, "title", json!(title)),
            9 => Edit::set(&uid, "estimate", json!(number + 1)),
            10 => Edit::set(&uid, "due_day", json!("2041-02-03")),
            11 => Edit::set(&uid, "blocked_by", json!(id.into_iter().collect::<Vec<_>>())),
            12 => Edit::set(&uid, "tags", json!(["c", "Ä", "a"])),
            13 => Edit::complete(&uid),
            14 => Edit::Complete { uid, steps: true },
            15 => Edit::Reopen { uid },
            16 => Edit::Skip { uid },
            17 => Edit::Move { uid, list_id: Some(list), beside: Beside::Last },
            18 => {
                let beside = id.map_or(Beside::Last, Beside::Before);
                let list_id = device.task(&other).map(|row| row.list_id);
                Edit::Move { uid, list_id, beside }
            }
            19 => Edit::delete(&uid),
            20 => Edit::create_list(members(json!({ "name": title }))),
            21 => match list {
                Some(id) if number.is_multiple_of(3) => Edit::DeleteList { id, delete_tasks: true },
                Some(id) => Edit::PatchList { id, members: members(json!({"name": title})) },
                None => return,
            },
            22 => Edit::ChangeTag { name: "a".to_owned(), members: members(json!({"name": "c"})) },
            23 => Edit::add_reminder(&uid, members(json!({"remind_at": "2041-05-06T08:00:00Z"}))),
            24 => {
                device.undo(now());
                return;
            }
            _ => {
                device.redo(now());
                return;
            }
        };
        device.edit(vec![edit], now()).expect("a valid edit");
        self.settle();
    }
}

/// The tasks as the server lists them, by uid, with the members that devices have.
async fn listed(user: &User) -> BTreeMap<String, Value> {
    let answer = user.client.get("/api/tasks?limit=500&deferred=true").await.expect("an answer");
    let tasks = answer.expect(200).json();
    let tasks = tasks.as_array().expect("tasks").iter();
    tasks
        .map(|task| (task["uid"].as_str().expect("a uid").to_owned(), shown(&|n| task[n].clone())))
        .collect()
}

fn shown(member: &dyn Fn(&str) -> Value) -> Value {
    let names =
        WRITABLE.into_iter().chain(["uid", "id", "position", "completed_at", "parent_task_id"]);
    names.map(|name| (name.to_owned(), member(name))).collect::<Members>().into()
}

async fn agree(user: &User, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut shells: Vec<Shell> = (0..DEVICES).map(|n| Shell::new(seed as u8 ^ n as u8)).collect();
    for number in 0..STEPS {
        let shell = &mut shells[number % DEVICES];
        if random.random_bool(0.5) {
            shell.edit(&mut random, number);
        }
        if random.random_bool(0.1) {
            shell.device.refresh(Part::Feed, now());
        }
        for _ in 0..random.random_range(0..4) {
            shell.exchange(&user.client, &mut random, 0.1).await;
        }
    }
    for round in 0.. {
        assert!(round < ROUNDS_MAX, "no rest: {:?}", shells[0].device.outbox());
        for shell in &mut shells {
            shell.device.refresh(Part::Feed, now());
            shell.hurry();
            while !shell.outgoing.is_empty() {
                shell.exchange(&user.client, &mut random, 0.0).await;
            }
        }
        let of_server = listed(user).await;
        let is_same = shells.iter().all(|shell| {
            let rows = shell.device.tasks();
            let rows = rows.map(|row| (row.uid.clone(), shown(&|name| row.member(name))));
            rows.collect::<BTreeMap<_, _>>() == of_server
        });
        if is_same && shells.iter().all(|shell| shell.device.outbox().is_empty()) {
            break;
        }
        if round > ROUNDS_MAX / 2 {
            let rows = shells[0].device.tasks();
            let rows = rows.map(|row| (row.uid.clone(), shown(&|name| row.member(name))));
            assert_eq!(rows.collect::<BTreeMap<_, _>>(), of_server, "seed {seed}");
        }
    }
    // What the server refuses is what it may refuse of valid edits.
    for notice in shells.iter().flat_map(|shell| &shell.told) {
        let Some(problem) = notice.problem.as_ref() else { continue };
        assert_eq!(notice.kind, NoticeKind::Refused);
        let codes: Vec<&str> = problem.errors.iter().map(|fault| fault.code.as_str()).collect();
        let is_known = match problem.code.as_str() {
            "invalid_request" => codes.iter().all(|code| {
                ["circular", "too_deep", "unknown_blocker", "unknown_parent", "unknown_list"]
                    .contains(code)
            }),
            code => ["not_found", "no_next_occurrence", "task_completed"].contains(&code),
        };
        assert!(is_known, "seed {seed}: {notice:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_agree_with_the_server() {
    let mut up = Up::start("task-device", &[("RATE_LIMITS", "off".to_owned())]).await;
    for seed in 0..STORIES {
        let user = register(&up.http(), &format!("device-{seed}@example.org")).await;
        agree(&user, seed).await;
    }
    up.stop().await;
}
