//! What runs on the node beside the pods: Postgres, Kafka, Prometheus.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::super::{FOLDER, input, output};
use super::load::ask;
use super::machine::{ADDRESS, background, processes, sh, spawn, wait};
use crate::cargo::root;
use crate::kafka::KAFKA_VARIABLE;
use crate::service::Service;

const POSTGRES_FOLDER: &str = "/var/lib/postgres";
const BROKER_SETTINGS: &str = "/run/rondo/broker.properties";
/// Kafka's form of a cluster id: 16 bytes in base64url.
const BROKER_ID: &str = "cm9uZG8tbm9kZS1rYWZrYQ";
const JVM_OPTIONS: [&str; 3] = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// Where Prometheus answers.
pub const PROMETHEUS: &str = "127.0.0.1:9090";

/// Postgres and a broker, each of which can be away.
pub struct Beside {
    postgres: Option<Service>,
}

impl Beside {
    pub fn start() -> Result<Self> {
        let mut beside = Self { postgres: None };
        beside.start_postgres()?;
        let format = ["format", "--standalone", "-t", BROKER_ID, "-c", BROKER_SETTINGS];
        output(java().arg("kafka.tools.StorageTool").args(format))?;
        start_broker()?;
        Ok(beside)
    }

    /// The connection string of the superuser, from pods.
    pub fn postgres_url(&self) -> Result<String> {
        let service = self.postgres.as_ref().context("Postgres is away")?;
        // What follows it is for this machine.
        let url = service.address.split('?').next().unwrap_or_default();
        let address = url.split('@').nth(1).and_then(|rest| rest.split('/').next());
        let address = address.with_context(|| "Postgres has no address")?;
        Ok(url.replace(address, "postgres:5432"))
    }

    pub fn kill_postgres(&mut self) -> Result<()> {
        let file = Path::new(POSTGRES_FOLDER).join("postgres/postmaster.pid");
        let file = fs::read_to_string(file)?;
        sh(&format!("kill -9 {}", file.lines().next().unwrap_or_default()))?;
        self.postgres = None;
        Ok(())
    }

    /// Postgres answers when this returns.
    pub fn start_postgres(&mut self) -> Result<()> {
        wait("Postgres starts", || {
            self.postgres = Some(Service::postgres_at(Path::new(POSTGRES_FOLDER), ADDRESS)?);
            Ok(())
        })
    }
}

pub fn kill_broker() -> Result<()> {
    let found = processes(&["java"])?;
    ensure!(found.len() == 1, "brokers: {found:?}");
    sh(&format!("kill -9 {}", found[0])).map(drop)
}

/// The broker answers when this returns.
pub fn start_broker() -> Result<()> {
    spawn(java().args(["kafka.Kafka", BROKER_SETTINGS]), "kafka")?;
    wait("the broker answers", || {
        std::net::TcpStream::connect((ADDRESS, 9092)).map(drop).context("no connection")
    })
}

fn java() -> Command {
    let jars = PathBuf::from(std::env::var_os(KAFKA_VARIABLE).unwrap_or_default());
    let mut java = Command::new("java");
    java.args(JVM_OPTIONS).arg("-cp").arg(jars.join("*"));
    java
}

/// Tells Prometheus which pods there are.
pub fn targets(pods: &str) -> Result<()> {
    let program = root().join(FOLDER).join("node/target.jq");
    let targets = input(Command::new("jq").arg("--from-file").arg(program), pods)?;
    // It must not read a part of it.
    fs::write("/run/rondo/target.json.new", targets)?;
    Ok(fs::rename("/run/rondo/target.json.new", "/run/rondo/target.json")?)
}

/// Starts Prometheus with the rules of a PrometheusRule's specification.
pub fn start_prometheus(rules: &str) -> Result<()> {
    fs::write("/run/rondo/rule.json", rules)?;
    let listen = format!("--web.listen-address={PROMETHEUS}");
    let options = [
        "--config.file=/run/rondo/prometheus.yaml",
        "--storage.tsdb.path=/var/lib/prometheus",
        &listen,
    ];
    background("prometheus", &options)?;
    wait("Prometheus answers", || query("up").map(drop))
}

/// The answer of Prometheus to a query, as JSON.
pub fn query(expression: &str) -> Result<String> {
    let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let path = format!("/api/v1/query?query={encoded}");
    Ok(ask(PROMETHEUS.parse()?, "GET", &path, "none", None)?.body)
}

/// Whether an alert is pending or firing.
pub fn alert(name: &str) -> Result<Option<&'static str>> {
    let answer = query(&format!("ALERTS{{alertname=\"{name}\"}}"))?;
    let is = |state: &str| answer.contains(&format!("\"alertstate\":\"{state}\""));
    Ok(if is("firing") {
        Some("firing")
    } else if is("pending") {
        Some("pending")
    } else {
        None
    })
}
