//! `cargo xtask test`: every check of the project, in parts. A failed part does not stop the others.

use std::cell::{Cell, OnceCell};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::artifact::{self, native};
use crate::browser;
use crate::cargo::{BROWSER_TARGET, cargo, root, run as run_command};
use crate::image;
use crate::kafka;
use crate::kubernetes;
use crate::node;
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

/// In the order in which they run: the quickest to fail come first, and last those whose tools are fetched
/// meanwhile.
const PARTS: [Part; 16] = [
    Part { name: "format", about: "rustfmt", run: format },
    Part { name: "lint", about: "clippy, warnings are errors", run: lint },
    Part { name: "deny", about: "licences, sources and bans of dependencies", run: deny },
    Part { name: "build", about: "the components, the binaries, the tests", run: build },
    Part { name: "image", about: "the images, and that their programs run", run: image },
    Part { name: "unit", about: "each crate's own tests, with a real Postgres", run: unit },
    Part { name: "oracle", about: "rules and quick add against other programs", run: oracle },
    Part { name: "laws", about: "the rules that sources and schema obey", run: laws },
    Part { name: "components", about: "built components on the Wasm host", run: components },
    Part { name: "end-to-end", about: "the program as its users see it", run: end_to_end },
    Part { name: "browser", about: "the web client in a real Chromium", run: in_browser },
    Part { name: "conformance", about: "schemathesis and the served document", run: conformance },
    Part {
        name: "mcp",
        about: "assistants, by the protocol's own suite and clients",
        run: assistants,
    },
    Part { name: "kafka", about: "everything that needs a real broker", run: kafka_suite },
    Part { name: "k8s-static", about: "chart, alerts, workflows, scripts", run: kubernetes_static },
    Part { name: "k8s-api", about: "chart and scripts on a real API server", run: kubernetes_api },
];

/// Pinned, because a later version may know more lints and fail without a change here.
const CARGO_DENY_VERSION: &str = "0.20.2";

/// The packages that also run in a browser, without the database of time zones.
const BROWSER: [&str; 3] = ["rondo-domain", "rondo-contract", "rondo-device"];

/// The package of the black-box tests. Each folder of tests/ with a `main.rs` is a test program. The
/// end-to-end part runs those that no other part names.
const BLACK_BOX: &str = "rondo-tests";
const LAW: &str = "law";
const COMPONENT: &str = "component";
/// Also names the folder of its scripts in tests/.
const IN_BROWSER: &str = "browser";
/// Also names a folder in xtask/ and a virtual environment.
const CONFORMANCE: &str = "conformance";
/// Likewise.
const MCP: &str = "mcp";
/// The prefix of each test program, in any package, that needs a broker.
const KAFKA: &str = "kafka";

/// Tells libtest how many tests to run at once.
const THREADS_VARIABLE: &str = "RUST_TEST_THREADS";

/// Name npm's packages and Python's programs for the test program of assistants.
const PACKAGES_VARIABLE: &str = "RONDO_TEST_MCP_PACKAGES";
const PYTHON_VARIABLE: &str = "RONDO_TEST_MCP_PYTHON";
/// Names the program that plays the story with the Rust client.
const RMCP_VARIABLE: &str = "RONDO_TEST_MCP_RMCP";

/// Names schemathesis for the test program.
const SCHEMATHESIS_VARIABLE: &str = "RONDO_TEST_SCHEMATHESIS";

/// Tests that a black-box program runs at once. Each starts whole servers, which compete for the
/// processors, and waits for their effects with deadlines.
const BLACK_BOX_THREADS: &str = "2";

/// The same for programs that need a broker. A broker that a test kills and restarts has a session of 2 s; a
/// second JVM on a small machine could make it miss heartbeats.
const KAFKA_THREADS: &str = "1";

/// What the parts of one run share.
struct Run {
    /// What follows `--`: filters and options for the test programs.
    test_arguments: Vec<String>,
    postgres: OnceCell<Service>,
    kubernetes: Cell<Option<Fetch>>,
}

/// Fetches what the parts about Kubernetes need, which is hundreds of megabytes and minutes of compiling on a new
/// machine.
struct Fetch {
    /// Hears of the end of what the first of them needs.
    tools: Receiver<()>,
    thread: JoinHandle<()>,
}

impl Fetch {
    /// A failure is the part's, which tries again.
    fn start() -> Self {
        let (done, tools) = mpsc::channel();
        let thread = thread::spawn(move || {
            let _ = kubernetes::fetch();
            let _ = done.send(());
            let _ = kubernetes::api::fetch();
        });
        Self { tools, thread }
    }
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
    let run = Run { test_arguments, postgres: OnceCell::new(), kubernetes: Cell::default() };
    if chosen.iter().any(|part| part.name.starts_with("k8s")) {
        run.kubernetes.set(Some(Fetch::start()));
    }
    let mut report = Report::default();
    let begin = Instant::now();
    for part in chosen {
        let so_far = begin.elapsed().as_secs();
        println!(
            "\n=== {}: {} (after {} min {} s) ===",
            part.name,
            part.about,
            so_far / 60,
            so_far % 60
        );
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
    run_command(native(["clippy", "--release", "--all-targets"]).args(["--", "-D", "warnings"]))?;
    artifact::add_target(BROWSER_TARGET)?;
    let mut browser = cargo(["clippy", "--release", "--no-default-features"]);
    browser.args(["--target", BROWSER_TARGET]).args(BROWSER.iter().flat_map(|name| ["-p", name]));
    run_command(browser.args(["--", "-D", "warnings"]))?;
    run_command(artifact::browser(["clippy", "--release"]).args(["--", "-D", "warnings"]))?;
    Ok(Outcome::Passed)
}

/// Leaves out advisories, which change without a change here; a workflow checks them.
fn deny(_: &Run) -> Result<Outcome> {
    let program = tool::installed("cargo-deny", CARGO_DENY_VERSION)?;
    let what = ["--all-features", "check", "bans", "licenses", "sources"];
    run_command(Command::new(program).args(what).current_dir(root()))?;
    Ok(Outcome::Passed)
}

fn kubernetes_static(run: &Run) -> Result<Outcome> {
    if let Some(fetch) = run.kubernetes.take() {
        // A panic has been printed.
        let _ = fetch.tools.recv();
        run.kubernetes.set(Some(fetch));
    }
    kubernetes::check()?;
    Ok(Outcome::Passed)
}

fn kubernetes_api(run: &Run) -> Result<Outcome> {
    if let Some(fetch) = run.kubernetes.take() {
        let _ = fetch.thread.join();
    }
    kubernetes::api::check()?;
    Ok(Outcome::Passed)
}

/// Builds the tests all at once, because most are one crate that takes one core.
fn build(_: &Run) -> Result<Outcome> {
    artifact::build_all()?;
    run_command(&mut native(["test", "--release", "--no-run", "--lib", "--bins", "--tests"]))?;
    Ok(Outcome::Passed)
}

fn image(_: &Run) -> Result<Outcome> {
    image::check()?;
    Ok(Outcome::Passed)
}

/// Libraries, binaries and tests/ of each package, except what needs a broker.
fn unit(run: &Run) -> Result<Outcome> {
    let mut command = native(["test", "--release", "--no-fail-fast", "--lib", "--bins"]);
    for (folder, package) in artifact::packages()? {
        if package != BLACK_BOX {
            command.args(target_options(&folder.join("tests"), |name| !is_kafka(name))?);
        }
    }
    let count = run.tests(&mut command)?;
    let mut examples = native(["test", "--release", "--no-fail-fast", "--doc"]);
    Ok(Outcome::Tested(count + TestCount::of(&mut examples)?))
}

fn oracle(_: &Run) -> Result<Outcome> {
    oracle::check_default()?;
    Ok(Outcome::Passed)
}

fn laws(run: &Run) -> Result<Outcome> {
    artifact::build_components()?;
    run.black_box(|name| name == LAW)
}

fn components(run: &Run) -> Result<Outcome> {
    artifact::build_components()?;
    artifact::build_example(&artifact::PROBE)?;
    run.black_box(|name| name == COMPONENT)
}

fn end_to_end(run: &Run) -> Result<Outcome> {
    artifact::build_all()?;
    run.black_box(|name| {
        ![LAW, COMPONENT, IN_BROWSER, CONFORMANCE, MCP].contains(&name) && !is_kafka(name)
    })
}

fn in_browser(run: &Run) -> Result<Outcome> {
    artifact::build_all()?;
    let mut command = programs_of(black_box_options(|name| name == IN_BROWSER)?)?;
    for (name, value) in browser::variables()? {
        command.env(name, value);
    }
    run.few_at_once(&mut command, BLACK_BOX_THREADS)
}

fn conformance(run: &Run) -> Result<Outcome> {
    artifact::build_all()?;
    let programs = python::environment(CONFORMANCE, "xtask/conformance")?;
    let mut command = programs_of(black_box_options(|name| name == CONFORMANCE)?)?;
    command.env(SCHEMATHESIS_VARIABLE, programs.join("schemathesis"));
    run.few_at_once(&mut command, BLACK_BOX_THREADS)
}

fn assistants(run: &Run) -> Result<Outcome> {
    artifact::build_components()?;
    artifact::build_example(&artifact::MCP_FIXTURE)?;
    let mut command = programs_of(black_box_options(|name| name == MCP)?)?;
    command.env(PACKAGES_VARIABLE, node::packages(MCP, "xtask/mcp")?);
    command.env(PYTHON_VARIABLE, python::environment(MCP, "xtask/mcp")?);
    command.env(RMCP_VARIABLE, artifact::build_mcp_story()?);
    run.few_at_once(&mut command, BLACK_BOX_THREADS)
}

/// The test programs named after Kafka, of every package.
fn kafka_suite(run: &Run) -> Result<Outcome> {
    artifact::build_all()?;
    let mut options = black_box_options(is_kafka)?;
    for (folder, package) in artifact::packages()? {
        if package != BLACK_BOX {
            options.extend(target_options(&folder.join("tests"), is_kafka)?);
        }
    }
    run.few_at_once(&mut programs_of(options)?, KAFKA_THREADS)
}

fn is_kafka(name: &str) -> bool {
    name.starts_with(KAFKA)
}

impl Run {
    /// Runs those black-box programs that `is_wanted` picks by name.
    fn black_box(&self, is_wanted: fn(&str) -> bool) -> Result<Outcome> {
        let mut command = programs_of(black_box_options(is_wanted)?)?;
        self.few_at_once(&mut command, BLACK_BOX_THREADS)
    }

    /// Runs test programs one after the other, with `threads` tests at once unless the caller's
    /// environment says how many.
    fn few_at_once(&self, command: &mut Command, threads: &str) -> Result<Outcome> {
        if std::env::var_os(THREADS_VARIABLE).is_none() {
            command.env(THREADS_VARIABLE, threads);
        }
        Ok(Outcome::Tested(self.tests(command)?))
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

    /// The shared Postgres: the one that the caller's environment names, or one started at first use.
    fn postgres(&self) -> Result<String> {
        if let Ok(named) = std::env::var(POSTGRES_VARIABLE) {
            return Ok(named);
        }
        if self.postgres.get().is_none() {
            let service = Service::postgres().context("no Postgres for the tests")?;
            // Cannot fail: there is one thread.
            let _ = self.postgres.set(service);
        }
        Ok(self.postgres.get().map(|service| service.address.clone()).unwrap_or_default())
    }
}

/// The `cargo test` command of some test programs.
fn programs_of(options: Vec<String>) -> Result<Command> {
    if options.is_empty() {
        bail!("there is no test program of this part");
    }
    let mut command = native(["test", "--release", "--no-fail-fast"]);
    command.args(options);
    Ok(command)
}

/// `--test NAME` for each black-box program that `is_wanted` picks by name.
fn black_box_options(is_wanted: fn(&str) -> bool) -> Result<Vec<String>> {
    target_options(&root().join("tests"), is_wanted)
}

/// `--test NAME` for each test program in a folder that `is_wanted` picks by its name.
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
