//! A device's position in the feed of changes, and whether it can continue from there.

/// A position in a user's changes. The device has all changes up to `after`, and still has to receive every
/// deletion after `start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Revision at which the device began to follow. None for a device that has nothing yet: it need not know
    /// about deletions before its first page.
    start: Option<i64>,
    /// The last revision that the device has received.
    pub after: i64,
}

/// The device has to discard its state and start over: tombstones that it needs are gone, or its revision is
/// beyond this user's current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResetRequired;

impl Position {
    /// The position of a device that has everything up to a revision; 0 if it has nothing.
    #[must_use]
    pub fn since(revision: i64) -> Self {
        Self { start: (revision != 0).then_some(revision), after: revision }
    }

    /// Parses a cursor of [`Position::cursor`]; none if it is malformed.
    #[must_use]
    pub fn parse(cursor: &str) -> Option<Self> {
        let number = |digits: &str| {
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| digits.parse::<i64>().ok()).flatten()
        };
        let (start, after) = cursor.split_once('-')?;
        Some(Self { start: Some(number(start)?), after: number(after)? })
    }

    /// Checks the position against the user's current revision and the horizon, which is the highest revision
    /// whose tombstone is no longer kept. Returns the revision at which the device began.
    ///
    /// # Errors
    /// The device cannot continue from here.
    pub fn begin(self, current: i64, horizon: i64) -> Result<i64, ResetRequired> {
        let start = self.start.unwrap_or(current);
        let is_known = self.after <= current && start <= current && start >= horizon;
        is_known.then_some(start).ok_or(ResetRequired)
    }

    /// The position after a page, for a device that began at `start`. Opaque to clients.
    #[must_use]
    pub fn cursor(start: i64, after: i64) -> String {
        format!("{start}-{after}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_that_can_continue() {
        let check = |position: Position, current: i64, horizon: i64, expected: Option<i64>| {
            assert_eq!(position.begin(current, horizon).ok(), expected, "{position:?}");
        };
        check(Position::since(0), 0, 0, Some(0));
        // A device that has nothing needs no tombstones.
        check(Position::since(0), 90, 50, Some(90));
        check(Position::since(50), 90, 50, Some(50));
        check(Position::since(49), 90, 50, None);
        check(Position::since(90), 90, 50, Some(90));
        check(Position::since(91), 90, 50, None);
        // Page by page from 0, begun at 60: tombstones up to there do not matter.
        let middle = Position::parse(&Position::cursor(60, 20)).unwrap();
        check(middle, 90, 50, Some(60));
        check(middle, 90, 60, Some(60));
        check(middle, 90, 61, None);
        check(Position::parse("91-20").unwrap(), 90, 0, None);
    }

    #[test]
    fn cursors() {
        assert_eq!(Position::parse("7-3"), Some(Position { start: Some(7), after: 3 }));
        for other in ["", "7", "-", "7-", "-3", "7-3-1", "7--3", "+7-3", "99999999999999999999-1"] {
            assert_eq!(Position::parse(other), None, "{other}");
        }
    }
}
