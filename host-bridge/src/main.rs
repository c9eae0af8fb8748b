//! The binary `rondo`; see [`host_bridge::command`].

use std::process::ExitCode;

/// Saves the Wasm host an eighth to a sixth of its CPU time; see bench/README.md, "Where the time goes".
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    host_bridge::program::main()
}
