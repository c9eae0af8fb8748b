//! `GET` and `PATCH /api/auth/me`: shows and changes the caller's account.

use rondo_contract::body::{Reader, boolean, text};
use rondo_contract::problem::FieldError;
use rondo_domain::Violation;
use rondo_domain::account::{NAME_CHARS_MAX, name};
use rondo_guest::body::{self, JSON, MERGE_PATCH};
use rondo_guest::http::{Request, Response};
use rondo_guest::{Refusal, caller};
use serde_json::{Value, json};

use crate::form;
use crate::store::{Changed, Store};

/// Members that may be sent back as they were answered.
const READ_ONLY: [&str; 3] = ["id", "email", "email_verified"];

/// Any valid token may read its user's account.
pub fn show(request: &Request) -> Result<Response, Refusal> {
    let caller = caller::authenticate(request)?;
    // The account may have been deleted since the token was issued.
    let account = Store::open()?.account(caller.user_id)?.ok_or_else(Refusal::unauthenticated)?;
    Ok(Response::json(200, account.json))
}

pub fn change(request: &Request) -> Result<Response, Refusal> {
    let user = caller::logged_in(request)?.user_id;
    let patch = body::value(&request.body()?, request, &[JSON, MERGE_PATCH])?;
    let changes = changes(&patch)?;
    match Store::open()?.change(user, &changes)? {
        Changed::Account(json) => Ok(Response::json(200, json)),
        Changed::NoAddress => {
            let violation = Violation::NotApplicable { with: "an e-mail address" };
            Err(Refusal::invalid(vec![FieldError::of("/notifications/email", violation)]))
        }
        Changed::NoUser => Err(Refusal::unauthenticated()),
    }
}

/// The changes in the database's form: name, time_zone, day_reminder_time, complete_subtasks, share_with_model,
/// notify_email, digest_at.
fn changes(patch: &Value) -> Result<Value, Vec<FieldError>> {
    let mut reader = Reader::of(patch)?;
    let mut changes = json!({});
    READ_ONLY.into_iter().for_each(|member| reader.ignore(member));
    if let Some(name) = reader.clearable("name", text(|text| name(text, NAME_CHARS_MAX))) {
        changes["name"] = name.into();
    }
    if let Some(time_zone) = reader.unclearable("time_zone", text(form::time_zone)) {
        changes["time_zone"] = time_zone.into();
    }
    if let Some(at) = reader.unclearable("day_reminder_time", text(time_of_day)) {
        changes["day_reminder_time"] = at.into();
    }
    if let Some(wanted) = reader.unclearable("complete_subtasks", boolean) {
        changes["complete_subtasks"] = wanted.into();
    }
    if let Some(wanted) = reader.unclearable("share_with_model", boolean) {
        changes["share_with_model"] = wanted.into();
    }
    if patch.get("notifications").is_some_and(Value::is_null) {
        reader.refuse("notifications", Violation::Malformed { expected: "an object" });
    }
    reader.nested("notifications", |value| {
        let mut reader = Reader::of(value)?;
        if let Some(wanted) = reader.member("email", boolean) {
            changes["notify_email"] = wanted.into();
        }
        if let Some(at) = reader.clearable("digest_at", text(time_of_day)) {
            changes["digest_at"] = at.into();
        }
        reader.finish()
    });
    reader.finish()?;
    Ok(changes)
}

/// `HH:MM`, from 00:00 to 23:59.
fn time_of_day(text: &str) -> Result<String, Violation> {
    let two = |part: &str, below: u8| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        digits && part.parse().is_ok_and(|number: u8| number < below)
    };
    match text.split_once(':') {
        Some((hour, minute)) if two(hour, 24) && two(minute, 60) => Ok(text.to_owned()),
        _ => Err(Violation::Malformed { expected: "a time of day such as 08:00" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: Value, expected: Result<Value, &[(&str, &str)]>) {
        match (changes(&body), expected) {
            (Ok(changes), Ok(expected)) => assert_eq!(changes, expected),
            (Err(errors), Err(expected)) => {
                let errors: Vec<(&str, &str)> =
                    errors.iter().map(|e| (e.pointer.as_str(), e.code.as_ref())).collect();
                assert_eq!(errors, expected);
            }
            (got, expected) => panic!("{got:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn patches() {
        check(json!({}), Ok(json!({})));
        check(json!({"id": 3, "email": "x", "email_verified": true}), Ok(json!({})));
        check(
            json!({"name": " Ann ", "time_zone": "Europe/Paris", "notifications": {"email": false, "digest_at": "08:00"}}),
            Ok(
                json!({"name": "Ann", "time_zone": "Europe/Paris", "notify_email": false, "digest_at": "08:00"}),
            ),
        );
        check(
            json!({"name": null, "day_reminder_time": "07:30", "complete_subtasks": true,
                   "notifications": {"digest_at": null}}),
            Ok(
                json!({"name": null, "day_reminder_time": "07:30", "complete_subtasks": true, "digest_at": null}),
            ),
        );
        check(
            json!({"name": "", "time_zone": null, "password": "x", "complete_subtasks": null,
                   "notifications": {"email": "yes", "digest_at": "24:00", "sms": true}}),
            Err(&[
                ("/name", "required"),
                ("/time_zone", "required"),
                ("/complete_subtasks", "required"),
                ("/notifications/email", "malformed"),
                ("/notifications/digest_at", "malformed"),
                ("/notifications/sms", "unknown_member"),
                ("/password", "unknown_member"),
            ]),
        );
        for bad in ["8:00", "08:60", "08:00:00", "0800", "-1:00", "+8:00"] {
            let expected = Err([("/notifications/digest_at", "malformed")].as_slice());
            check(json!({"notifications": {"digest_at": bad}}), expected);
        }
    }
}
