//! Splits a line into words, numbers and marks.

use std::ops::Range;

use crate::fold::fold;

/// Maximum number of digits of a number.
const DIGITS_MAX: usize = 4;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// Letters with apostrophes between them, without case and accents.
    Word(String),
    /// Digits. None if they are more than a date needs.
    Number(Option<u32>),
    Mark(char),
}

#[derive(Debug, Clone)]
pub(super) struct Token {
    /// Byte range of the line.
    pub range: Range<usize>,
    pub kind: Kind,
    /// No white space separates the token from the one before it.
    pub is_glued: bool,
    /// Quoted or escaped by a backslash.
    pub is_literal: bool,
    pub is_capitalised: bool,
}

impl Token {
    pub fn is_mark(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }
}

/// Every character except white space belongs to exactly one token.
pub(super) fn tokens(line: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut chars = line.char_indices().peekable();
    while let Some((start, first)) = chars.next() {
        if first.is_whitespace() {
            continue;
        }
        let mut end = start + first.len_utf8();
        let same: fn(char) -> bool = match first {
            _ if first.is_ascii_digit() => |c| c.is_ascii_digit(),
            _ if is_letter(first) => is_letter,
            _ => |_| false,
        };
        while let Some((at, next)) = chars.peek().copied() {
            let is_inner = is_letter(first) && is_apostrophe(next) && {
                let after = line[at + next.len_utf8()..].chars().next();
                after.is_some_and(is_letter)
            };
            if !same(next) && !is_inner {
                break;
            }
            chars.next();
            end = at + next.len_utf8();
        }
        let text = &line[start..end];
        let kind = match first {
            _ if first.is_ascii_digit() => {
                Kind::Number(text.parse().ok().filter(|_| text.len() <= DIGITS_MAX))
            }
            _ if is_letter(first) => Kind::Word(fold(text).replace('’', "'")),
            mark => Kind::Mark(mark),
        };
        tokens.push(Token {
            is_glued: tokens.last().is_some_and(|last| last.range.end == start),
            range: start..end,
            kind,
            is_literal: false,
            is_capitalised: first.is_uppercase(),
        });
    }
    tokens
}

fn is_letter(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '\u{0300}'..='\u{036f}')
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let shown: Vec<_> = tokens(line)
            .iter()
            .map(|token| {
                let glue = if token.is_glued { "+" } else { "" };
                match &token.kind {
                    Kind::Word(word) => format!("{glue}{word}"),
                    Kind::Number(number) => format!("{glue}{}", number.unwrap_or(u32::MAX)),
                    Kind::Mark(mark) => format!("{glue}'{mark}'"),
                }
            })
            .collect();
        assert_eq!(shown.join(" "), expected, "{line}");
    }

    #[test]
    fn words_numbers_and_marks() {
        check("", "");
        check("  Ocean's 11 ", "ocean's 11");
        check("17th, 9:30", "17 +th +',' 9 +':' +30");
        check("ÜBERMORGEN u\u{308}ber", "ubermorgen uber");
        check("o’clock 'a'", "o'clock ''' +a +'''");
        check("12345", "4294967295");
        check("😀a1", "'😀' +a +1");
    }
}
