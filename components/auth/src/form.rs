//! What account routes are sent, checked member by member.

use rondo_contract::problem::FieldError;
use rondo_domain::zone::Zone;
use rondo_domain::{Violation, blank, email};
use rondo_guest::http::Request;
use rondo_guest::{Refusal, body};
use serde_json::{Map, Value};

/// Longest e-mail address (RFC 5321, section 4.5.3.1, with its erratum 1690).
const EMAIL_CHARS_MAX: usize = 254;
const EMAIL_LOCAL_PART_CHARS_MAX: usize = 64;
const PASSWORD_CHARS_MIN: i64 = 8;
const PASSWORD_CHARS_MAX: i64 = 128;
const NAME_CHARS_MAX: usize = 200;

/// `POST /api/auth/register`.
#[derive(Debug, PartialEq, Eq)]
pub struct Registration {
    pub email: String,
    pub password: String,
    pub name: Option<String>,
    pub time_zone: Option<String>,
    /// The token of one.
    pub invitation: Option<String>,
}

impl Registration {
    pub fn read(request: &Request) -> Result<Self, Refusal> {
        Self::of(Form::read(request)?).map_err(Refusal::invalid)
    }

    fn of(mut form: Form) -> Result<Self, Vec<FieldError>> {
        let email = form.required("email", |text| email(text.trim()));
        let password = form.required("password", password);
        let name = form.optional("name", |text| name(text.trim()));
        let time_zone = form.optional("time_zone", time_zone);
        let invitation = form.optional("invitation", |text| Ok(text.to_owned()));
        form.finish()?;
        // A member that was refused has left an error, so these are there.
        Ok(Self {
            email: email.unwrap_or_default(),
            password: password.unwrap_or_default(),
            name,
            time_zone,
            invitation,
        })
    }

    /// What finds the account, in whatever case the address is given.
    pub fn email_key(&self) -> String {
        email::key(&self.email)
    }
}

/// `POST /api/auth/invitations`: what finds the one account that it is good for, if it is for one.
pub fn invitation(request: &Request) -> Result<Option<String>, Refusal> {
    let mut form = Form::read(request)?;
    let email = form.optional("email", |text| email(text.trim()));
    form.finish().map_err(Refusal::invalid)?;
    Ok(email.as_deref().map(email::key))
}

/// `POST /api/auth/login`. Whatever cannot be an account's is simply not one.
pub struct Credentials {
    pub email_key: String,
    pub password: String,
}

impl Credentials {
    pub fn read(request: &Request) -> Result<Self, Refusal> {
        let mut form = Form::read(request)?;
        let email = form.required("email", any_email);
        let password = form.required("password", bounded_password);
        form.finish().map_err(Refusal::invalid)?;
        Ok(Self { email_key: email.unwrap_or_default(), password: password.unwrap_or_default() })
    }
}

/// The one member of a body that has no other.
pub fn only(request: &Request, member: &str) -> Result<String, Refusal> {
    let mut form = Form::read(request)?;
    let value = form.required(member, |text| Ok(text.to_owned()));
    form.finish().map_err(Refusal::invalid)?;
    Ok(value.unwrap_or_default())
}

/// `POST /api/auth/password/forgot`: what finds the account.
pub fn forgotten(request: &Request) -> Result<String, Refusal> {
    let mut form = Form::read(request)?;
    let email = form.required("email", any_email);
    form.finish().map_err(Refusal::invalid)?;
    Ok(email.unwrap_or_default())
}

/// `POST /api/auth/password/reset`.
pub struct Reset {
    pub token: String,
    pub password: String,
}

impl Reset {
    pub fn read(request: &Request) -> Result<Self, Refusal> {
        let mut form = Form::read(request)?;
        let token = form.required("token", |text| Ok(text.to_owned()));
        let password = form.required("password", password);
        form.finish().map_err(Refusal::invalid)?;
        Ok(Self { token: token.unwrap_or_default(), password: password.unwrap_or_default() })
    }
}

/// `POST /api/auth/password/change`.
pub struct PasswordChange {
    pub current_password: String,
    pub new_password: String,
}

impl PasswordChange {
    pub fn read(request: &Request) -> Result<Self, Refusal> {
        let mut form = Form::read(request)?;
        let current_password = form.required("current_password", bounded_password);
        let new_password = form.required("new_password", password);
        form.finish().map_err(Refusal::invalid)?;
        Ok(Self {
            current_password: current_password.unwrap_or_default(),
            new_password: new_password.unwrap_or_default(),
        })
    }
}

/// The members of a JSON object, taken out one by one.
pub struct Form {
    members: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Form {
    pub fn read(request: &Request) -> Result<Self, Refusal> {
        Ok(Self::of(body::object(request)?))
    }

    pub const fn of(members: Map<String, Value>) -> Self {
        Self { members, errors: Vec::new() }
    }

    pub fn required<T>(
        &mut self,
        member: &str,
        parse: impl FnOnce(&str) -> Result<T, Violation>,
    ) -> Option<T> {
        if self.members.get(member).is_none_or(Value::is_null) {
            self.members.remove(member);
            self.refuse(member, Violation::Required);
            return None;
        }
        self.optional(member, parse)
    }

    pub fn optional<T>(
        &mut self,
        member: &str,
        parse: impl FnOnce(&str) -> Result<T, Violation>,
    ) -> Option<T> {
        self.clearable(member, parse).flatten()
    }

    /// A member of a merge patch (RFC 7396): left out, null, or text.
    pub fn clearable<T>(
        &mut self,
        member: &str,
        parse: impl FnOnce(&str) -> Result<T, Violation>,
    ) -> Option<Option<T>> {
        let parsed = match self.members.remove(member)? {
            Value::Null => return Some(None),
            Value::String(text) => parse(&text),
            _ => Err(Violation::Malformed { expected: "a string" }),
        };
        parsed.map_err(|violation| self.refuse(member, violation)).ok().map(Some)
    }

    /// A member as it is, whatever that is.
    pub fn take(&mut self, member: &str) -> Option<Value> {
        self.members.remove(member)
    }

    /// Notes what is wrong with a member; `member` may be a path such as `notifications/email`.
    pub fn refuse(&mut self, member: &str, violation: Violation) {
        self.errors.push(FieldError::of(&format!("/{member}"), violation));
    }

    pub fn finish(mut self) -> Result<(), Vec<FieldError>> {
        for member in std::mem::take(&mut self.members).keys() {
            self.errors.push(FieldError::unknown_member(member));
        }
        if self.errors.is_empty() { Ok(()) } else { Err(self.errors) }
    }

    /// Takes the errors of a form inside this one.
    pub fn absorb(&mut self, member: &str, inner: Self) {
        let errors = inner.finish().err().unwrap_or_default();
        self.errors.extend(
            errors.into_iter().map(|error| FieldError {
                pointer: format!("/{member}{}", error.pointer),
                ..error
            }),
        );
    }
}

/// An address that a mail can be sent to: one `@`, a local part of unquoted characters (RFC 5322,
/// section 3.2.3) and a domain of labels.
fn email(text: &str) -> Result<String, Violation> {
    const MALFORMED: Violation = Violation::Malformed { expected: "an e-mail address" };
    if text.is_empty() {
        return Err(Violation::Required);
    }
    if text.chars().count() > EMAIL_CHARS_MAX {
        return Err(Violation::TooLong { max: EMAIL_CHARS_MAX });
    }
    let (local, domain) = text.split_once('@').ok_or(MALFORMED)?;
    let atom = |part: &str| {
        let is_atext = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
        !part.is_empty() && part.chars().all(is_atext)
    };
    let label = |part: &str| {
        let inner = |c: char| c.is_alphanumeric() || c == '-';
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.chars().all(inner)
    };
    let well_formed = local.len() <= EMAIL_LOCAL_PART_CHARS_MAX
        && local.split('.').all(atom)
        && domain.split('.').all(label);
    if well_formed { Ok(text.to_owned()) } else { Err(MALFORMED) }
}

/// What finds an account, if there is one; nothing is told of how an address looks.
fn any_email(text: &str) -> Result<String, Violation> {
    Ok(email::key(&text.trim().replace('\0', "")))
}

pub fn time_zone(text: &str) -> Result<String, Violation> {
    Zone::parse(text).map(|zone| zone.name().to_owned())
}

fn password(text: &str) -> Result<String, Violation> {
    let chars = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    if (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&chars) {
        return Ok(text.to_owned());
    }
    Err(Violation::OutOfRange {
        min: PASSWORD_CHARS_MIN,
        max: PASSWORD_CHARS_MAX,
        unit: " characters long",
    })
}

/// The work of a login must not grow with what it is sent.
fn bounded_password(text: &str) -> Result<String, Violation> {
    Ok(text.chars().take(usize::try_from(PASSWORD_CHARS_MAX).unwrap_or(0) + 1).collect())
}

pub fn name(text: &str) -> Result<String, Violation> {
    if text.chars().count() > NAME_CHARS_MAX {
        Err(Violation::TooLong { max: NAME_CHARS_MAX })
    } else if text.chars().any(char::is_control) {
        Err(Violation::Malformed { expected: "free of control characters" })
    } else if blank::is_blank(text) {
        Err(Violation::Required)
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(body: Value, expected: &[(&str, &str)]) {
        let Value::Object(members) = body else { panic!("an object") };
        let errors = Registration::of(Form::of(members)).err().unwrap_or_default();
        let errors: Vec<_> = errors
            .iter()
            .map(|e| (e.pointer.as_ref(), e.code.as_ref()))
            .collect::<Vec<(&str, &str)>>();
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

    #[test]
    fn addresses() {
        for good in ["a@b", "ann.lee+tag@mail.example.org", "x_y@bücher.example"] {
            assert_eq!(email(good).as_deref(), Ok(good));
        }
        let long = format!("{}@example.org", "x".repeat(65));
        for bad in [
            "",
            "a",
            "@b",
            "a@",
            "a@b@c",
            "a b@c",
            "a@b\nBcc: c@d",
            ".a@b",
            "a..b@c",
            "a@-b",
            "<a@b>",
            "a@b..c",
            "a,b@c",
            long.as_str(),
        ] {
            assert!(email(bad).is_err(), "{bad:?}");
        }
    }
}
