//! E-mail addresses: which are valid, and which are equal.

use crate::Violation;
use crate::fold::fold_case;
use crate::normal::{Form, normal};

/// Maximum length of an e-mail address (RFC 5321, section 4.5.3.1, with its erratum 1690).
pub const EMAIL_CHARS_MAX: usize = 254;
const LOCAL_PART_CHARS_MAX: usize = 64;

/// A valid e-mail address: one `@`, a local part of unquoted characters (RFC 5322, section 3.2.3) and a
/// domain of labels. Surrounding white space is trimmed.
///
/// # Errors
/// `required`, `too_long`, `malformed`.
pub fn parse(text: &str) -> Result<String, Violation> {
    const MALFORMED: Violation = Violation::Malformed { expected: "an e-mail address" };
    let text = text.trim();
    if text.is_empty() {
        return Err(Violation::Required);
    }
    if text.chars().count() > EMAIL_CHARS_MAX {
        return Err(Violation::TooLong { max: EMAIL_CHARS_MAX });
    }
    let (local, domain) = text.split_once('@').ok_or(MALFORMED)?;
    let atom = |part: &str| {
        let is_atext = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
        !part.is_empty() && part.chars().all(is_atext)
    };
    let label = |part: &str| {
        let inner = |c: char| c.is_alphanumeric() || c == '-';
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.chars().all(inner)
    };
    let well_formed = local.len() <= LOCAL_PART_CHARS_MAX
        && local.split('.').all(atom)
        && domain.split('.').all(label);
    if well_formed { Ok(text.to_owned()) } else { Err(MALFORMED) }
}

/// The key by which an address finds its account: case-folded and in Unicode's normal form NFKC, so that case
/// and compatibility characters make no difference. `K` (U+212A, the Kelvin sign) equals `k`.
#[must_use]
pub fn key(address: &str) -> String {
    if address.is_ascii() {
        return address.to_ascii_lowercase();
    }
    let folded = fold_case(&normal(address, Form::Nfkc));
    normal(&folded, Form::Nfkc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["a@b", "ann.lee+tag@mail.example.org", "x_y@bücher.example"] {
            assert_eq!(parse(good).as_deref(), Ok(good));
        }
        let long = format!("{}@example.org", "x".repeat(65));
        for bad in [
            "",
            "a",
            "@b",
            "a@",
            "a@b@c",
            "a b@c",
            "a@b\nBcc: c@d",
            ".a@b",
            "a..b@c",
            "a@-b",
            "<a@b>",
            "a@b..c",
            "a,b@c",
            long.as_str(),
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn keys() {
        let check = |address: &str, expected: &str| assert_eq!(key(address), expected, "{address}");
        check("Ann@Example.ORG", "ann@example.org");
        check("ann@\u{212a}iosk.example", "ann@kiosk.example");
        check("ann@ﬁrm.example", "ann@firm.example");
        check("ann@ＦＩＲＭ.example", "ann@firm.example");
        check("ann@BÜCHER.example", "ann@bücher.example");
        check("ann@bu\u{308}cher.example", "ann@bücher.example");
        check("ann@STRASSE.example", "ann@strasse.example");
        check("ann@straße.example", "ann@strasse.example");
        check("ann@ſoft.example", "ann@soft.example");
        // A dotless i is another letter, and stays so without case.
        check("ann@ısı.example", "ann@ısı.example");
        check("", "");
    }

    #[test]
    fn the_key_of_a_key_is_itself() {
        for address in ["K@ﷺ", "ΐ@ŉ", "İ@ẞ", "ǰ@ﬃ", "①@㎏", "a@ͅ"] {
            let once = key(address);
            assert_eq!(key(&once), once, "{address}");
        }
    }
}
