//! Bodies of the task routes: from JSON to the rules' types and back.
//!
//! All that is wrong with a body is told at once, each with its pointer. A member that is not known
//! is refused, so that a misspelt one is never silently lost; read-only ones may be sent back.

use rondo_domain::Violation;
use rondo_domain::instant::{self, Instant};
use rondo_domain::offset::ReminderOffset;
use rondo_domain::recurrence::{self, Frequency, Rule, Series};
use rondo_domain::task::{Description, Priority, Status, Tags, TaskFields, Title, tag_key};
use rondo_domain::zone::Zone;
use rondo_domain::{fold, search};
use serde_json::{Map, Value, json};

use crate::problem::FieldError;
use crate::recurrence_rule;

/// Members that a client may send back and that are ignored.
pub const READ_ONLY: [&str; 7] =
    ["id", "user_id", "revision", "parent_task_id", "created_at", "updated_at", "completed_at"];
const WRITABLE: [&str; 10] = [
    "title",
    "description",
    "status",
    "priority",
    "tags",
    "due_date",
    "time_zone",
    "reminder_offset",
    "recurrence_rule",
    "recurrence_pattern",
];
/// Reads a whole task: what is left out has its default, `default_status` and `default_zone` among
/// them. The zone of a body says itself whether the default is needed; see [`names_zone`].
///
/// # Errors
/// Everything that is wrong.
pub fn parse(
    body: &Value,
    default_status: Status,
    default_zone: &Zone,
    now: Instant,
) -> Result<TaskFields, Vec<FieldError>> {
    let Value::Object(members) = body else { return Err(vec![not_an_object("")]) };
    let mut reader = Reader::new(members);
    let fields = TaskFields {
        title: reader.title().unwrap_or_else(|| reader.placeholder_title()),
        description: reader.description(),
        status: reader.word("status", Status::parse).unwrap_or(default_status),
        priority: reader.word("priority", Priority::parse),
        tags: reader.tags(),
        due_date: reader
            .text("due_date")
            .and_then(|text| reader.take("/due_date", instant::parse(text))),
        time_zone: reader
            .text("time_zone")
            .and_then(|name| reader.take("/time_zone", Zone::parse(name)))
            .unwrap_or_else(|| default_zone.clone()),
        reminder_offset: reader.reminder_offset(),
        recurrence_rule: reader.rule(),
    };
    reader.finish(fields, now)
}

/// Applies a merge patch (RFC 7396): what is left out stays, null clears.
///
/// # Errors
/// Everything that is wrong.
pub fn patch(
    current: &TaskFields,
    body: &Value,
    default_zone: &Zone,
    now: Instant,
) -> Result<TaskFields, Vec<FieldError>> {
    let Value::Object(members) = body else { return Err(vec![not_an_object("")]) };
    let mut target = to_json(current);
    if let (Some(Value::Object(rule)), Some(patch)) =
        (target.get_mut("recurrence_rule"), members.get("recurrence_rule"))
    {
        recurrence_rule::switch_form(rule, patch);
    }
    for (name, value) in members {
        merge(&mut target, name, value);
    }
    parse(&Value::Object(target), Status::Pending, default_zone, now)
}

/// Whether a body names a time zone itself.
#[must_use]
pub fn names_zone(body: &Value) -> bool {
    body.get("time_zone").is_some_and(|zone| !zone.is_null())
}

/// The rule of RFC 7396, section 2, for one member.
fn merge(target: &mut Map<String, Value>, name: &str, value: &Value) {
    // The short form replaces the rule.
    if name == "recurrence_pattern" && !value.is_null() {
        target.remove("recurrence_rule");
    }
    match value {
        Value::Null => {
            target.remove(name);
        }
        Value::Object(members) => {
            let inner = target.entry(name).or_insert_with(|| json!({}));
            if !inner.is_object() {
                *inner = json!({});
            }
            if let Value::Object(inner) = inner {
                for (name, value) in members {
                    merge(inner, name, value);
                }
            }
        }
        value => {
            target.insert(name.to_owned(), value.clone());
        }
    }
}

pub(crate) fn not_an_object(pointer: &str) -> FieldError {
    FieldError::of(pointer, Violation::Malformed { expected: "a JSON object" })
}

/// Reads members and notes what is wrong with them.
pub(crate) struct Reader<'a> {
    pub(crate) members: &'a Map<String, Value>,
    pub(crate) errors: Vec<FieldError>,
}

impl<'a> Reader<'a> {
    fn new(members: &'a Map<String, Value>) -> Self {
        let known = |name: &&String| {
            WRITABLE.contains(&name.as_str()) || READ_ONLY.contains(&name.as_str())
        };
        let errors = members
            .keys()
            .filter(|name| !known(name))
            .map(|name| FieldError::unknown_member(name))
            .collect();
        Self { members, errors }
    }

    pub(crate) fn given(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn take<T>(&mut self, pointer: &str, result: Result<T, Violation>) -> Option<T> {
        result.map_err(|violation| self.errors.push(FieldError::of(pointer, violation))).ok()
    }

    pub(crate) fn text(&mut self, name: &str) -> Option<&'a str> {
        let value = self.given(name)?;
        let text = value.as_str().ok_or(Violation::Malformed { expected: "a string" });
        self.take(&format!("/{name}"), text)
    }

    pub(crate) fn word<T>(
        &mut self,
        name: &str,
        parse: fn(&str) -> Result<T, Violation>,
    ) -> Option<T> {
        let text = self.text(name)?;
        self.take(&format!("/{name}"), parse(text))
    }

    fn title(&mut self) -> Option<Title> {
        if self.given("title").is_none() {
            self.errors.push(FieldError::of("/title", Violation::Required));
            return None;
        }
        let text = self.text("title")?;
        self.take("/title", Title::parse(text))
    }

    /// Stands in for a title that was refused, until everything else has been looked at.
    fn placeholder_title(&mut self) -> Title {
        Title::parse("-").unwrap_or_else(|violation| unreachable!("{violation}"))
    }

    fn description(&mut self) -> Option<Description> {
        let text = self.text("description")?;
        self.take("/description", Description::parse(text))
    }

    fn tags(&mut self) -> Tags {
        let Some(value) = self.given("tags") else { return Tags::default() };
        let Some(items) = value.as_array() else {
            let violation = Violation::Malformed { expected: "a list of strings" };
            self.errors.push(FieldError::of("/tags", violation));
            return Tags::default();
        };
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match item.as_str() {
                Some(text) => texts.push(text),
                None => self.errors.push(FieldError::of(
                    &format!("/tags/{index}"),
                    Violation::Malformed { expected: "a string" },
                )),
            }
        }
        Tags::parse(texts).unwrap_or_else(|faults| {
            self.errors.extend(faults.iter().map(|fault| FieldError::inside("/tags", fault)));
            Tags::default()
        })
    }

    fn reminder_offset(&mut self) -> Option<ReminderOffset> {
        let offset = duration(self.given("reminder_offset")?);
        self.take("/reminder_offset", offset)
    }

    fn rule(&mut self) -> Option<Rule> {
        if let Some(pattern) = self.word("recurrence_pattern", Frequency::parse) {
            if self.given("recurrence_rule").is_some() {
                let other = Violation::Conflict { other: "recurrence_rule" };
                self.errors.push(FieldError::of("/recurrence_pattern", other));
            }
            return Some(Rule::every(pattern));
        }
        let value = self.given("recurrence_rule")?;
        recurrence_rule::from_json(value)
            .map_err(|errors| {
                self.errors.extend(errors.into_iter().map(|error| FieldError {
                    pointer: format!("/recurrence_rule{}", error.pointer),
                    ..error
                }));
            })
            .ok()
    }

    /// What concerns several members together.
    fn finish(mut self, fields: TaskFields, now: Instant) -> Result<TaskFields, Vec<FieldError>> {
        if fields.reminder_offset.is_some() && self.given("due_date").is_none() {
            self.errors.push(FieldError::of("/reminder_offset", Violation::NeedsDueDate));
        }
        if let Some(rule) = &fields.recurrence_rule {
            let series = Series::new(rule.clone(), anchor(&fields, now), fields.time_zone.clone());
            if let Err(violation) = series.validate() {
                self.errors.push(FieldError::of("/recurrence_rule", violation));
            }
        }
        if self.errors.is_empty() { Ok(fields) } else { Err(self.errors) }
    }
}

/// A span of time: an ISO 8601 duration, or a number of seconds.
pub(crate) fn duration(value: &Value) -> Result<ReminderOffset, Violation> {
    const EXPECTED: &str = "an ISO 8601 duration such as PT1H, or a number of seconds";
    match value {
        Value::String(text) => ReminderOffset::parse(text),
        value => value
            .as_i64()
            .ok_or(Violation::Malformed { expected: EXPECTED })
            .and_then(ReminderOffset::from_seconds),
    }
}

/// Local date and time at which a series of this task would start: its due date's, otherwise now.
#[must_use]
pub fn anchor(fields: &TaskFields, now: Instant) -> rondo_domain::jiff::civil::DateTime {
    recurrence::anchor_of(fields.due_date.unwrap_or(now), &fields.time_zone)
}

/// The writable members, as they are answered.
#[must_use]
pub fn to_json(fields: &TaskFields) -> Map<String, Value> {
    let members = json!({
        "title": fields.title.as_str(),
        "description": fields.description.as_ref().map(Description::as_str),
        "status": fields.status.as_str(),
        "priority": fields.priority.map(Priority::as_str),
        "tags": fields.tags.as_slice(),
        "due_date": fields.due_date.map(instant::format),
        "time_zone": fields.time_zone.name(),
        "reminder_offset": fields.reminder_offset.map(|offset| offset.to_string()),
        "recurrence_rule": fields.recurrence_rule.as_ref().map(recurrence_rule::to_json),
    });
    match members {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// What the database functions take: the writable members and what is derived from them. `further`
/// are the offsets of the task's further reminders.
#[must_use]
pub fn to_stored(fields: &TaskFields, further: &[ReminderOffset], now: Instant) -> Value {
    let mut members = to_json(fields);
    let tag_keys: Vec<String> = fields.tags.as_slice().iter().map(|tag| tag_key(tag)).collect();
    members.insert("tag_keys".to_owned(), tag_keys.into());
    let search_text = fold::search_text(&fields.title, fields.description.as_ref());
    members.insert("search_pieces".to_owned(), search::pieces(&search_text).into());
    members.insert("search_text".to_owned(), search_text.into());
    members.insert("title_key".to_owned(), fold::title_key(fields.title.as_str()).into());
    members.insert("remind_at".to_owned(), fields.remind_at().map(instant::format).into());
    let moments = further.iter().map(|offset| {
        let moment = fields.due_date.map(|due| offset.remind_at(due, &fields.time_zone));
        (offset.to_string(), moment.map(instant::format).into())
    });
    members.insert("further".to_owned(), Value::Object(moments.collect()));
    if fields.recurrence_rule.is_some() {
        members.insert("anchor".to_owned(), anchor(fields, now).to_string().into());
    }
    Value::Object(members)
}

/// The fields of a task as it is answered, which this program has written itself.
///
/// # Errors
/// When another version of the rules has written it.
pub fn from_answer(task: &Value) -> Result<TaskFields, Vec<FieldError>> {
    parse(task, Status::Pending, &Zone::utc(), Instant::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: Value) -> Result<TaskFields, Vec<FieldError>> {
        parse(&body, Status::Pending, &Zone::utc(), Instant::UNIX_EPOCH)
    }

    fn check(body: Value, expected: &[(&str, &str)]) {
        let errors = parsed(body.clone()).err().unwrap_or_default();
        let mut found: Vec<_> = errors.iter().map(|e| (e.pointer.as_str(), &*e.code)).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        check(json!({"title": "t"}), &[]);
        check(json!({}), &[("/title", "required")]);
        check(json!([]), &[("", "malformed")]);
        check(
            json!({"title": "", "prioritty": "high", "status": "done", "tags": ["a", 1],
                   "reminder_offset": "PT1H", "id": 7}),
            &[
                ("/prioritty", "unknown_member"),
                ("/reminder_offset", "needs_due_date"),
                ("/status", "unknown_value"),
                ("/tags/1", "malformed"),
                ("/title", "required"),
            ],
        );
        check(
            json!({"title": "t", "recurrence_rule": {"frequency": "daily", "interval": 0, "x": 1}}),
            &[
                ("/recurrence_rule/interval", "out_of_range"),
                ("/recurrence_rule/x", "unknown_member"),
            ],
        );
        check(
            json!({"title": "t", "recurrence_rule": {"frequency": "hourly"}}),
            &[("/recurrence_rule/frequency", "unknown_value")],
        );
    }

    #[test]
    fn what_is_answered_can_be_sent_back() {
        let task = json!({"title": "t", "description": "d", "status": "in_progress", "priority": "low",
            "tags": ["b", "A"], "due_date": "2031-01-31T10:00:00+02:00", "time_zone": "Europe/Paris",
            "reminder_offset": 3600,
            "recurrence_rule": {"frequency": "weekly", "days_of_week": [2, 0], "count": 3}});
        let fields = parsed(task).unwrap();
        let answered = Value::Object(to_json(&fields));
        assert_eq!(answered["due_date"], "2031-01-31T08:00:00Z");
        assert_eq!(answered["reminder_offset"], "PT1H");
        assert_eq!(answered["recurrence_rule"]["days_of_week"], json!([0, 2]));
        assert_eq!(from_answer(&answered).unwrap(), fields);
        let day = ReminderOffset::parse("P1D").unwrap();
        let stored = to_stored(&fields, &[day], Instant::UNIX_EPOCH);
        assert_eq!(stored["further"], json!({"P1D": "2031-01-30T08:00:00Z"}));
        assert_eq!(stored["remind_at"], "2031-01-31T07:00:00Z");
        assert_eq!(stored["anchor"], "2031-01-31T09:00:00");
    }

    #[test]
    fn a_patch_can_change_the_form_of_the_rule() {
        let patched = |rule: Value, body: Value| {
            let current = parsed(json!({"title": "t", "recurrence_rule": rule})).unwrap();
            let body = json!({ "recurrence_rule": body });
            let rule = patch(&current, &body, &Zone::utc(), Instant::UNIX_EPOCH).unwrap();
            recurrence_rule::to_json(&rule.recurrence_rule.unwrap())
        };
        let weekly = json!({"frequency": "weekly", "days_of_week": [0], "basis": "completion"});
        let rule = patched(weekly, json!({"rrule": "FREQ=DAILY"}));
        assert_eq!((&rule["rrule"], &rule["frequency"]), (&json!("FREQ=DAILY"), &Value::Null));
        assert_eq!(rule["basis"], "completion");
        let rule = patched(json!({"rrule": "FREQ=DAILY"}), json!({"frequency": "daily"}));
        assert_eq!((&rule["rrule"], &rule["month_end"]), (&Value::Null, &json!("clamp")));
        let rule = patched(json!({"rrule": "FREQ=DAILY"}), json!({"catch_up": "all"}));
        assert_eq!((&rule["rrule"], &rule["catch_up"]), (&json!("FREQ=DAILY"), &json!("all")));
    }

    #[test]
    fn a_patch_keeps_what_it_leaves_out_and_null_clears() {
        let current = parsed(json!({"title": "t", "priority": "high", "tags": ["a"],
            "recurrence_rule": {"frequency": "daily", "interval": 2}}))
        .unwrap();
        let patched = |body: Value| patch(&current, &body, &Zone::utc(), Instant::UNIX_EPOCH);
        assert_eq!(patched(json!({})).unwrap(), current);
        let changed =
            patched(json!({"priority": null, "recurrence_rule": {"interval": 3}})).unwrap();
        assert_eq!(changed.priority, None);
        assert_eq!(changed.tags, current.tags);
        let rule = recurrence_rule::to_json(&changed.recurrence_rule.unwrap());
        assert_eq!((&rule["frequency"], &rule["interval"]), (&json!("daily"), &json!(3)));
        assert_eq!(patched(json!({"recurrence_rule": null})).unwrap().recurrence_rule, None);
        assert_eq!(patched(json!({"title": null})).unwrap_err()[0].pointer, "/title");
    }
}
