//! Passwords: their strength, and their hashes by argon2id with the parameters that OWASP's password storage
//! cheat sheet recommends.

use argon2::password_hash::{PasswordHash, SaltString};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use rondo_contract::problem::FieldError;
use rondo_guest::Refusal;

use crate::bindings::wasi::random::random::get_random_bytes;

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: u64 = 16;

/// A hash with the parameters above that no password matches. A login with an unknown e-mail is verified
/// against it, so that it takes as long as any other.
const NOBODYS_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$cm9uZG8tbm9ib2R5c2FsdA\
                            $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Minimum score of a password, from 0 to 4. A score of 3 means some 10^8 guesses: out of reach of throttled
/// logins, and weeks of work against a stolen hash of this kind.
const SCORE_MIN: u8 = 3;

/// Refuses a password that is easy to guess: common words and names, keyboard patterns, repetitions, dates,
/// and what is known about the user. `member` is its position in the body.
///
/// This takes as much work as a hash, so all other checks come first.
pub fn judge(
    member: &str,
    password: &str,
    email: Option<&str>,
    name: Option<&str>,
) -> Result<(), Refusal> {
    let known = [email, name].into_iter().flatten();
    let parts = known.clone().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
    let known: Vec<&str> = known.chain(parts).filter(|text| !text.is_empty()).collect();
    // Only an empty password cannot be scored, and the form has refused that.
    let judged = zxcvbn::zxcvbn(password, &known).map_err(failed)?;
    if judged.score() >= SCORE_MIN {
        return Ok(());
    }
    let mut detail = "is too easy to guess.".to_owned();
    if let Some(feedback) = judged.feedback() {
        let warning = feedback.warning().map(|warning| warning.to_string());
        let suggestions = feedback.suggestions().iter().map(ToString::to_string);
        for sentence in warning.into_iter().chain(suggestions) {
            detail += " ";
            detail += &sentence;
        }
    }
    Err(Refusal::invalid(vec![FieldError {
        pointer: format!("/{member}"),
        code: "weak_password".into(),
        detail,
    }]))
}

/// The password's hash in PHC string format, with a salt of its own.
pub fn hash(password: &str) -> Result<String, Refusal> {
    let salt = SaltString::encode_b64(&get_random_bytes(SALT_BYTES)).map_err(failed)?;
    let hash = hasher()?.hash_password(password.as_bytes(), &salt).map_err(failed)?;
    Ok(hash.to_string())
}

/// Whether the password matches the hash. Without a hash it never does, after the same work.
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

    #[test]
    fn weak_passwords_are_refused() {
        let judged = |password: &str| {
            judge("password", password, Some("ada.lovelace@engine.example"), Some("Ada King"))
        };
        for good in
            ["correct horse", "Tr0ub4dor&3", "water the plants", "пароль на Марсе", "x7#kQ!pzW9"]
        {
            assert!(judged(good).is_ok(), "{good}");
        }
        let known = ["ada.lovelace@engine.example", "adalovelace", "AdaKing1", "engineada"];
        let common = [
            "password",
            "12345678",
            "qwertyuiop",
            "aaaaaaaaaaaa",
            "iloveyou1",
            "19910101",
            "P@ssw0rd",
        ];
        for bad in known.iter().chain(&common) {
            assert!(judged(bad).is_err(), "{bad}");
        }
        // Anything that a body can contain gets a score, up to the maximum length.
        for odd in ["\u{301}\u{200d}\u{202e}é🎉👍🏽日本", &"Aa1!".repeat(32), &"ß".repeat(128)]
        {
            let _ = judged(odd);
        }
    }

    /// The time of a login does not reveal whether the account exists: verification without an account costs
    /// the same work, parameter by parameter and byte by byte.
    #[test]
    fn the_hash_for_unknown_accounts_costs_the_same_work() {
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
