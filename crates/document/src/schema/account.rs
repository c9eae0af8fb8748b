//! Accounts, sessions, tokens.

use rondo_domain::access::Scope;
use serde_json::{Value, json};

use super::text::{self, NAME, bounded};
use super::{answered, described, id, instant, named, nullable, object, words};

pub fn email() -> Value {
    json!({"type": "string", "format": "email", "maxLength": 254})
}

pub fn password() -> Value {
    json!({"type": "string", "minLength": 8, "maxLength": 128})
}

pub fn user() -> Value {
    answered(json!({
        "id": id(),
        "email": {"type": ["string", "null"]},
        "email_verified": {"type": "boolean"},
        "name": {"type": ["string", "null"]},
        "time_zone": {"type": "string"},
        "notifications": answered(json!({
            "email": {"type": "boolean"},
            "digest_at": {"type": ["string", "null"], "pattern": "^[0-9]{2}:[0-9]{2}$"},
        })),
    }))
}

pub fn user_patch() -> Value {
    let ignored = json!({"readOnly": true, "description": "Ignored."});
    object(
        json!({
            "id": ignored, "email": ignored, "email_verified": ignored,
            "name": nullable(bounded(NAME, 200)),
            "time_zone": text::time_zone(),
            "notifications": object(json!({
                "email": {"type": "boolean"},
                "digest_at": {
                    "type": ["string", "null"],
                    "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$",
                    "description": "When a daily digest comes, in the user's zone; null for none.",
                },
            }), &[]),
        }),
        &[],
    )
}

pub fn registration() -> Value {
    let mut schema = object(
        json!({
            "email": email(),
            "password": password(),
            "name": nullable(bounded(NAME, 200)),
            "time_zone": nullable(described(
                text::time_zone(),
                "A name of the IANA time zone database, in any case; UTC unless given.",
            )),
        }),
        &["email", "password"],
    );
    schema["examples"] = json!([{"email": "me@example.org", "password": "correct horse"}]);
    schema
}

pub fn credentials() -> Value {
    object(
        json!({"email": {"type": "string"}, "password": {"type": "string"}}),
        &["email", "password"],
    )
}

pub fn session(with_user: bool) -> Value {
    let mut members = json!({
        "access_token": {"type": "string", "description": "A JWT."},
        "refresh_token": {"type": "string", "description": "Good for one use."},
        "token_type": {"const": "Bearer"},
        "expires_in": {"type": "integer", "description": "Seconds."},
    });
    if with_user {
        members["user"] = named("User");
    }
    answered(members)
}

/// What a personal token may be given; the others only an operator grants.
fn token_scopes() -> Vec<&'static str> {
    words(Scope::ALL, Scope::as_str)
        .into_iter()
        .filter(|scope| *scope != Scope::Admin.as_str())
        .collect()
}

pub fn api_token(is_new: bool) -> Value {
    let mut members = json!({
        "id": id(),
        "name": {"type": "string"},
        "scopes": {"type": "array", "items": {"type": "string", "enum": token_scopes()}},
        "expires_at": nullable(instant()),
        "last_used_at": nullable(instant()),
        "created_at": instant(),
    });
    if is_new {
        members["token"] = json!({"type": "string", "description": "Shown this once."});
    }
    answered(members)
}

pub fn api_token_create() -> Value {
    object(
        json!({
            "name": bounded(NAME, 100),
            "scopes": {
                "type": "array", "minItems": 1,
                "items": {"type": "string", "enum": token_scopes()},
            },
            "expires_at": nullable(described(
                text::instant(),
                "RFC 3339 with any offset, in the future; null for never.",
            )),
        }),
        &["name", "scopes"],
    )
}
