//! The summary of `cargo xtask test`.

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

/// Sums of cargo's closing lines, one for each test program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TestCount {
    pub passed: u32,
    pub failed: u32,
    pub ignored: u32,
    /// The command failed. Without a failed test, it did not compile or it crashed.
    pub has_failed: bool,
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
        if let Some(output) = child.stdout.take() {
            for line in BufReader::new(output).split(b'\n') {
                let line = line?;
                let line = String::from_utf8_lossy(&line);
                println!("{line}");
                count = count + Self::of_line(&line);
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

impl Add for TestCount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            ignored: self.ignored + other.ignored,
            has_failed: self.has_failed || other.has_failed,
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
                    total = total + *count;
                    format!(
                        "{} passed, {} failed, {} ignored",
                        count.passed, count.failed, count.ignored
                    )
                }
            };
            writeln!(f, "{name:<12} {verdict:<6} {:>7.1} s  {detail}", took.as_secs_f64())?;
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
        let expected = TestCount { passed: 12, failed: 3, ignored: 1, has_failed: true };
        assert_eq!(TestCount::of_line(line), expected);
        assert_eq!(TestCount::of_line("test result_is_kept ... ok"), TestCount::default());
    }
}
