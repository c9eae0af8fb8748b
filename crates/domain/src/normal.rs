//! Normal forms of text (Unicode, UAX 15), and its case.
//!
//! The tables are compiled in, by the feature `unicode`. A program that is too small for them, such as a web page,
//! registers what the browser has.

use std::sync::OnceLock;

/// A normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
    /// Each character by itself in small letters, of those that its capital letters have. A dotless i stays.
    Case,
}

impl Form {
    /// All forms.
    pub const ALL: [Self; 5] = [Self::Nfc, Self::Nfd, Self::Nfkc, Self::Nfkd, Self::Case];

    /// Its name, which is Unicode's but for the case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nfc => "NFC",
            Self::Nfd => "NFD",
            Self::Nfkc => "NFKC",
            Self::Nfkd => "NFKD",
            Self::Case => "case",
        }
    }
}

/// Puts text into a normal form.
pub type Normalize = fn(&str, Form) -> String;

static REGISTERED: OnceLock<Normalize> = OnceLock::new();

/// Takes over a function for the whole process, for where no tables are compiled in. The first one stays.
pub fn register(normalize: Normalize) {
    // A second one would have to give the same results.
    let _ = REGISTERED.set(normalize);
}

/// Text in a normal form. Without tables, text stays as it is until a function is registered.
#[must_use]
pub fn normal(text: &str, form: Form) -> String {
    #[cfg(feature = "unicode")]
    return compiled_in(text, form);
    #[cfg(not(feature = "unicode"))]
    return REGISTERED.get().map_or_else(|| text.to_owned(), |normalize| normalize(text, form));
}

#[cfg(feature = "unicode")]
fn compiled_in(text: &str, form: Form) -> String {
    use unicode_normalization::UnicodeNormalization as _;

    match form {
        Form::Nfc => text.nfc().collect(),
        Form::Nfd => text.nfd().collect(),
        Form::Nfkc => text.nfkc().collect(),
        Form::Nfkd => text.nfkd().collect(),
        Form::Case => text.chars().flat_map(in_small_letters).collect(),
    }
}

#[cfg(feature = "unicode")]
fn in_small_letters(c: char) -> impl Iterator<Item = char> {
    // Upper case between, which turns ß and ſ into their capitals. The dotless i would become I, so it stays.
    let dotless = (c == 'ı').then_some(c);
    let folded = dotless
        .is_none()
        .then(|| c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase));
    dotless.into_iter().chain(folded.into_iter().flatten())
}
