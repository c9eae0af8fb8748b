//! Waits for a condition, with a deadline, instead of sleeping.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// The first pause between two attempts; pauses double up to [`PAUSE_MS_MAX`].
const PAUSE_MS_MIN: u64 = 2;
const PAUSE_MS_MAX: u64 = 50;

/// Calls `look` until it succeeds and returns its result.
///
/// ```no_run
/// # use std::time::Duration;
/// # async fn count() -> usize { 3 }
/// # async fn example() {
/// rondo_testkit::wait::eventually("three tasks", Duration::from_secs(5), async || {
///     match count().await {
///         3 => Ok(()),
///         other => Err(format!("{other} tasks")),
///     }
/// })
/// .await;
/// # }
/// ```
///
/// # Panics
/// If `within` has passed. The message has `what` and the last error of `look`.
pub async fn eventually<T, E: Display>(
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let start = Instant::now();
    let mut pause_ms = PAUSE_MS_MIN;
    let mut seen = "no answer at all".to_owned();
    loop {
        // Bounded, because a hanging `look` would hide what was awaited.
        let left = within.saturating_sub(start.elapsed()).max(Duration::from_millis(PAUSE_MS_MAX));
        match tokio::time::timeout(left, look()).await {
            Ok(Ok(found)) => return found,
            Ok(Err(other)) => seen = other.to_string(),
            // The previous error says more than this timeout.
            Err(_) => {}
        }
        assert!(
            start.elapsed() < within,
            "waited {:.1} s for {what}; last seen: {seen}",
            start.elapsed().as_secs_f64()
        );
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        pause_ms = (pause_ms * 2).min(PAUSE_MS_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_condition_is_awaited() {
        let mut looks = 0;
        let found = eventually("the third look", Duration::from_secs(5), async || {
            looks += 1;
            if looks == 3 { Ok(looks) } else { Err("too early") }
        })
        .await;
        assert_eq!(found, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "for a blue moon; last seen: a white one")]
    async fn the_panic_has_the_last_error() {
        eventually("a blue moon", Duration::from_millis(5), async || Err::<(), _>("a white one"))
            .await;
    }

    #[tokio::test]
    #[should_panic(expected = "last seen: no answer at all")]
    async fn a_hanging_look_times_out() {
        eventually("an answer", Duration::from_millis(5), async || {
            std::future::pending::<Result<(), String>>().await
        })
        .await;
    }
}
