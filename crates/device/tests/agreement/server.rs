//! A model of the server: what the contract says of tasks, lists and tags, and nothing else.

mod feed;

use std::collections::{BTreeMap, BTreeSet};

use rondo_device::domain::instant::{self, Instant};
use rondo_device::{Answer, Request, WRITABLE};
use serde_json::{Value, json};

#[derive(Debug, Default)]
pub struct Server {
    pub revision: i64,
    last_id: i64,
    pub tasks: BTreeMap<i64, Value>,
    trash: BTreeMap<i64, Value>,
    pub lists: BTreeMap<i64, Value>,
    /// Deletions: revision, and the change as the feed has it.
    deletions: BTreeMap<i64, Value>,
    /// Deletions up to here are forgotten.
    pub horizon: i64,
    kept: BTreeMap<String, (String, Answer)>,
    undo: BTreeMap<String, Vec<(i64, Option<Value>, i64)>>,
    /// Every change as a frame, with its revision.
    pub log: Vec<(i64, String)>,
}

fn answer(status: u16, body: Value) -> Answer {
    Answer { status, headers: Vec::new(), body: body.to_string() }
}

fn problem(status: u16, code: &str) -> Answer {
    answer(status, json!({"status": status, "code": code, "detail": code}))
}

fn fault(pointer: &str, code: &str) -> Answer {
    let errors = json!([{"pointer": pointer, "code": code, "detail": code}]);
    answer(422, json!({"status": 422, "code": "invalid_request", "detail": "", "errors": errors}))
}

fn integer(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

impl Server {
    pub fn handle(&mut self, request: &Request, now: Instant) -> Answer {
        let header = |name: &str| {
            request
                .headers
                .iter()
                .find(|(given, _)| *given == name)
                .map(|(_, value)| value.as_str())
        };
        let kept = header("idempotency-key")
            .filter(|_| request.method == "POST" && !request.path.contains("/reminders/"))
            .map(|key| format!("{} {key}", request.path));
        let body = request.body.clone().unwrap_or_default();
        if let Some((known, kept)) = kept.as_ref().and_then(|key| self.kept.get(key)) {
            if *known != body {
                return problem(422, "idempotency_key_reused");
            }
            let mut again = kept.clone();
            again.headers.retain(|(name, _)| name != "undo-token");
            return again;
        }
        let expected = header("if-match").and_then(|tag| tag.trim_matches('"').parse().ok());
        let value = serde_json::from_str(&body).unwrap_or_default();
        let found = self.route(request.method, &request.path, &value, expected, now);
        if let (Some(key), 200..=299) = (kept, found.status) {
            self.kept.insert(key, (body, found.clone()));
        }
        found
    }

    fn route(
        &mut self,
        method: &str,
        path: &str,
        body: &Value,
        expected: Option<i64>,
        now: Instant,
    ) -> Answer {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let parts: Vec<&str> = path.trim_start_matches("/api/").split('/').collect();
        let number = |at: usize| parts.get(at).and_then(|id| id.parse::<i64>().ok());
        match (method, parts[0], number(1), parts.get(2).copied()) {
            ("GET", "auth", ..) => {
                answer(200, json!({"id": 1, "email": "me@example.org", "time_zone": "UTC"}))
            }
            ("GET", "filters" | "tags" | "reminders", ..) => answer(200, json!([])),
            ("GET", "changes", ..) => self.changes(query),
            ("POST", "undo", ..) => self.undo(body, now),
            ("POST", "tasks", None, None) => self.create(body, now),
            ("GET", "tasks", Some(id), None) => match self.tasks.get(&id) {
                Some(task) => answer(200, task.clone()),
                None => problem(404, "not_found"),
            },
            ("POST", "tasks", Some(id), Some("restore")) => self.restore(id, now),
            (_, "tasks", Some(id), action) => {
                let Some(task) = self.tasks.get(&id) else { return problem(404, "not_found") };
                if expected.is_some_and(|revision| task["revision"] != json!(revision)) {
                    return problem(412, "precondition_failed");
                }
                match (method, action) {
                    ("PATCH", None) => self.patch(id, body, now),
                    ("DELETE", None) => self.delete(id, now),
                    ("POST", Some("complete")) => {
                        let along = query == "subtasks=complete";
                        self.complete(id, along, now)
                    }
                    ("POST", Some("reopen")) => {
                        let status = if task["status"] == "completed" { "pending" } else { "" };
                        let patch =
                            if status.is_empty() { json!({}) } else { json!({"status": status}) };
                        self.patch(id, &patch, now)
                    }
                    ("POST", Some("move")) => self.move_task(id, body, now),
                    _ => problem(404, "not_found"),
                }
            }
            ("POST", "lists", None, None) => {
                let id = self.next_id();
                let mut list = body.clone();
                list["id"] = json!(id);
                list["position"] = json!(format!("a{id:014x}"));
                self.write_list(id, list);
                answer(201, self.lists[&id].clone())
            }
            ("PATCH", "lists", Some(id), None) => {
                let Some(mut list) = self.lists.get(&id).cloned() else {
                    return problem(404, "not_found");
                };
                for (name, value) in body.as_object().into_iter().flatten() {
                    list[name.as_str()] = value.clone();
                }
                self.write_list(id, list);
                answer(200, self.lists[&id].clone())
            }
            ("DELETE", "lists", Some(id), None) => {
                self.delete_list(id, query == "tasks=delete", now)
            }
            ("PUT", "tags", ..) => self.tag(parts[1], body["name"].as_str(), now),
            ("DELETE", "tags", ..) => self.tag(parts[1], None, now),
            _ => problem(404, "not_found"),
        }
    }

    fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    fn write_list(&mut self, id: i64, mut list: Value) {
        self.revision += 1;
        list["revision"] = json!(self.revision);
        self.log.push((
            self.revision,
            json!({"type": "list.updated", "revision": self.revision, "list_id": id, "list": list})
                .to_string(),
        ));
        self.lists.insert(id, list);
    }

    /// Writes a task, which takes a revision.
    fn write(&mut self, id: i64, mut task: Value, now: Instant) {
        self.revision += 1;
        task["revision"] = json!(self.revision);
        task["updated_at"] = json!(instant::format(now));
        self.log.push((
            self.revision,
            json!({"type": "task.updated", "revision": self.revision, "task_id": id, "task": task})
                .to_string(),
        ));
        self.tasks.insert(id, task);
    }

    fn remove(&mut self, id: i64) {
        self.revision += 1;
        let revision = self.revision;
        let Some(task) = self.tasks.remove(&id) else { return };
        self.trash.insert(id, task);
        self.deletions
            .insert(revision, json!({"op": "delete", "revision": revision, "task_id": id}));
        self.log.push((
            revision,
            json!({"type": "task.updated", "revision": revision, "task_id": id, "task": null})
                .to_string(),
        ));
    }

    /// Progress of a task's subtasks takes a revision, too.
    fn touch_parent(&mut self, task: &Value, now: Instant) {
        let parent = task["subtask_of"].as_i64().unwrap_or_default();
        if let Some(task) = self.tasks.get(&parent).cloned() {
            self.write(parent, task, now);
        }
    }

    /// The answer to a change of tasks, given as they were before.
    fn done(&mut self, status: u16, id: i64, before: Vec<(i64, Option<Value>)>) -> Answer {
        let body = self.tasks.get(&id).cloned().unwrap_or_default();
        let mut found = answer(status, body);
        let after = before.into_iter().map(|(id, old)| (id, old, self.revision_of(id))).collect();
        let token = format!("r{}", self.revision);
        self.undo.insert(token.clone(), after);
        found.headers.push(("undo-token".to_owned(), token));
        found
    }

    fn revision_of(&self, id: i64) -> i64 {
        match self.tasks.get(&id) {
            Some(task) => integer(&task["revision"]),
            None => {
                let of_task = |change: &&Value| change["task_id"] == json!(id);
                let last = self.deletions.values().rfind(of_task);
                last.map_or(0, |change| integer(&change["revision"]))
            }
        }
    }

    /// Why the server refuses a task, if it does.
    fn refused(&self, id: i64, task: &Value) -> Option<Answer> {
        if task["list_id"].as_i64().is_some_and(|list| !self.lists.contains_key(&list)) {
            return Some(fault("/list_id", "unknown_list"));
        }
        let mut above = task["subtask_of"].as_i64();
        for level in 0.. {
            let Some(parent) = above else { break };
            let Some(task) = self.tasks.get(&parent) else {
                return Some(fault("/subtask_of", "unknown_parent"));
            };
            if parent == id || level > 1 {
                return Some(fault("/subtask_of", "circular"));
            }
            above = task["subtask_of"].as_i64();
        }
        None
    }

    fn create(&mut self, body: &Value, now: Instant) -> Answer {
        if let Some((id, _)) = self.tasks.iter().find(|(_, task)| task["uid"] == body["uid"]) {
            let mut taken = problem(409, "uid_taken");
            taken.headers.push(("location".to_owned(), format!("/api/1/tasks/{id}")));
            return taken;
        }
        let mut task =
            json!({"status": "pending", "tags": [], "blocked_by": [], "time_zone": "UTC"});
        for (name, value) in body.as_object().into_iter().flatten() {
            task[name.as_str()] = value.clone();
        }
        if let Some(refused) = self.refused(0, &task) {
            return refused;
        }
        let id = self.next_id();
        task["id"] = json!(id);
        task["position"] = json!(format!("a{id:014x}"));
        task["created_at"] = json!(instant::format(now));
        self.write(id, task.clone(), now);
        self.touch_parent(&task, now);
        self.done(201, id, vec![(id, None)])
    }

    fn patch(&mut self, id: i64, body: &Value, now: Instant) -> Answer {
        let old = self.tasks[&id].clone();
        let mut task = old.clone();
        for (name, value) in body.as_object().into_iter().flatten() {
            assert!(WRITABLE.contains(&name.as_str()), "unknown member {name}");
            match (name.as_str(), value.is_null()) {
                ("due_date", false) => task["due_day"] = Value::Null,
                ("due_day", false) => task["due_date"] = Value::Null,
                _ => {}
            }
            task[name.as_str()] = value.clone();
        }
        match (old["status"] == "completed", task["status"] == "completed") {
            (false, true) => task["completed_at"] = json!(instant::format(now)),
            (true, false) => task["completed_at"] = Value::Null,
            _ => {}
        }
        if let Some(refused) = self.refused(id, &task) {
            return refused;
        }
        let same = WRITABLE.iter().all(|name| old[*name] == task[*name]);
        if same {
            return answer(200, old);
        }
        self.write(id, task.clone(), now);
        if old["status"] != task["status"] || old["subtask_of"] != task["subtask_of"] {
            self.touch_parent(&old, now);
            self.touch_parent(&task, now);
        }
        self.done(200, id, vec![(id, Some(old))])
    }

    fn beneath(&self, id: i64) -> Vec<i64> {
        let mut found = Vec::new();
        let mut next = vec![id];
        while let Some(parent) = next.pop() {
            for (id, task) in &self.tasks {
                if task["subtask_of"] == json!(parent) {
                    found.push(*id);
                    next.push(*id);
                }
            }
        }
        found
    }

    fn complete(&mut self, id: i64, along: bool, now: Instant) -> Answer {
        let mut ids = if along { self.beneath(id) } else { Vec::new() };
        ids.push(id);
        let mut before = Vec::new();
        for id in ids {
            let mut task = self.tasks[&id].clone();
            if task["status"] == "completed" {
                continue;
            }
            before.push((id, Some(task.clone())));
            task["status"] = json!("completed");
            task["completed_at"] = json!(instant::format(now));
            self.write(id, task.clone(), now);
            self.touch_parent(&task, now);
        }
        if before.is_empty() {
            return answer(200, self.tasks[&id].clone());
        }
        self.done(200, id, before)
    }

    fn delete(&mut self, id: i64, now: Instant) -> Answer {
        let mut ids = self.beneath(id);
        ids.push(id);
        let old = self.tasks[&id].clone();
        let before: Vec<_> = ids.iter().map(|id| (*id, self.tasks.get(id).cloned())).collect();
        ids.into_iter().for_each(|id| self.remove(id));
        self.touch_parent(&old, now);
        let done = self.done(204, id, before);
        Answer { body: String::new(), ..done }
    }

    fn restore(&mut self, id: i64, now: Instant) -> Answer {
        if let Some(task) = self.tasks.get(&id) {
            return answer(200, task.clone());
        }
        let Some(mut task) = self.trash.remove(&id) else { return problem(404, "not_found") };
        if task["list_id"].as_i64().is_some_and(|list| !self.lists.contains_key(&list)) {
            task["list_id"] = Value::Null;
        }
        if task["subtask_of"].as_i64().is_some_and(|parent| !self.tasks.contains_key(&parent)) {
            task["subtask_of"] = Value::Null;
        }
        self.write(id, task.clone(), now);
        self.touch_parent(&task, now);
        self.done(200, id, vec![(id, None)])
    }

    fn move_task(&mut self, id: i64, body: &Value, now: Instant) -> Answer {
        let old = self.tasks[&id].clone();
        let mut task = old.clone();
        if let Some(list) = body.get("list_id") {
            task["list_id"] = list.clone();
        }
        if let Some(refused) = self.refused(id, &task) {
            return refused;
        }
        for name in ["after", "before"] {
            if let Some(other) = body.get(name).and_then(Value::as_i64) {
                let known = self.tasks.get(&other);
                if known.is_none_or(|other| other["list_id"] != task["list_id"]) || other == id {
                    return fault(&format!("/{name}"), "unknown_neighbour");
                }
            }
        }
        // Where exactly is no concern of the model: each move gives a new, last position.
        task["position"] = json!(format!("b{:014x}", self.revision));
        self.write(id, task, now);
        self.done(200, id, vec![(id, Some(old))])
    }

    fn delete_list(&mut self, id: i64, deletes: bool, now: Instant) -> Answer {
        if self.lists.remove(&id).is_none() {
            return problem(404, "not_found");
        }
        let inside = self.tasks.iter().filter(|(_, task)| task["list_id"] == json!(id));
        for task in inside.map(|(id, _)| *id).collect::<Vec<_>>() {
            if deletes {
                for id in self.beneath(task) {
                    self.remove(id);
                }
                if self.tasks.contains_key(&task) {
                    self.remove(task);
                }
            } else {
                let mut moved = self.tasks[&task].clone();
                moved["list_id"] = Value::Null;
                self.write(task, moved, now);
            }
        }
        self.revision += 1;
        let revision = self.revision;
        self.deletions
            .insert(revision, json!({"op": "delete", "revision": revision, "list_id": id}));
        self.log.push((
            revision,
            json!({"type": "list.updated", "revision": revision, "list_id": id, "list": null})
                .to_string(),
        ));
        answer(204, Value::Null)
    }

    fn tag(&mut self, name: &str, new: Option<&str>, now: Instant) -> Answer {
        let with = self.tasks.iter().filter(|(_, task)| {
            task["tags"].as_array().is_some_and(|tags| tags.contains(&json!(name)))
        });
        let ids: Vec<i64> = with.map(|(id, _)| *id).collect();
        if ids.is_empty() {
            return problem(404, "not_found");
        }
        let mut before = Vec::new();
        for id in ids {
            let mut task = self.tasks[&id].clone();
            before.push((id, Some(task.clone())));
            let tags = task["tags"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let mut tags: BTreeSet<&str> = tags.filter(|tag| *tag != name).collect();
            tags.extend(new);
            task["tags"] = json!(tags);
            self.write(id, task, now);
        }
        let mut done = self.done(200, 0, before);
        done.body = json!({"name": new.unwrap_or(name), "color": null, "count": 1}).to_string();
        done
    }
}
