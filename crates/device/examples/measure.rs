//! Prints how long views of many tasks take: `cargo run --release -p rondo-device --example measure`.

use std::hint::black_box;
use std::time::{Duration, Instant as Clock};

use rondo_device::domain::instant::Instant;
use rondo_device::{Answer, Device, Edit, Effect, Record, Table};
use serde_json::{Value, json};

const TASKS: i64 = 10_000;
const ROUNDS: u32 = 20;

fn task(id: i64) -> Value {
    let words = ["water", "plants", "café", "report", "Łódź", "call", "weekly", "invoice", "roof"];
    let word = |n: i64| words[(id * 31 + n * 7) as usize % words.len()];
    let title = format!("{} {} {} {id}", word(1), word(2), word(3));
    let description: Vec<&str> = (0..25).map(|n| word(n * n)).collect();
    json!({"id": id, "uid": format!("uid-{id:08}"), "title": title,
        "description": description.join(" "), "revision": id, "position": format!("a{id:014x}"),
        "status": if id % 3 == 0 { "completed" } else { "pending" }, "tags": [word(4), word(9)],
        "list_id": (id % 5 > 0).then_some(id % 5), "time_zone": "Europe/Berlin",
        "priority": (id % 4 == 0).then_some("high"), "blocked_by": [],
        "due_date": (id % 2 == 0).then(|| format!("2031-{:02}-{:02}T09:00:00Z", id % 12 + 1, id % 28 + 1)),
        "created_at": "2031-01-01T00:00:00Z", "updated_at": "2031-01-01T00:00:00Z"})
}

fn measure(name: &str, rounds: u32, mut run: impl FnMut()) {
    let start = Clock::now();
    (0..rounds).for_each(|_| run());
    let each: Duration = start.elapsed() / rounds;
    println!("{name:32} {:8.3} ms", each.as_secs_f64() * 1_000.0);
}

fn main() {
    let now: Instant = "2031-06-15T09:00:00Z".parse().unwrap_or(Instant::UNIX_EPOCH);
    let records: Vec<Record> = (1..=TASKS)
        .map(|id| Record { table: Table::Task, key: format!("uid-{id:08}"), value: Some(task(id)) })
        .collect();
    let mut device = Device::new([1; 16]);
    measure("restore", 1, || device = Device::restore([1; 16], records.clone()));
    measure("search, common word", ROUNDS, || drop(black_box(device.search("plants"))));
    measure("search, one task", ROUNDS, || drop(black_box(device.search("9999"))));
    measure("search, nothing", ROUNDS, || drop(black_box(device.search("xyzzy"))));
    measure("today", ROUNDS, || drop(black_box(device.today(now))));
    measure("list", ROUNDS, || drop(black_box(device.list(1, now))));
    measure("completed", ROUNDS, || drop(black_box(device.completed())));
    measure("tags", ROUNDS, || drop(black_box(device.tags())));
    let query = "status=pending&priority=high&due_date_end=end_of_month&sort_by=due_date";
    measure("filter", ROUNDS, || drop(black_box(device.query(query, now))));
    measure("all, by title", ROUNDS, || drop(black_box(device.query("sort_by=title", now))));
    measure("edit and undo", ROUNDS, || {
        let edit = Edit::set("uid-00000007", "title", json!("New"));
        drop(black_box(device.edit(vec![edit], now)));
        device.undo(now);
        device.drain();
    });
    let mut device = Device::new([1; 16]);
    device.lead(now);
    device.online(now);
    let changes: Vec<Value> =
        (1..=TASKS).map(|id| json!({"op": "upsert", "revision": id, "task": task(id)})).collect();
    let page = json!({"changes": changes, "revision": TASKS, "has_more": false, "cursor": null});
    let body = page.to_string();
    let ticket = device.drain().into_iter().find_map(|effect| match effect {
        Effect::Send(request) if request.path.contains("changes") => Some(request.ticket),
        _ => None,
    });
    measure("feed, all tasks on one page", 1, || {
        let answer = Answer { status: 200, body: body.clone(), ..Answer::default() };
        device.answered(ticket.unwrap_or_default(), &answer, now);
    });
    assert_eq!(device.tasks().count() as i64, TASKS);
}
