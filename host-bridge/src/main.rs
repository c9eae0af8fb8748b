//! The binary `rondo`; see [`host_bridge::command`].

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use host_bridge::command::{Cli, SettingError};
use tracing_subscriber::EnvFilter;

/// Exit status for a missing or malformed setting; any other failure is 1.
const EXIT_SETTING: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_env("RONDO_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        logs.init();
    } else {
        logs.json().flatten_event(true).init();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("rondo: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(cli.run());
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rondo: {error:#}");
            let setting = error.downcast_ref::<SettingError>().is_some()
                || error.downcast_ref::<rondo_kafka::SettingError>().is_some();
            if setting { ExitCode::from(EXIT_SETTING) } else { ExitCode::FAILURE }
        }
    }
}
