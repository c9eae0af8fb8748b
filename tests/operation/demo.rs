//! `rondo demo` beside a running `rondo up`.

use rondo_testkit::http::Client;
use rondo_testkit::process::{Process, Program};
use rondo_tests::operation::{Running, SOON};
use serde_json::{Value, json};

const EMAIL: &str = "demo@example.org";

/// Whether a task is of a kind.
type Kind = fn(&Value) -> bool;

fn demo(rondo: &Running) -> Process {
    Program::built("rondo")
        .arguments(["demo", "--time-zone", "Europe/Berlin", "--url"])
        .argument(rondo.http.base())
        .start()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demonstration_has_tasks_of_every_kind_and_leaves_an_account_alone() {
    let rondo = Running::start("demo", &[]).await;
    let mut first = demo(&rondo);
    assert!(first.exit(SOON).await.success(), "{}", first.log());
    let printed = first.log();
    let password = printed.lines().find_map(|line| line.trim().strip_prefix("password  "));
    let login = json!({ "email": EMAIL, "password": password.expect("a password") });
    let session = rondo.http.post("/api/auth/login", &login).await.unwrap().json();
    let user = Client::new(rondo.http.base()).with_token(session["access_token"].as_str().unwrap());
    let tasks = user.get("/api/tasks?limit=500").await.unwrap().json();
    let tasks = tasks.as_array().unwrap();
    let kinds: [(&str, Kind); 8] = [
        ("recurring", |task| task["recurrence_rule"].is_object()),
        ("due at a time", |task| task["due_date"].is_string()),
        ("due on a day", |task| task["due_day"].is_string()),
        ("with a reminder", |task| task["reminder_offset"].is_string()),
        ("with steps", |task| task["subtasks"]["total"] == 3),
        ("tagged", |task| task["tags"] == json!(["garden"])),
        ("completed", |task| task["status"] == "completed"),
        ("in the inbox", |task| task["list_id"].is_null()),
    ];
    for (kind, is) in kinds {
        assert!(tasks.iter().any(is), "no task is {kind}: {tasks:#?}");
    }
    // What quick add does not understand would stay in a title.
    let leftover = [" every", "#", "!", " p1", " p2", " in ", "tomorrow", " today"];
    for task in tasks {
        let title = task["title"].as_str().unwrap();
        let found = leftover.iter().find(|word| title.contains(*word));
        assert_eq!(found, None, "{title}");
    }
    let mut again = demo(&rondo);
    assert_eq!(again.exit(SOON).await.code(), Some(1));
    assert!(again.log().contains(EMAIL), "{}", again.log());
    rondo.stop().await;
}
