//! Two years of one recurring task in Paris, with a clock that the test sets: the user's actions, the task's
//! occurrences, and the times of the mails.
//!
//! Moments are in local time with that day's offset from UTC: +02 in summer, +01 in winter. So the clock
//! changes are visible, and the test does not rely on the time-zone code that it checks.

mod diary;

use rondo_testkit::clock::Clock;
use rondo_testkit::smtp::SmtpServer;
use serde_json::{Value, json};

use crate::arrangement::{Arrangement as _, Up, session};

use self::diary::Diary;

/// Start of the story. It is in the past, because Kafka accepts no records from the future.
pub const BEGINNING: &str = "2022-10-24 10:00+02";
/// Audit entries are kept for longer than the story, so that its end can check all of them.
const AUDIT_RETENTION_DAYS: &str = "1000";

/// The settings of `rondo up`.
#[must_use]
pub fn settings(clock: &Clock, smtp: &SmtpServer) -> Vec<(&'static str, String)> {
    let mut settings = clock.environment();
    settings.push(("AUDIT_RETENTION_DAYS", AUDIT_RETENTION_DAYS.to_owned()));
    settings.push(("SMTP_URL", smtp.url()));
    settings
}

/// Plays the story on a running Rondo with this clock, which mails to `smtp`.
///
/// # Panics
/// If an expectation fails.
pub async fn play(up: &Up, clock: &Clock, smtp: &SmtpServer) {
    assert_goes_by(up, clock).await;
    let mut ada = Diary::begin(&up.http(), clock, smtp, "ada@example.org").await;

    // Sundays at 02:30, with a mail a day ahead. On the first of them the clock goes back from 03:00, so
    // 02:30 occurs twice, and the first is meant.
    let first = ada
        .create(&json!({
            "title": "Back up the server", "time_zone": "Europe/Paris", "reminder_offset": "P1D",
            "due_date": "2022-10-30T02:30:00+02:00", "tags": ["home"], "priority": "high",
            "recurrence_rule": {"frequency": "weekly", "days_of_week": [6]},
        }))
        .await;
    ada.sees(&["task.created", "reminder.scheduled"]).await;
    ada.is_reminded("2022-10-29 02:30+02").await;

    // Completed in time. In winter the task keeps its wall-clock time.
    ada.on("2022-10-30 08:00+01").await;
    ada.complete().await;
    ada.sees(&["task.completed", "task.created", "reminder.scheduled"]).await;
    ada.is_due("2022-11-06 02:30+01").await;
    ada.is_reminded("2022-11-05 02:30+01").await;

    // Skipped: the same task moves to the next slot, and its reminder with it.
    ada.on("2022-11-05 12:00+01").await;
    ada.skip().await;
    ada.sees(&["task.skipped", "reminder.scheduled"]).await;
    ada.is_due("2022-11-13 02:30+01").await;
    ada.is_reminded("2022-11-12 02:30+01").await;

    // Completed by mistake: reopening withdraws the next occurrence, and completing again revives it.
    ada.on("2022-11-13 09:00+01").await;
    ada.complete().await;
    ada.sees(&["task.completed", "task.created", "reminder.scheduled"]).await;
    ada.reopen().await;
    ada.sees(&["task.reopened", "task.deleted", "reminder.cancelled"]).await;
    ada.is_due("2022-11-13 02:30+01").await;
    ada.complete().await;
    ada.sees(&["task.completed", "task.created", "reminder.scheduled"]).await;
    ada.is_due("2022-11-20 02:30+01").await;

    // Only this occurrence is postponed to Monday evening: its mail comes a day ahead of that, and not at the
    // former time.
    ada.on("2022-11-18 18:00+01").await;
    ada.edit("this", &json!({"due_date": "2022-11-21T19:00:00+01:00"})).await;
    ada.sees(&["task.updated", "reminder.scheduled"]).await;
    ada.is_reminded("2022-11-20 19:00+01").await;
    ada.on("2022-11-21 20:00+01").await;
    ada.complete().await;
    ada.sees(&["task.completed", "task.created", "reminder.scheduled"]).await;
    ada.is_due("2022-11-27 02:30+01").await;
    ada.is_reminded("2022-11-26 02:30+01").await;

    // Completed four months late. The sixteen Sundays since then are skipped. On the next one the clock goes
    // from 02:00 to 03:00, so 02:30 becomes 03:30.
    ada.on("2023-03-20 10:00+01").await;
    ada.complete().await;
    ada.sees(&["task.completed", "task.created", "reminder.scheduled"]).await;
    ada.is_due("2023-03-26 03:30+02").await;
    ada.is_reminded("2023-03-25 03:30+01").await;

    // A week later it is 02:30 again.
    ada.on("2023-03-26 12:00+02").await;
    ada.complete().await;
    ada.sees(&["task.completed", "task.created", "reminder.scheduled"]).await;
    ada.is_due("2023-04-02 02:30+02").await;

    // From now on at 09:00, for the whole series.
    ada.edit("all", &json!({"due_date": "2023-04-02T09:00:00+02:00"})).await;
    ada.sees(&["task.updated", "reminder.scheduled"]).await;
    ada.is_reminded("2023-04-01 09:00+02").await;
    ada.on("2023-04-02 10:00+02").await;
    ada.complete().await;
    ada.sees(&["task.completed", "task.created", "reminder.scheduled"]).await;
    ada.is_due("2023-04-09 09:00+02").await;
    ada.is_reminded("2023-04-08 09:00+02").await;

    // Late again, in autumn. Between the mail at 09:00 on Saturday and 09:00 on Sunday there are 25 hours.
    ada.on("2023-10-22 10:00+02").await;
    ada.complete().await;
    ada.sees(&["task.completed", "task.created", "reminder.scheduled"]).await;
    ada.is_due("2023-10-29 09:00+01").await;
    ada.is_reminded("2023-10-28 09:00+02").await;

    // This occurrence is deleted, and the series continues without it.
    ada.on("2023-10-28 12:00+02").await;
    ada.delete("this").await;
    ada.sees(&["task.deleted", "task.created", "reminder.scheduled"]).await;
    ada.is_due("2023-11-05 09:00+01").await;
    ada.is_reminded("2023-11-04 09:00+01").await;

    // From this occurrence on, the last day of every other month, six times. The previous series ends, and a
    // new one begins here.
    ada.on("2023-11-05 12:00+01").await;
    let rule = json!({"frequency": "monthly", "interval": 2, "days_of_week": null,
                      "day_of_month": 31, "count": 6});
    let later = json!({"due_date": "2023-12-31T09:00:00+01:00", "recurrence_rule": rule});
    let begun = ada.edit("future", &later).await;
    ada.sees(&["task.updated", "series.ended", "reminder.scheduled"]).await;

    // A short month has its last day, the month after it has the 31st again, and the year is a leap year.
    for (due, done, reminded) in [
        ("2023-12-31 09:00+01", "2023-12-31 11:00+01", "2023-12-30 09:00+01"),
        ("2024-02-29 09:00+01", "2024-02-29 11:00+01", "2024-02-28 09:00+01"),
        ("2024-04-30 09:00+02", "2024-04-30 11:00+02", "2024-04-29 09:00+02"),
        ("2024-06-30 09:00+02", "2024-06-30 11:00+02", "2024-06-29 09:00+02"),
        ("2024-08-31 09:00+02", "2024-08-31 11:00+02", "2024-08-30 09:00+02"),
    ] {
        ada.is_due(due).await;
        ada.is_reminded(reminded).await;
        ada.on(done).await;
        ada.complete().await;
        ada.sees(&["task.completed", "task.created", "reminder.scheduled"]).await;
    }

    // The last occurrence: nothing follows, and an event says so.
    ada.is_due("2024-10-31 09:00+01").await;
    ada.is_reminded("2024-10-30 09:00+01").await;
    ada.on("2024-10-31 09:30+01").await;
    ada.complete().await;
    ada.sees(&["task.completed", "series.ended"]).await;
    ada.has_nothing_to_do().await;

    // Both series at the end: the first has its occurrences up to where the second began, and the second has
    // its own. The Sunday that the user skipped and the 16 and 28 passed slots are recorded.
    ada.got_no_other_mail();
    let parents: Vec<_> = ada.tasks().await.iter().map(|t| t["parent_task_id"].clone()).collect();
    let children = |task: &Value| parents.iter().filter(|parent| **parent == task["id"]).count();
    assert_eq!((parents.len(), children(&first), children(&begun)), (13, 7, 5));
    let skipped = skipped_days(up).await;
    assert_eq!(skipped.len(), 1 + 16 + 28, "{skipped:?}");
    let ends = [0, 1, 16, 17, 44].map(|index| skipped[index].as_str());
    assert_eq!(ends, ["2022-11-06", "2022-12-04", "2023-03-19", "2023-04-16", "2023-10-22"]);
    days(&mut ada).await;
}

/// Half a year of a series that is due on days without a time, with a step.
async fn days(ada: &mut Diary<'_>) {
    // The task and its step are completed, and come again.
    let both =
        ["task.completed", "task.completed", "task.created", "task.created", "reminder.scheduled"];
    // The last day of each month, with a mail at nine o'clock of that day.
    ada.on("2024-11-02 10:00+01").await;
    ada.create(&json!({
        "title": "Back up the server", "time_zone": "Europe/Paris", "reminder_offset": "PT0S",
        "due_day": "2024-11-30", "recurrence_rule": {"frequency": "monthly", "day_of_month": 31},
    }))
    .await;
    ada.sees(&["task.created", "reminder.scheduled"]).await;
    ada.add_step("Check the disk", "2024-11-29").await;
    ada.sees(&["task.created", "task.updated"]).await;
    ada.is_reminded("2024-11-30 09:00+01").await;

    // Late in the evening the day has not ended.
    ada.on("2024-11-30 23:30+01").await;
    ada.complete_all().await;
    ada.sees(&both).await;
    ada.is_due_on("2024-12-31").await;
    ada.has_step_due_on("2024-12-30").await;
    ada.is_reminded("2024-12-31 09:00+01").await;

    // Completed three months late, on the very day: that day is still to come.
    ada.on("2025-03-31 00:30+02").await;
    ada.complete_all().await;
    ada.sees(&both).await;
    ada.is_due_on("2025-03-31").await;
    ada.has_step_due_on("2025-03-30").await;

    // She gets up earlier.
    ada.rises_at("07:30").await;
    ada.sees(&["reminder.scheduled"]).await;
    ada.is_reminded("2025-03-31 07:30+02").await;
    ada.on("2025-03-31 12:00+02").await;
    ada.complete_all().await;
    ada.sees(&both).await;
    ada.is_due_on("2025-04-30").await;
    ada.has_step_due_on("2025-04-29").await;
    ada.is_reminded("2025-04-30 07:30+02").await;
    ada.got_no_other_mail();
}

/// Asserts that its Postgres uses the clock too. It does if `rondo up` chose the wrappers that [`Clock`] put into
/// its PATH.
async fn assert_goes_by(up: &Up, clock: &Clock) {
    let session = session(&up.postgres()).await;
    let now = "SELECT extract(epoch FROM clock_timestamp())::bigint";
    let now: i64 = session.query_one(now, &[]).await.expect("the time").get(0);
    let ahead = now - clock.now().as_second();
    assert!(ahead.abs() < 60, "Postgres is {ahead} s ahead: run it by `cargo xtask test`");
}

/// The days of skipped slots.
async fn skipped_days(up: &Up) -> Vec<String> {
    let days = "SELECT slot::date::text FROM occurrences WHERE state = 'skipped' ORDER BY slot";
    let rows = session(&up.postgres()).await.query(days, &[]).await.expect("skipped slots");
    rows.iter().map(|row| row.get(0)).collect()
}
