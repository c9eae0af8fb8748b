//! The grammar's view of a line: positions, and what stands there.

use jiff::civil::{Date, DateTime};

use super::language::{List, Table, Words};
use super::token::{Kind, Token, tokens};
use crate::zone::Zone;

/// Marks that may follow a phrase without belonging to it.
const CLOSING: [char; 8] = ['.', ',', ';', ':', '!', '?', ')', ']'];

/// Where a phrase must stand, so that it is not part of the title.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    /// The phrase contradicts itself.
    Never,
    /// It must end the title.
    Edge,
    /// It must end the title unless it is introduced.
    Doubtful,
    /// It may be anywhere.
    Sure,
}

/// A value, and the position after it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found<T> {
    pub value: T,
    pub end: usize,
    pub strength: Strength,
}

impl<T> Found<T> {
    pub fn sure(value: T, end: usize) -> Self {
        Self { value, end, strength: Strength::Sure }
    }

    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Found<U> {
        Found { value: change(self.value), end: self.end, strength: self.strength }
    }
}

/// The name of one of the user's lists.
pub(super) struct ListName<'a> {
    pub name: &'a str,
    pub tokens: Vec<Token>,
}

impl<'a> ListName<'a> {
    pub fn of(name: &'a str) -> Self {
        Self { name, tokens: tokens(name) }
    }
}

/// A line with its context. Positions are indexes of tokens.
pub(super) struct Scan<'a> {
    pub tokens: &'a [Token],
    pub lists: &'a [ListName<'a>],
    pub words: &'static Words,
    pub now: DateTime,
    pub zone: &'a Zone,
    /// Number of token look-ups so far.
    #[cfg(test)]
    pub steps: &'a std::cell::Cell<usize>,
}

impl Scan<'_> {
    pub fn today(&self) -> Date {
        self.now.date()
    }

    /// A token, unless it is literal.
    pub fn token(&self, at: usize) -> Option<&Token> {
        #[cfg(test)]
        self.steps.set(self.steps.get() + 1);
        self.tokens.get(at).filter(|token| !token.is_literal)
    }

    pub fn word(&self, at: usize) -> Option<&str> {
        match &self.token(at)?.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    pub fn number(&self, at: usize) -> Option<u32> {
        match self.token(at)?.kind {
            Kind::Number(number) => number,
            _ => None,
        }
    }

    /// The number of digits of a number.
    pub fn digits(&self, at: usize) -> usize {
        self.tokens.get(at).map_or(0, |token| token.range.len())
    }

    pub fn mark(&self, at: usize, mark: char) -> bool {
        self.token(at).is_some_and(|token| token.is_mark(mark))
    }

    pub fn is_glued(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is_glued)
    }

    pub fn glued_mark(&self, at: usize, mark: char) -> bool {
        self.is_glued(at) && self.mark(at, mark)
    }

    /// A number from `min` to `max` of at most two digits, glued to the token before it.
    pub fn glued_number(&self, at: usize, min: u32, max: u32) -> Option<u32> {
        let number = self.number(at).filter(|_| self.is_glued(at) && self.digits(at) <= 2)?;
        (min..=max).contains(&number).then_some(number)
    }

    /// The end of a phrase at a position, compared word by word.
    pub fn phrase(&self, at: usize, phrase: &str) -> Option<usize> {
        let mut next = at;
        let mut was_mark = true;
        for part in phrase.split(' ') {
            let is_mark = !part.starts_with(char::is_alphabetic);
            let found = match self.word(next) {
                Some(word) => word == part,
                None => part.chars().next().is_some_and(|mark| self.mark(next, mark)),
            };
            if !found || (next > at && self.is_glued(next) && !is_mark && !was_mark) {
                return None;
            }
            was_mark = is_mark;
            next += 1;
        }
        Some(next)
    }

    /// The end of the longest phrase of a list at a position.
    pub fn any(&self, at: usize, phrases: List) -> Option<usize> {
        phrases.iter().filter_map(|phrase| self.phrase(at, phrase)).max()
    }

    /// The longest phrase of a table at a position: its meaning and its end.
    pub fn lookup<T: Copy>(&self, at: usize, table: Table<T>) -> Option<(T, usize)> {
        let found =
            table.iter().filter_map(|(phrase, value)| Some((*value, self.phrase(at, phrase)?)));
        found.max_by_key(|(_, end)| *end)
    }

    /// Like [`Scan::any`], but stays if nothing matches.
    pub fn skip(&self, at: usize, phrases: List) -> usize {
        self.any(at, phrases).unwrap_or(at)
    }

    pub fn skip_mark(&self, at: usize, mark: char) -> usize {
        if self.glued_mark(at, mark) { at + 1 } else { at }
    }

    /// Skips the full stop of an abbreviation.
    pub fn skip_stop(&self, at: usize) -> usize {
        let is_stop = self.glued_mark(at, '.') && !self.is_glued(at + 1);
        if is_stop || (self.glued_mark(at, '.') && self.mark(at + 1, ',')) { at + 1 } else { at }
    }

    /// Whether a phrase may begin here: after white space or an opening bracket.
    pub fn begins(&self, at: usize) -> bool {
        !self.is_glued(at)
            || at > 0
                && matches!(self.tokens[at - 1].kind, Kind::Mark('(' | '['))
                && !self.is_glued(at - 1)
    }

    /// Whether a phrase may end before this token: white space follows, possibly after marks.
    pub fn ends(&self, at: usize) -> bool {
        let mut rest = self.tokens.get(at..).unwrap_or_default().iter();
        rest.find_map(|token| match token.kind {
            _ if !token.is_glued => Some(true),
            Kind::Mark(mark) if CLOSING.contains(&mark) => None,
            _ => Some(false),
        })
        .unwrap_or(true)
    }

    pub fn is_capitalised(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is_capitalised)
    }
}
