//! Leads a session from the client's revision to the live frames, without a gap and without repetitions.
//!
//! A session is in the hub before the first page is read. A change committed before that page is in a page;
//! one committed after it has a higher revision than [`Page::current`] and comes live. So changes up to that
//! revision come from pages, later ones from the queue. What changes while pages are read drops out of the
//! remaining pages and comes live.

use rondo_contract::change_position::{Position, ResetRequired};

use crate::close::CloseReason;

/// Changes per page, which one catching-up session keeps in memory.
pub const PAGE_CHANGES_MAX: i64 = 100;

/// The page to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// Changes above this revision,
    pub after: i64,
    /// and up to this one; none: up to the current one.
    pub until: Option<i64>,
    pub changes_max: i64,
}

/// A page of a user's changes, read in one statement.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The user's revision.
    pub current: i64,
    /// Highest revision whose tombstone has been forgotten; 0 for none.
    pub horizon: i64,
    /// Ascending by revision.
    pub changes: Vec<Change>,
}

/// The current state of a changed task or list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub revision: i64,
    pub of: Changed,
    /// JSON; none if it was deleted.
    pub state: Option<String>,
}

/// What has changed, by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Changed {
    Task(i64),
    List(i64),
}

/// The progress of a session's catch-up.
#[derive(Debug)]
pub struct CatchUp {
    /// The client's revision; none if it wants only future changes.
    since: Option<i64>,
    after: i64,
    until: Option<i64>,
}

/// The consequences of a page for the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// After the first page: the revision of the welcome, and the one up to which pages go.
    pub start: Option<Start>,
    /// Whether to read another page.
    pub more: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    pub welcome: i64,
    pub until: i64,
}

impl CatchUp {
    #[must_use]
    pub fn new(since: Option<i64>) -> Self {
        Self { since, after: since.unwrap_or(0), until: None }
    }

    #[must_use]
    pub fn request(&self) -> PageRequest {
        // Without a revision, only the current one is read.
        let changes_max = if self.since.is_some() { PAGE_CHANGES_MAX } else { 0 };
        PageRequest { after: self.after, until: self.until, changes_max }
    }

    /// Continues with the page that was requested; its changes are sent after the welcome.
    ///
    /// # Errors
    /// If tombstones after the client's revision are no longer kept, or the revision is beyond the current
    /// one (a restored database, another server).
    pub fn step(&mut self, page: &Page) -> Result<Step, CloseReason> {
        let Some(since) = self.since else {
            let start = Start { welcome: page.current, until: page.current };
            return Ok(Step { start: Some(start), more: false });
        };
        // A client that began with nothing needs no tombstones, whatever its revision.
        let position = Position::since(if since == 0 { 0 } else { self.after });
        position
            .begin(page.current, page.horizon)
            .map_err(|ResetRequired| CloseReason::ResetRequired)?;
        let start = self.until.is_none().then_some(Start { welcome: since, until: page.current });
        self.until = self.until.or(Some(page.current));
        if let Some(last) = page.changes.last() {
            self.after = last.revision;
        }
        let full = i64::try_from(page.changes.len()).is_ok_and(|count| count >= PAGE_CHANGES_MAX);
        Ok(Step { start, more: full && Some(self.after) < self.until })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(current: i64, horizon: i64, revisions: std::ops::Range<i64>) -> Page {
        let change = |revision| Change { revision, of: Changed::Task(revision), state: None };
        Page { current, horizon, changes: revisions.map(change).collect() }
    }

    #[test]
    fn a_client_without_a_revision_starts_at_the_current_one() {
        let mut catch_up = CatchUp::new(None);
        assert_eq!(catch_up.request().changes_max, 0);
        let start = Some(Start { welcome: 7, until: 7 });
        assert_eq!(catch_up.step(&page(7, 3, 0..0)), Ok(Step { start, more: false }));
    }

    #[test]
    fn pages_continue_to_the_revision_of_the_first() {
        let mut catch_up = CatchUp::new(Some(5));
        let start = Some(Start { welcome: 5, until: 300 });
        assert_eq!(catch_up.step(&page(300, 0, 6..106)), Ok(Step { start, more: true }));
        assert_eq!(
            catch_up.request(),
            PageRequest { after: 105, until: Some(300), changes_max: PAGE_CHANGES_MAX }
        );
        // The user keeps changing tasks meanwhile.
        assert_eq!(catch_up.step(&page(400, 0, 106..206)), Ok(Step { start: None, more: true }));
        assert_eq!(catch_up.step(&page(400, 0, 206..301)), Ok(Step { start: None, more: false }));
    }

    #[test]
    fn a_full_last_page_ends_it() {
        let mut catch_up = CatchUp::new(Some(0));
        assert!(!catch_up.step(&page(100, 0, 1..101)).unwrap().more);
    }

    #[test]
    fn a_revision_that_cannot_be_continued_is_refused() {
        let check = |since, current, horizon, refused: bool| {
            let result = CatchUp::new(Some(since)).step(&page(current, horizon, 0..0));
            assert_eq!(result.is_err(), refused, "{since} {current} {horizon}");
        };
        check(0, 9, 5, false);
        check(4, 9, 5, true);
        check(5, 9, 5, false);
        check(9, 9, 5, false);
        check(10, 9, 5, true);
        check(0, 0, 0, false);
        check(1, 0, 0, true);
        check(-1, 9, 0, true);
    }
}
