//! Phrases with a mark: tags, priorities, descriptions and literal text.

use super::scan::Scan;
use super::token::{Kind, Token};
use crate::task::{Priority, TAG_CHARS_MAX};

/// Opening and closing quotation marks.
const OPENING_QUOTES: [char; 4] = ['"', '“', '„', '«'];
const CLOSING_QUOTES: [char; 4] = ['"', '”', '“', '»'];
const TAG_MARKS: [char; 2] = ['#', '@'];
/// Marks that a backslash escapes.
const MEANT: [char; 9] = ['#', '@', '+', '!', '/', '"', '“', '„', '«'];

/// Marks tokens that are quoted or follow a backslash as literal, and returns the backslashes.
pub(super) fn make_literal(tokens: &mut [Token]) -> Vec<usize> {
    let mut backslashes = Vec::new();
    let mut at = 0;
    // If one quotation mark is never closed, no later one is.
    let mut search_end = tokens.len();
    while at < tokens.len() {
        let begins = !tokens[at].is_glued;
        if begins && tokens[at].is_mark('\\') && escapes(tokens.get(at + 1)) {
            tokens[at].is_literal = true;
            tokens[at + 1].is_literal = true;
            backslashes.push(at);
            at += 2;
        } else if begins && is_one_of(&tokens[at], &OPENING_QUOTES) {
            let closing = (at + 1..search_end).find(|end| closes(tokens, *end));
            if closing.is_none() {
                search_end = 0;
            }
            let end = closing.unwrap_or(at);
            tokens[at..=end].iter_mut().for_each(|token| token.is_literal = true);
            at = end + 1;
        } else {
            at += 1;
        }
    }
    backslashes
}

fn escapes(token: Option<&Token>) -> bool {
    token.is_some_and(|token| {
        token.is_glued && (!matches!(token.kind, Kind::Mark(_)) || is_one_of(token, &MEANT))
    })
}

fn is_one_of(token: &Token, marks: &[char]) -> bool {
    matches!(token.kind, Kind::Mark(mark) if marks.contains(&mark))
}

pub(super) fn is_opening_quote(token: &Token) -> bool {
    is_one_of(token, &OPENING_QUOTES)
}

/// Whether a quotation mark follows text and precedes none.
pub(super) fn closes(tokens: &[Token], at: usize) -> bool {
    let next = tokens.get(at + 1);
    let is_open_end = next.is_none_or(|next| !next.is_glued || matches!(next.kind, Kind::Mark(_)));
    let is_mark = |token: &Token| is_one_of(token, &CLOSING_QUOTES) && token.is_glued;
    tokens.get(at).is_some_and(is_mark) && is_open_end
}

impl Scan<'_> {
    /// Two slashes between white space, which start the description.
    pub fn description(&self) -> Option<usize> {
        (0..self.tokens.len()).find(|at| {
            let is_slashes = self.mark(*at, '/') && self.glued_mark(at + 1, '/');
            is_slashes && !self.is_glued(*at) && !self.is_glued(at + 2)
        })
    }

    /// `#tag`, `@tag`, `#"two words"`: the tag, and the position after it.
    pub fn tag<'t>(&self, at: usize, line: &'t str) -> Option<(&'t str, usize)> {
        let mark = self.token(at).filter(|token| is_one_of(token, &TAG_MARKS))?;
        let start = mark.range.end;
        let rest = &line[start..];
        let (tag, end) = match rest.chars().next().filter(|first| OPENING_QUOTES.contains(first)) {
            Some(quote) => {
                let inner = &rest[quote.len_utf8()..];
                let close = inner.find(|c| CLOSING_QUOTES.contains(&c))?;
                let after = inner[close..].chars().next().map_or(0, char::len_utf8);
                (inner[..close].trim(), start + quote.len_utf8() + close + after)
            }
            None => {
                let word = rest.split(char::is_whitespace).next()?;
                let word = word.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']']);
                // An hour may follow @, and a number may follow #; neither is a tag.
                let first = word.chars().next()?;
                let is_hour = mark.is_mark('@') && first.is_ascii_digit();
                let is_tag = first.is_alphanumeric() && !is_hour && !word.contains(',');
                (Some(word).filter(|_| is_tag)?, start + word.len())
            }
        };
        let has_letter = tag.chars().any(char::is_alphabetic);
        let is_short = tag.chars().nth(TAG_CHARS_MAX).is_none();
        if !has_letter || !is_short {
            return None;
        }
        let next = (at..self.tokens.len()).find(|next| self.tokens[*next].range.start >= end);
        Some((tag, next.unwrap_or(self.tokens.len())))
    }

    /// `p1` to `p4`, or `!high`.
    pub fn priority(&self, at: usize) -> Option<(Priority, usize)> {
        if self.mark(at, '!') && self.is_glued(at + 1) {
            return self.lookup(at + 1, self.words.priorities);
        }
        let place = self.number(at + 1).filter(|_| {
            let is_letter = self.word(at) == Some("p") && !self.is_capitalised(at);
            is_letter && self.is_glued(at + 1) && self.digits(at + 1) == 1
        })?;
        let index = Priority::ALL.len().checked_sub(place as usize)?;
        Some((*Priority::ALL.get(index)?, at + 2))
    }
}
