//! The auth component: accounts, passwords and sessions.

rondo_guest::generate_service_bindings!("rondo:worlds/auth");

mod account;
mod api_token;
mod form;
mod link;
mod mail;
mod page;
mod password;
mod recovery;
mod registration;
mod session;
mod store;
mod throttle;

use rondo_contract::problem::ProblemCode;
use rondo_contract::secret;
use rondo_guest::bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};
use rondo_guest::http::{self, Method, Request, Response};
use rondo_guest::page::parameters;
use rondo_guest::{Refusal, caller};

use crate::form::Credentials;
use crate::session::Session;
use crate::store::{LoginTry, Opening, Store};

/// The handler of one method of a route.
type Answer = fn(&Request) -> Result<Response, Refusal>;

/// The callers that a path admits. A handler checks that itself and so obtains the caller.
enum Guard {
    None,
    Token,
    Login,
    Admin,
}

struct Component;

impl bindings::exports::wasi::http::incoming_handler::Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        http::serve(request, out, methods, route);
    }
}

bindings::export!(Component with_types_in bindings);

/// The methods of a path.
fn methods(segments: &[&str]) -> Vec<Method> {
    let answers = match segments {
        ["links", "unsubscribe"] => return rondo_guest::link::METHODS.to_vec(),
        ["api", "auth", rest @ ..] => table(rest).map(|(_, answers)| answers),
        _ => None,
    };
    answers.unwrap_or_default().iter().map(|(method, _)| *method).collect()
}

fn route(request: &Request) -> Result<Response, Refusal> {
    let segments = request.segments();
    if segments[..] == ["links", "unsubscribe"] {
        return link::unsubscribe(request);
    }
    let ["api", "auth", ref rest @ ..] = segments[..] else {
        return Err(Refusal::not_found());
    };
    let (guard, answers) = table(rest).ok_or_else(Refusal::not_found)?;
    match answer_of(request, answers) {
        Ok(answer) => answer(request),
        // A caller without access does not learn what is wrong with the form.
        Err(refusal) => Err(guard.refusal(request).unwrap_or(refusal)),
    }
}

/// The guard and handlers of a path after `/api/auth/`; none if there is no such path.
fn table(rest: &[&str]) -> Option<(Guard, &'static [(Method, Answer)])> {
    use Method::{Delete, Get, Patch, Post};
    let table: (Guard, &'static [(Method, Answer)]) = match rest {
        ["register"] => (Guard::None, &[(Post, registration::register)]),
        ["invitations"] => (Guard::Admin, &[(Post, registration::invite)]),
        ["login"] => (Guard::None, &[(Post, login)]),
        ["refresh"] => (Guard::None, &[(Post, refresh)]),
        ["logout"] => (Guard::None, &[(Post, logout)]),
        ["verify"] => (Guard::None, &[(Post, recovery::verify), (Get, page::verify)]),
        ["verify", "resend"] => (Guard::Login, &[(Post, recovery::resend)]),
        ["password", "forgot"] => (Guard::None, &[(Post, recovery::forgot)]),
        ["password", "reset"] => (Guard::None, &[(Post, recovery::reset), (Get, page::reset)]),
        ["password", "change"] => (Guard::Login, &[(Post, recovery::change)]),
        ["me"] => (Guard::Token, &[(Get, account::show), (Patch, account::change)]),
        ["sessions"] => (Guard::Login, &[(Get, session::list)]),
        ["sessions", _] => (Guard::Login, &[(Delete, session::end)]),
        ["tokens"] => (Guard::Login, &[(Get, api_token::list), (Post, api_token::create)]),
        ["tokens", _] => (Guard::Login, &[(Delete, api_token::delete)]),
        _ => return None,
    };
    Some(table)
}

fn answer_of(request: &Request, answers: &[(Method, Answer)]) -> Result<Answer, Refusal> {
    let Some((_, answer)) = answers.iter().find(|(method, _)| *method == request.method) else {
        return Err(request.unrouted());
    };
    parameters(request).finish()?;
    Ok(*answer)
}

impl Guard {
    fn refusal(self, request: &Request) -> Option<Refusal> {
        match self {
            Self::None => None,
            Self::Token => caller::authenticate(request).err(),
            Self::Login => caller::logged_in(request).err(),
            Self::Admin => caller::admin(request).err(),
        }
    }
}

/// A wrong password and an unknown e-mail get the same response, after the same time.
fn login(request: &Request) -> Result<Response, Refusal> {
    let credentials = Credentials::read(request)?;
    let address = caller::client_address(request)?;
    let (email_key, address) = (credentials.email_key.as_str(), address.as_deref());
    let store = Store::open()?;
    let login = match store.begin_login(email_key, address, &throttle::login_limits())? {
        LoginTry::Taken(login) => login,
        LoginTry::Throttled { retry_after_s } => return Err(throttle::refusal(retry_after_s)),
    };
    let hash = login.as_ref().map(|login| login.password_hash.as_str());
    let matches = password::verify(&credentials.password, hash)?;
    let session = match &login {
        Some(login) if matches => {
            store.login_succeeded(email_key, address)?;
            let opening = Opening::Login { password_hash: &login.password_hash };
            let session = Session::open(request, &store, &login.account, &opening)?;
            session.map(|session| session.answer(200, Some(&login.account.json)))
        }
        _ => None,
    };
    session.ok_or_else(|| {
        Refusal::new(ProblemCode::InvalidCredentials).header("www-authenticate", "Bearer")
    })
}

fn refresh(request: &Request) -> Result<Response, Refusal> {
    let refresh_token = form::only(request, "refresh_token")?;
    match Session::rotate(request, &Store::open()?, &refresh_token)? {
        Some(session) => Ok(session.answer(200, None)),
        None => Err(Refusal::unauthenticated().detail("The refresh token is not valid.")),
    }
}

/// An unknown token counts as logged out.
fn logout(request: &Request) -> Result<Response, Refusal> {
    let refresh_token = form::only(request, "refresh_token")?;
    if let Some(hash) = secret::hash(&refresh_token) {
        Store::open()?.close_session(&hash)?;
    }
    Ok(Response::empty(204))
}
