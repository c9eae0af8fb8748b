//! A message as words, compared without case, accents and the punctuation around them.

use std::ops::Range;

use rondo_domain::fold::fold;

/// Punctuation around a word. `#`, `+` and `@` are marks of quick add and stay.
const PUNCTUATION: &[char] = &[
    '.', ',', ';', ':', '!', '?', '"', '\'', '“', '”', '„', '«', '»', '‚', '‘', '’', '(', ')', '[',
    ']', '…', '-', '–', '—', '*', '•', '·',
];
/// Pairs of quotation marks around a title.
const QUOTES: &[(char, char)] =
    &[('"', '"'), ('\'', '\''), ('“', '”'), ('„', '“'), ('«', '»'), ('»', '«'), ('‘', '’')];

/// A text and its words.
#[derive(Debug, Clone)]
pub struct Text<'a> {
    source: &'a str,
    words: Vec<Word>,
}

#[derive(Debug, Clone)]
struct Word {
    range: Range<usize>,
    folded: String,
}

impl<'a> Text<'a> {
    pub fn new(source: &'a str) -> Self {
        let mut words = Vec::new();
        let mut start = None;
        let ends = source.char_indices().chain([(source.len(), ' ')]);
        for (at, character) in ends {
            match (character.is_whitespace(), start) {
                (false, None) => start = Some(at),
                (true, Some(from)) => {
                    let folded = folded(&source[from..at]);
                    if !folded.is_empty() {
                        words.push(Word { range: from..at, folded });
                    }
                    start = None;
                }
                _ => {}
            }
        }
        Self { source, words }
    }

    pub const fn len(&self) -> usize {
        self.words.len()
    }

    /// A word, folded. Empty beyond the end.
    pub fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |word| word.folded.as_str())
    }

    /// Words as they are written.
    pub fn slice(&self, words: Range<usize>) -> &'a str {
        let found = self.words.get(words).unwrap_or_default();
        match (found.first(), found.last()) {
            (Some(first), Some(last)) => &self.source[first.range.start..last.range.end],
            _ => "",
        }
    }

    /// Whether the words of a phrase, folded and with single spaces, begin at a place; and where they end.
    pub fn phrase(&self, at: usize, phrase: &str) -> Option<usize> {
        let mut end = at;
        for wanted in phrase.split(' ') {
            if self.word(end) != wanted {
                return None;
            }
            end += 1;
        }
        Some(end)
    }

    /// The longest of some phrases that begins at a place: its index and where it ends.
    pub fn longest<'p>(
        &self,
        at: usize,
        phrases: impl IntoIterator<Item = &'p str>,
    ) -> Option<(usize, usize)> {
        let found = phrases.into_iter().enumerate();
        let found = found.filter_map(|(index, phrase)| Some((index, self.phrase(at, phrase)?)));
        found.reduce(|best, next| if next.1 > best.1 { next } else { best })
    }

    /// Whether the whole text is one of these phrases.
    pub fn is_any(&self, phrases: &[&str]) -> bool {
        self.len() > 0 && phrases.iter().any(|phrase| self.phrase(0, phrase) == Some(self.len()))
    }
}

/// A word without case, accents and the punctuation around it.
pub fn folded(word: &str) -> String {
    let trimmed = word.trim_matches(PUNCTUATION);
    fold(trimmed).replace(['’', '‘'], "'")
}

/// The folded words of a text.
pub fn folded_words(text: &str) -> Vec<String> {
    text.split_whitespace().map(folded).filter(|word| !word.is_empty()).collect()
}

/// The text within quotation marks, if they enclose all of it.
pub fn unquoted(text: &str) -> Option<&str> {
    let text = text.trim().trim_end_matches(['.', '?', '!']);
    QUOTES.iter().find_map(|(open, close)| {
        let inner = text.strip_prefix(*open)?.strip_suffix(*close)?.trim();
        (!inner.is_empty() && !inner.contains(*close)).then_some(inner)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_and_kept() {
        let text = Text::new("  Füge „Milch kaufen“ - hinzu, what’s #Home! ");
        let words: Vec<_> = (0..text.len()).map(|at| text.word(at)).collect();
        assert_eq!(words, ["fuge", "milch", "kaufen", "hinzu", "what's", "#home"]);
        assert_eq!(text.slice(1..3), "„Milch kaufen“");
        assert_eq!(text.slice(5..9), "");
        assert_eq!(text.phrase(1, "milch kaufen"), Some(3));
        assert_eq!(text.longest(1, ["milch", "milch kaufen", "x"]), Some((1, 3)));
    }

    #[test]
    fn quotation_marks() {
        for (text, expected) in [
            ("\"a b\"", Some("a b")),
            ("„a“.", Some("a")),
            ("«a»", Some("a")),
            ("\"a\" and \"b\"", None),
            ("a", None),
            ("\"", None),
            ("\"\"", None),
        ] {
            assert_eq!(unquoted(text), expected, "{text}");
        }
    }
}
