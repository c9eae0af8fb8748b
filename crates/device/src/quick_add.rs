//! The quick-add line: the task that a line stands for, as the server would create it.

use rondo_contract::problem::FieldError;
use rondo_contract::quick_add_body;
use rondo_domain::due::Settings;
use rondo_domain::instant::Instant;
use serde_json::Value;

use crate::device::Device;
use crate::edit::{Edit, Members, members};
use crate::notice::Fault;

impl Device {
    /// What a line stands for, as `POST /api/quick-add?preview=true` answers. `line` is that request's body: `{text,
    /// time_zone?, language?, ignored?}`.
    ///
    /// # Errors
    /// All faults.
    pub fn preview(&self, line: &Members, now: Instant) -> Result<Value, Vec<Fault>> {
        if let Some(name) = self.missing_own_zone() {
            let detail = format!("the time zone {name} is still to be loaded");
            let (pointer, code) = ("/time_zone".to_owned(), "not_found".to_owned());
            return Err(vec![Fault { pointer, code, detail }]);
        }
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

    /// Creates the task of a line, with members that the place of the line gives, such as its list, where the line says
    /// nothing else. Returns its uid.
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
        add_of_place(&mut task, more);
        let uid = self.random.name();
        let mut edits = vec![Edit::Create { uid: uid.clone(), id: 0, task }];
        for reminder in preview["further_reminders"].as_array().into_iter().flatten() {
            let name = if reminder["offset"].is_null() { "remind_at" } else { "offset" };
            let reminder = members([(name.to_owned(), reminder[name].clone())]);
            edits.push(Edit::add_reminder(&uid, reminder));
        }
        self.edit(edits, now)?;
        Ok(uid)
    }
}

/// Adds what the place of a line gives. A date of the line's own keeps its place's day away; tags are joined.
fn add_of_place(task: &mut Members, more: &Members) {
    let has_date = task.contains_key("due_date");
    for (name, value) in more {
        match (task.get_mut(name), value) {
            (Some(Value::Array(own)), Value::Array(others)) => {
                let new: Vec<_> =
                    others.iter().filter(|other| !own.contains(other)).cloned().collect();
                own.extend(new);
            }
            (Some(_), _) => {}
            (None, _) if name == "due_day" && has_date => {}
            (None, value) => {
                task.insert(name.clone(), value.clone());
            }
        }
    }
}
