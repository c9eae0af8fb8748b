//! Ports for programs that cannot bind port 0 themselves, or must come back on the same one.

use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;

/// Below the range that systems take outgoing connections' ports from (Linux: from 32768). In that
/// range any client of anybody could take the port before the program binds it or while it is
/// down, even the very client that tries to reach it.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// A port on loopback that nobody listens on.
///
/// # Panics
/// When there seems to be none.
#[must_use]
pub fn free() -> u16 {
    let random = RandomState::new();
    (0..1_000_u32)
        .map(|attempt| {
            let offset = random.hash_one(attempt) % u64::from(PORTS.end - PORTS.start);
            PORTS.start + u16::try_from(offset).expect("within the range")
        })
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port on loopback")
}
