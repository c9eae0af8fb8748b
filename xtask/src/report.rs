//! The summary of `cargo xtask test`.

use std::collections::VecDeque;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::ops::Add;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cargo::shown;

/// How a part ended.
pub enum Outcome {
    Passed,
    Tested(TestCount),
    Failed,
}

/// Lines of a failed test that the summary repeats: its last, which say why.
const EXCERPT_LINES: usize = 30;

/// Sums of cargo's closing lines, one for each test program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TestCount {
    pub passed: u32,
    pub failed: u32,
    pub ignored: u32,
    /// The command failed. Without a failed test, it did not compile or it crashed.
    pub has_failed: bool,
    /// What failed tests printed last.
    excerpts: Vec<VecDeque<String>>,
}

impl TestCount {
    /// Runs a `cargo test` command, passes its output on as it comes, and counts.
    pub fn of(command: &mut Command) -> Result<Self> {
        let shown = shown(command);
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run `{shown}`"))?;
        let mut count = Self::default();
        let mut excerpt = None;
        if let Some(output) = child.stdout.take() {
            for line in BufReader::new(output).split(b'\n') {
                let line = line?;
                let line = String::from_utf8_lossy(&line);
                println!("{line}");
                count = count + Self::of_line(&line);
                if let Some(ended) = excerpt_of(&mut excerpt, &line) {
                    count.excerpts.push(ended);
                }
            }
        }
        let status = child.wait()?;
        if !status.success() {
            count.has_failed = true;
            // When nothing ran, the counts do not tell why.
            println!("`{shown}` ended with {status}");
        }
        Ok(count)
    }

    /// Reads `test result: ok. 12 passed; 0 failed; 1 ignored; …`; any other line counts nothing.
    fn of_line(line: &str) -> Self {
        let mut count = Self::default();
        let Some((verdict, numbers)) =
            line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return count;
        };
        count.has_failed = verdict != "ok";
        for item in numbers.split("; ") {
            match item.split_once(' ') {
                Some((number, "passed")) => count.passed = number.parse().unwrap_or(0),
                Some((number, "failed")) => count.failed = number.parse().unwrap_or(0),
                Some((number, "ignored")) => count.ignored = number.parse().unwrap_or(0),
                _ => {}
            }
        }
        count
    }
}

/// Follows the output of a test program, which repeats what each failed test printed: from `---- name stdout ----` to the
/// next such line or to the list of names. Answers an excerpt that has ended.
fn excerpt_of(open: &mut Option<VecDeque<String>>, line: &str) -> Option<VecDeque<String>> {
    let is_first = line.starts_with("---- ") && line.ends_with(" ----");
    if is_first || line == "failures:" {
        let next = is_first.then(|| VecDeque::from([line.to_owned()]));
        return std::mem::replace(open, next);
    }
    // A program's log says little about the failure.
    let is_log = line.starts_with("{\"") && line.ends_with('}');
    if let Some(lines) = open.as_mut().filter(|_| !is_log) {
        if lines.len() > EXCERPT_LINES {
            // The first line names the test.
            lines.remove(1);
        }
        lines.push_back(line.to_owned());
    }
    None
}

impl Add for TestCount {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self.excerpts.extend(other.excerpts);
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            ignored: self.ignored + other.ignored,
            has_failed: self.has_failed || other.has_failed,
            excerpts: self.excerpts,
        }
    }
}

/// Every part that ran, in order.
#[derive(Default)]
pub struct Report {
    parts: Vec<(&'static str, Outcome, Duration)>,
}

impl Report {
    pub fn add(&mut self, name: &'static str, outcome: Outcome, took: Duration) {
        self.parts.push((name, outcome, took));
    }

    pub fn has_failed(&self) -> bool {
        self.parts.iter().any(|(_, outcome, _)| outcome.has_failed())
    }
}

impl Outcome {
    fn has_failed(&self) -> bool {
        match self {
            Self::Passed => false,
            Self::Tested(count) => count.has_failed,
            Self::Failed => true,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut total = TestCount::default();
        for (name, outcome, took) in &self.parts {
            let verdict = if outcome.has_failed() { "FAILED" } else { "ok" };
            let detail = match outcome {
                Outcome::Passed | Outcome::Failed => String::new(),
                Outcome::Tested(count) => {
                    total = total + count.clone();
                    format!(
                        "{} passed, {} failed, {} ignored",
                        count.passed, count.failed, count.ignored
                    )
                }
            };
            writeln!(f, "{name:<12} {verdict:<6} {:>7.1} s  {detail}", took.as_secs_f64())?;
        }
        for line in total.excerpts.iter().flatten() {
            writeln!(f, "{line}")?;
        }
        writeln!(
            f,
            "all tests: {} passed, {} failed, {} ignored",
            total.passed, total.failed, total.ignored
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 9 filtered out; \
                    finished in 0.01s";
        let expected = TestCount {
            passed: 12,
            failed: 3,
            ignored: 1,
            has_failed: true,
            ..TestCount::default()
        };
        assert_eq!(TestCount::of_line(line), expected);
        assert_eq!(TestCount::of_line("test result_is_kept ... ok"), TestCount::default());
    }

    #[test]
    fn the_last_lines_of_a_failed_test_are_kept() {
        let printed: Vec<_> = (0..100).map(|n| n.to_string()).collect();
        let lines = ["failures:", "", "---- one stdout ----", "why"].into_iter();
        let lines = lines.chain(["---- two stdout ----"]).chain(printed.iter().map(String::as_str));
        let mut open = None;
        let found: Vec<_> = lines
            .chain(["failures:", "    one"])
            .filter_map(|l| excerpt_of(&mut open, l))
            .collect();
        assert_eq!(found[0], ["---- one stdout ----", "why"]);
        assert_eq!(found[1].len(), EXCERPT_LINES + 1);
        assert_eq!(found[1].front().unwrap(), "---- two stdout ----");
        assert_eq!(found[1].back().unwrap(), "99");
    }
}
