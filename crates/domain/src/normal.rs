//! Normal forms of text (Unicode, UAX 15).
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
}

impl Form {
    /// All forms.
    pub const ALL: [Self; 4] = [Self::Nfc, Self::Nfd, Self::Nfkc, Self::Nfkd];

    /// The name that Unicode gives it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nfc => "NFC",
            Self::Nfd => "NFD",
            Self::Nfkc => "NFKC",
            Self::Nfkd => "NFKD",
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
    }
}
