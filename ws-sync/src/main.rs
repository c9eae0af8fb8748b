//! The binary `rondo-sync`; see [`ws_sync::program`].

use std::process::ExitCode;

use rondo_setting::{EXIT_SETTING, SettingError};
use rondo_telemetry::{Shutdown, log, otlp};
use ws_sync::option::{Options, Settings};
use ws_sync::program;

fn main() -> ExitCode {
    let options: Options = rondo_setting::parse();
    if let Err(error) = log::init(options.log) {
        eprintln!("rondo-sync: {error}");
        return ExitCode::from(EXIT_SETTING);
    }
    let export = otlp::Setting::from_environment(&options.cleartext.allowed());
    let settings = options.settings().and_then(|settings| Ok((settings, export?)));
    let (settings, export) = match settings {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("rondo-sync: {error}");
            return ExitCode::from(EXIT_SETTING);
        }
    };
    match serve(settings, export) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rondo-sync: {error:#}");
            if error.is::<SettingError>() {
                ExitCode::from(EXIT_SETTING)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

#[tokio::main]
async fn serve(settings: Settings, export: Option<otlp::Setting>) -> anyhow::Result<()> {
    let shutdown = Shutdown::on_signal()?;
    otlp::during(export, "rondo-sync", program::run(settings, &shutdown)).await
}
