//! `cargo xtask oracle`: generated recurrence rules against python-dateutil, and lines of quick add against other
//! parsers; see `xtask/oracle`.

mod quick_add;

use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::artifact::native;
use crate::cargo::{root, run as run_command, target_directory};
use crate::python;

/// The default number of rules, also for `cargo xtask test`.
const RULES: u64 = 10_000;
/// The default seed, so that `cargo xtask test` checks the same rules each time.
const SEED: u64 = 5_545;
/// Its folder in the clone.
const FOLDER: &str = "xtask/oracle";
/// The program that generates rules, an example of `crates/domain`.
const GENERATOR: &str = "oracle";

pub fn run(arguments: &[String]) -> Result<()> {
    let (mut rules, mut seed) = (RULES, SEED);
    let mut arguments = arguments.iter();
    while let Some(option) = arguments.next() {
        let target = match option.as_str() {
            "--rules" => &mut rules,
            "--seed" => &mut seed,
            _ => bail!("unknown option {option:?}: `cargo xtask oracle [--rules N] [--seed N]`"),
        };
        let value = arguments.next().with_context(|| format!("{option} needs a number"))?;
        *target = value.parse().with_context(|| format!("{option} {value:?} is not a number"))?;
    }
    check(rules, seed)
}

/// What `cargo xtask test` checks.
pub fn check_default() -> Result<()> {
    check(RULES, SEED)
}

/// Divides the rules among as many pairs of programs as there are processors; then the lines of quick add.
fn check(rules: u64, seed: u64) -> Result<()> {
    let python = python::environment("oracle", FOLDER)?.join("python");
    let examples = ["--example", GENERATOR, "--example", quick_add::GENERATOR];
    run_command(native(["build", "--release"]).args(examples))?;
    let shares = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let share = rules.div_ceil(shares).max(1);
    let pairs: Result<Vec<_>> = (0..rules)
        .step_by(usize::try_from(share)?)
        .map(|first| Pair::start(&python, seed, first, share.min(rules - first)))
        .collect();
    let mut has_failed = false;
    for mut pair in pairs? {
        has_failed |= !pair.oracle.wait()?.success();
        has_failed |= !pair.generator.wait()?.success();
    }
    if has_failed {
        bail!("occurrences differ from the oracle's (seed {seed})");
    }
    quick_add::check()
}

/// A generator and the oracle that reads from it.
struct Pair {
    generator: Child,
    oracle: Child,
}

impl Pair {
    fn start(python: &Path, seed: u64, first: u64, count: u64) -> Result<Self> {
        let program = target_directory().join("release/examples").join(GENERATOR);
        let mut generator = Command::new(&program)
            .args([seed, first, count].map(|number| number.to_string()))
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let rules = generator.stdout.take().context("the generator has no output")?;
        let oracle = Command::new(python)
            .arg(root().join(FOLDER).join("oracle.py"))
            // Empty, so that it uses the package's time zones and not the machine's.
            .env("PYTHONTZPATH", "")
            .stdin(rules)
            .spawn()
            .context("cannot run the oracle")?;
        Ok(Self { generator, oracle })
    }
}
