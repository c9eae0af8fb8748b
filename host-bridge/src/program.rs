//! The program: command line, log, runtime, exit status. All of it is in the library, because the compiler turns
//! async code into machine code where it is run: in the binary and in each test program once more.

use std::process::ExitCode;
use std::time::Duration;

use rondo_setting::{EXIT_SETTING, SettingError};
use rondo_telemetry::log;
use rondo_wasm_host::variable::VariableError;

use crate::command::{Cli, SchemaDiffers};

/// How long remaining tasks may take after shutdown, in seconds.
const END_S_MAX: u64 = 2;

/// Runs what the command line says. Exit status 2: a setting is missing or wrong.
pub fn main() -> ExitCode {
    let cli: Cli = rondo_setting::parse();
    if let Err(error) = log::init(cli.log) {
        eprintln!("rondo: {error}");
        return ExitCode::from(EXIT_SETTING);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("rondo: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(cli.run());
    runtime.shutdown_timeout(Duration::from_secs(END_S_MAX));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rondo: {}", rondo_database::explain(&*error));
            let is_setting = |cause: &(dyn std::error::Error + 'static)| {
                cause.is::<SettingError>() || cause.is::<VariableError>()
            };
            match error.downcast_ref::<SchemaDiffers>() {
                Some(differs) => ExitCode::from(differs.exit_status()),
                None if error.chain().any(is_setting) => ExitCode::from(EXIT_SETTING),
                None => ExitCode::FAILURE,
            }
        }
    }
}
