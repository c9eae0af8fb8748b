//! Undo, and the feed of changes.

use std::collections::BTreeSet;

use rondo_device::Answer;
use rondo_device::domain::instant::Instant;
use serde_json::{Map, Value, json};

use super::{Server, answer, integer, problem};

impl Server {
    pub(super) fn undo(&mut self, body: &Value, now: Instant) -> Answer {
        let token = body["token"].as_str().unwrap_or_default();
        let Some(parts) = self.undo.get(token).cloned() else {
            return problem(410, "undo_expired");
        };
        if parts.iter().any(|(id, _, revision)| self.revision_of(*id) != *revision) {
            return problem(412, "changed_since");
        }
        self.undo.remove(token);
        let mut results = Vec::new();
        let mut before = Vec::new();
        let back: BTreeSet<i64> =
            parts.iter().filter(|(_, old, _)| old.is_some()).map(|(id, ..)| *id).collect();
        for (id, old, _) in parts {
            before.push((id, self.tasks.get(&id).cloned()));
            match old {
                Some(mut old) => {
                    self.trash.remove(&id);
                    if old["list_id"].as_i64().is_some_and(|id| !self.lists.contains_key(&id)) {
                        old["list_id"] = Value::Null;
                    }
                    let is_gone = |id: i64| !self.tasks.contains_key(&id) && !back.contains(&id);
                    if old["subtask_of"].as_i64().is_some_and(is_gone) {
                        old["subtask_of"] = Value::Null;
                    }
                    self.write(id, old, now);
                    results.push(json!({"status": 200, "id": id, "task": self.tasks[&id]}));
                }
                None => {
                    for beneath in self.beneath(id) {
                        self.remove(beneath);
                    }
                    self.remove(id);
                    results.push(json!({"status": 204, "id": id}));
                }
            }
        }
        let mut done = self.done(200, 0, before);
        done.body = json!({ "results": results }).to_string();
        done
    }

    pub(super) fn changes(&self, query: &str) -> Answer {
        let parameters: Map<String, Value> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        let number = |name: &str| {
            let text = parameters.get(name).and_then(Value::as_str);
            text.and_then(|text| text.parse::<i64>().ok())
        };
        let after = number("since").or(number("cursor")).unwrap_or_default();
        let is_continued = parameters.contains_key("cursor");
        if !is_continued && (after > self.revision || after != 0 && after < self.horizon) {
            return problem(410, "reset_required");
        }
        // Small pages, so that changes come between them.
        let all = self.since(after);
        let page: Vec<Value> = all.iter().take(3).map(|(_, change)| change.clone()).collect();
        let has_more = all.len() > page.len();
        let revision = if has_more { all[page.len() - 1].0 } else { self.revision };
        let cursor = has_more.then(|| revision.to_string());
        answer(
            200,
            json!({"changes": page, "revision": revision, "has_more": has_more, "cursor": cursor}),
        )
    }

    /// What changed since a revision, in order, each once.
    pub fn since(&self, after: i64) -> Vec<(i64, Value)> {
        let upsert = |name: &'static str| {
            move |value: &Value| {
                let revision = integer(&value["revision"]);
                (revision, json!({"op": "upsert", "revision": revision, name: value}))
            }
        };
        let alive = |change: &Value| {
            let id = |name: &str| change[name].as_i64().unwrap_or_default();
            self.tasks.contains_key(&id("task_id")) || self.lists.contains_key(&id("list_id"))
        };
        let deletions = self.deletions.iter().filter(|(_, change)| !alive(change));
        let mut all: Vec<(i64, Value)> = self
            .tasks
            .values()
            .map(upsert("task"))
            .chain(self.lists.values().map(upsert("list")))
            .chain(deletions.map(|(revision, change)| (*revision, change.clone())))
            .filter(|(revision, _)| *revision > after)
            .collect();
        all.sort_by_key(|(revision, _)| *revision);
        all
    }
}
