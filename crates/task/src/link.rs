//! `/links/complete` and `/links/snooze`: the actions of a reminder's mail. They use the same code and events
//! as the API's routes.

use rondo_contract::link_token::{Link, Purpose};
use rondo_domain::instant::{self, Instant};
use rondo_domain::moment;
use rondo_domain::snooze::Snooze;
use rondo_guest::database::{int, text};
use rondo_guest::http::{Method, Request, Response};
use rondo_guest::link::{Page, follow};
use rondo_guest::{Refusal, clock};
use serde_json::Value;

use crate::change;
use crate::create::stored_zone;
use crate::store::Store;

/// `/links/complete`.
pub fn complete(request: &Request) -> Result<Response, Refusal> {
    follow(request, &[Purpose::Complete], |link| {
        let Some(task) = Store::open()?.task(link.user_id, link.subject_id)? else {
            return Ok(gone());
        };
        let task: Value = serde_json::from_str(&task.task)
            .map_err(|error| Refusal::internal(format!("stored task: {error}")))?;
        let title = task["title"].as_str().unwrap_or_default();
        if task["status"] == "completed" {
            return Ok(Page::new("Already completed").line(title).response(200));
        }
        if request.method == Method::Get {
            let page = Page::new("Complete this task?").line(title).button("Complete");
            return Ok(page.response(200));
        }
        change::complete(request, link.user_id, link.subject_id)?;
        Ok(Page::new("Completed").line(title).response(200))
    })
}

/// `/links/snooze`.
pub fn snooze(request: &Request) -> Result<Response, Refusal> {
    follow(request, &[Purpose::SnoozeHour, Purpose::SnoozeTomorrow], |link| {
        let store = Store::open()?;
        let Some(reminder) = Reminder::read(&store, link)? else { return Ok(gone()) };
        let title = reminder.title.as_str();
        if reminder.completed {
            return Ok(Page::new("Already completed").line(title).response(200));
        }
        if !reminder.is_current_for(link) {
            let page = Page::new("Nothing to put off");
            let why = "This reminder has been put off or changed since the mail was sent.";
            return Ok(page.line(title).line(why).response(200));
        }
        let zone = stored_zone(&reminder.time_zone)?;
        let snooze = match link.purpose {
            Purpose::SnoozeTomorrow => Snooze::Tomorrow,
            _ => Snooze::Hour,
        };
        let until = snooze
            .until(reminder.remind_at, clock::now(), &zone)
            .ok_or_else(|| Refusal::internal("the end of the calendar"))?;
        let when = format!("Until {}.", moment::in_words(until, &zone));
        if request.method == Method::Get {
            let page = Page::new("Put this reminder off?").line(title).line(&when);
            return Ok(page.button("Remind me later").response(200));
        }
        let values = [
            int(link.user_id),
            int(link.subject_id),
            text(instant::format(until)),
            text(request.cause()),
        ];
        let mut row = store.0.query_one(include_str!("sql/reminder_snooze.sql"), &values)?;
        Ok(match row.text("outcome")?.as_str() {
            "snoozed" => Page::new("Put off").line(title).line(&when).response(200),
            "completed" => Page::new("Already completed").line(title).response(200),
            _ => gone(),
        })
    })
}

fn gone() -> Response {
    Page::new("This task is gone")
        .line("It has been deleted since the mail was sent.")
        .response(404)
}

/// A reminder, with the facts that a page shows.
struct Reminder {
    fired: bool,
    firing: i64,
    remind_at: Instant,
    title: String,
    completed: bool,
    time_zone: String,
}

impl Reminder {
    fn read(store: &Store, link: &Link) -> Result<Option<Self>, Refusal> {
        let values = [int(link.user_id), int(link.subject_id)];
        let row = store.0.query_optional(include_str!("sql/reminder_for_link.sql"), &values)?;
        let Some(mut row) = row else { return Ok(None) };
        let remind_at = instant::parse(&row.text("remind_at")?)
            .map_err(|_| Refusal::internal("a stored instant breaks the rules of this version"))?;
        Ok(Some(Self {
            fired: row.text("state")? == "fired",
            firing: row.int("firing")?,
            remind_at,
            title: row.text("title")?,
            completed: row.text("status")? == "completed",
            time_zone: row.text("time_zone")?,
        }))
    }

    /// Whether the firing of the mail is still current.
    fn is_current_for(&self, link: &Link) -> bool {
        self.fired && self.firing == link.firing
    }
}
