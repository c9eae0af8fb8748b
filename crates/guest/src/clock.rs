//! The current time.

use std::time::{SystemTime, UNIX_EPOCH};

use rondo_domain::instant::Instant;

/// Now, in microseconds, as the database stores it.
#[must_use]
pub fn now() -> Instant {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_micros())
        .ok()
        .and_then(Instant::from_microsecond)
        .unwrap_or(Instant::UNIX_EPOCH)
}
