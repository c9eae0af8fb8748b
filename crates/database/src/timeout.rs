//! How long connections may take.

use std::time::Duration;

use tokio_postgres::Config;

/// How long reaching and logging in to the server may take, unless the DSN has `connect_timeout`.
const CONNECT_SECONDS_MAX: u64 = 5;
/// Idle time after which the kernel asks whether the peer is still there.
const KEEPALIVE_IDLE_SECONDS: u64 = 30;
/// How long sent data may stay unacknowledged before the connection counts as lost (Linux).
const UNACKNOWLEDGED_SECONDS_MAX: u64 = 30;

/// How long connecting may take.
pub(crate) fn connect_timeout(config: &Config) -> Duration {
    // libpq's 0 means to wait for ever; nothing here does.
    match config.get_connect_timeout() {
        Some(timeout) if !timeout.is_zero() => *timeout,
        _ => Duration::from_secs(CONNECT_SECONDS_MAX),
    }
}

/// Bounds how long a connection may take to be made, and to be noticed as gone.
pub(crate) fn bound(config: &mut Config) {
    config.connect_timeout(connect_timeout(config));
    if config.get_keepalives_idle() == Config::new().get_keepalives_idle() {
        config.keepalives_idle(Duration::from_secs(KEEPALIVE_IDLE_SECONDS));
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(UNACKNOWLEDGED_SECONDS_MAX));
    }
}
