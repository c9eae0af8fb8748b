//! Accounts, sessions, tokens.

use rondo_domain::access::Scopes;
use rondo_domain::account::{
    NAME_CHARS_MAX, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, TOKEN_NAME_CHARS_MAX,
};
use rondo_domain::email::EMAIL_CHARS_MAX;
use serde_json::{Value, json};

use super::{answered, described, id, ignored, instant, named, nullable, object};
use super::{event, text};

pub fn email() -> Value {
    json!({"type": "string", "format": "email", "maxLength": EMAIL_CHARS_MAX})
}

pub fn password() -> Value {
    json!({
        "type": "string", "minLength": PASSWORD_CHARS_MIN, "maxLength": PASSWORD_CHARS_MAX,
        "description": "A password that is easy to guess is refused (`weak_password`): a common word or \
                        name, a pattern, or what the account itself contains.",
    })
}

/// `HH:MM`.
const TIME_OF_DAY: &str = "^([01][0-9]|2[0-3]):[0-5][0-9]$";

pub fn user() -> Value {
    let mut schema = answered(json!({
        "id": id(),
        "email": {"type": ["string", "null"]},
        "email_verified": {"type": "boolean"},
        "name": {"type": ["string", "null"]},
        "time_zone": {"type": "string"},
        "day_reminder_time": {"type": "string", "pattern": TIME_OF_DAY},
        "complete_subtasks": {"type": "boolean"},
        "share_with_model": {"type": "boolean"},
        "notifications": answered(json!({
            "email": {"type": "boolean"},
            "digest_at": {"type": ["string", "null"], "pattern": TIME_OF_DAY},
        })),
    }));
    schema["examples"] = json!([user_example()]);
    schema
}

fn user_example() -> Value {
    json!({
        "id": 1, "email": "me@example.org", "email_verified": true, "name": "Ada",
        "time_zone": "Europe/Paris", "day_reminder_time": "09:00", "complete_subtasks": false,
        "share_with_model": false,
        "notifications": {"email": true, "digest_at": "08:00"},
    })
}

pub fn user_patch() -> Value {
    let mut schema = object(
        json!({
            "id": ignored(), "email": ignored(), "email_verified": ignored(),
            "name": nullable(text::name(NAME_CHARS_MAX)),
            "time_zone": text::time_zone(),
            "day_reminder_time": {
                "type": "string",
                "pattern": TIME_OF_DAY,
                "description": "The time of day, in the task's zone, that reminders of a task with a `due_day` count from.",
            },
            "complete_subtasks": {
                "type": "boolean",
                "description": "Whether completing a task completes its open subtasks, where a request does \
                                not say it.",
            },
            "share_with_model": {
                "type": "boolean",
                "description": "Whether the chat may give the user's tasks to the language model that this server \
                                uses, if there is one. False at first.",
            },
            "notifications": object(json!({
                "email": {"type": "boolean"},
                "digest_at": {
                    "type": ["string", "null"],
                    "pattern": TIME_OF_DAY,
                    "description": "When the daily digest is sent, in the user's time zone. Null for none.",
                },
            }), &[]),
        }),
        &[],
    );
    schema["examples"] = json!([
        {"name": "Ada", "time_zone": "Europe/Paris"},
        {"notifications": {"digest_at": "08:00"}},
        {"day_reminder_time": "07:30"},
    ]);
    schema
}

pub fn registration() -> Value {
    let mut schema = object(
        json!({
            "email": email(),
            "password": password(),
            "name": nullable(text::name(NAME_CHARS_MAX)),
            "time_zone": nullable(described(text::time_zone(), "Defaults to UTC.")),
            "invitation": {
                "type": ["string", "null"],
                "description": "Required where registration needs an invitation.",
            },
        }),
        &["email", "password"],
    );
    schema["examples"] = json!([{"email": "me@example.org", "password": "correct horse"}]);
    schema
}

pub fn credentials() -> Value {
    let mut schema = object(
        json!({
            "email": {"type": "string", "description": "In any case."},
            "password": {"type": "string"},
        }),
        &["email", "password"],
    );
    schema["examples"] = json!([{"email": "me@example.org", "password": "correct horse"}]);
    schema
}

pub fn session(with_user: bool) -> Value {
    let mut members = json!({
        "access_token": {"type": "string", "description": "A JWT."},
        "refresh_token": {"type": "string", "description": "Valid for one use."},
        "token_type": {"const": "Bearer"},
        "expires_in": {"type": "integer", "description": "Seconds."},
        "session_id": described(event::uuid(), "The session's id in the list of sessions."),
    });
    let mut example = json!({
        "access_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "refresh_token": SECRET_EXAMPLE, "token_type": "Bearer", "expires_in": 900,
        "session_id": SESSION_EXAMPLE,
    });
    if with_user {
        members["user"] = named("User");
        example["user"] = user_example();
    }
    let mut schema = answered(members);
    schema["examples"] = json!([example]);
    schema
}

const SESSION_EXAMPLE: &str = "9a31cf8e-0a4d-4b0e-9a52-6b1e9d1f7f10";

/// A session in the list.
pub fn listed_session() -> Value {
    let mut schema = answered(json!({
        "id": event::uuid(),
        "program": {
            "type": ["string", "null"],
            "description": "What the program that uses it calls itself (`User-Agent`).",
        },
        "created_at": nullable(instant()),
        "last_used_at": described(instant(), "When it got its last tokens."),
        "expires_at": described(instant(), "When it ends unless it is used."),
    }));
    schema["examples"] = json!([{
        "id": SESSION_EXAMPLE, "program": "Mozilla/5.0 (X11; Linux x86_64)",
        "created_at": "2026-01-05T09:12:44.120391Z", "last_used_at": "2026-01-05T09:12:44.120391Z",
        "expires_at": "2026-02-04T09:12:44.120391Z",
    }]);
    schema
}

/// The form of refresh tokens and mailed tokens.
pub const SECRET_EXAMPLE: &str = "bm90LWEtc2VjcmV0LWp1c3QtYW4tZXhhbXBsZS1vZi0";

pub fn api_token(is_new: bool) -> Value {
    let mut members = json!({
        "id": id(),
        "name": {"type": "string"},
        "scopes": {"type": "array", "items": {"type": "string", "enum": Scopes::REQUESTABLE}},
        "expires_at": nullable(instant()),
        "last_used_at": nullable(instant()),
        "created_at": instant(),
    });
    let mut example = json!({
        "id": 3, "name": "ci", "scopes": ["tasks:read"], "expires_at": "2031-01-01T00:00:00Z",
        "last_used_at": null, "created_at": "2026-01-05T09:12:44.120391Z",
    });
    if is_new {
        members["token"] = json!({"type": "string", "description": "Shown only once."});
        example["token"] = format!("rondo_{SECRET_EXAMPLE}").into();
    }
    let mut schema = answered(members);
    schema["examples"] = json!([example]);
    schema
}

pub fn api_token_create() -> Value {
    let mut schema = object(
        json!({
            "name": text::name(TOKEN_NAME_CHARS_MAX),
            "scopes": {
                "type": "array", "minItems": 1,
                "items": {"type": "string", "enum": Scopes::REQUESTABLE},
            },
            "expires_at": nullable(described(text::instant(), "In the future. Null for never.")),
        }),
        &["name", "scopes"],
    );
    schema["examples"] = json!([
        {"name": "ci", "scopes": ["tasks:read", "tasks:write"]},
        {"name": "report", "scopes": ["audit:read"], "expires_at": "2031-01-01T00:00:00Z"},
    ]);
    schema
}

/// An object with one text.
pub fn one_text(member: &str, example: &str) -> Value {
    let mut schema = object(json!({member: {"type": "string"}}), &[member]);
    schema["examples"] = json!([{member: example}]);
    schema
}

pub fn password_reset() -> Value {
    let members = json!({"token": {"type": "string"}, "password": password()});
    let mut schema = object(members, &["token", "password"]);
    schema["examples"] = json!([{"token": SECRET_EXAMPLE, "password": "battery staple"}]);
    schema
}

pub fn password_change() -> Value {
    let members = json!({"current_password": {"type": "string"}, "new_password": password()});
    let mut schema = object(members, &["current_password", "new_password"]);
    schema["examples"] =
        json!([{"current_password": "correct horse", "new_password": "battery staple"}]);
    schema
}

pub fn invitation_create() -> Value {
    let email =
        nullable(described(email(), "The only address that it is valid for. Null for any."));
    let mut schema = object(json!({"email": email}), &[]);
    schema["examples"] = json!([{"email": "friend@example.org"}, {}]);
    schema
}

pub fn invitation() -> Value {
    let mut schema = answered(json!({
        "invitation": {"type": "string", "description": "Pass it to the registration. Shown only once."},
        "email": {"type": ["string", "null"]},
        "expires_at": instant(),
    }));
    schema["examples"] = json!([{
        "invitation": SECRET_EXAMPLE, "email": "friend@example.org",
        "expires_at": "2026-01-12T09:12:44Z",
    }]);
    schema
}
