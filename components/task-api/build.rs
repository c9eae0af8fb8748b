//! Sets the component's initial memory.

/// Enough for most requests, in bytes. Otherwise the first allocations would grow the memory, each with a
/// system call of the host and another when the instance ends. Untouched pages cost nothing.
const INITIAL_MEMORY_BYTES: usize = 2 << 20;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        println!("cargo::rustc-link-arg-cdylib=--initial-memory={INITIAL_MEMORY_BYTES}");
    }
}
