//! The binary `rondo-sync`; see [`ws_sync::program`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ws_sync::program::main()
}
