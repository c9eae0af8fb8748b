//! `rondo-load`: sends the requests of a plan to an HTTP server and measures how long the answers take.
//!
//! `rondo-load PLAN ADDRESS saturate CONNECTIONS SECONDS`: each connection has one request under way at
//! a time and sends the next at once. What is measured is the rate.
//!
//! `rondo-load PLAN ADDRESS users COUNT THINK_MS SECONDS`: each user has a connection and asks at moments
//! that are settled beforehand, on average each THINK_MS. What is measured is the time from the settled
//! moment to the whole answer, so that a server that stalls is charged for all who had to wait meanwhile
//! (no coordinated omission).
//!
//! One thread on epoll, requests formatted beforehand: the machine is for the server. The report is JSON
//! on standard output.

mod connection;
mod drive;
mod plan;
mod report;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::drive::{Drive, Pace};
use crate::plan::Plan;

/// Descriptors that are needed beside those of the connections.
const SPARE_DESCRIPTORS: u64 = 32;
/// Most connections: one source address has some 28,000 ports to one server's address.
const CONNECTIONS_MAX: usize = 25_000;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [plan, address, ref mode @ ..] = arguments[..] else {
        bail!("usage: rondo-load PLAN ADDRESS saturate|users …");
    };
    let plan = Plan::read(Path::new(plan))?;
    let (connections, pace, seconds) = match *mode {
        ["saturate", connections, seconds] => (connections, Pace::Saturate, seconds),
        ["users", users, think_ms, seconds] => {
            let think = Duration::from_millis(number(think_ms)?);
            (users, Pace::Users { think }, seconds)
        }
        _ => bail!("usage: … saturate CONNECTIONS SECONDS, or … users COUNT THINK_MS SECONDS"),
    };
    let connections: usize = number(connections)?;
    if !(1..=CONNECTIONS_MAX).contains(&connections) {
        bail!("{connections} connections: 1 to {CONNECTIONS_MAX} are possible");
    }
    allow_descriptors(connections as u64 + SPARE_DESCRIPTORS)?;
    let address = address.parse().with_context(|| format!("{address} is no address"))?;
    let length = Duration::from_secs(number(seconds)?);
    let report = Drive::open(&plan, address, connections, pace)?.run(length)?;
    println!("{}", report.to_json());
    Ok(())
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().ok().with_context(|| format!("{text:?} is not a number that can be used here"))
}

/// Raises the limit of open files as far as it is needed and the system permits.
fn allow_descriptors(wanted: u64) -> Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if hard < wanted {
        bail!("{wanted} open files are needed, the system permits {hard} (`ulimit -Hn`)");
    }
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(wanted), hard)?;
    Ok(())
}
