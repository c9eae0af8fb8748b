//! The quick-add line: the task that a line stands for, as the server would create it.

use rondo_contract::problem::FieldError;
use rondo_contract::quick_add_body;
use rondo_domain::due::Settings;
use rondo_domain::instant::Instant;
use serde_json::Value;

use crate::device::Device;
use crate::edit::{Edit, Members};
use crate::member;
use crate::notice::Fault;

impl Device {
    /// What a line stands for, as `POST /api/quick-add?preview=true` answers. `line` is that request's body: `{text,
    /// time_zone?, language?, ignored?}`.
    ///
    /// # Errors
    /// All faults.
    pub fn preview(&self, line: &Members, now: Instant) -> Result<Value, Vec<Fault>> {
        self.read_line(line, now).map_err(|errors| errors.into_iter().map(Fault::from).collect())
    }

    fn read_line(&self, line: &Members, now: Instant) -> Result<Value, Vec<FieldError>> {
        let mut line = quick_add_body::parse(line)?;
        line.lists = self.lists.values().map(|list| (list.id, list.name.clone())).collect();
        let zone = line.time_zone.clone().unwrap_or_else(|| self.zone());
        let found = line.read(&zone, now)?;
        let day_reminder_time = self.account.day_reminder_time();
        let user = Settings { time_zone: zone, day_reminder_time };
        let planned = line.plan(&found, &user, now)?;
        Ok(line.preview(&found, &planned))
    }

    /// Creates the task of a line, with members that the place of the line gives, such as its list. Returns its uid.
    ///
    /// # Errors
    /// All faults.
    pub fn add_line(
        &mut self,
        line: &Members,
        more: &Members,
        now: Instant,
    ) -> Result<String, Vec<Fault>> {
        let preview = self.preview(line, now)?;
        let mut task = preview["task"].as_object().cloned().unwrap_or_default();
        task.remove("uid");
        task.retain(|_, value| !value.is_null());
        // The line's own words count more than its place.
        for (name, value) in more {
            let is_said = member::together(name).into_iter().any(|name| task.contains_key(name));
            if name == "tags" {
                let tags = task.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()));
                if let (Value::Array(tags), Value::Array(others)) = (tags, value) {
                    tags.extend(others.iter().cloned());
                }
            } else if !is_said {
                task.insert(name.clone(), value.clone());
            }
        }
        let uid = self.random.name();
        let mut edits = vec![Edit::Create { uid: uid.clone(), id: 0, task }];
        for reminder in preview["further_reminders"].as_array().into_iter().flatten() {
            let name = if reminder["offset"].is_null() { "remind_at" } else { "offset" };
            let members = Members::from_iter([(name.to_owned(), reminder[name].clone())]);
            edits.push(Edit::add_reminder(&uid, members));
        }
        self.edit(edits, now)?;
        Ok(uid)
    }
}
