//! Positions: the keys by which a user orders tasks and lists. They are compared byte by byte.
//!
//! A key has a place, 15 digits in base 62, and perhaps a fraction: further digits, of which the last is not
//! 0. The database gives a new row the place of its id (`position_of`), which is above those of all older rows.
//! A row that moves gets a key between those of its new neighbours, so no other row changes.

use std::ops::Range;

/// Length of a place, and so of a new row's key.
pub const POSITION_CHARS_MIN: usize = 15;
/// Maximum length of a key. It takes hundreds of moves into one gap to reach it; [`spread`] then makes room.
pub const POSITION_CHARS_MAX: usize = 100;

/// In the order of their bytes.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Whether a text has the form of a key: 15 to 100 ASCII letters and digits.
#[must_use]
pub fn is_key(text: &str) -> bool {
    (POSITION_CHARS_MIN..=POSITION_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A key between two neighbours, of which at least one is given: at the start or the end there is only one.
/// None if it would be too long, or the two are not in order.
#[must_use]
pub fn between(before: Option<&str>, after: Option<&str>) -> Option<String> {
    let key = match (before.map(split), after.map(split)) {
        (None, None) => return None,
        (None, Some((place, _))) => previous(place)?,
        (Some((place, low)), Some((same, high))) if place == same => {
            if low >= high {
                return None;
            }
            format!("{place}{}", middle(low, Some(high)))
        }
        (Some((place, _)), Some((other, _))) if place > other => return None,
        // Far from the next place, so a series of moves to one end costs a character only now and then.
        (Some((place, low)), _) => format!("{place}{}", next(low)),
    };
    is_key(&key).then_some(key)
}

/// As many keys as wanted between two neighbours, ascending and as short as possible. None as for [`between`].
#[must_use]
pub fn spread(before: Option<&str>, after: Option<&str>, count: usize) -> Option<Vec<String>> {
    let mut keys = vec![String::new(); count];
    fill(&mut keys, 0..count, before, after).then_some(keys)
}

/// Writes the middle one of a range, then those on either side of it.
fn fill(
    keys: &mut [String],
    range: Range<usize>,
    before: Option<&str>,
    after: Option<&str>,
) -> bool {
    if range.is_empty() {
        return true;
    }
    let at = range.start + range.len() / 2;
    let Some(key) = between(before, after) else { return false };
    keys[at].clone_from(&key);
    fill(keys, range.start..at, before, Some(&key))
        && fill(keys, at + 1..range.end, Some(&key), after)
}

fn split(key: &str) -> (&str, &str) {
    key.split_at_checked(POSITION_CHARS_MIN).unwrap_or((key, ""))
}

fn value(digit: u8) -> usize {
    DIGITS.iter().position(|known| *known == digit).unwrap_or(0)
}

fn digit(value: usize) -> char {
    char::from(DIGITS[value])
}

/// The place before. None before the very first.
fn previous(place: &str) -> Option<String> {
    let mut digits: Vec<usize> = place.bytes().map(value).collect();
    let last = digits.iter().rposition(|digit| *digit > 0)?;
    digits[last] -= 1;
    digits[last + 1..].fill(DIGITS.len() - 1);
    Some(digits.into_iter().map(digit).collect())
}

/// A fraction above this one.
fn next(fraction: &str) -> String {
    match fraction.as_bytes().split_last() {
        Some((last, rest)) if value(*last) + 1 < DIGITS.len() => {
            let rest = &fraction[..rest.len()];
            format!("{rest}{}", digit(value(*last) + 1))
        }
        _ => format!("{fraction}{}", digit(DIGITS.len() / 2)),
    }
}

/// A fraction between two others; no upper one stands for 1.
fn middle(low: &str, high: Option<&str>) -> String {
    let (first_low, rest_low) = pop(low);
    let first_high = match high {
        Some(high) => {
            let (first, rest) = pop(high);
            if first == first_low {
                return format!("{}{}", digit(first), middle(rest_low, Some(rest)));
            }
            if first == first_low + 1 && !rest.is_empty() {
                return digit(first).to_string();
            }
            first
        }
        None => DIGITS.len(),
    };
    if first_high > first_low + 1 {
        digit((first_low + first_high).div_ceil(2)).to_string()
    } else {
        format!("{}{}", digit(first_low), middle(rest_low, None))
    }
}

/// The first digit, 0 for none, and the others.
fn pop(fraction: &str) -> (usize, &str) {
    match fraction.as_bytes().first() {
        Some(first) => (value(*first), &fraction[1..]),
        None => (0, ""),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: &str = "a00000000000001";
    const TWO: &str = "a00000000000002";

    /// As the database's `position_of`.
    fn of_id(id: usize) -> String {
        format!("a{id:014x}")
    }

    #[test]
    fn keys() {
        for (text, expected) in [
            ("a0000000000002a", true),
            ("a0000000000002aV", true),
            ("a000000000002a", false),
            ("a0000000000002a-", false),
            ("a0000000000002é", false),
            ("", false),
        ] {
            assert_eq!(is_key(text), expected, "{text:?}");
        }
        assert!(is_key(&"z".repeat(POSITION_CHARS_MAX)));
        assert!(!is_key(&"z".repeat(POSITION_CHARS_MAX + 1)));
    }

    #[test]
    fn keys_between_others() {
        let check = |before: &str, after: &str, expected: Option<&str>| {
            let given = |key: &'static str| Some(key).filter(|key| !key.is_empty());
            let (before, after) = (before.to_owned().leak(), after.to_owned().leak());
            assert_eq!(
                between(given(before), given(after)).as_deref(),
                expected,
                "{before} {after}"
            );
        };
        check("", "", None);
        check("", ONE, Some("a00000000000000"));
        check("", "a00000000000000", Some("Zzzzzzzzzzzzzzz"));
        check("", "000000000000000", None);
        check(TWO, "", Some("a00000000000002V"));
        check("a00000000000002V", "", Some("a00000000000002W"));
        check("a00000000000002z", "", Some("a00000000000002zV"));
        check(ONE, TWO, Some("a00000000000001V"));
        check("a00000000000001V", TWO, Some("a00000000000001W"));
        check(ONE, "a00000000000001V", Some("a00000000000001G"));
        check(ONE, "a000000000000011", Some("a000000000000010V"));
        check("a000000000000011", "a000000000000012", Some("a000000000000011V"));
        check("a000000000000011", "a0000000000000121", Some("a000000000000012"));
        check("a00000000000001z", "a00000000000001zV", Some("a00000000000001zG"));
        check(TWO, ONE, None);
        check(ONE, ONE, None);
        let longest = format!("{ONE}{}", "z".repeat(POSITION_CHARS_MAX - POSITION_CHARS_MIN));
        assert_eq!(between(Some(&longest), Some(TWO)), None);
    }

    #[test]
    fn many_moves_to_one_end_or_into_one_gap_take_few_characters() {
        let mut key = of_id(1);
        for _ in 0..1_000 {
            key = between(Some(&key), None).unwrap();
        }
        assert!(key.len() < 60, "{key}");
        for _ in 0..1_000 {
            key = between(None, Some(&key)).unwrap();
        }
        assert_eq!(key.len(), POSITION_CHARS_MIN);
        let mut high = of_id(1) + "V";
        let mut count = 0;
        while let Some(next) = between(Some(ONE), Some(&high)) {
            high = next;
            count += 1;
        }
        assert!(count > 400, "{count}");
        // Room again.
        let keys = spread(Some(ONE), Some(TWO), 100).unwrap();
        assert!(keys.iter().all(|key| key.len() <= POSITION_CHARS_MIN + 4), "{keys:?}");
    }

    proptest! {
        /// Rows are created and moved at random: no two keys are equal, and they are in the wanted order.
        #[test]
        fn keys_are_in_the_order_of_the_moves(
            moves in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>()), 1..300),
        ) {
            let mut next_id = 3;
            let mut rows = vec![of_id(1), of_id(2)];
            for (from, to, is_new) in moves {
                if is_new {
                    rows.push(of_id(next_id));
                    next_id += 1;
                    continue;
                }
                rows.remove(from.index(rows.len()));
                let at = to.index(rows.len() + 1);
                let before = at.checked_sub(1).map(|before| rows[before].as_str());
                let key = between(before, rows.get(at).map(String::as_str));
                let Some(key) = key else { prop_assert!(false, "no key"); return Ok(()) };
                prop_assert!(!key[POSITION_CHARS_MIN..].ends_with('0'));
                rows.insert(at, key);
                prop_assert!(rows.is_sorted_by(|one, next| one < next), "{:?}", rows);
            }
        }

        #[test]
        fn spread_keys_ascend(count in 0..300_usize, is_first: bool, is_last: bool) {
            prop_assume!(!(is_first && is_last));
            let (before, after) = ((!is_first).then_some(ONE), (!is_last).then_some(TWO));
            let keys = spread(before, after, count).unwrap();
            let all: Vec<&str> =
                before.into_iter().chain(keys.iter().map(String::as_str)).chain(after).collect();
            prop_assert!(all.is_sorted_by(|one, next| one < next), "{:?}", all);
        }
    }
}
