//! Secrets that are handed out as random text: refresh tokens, tokens in mails, invitations, personal
//! API tokens. Only a hash of them is stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// Random bytes of a secret.
pub const SECRET_BYTES: usize = 32;
/// How a personal API token begins, so that it is told from a JWT, and found where it has leaked.
pub const API_TOKEN_PREFIX: &str = "rondo_";
/// How long an invitation is good, in seconds: a week.
pub const INVITATION_LIFETIME_S: i64 = 7 * 24 * 60 * 60;
/// Longest secret that is looked at, in bytes.
const SECRET_TEXT_BYTES_MAX: usize = 256;

/// A secret as it is handed out.
#[must_use]
pub fn encode(random: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(random)
}

/// What is stored of a secret: its SHA-256 in hexadecimal. It is random, so it needs no salt and no
/// slow hash. None for what cannot be a secret.
#[must_use]
pub fn hash(secret: &str) -> Option<String> {
    if secret.is_empty() || secret.len() > SECRET_TEXT_BYTES_MAX {
        return None;
    }
    let digest = Sha256::digest(secret);
    Some(digest.iter().fold(String::with_capacity(64), |hex, byte| format!("{hex}{byte:02x}")))
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
