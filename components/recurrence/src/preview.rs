//! `POST /api/{user_id}/recurrence/preview`: what a rule would make, before it is saved.

use rondo_contract::problem::FieldError;
use rondo_contract::recurrence_rule;
use rondo_domain::Violation;
use rondo_domain::access::Scope;
use rondo_domain::instant::{self, Instant};
use rondo_domain::recurrence::{PREVIEW_SLOTS_MAX, Rule, Series, anchor_of, describe};
use rondo_domain::zone::Zone;
use rondo_guest::http::{Method, Request, Response};
use rondo_guest::page::Parameters;
use rondo_guest::{Refusal, body, caller, clock};
use serde_json::{Map, Value, json};

use crate::store::Store;

pub fn answer(request: &Request, user: Option<&str>) -> Result<Response, Refusal> {
    let user = caller::acting(request, user, Scope::TasksRead)?;
    if request.method != Method::Post {
        return Err(request.unrouted());
    }
    Parameters::of(request).finish()?;
    let form = Form::of(body::object(request)?).map_err(Refusal::invalid)?;
    let zone = match form.time_zone {
        Some(zone) => zone,
        None => {
            let name = Store::open()?.user_time_zone(user)?.ok_or_else(Refusal::unauthenticated)?;
            Zone::parse(&name).map_err(|_| Refusal::internal(format!("stored time zone {name}")))?
        }
    };
    let anchor = anchor_of(form.due_date.unwrap_or_else(clock::now), &zone);
    let series = Series::new(form.rule, anchor, zone);
    series.validate().map_err(|violation| {
        Refusal::invalid(vec![FieldError::of("/recurrence_rule", violation)])
    })?;
    let occurrences: Vec<_> = series
        .preview(form.count)
        .iter()
        .map(|slot| {
            // What the clock shows: a slot that it passes over is told as the time that it becomes.
            let local = series.zone().local_of(slot.utc);
            json!({ "local": local.to_string(), "utc": instant::format(slot.utc) })
        })
        .collect();
    let answer = json!({ "description": describe(&series), "occurrences": occurrences });
    Ok(Response::json(200, answer.to_string()))
}

/// The body.
struct Form {
    due_date: Option<Instant>,
    time_zone: Option<Zone>,
    rule: Rule,
    count: usize,
}

impl Form {
    fn of(mut members: Map<String, Value>) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let due_date = text(&mut members, "due_date", instant::parse, &mut errors);
        let time_zone = text(&mut members, "time_zone", Zone::parse, &mut errors);
        let count = members.remove("count").unwrap_or(Value::Null);
        let in_range = |count: &u64| (1..=PREVIEW_SLOTS_MAX as u64).contains(count);
        let count = count.as_u64().filter(in_range).and_then(|count| usize::try_from(count).ok());
        if count.is_none() {
            let max = PREVIEW_SLOTS_MAX as i64;
            let violation = Violation::OutOfRange { min: 1, max, unit: "" };
            errors.push(FieldError::of("/count", violation));
        }
        let rule = match members.remove("recurrence_rule") {
            None | Some(Value::Null) => {
                errors.push(FieldError::of("/recurrence_rule", Violation::Required));
                None
            }
            Some(rule) => recurrence_rule::from_json(&rule)
                .map_err(|inside| {
                    errors.extend(inside.into_iter().map(|error| FieldError {
                        pointer: format!("/recurrence_rule{}", error.pointer),
                        ..error
                    }));
                })
                .ok(),
        };
        errors.extend(members.keys().map(|member| FieldError::unknown_member(member)));
        match (rule, count) {
            (Some(rule), Some(count)) if errors.is_empty() => {
                Ok(Self { due_date, time_zone, rule, count })
            }
            _ => Err(errors),
        }
    }
}

fn text<T>(
    members: &mut Map<String, Value>,
    member: &str,
    parse: fn(&str) -> Result<T, Violation>,
    errors: &mut Vec<FieldError>,
) -> Option<T> {
    let parsed = match members.remove(member)? {
        Value::Null => return None,
        Value::String(text) => parse(&text),
        _ => Err(Violation::Malformed { expected: "a string" }),
    };
    parsed.map_err(|violation| errors.push(FieldError::of(&format!("/{member}"), violation))).ok()
}
