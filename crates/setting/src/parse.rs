//! Reads a program's options from the command line and the environment.

use std::error::Error as _;
use std::ffi::OsString;
use std::process::exit;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Error, Parser};

/// Exit status for a missing or malformed setting.
pub const EXIT_SETTING: u8 = 2;

/// Reads the options of a program. Help, version and wrong arguments end the process, as clap does. A missing
/// or malformed setting ends it with status [`EXIT_SETTING`] and a line that names its variable.
///
/// An empty variable counts as absent, so that a compose file can pass on unset ones.
#[must_use]
pub fn parse<P: Parser>() -> P {
    let (error, lines) = match read::<P>(std::env::args_os()) {
        Ok(options) => return options,
        Err(refused) => refused,
    };
    if lines.is_empty() {
        error.exit();
    }
    for line in lines {
        eprintln!("{}: {line}", P::command().get_name());
    }
    exit(EXIT_SETTING.into());
}

/// Like [`parse`], with these arguments, the first of which is the program's name.
///
/// # Errors
/// A line for each missing or malformed setting, or for a wrong argument.
pub fn try_parse<P: Parser>(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<P, Vec<String>> {
    read(arguments).map_err(
        |(error, lines)| {
            if lines.is_empty() { vec![error.to_string()] } else { lines }
        },
    )
}

fn read<P: Parser>(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<P, (Error, Vec<String>)> {
    let mut command = without_blank(P::command());
    let matches = command.try_get_matches_from_mut(arguments);
    let error = match matches.and_then(|matches| P::from_arg_matches(&matches)) {
        Ok(options) => return Ok(options),
        Err(error) => error.format(&mut command),
    };
    // Including the names of blank variables.
    let mut whole = P::command();
    whole.build();
    let lines = refusals(&whole, &error);
    Err((error, lines))
}

fn without_blank(command: Command) -> Command {
    let is_blank = |arg: &Arg| {
        let value = arg.get_env().and_then(std::env::var_os);
        value.is_some_and(|value| value.to_str().is_some_and(|text| text.trim().is_empty()))
    };
    command
        .mut_args(|arg| if is_blank(&arg) { arg.env(None::<&'static str>) } else { arg })
        .mut_subcommands(without_blank)
}

/// The faulty settings with their faults; empty if the error is not about a setting.
fn refusals(command: &Command, error: &Error) -> Vec<String> {
    let reason = match error.kind() {
        ErrorKind::MissingRequiredArgument => "is missing: set it".to_owned(),
        ErrorKind::ValueValidation => match error.source() {
            Some(source) => source.to_string(),
            None => return Vec::new(),
        },
        ErrorKind::InvalidValue => match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(words)) => format!("must be {}", alternatives(words)),
            _ => return Vec::new(),
        },
        _ => return Vec::new(),
    };
    let shown = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(one)) => std::slice::from_ref(one),
        Some(ContextValue::Strings(several)) => several,
        _ => return Vec::new(),
    };
    let names = shown.iter().filter_map(|shown| variable(command, shown));
    names.map(|name| format!("{name}: {reason}")).collect()
}

/// The variable of an option by clap's display of it, such as `--listen <HOST:PORT>`. The same option has the
/// same variable in every command.
fn variable(command: &Command, shown: &str) -> Option<String> {
    let own = command.get_arguments().find(|arg| arg.to_string() == shown);
    let own = own.and_then(|arg| arg.get_env()?.to_str());
    own.map(str::to_owned)
        .or_else(|| command.get_subcommands().find_map(|command| variable(command, shown)))
}

fn alternatives(words: &[String]) -> String {
    match words {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Options {
        #[arg(long, env = "TEST_NEEDED", value_name = "URL")]
        _needed: String,
        #[arg(long, env = "TEST_PORT", value_name = "PORT", default_value_t = 1)]
        _port: u16,
        #[arg(long, env = "TEST_CHOICE", value_name = "WORD", value_parser = ["a", "b", "c"])]
        _choice: Option<String>,
    }

    #[test]
    fn a_refusal_names_the_variable_and_the_remedy() {
        let check = |arguments: &[&str], expected: &[&str]| {
            let mut command = Options::command();
            let error = command.try_get_matches_from_mut(arguments).unwrap_err();
            assert_eq!(refusals(&command, &error), expected, "{arguments:?}");
        };
        check(&["x"], &["TEST_NEEDED: is missing: set it"]);
        let port = "TEST_PORT: 70000 is not in 0..=65535";
        check(&["x", "--needed", "u", "--port", "70000"], &[port]);
        let choice = "TEST_CHOICE: must be a, b or c";
        check(&["x", "--needed", "u", "--choice", "d"], &[choice]);
        check(&["x", "--unknown"], &[]);
    }
}
