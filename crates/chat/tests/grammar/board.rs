//! A user's tasks in memory, behind the API that tools use.

use std::cell::RefCell;

use rondo_chat::{Language, Memory, Reply, Scene};
use rondo_contract::query::Reader;
use rondo_contract::task_query::{Cursor, Deferred, SortBy, SortOrder, TaskQuery};
use rondo_contract::{preview_body, quick_add_body, task_body};
use rondo_domain::due::{Due, Settings};
use rondo_domain::fold::fold;
use rondo_domain::instant::{self, Instant};
use rondo_domain::offset::ReminderOffset;
use rondo_domain::task::{Priority, tag_key};
use rondo_domain::zone::Zone;
use rondo_tool::{Api, Call, Tool, Verb};
use serde_json::{Map, Value, json};

/// A Wednesday, at 10:00 in Berlin.
pub const NOW: &str = "2031-03-26T09:00:00Z";
const LISTS: [(i64, &str); 3] = [(1, "Work"), (2, "Home"), (3, "Arbeit")];

/// Everything that a request can change.
#[derive(Clone, Default)]
struct State {
    tasks: Vec<Value>,
    reminders: Vec<Value>,
    next_id: i64,
}

pub struct Board {
    zone: Zone,
    state: RefCell<State>,
    /// What each way back leads to.
    before: RefCell<Vec<State>>,
    /// The requests that were not only read.
    pub changes: RefCell<Vec<String>>,
    /// The status of every answer, if the server fails.
    pub fails: Option<u16>,
}

impl Board {
    /// With the tasks of `board.json`.
    pub fn new() -> Self {
        let tasks: Vec<Value> = serde_json::from_str(include_str!("board.json")).unwrap();
        let tasks: Vec<_> = tasks.into_iter().map(whole).collect();
        let reminders = vec![
            json!({"id": 31, "task_id": 3, "kind": "task", "offset": "PT30M", "status": "armed",
                   "remind_at": "2031-03-28T08:30:00Z"}),
        ];
        Self {
            zone: Zone::parse("Europe/Berlin").unwrap(),
            state: RefCell::new(State { tasks, reminders, next_id: 100 }),
            before: RefCell::default(),
            changes: RefCell::default(),
            fails: None,
        }
    }

    /// The answer to a message.
    pub fn turn(&self, language: Language, memory: &Memory, message: &str) -> Reply {
        self.turn_of(language, memory, message, &|_| true).expect("the server answers")
    }

    /// The answer to a message of a token that permits these tools; or the status of the failing server.
    pub fn turn_of(
        &self,
        language: Language,
        memory: &Memory,
        message: &str,
        permits: &dyn Fn(&Tool) -> bool,
    ) -> Result<Reply, rondo_tool::Stop> {
        let now = NOW.parse().unwrap();
        let scene = Scene { api: self, now, zone: &self.zone, language, memory, permits };
        rondo_chat::answer(&scene, message)
    }

    pub fn task(&self, id: i64) -> Option<Value> {
        self.state.borrow().tasks.iter().find(|task| task["id"] == id).cloned()
    }

    fn now() -> Instant {
        NOW.parse().unwrap()
    }

    fn route(&self, call: &Call) -> Result<rondo_tool::Reply, Value> {
        let (path, query) = call.target.split_once('?').unwrap_or((&call.target, ""));
        let segments: Vec<_> = path.split('/').collect();
        let body = call.body.clone().unwrap_or_default();
        if call.verb != Verb::Get && !matches!(segments[0], "quick-add" | "recurrence") {
            self.changes.borrow_mut().push(format!("{:?} {path}", call.verb));
        }
        match (call.verb, &segments[..]) {
            (Verb::Get, ["tasks"]) => self.list(query),
            (Verb::Get, ["lists"]) => {
                Ok(ok(LISTS.iter().map(|(id, name)| json!({"id": id, "name": name})).collect()))
            }
            (Verb::Get, ["reminders"]) => {
                let wanted: i64 = Reader::new(query).required("task_id").parse().unwrap();
                let state = self.state.borrow();
                let found = state.reminders.iter().filter(|reminder| reminder["task_id"] == wanted);
                Ok(ok(found.cloned().collect()))
            }
            (Verb::Get, ["tasks", id]) => self.task(id.parse().unwrap()).map(ok).ok_or(not_found()),
            (Verb::Get, ["tasks", _, "history"]) => Ok(ok(json!([
                {"event_type": "task.updated", "occurred_at": "2031-03-25T08:00:00Z", "revision": 2,
                 "changes": {"due_date": {"from": null, "to": "2031-03-28T09:00:00Z"}}},
                {"event_type": "task.created", "occurred_at": "2031-03-20T08:00:00Z", "revision": 1},
            ]))),
            (Verb::Get, ["audit", "logs"]) => Ok(ok(json!([
                {"action_type": "task.completed", "occurred_at": "2031-03-25T18:00:00Z", "task_id": 12,
                 "payload": {"task_data": {"title": "Clean the kitchen"}, "revision": 9}},
                {"action_type": "user.signed_in", "occurred_at": "2031-03-25T18:00:00Z", "payload": {}},
            ]))),
            (Verb::Post, ["quick-add"]) => self.preview(&body),
            (Verb::Post, ["recurrence", "preview"]) => {
                let preview = preview_body::parse(body.as_object().unwrap()).map_err(refused)?;
                preview.answer(self.zone.clone(), Self::now()).map(ok).map_err(refused)
            }
            (Verb::Post, ["undo"]) => {
                let token = body["token"].as_str().unwrap_or_default();
                let place: usize =
                    token.strip_prefix("way-").and_then(|n| n.parse().ok()).ok_or(not_found())?;
                let state = self.before.borrow().get(place).cloned().ok_or(not_found())?;
                let back: Vec<_> = {
                    let now = self.state.borrow();
                    let changed = state.tasks.iter().filter(|task| !now.tasks.contains(task));
                    changed.map(|task| json!({"task": task})).collect()
                };
                Ok(self.changed(|known| *known = state, json!({ "results": back })))
            }
            (Verb::Post, ["tasks", "batch"]) => {
                let mut results = Vec::new();
                let before = self.state.borrow().clone();
                for operation in body["operations"].as_array().unwrap() {
                    let id = operation["id"].as_i64().unwrap_or_default();
                    let done =
                        self.operate(operation["op"].as_str().unwrap(), id, &operation["task"]);
                    results.push(json!({ "task": done? }));
                }
                self.before.borrow_mut().push(before);
                Ok(self.undoable(json!({ "results": results })))
            }
            (verb, ["tasks", rest @ ..]) => {
                let before = self.state.borrow().clone();
                let id = rest.first().map_or(0, |id| id.parse().unwrap());
                let operation = match (verb, rest) {
                    (Verb::Post, []) => "create",
                    (Verb::Patch, [_]) => "patch",
                    (Verb::Delete, [_]) => "delete",
                    (Verb::Post, [_, action]) => action,
                    other => panic!("{other:?}"),
                };
                let task = self.operate(operation, id, &body)?;
                self.before.borrow_mut().push(before);
                Ok(self.undoable(task))
            }
            (Verb::Delete, ["reminders", id]) => {
                let id: i64 = id.parse().unwrap();
                let keep =
                    |state: &mut State| state.reminders.retain(|reminder| reminder["id"] != id);
                Ok(self.changed(keep, Value::Null))
            }
            other => panic!("{other:?}"),
        }
    }

    fn changed(&self, change: impl FnOnce(&mut State), answer: Value) -> rondo_tool::Reply {
        self.before.borrow_mut().push(self.state.borrow().clone());
        change(&mut self.state.borrow_mut());
        self.undoable(answer)
    }

    fn undoable(&self, answer: Value) -> rondo_tool::Reply {
        let undo = Some(format!("way-{}", self.before.borrow().len() - 1));
        rondo_tool::Reply { undo, ..ok(answer) }
    }

    fn operate(&self, operation: &str, id: i64, body: &Value) -> Result<Value, Value> {
        let mut state = self.state.borrow_mut();
        if operation == "create" {
            let fields = task_body::create(body, &self.zone, Self::now()).map_err(refused)?;
            let mut task = Value::Object(task_body::to_json(&fields));
            task["id"] = state.next_id.into();
            state.next_id += 1;
            let task = whole(task);
            state.tasks.push(task.clone());
            return Ok(task);
        }
        let place = state.tasks.iter().position(|task| task["id"] == id).ok_or(not_found())?;
        let State { tasks, reminders, .. } = &mut *state;
        let task = &mut tasks[place];
        match operation {
            "patch" => {
                for (name, value) in body.as_object().unwrap() {
                    task[name] = value.clone();
                }
                if body["due_day"].is_string() {
                    task["due_date"] = Value::Null;
                }
                if body["due_date"].is_string() {
                    task["due_day"] = Value::Null;
                }
                if let Some(offset) = body["reminder_offset"].as_str() {
                    let reminder = json!({ "offset": offset });
                    reminders.push(self.reminder(task, "task", &reminder));
                }
            }
            "complete" => task["status"] = "completed".into(),
            "reopen" => task["status"] = "pending".into(),
            "skip" => task["due_day"] = "2031-04-30".into(),
            "reminders" => {
                let reminder = self.reminder(task, "further", body);
                reminders.push(reminder.clone());
                return Ok(reminder);
            }
            "delete" => return Ok(tasks.remove(place)),
            other => panic!("{other}"),
        }
        Ok(task.clone())
    }

    fn reminder(&self, task: &Value, kind: &str, body: &Value) -> Value {
        let at = body["offset"].as_str().and_then(|offset| {
            let due = Due::parse(task["due_date"].as_str(), task["due_day"].as_str()).unwrap()?;
            let offset = ReminderOffset::parse(offset).unwrap();
            let day_time = Settings::defaults().day_reminder_time;
            Some(instant::format(due.remind_at(offset, &self.zone, day_time)))
        });
        let at = at.map_or_else(|| body["remind_at"].clone(), Value::from);
        json!({"id": 70, "task_id": task["id"], "kind": kind, "offset": body["offset"], "status": "armed",
               "remind_at": at})
    }

    fn preview(&self, body: &Value) -> Result<rondo_tool::Reply, Value> {
        let mut line = quick_add_body::parse(body.as_object().unwrap()).map_err(refused)?;
        line.lists = LISTS.iter().map(|(id, name)| (*id, (*name).to_owned())).collect();
        let user = Settings { time_zone: self.zone.clone(), ..Settings::defaults() };
        let found = line.read(&self.zone, Self::now()).map_err(refused)?;
        let planned = line.plan(&found, &user, Self::now()).map_err(refused)?;
        Ok(ok(line.preview(&found, &planned)))
    }

    fn list(&self, query: &str) -> Result<rondo_tool::Reply, Value> {
        let query = TaskQuery::parse(query).map_err(refused)?;
        let [first, last] = query.due_dates(&self.zone, Self::now());
        let bound = |at: Option<String>| at.map(|at| instant::parse(&at).unwrap());
        let (first, last) = (bound(first), bound(last));
        let due = |task: &Value| {
            let due = Due::parse(task["due_date"].as_str(), task["due_day"].as_str()).unwrap();
            due.map(|due| due.end(&self.zone))
        };
        let tags = |task: &Value| -> Vec<String> {
            task["tags"]
                .as_array()
                .unwrap()
                .iter()
                .map(|tag| tag_key(tag.as_str().unwrap()))
                .collect()
        };
        let fits = |task: &&Value| {
            let text = fold(task["title"].as_str().unwrap());
            let at = due(task);
            query.search.as_ref().is_none_or(|phrase| text.contains(phrase))
                && (query.status.is_empty()
                    || query.status.iter().any(|status| task["status"] == status.as_str()))
                && (query.priority.is_empty()
                    || query.priority.iter().any(|priority| task["priority"] == priority.as_str()))
                && query.tags_all.iter().all(|tag| tags(task).contains(tag))
                && first.is_none_or(|first| at.is_some_and(|at| at >= first))
                && last.is_none_or(|last| at.is_some_and(|at| at <= last))
                && query.has_due_date.is_none_or(|has| at.is_some() == has)
                && query
                    .list_id
                    .is_none_or(|place| task["list_id"].as_i64().unwrap_or(0) == place.number())
                && (query.deferred == Deferred::True || task["start_day"].is_null())
        };
        let state = self.state.borrow();
        let mut found: Vec<_> = state.tasks.iter().filter(fits).cloned().collect();
        match query.sort_by {
            SortBy::DueDate => found.sort_by_key(|task| due(task).unwrap_or(Instant::MAX)),
            SortBy::Priority => found.sort_by_key(|task| {
                Priority::WORDS.iter().position(|word| task["priority"] == *word).unwrap_or(9)
            }),
            _ => found.sort_by_key(|task| task["id"].as_i64()),
        }
        if query.sort_order == SortOrder::Desc {
            found.reverse();
        }
        let total = found.len();
        if let Some(cursor) = &query.cursor {
            let before = found.iter().position(|task| task["id"] == cursor.id).unwrap();
            found.drain(..=before);
        }
        let left = found.len();
        found.truncate(usize::try_from(query.limit).unwrap());
        let last = found.last().filter(|_| found.len() < left);
        let next = last.map(|task| {
            let after = Cursor::after(query.sort_by, query.sort_order, &task.to_string());
            after.unwrap().encode()
        });
        let total = query.count.then_some(total as i64);
        Ok(rondo_tool::Reply { next, total, ..ok(Value::Array(found)) })
    }
}

impl Api for Board {
    fn send(&self, call: &Call) -> rondo_tool::Reply {
        if let Some(status) = self.fails {
            return rondo_tool::Reply { status, ..rondo_tool::Reply::default() };
        }
        self.route(call).unwrap_or_else(|problem| {
            let status = problem["status"].as_u64().unwrap() as u16;
            rondo_tool::Reply { status, body: problem, ..rondo_tool::Reply::default() }
        })
    }
}

fn ok(body: Value) -> rondo_tool::Reply {
    rondo_tool::Reply { status: 200, body, ..rondo_tool::Reply::default() }
}

fn not_found() -> Value {
    json!({ "status": 404 })
}

fn refused(faults: Vec<rondo_contract::problem::FieldError>) -> Value {
    let errors =
        faults.iter().map(|fault| json!({ "pointer": fault.pointer, "detail": fault.detail }));
    let errors: Vec<_> = errors.collect();
    json!({ "status": 422, "detail": "The request has faults.", "errors": errors })
}

/// A task with every member.
fn whole(task: Value) -> Value {
    let mut whole = json!({
        "description": null, "status": "pending", "priority": null, "tags": [], "list_id": null, "due_date": null,
        "due_day": null, "start_day": null, "time_zone": "Europe/Berlin", "reminder_offset": null,
        "recurrence_rule": null, "completed_at": null, "revision": 1, "created_at": NOW, "updated_at": NOW, "position": "m", "subtasks": {"total": 0, "completed": 0},
    });
    let given: Map<_, _> = task.as_object().unwrap().clone();
    for (name, value) in given {
        whole[name] = value;
    }
    whole
}
