//! Timeouts of connections.

use std::time::Duration;

use tokio_postgres::Config;

/// Time limit for reaching and logging in to the server, unless the DSN has `connect_timeout`.
const CONNECT_SECONDS_MAX: u64 = 5;
/// Idle time after which the kernel probes the peer.
const KEEPALIVE_IDLE_SECONDS: u64 = 30;
/// How long sent data may stay unacknowledged before the connection counts as lost (Linux).
const UNACKNOWLEDGED_SECONDS_MAX: u64 = 30;

/// Time limit for connecting.
pub(crate) fn connect_timeout(config: &Config) -> Duration {
    // libpq's 0 means no limit; here there always is one.
    match config.get_connect_timeout() {
        Some(timeout) if !timeout.is_zero() => *timeout,
        _ => Duration::from_secs(CONNECT_SECONDS_MAX),
    }
}

/// Bounds the time to connect, and the time until a lost connection is noticed.
pub(crate) fn bound(config: &mut Config) {
    config.connect_timeout(connect_timeout(config));
    if config.get_keepalives_idle() == Config::new().get_keepalives_idle() {
        config.keepalives_idle(Duration::from_secs(KEEPALIVE_IDLE_SECONDS));
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(UNACKNOWLEDGED_SECONDS_MAX));
    }
}
