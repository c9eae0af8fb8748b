//! Verifies addresses, sets forgotten passwords and changes passwords.

use rondo_contract::problem::{FieldError, ProblemCode};
use rondo_contract::secret;
use rondo_domain::email;
use rondo_guest::http::{Request, Response};
use rondo_guest::{Refusal, body, caller};

use crate::form::{self, PasswordChange, Reset};
use crate::mail::{self, AccountChange, Purpose};
use crate::session::Session;
use crate::store::{Opening, PasswordTry, Store};
use crate::{password, throttle};

/// `POST /api/auth/verify`. A session of the account whose token comes with the request continues. Otherwise
/// everything older ends, because its creator need not have owned the address.
pub fn verify(request: &Request) -> Result<Response, Refusal> {
    let token = form::only(request, "token")?;
    let hash = secret::hash(&token).ok_or_else(invalid_token)?;
    // An invalid session counts as none, because the page behind the link has none either.
    let session = caller::logged_in(request).ok();
    if Store::open()?.verify(&hash, session)? {
        Ok(Response::empty(204))
    } else {
        Err(invalid_token())
    }
}

/// `POST /api/auth/verify/resend`, for a logged-in user. 202 even if there is nothing to verify.
pub fn resend(request: &Request) -> Result<Response, Refusal> {
    let user = caller::logged_in(request)?.user_id;
    body::nothing(&request.body()?, request)?;
    let mail = mail::write(Purpose::VerifyEmail, request)?;
    match Store::open()?.resend(user, &throttle::mail_limits(), &mail)? {
        0 => Ok(Response::empty(202)),
        retry_after_s => Err(throttle::refusal(retry_after_s)),
    }
}

/// `POST /api/auth/password/forgot`: 202 whether or not the account exists, after the same work. If an
/// unverified address gets only the verification mail, that is sent again.
pub fn forgot(request: &Request) -> Result<Response, Refusal> {
    let email_key = form::forgotten(request)?;
    let address = caller::client_address(request)?;
    let mail = mail::write(Purpose::ResetPassword, request)?;
    let unverified_mail =
        mail::verified_only()?.then(|| mail::write(Purpose::VerifyEmail, request)).transpose()?;
    let limits = throttle::mail_limits();
    let (store, address) = (Store::open()?, address.as_deref());
    match store.forgot(&email_key, address, &limits, &mail, unverified_mail.as_ref())? {
        0 => Ok(Response::empty(202)),
        retry_after_s => Err(throttle::refusal(retry_after_s)),
    }
}

/// `POST /api/auth/password/reset`: sets the password and ends everything older: sessions, API tokens,
/// webhooks.
pub fn reset(request: &Request) -> Result<Response, Refusal> {
    let reset = Reset::read(request)?;
    let hash = secret::hash(&reset.token).ok_or_else(invalid_token)?;
    let store = Store::open()?;
    // Before the work of a hash.
    let owner = store.token_owner(&hash, Purpose::ResetPassword)?.ok_or_else(invalid_token)?;
    let (email, name) = (owner.email.as_deref(), owner.name.as_deref());
    password::judge("password", &reset.password, email, name)?;
    let password_hash = password::hash(&reset.password)?;
    let notice = mail::notice(AccountChange::PasswordChanged, request)?;
    if store.reset(&hash, &password_hash, &notice)? {
        Ok(Response::empty(204))
    } else {
        Err(invalid_token())
    }
}

/// `POST /api/auth/password/change`: requires the present password, with the throttle of a login. All
/// sessions end, and the response has a new one.
pub fn change(request: &Request) -> Result<Response, Refusal> {
    let login = caller::logged_in(request)?;
    let form = PasswordChange::read(request)?;
    let address = caller::client_address(request)?;
    let (store, address) = (Store::open()?, address.as_deref());
    let begun = store.begin_password_change(login, address, &throttle::login_limits())?;
    let present = match begun {
        PasswordTry::Taken(present) => present,
        PasswordTry::Throttled { retry_after_s } => return Err(throttle::refusal(retry_after_s)),
        PasswordTry::SessionEnded => return Err(caller::session_ended()),
        PasswordTry::NoPassword => {
            return Err(Refusal::new(ProblemCode::Forbidden)
                .detail("This account has no password: its user logs in elsewhere."));
        }
    };
    if !password::verify(&form.current_password, Some(&present.hash))? {
        return Err(Refusal::invalid(vec![FieldError {
            pointer: "/current_password".to_owned(),
            code: "wrong_password".into(),
            detail: "is not the account's".to_owned(),
        }]));
    }
    store.login_succeeded(&email::key(&present.email), address)?;
    let (email, name) = (Some(present.email.as_str()), present.name.as_deref());
    password::judge("new_password", &form.new_password, email, name)?;
    let hash = password::hash(&form.new_password)?;
    let notice = mail::notice(AccountChange::PasswordChanged, request)?;
    let account = store.account(login.user_id)?.ok_or_else(caller::session_ended)?;
    let opening =
        Opening::PasswordChange { login, verified_hash: &present.hash, hash: &hash, notice };
    let session =
        Session::open(request, &store, &account, &opening)?.ok_or_else(caller::session_ended)?;
    Ok(session.answer(200, None))
}

/// Unknown, used and expired tokens get the same response: the holder of a genuine one knows which applies.
fn invalid_token() -> Refusal {
    Refusal::invalid(vec![FieldError {
        pointer: "/token".to_owned(),
        code: "invalid_token".into(),
        detail: "is not known, was used before, or has expired".to_owned(),
    }])
}
