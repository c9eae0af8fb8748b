//! E-mail addresses: when two of them are one.

use unicode_normalization::UnicodeNormalization as _;

use crate::fold::fold_case;

/// What finds the account of an address, in whatever case and with whatever look-alikes it is
/// written: without case, in Unicode's normal form NFKC, so that the Kelvin sign `K` (U+212A) makes no
/// other address than `k`.
#[must_use]
pub fn key(address: &str) -> String {
    if address.is_ascii() {
        return address.to_ascii_lowercase();
    }
    address.nfkc().flat_map(fold_case).nfkc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        // Another letter, and without case.
        check("ann@ısı.example", "ann@ısı.example");
        check("", "");
    }

    #[test]
    fn a_key_is_its_own() {
        for address in ["K@ﷺ", "ΐ@ŉ", "İ@ẞ", "ǰ@ﬃ", "①@㎏", "a@ͅ"] {
            let once = key(address);
            assert_eq!(key(&once), once, "{address}");
        }
    }
}
