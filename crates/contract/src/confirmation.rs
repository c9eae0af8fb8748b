//! Tokens of confirmation: that a user was shown what a program is about to do for them, and agrees.
//!
//! A token is worth nothing for another user, other arguments, or another effect than the one that was shown. So it
//! needs no row in the database, and whoever passes it on may be anyone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::token::{HmacKey, TokenError};

/// How long a token is valid, in seconds: as long as somebody may take to read and decide.
pub const CONFIRMATION_LIFETIME_S: i64 = 10 * 60;

/// What the key of links signs to become the key of confirmations. No link has this form.
const LABEL: &[u8] = b"rondo confirmation";

/// The key of confirmations.
#[derive(Debug)]
pub struct ConfirmationKey(HmacKey);

impl ConfirmationKey {
    /// Derives it from the key of links, of which nothing can be learnt from it.
    ///
    /// # Errors
    /// None: a signature is long enough for a key.
    pub fn derived(links: &HmacKey) -> Result<Self, TokenError> {
        HmacKey::new(&links.sign(LABEL)).map(Self)
    }
}

/// What somebody agrees to.
#[derive(Debug, Clone, Copy)]
pub struct Confirmation<'a> {
    pub user_id: i64,
    pub tool: &'a str,
    pub arguments: &'a Value,
    /// What will happen, as it is shown.
    pub effect: &'a str,
}

impl Confirmation<'_> {
    /// A token that is valid until then, in seconds since the epoch.
    #[must_use]
    pub fn sign(&self, key: &ConfirmationKey, expires_at_s: i64) -> String {
        let signature = key.0.sign(self.words(expires_at_s).as_bytes());
        format!("{expires_at_s}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Whether a token is one for this, and still valid.
    #[must_use]
    pub fn is_signed(&self, token: &str, key: &ConfirmationKey, now_s: i64) -> bool {
        let Some((expires, signature)) = token.split_once('.') else { return false };
        let Ok(expires_at_s) = expires.parse() else { return false };
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
        now_s < expires_at_s && key.0.has_signed(self.words(expires_at_s).as_bytes(), &signature)
    }

    /// Members of the arguments are sorted, so their order does not matter.
    fn words(&self, expires_at_s: i64) -> String {
        let arguments = Sha256::digest(self.arguments.to_string());
        let effect = Sha256::digest(self.effect);
        format!("{}.{}.{arguments:x}.{effect:x}.{expires_at_s}", self.user_id, self.tool)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW_S: i64 = 1_900_000_000;

    fn key(secret: &str) -> ConfirmationKey {
        let links = HmacKey::new(secret.repeat(32).as_bytes()).unwrap();
        ConfirmationKey::derived(&links).unwrap()
    }

    #[test]
    fn a_token_is_for_one_thing() {
        let arguments = json!({"ids": [1, 2]});
        let asked = Confirmation {
            user_id: 7,
            tool: "delete_task",
            arguments: &arguments,
            effect: "Deletes two tasks.",
        };
        let token = asked.sign(&key("a"), NOW_S + 1);
        assert!(asked.is_signed(&token, &key("a"), NOW_S));
        assert!(!asked.is_signed(&token, &key("a"), NOW_S + 1), "expired");
        assert!(!asked.is_signed(&token, &key("b"), NOW_S), "another key");
        let later = token.replace(&(NOW_S + 1).to_string(), &(NOW_S + 9).to_string());
        assert!(!asked.is_signed(&later, &key("a"), NOW_S), "a longer life");
        let others = json!({"ids": [1, 3]});
        for other in [
            Confirmation { user_id: 8, ..asked },
            Confirmation { tool: "complete_task", ..asked },
            Confirmation { arguments: &others, ..asked },
            Confirmation { effect: "Deletes three tasks.", ..asked },
        ] {
            assert!(!other.is_signed(&token, &key("a"), NOW_S), "{other:?}");
        }
        for forged in ["", ".", "1", "1.", &format!("{}.", NOW_S + 1), "x.y"] {
            assert!(!asked.is_signed(forged, &key("a"), NOW_S), "{forged}");
        }
    }

    #[test]
    fn a_link_is_no_confirmation() {
        let links = HmacKey::new("a".repeat(32).as_bytes()).unwrap();
        let arguments = json!({});
        let asked =
            Confirmation { user_id: 7, tool: "delete_task", arguments: &arguments, effect: "" };
        let by_links = asked.sign(&ConfirmationKey(links), NOW_S + 1);
        assert!(!asked.is_signed(&by_links, &key("a"), NOW_S));
    }
}
