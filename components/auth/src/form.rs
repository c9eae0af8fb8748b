//! The bodies of the account routes.

use rondo_contract::body::{Reader, text};
use rondo_contract::problem::FieldError;
use rondo_domain::account::{NAME_CHARS_MAX, bounded_password, name, new_password};
use rondo_domain::zone::Zone;
use rondo_domain::{Violation, email};
use rondo_guest::http::Request;
use rondo_guest::{Refusal, body};
use serde_json::{Map, Value};

/// `POST /api/auth/register`.
#[derive(Debug, PartialEq, Eq)]
pub struct Registration {
    pub email: String,
    pub password: String,
    pub name: Option<String>,
    pub time_zone: Option<String>,
    /// The invitation's token.
    pub invitation: Option<String>,
}

impl Registration {
    pub fn read(request: &Request) -> Result<Self, Refusal> {
        Ok(Self::of(&body::object(request)?)?)
    }

    fn of(members: &Map<String, Value>) -> Result<Self, Vec<FieldError>> {
        let mut reader = Reader::new(members);
        let email = reader.required("email", text(email::parse));
        let password = reader.required("password", text(new_password));
        let name = reader.optional("name", text(|text| name(text, NAME_CHARS_MAX)));
        let time_zone = reader.optional("time_zone", text(time_zone));
        let invitation = reader.optional("invitation", text(as_it_is));
        reader.finish()?;
        // A refused member has left an error, so these are present.
        Ok(Self {
            email: email.unwrap_or_default(),
            password: password.unwrap_or_default(),
            name,
            time_zone,
            invitation,
        })
    }

    /// The key of the account, independent of the address's case.
    pub fn email_key(&self) -> String {
        email::key(&self.email)
    }
}

/// `POST /api/auth/invitations`: the key of the invited address, if the invitation is limited to one.
pub fn invitation(request: &Request) -> Result<Option<String>, Refusal> {
    let members = body::object(request)?;
    let mut reader = Reader::new(&members);
    let email = reader.optional("email", text(email::parse));
    reader.finish()?;
    Ok(email.as_deref().map(email::key))
}

/// `POST /api/auth/login`. An address that no account can have is not refused; it simply has no account.
pub struct Credentials {
    pub email_key: String,
    pub password: String,
}

impl Credentials {
    pub fn read(request: &Request) -> Result<Self, Refusal> {
        let [email_key, password] =
            texts(request, [("email", any_email), ("password", any_password)])?;
        Ok(Self { email_key, password })
    }
}

/// A body with exactly one member.
pub fn only(request: &Request, member: &'static str) -> Result<String, Refusal> {
    let [value] = texts(request, [(member, as_it_is)])?;
    Ok(value)
}

/// `POST /api/auth/password/forgot`: the key of the account.
pub fn forgotten(request: &Request) -> Result<String, Refusal> {
    let [email_key] = texts(request, [("email", any_email)])?;
    Ok(email_key)
}

/// `POST /api/auth/password/reset`.
pub struct Reset {
    pub token: String,
    pub password: String,
}

impl Reset {
    pub fn read(request: &Request) -> Result<Self, Refusal> {
        let [token, password] = texts(request, [("token", as_it_is), ("password", new_password)])?;
        Ok(Self { token, password })
    }
}

/// `POST /api/auth/password/change`.
pub struct PasswordChange {
    pub current_password: String,
    pub new_password: String,
}

impl PasswordChange {
    pub fn read(request: &Request) -> Result<Self, Refusal> {
        let [current_password, new_password] =
            texts(request, [("current_password", any_password), ("new_password", new_password)])?;
        Ok(Self { current_password, new_password })
    }
}

type Parse = fn(&str) -> Result<String, Violation>;

/// A body of required texts.
fn texts<const N: usize>(
    request: &Request,
    members: [(&'static str, Parse); N],
) -> Result<[String; N], Refusal> {
    let object = body::object(request)?;
    let mut reader = Reader::new(&object);
    let values = members.map(|(name, parse)| reader.required(name, text(parse)));
    reader.finish()?;
    // A refused member has left an error, so all are present.
    Ok(values.map(Option::unwrap_or_default))
}

fn as_it_is(text: &str) -> Result<String, Violation> {
    Ok(text.to_owned())
}

/// The key of an account that may not exist. The address's format is not checked.
fn any_email(text: &str) -> Result<String, Violation> {
    Ok(email::key(&text.trim().replace('\0', "")))
}

fn any_password(text: &str) -> Result<String, Violation> {
    Ok(bounded_password(text))
}

pub fn time_zone(text: &str) -> Result<String, Violation> {
    Zone::parse(text).map(|zone| zone.name().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(body: Value, expected: &[(&str, &str)]) {
        let Value::Object(members) = body else { panic!("an object") };
        let errors = Registration::of(&members).err().unwrap_or_default();
        let errors: Vec<_> = errors.iter().map(|e| (e.pointer.as_ref(), e.code.as_ref())).collect();
        assert_eq!(errors, expected);
    }

    #[test]
    fn registrations() {
        check(json!({"email": " Ann@Example.org ", "password": "12345678"}), &[]);
        check(json!({}), &[("/email", "required"), ("/password", "required")]);
        check(
            json!({"email": "ann", "password": "1234567", "name": 7, "time_zone": "Mars", "admin": true}),
            &[
                ("/email", "malformed"),
                ("/password", "out_of_range"),
                ("/name", "malformed"),
                ("/time_zone", "unknown_time_zone"),
                ("/admin", "unknown_member"),
            ],
        );
    }
}
