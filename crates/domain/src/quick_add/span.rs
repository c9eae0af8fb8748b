//! The byte ranges of phrases, and the line without them.

use std::ops::Range;

use super::phrase::{Item, Phrase};
use super::token::Token;

/// Punctuation between a phrase and the rest of the line.
const SEPARATORS: [char; 3] = [',', ';', ':'];
/// Characters that may separate the title from the phrases after it.
const TRAILING_SEPARATORS: [char; 5] = [',', ';', '-', '–', '—'];
/// Closing marks.
const CLOSING: [char; 5] = ['.', '!', '?', ')', ']'];

/// The byte range of each phrase, including punctuation that belongs to it.
pub(super) fn ranges(line: &str, tokens: &[Token], phrases: &[Phrase]) -> Vec<Range<usize>> {
    let mut ranges: Vec<_> = phrases
        .iter()
        .map(|phrase| {
            let start = tokens[phrase.tokens.start].range.start;
            let end = tokens[phrase.tokens.end - 1].range.end;
            match phrase.item {
                Item::Escape => start..end,
                _ => with_separator(line, in_brackets(line, start..end)),
            }
        })
        .collect();
    let mut rest = line.len();
    for at in (0..ranges.len()).rev() {
        if !line[ranges[at].end..rest].trim().is_empty() || phrases[at].item == Item::Escape {
            break;
        }
        let from = at.checked_sub(1).map_or(0, |before| ranges[before].end);
        ranges[at].start = without_separator(line, from, ranges[at].start);
        rest = ranges[at].start;
    }
    ranges
}

/// `(tomorrow)`, with its brackets.
fn in_brackets(line: &str, range: Range<usize>) -> Range<usize> {
    let before = line[..range.start].chars().next_back();
    let after = line[range.end..].chars().next();
    match (before, after) {
        (Some('('), Some(')')) | (Some('['), Some(']')) => range.start - 1..range.end + 1,
        _ => range,
    }
}

/// `tomorrow,` at the beginning or in the middle.
fn with_separator(line: &str, range: Range<usize>) -> Range<usize> {
    let separator = line[range.end..].chars().next().filter(|next| SEPARATORS.contains(next));
    range.start..range.end + separator.map_or(0, char::len_utf8)
}

/// `, tomorrow` at the end: where the range begins.
fn without_separator(line: &str, from: usize, start: usize) -> usize {
    let before = line[from..start].trim_end();
    let Some(title) = before.strip_suffix(TRAILING_SEPARATORS) else { return start };
    let is_dash = !before.ends_with([',', ';']);
    if is_dash && !title.ends_with(char::is_whitespace) {
        return start;
    }
    from + title.len()
}

/// The rest of the line, with one space in place of white space or spans.
pub(super) fn title(line: &str, ranges: &[Range<usize>]) -> String {
    let mut title = String::with_capacity(line.len());
    let mut from = 0;
    for range in ranges {
        title.push_str(&line[from..range.start]);
        // "Call Bob tomorrow!" becomes "Call Bob!"
        if line[range.end..].starts_with(CLOSING) && !line[range.clone()].ends_with('\\') {
            title.truncate(title.trim_end().len());
        } else {
            title.push(' ');
        }
        from = range.end;
    }
    title.push_str(&line[from..]);
    title.split_whitespace().collect::<Vec<_>>().join(" ")
}
