//! Shares of a limited resource: each holder has a bound, and so have all holders together.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A resource that holders share, in a unit of the caller's choice.
pub struct Shares {
    whole: usize,
    part: usize,
    held: Mutex<Held>,
    freed: Notify,
}

#[derive(Default)]
struct Held {
    total: usize,
    /// Only holders with a non-empty share.
    by_holder: HashMap<Arc<str>, usize>,
}

/// Why a share cannot grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The holder has reached its bound.
    Holder,
    /// All holders together have reached the bound.
    All,
}

/// The share of one holder; given back when dropped.
pub struct Share {
    shares: Arc<Shares>,
    holder: Option<Arc<str>>,
    amount: usize,
}

impl Shares {
    /// Bounds each holder by `part`, and all together by `whole`.
    pub fn new(part: usize, whole: usize) -> Arc<Self> {
        Arc::new(Self { whole, part, held: Mutex::default(), freed: Notify::new() })
    }

    /// An empty share. Without a holder, only the bound of all together applies.
    pub fn of(self: &Arc<Self>, holder: Option<Arc<str>>) -> Share {
        Share { shares: self.clone(), holder, amount: 0 }
    }

    /// Waits until the total is below the bound.
    pub async fn room(&self) {
        loop {
            let freed = self.freed.notified();
            if self.held().total < self.whole {
                return;
            }
            freed.await;
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, holder: Option<&Arc<str>>, amount: usize) -> Result<(), Full> {
        if amount == 0 {
            return Ok(());
        }
        let mut held = self.held();
        let mine = holder.and_then(|holder| held.by_holder.get(holder)).copied().unwrap_or(0);
        if holder.is_some() && mine + amount > self.part {
            return Err(Full::Holder);
        }
        if held.total + amount > self.whole {
            return Err(Full::All);
        }
        held.total += amount;
        if let Some(holder) = holder {
            *held.by_holder.entry(holder.clone()).or_default() += amount;
        }
        Ok(())
    }

    fn give_back(&self, holder: Option<&Arc<str>>, amount: usize) {
        if amount == 0 {
            return;
        }
        let mut held = self.held();
        held.total -= amount;
        if let Some(holder) = holder
            && let Entry::Occupied(mut mine) = held.by_holder.entry(holder.clone())
        {
            *mine.get_mut() -= amount;
            if *mine.get() == 0 {
                mine.remove();
            }
        }
        drop(held);
        self.freed.notify_waiters();
    }
}

impl Share {
    /// Grows the share.
    ///
    /// # Errors
    /// If a bound would be exceeded; the share stays as it is.
    pub fn grow(&mut self, amount: usize) -> Result<(), Full> {
        self.shares.take(self.holder.as_ref(), amount)?;
        self.amount += amount;
        Ok(())
    }

    /// Grows the share, and waits while the total is at its bound.
    ///
    /// # Errors
    /// [`Full::Holder`].
    pub async fn grow_in_time(&mut self, amount: usize) -> Result<(), Full> {
        loop {
            let shares = self.shares.clone();
            let freed = shares.freed.notified();
            match self.grow(amount) {
                Err(Full::All) => freed.await,
                settled => return settled,
            }
        }
    }

    /// Gives back a part, at most the whole share.
    pub fn shrink(&mut self, amount: usize) {
        let amount = amount.min(self.amount);
        self.amount -= amount;
        self.shares.give_back(self.holder.as_ref(), amount);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shares.give_back(self.holder.as_ref(), self.amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(name: &str) -> Option<Arc<str>> {
        Some(name.into())
    }

    #[test]
    fn holders_and_the_total_are_bounded() {
        let shares = Shares::new(4, 10);
        let mut first = shares.of(holder("a"));
        let mut second = shares.of(holder("a"));
        assert_eq!((first.grow(3), second.grow(1)), (Ok(()), Ok(())));
        assert_eq!(second.grow(1), Err(Full::Holder));
        let mut other = shares.of(holder("b"));
        assert_eq!(other.grow(4), Ok(()));
        let mut nobody = shares.of(None);
        assert_eq!((nobody.grow(3), nobody.grow(2)), (Err(Full::All), Ok(())));
        first.shrink(2);
        assert_eq!((second.grow(2), second.grow(1)), (Ok(()), Err(Full::Holder)));
        let mut idle = shares.of(holder("c"));
        assert_eq!(idle.grow(0), Ok(()));
        drop((first, second, other, nobody, idle));
        let held = shares.held();
        assert_eq!((held.total, held.by_holder.len()), (0, 0));
    }

    #[tokio::test]
    async fn a_waiting_holder_continues_when_there_is_room() {
        let shares = Shares::new(10, 10);
        let mut first = shares.of(None);
        first.grow(8).unwrap();
        let waiting = tokio::spawn({
            let mut second = shares.of(holder("b"));
            async move { second.grow_in_time(6).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        first.shrink(4);
        assert_eq!(waiting.await.unwrap(), Ok(()));
        first.grow(6).unwrap();
        let room = shares.room();
        drop(first);
        room.await;
    }
}
