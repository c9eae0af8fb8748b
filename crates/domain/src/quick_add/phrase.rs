//! Finds the phrases of a line and decides which of them belong to the title.

use std::ops::Range;

use super::due::When;
use super::reminder::ReminderPhrase;
use super::repetition::{Bound, Repetition};
use super::scan::{Scan, Strength};
use super::token::Kind;
use crate::instant::Instant;
use crate::task::Priority;

/// A phrase, as a range of tokens.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Phrase {
    pub tokens: Range<usize>,
    pub item: Item,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    Tag(String),
    /// The place of a list among the user's.
    List(usize),
    Priority(Priority),
    When(When),
    Repetition(Repetition),
    /// The start or end of a repetition elsewhere in the line.
    Bound(Bound),
    Reminder(ReminderPhrase),
    /// A backslash that escaped what follows.
    Escape,
    Description,
}

/// The phrases of a line from left to right, without overlaps.
pub(super) fn phrases(scan: &Scan<'_>, line: &str, now: Instant) -> Vec<Phrase> {
    let count = scan.tokens.len();
    let names = names(scan);
    let repeats = (0..count).any(|at| {
        let found = scan.repetition(at).filter(|_| scan.begins(at));
        found.is_some_and(|found| scan.ends(found.end))
    });
    // From right to left: whether a phrase is at the edge of the title depends on what follows.
    let mut found: Vec<Option<Phrase>> = vec![None; count];
    // The end of each refused phrase: its parts are no phrases either.
    let mut refused = vec![0; count];
    // For each position with a day or time, the end of it and of those joined to it.
    let mut written = vec![0; count];
    for at in (0..count).rev() {
        if names[at] || !scan.begins(at) {
            continue;
        }
        let candidate = candidate(scan, line, at, now, repeats);
        let Some((phrase, strength)) = candidate.filter(|(phrase, _)| scan.ends(phrase.tokens.end))
        else {
            continue;
        };
        let end = phrase.tokens.end;
        let is_when = matches!(phrase.item, Item::When(_));
        let other =
            joined(scan, &phrase).filter(|at| written[*at] > 0 || is_number(scan, end, *at));
        if let Some(other) = other {
            let end = written[other].max(other);
            found[other] = None;
            (written[at], refused[at], refused[other]) = (end, end, end);
            continue;
        }
        if is_when {
            written[at] = end;
        }
        if belongs_to_title(scan, &found, &phrase, strength) {
            refused[at] = end;
        } else {
            found[at] = Some(phrase);
        }
    }
    let mut next = 0;
    let mut phrases: Vec<Phrase> = Vec::new();
    for (at, phrase) in found.into_iter().enumerate() {
        if at < next {
            continue;
        }
        next = refused[at];
        let Some(phrase) = phrase else { continue };
        next = phrase.tokens.end;
        let is_after_phrase = phrases.last().is_some_and(|last| last.tokens.end == at);
        if is_after_phrase || !is_bound(scan, &phrase) {
            phrases.push(phrase);
        }
    }
    phrases
}

fn candidate(
    scan: &Scan<'_>,
    line: &str,
    at: usize,
    now: Instant,
    repeats: bool,
) -> Option<(Phrase, Strength)> {
    let phrase = |item, end| Phrase { tokens: at..end, item };
    if let Some((tag, end)) = scan.tag(at, line) {
        return Some((phrase(Item::Tag(tag.to_owned()), end), Strength::Sure));
    }
    if let Some((list, end)) = scan.named_list(at, line) {
        return Some((phrase(Item::List(list), end), Strength::Sure));
    }
    if let Some((priority, end)) = scan.priority(at) {
        return Some((phrase(Item::Priority(priority), end), Strength::Sure));
    }
    if let Some((reminder, end)) = scan.reminder(at, now) {
        return Some((phrase(Item::Reminder(reminder), end), Strength::Sure));
    }
    if let Some(found) = scan.repetition(at) {
        return Some((phrase(Item::Repetition(found.value), found.end), found.strength));
    }
    if let Some(found) = scan.bound(at).filter(|_| repeats) {
        return Some((phrase(Item::Bound(found.value), found.end), found.strength));
    }
    let found = scan.when(at, now)?;
    Some((phrase(Item::When(found.value), found.end), found.strength))
}

/// The tokens of names that contain a date.
fn names(scan: &Scan<'_>) -> Vec<bool> {
    let mut names = vec![false; scan.tokens.len()];
    for at in 0..names.len() {
        if let Some(end) = scan.any(at, scan.words.title.names) {
            names[at..end].fill(true);
        }
    }
    names
}

fn belongs_to_title(
    scan: &Scan<'_>,
    found: &[Option<Phrase>],
    phrase: &Phrase,
    strength: Strength,
) -> bool {
    let Range { start, end } = phrase.tokens;
    if strength == Strength::Never {
        return true;
    }
    if !matches!(phrase.item, Item::When(_) | Item::Repetition(_) | Item::Bound(_)) {
        return false;
    }
    let is_edge = is_edge(scan, found, phrase);
    let is_followed = found.get(end).is_some_and(Option::is_some);
    let is_title = !is_followed && is_capitalised(scan, start, end);
    strength != Strength::Sure && !is_edge || is_title
}

/// Where another day or time forms a range or choice with the one that ends here, which no task can have:
/// "monday to friday", "today or tomorrow", "mon, wed", "every day at 9 and 21".
fn joined(scan: &Scan<'_>, phrase: &Phrase) -> Option<usize> {
    let end = phrase.tokens.end;
    let comma = scan.skip_mark(end, ',');
    let word = scan.any(comma, scan.words.title.joining);
    let other = match phrase.item {
        Item::When(_) => word.or((comma > end).then_some(comma)),
        // After "every week", a comma may introduce the day.
        Item::Repetition(ref repetition) if repetition.is_complete() => {
            word.or((comma > end).then_some(comma))
        }
        Item::Repetition(_) => word,
        _ => None,
    };
    other.filter(|other| *other < scan.tokens.len())
}

/// Whether a number follows a joining word, not just a comma.
fn is_number(scan: &Scan<'_>, end: usize, at: usize) -> bool {
    at > scan.skip_mark(end, ',') && scan.number(at).is_some()
}

/// Whether the word before the phrase binds it to the title: "the sunday papers".
fn is_bound(scan: &Scan<'_>, phrase: &Phrase) -> bool {
    let start = phrase.tokens.start;
    let Some(before) = start.checked_sub(1) else { return false };
    let is_led = match phrase.item {
        Item::When(_) => scan.any(start, scan.words.date.lead).is_some(),
        Item::Priority(_) => scan.mark(start, '!'),
        Item::Repetition(_) => {
            let multiples = scan.words.repetition.multiples;
            return scan.word(before).is_some_and(|word| multiples.contains(&word));
        }
        _ => return false,
    };
    // von 9 bis 17 Uhr
    if scan.number(before).is_some() && scan.any(start, scan.words.title.joining).is_some() {
        return true;
    }
    let is_binding = scan.word(before).is_some_and(|word| {
        let suffixes = scan.words.number.ordinal_suffixes;
        scan.words.title.binding.contains(&word)
            || scan.is_glued(before) && suffixes.contains(&word)
    });
    !is_led && (is_binding || scan.lookup(before, scan.words.number.ordinals).is_some())
}

/// Whether nothing of the title follows, or a word shows that an introduced phrase is over: "on the
/// 17th with Bob".
fn is_edge(scan: &Scan<'_>, found: &[Option<Phrase>], phrase: &Phrase) -> bool {
    let Range { start, end } = phrase.tokens;
    let words = scan.words;
    let mut next = end;
    while scan.is_glued(next) && next < scan.tokens.len() {
        next += 1;
    }
    let is_closed = next > end;
    let is_followed = found.get(next).is_none_or(Option::is_some);
    let leads = [words.date.lead, words.time.lead, words.date.article];
    let is_led = matches!(phrase.item, Item::Repetition(_))
        || leads.iter().any(|leads| scan.any(start, leads).is_some());
    let link = scan.any(next, words.title.linking).filter(|end| !scan.is_glued(*end));
    let is_linked = start > 0 && is_led && link.is_some();
    is_closed || is_followed || is_linked
}

/// Whether the phrase is capitalised as part of a title: "Friday Night Lights", "The Day After Tomorrow".
/// Weekdays and names have capitals too, so more than one other word must have one.
fn is_capitalised(scan: &Scan<'_>, start: usize, end: usize) -> bool {
    let is_word = |at: usize| {
        scan.tokens
            .get(at)
            .is_some_and(|token| matches!(token.kind, Kind::Word(_)) && !token.is_glued)
    };
    let has_capital = |at: usize| is_word(at) && scan.is_capitalised(at);
    let is_written = (start..end).all(has_capital);
    let is_further = start > 0 || has_capital(end + 1) || !is_word(end + 1);
    let is_name = |at: usize| scan.any_weekday(at).is_some() || scan.month(at).is_some();
    let common = (start..end).filter(|at| !is_name(*at)).count();
    let is_title = has_capital(end) && is_further || common > 2 || start > 0 && common > 1;
    scan.words.title.is_capital_telling && is_written && is_title
}

/// A backslash that escaped a mark.
pub(super) fn escape(at: usize) -> Phrase {
    Phrase { tokens: at..at + 1, item: Item::Escape }
}

/// The two slashes and the rest of the line.
pub(super) fn description(at: usize, end: usize) -> Phrase {
    Phrase { tokens: at..end, item: Item::Description }
}
