//! Sets of positions counted from the start or the end: the 15th, the last but one.

/// Numbers from 1 to `64 × WORDS`, and the same counted from the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Positions<const WORDS: usize> {
    from_start: [u64; WORDS],
    from_end: [u64; WORDS],
}

impl<const WORDS: usize> Positions<WORDS> {
    pub(super) const NONE: Self = Self { from_start: [0; WORDS], from_end: [0; WORDS] };

    /// Adds a number other than 0. A negative one counts from the end, where -1 is the last.
    pub(super) fn insert(&mut self, number: i16) {
        let bit = usize::from(number.unsigned_abs()) - 1;
        let side = if number > 0 { &mut self.from_start } else { &mut self.from_end };
        side[bit / 64] |= 1 << (bit % 64);
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::NONE
    }

    /// Whether the set has position `index` of `length`, both counted from 1.
    pub(super) fn contains(&self, index: usize, length: usize) -> bool {
        let has = |side: &[u64; WORDS], bit: usize| {
            side.get(bit / 64).is_some_and(|word| word & 1 << (bit % 64) != 0)
        };
        has(&self.from_start, index - 1) || has(&self.from_end, length - index)
    }

    /// Ascending; those counted from the end follow the others.
    pub(super) fn iter(&self) -> impl Iterator<Item = i16> {
        let bits = |side: [u64; WORDS]| {
            (0..WORDS * 64).filter(move |bit| side[bit / 64] & 1 << (bit % 64) != 0)
        };
        bits(self.from_start)
            .map(|bit| bit as i16 + 1)
            .chain(bits(self.from_end).map(|bit| -(bit as i16) - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_from_both_ends() {
        let mut days = Positions::<6>::NONE;
        assert!(days.is_empty());
        for number in [1, 100, 366, -1, -366] {
            days.insert(number);
        }
        assert_eq!(days.iter().collect::<Vec<_>>(), [1, 100, 366, -1, -366]);
        let check = |index, length, expected| {
            assert_eq!(days.contains(index, length), expected, "{index} of {length}");
        };
        check(1, 365, true);
        check(2, 365, false);
        check(365, 365, true);
        check(366, 366, true);
        check(365, 366, false);
        check(100, 366, true);
    }
}
