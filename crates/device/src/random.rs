//! Random numbers from a seed that the shell gives: names of tasks, idempotency keys, the jitter of waits.

/// PCG64, XSL RR 128/64 (M. O'Neill, 2014).
#[derive(Debug, Clone)]
pub(crate) struct Random(u128);

impl Random {
    pub(crate) fn of(seed: [u8; 16]) -> Self {
        Self(u128::from_le_bytes(seed))
    }

    pub(crate) fn next(&mut self) -> u64 {
        const MULTIPLIER: u128 = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645;
        const INCREMENT: u128 = 0x5851_f42d_4c95_7f2d_1405_7b7e_f767_814f;
        self.0 = self.0.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT);
        let folded = (self.0 >> 64) as u64 ^ self.0 as u64;
        folded.rotate_right((self.0 >> 122) as u32)
    }

    /// A name that no other has: 32 hexadecimal digits.
    pub(crate) fn name(&mut self) -> String {
        format!("{:016x}{:016x}", self.next(), self.next())
    }

    /// An id for what the server does not know yet: negative, so that it is no server's.
    pub(crate) fn local_id(&mut self) -> i64 {
        -(((self.next() >> 12) as i64).max(1))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_ids_differ_whatever_the_seed() {
        let mut names = BTreeSet::new();
        for seed in [[0; 16], [7; 16], [255; 16]] {
            let mut random = Random::of(seed);
            for _ in 0..1_000 {
                names.insert(random.name());
                let id = random.local_id();
                assert!((-(1 << 52)..0).contains(&id), "{id}");
            }
        }
        assert_eq!(names.len(), 3_000);
    }
}
