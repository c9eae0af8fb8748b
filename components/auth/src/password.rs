//! Passwords: argon2id with the parameters that OWASP's password storage cheat sheet recommends.

use argon2::password_hash::{PasswordHash, SaltString};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use rondo_guest::Refusal;

use crate::bindings::wasi::random::random::get_random_bytes;

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: u64 = 16;

/// A hash of a password that nobody has, with the parameters above: what a login with an unknown
/// e-mail is verified against, so that it takes as long.
const NOBODYS_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$cm9uZG8tbm9ib2R5c2FsdA\
                            $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The password's hash in PHC string format, with a salt of its own.
pub fn hash(password: &str) -> Result<String, Refusal> {
    let salt = SaltString::encode_b64(&get_random_bytes(SALT_BYTES)).map_err(failed)?;
    let hash = hasher()?.hash_password(password.as_bytes(), &salt).map_err(failed)?;
    Ok(hash.to_string())
}

/// Whether the password is the hash's; never, after the same work, when there is no hash.
pub fn verify(password: &str, hash: Option<&str>) -> Result<bool, Refusal> {
    let parsed = PasswordHash::new(hash.unwrap_or(NOBODYS_HASH)).map_err(failed)?;
    let matches = hasher()?.verify_password(password.as_bytes(), &parsed).is_ok();
    Ok(matches && hash.is_some())
}

fn hasher() -> Result<Argon2<'static>, Refusal> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn failed(error: impl std::fmt::Display) -> Refusal {
    Refusal::internal(format!("password hash: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(password: &str) -> String {
        let salt = SaltString::encode_b64(&[7; SALT_BYTES as usize]).unwrap();
        hasher().unwrap().hash_password(password.as_bytes(), &salt).unwrap().to_string()
    }

    #[test]
    fn only_the_right_password_matches() {
        let hash = made("correct horse");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify("correct horse", Some(&hash)).unwrap());
        assert!(!verify("correct horsf", Some(&hash)).unwrap());
        assert!(verify("", Some("no hash")).is_err());
    }

    /// The time of a login does not tell whether there is an account: what is verified without one
    /// costs the same work, parameter by parameter and byte by byte.
    #[test]
    fn nobodys_hash_is_as_much_work_as_any() {
        let made = made("correct horse");
        let (real, nobodys) =
            (PasswordHash::new(&made).unwrap(), PasswordHash::new(NOBODYS_HASH).unwrap());
        assert_eq!(nobodys.algorithm, real.algorithm);
        assert_eq!(nobodys.version, real.version);
        assert_eq!(nobodys.params, real.params);
        let bytes = |hash: &PasswordHash<'_>| hash.hash.map(|output| output.len());
        assert_eq!(bytes(&nobodys), bytes(&real));
        let chars = |hash: &PasswordHash<'_>| hash.salt.map(|salt| salt.as_str().len());
        assert_eq!(chars(&nobodys), chars(&real));
        assert!(!verify("correct horse", None).unwrap());
    }
}
