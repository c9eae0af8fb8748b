//! The binary `rondo-sync`; see [`ws_sync::program`].

use std::process::ExitCode;

use clap::Parser as _;
use rondo_telemetry::{Shutdown, log};
use ws_sync::option::Options;
use ws_sync::program;

/// Exit status for a missing or malformed setting; any other failure is 1.
const EXIT_SETTING: u8 = 2;

fn main() -> ExitCode {
    let options = Options::parse();
    if let Err(error) = log::init() {
        eprintln!("rondo-sync: {error}");
        return ExitCode::from(EXIT_SETTING);
    }
    let settings = match options.settings() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("rondo-sync: {error}");
            return ExitCode::from(EXIT_SETTING);
        }
    };
    match serve(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rondo-sync: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve(settings: ws_sync::option::Settings) -> anyhow::Result<()> {
    let shutdown = Shutdown::on_signal()?;
    program::run(settings, &shutdown).await
}
