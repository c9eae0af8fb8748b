//! Memory that the component begins with.

/// Enough for most requests, in bytes. Without it the first allocations grow the memory, each with a
/// system call of the host and another when the instance ends. Pages that nobody touches cost nothing.
const INITIAL_MEMORY_BYTES: usize = 2 << 20;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        println!("cargo::rustc-link-arg-cdylib=--initial-memory={INITIAL_MEMORY_BYTES}");
    }
}
