//! Access tokens: JSON Web Tokens (RFC 7519) signed with HMAC-SHA256 (RFC 7515, RFC 7518 "HS256").
//!
//! Only the compact form and only `alg: HS256` are accepted; what a token says of its own algorithm
//! or key never chooses how it is checked.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// `iss` of every token.
pub const ISSUER: &str = "rondo";
/// Longest token that is looked at, in bytes.
pub const TOKEN_BYTES_MAX: usize = 4096;
/// Shortest secret, in bytes (RFC 7518, section 3.2).
pub const SECRET_BYTES_MIN: usize = 32;
/// How far ahead of this machine's clock an issuer's clock may be, in seconds.
pub const CLOCK_SKEW_S_MAX: i64 = 60;

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    pub user_id: i64,
    /// Seconds since the epoch; the token is valid before this moment.
    pub expires_at_s: i64,
    /// Seconds since the epoch.
    pub issued_at_s: i64,
    /// Space-separated scopes (RFC 8693, section 4.2).
    pub scope: String,
}

/// A shared secret for signing and checking.
#[derive(Clone)]
pub struct HmacKey(Hmac<Sha256>);

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey(redacted)")
    }
}

/// Why a secret or a token was refused. A client is told no more than that the token is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenError {
    /// The secret has fewer than [`SECRET_BYTES_MIN`] bytes.
    WeakSecret,
    /// Not a compact JWS of JSON, or too long.
    Malformed,
    /// An algorithm or critical extension that is not accepted.
    Unsupported,
    BadSignature,
    WrongIssuer,
    Expired,
    /// Issued in the future.
    NotYetValid,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WeakSecret => "the secret is shorter than 32 bytes",
            Self::Malformed => "the token is malformed",
            Self::Unsupported => "the token's algorithm is not accepted",
            Self::BadSignature => "the token's signature is wrong",
            Self::WrongIssuer => "the token is from another issuer",
            Self::Expired => "the token has expired",
            Self::NotYetValid => "the token was issued in the future",
        })
    }
}

impl std::error::Error for TokenError {}

impl HmacKey {
    /// # Errors
    /// [`TokenError::WeakSecret`] when the secret is too short.
    pub fn new(secret: &[u8]) -> Result<Self, TokenError> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(TokenError::WeakSecret);
        }
        // An HMAC takes a key of any length.
        Hmac::new_from_slice(secret).map(Self).map_err(|_| TokenError::WeakSecret)
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
struct Payload {
    /// A string on the wire (RFC 7519, section 4.1.2).
    sub: String,
    exp: i64,
    iat: i64,
    iss: String,
    #[serde(default)]
    scope: String,
}

/// Makes the token of these claims.
#[must_use]
pub fn sign(claims: &Claims, key: &HmacKey) -> String {
    let payload = Payload {
        sub: claims.user_id.to_string(),
        exp: claims.expires_at_s,
        iat: claims.issued_at_s,
        iss: ISSUER.to_owned(),
        scope: claims.scope.clone(),
    };
    let payload = serde_json::json!(payload).to_string();
    let mut token =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(payload));
    let signature = key.0.clone().chain_update(&token).finalize().into_bytes();
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    token
}

/// Checks a token at the moment `now_s` (seconds since the epoch).
///
/// # Errors
/// The first thing that is wrong with it; the signature is checked before any claim is read.
pub fn verify(token: &str, key: &HmacKey, now_s: i64) -> Result<Claims, TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
    let header: Header = json_of(header)?;
    if header.alg != "HS256" || header.crit.is_some() {
        return Err(TokenError::Unsupported);
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
    key.0
        .clone()
        .chain_update(signed)
        .verify_slice(&signature)
        .map_err(|_| TokenError::BadSignature)?;
    let payload: Payload = json_of(payload)?;
    if payload.iss != ISSUER {
        return Err(TokenError::WrongIssuer);
    }
    if payload.exp <= now_s {
        return Err(TokenError::Expired);
    }
    if payload.iat > now_s.saturating_add(CLOCK_SKEW_S_MAX) {
        return Err(TokenError::NotYetValid);
    }
    let user_id = payload.sub.parse().map_err(|_| TokenError::Malformed)?;
    Ok(Claims {
        user_id,
        expires_at_s: payload.exp,
        issued_at_s: payload.iat,
        scope: payload.scope,
    })
}

fn json_of<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 1_900_000_000;

    fn key(fill: u8) -> HmacKey {
        HmacKey::new(&[fill; SECRET_BYTES_MIN]).unwrap()
    }

    fn claims() -> Claims {
        Claims {
            user_id: 7,
            expires_at_s: NOW_S + 900,
            issued_at_s: NOW_S,
            scope: "tasks:read tasks:write".to_owned(),
        }
    }

    /// A token of any header and payload, rightly signed.
    fn signed(header: &str, payload: &str) -> String {
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = key(1).0.chain_update(&signed).finalize().into_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    #[test]
    fn a_token_round_trips_until_it_expires() {
        let token = sign(&claims(), &key(1));
        assert_eq!(verify(&token, &key(1), NOW_S), Ok(claims()));
        assert_eq!(verify(&token, &key(1), NOW_S + 899), Ok(claims()));
        assert_eq!(verify(&token, &key(1), NOW_S + 900), Err(TokenError::Expired));
        assert_eq!(verify(&token, &key(1), NOW_S - 61), Err(TokenError::NotYetValid));
    }

    #[test]
    fn what_is_refused() {
        let good = sign(&claims(), &key(1));
        let parts: Vec<&str> = good.split('.').collect();
        let none = format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), parts[1]);
        let payload = r#"{"sub":"7","exp":1900000900,"iat":1900000000,"iss":"rondo"}"#;
        let cases = [
            (String::new(), TokenError::Malformed),
            ("a.b".to_owned(), TokenError::Malformed),
            (parts[..2].join("."), TokenError::Malformed),
            // Ten groups of four characters are left: well-formed, but two bytes short.
            (good[..good.len() - 3].to_owned(), TokenError::BadSignature),
            (sign(&claims(), &key(2)), TokenError::BadSignature),
            (format!("{good}{}", "A".repeat(TOKEN_BYTES_MAX)), TokenError::Malformed),
            (none, TokenError::Unsupported),
            (signed(r#"{"alg":"HS512"}"#, payload), TokenError::Unsupported),
            (signed(r#"{"alg":"HS256","crit":["b64"]}"#, payload), TokenError::Unsupported),
            (signed(HEADER, &payload.replace("rondo", "other")), TokenError::WrongIssuer),
            (signed(HEADER, &payload.replace("\"7\"", "\"x\"")), TokenError::Malformed),
            (signed(HEADER, "[]"), TokenError::Malformed),
        ];
        for (token, expected) in cases {
            assert_eq!(verify(&token, &key(1), NOW_S), Err(expected), "{token}");
        }
        assert_eq!(HmacKey::new(b"short").unwrap_err(), TokenError::WeakSecret);
    }

    /// The example of RFC 7515, appendix A.1: its signature is right, its issuer is not ours.
    #[test]
    fn the_rfc_example_has_a_good_signature() {
        let secret = URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                     eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                     dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let result = verify(token, &HmacKey::new(&secret).unwrap(), 0);
        // It lacks `sub`, which every token of ours has; a wrong signature would be named first.
        assert_eq!(result, Err(TokenError::Malformed));
    }
}
