//! Who is signed in. Tabs share the session by local storage; one at a time renews it, because a refresh token
//! that is used twice ends the session.

use rondo_device::Answer;
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

use crate::net::{self, NoAnswer, Reading as _, Request};
use crate::platform::{keep, kept, locked, now_ms};

const KEY: &str = "rondo.session";
const LOCK: &str = "rondo.refresh";
/// A token is renewed this long before it ends, in milliseconds.
const RENEWED_BEFORE_MS: f64 = 30_000.0;

/// A user's tokens. Not `Debug`, so that they get into no log.
#[derive(Clone, PartialEq)]
pub struct Session {
    pub user: i64,
    /// In the list of the user's sessions.
    pub id: Option<String>,
    pub access_token: String,
    refresh_token: String,
    /// Milliseconds since 1970.
    expires_at: f64,
}

/// Why a request had no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    NoAnswer,
    /// The session is over: the person has to sign in.
    SignedOut,
}

impl From<NoAnswer> for Failure {
    fn from(_: NoAnswer) -> Self {
        Self::NoAnswer
    }
}

impl Session {
    /// The session that is kept, if someone is signed in.
    pub fn kept() -> Option<Self> {
        let value: Value = serde_json::from_str(&kept(KEY)?).ok()?;
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        Some(Self {
            user: value["user"].as_i64()?,
            id: text("id"),
            access_token: text("access_token")?,
            refresh_token: text("refresh_token")?,
            expires_at: value["expires_at"].as_f64()?,
        })
    }

    /// Keeps what a login or a renewal answered.
    fn keep_answer(user: i64, answer: &Value) -> Option<Self> {
        let seconds = answer["expires_in"].as_f64()?;
        let session = Self {
            user,
            id: answer["session_id"].as_str().map(str::to_owned),
            access_token: answer["access_token"].as_str()?.to_owned(),
            refresh_token: answer["refresh_token"].as_str()?.to_owned(),
            expires_at: now_ms() + seconds * 1000.0,
        };
        let value = json!({
            "user": user, "id": session.id, "access_token": session.access_token,
            "refresh_token": session.refresh_token, "expires_at": whole(session.expires_at),
        });
        keep(KEY, Some(&value.to_string()));
        Some(session)
    }

    /// Signs in with what a login or a registration answered.
    pub fn begin(answer: &Value) -> Option<Self> {
        Self::keep_answer(answer["user"]["id"].as_i64()?, answer)
    }

    /// Ends the session here, and on the server if it can be reached.
    pub async fn end(self) {
        keep(KEY, None);
        let body = json!({ "refresh_token": self.refresh_token });
        let _ = net::send(&Request::new("POST", "/api/auth/logout", &body), None).await;
    }

    fn is_fresh(&self) -> bool {
        self.expires_at > now_ms() + RENEWED_BEFORE_MS
    }
}

/// Without a fraction, which would have to be read at each start.
#[expect(clippy::cast_possible_truncation, reason = "milliseconds of the clock fit 53 bits")]
fn whole(milliseconds: f64) -> i64 {
    milliseconds as i64
}

/// A token that is valid for some time, renewed if need be.
///
/// # Errors
/// If the session is over, or cannot be renewed without a network.
pub async fn token() -> Result<String, Failure> {
    match Session::kept() {
        Some(session) if session.is_fresh() => Ok(session.access_token),
        Some(session) => renewed(session).await,
        None => Err(Failure::SignedOut),
    }
}

/// Sends a request as the user.
///
/// # Errors
/// If no answer comes, or the session is over.
pub async fn send(request: &Request) -> Result<Answer, Failure> {
    let first = token().await?;
    let answer = net::send(request, Some(&first)).await?;
    if answer.status != 401 {
        return Ok(answer);
    }
    // The clock of this machine may be wrong, or the key of the tokens another.
    let session = Session::kept().ok_or(Failure::SignedOut)?;
    let token =
        if session.access_token == first { renewed(session).await? } else { session.access_token };
    let answer = net::send(request, Some(&token)).await?;
    if answer.status == 401 { Err(Failure::SignedOut) } else { Ok(answer) }
}

/// Renews a session, unless another tab has just done so.
async fn renewed(stale: Session) -> Result<String, Failure> {
    let work = Closure::once_into_js(move || {
        future_to_promise(async move {
            let token = renew(stale).await;
            Ok(match token {
                Ok(token) => JsValue::from_str(&token),
                Err(Failure::NoAnswer) => JsValue::NULL,
                Err(Failure::SignedOut) => JsValue::FALSE,
            })
        })
    });
    let value = JsFuture::from(locked(LOCK, work.unchecked_ref())).await;
    match value {
        Ok(value) if value.is_string() => value.as_string().ok_or(Failure::NoAnswer),
        Ok(value) if value == JsValue::FALSE => Err(Failure::SignedOut),
        _ => Err(Failure::NoAnswer),
    }
}

async fn renew(stale: Session) -> Result<String, Failure> {
    let current = Session::kept().ok_or(Failure::SignedOut)?;
    if current.access_token != stale.access_token {
        return Ok(current.access_token);
    }
    let body = json!({ "refresh_token": current.refresh_token });
    let answer = net::send(&Request::new("POST", "/api/auth/refresh", &body), None).await?;
    if answer.is_ok() {
        let session =
            Session::keep_answer(current.user, &answer.json()).ok_or(Failure::NoAnswer)?;
        return Ok(session.access_token);
    }
    // 429 and 5xx pass; anything else does not.
    if answer.status == 429 || answer.status >= 500 {
        return Err(Failure::NoAnswer);
    }
    keep(KEY, None);
    Err(Failure::SignedOut)
}
