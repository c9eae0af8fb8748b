//! `cargo xtask test`: every check of the project, in parts. All parts run, all are reported.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::artifact::{self, COMPONENTS, WASM_PROFILE, native};
use crate::cargo::{WASM_TARGET, cargo, root, run as run_command};
use crate::kafka;
use crate::oracle;
use crate::python;
use crate::report::{Outcome, Report, TestCount};
use crate::service::{POSTGRES_VARIABLE, Service};
use crate::tool;

/// One part: its name for `--only`, what it is for, and how it runs.
struct Part {
    name: &'static str,
    about: &'static str,
    run: fn(&Run) -> Result<Outcome>,
}

/// In the order in which they run: what is quick to fail comes first.
const PARTS: [Part; 11] = [
    Part { name: "format", about: "rustfmt", run: format },
    Part { name: "lint", about: "clippy, warnings are errors, native and Wasm", run: lint },
    Part { name: "deny", about: "licences, sources and bans of dependencies", run: deny },
    Part { name: "build", about: "the components and the binaries", run: build },
    Part { name: "unit", about: "each crate's own tests, with a real Postgres", run: unit },
    Part { name: "oracle", about: "generated recurrence rules and python-dateutil", run: oracle },
    Part { name: "laws", about: "what the design demands of the sources", run: laws },
    Part { name: "components", about: "built components on the Wasm host", run: components },
    Part { name: "end-to-end", about: "the program as its users see it", run: end_to_end },
    Part { name: "conformance", about: "schemathesis and the served document", run: conformance },
    Part { name: "kafka", about: "everything that needs a real broker", run: kafka_suite },
];

/// Pinned: a later one may know further licences and lints, and fail without a change of ours.
const CARGO_DENY_VERSION: &str = "0.20.2";

/// Packages that only exist for Wasm, beside the components.
const WASM_PACKAGES: [&str; 3] = ["rondo-guest", "rondo-domain", "rondo-contract"];

/// The package of the black-box tests; its test files, in tests/, are sorted into parts by name.
const BLACK_BOX: &str = "rondo-tests";

/// The test file, the folder in xtask/ and the virtual environment of the part of that name.
const CONFORMANCE: &str = "conformance";

/// Names schemathesis for the test program.
const SCHEMATHESIS_VARIABLE: &str = "RONDO_TEST_SCHEMATHESIS";

/// Test programs at once inside one process of the black-box parts: each starts whole servers.
const BLACK_BOX_THREADS: &str = "2";

/// What the parts of one run share.
struct Run {
    /// What follows `--`: filters and options for the test programs.
    test_arguments: Vec<String>,
    postgres: OnceCell<Service>,
}

pub fn run(arguments: &[String]) -> Result<()> {
    let (options, test_arguments) = match arguments.iter().position(|argument| argument == "--") {
        Some(at) => (&arguments[..at], arguments[at + 1..].to_vec()),
        None => (arguments, Vec::new()),
    };
    if options == ["--list"] {
        for part in &PARTS {
            println!("{:<12} {}", part.name, part.about);
        }
        return Ok(());
    }
    let chosen = chosen_parts(options)?;
    let run = Run { test_arguments, postgres: OnceCell::new() };
    let mut report = Report::default();
    for part in chosen {
        println!("\n=== {}: {} ===", part.name, part.about);
        let start = Instant::now();
        let outcome = (part.run)(&run);
        if let Err(error) = &outcome {
            println!("{} failed: {error:#}", part.name);
        }
        report.add(part.name, outcome.unwrap_or(Outcome::Failed), start.elapsed());
    }
    // Postgres stops before the summary, so that its end is part of the run.
    drop(run);
    print!("\n{report}");
    if report.has_failed() {
        bail!("not all checks passed");
    }
    Ok(())
}

fn chosen_parts(options: &[String]) -> Result<Vec<&'static Part>> {
    let mut names = Vec::new();
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match option.strip_prefix("--only=") {
            Some(name) => names.push(name.to_owned()),
            None if option == "--only" => {
                names.push(options.next().context("--only needs the name of a part")?.clone());
            }
            None => bail!("unknown option {option:?}; `cargo xtask help` shows what there is"),
        }
    }
    for name in &names {
        if !PARTS.iter().any(|part| part.name == name) {
            let known: Vec<_> = PARTS.iter().map(|part| part.name).collect();
            bail!("there is no part {name:?}; the parts are {}", known.join(", "));
        }
    }
    Ok(PARTS
        .iter()
        .filter(|part| names.is_empty() || names.iter().any(|n| n == part.name))
        .collect())
}

fn format(_: &Run) -> Result<Outcome> {
    run_command(&mut cargo(["fmt", "--all", "--check"]))?;
    Ok(Outcome::Passed)
}

fn lint(_: &Run) -> Result<Outcome> {
    artifact::add_wasm_target()?;
    let mut clippy = native(["clippy", "--release", "--all-targets"]);
    run_command(clippy.args(["--", "-D", "warnings"]))?;
    let mut wasm = cargo(["clippy", "--profile", WASM_PROFILE, "--target", WASM_TARGET]);
    let packages = COMPONENTS.iter().chain(&WASM_PACKAGES).flat_map(|package| ["-p", package]);
    run_command(wasm.args(packages).args(["--", "-D", "warnings"]))?;
    Ok(Outcome::Passed)
}

/// Advisories are left out: they change without a change of ours, and a workflow looks at them.
fn deny(_: &Run) -> Result<Outcome> {
    let program = tool::installed("cargo-deny", CARGO_DENY_VERSION)?;
    let what = ["--all-features", "check", "bans", "licenses", "sources"];
    run_command(Command::new(program).args(what).current_dir(root()))?;
    Ok(Outcome::Passed)
}

fn build(_: &Run) -> Result<Outcome> {
    artifact::build_all()?;
    Ok(Outcome::Passed)
}

/// Libraries, binaries and tests/ of each native crate, but for what needs a broker.
fn unit(run: &Run) -> Result<Outcome> {
    let mut command = native(["test", "--release", "--no-fail-fast", "--lib", "--bins"]);
    for (folder, package) in native_folders()? {
        if package != BLACK_BOX {
            command.args(target_options(&folder.join("tests"), |name| !is_kafka(name))?);
        }
    }
    let mut count = run.tests(&mut command)?;
    // What only exists for Wasm has tables of its own, which need no host.
    let mut guests = cargo(["test", "--release", "--no-fail-fast", "--lib"]);
    guests.args(COMPONENTS.iter().chain(&WASM_PACKAGES[..1]).flat_map(|package| ["-p", package]));
    count = count + run.tests(&mut guests)?;
    let mut examples = native(["test", "--release", "--no-fail-fast", "--doc"]);
    Ok(Outcome::Tested(count + TestCount::of(&mut examples)?))
}

fn oracle(_: &Run) -> Result<Outcome> {
    oracle::check_default()?;
    Ok(Outcome::Passed)
}

fn laws(run: &Run) -> Result<Outcome> {
    artifact::build_components()?;
    run.black_box(|name| name.starts_with("law"))
}

fn components(run: &Run) -> Result<Outcome> {
    artifact::build_components()?;
    artifact::build_probe()?;
    run.black_box(|name| name.starts_with("component"))
}

fn end_to_end(run: &Run) -> Result<Outcome> {
    artifact::build_all()?;
    run.black_box(|name| {
        !["law", "component", CONFORMANCE].iter().any(|part| name.starts_with(part))
            && !is_kafka(name)
    })
}

fn conformance(run: &Run) -> Result<Outcome> {
    artifact::build_all()?;
    let programs = python::environment(CONFORMANCE, "xtask/conformance")?;
    let mut command = native(["test", "--release", "--test", CONFORMANCE]);
    command.env(SCHEMATHESIS_VARIABLE, programs.join("schemathesis"));
    Ok(Outcome::Tested(run.tests(&mut command)?))
}

/// The tests named after Kafka, of every crate.
fn kafka_suite(run: &Run) -> Result<Outcome> {
    artifact::build_all()?;
    let mut options = Vec::new();
    for (folder, package) in native_folders()? {
        let tests = if package == BLACK_BOX { folder } else { folder.join("tests") };
        options.extend(target_options(&tests, is_kafka)?);
    }
    run.whole_servers(options)
}

fn is_kafka(name: &str) -> bool {
    name.starts_with("kafka")
}

impl Run {
    /// Runs those test files of the black-box package that `is_wanted` picks by name.
    fn black_box(&self, is_wanted: fn(&str) -> bool) -> Result<Outcome> {
        self.whole_servers(target_options(&root().join("tests"), is_wanted)?)
    }

    /// Runs test files, few tests at once, for each starts whole servers.
    fn whole_servers(&self, test_files: Vec<String>) -> Result<Outcome> {
        if test_files.is_empty() {
            bail!("there is no test file of this part");
        }
        let mut command = native(["test", "--release", "--no-fail-fast"]);
        command.args(test_files).env("RUST_TEST_THREADS", threads());
        Ok(Outcome::Tested(self.tests(&mut command)?))
    }

    /// Runs test programs with the shared services; shows what they print, and counts.
    fn tests(&self, command: &mut Command) -> Result<TestCount> {
        command.env(kafka::KAFKA_VARIABLE, kafka::fetched()?);
        command.env(POSTGRES_VARIABLE, self.postgres()?);
        if !self.test_arguments.is_empty() {
            command.arg("--").args(&self.test_arguments);
        }
        let count = TestCount::of(command)?;
        if self.test_arguments.is_empty() && !count.has_failed && count.passed == 0 {
            bail!("no test ran");
        }
        Ok(count)
    }

    /// The shared Postgres, started when first asked for. One that the caller names is used as is.
    fn postgres(&self) -> Result<String> {
        if let Ok(named) = std::env::var(POSTGRES_VARIABLE) {
            return Ok(named);
        }
        if self.postgres.get().is_none() {
            let service = Service::postgres().context("no Postgres for the tests")?;
            // Nobody else can have set it: one thread.
            let _ = self.postgres.set(service);
        }
        Ok(self.postgres.get().map(|service| service.address.clone()).unwrap_or_default())
    }
}

fn threads() -> String {
    std::env::var("RUST_TEST_THREADS").unwrap_or_else(|_| BLACK_BOX_THREADS.to_owned())
}

/// Folder and name of each native package in the workspace.
fn native_folders() -> Result<Vec<(PathBuf, String)>> {
    Ok(artifact::packages()?.into_iter().filter(|(_, name)| artifact::is_native(name)).collect())
}

/// `--test NAME` for each test file in a folder that `is_wanted` picks by its name.
fn target_options(folder: &Path, is_wanted: fn(&str) -> bool) -> Result<Vec<String>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        // A test is a file, or a folder with its files.
        let is_test = path.extension().is_some_and(|extension| extension == "rs")
            || path.join("main.rs").is_file();
        if is_test && is_wanted(&stem) {
            names.push(stem);
        }
    }
    names.sort();
    Ok(names.into_iter().flat_map(|name| ["--test".to_owned(), name]).collect())
}
