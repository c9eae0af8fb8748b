//! Access tokens: JSON Web Tokens (RFC 7519) in the compact form (RFC 7515).
//!
//! Rondo's own are signed with HMAC-SHA256 ("HS256", RFC 7518) or Ed25519 ("EdDSA", RFC 8037); an OpenID
//! provider's with RSA, ECDSA or Ed25519. A token's header only selects the key, and each key fixes its
//! algorithm. So neither `none` nor a public key used as a secret proves anything.
//!
//! A token that is evidently not an access token is refused, whoever signed it:
//! - `typ`, if there is one, is `JWT` or `at+jwt` (RFC 9068, section 2.1), so no `logout+jwt` or
//!   `dpop+jwt`;
//! - an ID token (OpenID Connect Core 1.0, section 2) has `nonce`, `at_hash` or `c_hash`, a logout token
//!   (Back-Channel Logout 1.0, section 2.4) and a security event (RFC 8417) have `events`: one with any of
//!   these is refused;
//! - `azp` names the client that a token was issued to. An ID token was issued to its own audience, an access
//!   token to a client that acts on a user's behalf. So a token whose `azp` is our audience is accepted only
//!   with something that ID tokens lack: `typ` of `at+jwt`, `client_id` (RFC 9068, section 2.2), or a scope.

pub mod check;
pub mod key;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use rondo_domain::access::Scopes;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sha2::Sha256;

use key::Jwk;

/// `iss` of every token that Rondo issues.
pub const ISSUER: &str = "rondo";
/// Maximum length of a token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 4096;
/// Minimum length of a secret, in bytes (RFC 7518, section 3.2).
pub const SECRET_BYTES_MIN: usize = 32;
/// Maximum length of a name adopted from a provider, in characters.
const NAME_CHARS_MAX: usize = 200;
/// How far an issuer's clock may be ahead of this machine's, in seconds.
pub const CLOCK_SKEW_S_MAX: i64 = 60;

/// The claims of a token.
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

/// The claims of a provider's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderClaims {
    pub subject: String,
    /// Seconds since the epoch; the token is valid before this moment.
    pub expires_at_s: i64,
    /// Seconds since the epoch; 0 if absent.
    pub issued_at_s: i64,
    /// Space-separated scopes.
    pub scope: String,
    /// Present only if the provider has verified it.
    pub email: Option<String>,
    pub name: Option<String>,
}

impl ProviderClaims {
    /// Finds the subject's user, or creates it: issuer, subject, e-mail address, its key and the name to
    /// `user_id`.
    pub const USER_SQL: &str = include_str!("token/sql/identity_user.sql");
}

/// The accepted provider, and what its tokens have to state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// `iss`, compared exactly (OpenID Connect Core 1.0, section 3.1.3.7).
    pub issuer: String,
    /// What `aud` has to include: a token for another audience is refused.
    pub audience: String,
    /// The scopes of a token that names none of Rondo's.
    pub default_scopes: Scopes,
}

/// A shared secret for signing and checking.
#[derive(Clone)]
pub struct HmacKey(Hmac<Sha256>);

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey(redacted)")
    }
}

/// Why a secret or a token is refused. A client learns only that the token is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the secret is shorter than {SECRET_BYTES_MIN} bytes")]
    WeakSecret,
    #[error("the token is malformed")]
    Malformed,
    #[error("the token's algorithm is not accepted")]
    Unsupported,
    #[error("the token's key is not known")]
    UnknownKey,
    #[error("the token's signature is wrong")]
    BadSignature,
    #[error("the token is from another issuer")]
    WrongIssuer,
    #[error("the token is no access token")]
    WrongKind,
    #[error("the token is for somebody else")]
    WrongAudience,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
}

impl HmacKey {
    /// # Errors
    /// [`TokenError::WeakSecret`] when the secret is too short.
    pub fn new(secret: &[u8]) -> Result<Self, TokenError> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(TokenError::WeakSecret);
        }
        // An HMAC accepts a key of any length.
        Hmac::new_from_slice(secret).map(Self).map_err(|_| TokenError::WeakSecret)
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 32] {
        self.0.clone().chain_update(message).finalize().into_bytes().into()
    }

    /// Compares in constant time, so that timing does not reveal where a wrong signature differs.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.clone().chain_update(message).verify_slice(signature).is_ok()
    }
}

/// The accepted algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Hs256,
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    /// By its registered name (RFC 7518, section 3.1; RFC 8037, section 3.1).
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "HS256" => Self::Hs256,
            "RS256" => Self::Rs256,
            "ES256" => Self::Es256,
            "EdDSA" => Self::EdDsa,
            _ => return None,
        })
    }
}

/// A presented token: parsed, but not verified.
pub struct Presented<'a> {
    pub algorithm: Algorithm,
    /// The id of the key that the token claims to be signed with.
    pub key_id: Option<String>,
    /// Whether its `typ` marks it as an access token.
    is_typed: bool,
    signed: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

/// The kind of key that a token needs, by the token's own unproven claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Secret,
    /// One of Rondo's public keys.
    OwnKey,
    /// A key of this issuer, which is looked up together with the subject's user.
    Provider {
        issuer: String,
        subject: String,
    },
}

/// A token's claims after its signature has been verified.
pub struct Proven {
    payload: Payload,
    is_typed: bool,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default)]
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Payload {
    /// A string on the wire (RFC 7519, section 4.1.2).
    sub: String,
    #[serde(deserialize_with = "moment")]
    exp: i64,
    #[serde(default, deserialize_with = "optional_moment")]
    iat: Option<i64>,
    #[serde(default, deserialize_with = "optional_moment")]
    nbf: Option<i64>,
    iss: String,
    #[serde(default)]
    aud: Value,
    /// A string of words by RFC 8693 (section 4.2); with some providers an array, or named `scp`.
    #[serde(default, deserialize_with = "words")]
    scope: Vec<String>,
    #[serde(default, deserialize_with = "words")]
    scp: Vec<String>,
    #[serde(default)]
    azp: Option<String>,
    #[serde(default)]
    client_id: Option<IgnoredAny>,
    #[serde(default)]
    nonce: Option<IgnoredAny>,
    #[serde(default)]
    at_hash: Option<IgnoredAny>,
    #[serde(default)]
    c_hash: Option<IgnoredAny>,
    #[serde(default)]
    events: Option<IgnoredAny>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    email_verified: Value,
    #[serde(default)]
    name: Option<String>,
}

/// Issues a token with these claims.
#[must_use]
pub fn sign(claims: &Claims, key: &HmacKey) -> String {
    let mut token = unsigned(r#"{"alg":"HS256","typ":"JWT"}"#, claims);
    let signature = key.sign(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    token
}

/// Header and payload in the form that is signed.
pub(crate) fn unsigned(header: &str, claims: &Claims) -> String {
    let payload = serde_json::json!({
        "sub": claims.user_id.to_string(),
        "exp": claims.expires_at_s,
        "iat": claims.issued_at_s,
        "iss": ISSUER,
        "scope": claims.scope,
    });
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload.to_string()))
}

/// Verifies one of Rondo's own tokens, signed with the secret, at the moment `now_s` (seconds since the
/// epoch).
///
/// # Errors
/// The first fault; the signature is verified before any claim is read.
pub fn verify(token: &str, key: &HmacKey, now_s: i64) -> Result<Claims, TokenError> {
    Presented::read(token)?.proven_by_secret(key)?.own(now_s)
}

impl<'a> Presented<'a> {
    /// Parses a token.
    ///
    /// # Errors
    /// If it is not a compact JWS, is too long, or has a type, an algorithm or a critical extension that is
    /// not accepted.
    pub fn read(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let header: Header = json_of(header)?;
        let algorithm = Algorithm::parse(&header.alg).ok_or(TokenError::Unsupported)?;
        if header.crit.is_some() {
            return Err(TokenError::Unsupported);
        }
        let typ = header.typ.map(|typ| typ.to_ascii_lowercase());
        let typ = typ.as_deref().map(|typ| typ.strip_prefix("application/").unwrap_or(typ));
        let is_typed = match typ {
            None | Some("jwt") => false,
            Some("at+jwt") => true,
            Some(_) => return Err(TokenError::WrongKind),
        };
        if !header.kid.as_deref().is_none_or(is_clean) {
            return Err(TokenError::Malformed);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
        Ok(Self { algorithm, key_id: header.kid, is_typed, signed, payload, signature })
    }

    /// The kind of key that the token needs.
    ///
    /// # Errors
    /// If the payload is not a token's.
    pub fn source(&self) -> Result<Source, TokenError> {
        if self.algorithm == Algorithm::Hs256 {
            return Ok(Source::Secret);
        }
        let payload: Payload = json_of(self.payload)?;
        if payload.iss == ISSUER {
            return Ok(Source::OwnKey);
        }
        if !is_clean(&payload.iss) || !is_clean(&payload.sub) {
            return Err(TokenError::Malformed);
        }
        Ok(Source::Provider { issuer: payload.iss, subject: payload.sub })
    }

    /// # Errors
    /// If the token is not signed with this secret.
    pub fn proven_by_secret(&self, key: &HmacKey) -> Result<Proven, TokenError> {
        if self.algorithm != Algorithm::Hs256 {
            return Err(TokenError::Unsupported);
        }
        if !key.has_signed(self.signed.as_bytes(), &self.signature) {
            return Err(TokenError::BadSignature);
        }
        self.proven()
    }

    /// Verifies the signature with the key that the token names, among those that fit its algorithm. A token
    /// that names none is verified only if exactly one key fits.
    ///
    /// # Errors
    /// If there is no such key, or the signature is wrong.
    pub fn proven_by_key(&self, keys: &[Jwk]) -> Result<Proven, TokenError> {
        let mut fitting = keys.iter().filter(|key| {
            key.fits(self.algorithm) && (self.key_id.is_none() || key.kid == self.key_id)
        });
        let key = fitting.next().ok_or(TokenError::UnknownKey)?;
        if self.key_id.is_none() && fitting.next().is_some() {
            return Err(TokenError::UnknownKey);
        }
        let key = key.public_key().map_err(|_| TokenError::UnknownKey)?;
        if !key.has_signed(self.signed.as_bytes(), &self.signature) {
            return Err(TokenError::BadSignature);
        }
        self.proven()
    }

    /// The caller must have verified the signature.
    fn proven(&self) -> Result<Proven, TokenError> {
        Ok(Proven { payload: json_of(self.payload)?, is_typed: self.is_typed })
    }
}

impl Proven {
    /// The claims of a token that Rondo issued.
    ///
    /// # Errors
    /// If another issuer made it, or it is not valid now.
    pub fn own(self, now_s: i64) -> Result<Claims, TokenError> {
        self.valid(ISSUER, now_s)?;
        let Payload { sub, exp, iat, .. } = &self.payload;
        Ok(Claims {
            user_id: sub.parse().map_err(|_| TokenError::Malformed)?,
            expires_at_s: *exp,
            issued_at_s: iat.ok_or(TokenError::Malformed)?,
            scope: self.payload.scope.join(" "),
        })
    }

    /// The claims of a provider's token.
    ///
    /// # Errors
    /// If it is another issuer's, for another audience, not an access token, or not valid now.
    pub fn of_provider(
        self,
        provider: &Provider,
        now_s: i64,
    ) -> Result<ProviderClaims, TokenError> {
        self.valid(&provider.issuer, now_s)?;
        let Self { payload, is_typed } = self;
        let named = |value: &Value| value.as_str() == Some(&provider.audience);
        let is_for_us = match &payload.aud {
            Value::Array(audiences) => audiences.iter().any(named),
            one => named(one),
        };
        if !is_for_us {
            return Err(TokenError::WrongAudience);
        }
        if payload.sub.is_empty() {
            return Err(TokenError::Malformed);
        }
        let scope = [payload.scope, payload.scp].concat().join(" ");
        let is_access = is_typed || payload.client_id.is_some() || !scope.is_empty();
        if !is_access && payload.azp.as_ref() == Some(&provider.audience) {
            return Err(TokenError::WrongKind);
        }
        // Some providers write the boolean as a string.
        let is_verified = payload.email_verified == Value::Bool(true)
            || payload.email_verified.as_str() == Some("true");
        Ok(ProviderClaims {
            subject: payload.sub,
            expires_at_s: payload.exp,
            issued_at_s: payload.iat.unwrap_or_default(),
            scope,
            email: payload.email.filter(|email| is_verified && is_clean(email)),
            name: payload
                .name
                .filter(|name| is_clean(name))
                .map(|name| name.chars().take(NAME_CHARS_MAX).collect()),
        })
    }

    fn valid(&self, issuer: &str, now_s: i64) -> Result<(), TokenError> {
        let latest = now_s.saturating_add(CLOCK_SKEW_S_MAX);
        let Payload { iss, exp, iat, nbf, nonce, at_hash, c_hash, events, .. } = &self.payload;
        if iss != issuer {
            Err(TokenError::WrongIssuer)
        } else if [nonce, at_hash, c_hash, events].iter().any(|claim| claim.is_some()) {
            Err(TokenError::WrongKind)
        } else if *exp <= now_s {
            Err(TokenError::Expired)
        } else if (*iat).max(*nbf).is_some_and(|begin| begin > latest) {
            Err(TokenError::NotYetValid)
        } else {
            Ok(())
        }
    }
}

/// Whether the database accepts the text.
fn is_clean(text: &str) -> bool {
    !text.contains('\0')
}

fn json_of<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)
}

/// A NumericDate (RFC 7519, section 2): seconds since the epoch, possibly with a fraction.
fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let whole = |seconds: f64| seconds.is_finite().then_some(seconds.floor() as i64);
    number
        .as_i64()
        .or_else(|| number.as_f64().and_then(whole))
        .ok_or_else(|| serde::de::Error::custom("no moment"))
}

/// Words separated by spaces, or an array of them.
fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Words {
        One(String),
        Many(Vec<String>),
    }
    let words = |text: &str| text.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>();
    Ok(match Option::<Words>::deserialize(deserializer)? {
        None => Vec::new(),
        Some(Words::One(text)) => words(&text),
        Some(Words::Many(many)) => many.iter().flat_map(|text| words(text)).collect(),
    })
}

fn optional_moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    moment(deserializer).map(Some)
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
