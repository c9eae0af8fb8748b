//! Routes of what is mailed: verifying an address, and setting a forgotten password.

use rondo_contract::problem::FieldError;
use rondo_contract::secret;
use rondo_guest::http::{Request, Response};
use rondo_guest::{Refusal, body, caller, variable};

use crate::form::{self, Reset};
use crate::mail::{self, Purpose};
use crate::store::Store;
use crate::{password, throttle};

/// `POST /api/auth/verify`.
pub fn verify(request: &Request) -> Result<Response, Refusal> {
    let token = form::only(request, "token")?;
    let hash = secret::hash(&token).ok_or_else(invalid_token)?;
    if Store::open()?.verify(&hash)? { Ok(Response::empty(204)) } else { Err(invalid_token()) }
}

/// `POST /api/auth/verify/resend`, for whoever has logged in. 202 also when there is nothing to verify.
pub fn resend(request: &Request) -> Result<Response, Refusal> {
    let user = caller::logged_in(request)?;
    body::nothing(&request.body()?, request)?;
    let mail = mail::write(Purpose::VerifyEmail, request)?;
    match Store::open()?.resend(user, &throttle::mail_limits(), &mail)? {
        0 => Ok(Response::empty(202)),
        retry_after_s => Err(throttle::refusal(retry_after_s)),
    }
}

/// `POST /api/auth/password/forgot`: 202 whether or not there is such an account, after the same
/// work. Where nothing but the verification goes to an address that is not verified, it goes again.
pub fn forgot(request: &Request) -> Result<Response, Refusal> {
    let email_key = form::forgotten(request)?;
    let address = caller::client_address(request)?;
    let mail = mail::write(Purpose::ResetPassword, request)?;
    let verified_only = variable::get("require_verified_email")? == "true";
    let unverified_mail =
        verified_only.then(|| mail::write(Purpose::VerifyEmail, request)).transpose()?;
    let limits = throttle::mail_limits();
    let (store, address) = (Store::open()?, address.as_deref());
    match store.forgot(&email_key, address, &limits, &mail, unverified_mail.as_ref())? {
        0 => Ok(Response::empty(202)),
        retry_after_s => Err(throttle::refusal(retry_after_s)),
    }
}

/// `POST /api/auth/password/reset`: sets the password and ends every session.
pub fn reset(request: &Request) -> Result<Response, Refusal> {
    let reset = Reset::read(request)?;
    let hash = secret::hash(&reset.token).ok_or_else(invalid_token)?;
    let password_hash = password::hash(&reset.password)?;
    if Store::open()?.reset(&hash, &password_hash)? {
        Ok(Response::empty(204))
    } else {
        Err(invalid_token())
    }
}

/// Unknown, used and expired are one: who has a right token knows which it is.
fn invalid_token() -> Refusal {
    Refusal::invalid(vec![FieldError {
        pointer: "/token".to_owned(),
        code: "invalid_token".into(),
        detail: "is not known, was used before, or has expired".to_owned(),
    }])
}
