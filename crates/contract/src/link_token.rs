//! Tokens of links in mails: what pressing the button behind a link does, for which user, and until when.
//!
//! A token is the words of its [`Link`] separated by dots, and an HMAC-SHA256 over them (RFC 2104), so it
//! needs no row in the database. The key is used only for links: a link's token cannot become an access
//! token, nor the other way round.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rondo_domain::word_enum;

use crate::token::HmacKey;

/// Variable that holds the key.
pub const LINK_SECRET_VARIABLE: &str = "link_secret";
/// Variable that holds the previous key, whose links still work; may be empty.
pub const LINK_SECRET_PREVIOUS_VARIABLE: &str = "link_secret_previous";
/// Maximum length of a token, in bytes.
pub const LINK_TOKEN_BYTES_MAX: usize = 256;
/// How long a link to change a task works, in seconds.
pub const TASK_LINK_LIFETIME_S: i64 = 30 * 24 * 60 * 60;
/// Lifetime of a link to unsubscribe, in seconds, because mails may be read late.
pub const UNSUBSCRIBE_LINK_LIFETIME_S: i64 = 365 * 24 * 60 * 60;

word_enum! {
    /// The one action of a link.
    pub enum Purpose {
        Complete = "complete",
        SnoozeHour = "snooze-hour",
        SnoozeTomorrow = "snooze-tomorrow",
        Unsubscribe = "unsubscribe",
    }
}

impl Purpose {
    /// The page behind the link.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Complete => "/links/complete",
            Self::SnoozeHour | Self::SnoozeTomorrow => "/links/snooze",
            Self::Unsubscribe => "/links/unsubscribe",
        }
    }
}

/// The content of a link's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    pub purpose: Purpose,
    pub user_id: i64,
    /// The task to complete or the reminder to snooze; 0 if there is none.
    pub subject_id: i64,
    /// The reminder's firing that the mail is about; 0 if there is none.
    pub firing: i64,
    /// Seconds since the epoch; the link works before this moment.
    pub expires_at_s: i64,
}

/// Why a link is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    #[error("the link is not one of ours")]
    Forged,
    #[error("the link has expired")]
    Expired,
}

impl Link {
    /// The link's URL under `base`, which has no trailing slash.
    #[must_use]
    pub fn url(&self, base: &str, key: &HmacKey) -> String {
        format!("{base}{}?token={}", self.purpose.path(), self.sign(key))
    }

    /// The token, in characters that URLs allow.
    #[must_use]
    pub fn sign(&self, key: &HmacKey) -> String {
        let Self { purpose, user_id, subject_id, firing, expires_at_s } = self;
        let words = format!("{purpose}.{user_id}.{subject_id}.{firing}.{expires_at_s}");
        let signature = URL_SAFE_NO_PAD.encode(key.sign(words.as_bytes()));
        format!("{words}.{signature}")
    }

    /// Reads a token that was signed with one of these keys and has not expired.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn read(token: &str, keys: &[HmacKey], now_s: i64) -> Result<Self, LinkError> {
        if token.len() > LINK_TOKEN_BYTES_MAX {
            return Err(LinkError::Forged);
        }
        let (words, signature) = token.rsplit_once('.').ok_or(LinkError::Forged)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| LinkError::Forged)?;
        if !keys.iter().any(|key| key.has_signed(words.as_bytes(), &signature)) {
            return Err(LinkError::Forged);
        }
        let link = Self::of_words(words).ok_or(LinkError::Forged)?;
        if now_s < link.expires_at_s { Ok(link) } else { Err(LinkError::Expired) }
    }

    fn of_words(words: &str) -> Option<Self> {
        let mut words = words.split('.');
        let purpose = Purpose::parse(words.next()?).ok()?;
        let mut number = || words.next()?.parse().ok();
        let link = Self {
            purpose,
            user_id: number()?,
            subject_id: number()?,
            firing: number()?,
            expires_at_s: number()?,
        };
        words.next().is_none().then_some(link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 1_900_000_000;

    fn key(secret: &str) -> HmacKey {
        HmacKey::new(secret.repeat(32).as_bytes()).unwrap()
    }

    fn link() -> Link {
        Link {
            purpose: Purpose::SnoozeHour,
            user_id: 7,
            subject_id: 42,
            firing: 3,
            expires_at_s: NOW_S + 1,
        }
    }

    #[test]
    fn a_link_works_until_it_expires() {
        let token = link().sign(&key("a"));
        let keys = [key("a"), key("b")];
        assert_eq!(Link::read(&token, &keys[..1], NOW_S), Ok(link()));
        assert_eq!(Link::read(&token, &keys[..1], NOW_S + 1), Err(LinkError::Expired));
        // During a rotation, both keys are valid.
        assert_eq!(Link::read(&link().sign(&keys[1]), &keys, NOW_S), Ok(link()));
        assert!(token.len() < LINK_TOKEN_BYTES_MAX / 2, "{token}");
        let url = link().url("https://a.example/rondo", &key("a"));
        assert_eq!(url, format!("https://a.example/rondo/links/snooze?token={token}"));
    }

    #[test]
    fn malformed_and_forged_links_are_refused() {
        let token = link().sign(&key("a"));
        let (words, signature) = token.rsplit_once('.').unwrap();
        let longer = format!("{words}.1.{signature}");
        for (what, token) in [
            ("another key's", link().sign(&key("b"))),
            ("another purpose's", token.replace("snooze-hour", "snooze-tomorrow")),
            ("another user's", token.replace(".7.", ".8.")),
            ("another reminder's", token.replace(".42.", ".43.")),
            ("another firing's", token.replace(".3.", ".4.")),
            ("a later one", token.replace("1900000001", "1900000009")),
            ("one with more words", longer),
            ("one without a signature", format!("{words}.")),
            ("half a signature", token[..token.len() - 4].to_owned()),
            ("words alone", words.to_owned()),
            ("nothing", String::new()),
            ("too long", format!("{}{token}", "0".repeat(LINK_TOKEN_BYTES_MAX))),
            ("letters beyond ASCII", "é".repeat(40)),
        ] {
            assert_eq!(Link::read(&token, &[key("a")], NOW_S), Err(LinkError::Forged), "{what}");
        }
    }

    /// An access token's signature covers other text, even if both keys are the same.
    #[test]
    fn an_access_token_is_not_a_link() {
        let claims = crate::token::Claims {
            user_id: 7,
            expires_at_s: NOW_S + 60,
            issued_at_s: NOW_S,
            scope: String::new(),
        };
        let token = crate::token::sign(&claims, &key("a"));
        assert_eq!(Link::read(&token, &[key("a")], NOW_S), Err(LinkError::Forged));
        assert!(crate::token::verify(&link().sign(&key("a")), &key("a"), NOW_S).is_err());
    }
}
