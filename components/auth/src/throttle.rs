//! Limits of attempts, and the response to too many.
//!
//! The counts are in the database, so that they survive restarts and apply to all instances. Nobody can be
//! locked out by others: see `login_begin` in the migrations.

use rondo_contract::problem::ProblemCode;
use rondo_guest::{Refusal, variable};
use serde_json::{Value, json};

/// Maximum number of wrong passwords for one account from one address, in [`LOGIN_WINDOW_S`].
const LOGIN_PAIR_MAX: i64 = 5;
/// The same while the account is under attack. Each address keeps one attempt, because otherwise an attack
/// from many addresses would lock the owner out.
const LOGIN_PAIR_UNDER_ATTACK_MAX: i64 = 1;
/// Maximum number of wrong passwords from one address, for all accounts.
const LOGIN_ADDRESS_MAX: i64 = 50;
/// Number of wrong passwords for one account from all addresses above which it is under attack.
const LOGIN_ACCOUNT_MAX: i64 = 30;
const LOGIN_WINDOW_S: i64 = 15 * 60;

/// Maximum number of registrations from one address, and of all, whatever their outcome: a registration
/// reveals whether an e-mail is taken, costs the work of a hash, and sends mail to any address.
const REGISTRATIONS_ADDRESS_MAX: i64 = 10;
const REGISTRATIONS_MAX: i64 = 1_000;
const REGISTRATION_WINDOW_S: i64 = 60 * 60;
/// Variable that says whether these limits are `on` or `off`.
const REGISTRATION_LIMITS_VARIABLE: &str = "registration_limits";

/// Maximum number of mails of one kind to one account, and of requests for them from one address.
const MAILS_MAX: i64 = 5;
const MAIL_REQUESTS_MAX: i64 = 30;
const MAIL_WINDOW_S: i64 = 60 * 60;

pub fn login_limits() -> Value {
    json!({
        "pair": LOGIN_PAIR_MAX,
        "pair_under_attack": LOGIN_PAIR_UNDER_ATTACK_MAX,
        "address": LOGIN_ADDRESS_MAX,
        "account": LOGIN_ACCOUNT_MAX,
        "window_s": LOGIN_WINDOW_S,
    })
}

/// None if an operator has turned them off.
pub fn registration_limits() -> Result<Option<Value>, Refusal> {
    let limits = json!({
        "address": REGISTRATIONS_ADDRESS_MAX,
        "all": REGISTRATIONS_MAX,
        "window_s": REGISTRATION_WINDOW_S,
    });
    Ok((variable::get(REGISTRATION_LIMITS_VARIABLE)? != "off").then_some(limits))
}

pub fn mail_limits() -> Value {
    json!({"mails": MAILS_MAX, "address": MAIL_REQUESTS_MAX, "window_s": MAIL_WINDOW_S})
}

/// 429, with the number of seconds to wait.
pub fn refusal(retry_after_s: i64) -> Refusal {
    Refusal::new(ProblemCode::TooManyRequests).header("retry-after", retry_after_s.to_string())
}
