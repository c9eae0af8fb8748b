//! How the rows of a list become other rows: which stay, which move, which are made anew.

/// For each new key, the place of the old row that has it. Of equal keys, each old row is taken once.
pub fn sources<K: PartialEq>(old: &[K], new: &[K]) -> Vec<Option<usize>> {
    let mut is_taken = vec![false; old.len()];
    // Rows mostly keep their neighbours, so the search begins behind the last row that was found.
    let mut from = 0;
    let find = |key: &K| {
        let at = (from..old.len()).chain(0..from).find(|at| !is_taken[*at] && old[*at] == *key)?;
        is_taken[at] = true;
        from = at + 1;
        Some(at)
    };
    new.iter().map(find).collect()
}

/// Which of the new rows stay where they are: the most that are in their old order. All others are put in their
/// place.
pub fn stays(sources: &[Option<usize>]) -> Vec<bool> {
    // Patience sorting: `tails` has, for each length, the row that ends the run of that length with the least source.
    let mut tails: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; sources.len()];
    for (at, source) in sources.iter().enumerate() {
        if source.is_none() {
            continue;
        }
        let length = tails.partition_point(|tail| sources[*tail] < *source);
        before[at] = length.checked_sub(1).map(|shorter| tails[shorter]);
        match tails.get_mut(length) {
            Some(tail) => *tail = at,
            None => tails.push(at),
        }
    }
    let mut stays = vec![false; sources.len()];
    let mut last = tails.last().copied();
    while let Some(at) = last {
        stays[at] = true;
        last = before[at];
    }
    stays
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{sources, stays};

    /// Carries the change out on a list of keys, as the client does on elements: what is gone is removed, and from
    /// the end on, each row that does not stay is put before the next. Returns the result and the number of rows put.
    fn carried_out(old: &[u8], new: &[u8]) -> (Vec<u8>, usize) {
        let sources = sources(old, new);
        let stays = stays(&sources);
        // Each row by a number of its own, because keys can be equal.
        let made = |at: usize| sources[at].unwrap_or(old.len() + at);
        let mut rows: Vec<usize> =
            (0..old.len()).filter(|row| sources.contains(&Some(*row))).collect();
        let mut next = None;
        let mut puts = 0;
        for at in (0..new.len()).rev() {
            let row = made(at);
            if !stays[at] {
                puts += 1;
                rows.retain(|other| *other != row);
                let place = next.and_then(|next| rows.iter().position(|other| *other == next));
                rows.insert(place.unwrap_or(rows.len()), row);
            }
            next = Some(row);
        }
        let key = |row: usize| old.get(row).copied().unwrap_or_else(|| new[row - old.len()]);
        (rows.into_iter().map(key).collect(), puts)
    }

    #[test]
    fn few_rows_are_put() {
        let check = |old: &str, new: &str, puts: usize| {
            let expected = (new.as_bytes().to_vec(), puts);
            assert_eq!(carried_out(old.as_bytes(), new.as_bytes()), expected, "{old} → {new}");
        };
        check("", "", 0);
        check("", "abc", 3);
        check("abc", "", 0);
        check("abc", "abc", 0);
        check("abc", "ac", 0);
        check("abc", "xabc", 1);
        check("abc", "abxc", 1);
        check("abcd", "dabc", 1);
        check("abcd", "bcda", 1);
        check("abcd", "dcba", 3);
        check("abc", "xyz", 3);
        check("aa", "aaa", 1);
        check("aba", "aab", 1);
    }

    proptest! {
        #[test]
        fn the_rows_are_the_new_ones(old in prop::collection::vec(0_u8..12, 0..24), new in prop::collection::vec(0_u8..12, 0..24)) {
            let (rows, puts) = carried_out(&old, &new);
            prop_assert_eq!(&rows, &new);
            let anew = sources(&old, &new).iter().filter(|source| source.is_none()).count();
            prop_assert!(puts >= anew);
            prop_assert!(old != new || puts == 0);
        }
    }
}
