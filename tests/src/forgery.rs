//! Access tokens that the test makes: valid, forged, expired.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

/// The secret of an installation whose tokens are forged here.
pub const SECRET: &str = "a secret of this test, and long enough";
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// A valid token with these scopes.
#[must_use]
pub fn good(user_id: i64, scope: &str) -> String {
    signed(HEADER, &claims(user_id, scope, 600), SECRET.as_bytes())
}

/// The claims of a token that expires after `lifetime_s` seconds.
#[must_use]
pub fn claims(user_id: i64, scope: &str, lifetime_s: i64) -> Value {
    let now_s = now_s();
    json!({"sub": user_id.to_string(), "iss": "rondo", "iat": now_s, "exp": now_s + lifetime_s,
           "scope": scope})
}

fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("a time after 1970").as_secs().try_into().expect("a time in range")
}

/// A token with any header and payload, and an HMAC.
///
/// # Panics
/// Never: an HMAC takes a key of any length.
#[must_use]
pub fn signed(header: &str, payload: &Value, secret: &[u8]) -> String {
    let body = unsigned(header, payload);
    let mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length");
    let signature = mac.chain_update(&body).finalize().into_bytes();
    format!("{body}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn unsigned(header: &str, payload: &Value) -> String {
    let payload = payload.to_string();
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
}

/// Tokens that claim all rights of the user and prove nothing.
#[must_use]
pub fn forged(user_id: i64) -> Vec<(&'static str, String)> {
    const ALL: &str = "tasks:read tasks:write audit:read admin";
    let good = claims(user_id, ALL, 600);
    let with = |member: &str, value: Value| {
        let mut payload = good.clone();
        payload[member] = value;
        signed(HEADER, &payload, SECRET.as_bytes())
    };
    let by = |header: &str| signed(header, &good, SECRET.as_bytes());
    let none = |name: &str| format!("{}.", unsigned(&format!(r#"{{"alg":"{name}"}}"#), &good));
    vec![
        ("nothing", String::new()),
        ("no token", "x".to_owned()),
        ("no API token", format!("rondo_{}", "A".repeat(43))),
        ("too long", format!("{}{}", by(HEADER), "A".repeat(5000))),
        ("without algorithm", none("none")),
        ("without algorithm, shouted", none("NONE")),
        ("without signature", format!("{}.", unsigned(HEADER, &good))),
        ("another secret", signed(HEADER, &good, b"another secret that is long enough")),
        ("another algorithm", by(r#"{"alg":"HS512"}"#)),
        ("RSA by secret", by(r#"{"alg":"RS256","kid":"a"}"#)),
        ("ECDSA by secret", by(r#"{"alg":"ES256"}"#)),
        ("Ed25519 by secret", by(r#"{"alg":"EdDSA"}"#)),
        ("a critical extension", by(r#"{"alg":"HS256","crit":["exp"]}"#)),
        ("expired", with("exp", (now_s() - 1).into())),
        ("not yet valid", with("nbf", (now_s() + 600).into())),
        ("from the future", with("iat", (now_s() + 600).into())),
        ("another issuer", with("iss", "https://id.example".into())),
        ("without end", with("exp", Value::Null)),
        ("of nobody", with("sub", "".into())),
    ]
}
