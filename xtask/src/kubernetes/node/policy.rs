//! NetworkPolicies, enforced by rules that xtask/kubernetes/node/policy.jq makes of them: no network plugin that does
//! so runs without a registry.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Result, ensure};

use super::super::cluster::Cluster;
use super::super::{FOLDER, input, output};
use super::NAMESPACE;
use super::machine::{ADDRESS, sh};
use crate::cargo::root;

/// From whom connections are tried: a workload or a stranger, and its namespace.
const SOURCES: [(&str, &str); 6] = [
    ("components", NAMESPACE),
    ("bridge", NAMESPACE),
    ("sync", NAMESPACE),
    ("stranger", NAMESPACE),
    ("stranger", "traefik"),
    ("stranger", "monitoring"),
];

/// To whom: a workload (none is the node) and a port.
const GOALS: [(&str, u16); 7] = [
    ("", 5432),
    ("", 9092),
    ("components", 8080),
    ("components", 3011),
    ("bridge", 3001),
    ("sync", 3002),
    ("sync", 3010),
];

/// Whether each source may reach each goal.
const EXPECTED: [[bool; 7]; 6] = {
    const Y: bool = true;
    const N: bool = false;
    [
        // Postgres, Kafka; components: requests, metrics; bridge; live sync: devices, metrics
        [Y, N, N, N, N, N, N],
        [Y, Y, Y, N, N, N, N],
        [Y, Y, N, N, N, N, N],
        [Y, Y, N, N, N, N, N],
        [Y, Y, Y, N, N, Y, N],
        [Y, Y, N, Y, Y, N, Y],
    ]
};

/// Pods that only sleep, one in each namespace of [`SOURCES`].
pub fn strangers(cluster: &Cluster) -> Result<()> {
    for namespace in ["traefik", "monitoring"] {
        cluster.run(&format!("kubectl create namespace {namespace}"))?;
    }
    for (_, namespace) in SOURCES.iter().filter(|(name, _)| *name == "stranger") {
        cluster.run(&format!("kubectl create -n {namespace} -f /run/rondo/stranger.yaml"))?;
        let wait = "kubectl wait --for=condition=Ready --timeout=60s pod/stranger";
        cluster.run(&format!("{wait} -n {namespace}"))?;
    }
    Ok(())
}

/// Which goals each source reaches.
pub fn reached(cluster: &Cluster) -> Result<Vec<Vec<bool>>> {
    let mut goals = Vec::new();
    for (name, port) in GOALS {
        let address = match name {
            "" => ADDRESS.to_string(),
            // Not the pod that connects: it may always reach itself.
            _ => pod(cluster, name, NAMESPACE, 1)?.0,
        };
        goals.push((address, port));
    }
    let mut rows = Vec::new();
    for (name, namespace) in SOURCES {
        let process = process(&pod(cluster, name, namespace, 0)?.1)?;
        // All at once, because a dropped connection takes as long as the limit.
        let tries = goals.iter().map(|(address, port)| {
            let script = format!("exec 3<>/dev/tcp/{address}/{port}");
            let mut command = Command::new("nsenter");
            command.args(["--net", "--target", &process, "timeout", "2", "bash", "-c", &script]);
            thread::spawn(move || command.output().is_ok_and(|output| output.status.success()))
        });
        let tries: Vec<_> = tries.collect();
        rows.push(tries.into_iter().map(|found| found.join().unwrap_or(false)).collect());
    }
    Ok(rows)
}

/// Address and uid of one of the running pods of a workload, or of strangers.
fn pod(cluster: &Cluster, name: &str, namespace: &str, number: usize) -> Result<(String, String)> {
    let label = if name == "stranger" { "app" } else { "app.kubernetes.io/component" };
    let found = cluster.run(&format!(
        "kubectl get pods -n {namespace} --selector={label}={name} --field-selector=status.phase=Running \
         -o=jsonpath={{.items[{number}].status.podIP}}/{{.items[{number}].metadata.uid}}"
    ))?;
    let (address, uid) = found.split_once('/').unwrap_or_default();
    ensure!(!address.is_empty(), "no pod {number} of {name} in {namespace}");
    Ok((address.to_owned(), uid.to_owned()))
}

/// A process of a pod.
fn process(uid: &str) -> Result<String> {
    let script = format!("grep -ls {uid} /proc/[0-9]*/cgroup | head -n 1 | cut -d/ -f3");
    let found = output(Command::new("sh").args(["-c", &script]))?;
    ensure!(!found.trim().is_empty(), "no process of pod {uid}");
    Ok(found.trim().to_owned())
}

pub fn expected() -> Vec<Vec<bool>> {
    EXPECTED.iter().map(|row| row.to_vec()).collect()
}

pub fn none() -> Vec<Vec<bool>> {
    vec![vec![true; GOALS.len()]; SOURCES.len()]
}

/// Enforces what the policies demand of the pods that there are.
fn enforce(cluster: &Cluster) -> Result<()> {
    let all = cluster.run("kubectl get pods,namespaces,networkpolicies -A -o=json")?;
    let program = root().join(FOLDER).join("node/policy.jq");
    let rules =
        input(Command::new("jq").arg("--raw-output").arg("--from-file").arg(program), &all)?;
    input(Command::new("nft").args(["-f", "-"]), &rules).map(drop)
}

/// Enforces the policies while something runs, for new pods as well.
pub fn enforcing<T>(cluster: &Cluster, action: impl FnOnce() -> Result<T>) -> Result<T> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let enforcer = scope.spawn(|| -> Result<()> {
            while !is_over.load(Ordering::Relaxed) {
                enforce(cluster)?;
                thread::sleep(super::POLL);
            }
            lift()
        });
        let outcome = action();
        is_over.store(true, Ordering::Relaxed);
        enforcer.join().unwrap_or(Ok(()))?;
        outcome
    })
}

/// Lifts all rules.
fn lift() -> Result<()> {
    sh("nft delete table inet restrict").map(drop)
}
