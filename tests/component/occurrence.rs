//! The recurrence component and the task API on the Wasm host: each occurrence has exactly one successor, in
//! whatever order and however often its events arrive.

mod stage;

use serde_json::{Value, json};

use stage::Stage;

/// Consumers that receive the same events at once.
const CONSUMERS: usize = 12;

/// A rule whose slots all lie in the future.
fn daily() -> Value {
    json!({"title": "Water the plants", "due_date": "2061-01-31T09:00:00Z",
           "recurrence_rule": {"frequency": "daily"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn one_successor_however_many_consumers_get_the_event_however_often() {
    let stage = Stage::set().await;
    let first = stage.create(&daily()).await;
    stage.complete(&first).await;
    let early = stage.events().await;
    stage.deliver_to_many(&early, CONSUMERS).await;
    let tasks = stage.tasks().await;
    assert_eq!(tasks.len(), 2, "{tasks:#?}");
    stage.complete(&tasks[1]).await;
    // Both completions at once, the later one first, and again.
    let mut late = stage.events().await;
    late.reverse();
    for _ in 0..3 {
        stage.deliver_to_many(&late, CONSUMERS).await;
        stage.deliver_to_many(&early, CONSUMERS).await;
    }
    let due: Vec<_> = stage.tasks().await.iter().map(|task| task["due_date"].clone()).collect();
    assert_eq!(due, ["2061-01-31T09:00:00Z", "2061-02-01T09:00:00Z", "2061-02-02T09:00:00Z"]);
    stage.assert_one_successor_each().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_inherits_from_its_predecessor() {
    let stage = Stage::set().await;
    let created = stage
        .create(&json!({
            "title": "Rent", "description": "By transfer", "priority": "high",
            "tags": ["home", "Money"], "due_date": "2061-01-31T22:30:00Z",
            "time_zone": "Europe/Paris", "reminder_offset": "P1D",
            "recurrence_rule": {"rrule": "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3"},
        }))
        .await;
    assert_eq!(created["recurrence_rule"]["rrule"], "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3");
    let begun = stage.patch(&created, &json!({"status": "in_progress"})).await;
    stage.complete(&begun).await;
    stage.settle().await;
    let next = stage.tasks().await.pop().expect("a successor");
    for member in [
        "title",
        "description",
        "priority",
        "tags",
        "time_zone",
        "reminder_offset",
        "recurrence_rule",
    ] {
        assert_eq!(next[member], created[member], "{member}");
    }
    assert_eq!(next["status"], "pending");
    assert_eq!(next["completed_at"], Value::Null);
    assert_eq!(next["parent_task_id"], created["id"]);
    // The last day of the month at 23:30 in Paris, which is 22:30 in UTC.
    assert_eq!(next["due_date"], "2061-02-28T22:30:00Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn reopening_withdraws_an_untouched_successor_and_completing_again_brings_it_back() {
    let stage = Stage::set().await;
    let first = stage.create(&daily()).await;
    let first = stage.complete(&first).await;
    stage.settle().await;
    let first = stage.act(&first, "reopen").await;
    assert_eq!(stage.tasks().await.len(), 1, "withdrawn");
    assert_eq!(stage.event_members("task.deleted", "reason").await, ["withdrawn"]);
    // The earlier events come again, late.
    stage.settle().await;
    assert_eq!(stage.tasks().await.len(), 1, "a pending task has no successor");
    let first = stage.complete(&first).await;
    stage.settle().await;
    let tasks = stage.tasks().await;
    assert_eq!(tasks.len(), 2);
    assert_eq!(tasks[1]["due_date"], "2061-02-01T09:00:00Z");
    // A changed successor stays, and no second one is created.
    stage.patch(&tasks[1], &json!({"title": "Water the big plants"})).await;
    let first = stage.act(&first, "reopen").await;
    assert_eq!(stage.tasks().await.len(), 2);
    stage.complete(&first).await;
    stage.settle().await;
    assert_eq!(stage.tasks().await.len(), 2);
    stage.assert_one_successor_each().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missed_slots_are_skipped_stepped_through_or_created() {
    let stage = Stage::set().await;
    let check = async |rule: Value, made: usize, skipped: bool| {
        let before = stage.tasks().await.len();
        let rule = json!({"title": "t", "due_date": "2020-01-01T09:00:00Z",
                          "recurrence_rule": rule});
        let task = stage.create(&rule).await;
        stage.complete(&task).await;
        stage.settle().await;
        let tasks = stage.tasks().await;
        assert_eq!(tasks.len() - before - 1, made, "{rule}");
        let slots = stage.skipped_slots(&task).await;
        assert_eq!(!slots.is_empty(), skipped, "{rule}: {slots:?}");
        tasks.last().expect("a task").clone()
    };
    let next = check(json!({"frequency": "yearly"}), 1, true).await;
    let now = stage.now().await;
    let due = next["due_date"].as_str().expect("a due date");
    assert!(due > now.as_str(), "{due} is not before {now}");
    let one_step = json!({"frequency": "yearly", "catch_up": "one_step"});
    let next = check(one_step, 1, false).await;
    assert_eq!(next["due_date"], "2021-01-01T09:00:00Z");
    let four = json!({"frequency": "yearly", "catch_up": "all", "end_date": "2024-01-01"});
    let last = check(four, 4, false).await;
    assert_eq!(last["due_date"], "2024-01-01T09:00:00Z");
    // Of a great many slots, a bounded number is created.
    check(json!({"frequency": "daily", "catch_up": "all"}), 100, false).await;
    stage.assert_one_successor_each().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_ends_once_and_its_last_occurrence_stays() {
    let stage = Stage::set().await;
    let rule = json!({"title": "t", "due_date": "2061-01-31T09:00:00Z",
                      "recurrence_rule": {"frequency": "daily", "count": 2}});
    let mut task = stage.create(&rule).await;
    for _ in 0..2 {
        stage.complete(&task).await;
        stage.settle().await;
        task = stage.tasks().await.pop().expect("a task");
    }
    stage.settle().await;
    let tasks = stage.tasks().await;
    let status: Vec<_> = tasks.iter().map(|task| task["status"].clone()).collect();
    assert_eq!(status, ["completed", "completed"]);
    assert_eq!(stage.event_members("series.ended", "task_id").await, [task["id"].to_string()]);
    // After reopening, it can end again.
    let task = stage.act(&task, "reopen").await;
    stage.complete(&task).await;
    stage.settle().await;
    assert_eq!(stage.tasks().await.len(), 2);
    assert_eq!(stage.event_members("series.ended", "task_id").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_are_counted_on_their_basis() {
    let stage = Stage::set().await;
    for rule in [
        json!({"frequency": "daily", "basis": "completion", "count": 3}),
        json!({"rrule": "FREQ=DAILY;COUNT=3", "basis": "completion"}),
    ] {
        let before = stage.tasks().await.len();
        let mut task = stage
            .create(&json!({"title": "t", "due_date": "2061-01-31T09:00:00Z",
                            "recurrence_rule": rule}))
            .await;
        for _ in 0..3 {
            assert_eq!(task["status"], "pending");
            stage.complete(&task).await;
            stage.settle().await;
            task = stage.tasks().await.pop().expect("a task");
        }
        assert_eq!(stage.tasks().await.len() - before, 3, "{rule}");
        assert_eq!(task["status"], "completed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_continues_or_ends_the_series() {
    let stage = Stage::set().await;
    let first = stage.create(&daily()).await;
    stage.delete(&first, "this").await;
    stage.settle().await;
    let tasks = stage.tasks().await;
    assert_eq!(tasks.len(), 1);
    assert_eq!(tasks[0]["due_date"], "2061-02-01T09:00:00Z");
    stage.delete(&tasks[0], "future").await;
    stage.settle().await;
    assert_eq!(stage.tasks().await.len(), 0);
    assert_eq!(stage.event_members("series.ended", "task_id").await.len(), 1);

    // After the series has ended, none of several open occurrences continues it.
    let rule = json!({"title": "t", "due_date": "2020-01-01T09:00:00Z",
                      "recurrence_rule": {"frequency": "yearly", "catch_up": "all"}});
    let task = stage.create(&rule).await;
    stage.complete(&task).await;
    stage.settle().await;
    let tasks = stage.tasks().await;
    let (last, others) = tasks.split_last().expect("tasks");
    stage.delete(&others[1], "all").await;
    stage.complete(last).await;
    stage.settle().await;
    assert_eq!(stage.tasks().await.len(), tasks.len() - 1);
    stage.assert_one_successor_each().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skipped_occurrence_does_not_obstruct_later_ones() {
    let stage = Stage::set().await;
    let first = stage.create(&daily()).await;
    let first = stage.complete(&first).await;
    stage.settle().await;
    let second = stage.tasks().await.pop().expect("a successor");
    stage.patch(&second, &json!({"title": "Changed"})).await;
    // The first is open again beside its changed successor, and moves ahead of it.
    let first = stage.act(&first, "reopen").await;
    let first = stage.act(&first, "skip").await;
    assert_eq!(first["due_date"], "2061-02-02T09:00:00Z");
    let second = stage.tasks().await.pop().expect("a successor");
    stage.complete(&second).await;
    stage.settle().await;
    let third = stage.tasks().await.pop().expect("a successor");
    assert_eq!(third["due_date"], "2061-02-03T09:00:00Z", "the first has the slot between");
    stage.assert_one_successor_each().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_has_local_times_and_instants() {
    let stage = Stage::set().await;
    let (status, answer) = stage
        .preview(&json!({"due_date": "2031-03-29T01:30:00Z", "time_zone": "Europe/Paris",
                         "recurrence_rule": {"rrule": "FREQ=DAILY;COUNT=3"}, "count": 10}))
        .await;
    assert_eq!(status, 200, "{answer}");
    // On the 30th the clock goes from 02:00 to 03:00.
    assert_eq!(
        answer,
        json!({
            "description": "Every day, 3 times",
            "occurrences": [
                {"local": "2031-03-29T02:30:00", "utc": "2031-03-29T01:30:00Z"},
                {"local": "2031-03-30T03:30:00", "utc": "2031-03-30T01:30:00Z"},
                {"local": "2031-03-31T02:30:00", "utc": "2031-03-31T00:30:00Z"},
            ],
        })
    );
    // Without a due date: from now on, in the user's zone.
    let now = stage.now().await;
    let (_, answer) =
        stage.preview(&json!({"recurrence_rule": {"frequency": "daily"}, "count": 500})).await;
    let occurrences = answer["occurrences"].as_array().expect("a list");
    assert_eq!(occurrences.len(), 500);
    assert_eq!(occurrences[0]["local"].as_str().expect("a time")[..10], now[..10]);

    let check = async |body: Value, expected: &[(&str, &str)]| {
        let (status, answer) = stage.preview(&body).await;
        assert_eq!(status, 422, "{body}: {answer}");
        let mut found: Vec<_> = answer["errors"]
            .as_array()
            .expect("errors")
            .iter()
            .filter_map(|error| Some((error["pointer"].as_str()?, error["code"].as_str()?)))
            .collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{body}");
    };
    check(json!({}), &[("/count", "out_of_range"), ("/recurrence_rule", "required")]).await;
    check(
        json!({"recurrence_rule": {"rrule": "FREQ=MINUTELY"}, "count": 501, "due_date": "today",
               "time_zone": "Mars/Olympus", "more": 1}),
        &[
            ("/count", "out_of_range"),
            ("/due_date", "malformed"),
            ("/more", "unknown_member"),
            ("/recurrence_rule/rrule", "too_frequent"),
            ("/time_zone", "unknown_time_zone"),
        ],
    )
    .await;
    let never = json!({"rrule": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"});
    check(json!({"recurrence_rule": never, "count": 1}), &[("/recurrence_rule", "never_matches")])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_applies_to_one_occurrence_to_later_ones_or_to_all() {
    let stage = Stage::set().await;
    let due = |task: &Value| task["due_date"].as_str().expect("a due date").to_owned();
    let next = async |task: &Value| {
        stage.complete(task).await;
        stage.settle().await;
        stage.tasks().await.pop().expect("a successor")
    };
    let task = stage
        .create(&json!({"title": "t", "due_date": "2061-01-31T09:00:00Z",
                        "recurrence_rule": {"frequency": "daily", "count": 6}}))
        .await;
    // Only this one moves.
    let task = stage.edit(&task, "this", &json!({"due_date": "2061-01-31T15:00:00Z"})).await;
    let task = next(&task).await;
    assert_eq!(due(&task), "2061-02-01T09:00:00Z");
    // The whole series moves by an hour; its count continues.
    let task = stage.edit(&task, "all", &json!({"due_date": "2061-02-01T10:00:00Z"})).await;
    let task = next(&task).await;
    assert_eq!(due(&task), "2061-02-02T10:00:00Z");
    // From here on at noon: a new series with the rest of the count.
    let task = stage.edit(&task, "future", &json!({"due_date": "2061-02-02T12:00:00Z"})).await;
    assert_eq!(task["recurrence_rule"]["count"], 4);
    assert_eq!(stage.event_members("series.ended", "task_id").await.len(), 1);
    let first = task["id"].clone();
    let task = next(&task).await;
    assert_eq!((due(&task).as_str(), &task["parent_task_id"]), ("2061-02-03T12:00:00Z", &first));
    // Another rule for the series, from its anchor: every second day.
    let rule = json!({"recurrence_rule": {"interval": 2}});
    let task = stage.edit(&task, "all", &rule).await;
    let task = next(&task).await;
    assert_eq!(due(&task), "2061-02-04T12:00:00Z");
    let task = next(&task).await;
    assert_eq!(due(&task), "2061-02-06T12:00:00Z");
    stage.assert_one_successor_each().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_that_starts_at_a_reopened_occurrence_continues() {
    let stage = Stage::set().await;
    let first = stage.create(&daily()).await;
    let first = stage.complete(&first).await;
    stage.settle().await;
    let second = stage.tasks().await.pop().expect("a successor");
    stage.patch(&second, &json!({"title": "Changed"})).await;
    let first = stage.act(&first, "reopen").await;
    let weekly = json!({"recurrence_rule": {"frequency": "weekly"}});
    let first = stage.edit(&first, "this", &weekly).await;
    stage.complete(&first).await;
    stage.settle().await;
    let tasks = stage.tasks().await;
    assert_eq!(tasks.len(), 3);
    assert_eq!(tasks[2]["due_date"], "2061-02-07T09:00:00Z");
    // The previous series has ended.
    stage.complete(&second).await;
    stage.settle().await;
    assert_eq!(stage.tasks().await.len(), 3);
    stage.assert_one_successor_each().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_due_date_a_series_starts_at_its_tasks_creation() {
    let stage = Stage::set().await;
    let rule = json!({"frequency": "daily"});
    let task = stage.create(&json!({"title": "t", "recurrence_rule": rule})).await;
    assert_eq!(task["due_date"], Value::Null);
    let preview = json!({"due_date": task["created_at"], "recurrence_rule": rule, "count": 2});
    let (_, preview) = stage.preview(&preview).await;
    stage.complete(&task).await;
    stage.settle().await;
    let next = stage.tasks().await.pop().expect("a successor");
    // The rules read the clock a moment before the database did.
    let between = json!({"due_date": next["due_date"], "recurrence_rule": rule, "count": 1});
    let (_, next) = stage.preview(&between).await;
    let utc = |preview: &Value, index: usize| {
        preview["occurrences"][index]["utc"].as_str().expect("a time").to_owned()
    };
    assert!(utc(&next, 0) <= utc(&preview, 1), "{next} is after {preview}");
    assert!(utc(&next, 0) > utc(&preview, 0), "{next} is not after {preview}");
}
