//! Blank text: text without a visible character counts as empty.

/// Invisible characters besides white space and control characters, as ranges with both ends included:
/// Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt of Unicode 17), followed by characters
/// outside that set that no font draws.
pub const INVISIBLE: [(char, char); 20] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{202a}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fff8}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
    // The braille cell without a dot.
    ('\u{2800}', '\u{2800}'),
    // Interlinear annotation marks.
    ('\u{fff9}', '\u{fffb}'),
    // The note with a null notehead.
    ('\u{1d159}', '\u{1d159}'),
];

/// Whether a text is empty or has no visible character.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    text.chars().all(is_invisible)
}

fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || INVISIBLE.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_without_a_visible_character_is_blank() {
        for blank in [
            "",
            " \t\n\u{3000}\u{2028}",
            "\u{200b}",
            "\u{200d}\u{200c}\u{2060}\u{feff}",
            "\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\u{61c}",
            "\u{fe0f}\u{fe00}\u{e0100}\u{180b}",
            "\u{115f}\u{1160}\u{3164}\u{ffa0}",
            "\u{ad}\u{34f}\u{17b4}\u{1d173}\u{1bca0}\u{e0041}\u{e0fff}",
            "\u{2800}",
            "\u{fff9}\u{fffa}\u{fffb}\u{1d159}",
            "\u{1}\u{1b}\u{7f}\u{85}",
        ] {
            assert!(is_blank(blank), "{blank:?}");
        }
        for shown in [
            "a",
            " a ",
            "\u{200b}a",
            "0",
            ".",
            "\u{301}",
            "\u{2801}",
            "\u{600}",
            "❤\u{fe0f}",
            "👩\u{200d}💻",
            "한",
            "東",
            "\u{e000}",
        ] {
            assert!(!is_blank(shown), "{shown:?}");
        }
    }

    #[test]
    fn ranges_are_in_order() {
        assert!(INVISIBLE.iter().all(|(first, last)| first <= last));
    }
}
