//! Random secrets handed out as text: refresh tokens, mailed tokens, invitations, personal API tokens. Only
//! their hashes are stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// Random bytes of a secret.
pub const SECRET_BYTES: usize = 32;
/// Prefix of a personal API token: distinguishes it from a JWT, and makes leaked ones searchable.
pub const API_TOKEN_PREFIX: &str = "rondo_";
/// Lifetime of an invitation, in seconds: a week.
pub const INVITATION_LIFETIME_S: i64 = 7 * 24 * 60 * 60;
/// Maximum length of a secret, in bytes.
const SECRET_TEXT_BYTES_MAX: usize = 256;

/// The text form of a secret: base64url without padding.
#[must_use]
pub fn encode(random: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(random)
}

/// The stored form of a secret: its SHA-256 in hexadecimal. A random secret needs neither salt nor a slow
/// hash. None for text that is empty or too long.
#[must_use]
pub fn hash(secret: &str) -> Option<String> {
    if secret.is_empty() || secret.len() > SECRET_TEXT_BYTES_MAX {
        return None;
    }
    Some(format!("{:x}", Sha256::digest(secret)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            hash("abc").as_deref(),
            Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        );
        assert_eq!(hash(""), None);
        assert_eq!(hash(&"x".repeat(SECRET_TEXT_BYTES_MAX + 1)), None);
        assert_eq!(encode(&[0xff; SECRET_BYTES]).len(), 43);
    }
}
