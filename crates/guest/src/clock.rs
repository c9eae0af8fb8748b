//! The present.

use std::time::{SystemTime, UNIX_EPOCH};

use rondo_domain::jiff::Timestamp;

/// Now, in the microseconds that the database keeps.
#[must_use]
pub fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_micros())
        .ok()
        .and_then(|micros| Timestamp::from_microsecond(micros).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}
