//! Ports for programs that cannot bind port 0, or must return to the same port.

use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;

/// Below the ephemeral ports (Linux: from 32768). In that range, any outgoing connection could take the port
/// before the program binds it or while it is down, even that of the client that tries to reach it.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// A free port on loopback.
///
/// # Panics
/// If none is found.
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
