//! Sorting with little code: the library's sort is compiled anew for each use, which is a tenth
//! of a page that sorts often.

use std::cmp::Ordering;

/// Sorts by an order. Equal items stay in theirs.
pub fn sort_by<T>(items: &mut [T], mut compare: impl FnMut(&T, &T) -> Ordering) {
    let mut sources = places(items.len(), &mut |one, other| compare(&items[one], &items[other]));
    // Each cycle of items that take each other's place.
    for start in 0..items.len() {
        let mut at = start;
        while sources[at] != start {
            let from = std::mem::replace(&mut sources[at], at);
            items.swap(at, from);
            at = from;
        }
        sources[at] = at;
    }
}

/// Sorts by a key, which is asked for at each comparison. Equal items stay in their order.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(items, |one, other| key(one).cmp(&key(other)));
}

/// Sorts by the items' own order.
pub fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, T::cmp);
}

/// The places of items in their order: the only sort that is compiled.
fn places(count: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by(|one, other| compare(*one, *other));
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sorts_as_the_library_does(items in prop::collection::vec((0_u8..8, any::<u8>()), 0..40)) {
            let mut expected = items.clone();
            expected.sort_by_key(|(key, _)| *key);
            let mut sorted = items.clone();
            sort_by_key(&mut sorted, |(key, _)| *key);
            prop_assert_eq!(&sorted, &expected);
            let mut sorted = items.clone();
            sort(&mut sorted);
            let mut expected = items.clone();
            expected.sort_unstable();
            prop_assert_eq!(&sorted, &expected);
        }
    }
}
