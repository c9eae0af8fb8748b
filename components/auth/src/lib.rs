//! The auth component: accounts, passwords and sessions.

mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "rondo:worlds/auth",
        with: {
            "wasi:io/error@0.2.6": rondo_guest::bindings::wasi::io::error,
            "wasi:io/poll@0.2.6": rondo_guest::bindings::wasi::io::poll,
            "wasi:io/streams@0.2.6": rondo_guest::bindings::wasi::io::streams,
            "wasi:clocks/monotonic-clock@0.2.6": rondo_guest::bindings::wasi::clocks::monotonic_clock,
            "wasi:http/types@0.2.6": rondo_guest::bindings::wasi::http::types,
            "spin:postgres/postgres@4.0.0": rondo_guest::bindings::spin::postgres::postgres,
            "fermyon:spin/variables@2.0.0": rondo_guest::bindings::fermyon::spin::variables,
        },
        generate_all,
    });
}

mod form;
mod password;
mod session;
mod store;

use rondo_contract::problem::ProblemCode;
use rondo_guest::Refusal;
use rondo_guest::bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};
use rondo_guest::caller;
use rondo_guest::http::{self, Method, Request, Response};
use rondo_guest::page::Parameters;

use crate::form::{Credentials, RefreshForm, Registration};
use crate::session::Session;
use crate::store::Store;

/// What answers one route.
type Route = fn(&Request) -> Result<Response, Refusal>;

struct Component;

impl bindings::exports::wasi::http::incoming_handler::Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        http::serve(request, out, route);
    }
}

bindings::export!(Component with_types_in bindings);

fn route(request: &Request) -> Result<Response, Refusal> {
    let ["api", "auth", action] = request.segments()[..] else {
        return Err(Refusal::not_found());
    };
    let (method, answer): (_, Route) = match action {
        "register" => (Method::Post, register),
        "login" => (Method::Post, login),
        "refresh" => (Method::Post, refresh),
        "logout" => (Method::Post, logout),
        "me" => (Method::Get, me),
        _ => return Err(Refusal::not_found()),
    };
    if request.method != method {
        return Err(request.method_not_allowed(&[method]));
    }
    Parameters::of(request).finish()?;
    answer(request)
}

fn register(request: &Request) -> Result<Response, Refusal> {
    let registration = Registration::read(request)?;
    let hash = password::hash(&registration.password)?;
    let store = Store::open()?;
    let Some(account) = store.register(&registration, &hash)? else {
        return Err(Refusal::new(ProblemCode::EmailTaken));
    };
    let session = Session::open(&store, &account)?;
    Ok(Response::json(201, session.json(Some(&account.json))))
}

/// Tells a wrong password from an unknown e-mail neither in words nor in time.
fn login(request: &Request) -> Result<Response, Refusal> {
    let credentials = Credentials::read(request)?;
    let store = Store::open()?;
    let login = store.login(&credentials.email_key)?;
    let hash = login.as_ref().map(|login| login.password_hash.as_str());
    let matches = password::verify(&credentials.password, hash)?;
    match login {
        Some(login) if matches => {
            let session = Session::open(&store, &login.account)?;
            Ok(Response::json(200, session.json(Some(&login.account.json))))
        }
        _ => {
            Err(Refusal::new(ProblemCode::InvalidCredentials).header("www-authenticate", "Bearer"))
        }
    }
}

fn refresh(request: &Request) -> Result<Response, Refusal> {
    let form = RefreshForm::read(request)?;
    match Session::rotate(&Store::open()?, &form.refresh_token)? {
        Some(session) => Ok(Response::json(200, session.json(None))),
        None => Err(Refusal::unauthenticated().detail("The refresh token is not valid.")),
    }
}

/// A token that is not known any more is as good as logged out.
fn logout(request: &Request) -> Result<Response, Refusal> {
    let form = RefreshForm::read(request)?;
    Store::open()?.close_session(&session::token_hash(&form.refresh_token))?;
    Ok(Response::empty(204))
}

fn me(request: &Request) -> Result<Response, Refusal> {
    let caller = caller::authenticate(request)?;
    // The account may have gone since the token was made.
    let account = Store::open()?.account(caller.user_id)?.ok_or_else(Refusal::unauthenticated)?;
    Ok(Response::json(200, account.json))
}
