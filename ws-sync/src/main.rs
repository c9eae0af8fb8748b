//! The binary `rondo-sync`; see [`ws_sync::program`].

use std::process::ExitCode;

use rondo_setting::EXIT_SETTING;
use rondo_telemetry::{Shutdown, log};
use ws_sync::option::Options;
use ws_sync::program;

fn main() -> ExitCode {
    let options: Options = rondo_setting::parse();
    if let Err(error) = log::init(options.log) {
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
