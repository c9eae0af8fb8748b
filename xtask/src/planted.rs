//! `cargo xtask planted-bugs`: proves that the tests of the pipeline can fail.
//!
//! Each patch in tests/planted/ makes one mistake that the design excludes. This command applies it to a
//! copy of the clone below the target folder and builds the copy. The tests for that kind of mistake then
//! have to fail; without a patch they have to pass. Nothing outside the copy changes.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::artifact::{self, BINARIES, native};
use crate::cargo::{root, run as run_command, target_directory};
use crate::kafka;

/// A mistake, and the black-box tests that have to notice it. The patch is
/// `tests/planted/<name>.patch`.
struct Bug {
    name: &'static str,
    /// Programs, of whose tests [`FILTER`] picks some.
    tests: &'static [&'static str],
    /// The failure has to contain one of these phrases, because a slow machine makes a test fail, too.
    notices: &'static [&'static str],
}

/// The module with the kill tests, in each program that has them.
const FILTER: &str = "kill::";
/// The programs, by transport.
const LOCAL: &str = "end_to_end";
const KAFKA: &str = "kafka";

/// An event about something that does not exist; [`COUNTS`]: events that are missing or duplicated.
const GHOST: &str = "which does not exist";
const COUNTS: &str = "audited creations, completions, and successors are";

const BUGS: [Bug; 4] = [
    Bug { name: "publish-before-commit", tests: &[LOCAL], notices: &[GHOST, COUNTS] },
    Bug { name: "row-deleted-before-the-ack", tests: &[LOCAL, KAFKA], notices: &[COUNTS] },
    Bug { name: "offset-stored-before-the-effect", tests: &[KAFKA], notices: &[COUNTS] },
    Bug { name: "successor-without-its-key", tests: &[LOCAL], notices: &[COUNTS] },
];

/// Without a bug, the tests pass.
const NONE: Bug = Bug { name: "none", tests: &[LOCAL, KAFKA], notices: &[] };

/// What is built from a clone, below its target folder, for the host and for Wasm.
const BUILT: [&str; 3] = ["release", "wasm", "wasm32-wasip2/wasm"];

pub fn run(names: &[String]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| BUGS.iter().all(|bug| bug.name != **name)) {
        bail!("there is no bug {unknown:?}; the bugs are {}", BUGS.map(|bug| bug.name).join(", "));
    }
    let is_chosen = |bug: &&Bug| names.is_empty() || names.iter().any(|name| name == bug.name);
    let jars = kafka::fetched()?;
    let copy = Copy::of_clone()?;
    let mut table = String::new();
    let mut wrong = 0;
    for bug in std::iter::once(&NONE).chain(BUGS.iter().filter(is_chosen)) {
        println!("\n=== {} ===", bug.name);
        for (test, failure, seconds) in copy.failures_with(bug, &jars)? {
            let is_right = match &failure {
                None => !bug.is_planted(),
                Some(said) => bug.notices.iter().any(|notice| said.contains(notice)),
            };
            wrong += usize::from(!is_right);
            let verdict = if is_right { "ok" } else { "WRONG" };
            let said = failure.as_deref().unwrap_or("passes");
            let line = format!("{:<32} {test:<10} {verdict:<6} {seconds:>6.1} s  {said}", bug.name);
            println!("{line}");
            writeln!(table, "{line}")?;
        }
    }
    print!("\n{table}");
    if wrong > 0 {
        bail!("{wrong} verdicts were wrong");
    }
    Ok(())
}

impl Bug {
    fn is_planted(&self) -> bool {
        self.name != NONE.name
    }

    fn patch(&self) -> PathBuf {
        root().join("tests/planted").join(self.name).with_extension("patch")
    }
}

/// A test, the first line of its failure if it failed, and how long it took in seconds.
type Seen = (&'static str, Option<String>, f64);

/// The copy of the clone that bugs are planted in.
struct Copy {
    folder: PathBuf,
}

impl Copy {
    /// Copies the files of the clone that have changed, uncommitted changes included. Earlier build output
    /// and the times of other files stay, so that cargo builds no more than it must.
    fn of_clone() -> Result<Self> {
        let copy = Self { folder: target_directory().join("planted") };
        let mut wanted = BTreeSet::new();
        let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let listed = Command::new("git").args(list).current_dir(root()).output();
        let listed = listed.context("cannot run git")?;
        for name in String::from_utf8(listed.stdout)?.split_terminator('\0') {
            let (from, to) = (root().join(name), copy.folder.join(name));
            // A file that was removed without a commit is still listed.
            let Ok(text) = fs::read(&from) else { continue };
            if fs::read(&to).ok().as_ref() != Some(&text) {
                fs::create_dir_all(to.parent().context("a file has a folder")?)?;
                fs::copy(&from, &to)?;
            }
            wanted.insert(to);
        }
        if wanted.is_empty() {
            bail!("this has to run in a clone made by git");
        }
        remove_others(&copy.folder, &wanted)?;
        copy.borrow_dependencies()?;
        Ok(copy)
    }

    /// Builds with the bug and runs its tests.
    fn failures_with(&self, bug: &Bug, jars: &Path) -> Result<Vec<Seen>> {
        if bug.is_planted() {
            self.apply(bug, &[])?;
        }
        let outcome = self.build(bug).and_then(|programs| self.test(bug, &programs, jars));
        // Also after a failure. After a kill, the next run restores the files.
        if bug.is_planted() {
            self.apply(bug, &["--reverse"])?;
        }
        outcome
    }

    fn apply(&self, bug: &Bug, options: &[&str]) -> Result<()> {
        let mut git = Command::new("git");
        git.arg("apply").args(options).arg(bug.patch()).current_dir(&self.folder);
        // The copy is not a repository, and git must not find the one around it.
        git.env("GIT_CEILING_DIRECTORIES", self.folder.parent().unwrap_or(&self.folder));
        run_command(&mut git).with_context(|| {
            format!("the patch {} has to be brought up to date", bug.patch().display())
        })
    }

    /// Builds components, binaries and the bug's tests; returns the paths of the test programs.
    fn build(&self, bug: &Bug) -> Result<Vec<PathBuf>> {
        run_command(self.here(&mut artifact::component_build()?))?;
        let mut programs =
            native(["build", "--release", "--message-format=json-render-diagnostics"]);
        programs.args(BINARIES.iter().flat_map(|binary| ["--bin", binary]));
        programs.args(bug.tests.iter().flat_map(|test| ["--test", test]));
        let output = self.here(&mut programs).stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            bail!("the copy in {} cannot be built", self.folder.display());
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        let paths = messages.lines().filter_map(|line| {
            let (_, rest) = line.split_once(r#""executable":""#)?;
            Some(PathBuf::from(rest.split_once('"')?.0))
        });
        Ok(paths.collect())
    }

    fn test(&self, bug: &Bug, programs: &[PathBuf], jars: &Path) -> Result<Vec<Seen>> {
        let mut seen = Vec::new();
        for &test in bug.tests {
            // Its file is named NAME-HASH.
            let is_it = |path: &&PathBuf| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.rsplit_once('-').is_some_and(|(name, _)| name == test)
            };
            let program = programs.iter().find(is_it);
            let program = program.with_context(|| format!("there is no test {test}"))?;
            let start = Instant::now();
            let mut command = Command::new(program);
            let output = command.arg(FILTER).env(kafka::KAFKA_VARIABLE, jars).output()?;
            let log = log(&output);
            fs::write(self.folder.join(format!("{}.{test}.log", bug.name)), &log)?;
            let failure = (!output.status.success()).then(|| failure(&log));
            seen.push((test, failure, start.elapsed().as_secs_f64()));
        }
        Ok(seen)
    }

    /// Runs a cargo command in the copy instead of the clone.
    fn here<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.current_dir(&self.folder).env_remove("CARGO_TARGET_DIR")
    }

    /// Reuses the dependencies that the clone has built, so that only the workspace is compiled.
    fn borrow_dependencies(&self) -> Result<()> {
        let (from, to) = (target_directory(), self.folder.join("target"));
        if to.is_dir() || !from.join("release").is_dir() {
            return Ok(());
        }
        println!("borrowing built dependencies from {}", from.display());
        let own: Vec<_> = artifact::packages()?.into_iter().map(|(_, name)| name).collect();
        let is_foreign = |name: &str| {
            let name = name.trim_start_matches("lib").replace('_', "-");
            !own.iter().any(|package| name.starts_with(package.as_str()))
        };
        for built in BUILT {
            for part in [".fingerprint", "build", "deps"] {
                let folder = Path::new(built).join(part);
                let Ok(entries) = fs::read_dir(from.join(&folder)) else { continue };
                for entry in entries {
                    let name = entry?.file_name();
                    let name_text = name.to_string_lossy();
                    // Everything else in `deps` belongs to the workspace or is stale.
                    let is_library = part != "deps" || name_text.starts_with("lib");
                    if is_library && is_foreign(&name_text) {
                        let path = folder.join(&name);
                        borrow(&from.join(&path), &to.join(&path), part == "deps")?;
                    }
                }
            }
        }
        // The tests find the folder of the built programs by this file.
        fs::copy(from.join("CACHEDIR.TAG"), to.join("CACHEDIR.TAG"))?;
        Ok(())
    }
}

/// Takes a file, or all in a folder. Libraries are hard links, because cargo replaces them and never writes
/// into them; cargo's records are copies of the same age, because it does write into those.
fn borrow(from: &Path, to: &Path, by_link: bool) -> io::Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            borrow(&from.join(&name), &to.join(&name), by_link)?;
        }
        return Ok(());
    }
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    if by_link {
        return fs::hard_link(from, to);
    }
    fs::copy(from, to)?;
    let age = fs::metadata(from)?.modified()?;
    fs::File::options().write(true).open(to)?.set_modified(age)
}

/// Removes every file below a folder that is not `wanted`, except build output.
fn remove_others(folder: &Path, wanted: &BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target") {
                remove_others(&path, wanted)?;
            }
        } else if !wanted.contains(&path) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn log(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The line that follows the first `thread … panicked at …:`.
fn failure(log: &str) -> String {
    let mut lines = log.lines().skip_while(|line| !line.contains("panicked at"));
    lines.nth(1).unwrap_or("fails, see its log").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_failure_is_found() {
        let log = "running 1 test\n\nthread 'kill' (7) panicked at tests/end_to_end/kill.rs:1:2:\nlost: 7\nnote";
        assert_eq!(failure(log), "lost: 7");
        assert_eq!(failure("error: linking"), "fails, see its log");
    }

    #[test]
    fn every_bug_has_a_patch_and_every_patch_a_bug() {
        let folder = root().join("tests/planted");
        let patches = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let patches: BTreeSet<_> = patches.collect();
        assert_eq!(patches, BUGS.iter().map(Bug::patch).collect());
    }
}
