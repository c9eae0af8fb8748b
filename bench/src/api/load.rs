//! A run of the load program against one server, and the processor time that it cost.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::process::Command;

use super::plan::Plan;
use super::processor;
use super::stage::{Server, Stage, load_program};

/// See the load program.
#[derive(Clone, Copy)]
pub enum Pace {
    Saturate { connections: usize },
    Users { count: usize, think: Duration },
}

pub struct Load<'a> {
    pub plan: &'a Plan,
    pub pace: Pace,
    pub seconds: u64,
}

impl Load<'_> {
    /// The load program's report, processor milliseconds of server and Postgres for each answer, and
    /// the share of the machine's processors that others took.
    ///
    /// # Errors
    /// When the load program fails.
    pub async fn run(&self, stage: &Stage, server: &Server) -> anyhow::Result<Value> {
        let path = stage.folder.path().join("plan.json");
        std::fs::write(&path, self.plan.to_json().to_string())?;
        let mut command = Command::new(load_program()?);
        command.arg(&path).arg(server.address.to_string());
        match self.pace {
            Pace::Saturate { connections } => command.args(["saturate", &connections.to_string()]),
            Pace::Users { count, think } => {
                command.args(["users", &count.to_string(), &think.as_millis().to_string()])
            }
        };
        command.arg(self.seconds.to_string()).stderr(Stdio::inherit()).kill_on_drop(true);
        let processes = [server.process.pid(), stage.postmaster().await?];
        let used = || -> anyhow::Result<[f64; 2]> {
            Ok([processor::seconds(processes[0])?, processor::seconds(processes[1])?])
        };
        let before = used()?;
        let machine = processor::Machine::read()?;
        let output = command.output().await?;
        let after = used()?;
        let stolen = machine.stolen_since()?;
        ensure!(output.status.success(), "the load program failed on {}", server.name);
        let mut report: Value = serde_json::from_slice(&output.stdout).context("its report")?;
        let answered = report["answered"].as_f64().unwrap_or(0.0).max(1.0);
        let each = |index: usize| (after[index] - before[index]) * 1e3 / answered;
        report["stolen"] = stolen.into();
        report["processor_ms"] = json!({
            "server": each(0), "postgres": each(1),
            "load": report["processor_s"].as_f64().unwrap_or(0.0) * 1e3 / answered,
        });
        Ok(report)
    }
}

/// # Errors
/// When a request got no good answer: then the rate says nothing.
pub fn ensure_no_failures(report: &Value, server: &Server) -> anyhow::Result<()> {
    let failures = report["failures"].as_object().is_none_or(|failures| !failures.is_empty());
    ensure!(!failures, "{}: {}\n{}", server.name, report["failures"], server.said());
    Ok(())
}
