//! Services that tests share. A small program of testkit starts them, prints one line with their address,
//! and stops when its standard input closes, so nothing is left running however this process ends.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::artifact;
use crate::cargo::{run, shown};
use crate::kafka as jars;

/// Tells the test programs (testkit) where the shared Postgres is.
pub const POSTGRES_VARIABLE: &str = "RONDO_TEST_POSTGRES";

/// The program of testkit that runs a service.
const TEST_SERVICE: &str = "test-service";

/// A service that runs until this is dropped.
pub struct Service {
    /// The line that the service printed. It may contain a password.
    pub address: String,
    input: Option<ChildStdin>,
    child: Child,
}

impl Service {
    /// Starts the Postgres that all test programs of one run share.
    pub fn postgres() -> Result<Self> {
        Self::start(&mut program("postgres")?)
    }

    /// Starts a Postgres that keeps its data in a folder, at port 5432 of an address. The program must have been built.
    pub fn postgres_at(folder: &Path, address: Ipv4Addr) -> Result<Self> {
        let mut command = Command::new(artifact::binary(TEST_SERVICE));
        Self::start(command.arg("postgres").arg(folder).arg(address.to_string()))
    }

    fn start(command: &mut Command) -> Result<Self> {
        let shown = shown(command);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run `{shown}`"))?;
        let input = child.stdin.take();
        let mut address = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut address)?;
        }
        let service = Self { address: address.trim().to_owned(), input, child };
        if service.address.is_empty() {
            bail!("`{shown}` did not start; its message is above");
        }
        Ok(service)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// `cargo xtask postgres`: runs until standard input closes or Ctrl-C.
pub fn postgres(arguments: &[String]) -> Result<()> {
    run(program("postgres")?.args(arguments))
}

/// `cargo xtask kafka`: runs until standard input closes or Ctrl-C.
pub fn kafka(arguments: &[String]) -> Result<()> {
    let folder = jars::fetched()?;
    run(program("kafka")?.args(arguments).env(jars::KAFKA_VARIABLE, folder))
}

/// Builds testkit's program.
pub fn build() -> Result<()> {
    artifact::build_native(&[TEST_SERVICE])
}

/// Builds testkit's program and names the service for it to run.
fn program(service: &str) -> Result<Command> {
    build()?;
    let mut command = Command::new(artifact::binary(TEST_SERVICE));
    command.arg(service);
    Ok(command)
}
