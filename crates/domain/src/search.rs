//! The search text of a task, and the pieces by which an index finds candidates for a phrase.
//!
//! Of every [`WINDOW_GRAMS`] consecutive runs of [`GRAM_CHARS`] characters, the one with the smallest hash is
//! a piece (winnowing: S. Schleimer, D. Wilkerson, A. Aiken, 2003). The choice within a phrase depends on the
//! phrase alone, so each piece of a phrase is a piece of every text that contains the phrase. There are about
//! half as many pieces as characters.

use crate::fold::{SEPARATOR, fold};
use crate::task::{Description, Title};

/// Characters of a run.
const GRAM_CHARS: usize = 3;
/// Number of runs from which one is picked.
const WINDOW_GRAMS: usize = 3;
/// Bits of a piece: the part of an index key that the user's id leaves free.
const PIECE_BITS: u32 = 23;

/// The text that search looks in.
#[must_use]
pub fn search_text(title: &Title, description: Option<&Description>) -> String {
    let mut text = fold(title.as_str());
    if let Some(description) = description {
        text.push(SEPARATOR);
        text.push_str(&fold(description.as_str()));
    }
    text
}

/// The pieces of a folded text or phrase, sorted, each once. None for fewer than five characters, which do
/// not fill a window of runs.
#[must_use]
pub fn pieces(folded: &str) -> Vec<u32> {
    let characters: Vec<u32> = folded.chars().map(u32::from).collect();
    let grams: Vec<u32> = characters.windows(GRAM_CHARS).map(hash).collect();
    let mut pieces: Vec<u32> =
        grams.windows(WINDOW_GRAMS).filter_map(|window| window.iter().copied().min()).collect();
    pieces.sort_unstable();
    pieces.dedup();
    pieces
}

/// FNV-1a over characters, mixed once more because only some of its bits are kept. Changing it requires
/// rebuilding all stored keys.
fn hash(gram: &[u32]) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    for character in gram {
        hash = (hash ^ character).wrapping_mul(0x0100_0193);
    }
    hash ^= hash >> 15;
    hash = hash.wrapping_mul(0x85eb_ca6b);
    hash >> (u32::BITS - PIECE_BITS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_phrase_does_not_match_across_title_and_description() {
        let title = Title::parse("Tea É").unwrap();
        let description = Description::parse("Éarly").unwrap();
        let text = search_text(&title, Some(&description));
        assert!(text.contains("tea e") && text.contains("early") && !text.contains("ee"));
        assert_eq!(search_text(&title, None), "tea e");
    }

    #[test]
    fn short_text_has_no_pieces() {
        for text in ["", "a", "東京", "milk"] {
            assert!(pieces(text).is_empty(), "{text}");
        }
        assert_eq!(pieces("roses").len(), 1);
    }

    #[test]
    fn pieces_are_stable() {
        assert_eq!(pieces("weekly report"), [377_720, 408_486, 2_306_304, 2_308_269, 2_876_987]);
    }

    #[test]
    fn a_long_text_has_about_half_as_many_pieces_as_characters() {
        let text: String =
            (0..4_000_u32).map(|n| char::from(b'a' + (n * n % 977 % 26) as u8)).collect();
        let count = pieces(&text).len();
        assert!(count < text.len() * 6 / 10, "{count}");
    }

    proptest! {
        #[test]
        fn pieces_of_a_phrase_are_pieces_of_its_text(
            before in "\\PC{0,12}", phrase in "\\PC{0,12}", after in "\\PC{0,12}"
        ) {
            let text = pieces(&format!("{before}{phrase}{after}"));
            let phrase = pieces(&phrase);
            prop_assert!(phrase.iter().all(|piece| text.contains(piece)));
        }
    }
}
