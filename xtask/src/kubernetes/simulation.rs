//! Nodes that kwok simulates: pods start and end, but run nothing.

use std::fs;

use anyhow::Result;

use super::cluster::{Cluster, free_port};
use super::{FOLDER, output};
use crate::cargo::root;

/// Starts kwok, and waits for its two nodes.
pub fn start(cluster: &mut Cluster) -> Result<()> {
    let source = root().join(FOLDER).join("cluster");
    let log = cluster.path("pod.log");
    // As a container runtime writes it.
    fs::write(&log, "2026-01-01T00:00:00Z stdout F simulated\n")?;
    let simulation = fs::read_to_string(source.join("simulation.yaml"))?;
    let simulation = simulation.replace("LOG_FILE", &log.display().to_string());
    fs::write(cluster.path("simulation.yaml"), simulation)?;
    let port = free_port()?;
    cluster.spawn(
        "kwok",
        &[
            &format!("--kubeconfig={}", cluster.shown("kubeconfig")),
            &format!("--config={}", cluster.shown("simulation.yaml")),
            "--manage-all-nodes=true",
            // Without leases, the nodes are taken for dead after 50 s.
            "--node-lease-duration-seconds=40",
            "--node-ip=127.0.0.1",
            &format!("--node-port={port}"),
            &format!("--server-address=127.0.0.1:{port}"),
        ],
    )?;
    output(cluster.command("kubectl").args(["apply", "-f"]).arg(source.join("node.yaml")))?;
    let mut ready = cluster.command("kubectl");
    ready.args(["wait", "--for=condition=Ready", "--timeout=5s", "nodes", "--all"]);
    cluster.wait("the nodes are ready", ready)
}
