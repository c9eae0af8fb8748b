//! Lists of tasks: a plus sign before the name of one of the user's lists.

use super::mark::{closes, is_opening_quote};
use super::scan::{ListName, Scan};
use super::token::Kind;

impl Scan<'_> {
    /// `+work`, `+two words`, `+"two words"`: the place of the list among the user's, and the position after it. Words
    /// that name no list stay in the title. The longest name counts.
    pub fn named_list(&self, at: usize, line: &str) -> Option<(usize, usize)> {
        if !self.mark(at, '+') || !self.is_glued(at + 1) {
            return None;
        }
        let quoted = self.token(at + 1).is_some_and(is_opening_quote);
        let start = at + 1 + usize::from(quoted);
        let mut found: Option<(usize, usize)> = None;
        for (place, list) in self.lists.iter().enumerate() {
            let Some(mut end) = self.spelled(start, list, line) else { continue };
            if quoted {
                if !closes(self.tokens, end) {
                    continue;
                }
                end += 1;
            }
            if self.ends(end) && found.is_none_or(|(_, longest)| end > longest) {
                found = Some((place, end));
            }
        }
        found
    }

    /// The end of a name that begins at a position, whatever its case and accents.
    fn spelled(&self, at: usize, list: &ListName<'_>, line: &str) -> Option<usize> {
        for (next, wanted) in list.tokens.iter().enumerate() {
            let token = self.token(at + next)?;
            let is_same = match (&token.kind, &wanted.kind) {
                // Too long to be read.
                (Kind::Number(None), Kind::Number(None)) => {
                    line[token.range.clone()] == list.name[wanted.range.clone()]
                }
                (kind, other) => kind == other,
            };
            if !is_same || next > 0 && token.is_glued != wanted.is_glued {
                return None;
            }
        }
        (!list.tokens.is_empty()).then_some(at + list.tokens.len())
    }
}
