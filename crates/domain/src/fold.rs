//! Folding: text without case and accents, for search and for sorting titles.
//!
//! Folding in the database would depend on the locale that the database was created with.

use crate::normal::{Form, normal};

/// Separates title and description in the search text. Folding drops it everywhere else, so that no phrase
/// matches across the two.
pub(crate) const SEPARATOR: char = '\u{ffff}';

/// Text without case and accents: `Straße` is `strasse`, `İstanbul` is `istanbul`, `ﬁ` is `fi`, `Ａ` is `a`.
/// The voicing marks of kana stay, because they make a different letter: `が`.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let bare: String =
        normal(text, Form::Nfkd).chars().filter(|c| !is_accent(*c) && *c != SEPARATOR).collect();
    let mut plain = String::with_capacity(bare.len());
    // Composed again, so that the syllable 하 is not found inside 한.
    for c in normal(&bare, Form::Nfc).chars() {
        match letter_with_stroke(c) {
            Some(letter) => plain.push_str(letter),
            None => plain.push(c),
        }
    }
    fold_case(&plain)
}

/// Text without case: Unicode's full case folding (section 5.18; CaseFolding.txt, C and F), except
/// that Cherokee folds to its small letters.
pub fn fold_case(text: &str) -> String {
    normal(text, Form::Case)
}

/// Combining marks that accent a letter, points of Hebrew and Arabic, and variation selectors.
const fn is_accent(c: char) -> bool {
    matches!(c,
        '\u{0300}'..='\u{036f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}'
        | '\u{0591}'..='\u{05bd}' | '\u{05c1}'..='\u{05c2}' | '\u{064b}'..='\u{065f}' | '\u{0670}'
        | '\u{fe00}'..='\u{fe0f}')
}

/// Latin letters that people read as accented although Unicode does not decompose them, and the dotless i,
/// which becomes `i`.
const fn letter_with_stroke(c: char) -> Option<&'static str> {
    Some(match c {
        'ø' | 'Ø' => "o",
        'ł' | 'Ł' => "l",
        'đ' | 'Đ' => "d",
        'ħ' | 'Ħ' => "h",
        'æ' | 'Æ' => "ae",
        'œ' | 'Œ' => "oe",
        'ı' => "i",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_accents() {
        let check = |text: &str, expected: &str| assert_eq!(fold(text), expected, "{text}");
        check("", "");
        check("Water The Plants_100%\\'\"", "water the plants_100%\\'\"");
        check("Straße", "strasse");
        check("STRASSE ẞ ſ", "strasse ss s");
        check("İstanbul ISPARTA ısı", "istanbul isparta isi");
        check("Éléonore e\u{301}", "eleonore e");
        check("Łódź, Ærø, œuvre", "lodz, aero, oeuvre");
        check("ΌΔΟΣ όδος", "οδοσ οδοσ");
        check("ЁЛКА Ёлка", "елка елка");
        check("東京", "東京");
        check("ﾄｳｷｮｳ", "トウキョウ");
        check("が", "が");
        check("한국", "한국");
        check("שָׁלוֹם", "שלום");
        check("Ａﬁ①", "afi1");
        check("👩‍💻 ❤\u{fe0f}", "👩‍💻 ❤");
        check("\u{301}", "");
        check("a\u{ffff}b", "ab");
    }

    #[test]
    fn case_alone() {
        let check = |text: &str, expected: &str| {
            assert_eq!(fold_case(text), expected, "{text}");
        };
        check("Straße STRASSE ẞ ſ", "strasse strasse ss s");
        check("ΌΔΟΣ όδος", "όδοσ όδοσ");
        check("École É", "école é");
        check("\u{212a}\u{2126}\u{212b}µ", "kωåμ");
        check("ﬁ ŉ \u{1f0} ᾳ", "fi ʼn j\u{30c} αι");
        check("İ I ı i", "i\u{307} i ı i");
        check("ꭰ Ꭰ", "ꭰ ꭰ");
    }

    #[test]
    fn folding_twice_is_folding_once() {
        for text in ["Straße ẞ", "İıΣς", "ŉ ǰ ΐ ﬃ", "ǅ ᾼ", "한글 がぎ", "ﷺ", "Ω Å K"]
        {
            let once = fold(text);
            assert_eq!(fold(&once), once, "{text}");
        }
    }
}
