//! What a task is searched in, and pieces of it by which an index finds where a phrase may stand.
//!
//! Of every [`WINDOW_GRAMS`] runs of [`GRAM_CHARS`] characters in a row, the one with the least hash
//! is a piece (winnowing: S. Schleimer, D. Wilkerson, A. Aiken, 2003). What is picked within a phrase
//! depends on the phrase alone, so each piece of a phrase is a piece of every text that has the phrase
//! in it; and there are half as many of them as there are characters.

use crate::fold::{SEPARATOR, fold};
use crate::task::{Description, Title};

/// Characters of a run.
const GRAM_CHARS: usize = 3;
/// Runs of which one is picked.
const WINDOW_GRAMS: usize = 3;
/// Bits of a piece: what is left of an index key beside the user's id.
const PIECE_BITS: u32 = 23;

/// What a task is searched in.
#[must_use]
pub fn search_text(title: &Title, description: Option<&Description>) -> String {
    let mut text = fold(title.as_str());
    if let Some(description) = description {
        text.push(SEPARATOR);
        text.push_str(&fold(description.as_str()));
    }
    text
}

/// The pieces of a folded text or phrase, sorted, each once; none for fewer than
/// five characters, which make no whole window of runs.
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

/// FNV-1a over characters, mixed once more, since only some of its bits are kept. What is stored
/// depends on it: it may not change without building all keys anew.
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
    fn a_phrase_does_not_match_across() {
        let title = Title::parse("Tea É").unwrap();
        let description = Description::parse("Éarly").unwrap();
        let text = search_text(&title, Some(&description));
        assert!(text.contains("tea e") && text.contains("early") && !text.contains("ee"));
        assert_eq!(search_text(&title, None), "tea e");
    }

    #[test]
    fn short_text_has_none() {
        for text in ["", "a", "東京", "milk"] {
            assert!(pieces(text).is_empty(), "{text}");
        }
        assert_eq!(pieces("roses").len(), 1);
    }

    #[test]
    fn stored_keys_stay_what_they_are() {
        assert_eq!(pieces("weekly report"), [377_720, 408_486, 2_306_304, 2_308_269, 2_876_987]);
    }

    #[test]
    fn a_long_text_has_half_as_many_as_characters() {
        let text: String =
            (0..4_000_u32).map(|n| char::from(b'a' + (n * n % 977 % 26) as u8)).collect();
        let count = pieces(&text).len();
        assert!(count < text.len() * 6 / 10, "{count}");
    }

    proptest! {
        #[test]
        fn a_phrase_has_only_pieces_of_a_text_around_it(
            before in "\\PC{0,12}", phrase in "\\PC{0,12}", after in "\\PC{0,12}"
        ) {
            let text = pieces(&format!("{before}{phrase}{after}"));
            let phrase = pieces(&phrase);
            prop_assert!(phrase.iter().all(|piece| text.contains(piece)));
        }
    }
}
