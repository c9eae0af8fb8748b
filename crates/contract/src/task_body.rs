//! Bodies of the task routes: converts between JSON and the domain's types by the table of
//! [`task_field`](crate::task_field).
//!
//! All faults of a body are reported at once, each with its pointer. An unknown member is refused. A
//! read-only member may be sent back and is ignored.

use rondo_domain::due::Due;
use rondo_domain::instant::{self, Instant};
use rondo_domain::jiff::civil::Time;
use rondo_domain::offset::ReminderOffset;
use rondo_domain::recurrence::{Anchor, Series};
use rondo_domain::step::{LEVELS_MAX, SUBTASKS_MAX};
use rondo_domain::task::{TaskFields, Title, tag_key, title_key};
use rondo_domain::zone::{self, Zone};
use rondo_domain::{Violation, search};
use serde_json::{Map, Value, json};

use crate::body::Reader;
use crate::problem::FieldError;
use crate::recurrence_rule;
use crate::task_field::{self, Access, MOMENTS, TASK_FIELDS};

/// Reads a new task. `default_zone` is used unless the body [names a zone](names_zone).
///
/// # Errors
/// All faults.
pub fn create(
    body: &Value,
    default_zone: &Zone,
    now: Instant,
) -> Result<TaskFields, Vec<FieldError>> {
    read(Reader::of(body)?, default_zone, now)
}

/// Replaces a task: absent fields get their defaults, except for those that PUT keeps.
///
/// # Errors
/// All faults.
pub fn replace(
    current: &TaskFields,
    body: &Value,
    default_zone: &Zone,
    now: Instant,
) -> Result<TaskFields, Vec<FieldError>> {
    let Value::Object(members) = body else { return create(body, default_zone, now) };
    let mut members = members.clone();
    for field in TASK_FIELDS {
        let is_given = members.get(field.name).is_some_and(|value| !value.is_null());
        let is_kept = match field.access {
            Access::Creation { .. } => true,
            _ => field.is_kept && !is_given,
        };
        if let Some(value) = field.write(current).filter(|_| is_kept) {
            members.insert(field.name.to_owned(), value);
        }
    }
    read(Reader::new(&members), default_zone, now)
}

/// Applies a merge patch (RFC 7396): absent fields stay, null sets the default.
///
/// # Errors
/// All faults.
pub fn patch(
    current: &TaskFields,
    body: &Value,
    default_zone: &Zone,
    now: Instant,
) -> Result<TaskFields, Vec<FieldError>> {
    let Value::Object(members) = body else { return create(body, default_zone, now) };
    let mut target = to_json(current);
    if let (Some(Value::Object(rule)), Some(patch)) =
        (target.get_mut("recurrence_rule"), members.get("recurrence_rule"))
    {
        recurrence_rule::switch_form(rule, patch);
    }
    // A moment replaces the day without a time, and the other way round.
    for [date, day] in MOMENTS {
        let is_given = |name| members.get(name).is_some_and(|value| !value.is_null());
        match (is_given(date), is_given(day)) {
            (true, false) => target.remove(day),
            (false, true) => target.remove(date),
            _ => None,
        };
    }
    for (name, value) in members {
        let field = task_field::find(name);
        if !field.is_some_and(|field| matches!(field.access, Access::Creation { .. })) {
            merge(&mut target, name, value);
        }
    }
    read(Reader::new(&target), default_zone, now)
}

/// The fields of a stored task, in the form of responses. The schema of the next release may add fields that
/// this program does not know.
///
/// # Errors
/// If another version of the rules wrote it.
pub fn from_answer(mut task: Value) -> Result<TaskFields, Vec<FieldError>> {
    if let Value::Object(members) = &mut task {
        members.retain(|name, _| task_field::find(name).is_some());
    }
    create(&task, &Zone::utc(), Instant::UNIX_EPOCH)
}

/// The same task in another zone.
///
/// # Errors
/// If its rule never matches there, or it would start after it is due.
pub fn in_zone(
    mut task: TaskFields,
    zone: Zone,
    now: Instant,
) -> Result<TaskFields, Vec<FieldError>> {
    task.time_zone = zone;
    let mut errors = Vec::new();
    if task.starts_after_due() {
        let name = if task.start.is_some_and(Due::is_day) { "/start_day" } else { "/start_date" };
        errors.push(FieldError::of(name, Violation::AfterDue));
    }
    if let Err(violation) = check_series(&task, now) {
        errors.push(FieldError::of("/recurrence_rule", violation));
    }
    if errors.is_empty() { Ok(task) } else { Err(errors) }
}

/// Whether a body names a time zone.
#[must_use]
pub fn names_zone(body: &Value) -> bool {
    body.get("time_zone").is_some_and(|zone| !zone.is_null())
}

fn read(mut reader: Reader<'_>, zone: &Zone, now: Instant) -> Result<TaskFields, Vec<FieldError>> {
    let mut task = TaskFields::new(placeholder_title(), zone.clone());
    for field in TASK_FIELDS {
        match field.access {
            Access::ReadOnly => reader.ignore(field.name),
            Access::Creation { read, .. }
            | Access::Writable { read, .. }
            | Access::Alias { read } => {
                read(&mut reader, &mut task);
            }
        }
    }
    // Checks that involve several fields.
    let [due, start] =
        MOMENTS.map(|names| names.into_iter().find(|name| reader.given(name).is_some()));
    if task.reminder_offset.is_some() && due.is_none() {
        reader.refuse("reminder_offset", Violation::NeedsDueDate);
    }
    if let Some(name) = start.filter(|_| task.starts_after_due()) {
        reader.refuse(name, Violation::AfterDue);
    }
    if let Err(violation) = check_series(&task, now) {
        reader.refuse("recurrence_rule", violation);
    }
    reader.finish().map(|()| task)
}

fn check_series(task: &TaskFields, now: Instant) -> Result<(), Violation> {
    let Some(rule) = &task.recurrence_rule else { return Ok(()) };
    Series::new(rule.clone(), anchor(task, now), task.time_zone.clone()).validate()
}

/// Takes the place of a refused title until the other fields have been read.
fn placeholder_title() -> Title {
    Title::parse("-").unwrap_or_else(|violation| unreachable!("{violation}"))
}

/// RFC 7396, section 2, for one member.
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

/// Where a series of this task would start: when it is due, or now.
#[must_use]
pub fn anchor(fields: &TaskFields, now: Instant) -> Anchor {
    Anchor::of(fields.due.unwrap_or(Due::At(now)), &fields.time_zone)
}

/// The fields that clients set, in the form of responses.
#[must_use]
pub fn to_json(task: &TaskFields) -> Map<String, Value> {
    let written = |field: &task_field::TaskField| Some((field.name.to_owned(), field.write(task)?));
    TASK_FIELDS.iter().filter_map(written).collect()
}

/// The argument of the database functions: the fields that clients set, and values derived from them.
/// `further` are the offsets of the task's further reminders. Reminders of a day count from `day_time`.
#[must_use]
pub fn to_stored(
    fields: &TaskFields,
    further: &[ReminderOffset],
    day_time: Time,
    now: Instant,
) -> Value {
    let mut members = to_json(fields);
    members.extend(moments(fields, further, day_time));
    let tag_keys: Vec<String> = fields.tags.as_slice().iter().map(|tag| tag_key(tag)).collect();
    members.insert("tag_keys".to_owned(), tag_keys.into());
    let search_text = search::search_text(&fields.title, fields.description.as_ref());
    members.insert("search_pieces".to_owned(), search::pieces(&search_text).into());
    members.insert("search_text".to_owned(), search_text.into());
    members.insert("title_key".to_owned(), title_key(fields.title.as_str()).into());
    if fields.subtask_of.is_some() {
        members.insert("levels_max".to_owned(), LEVELS_MAX.into());
        members.insert("subtasks_max".to_owned(), SUBTASKS_MAX.into());
    }
    if let Some(rule) = &fields.recurrence_rule {
        members.insert("counts_completions".to_owned(), rule.counts_completions().into());
        let anchor = anchor(fields, now);
        members.insert("anchor".to_owned(), anchor.local().to_string().into());
        members.insert("of_days".to_owned(), anchor.is_day().into());
    }
    Value::Object(members)
}

/// The instants and days of a task and its reminders, as the database stores them.
#[must_use]
pub fn moments(
    fields: &TaskFields,
    further: &[ReminderOffset],
    day_time: Time,
) -> Map<String, Value> {
    let mut members =
        moment_members(fields.due, fields.start, fields.remind_at(day_time), &fields.time_zone);
    let further = further.iter().map(|offset| {
        let moment = fields.due.map(|due| due.remind_at(*offset, &fields.time_zone, day_time));
        (offset.to_string(), text(moment))
    });
    members.insert("further".to_owned(), Value::Object(further.collect()));
    members
}

/// The instants and days of a task and its own reminder, as the database stores them.
#[must_use]
pub fn moment_members(
    due: Option<Due>,
    start: Option<Due>,
    remind_at: Option<Instant>,
    zone: &Zone,
) -> Map<String, Value> {
    let day = |due: Option<Due>| Value::from(due.and_then(Due::day).map(|day| day.to_string()));
    let members = [
        ("due_at", text(due.map(|due| due.end(zone)))),
        ("due_day", day(due)),
        ("start_at", text(start.map(|start| start.start(zone)))),
        ("start_day", day(start)),
        ("remind_at", text(remind_at)),
        ("zone_data", zone::database_version().into()),
    ];
    members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

fn text(instant: Option<Instant>) -> Value {
    instant.map(instant::format).into()
}

#[cfg(test)]
mod tests {
    use rondo_domain::due::DAY_REMINDER_TIME;
    use rondo_domain::task::Status;

    use super::*;

    fn parsed(body: Value) -> Result<TaskFields, Vec<FieldError>> {
        create(&body, &Zone::utc(), Instant::UNIX_EPOCH)
    }

    fn check(body: Value, expected: &[(&str, &str)]) {
        let errors = parsed(body.clone()).err().unwrap_or_default();
        let mut found: Vec<_> = errors.iter().map(|e| (e.pointer.as_str(), &*e.code)).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn all_faults_are_reported_at_once() {
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
    fn the_tasks_that_block_another_are_named_by_ids() {
        let body = |blockers: Value| json!({"title": "t", "blocked_by": blockers});
        check(body(json!([1, 2, 1])), &[]);
        check(body(Value::Null), &[]);
        check(body(json!(7)), &[("/blocked_by", "malformed")]);
        let bad = json!([0, 1, "2", 1.5]);
        let places = [
            ("/blocked_by/0", "out_of_range"),
            ("/blocked_by/2", "malformed"),
            ("/blocked_by/3", "malformed"),
        ];
        check(body(bad), &places);
        let many: Vec<i64> = (1..=51).collect();
        check(body(json!(many)), &[("/blocked_by", "too_many")]);
        check(json!({"title": "t", "subtask_of": 0}), &[("/subtask_of", "out_of_range")]);
    }

    #[test]
    fn an_answered_task_can_be_sent_back() {
        let task = json!({"title": "t", "description": "d", "status": "in_progress", "priority": "low",
            "tags": ["b", "A"], "list_id": 7, "subtask_of": 4, "subtasks": {"total": 2, "completed": 1},
            "blocked_by": [9, 3, 9], "estimate": 45, "due_date": "2031-01-31T10:00:00+02:00", "time_zone": "Europe/Paris",
            "reminder_offset": 3600,
            "recurrence_rule": {"frequency": "weekly", "days_of_week": [2, 0], "count": 3}});
        let fields = parsed(task).unwrap();
        let answered = Value::Object(to_json(&fields));
        assert_eq!(answered["due_date"], "2031-01-31T08:00:00Z");
        assert_eq!(answered["reminder_offset"], "PT1H");
        assert_eq!(answered["blocked_by"], json!([3, 9]));
        assert_eq!(answered.get("subtasks"), None);
        assert_eq!(answered["recurrence_rule"]["days_of_week"], json!([0, 2]));
        assert_eq!(from_answer(answered.clone()).unwrap(), fields);
        let mut later = answered;
        later["a_field_of_the_next_release"] = json!(1);
        assert_eq!(from_answer(later).unwrap(), fields);
        let day = ReminderOffset::parse("P1D").unwrap();
        let stored = to_stored(&fields, &[day], DAY_REMINDER_TIME, Instant::UNIX_EPOCH);
        assert_eq!(stored["further"], json!({"P1D": "2031-01-30T08:00:00Z"}));
        assert_eq!(stored["remind_at"], "2031-01-31T07:00:00Z");
        assert_eq!(stored["anchor"], "2031-01-31T09:00:00");
        assert_eq!((&stored["levels_max"], &stored["subtasks_max"]), (&json!(3), &json!(200)));
    }

    #[test]
    fn a_task_is_due_at_a_moment_or_on_a_day() {
        let due = json!({"title": "t", "due_day": "2031-03-30", "start_day": "2031-03-28", "reminder_offset": "P1D",
            "time_zone": "Europe/Paris", "recurrence_pattern": "weekly"});
        let fields = parsed(due).unwrap();
        let stored = to_stored(&fields, &[], DAY_REMINDER_TIME, Instant::UNIX_EPOCH);
        for (member, expected) in [
            ("due_date", Value::Null),
            ("due_day", json!("2031-03-30")),
            ("due_at", json!("2031-03-30T21:59:59.999999Z")),
            ("start_day", json!("2031-03-28")),
            ("start_at", json!("2031-03-27T23:00:00Z")),
            ("remind_at", json!("2031-03-29T08:00:00Z")),
            ("anchor", json!("2031-03-30T00:00:00")),
            ("of_days", json!(true)),
        ] {
            assert_eq!(stored[member], expected, "{member}");
        }
        assert_eq!(from_answer(Value::Object(to_json(&fields))).unwrap(), fields);
        let patched = |body: Value| {
            let task =
                patch(&fields, &body, &Zone::utc(), Instant::UNIX_EPOCH).map(|t| to_json(&t));
            task.map(|task| (task["due_date"].clone(), task["due_day"].clone()))
        };
        let moment = json!("2031-03-30T12:00:00Z");
        assert_eq!(patched(json!({"due_date": moment})).unwrap(), (moment.clone(), Value::Null));
        assert_eq!(patched(json!({"title": "u"})).unwrap(), (Value::Null, json!("2031-03-30")));
        let without = json!({"due_day": null, "reminder_offset": null, "start_day": null});
        assert_eq!(patched(without).unwrap(), (Value::Null, Value::Null));
        check(json!({"title": "t", "due_day": "30.3.2031"}), &[("/due_day", "malformed")]);
        check(
            json!({"title": "t", "due_day": "2031-03-30", "due_date": moment}),
            &[("/due_day", "conflict")],
        );
        check(
            json!({"title": "t", "due_day": "2031-03-30", "start_day": "2031-03-31"}),
            &[("/start_day", "after_due")],
        );
        check(
            json!({"title": "t", "due_day": "2031-03-30", "start_date": "2031-03-30T23:00:00Z"}),
            &[],
        );
        check(
            json!({"title": "t", "due_day": "2031-03-30", "recurrence_rule": {"rrule": "FREQ=DAILY;BYHOUR=9"}}),
            &[("/recurrence_rule", "malformed")],
        );
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
    fn a_patch_keeps_absent_fields_and_null_clears() {
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

    #[test]
    fn a_replacement_keeps_only_the_status() {
        let current = parsed(json!({"title": "t", "status": "in_progress", "priority": "high"}));
        let current = current.unwrap();
        let replaced = |body: Value| replace(&current, &body, &Zone::utc(), Instant::UNIX_EPOCH);
        for body in [json!({"title": "u"}), json!({"title": "u", "status": null})] {
            let task = replaced(body).unwrap();
            assert_eq!(
                (task.title.as_str(), task.status, task.priority),
                ("u", Status::InProgress, None)
            );
        }
        let task = replaced(json!({"title": "u", "status": "completed", "id": 7})).unwrap();
        assert_eq!(task.status, Status::Completed);
        assert_eq!(replaced(json!({})).unwrap_err()[0].pointer, "/title");
        assert_eq!(replaced(json!([])).unwrap_err()[0].pointer, "");
    }
}
