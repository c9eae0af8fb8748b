//! `POST /api/{user_id}/recurrence/preview`: the slots of a rule before it is saved.

use rondo_contract::body::{Reader, text};
use rondo_contract::problem::FieldError;
use rondo_contract::recurrence_rule;
use rondo_contract::task_field::{DUE, moment};
use rondo_domain::Violation;
use rondo_domain::access::Scope;
use rondo_domain::due::Due;
use rondo_domain::instant;
use rondo_domain::recurrence::{Anchor, PREVIEW_SLOTS_MAX, Rule, Series, describe};
use rondo_domain::zone::Zone;
use rondo_guest::http::{Method, Request, Response};
use rondo_guest::page::parameters;
use rondo_guest::{Refusal, body, caller, clock};
use serde_json::{Map, Value, json};

use crate::store::Store;

pub fn answer(request: &Request, user: Option<&str>) -> Result<Response, Refusal> {
    let user = caller::acting(request, user, Scope::TasksRead)?;
    if request.method != Method::Post {
        return Err(request.unrouted());
    }
    parameters(request).finish()?;
    let form = Form::of(&body::object(request)?)?;
    let zone = match form.time_zone {
        Some(zone) => zone,
        None => {
            let name = Store::open()?.user_time_zone(user)?.ok_or_else(Refusal::unauthenticated)?;
            Zone::parse(&name).map_err(|_| Refusal::internal(format!("stored time zone {name}")))?
        }
    };
    let anchor = Anchor::of(form.due.unwrap_or_else(|| Due::At(clock::now())), &zone);
    let series = Series::new(form.rule, anchor, zone);
    series.validate().map_err(|violation| {
        Refusal::invalid(vec![FieldError::of("/recurrence_rule", violation)])
    })?;
    let occurrences: Vec<_> = series
        .preview(form.count)
        .iter()
        .map(|slot| match slot.due {
            // The wall-clock time: a slot in a gap is shown as the time that it becomes.
            Due::At(utc) => {
                let local = series.zone().local_of(utc);
                json!({ "local": local.to_string(), "utc": instant::format(utc) })
            }
            Due::On(day) => json!({ "due_day": day.to_string() }),
        })
        .collect();
    let answer = json!({ "description": describe(&series), "occurrences": occurrences });
    Ok(Response::json(200, answer.to_string()))
}

/// The request's body.
struct Form {
    due: Option<Due>,
    time_zone: Option<Zone>,
    rule: Rule,
    count: usize,
}

impl Form {
    fn of(members: &Map<String, Value>) -> Result<Self, Vec<FieldError>> {
        let mut reader = Reader::new(members);
        let due = moment(&mut reader, DUE);
        let time_zone = reader.optional("time_zone", text(Zone::parse));
        let given = reader.given("count").and_then(Value::as_u64);
        let given = given.and_then(|count| usize::try_from(count).ok());
        let count = given.filter(|count| (1..=PREVIEW_SLOTS_MAX).contains(count));
        if count.is_none() {
            let max = PREVIEW_SLOTS_MAX as i64;
            reader.refuse("count", Violation::OutOfRange { min: 1, max, unit: "" });
        }
        let rule = reader.required_nested("recurrence_rule", recurrence_rule::from_json);
        reader.finish()?;
        let (Some(rule), Some(count)) = (rule, count) else {
            unreachable!("a member that is not there was refused")
        };
        Ok(Self { due, time_zone, rule, count })
    }
}
