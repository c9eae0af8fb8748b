//! Registration: open to everyone, by invitation, or closed, as the operator chooses.

use rondo_contract::problem::ProblemCode;
use rondo_contract::secret::{self, INVITATION_LIFETIME_S};
use rondo_guest::http::{Request, Response};
use rondo_guest::{Refusal, caller, variable};
use serde_json::json;

use crate::bindings::wasi::random::random::get_random_bytes;
use crate::form::{self, Registration};
use crate::mail::{self, Purpose};
use crate::session::Session;
use crate::store::{Opening, Registered, RegistrationTry, Store};
use crate::{password, throttle};

/// Variable that says who may register.
const REGISTRATION_VARIABLE: &str = "registration";

/// Who may register.
enum Mode {
    Open,
    Invite,
    Off,
}

impl Mode {
    fn read() -> Result<Self, Refusal> {
        match variable::get(REGISTRATION_VARIABLE)?.as_str() {
            "open" => Ok(Self::Open),
            "invite" => Ok(Self::Invite),
            "off" => Ok(Self::Off),
            _ => {
                let reason = "must be open, invite or off";
                Err(Refusal::internal(format!("variable {REGISTRATION_VARIABLE} {reason}")))
            }
        }
    }
}

/// `POST /api/auth/register`. All checks precede the work of a hash.
pub fn register(request: &Request) -> Result<Response, Refusal> {
    let mode = Mode::read()?;
    if matches!(mode, Mode::Off) {
        return Err(Refusal::new(ProblemCode::RegistrationClosed));
    }
    let registration = Registration::read(request)?;
    let invitation = match mode {
        Mode::Invite => {
            let token = registration.invitation.as_deref();
            Some(token.and_then(secret::hash).ok_or_else(not_invited)?)
        }
        _ => None,
    };
    let address = caller::client_address(request)?;
    let (invitation, limits) = (invitation.as_deref(), throttle::registration_limits()?);
    let store = Store::open()?;
    let email_key = registration.email_key();
    match store.begin_registration(&email_key, invitation, address.as_deref(), limits.as_ref())? {
        RegistrationTry::Taken => {}
        RegistrationTry::Throttled { retry_after_s } => {
            return Err(throttle::refusal(retry_after_s));
        }
        RegistrationTry::InvitationInvalid => return Err(not_invited()),
        RegistrationTry::EmailTaken => return Err(Refusal::new(ProblemCode::EmailTaken)),
    }
    let (email, name) = (Some(registration.email.as_str()), registration.name.as_deref());
    password::judge("password", &registration.password, email, name)?;
    let hash = password::hash(&registration.password)?;
    let mail = mail::write(Purpose::VerifyEmail, request)?;
    match store.register(&registration, &hash, invitation, &mail)? {
        Registered::Account(account) => {
            let opening = Opening::Login { password_hash: &hash };
            match Session::open(request, &store, &account, &opening)? {
                Some(session) => Ok(session.answer(201, Some(&account.json))),
                None => Err(Refusal::internal("a fresh account has another password")),
            }
        }
        Registered::InvitationInvalid => Err(not_invited()),
        Registered::EmailTaken => Err(Refusal::new(ProblemCode::EmailTaken)),
    }
}

/// `POST /api/auth/invitations`: a token for a registration, shown only in this response.
pub fn invite(request: &Request) -> Result<Response, Refusal> {
    let login = caller::admin(request)?;
    let email_key = form::invitation(request)?;
    let token = secret::encode(&get_random_bytes(secret::SECRET_BYTES as u64));
    let hash = secret::hash(&token).unwrap_or_default();
    let store = Store::open()?;
    let expires_at = store.invite(login, &hash, email_key.as_deref(), INVITATION_LIFETIME_S)?;
    let expires_at = expires_at.ok_or_else(caller::session_ended)?;
    let answer = json!({"invitation": token, "email": email_key, "expires_at": expires_at});
    Ok(Response::json(201, answer.to_string()).header("cache-control", "no-store"))
}

/// Missing, unknown, used, expired and foreign invitations get the same response.
const fn not_invited() -> Refusal {
    Refusal::new(ProblemCode::InvitationInvalid)
}
