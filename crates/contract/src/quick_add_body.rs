//! Quick add on the wire: the body with a line, the task that the line stands for, and its preview.

use std::ops::Range;

use rondo_domain::Violation;
use rondo_domain::due::{Due, Settings};
use rondo_domain::instant::{self, Instant};
use rondo_domain::offset::ReminderOffset;
use rondo_domain::quick_add::{self, Context, Language, QuickAdd, Reminder};
use rondo_domain::task::{Description, Tags, TaskFields, Title};
use rondo_domain::zone::Zone;
use serde_json::{Map, Value, json};

use crate::body::{Reader, id, integer, text};
use crate::problem::FieldError;
use crate::reminder_body::{FURTHER_REMINDERS_MAX, Moment, planned};
use crate::task_body;

/// The language of a line whose body names none.
pub const LANGUAGE_DEFAULT: Language = Language::English;
/// Maximum number of ranges that a body switches off.
pub const IGNORED_MAX: usize = 100;
/// The member that every fault of the line is about.
const POINTER: &str = "/text";

/// A body of quick add.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub text: String,
    pub time_zone: Option<Zone>,
    /// The list of the task unless the text names another.
    pub list_id: Option<i64>,
    /// The user's lists that the text may name: id and name. The caller fills them in.
    pub lists: Vec<(i64, String)>,
    language: Language,
    /// In bytes.
    ignored: Vec<Range<usize>>,
}

/// The task that a line stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    pub task: TaskFields,
    /// Reminders beside the task's own: the offset, if it is one, and the moment.
    pub further: Vec<(Option<ReminderOffset>, Instant)>,
}

/// Reads `{text, time_zone?, language?, list_id?, ignored?}`. Positions in `ignored` are in characters.
///
/// # Errors
/// All faults.
pub fn parse(members: &Map<String, Value>) -> Result<Line, Vec<FieldError>> {
    let mut reader = Reader::new(members);
    let line = reader.required("text", text(|text| Ok(text.to_owned())));
    let time_zone = reader.optional("time_zone", text(Zone::parse));
    let language = reader.optional("language", text(Language::parse));
    let list_id = reader.optional("list_id", id);
    let ignored = reader.nested("ignored", ranges);
    reader.finish()?;
    let text = line.unwrap_or_default();
    let byte =
        |character: usize| text.char_indices().nth(character).map_or(text.len(), |(byte, _)| byte);
    let ignored = ignored.unwrap_or_default();
    let ignored = ignored.iter().map(|range| byte(range.start)..byte(range.end)).collect();
    let language = language.unwrap_or(LANGUAGE_DEFAULT);
    Ok(Line { text, time_zone, list_id, lists: Vec::new(), language, ignored })
}

fn ranges(value: &Value) -> Result<Vec<Range<usize>>, Vec<FieldError>> {
    let fault = |violation| vec![FieldError::of("", violation)];
    let items =
        value.as_array().ok_or_else(|| fault(Violation::Malformed { expected: "a list" }))?;
    if items.len() > IGNORED_MAX {
        return Err(fault(Violation::TooMany { max: IGNORED_MAX }));
    }
    let mut faults = Vec::new();
    let mut ranges = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match range(item) {
            Ok(range) => ranges.push(range),
            Err(errors) => faults.extend(errors.into_iter().map(|error| FieldError {
                pointer: format!("/{index}{}", error.pointer),
                ..error
            })),
        }
    }
    if faults.is_empty() { Ok(ranges) } else { Err(faults) }
}

fn range(value: &Value) -> Result<Range<usize>, Vec<FieldError>> {
    let mut reader = Reader::of(value)?;
    let start = reader.required("start", position);
    let end = reader.required("end", position);
    reader.finish()?;
    Ok(start.unwrap_or_default()..end.unwrap_or_default())
}

fn position(value: &Value) -> Result<usize, Violation> {
    let max = quick_add::LINE_CHARS_MAX;
    let position = usize::try_from(integer(value)?).ok().filter(|position| *position <= max);
    position.ok_or(Violation::OutOfRange { min: 0, max: max as i64, unit: "" })
}

impl Line {
    /// Whether `lists` matter: the text may name a list, or the task goes into one.
    #[must_use]
    pub fn may_name_list(&self) -> bool {
        self.list_id.is_some() || self.text.contains('+')
    }

    /// Understands the line.
    ///
    /// # Errors
    /// `too_long`; `unknown_list` for a `list_id` that is not in `lists`.
    pub fn read(&self, zone: &Zone, now: Instant) -> Result<QuickAdd, Vec<FieldError>> {
        let is_known = |wanted| self.lists.iter().any(|(id, _)| *id == wanted);
        if self.list_id.is_some_and(|wanted| !is_known(wanted)) {
            return Err(vec![FieldError::of("/list_id", Violation::UnknownList)]);
        }
        let lists: Vec<&str> = self.lists.iter().map(|(_, name)| name.as_str()).collect();
        let language = self.language;
        let context = Context { now, zone, language, lists: &lists, ignored: &self.ignored };
        quick_add::parse(&self.text, &context).map_err(|fault| vec![FieldError::of(POINTER, fault)])
    }

    /// The list of the task: the one that the text names, or that of the body.
    fn list_of(&self, found: &QuickAdd) -> Option<i64> {
        let named = found.list.as_ref().and_then(|named| self.lists.get(named.place));
        named.map(|(id, _)| *id).or(self.list_id)
    }

    /// The task that the understood line stands for. The first offset is the task's own reminder.
    ///
    /// # Errors
    /// All faults, each about the text.
    pub fn plan(
        &self,
        found: &QuickAdd,
        user: &Settings,
        now: Instant,
    ) -> Result<Planned, Vec<FieldError>> {
        let mut planned = plan(found, user, now)?;
        planned.task.list_id = self.list_of(found);
        Ok(planned)
    }

    /// The task as it would be created, its further reminders, the spans in characters, and the reading.
    #[must_use]
    pub fn preview(&self, found: &QuickAdd, planned: &Planned) -> Value {
        let characters = |byte: usize| self.text[..byte].chars().count();
        let spans = found.spans.iter().map(|span| {
            json!({
                "start": characters(span.range.start),
                "end": characters(span.range.end),
                "kind": span.kind.as_str(),
                "meaning": span.meaning,
            })
        });
        let further = planned.further.iter().map(|(offset, at)| {
            json!({ "offset": offset.map(|o| o.to_string()), "remind_at": instant::format(*at) })
        });
        json!({
            "task": task_body::to_json(&planned.task),
            "further_reminders": further.collect::<Vec<_>>(),
            "spans": spans.collect::<Vec<_>>(),
            "reading": found.reading(),
        })
    }
}

/// The task of an understood line, without its list.
fn plan(found: &QuickAdd, user: &Settings, now: Instant) -> Result<Planned, Vec<FieldError>> {
    let zone = &user.time_zone;
    let mut faults = Vec::new();
    let title = Title::parse(&found.title).map_err(|fault| faults.push(fault)).ok();
    let description = found.description.as_deref().map(Description::parse).transpose();
    let description = description.map_err(|fault| faults.push(fault)).ok().flatten();
    let tags = Tags::parse(found.tags.iter().map(String::as_str));
    let tags = tags.map_err(|refused| faults.extend(refused.iter().map(|fault| fault.violation)));
    let due = found.due.map(|due| match due {
        quick_add::Due::At(moment) => Due::At(moment.utc),
        quick_add::Due::Day(day) => Due::On(day),
    });
    let mut own = None;
    let mut moments = Vec::new();
    for reminder in &found.reminders {
        match *reminder {
            Reminder::Offset(offset) if own.is_none() => own = Some(offset),
            Reminder::Offset(offset) => moments.push(Moment::Span(offset)),
            Reminder::At(moment) => moments.push(Moment::At(moment.utc)),
        }
    }
    if moments.len() as i64 > FURTHER_REMINDERS_MAX {
        faults.push(Violation::TooMany { max: FURTHER_REMINDERS_MAX as usize });
    }
    if own.is_some() && due.is_none() {
        faults.push(Violation::NeedsDueDate);
    }
    let further = moments.into_iter().filter_map(|moment| {
        planned(moment, due, zone, user.day_reminder_time, now)
            .map_err(|fault| faults.push(fault))
            .ok()
    });
    let further = further.collect();
    let (Some(title), Ok(tags), true) = (title, tags, faults.is_empty()) else {
        return Err(faults.into_iter().map(|fault| FieldError::of(POINTER, fault)).collect());
    };
    let task = TaskFields {
        description,
        priority: found.priority,
        tags,
        due,
        reminder_offset: own,
        recurrence_rule: found.recurrence.as_ref().map(|recurrence| recurrence.rule.clone()),
        ..TaskFields::new(title, zone.clone())
    };
    Ok(Planned { task: task_body::in_zone(task, zone.clone(), now)?, further })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Wednesday, at 10:00 in Berlin.
    const NOW: &str = "2031-03-26T09:00:00Z";

    fn read(body: &Value) -> Result<(Line, QuickAdd, Planned), Vec<FieldError>> {
        let mut line = parse(body.as_object().unwrap())?;
        line.lists = vec![(7, "Work".to_owned()), (8, "Home".to_owned())];
        let zone = line.time_zone.clone().unwrap_or(Zone::parse("Europe/Berlin").unwrap());
        let now = NOW.parse().unwrap();
        let found = line.read(&zone, now)?;
        let user = Settings { time_zone: zone, ..Settings::defaults() };
        let planned = line.plan(&found, &user, now)?;
        Ok((line, found, planned))
    }

    fn preview(body: Value) -> Value {
        let (line, found, planned) = read(&body).unwrap_or_else(|faults| panic!("{faults:?}"));
        line.preview(&found, &planned)
    }

    #[test]
    fn a_line_becomes_a_task() {
        let text = "Übung morgen um 9 jeden Tag !30 Min #haus p1 !8 Uhr // für alle";
        let found = preview(json!({"text": text, "language": "de"}));
        let task = &found["task"];
        assert_eq!(task["title"], "Übung");
        assert_eq!(task["description"], "für alle");
        assert_eq!(task["due_date"], "2031-03-27T08:00:00Z");
        assert_eq!(task["time_zone"], "Europe/Berlin");
        assert_eq!(task["reminder_offset"], "PT30M");
        assert_eq!(task["recurrence_rule"]["frequency"], "daily");
        assert_eq!((&task["priority"], &task["tags"]), (&json!("urgent"), &json!(["haus"])));
        let further = json!([{"offset": null, "remind_at": "2031-03-27T07:00:00Z"}]);
        assert_eq!(found["further_reminders"], further);
        // In characters, although Ü has two bytes.
        let due = json!({"start": 6, "end": 17, "kind": "due", "meaning": "2031-03-27T09:00:00"});
        assert_eq!(found["spans"][0], due);
        assert!(found["reading"].as_str().unwrap().starts_with("Fällig Donnerstag"), "{found}");
        let again = task_body::create(task, &Zone::utc(), NOW.parse().unwrap());
        assert!(again.is_ok(), "{again:?}");
    }

    #[test]
    fn a_day_without_a_time_stays_a_day() {
        let found =
            preview(json!({"text": "call Bob tomorrow !1 day before !1h", "time_zone": "UTC"}));
        let task = &found["task"];
        assert_eq!((&task["due_date"], &task["due_day"]), (&Value::Null, &json!("2031-03-27")));
        assert_eq!(task["reminder_offset"], "P1D");
        let further = json!([{"offset": "PT1H", "remind_at": "2031-03-27T08:00:00Z"}]);
        assert_eq!(found["further_reminders"], further);
    }

    #[test]
    fn spans_can_be_switched_off() {
        let text = "ö tomorrow #a";
        let off = |ignored: Value| preview(json!({"text": text, "ignored": ignored}));
        let found = off(json!([]));
        let spans = found["spans"].as_array().unwrap();
        assert_eq!((spans.len(), &found["task"]["title"]), (2, &json!("ö")));
        for (span, title) in spans.iter().zip(["ö tomorrow", "ö #a"]) {
            let range = json!([{"start": span["start"], "end": span["end"]}]);
            assert_eq!(off(range)["task"]["title"], title);
        }
        assert_eq!(off(json!([{"start": 0, "end": 3_000}]))["task"]["title"], text);
    }

    #[test]
    fn a_list_is_named_in_the_text_or_the_body() {
        let check = |body: Value, list: Value, title: &str| {
            let task = &preview(body)["task"];
            assert_eq!((&task["list_id"], &task["title"]), (&list, &json!(title)));
        };
        check(json!({"text": "call Bob"}), json!(null), "call Bob");
        check(json!({"text": "call Bob +home"}), json!(8), "call Bob");
        check(json!({"text": "call Bob", "list_id": 7}), json!(7), "call Bob");
        check(json!({"text": "call Bob +home", "list_id": 7}), json!(8), "call Bob");
        check(json!({"text": "call Bob +else", "list_id": 7}), json!(7), "call Bob +else");
    }

    #[test]
    fn faults() {
        let check = |body: Value, expected: &[(&str, &str)]| {
            let faults = read(&body).err().unwrap_or_default();
            let found: Vec<_> = faults.iter().map(|e| (e.pointer.as_str(), &*e.code)).collect();
            assert_eq!(found, expected, "{body}");
        };
        check(json!({"text": "call Bob tomorrow"}), &[]);
        check(json!({"text": null}), &[("/text", "required")]);
        check(json!({"text": "tomorrow"}), &[("/text", "required")]);
        check(json!({"text": "a".repeat(201)}), &[("/text", "too_long")]);
        check(json!({"text": "a ".repeat(1_501)}), &[("/text", "too_long")]);
        check(json!({"text": "a", "list_id": 9}), &[("/list_id", "unknown_list")]);
        check(json!({"text": "a", "list_id": "x"}), &[("/list_id", "malformed")]);
        check(json!({"text": "a\0b"}), &[("/text", "forbidden_character")]);
        check(json!({"text": "a !1h"}), &[("/text", "needs_due_date")]);
        check(json!({"text": "a !today 9am"}), &[("/text", "in_the_past")]);
        let many: String = (1..=12).map(|hours| format!(" !{hours}h")).collect();
        check(json!({"text": format!("call Bob tomorrow{many}")}), &[("/text", "too_many")]);
        check(
            json!({"text": 7, "language": "fr", "time_zone": "x", "ignored": {}, "preview": true}),
            &[
                ("/text", "malformed"),
                ("/time_zone", "unknown_time_zone"),
                ("/language", "unknown_value"),
                ("/ignored", "malformed"),
                ("/preview", "unknown_member"),
            ],
        );
        check(
            json!({"text": "a", "ignored": [{"start": 0, "end": -1}, 7, {"start": 1}]}),
            &[
                ("/ignored/0/end", "out_of_range"),
                ("/ignored/1", "malformed"),
                ("/ignored/2/end", "required"),
            ],
        );
    }
}
