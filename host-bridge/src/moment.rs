//! Moments as sqlx reads them, in the types of the rules.

use anyhow::{Context as _, Error};
use chrono::{DateTime, NaiveTime, Timelike as _, Utc};
use rondo_domain::instant::Instant;
use rondo_domain::jiff::civil::Time;

/// A time of day, in whole minutes.
pub fn time_of(time: NaiveTime) -> anyhow::Result<Time> {
    let (hour, minute) = (i8::try_from(time.hour())?, i8::try_from(time.minute())?);
    Time::new(hour, minute, 0, 0).map_err(Error::msg)
}

/// Postgres counts microseconds.
pub fn instant_of(at: DateTime<Utc>) -> anyhow::Result<Instant> {
    Instant::from_microsecond(at.timestamp_micros()).context("an instant out of range")
}
