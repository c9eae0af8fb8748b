//! The tasks that words name: by id, by the number or the pronoun of what was shown, by filters, or by their titles.

use super::date::Clock;
use super::query::Query;
use super::text::{Text, unquoted};

/// Which tasks are meant.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    Task(i64),
    /// Places among the tasks shown last; -1 is the last.
    Shown(Vec<i64>),
    /// The one that was shown.
    This,
    /// All that were shown.
    These,
    /// The two that were shown.
    Both,
    Each(Box<Query>),
    Named(String),
}

/// Maximum number of digits of a place.
const PLACE_DIGITS_MAX: usize = 3;

impl Target {
    pub fn parse(clock: &Clock<'_>, words: &str) -> Self {
        let named = || Self::Named(unquoted(words).unwrap_or(words).trim().to_owned());
        if unquoted(words).is_some() {
            return named();
        }
        let text = Text::new(words);
        let known = &clock.words.target;
        if let Some(id) = id(clock, &text) {
            return Self::Task(id);
        }
        if let Some(places) = places(clock, &text) {
            return Self::Shown(places);
        }
        if text.is_any(known.this) {
            return Self::This;
        }
        if text.is_any(known.these) {
            return Self::These;
        }
        if text.is_any(known.both) {
            return Self::Both;
        }
        // "Overdue tasks" are all of them, too.
        let has_noun = (0..text.len()).any(|at| known.task.contains(&text.word(at)));
        if has_noun && let Some(query) = Query::question(clock, &text).filter(Query::is_filter) {
            return Self::Each(Box::new(query));
        }
        let each = text.longest(0, known.each.iter().copied());
        each.and_then(|(_, end)| Query::of_each(clock, &text, end))
            .map_or_else(named, |query| Self::Each(Box::new(query)))
    }
}

/// "#42", "task 42".
fn id(clock: &Clock<'_>, text: &Text<'_>) -> Option<i64> {
    let is_led = clock.words.target.task.contains(&text.word(0));
    let at = usize::from(is_led);
    if text.len() != at + 1 {
        return None;
    }
    let digits = text.word(at).strip_prefix('#').or(is_led.then(|| text.word(at)))?;
    digits.parse().ok().filter(|id| *id > 0)
}

/// "2", "number 2", "the second one", "1 and 3".
pub fn places(clock: &Clock<'_>, text: &Text<'_>) -> Option<Vec<i64>> {
    let words = &clock.words.target;
    let mut places = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let word = text.word(at);
        let is_between = at > 0 && words.and.contains(&word);
        let frame = [words.number, words.articles, words.task];
        if is_between || frame.iter().any(|words| words.contains(&word)) {
            at += 1;
            continue;
        }
        let ordinals = words.ordinals.iter().map(|(phrase, _)| *phrase);
        if let Some((index, end)) = text.longest(at, ordinals) {
            places.push(words.ordinals[index].1);
            at = end + usize::from(words.one.contains(&text.word(end)));
            continue;
        }
        match word.split_once(['-', '–']) {
            Some((first, last)) => {
                let (first, last) = (place(first)?, place(last)?);
                if first > last {
                    return None;
                }
                places.extend(first..=last);
            }
            None => places.push(place(word)?),
        }
        at += 1;
    }
    (!places.is_empty()).then_some(places)
}

/// A place in digits.
fn place(word: &str) -> Option<i64> {
    let is_place = word.len() <= PLACE_DIGITS_MAX && !word.starts_with('+');
    word.parse().ok().filter(|place| is_place && *place > 0)
}
