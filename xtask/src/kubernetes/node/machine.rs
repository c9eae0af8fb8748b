//! The machine in the namespaces: mounts, network, container runtime, kubelet and kube-proxy.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};

use super::super::cluster::{self, Cluster};
use super::super::{FOLDER, output};
use super::{RELEASES, name, settings};
use crate::cargo::{root, target_directory};

/// The node's address, as the files of xtask/kubernetes/node have it.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// Where the temporary folder is mounted, as these files have it.
pub const MOUNT: &str = "/run/rondo";
/// What images are called, as `k8s/chart/values/local.yaml` has it.
pub const REPOSITORY: &str = "localhost:5000/rondo";

/// Prints the last lines of the programs' logs.
pub fn logs() {
    for name in ["kubelet", "containerd", "kube-proxy", "kafka", "prometheus"] {
        let log = fs::read(Path::new(MOUNT).join(format!("{name}.log"))).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<_> = text.lines().collect();
        println!("{name}:\n{}", lines[lines.len().saturating_sub(15)..].join("\n"));
    }
}

/// Gives the namespaces folders, settings and a network of their own.
pub fn prepare(folder: &Path) -> Result<()> {
    let group = name(folder);
    for name in ["lib", "network", "plugin", "sysctl"] {
        fs::create_dir(folder.join(name))?;
    }
    sh(&format!("mount --bind {} /var/lib", folder.join("lib").display()))?;
    sh("mount -t tmpfs tmpfs /var/log")?;
    for (path, value) in settings() {
        let file = folder.join("sysctl").join(path.file_name().unwrap_or_default());
        fs::write(&file, value)?;
        sh(&format!("mount --bind {} {}", file.display(), path.display()))?;
    }
    sh("mount -t tmpfs tmpfs /run")?;
    fs::create_dir(MOUNT)?;
    sh(&format!("mount --bind {} {MOUNT}", folder.display()))?;

    let source = root().join(FOLDER).join("node");
    for entry in fs::read_dir(source)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        let text = fs::read_to_string(&path)?.replace("CGROUP", &group);
        fs::write(Path::new(MOUNT).join(name), text)?;
    }
    let network = Path::new(MOUNT).join("network.conflist");
    fs::rename(network, Path::new(MOUNT).join("network/network.conflist"))?;
    fs::write(Path::new(MOUNT).join("resolv.conf"), "")?;

    sh("ip link set lo up")?;
    sh("ip link add node type veth peer name wire")?;
    sh(&format!("ip address add {ADDRESS}/24 dev node"))?;
    sh("ip link set node up")?;
    sh("ip link set wire up")?;
    // The API server and kubelet want one; it leads nowhere.
    sh("ip route add default via 10.99.0.2 dev node").map(drop)
}

/// Starts the container runtime, and gives it the images.
pub fn images() -> Result<String> {
    background("containerd", &["--config", "/run/rondo/containerd.toml"])?;
    wait("containerd answers", || sh("ctr version").map(drop))?;
    let layouts = target_directory().join("cluster");
    for name in RELEASES.iter().chain(&["pause"]) {
        let layout = layouts.join(name);
        // Container images have a platform; a Spin application and documents have none.
        let index = output(
            Command::new("jq")
                .args(["-c", ".manifests |= map(select(.platform))"])
                .arg(layout.join("index.json")),
        )?;
        let folder = Path::new(MOUNT).join(format!("image-{name}"));
        fs::create_dir(&folder)?;
        fs::write(folder.join("index.json"), index)?;
        let archive = format!(
            "tar -c -C {} oci-layout blobs -C {} index.json",
            layout.display(),
            folder.display()
        );
        let import = format!("ctr -n k8s.io images import --digests --base-name {REPOSITORY} -");
        output(Command::new("sh").args(["-c", &format!("{archive} | {import}")]))?;
    }
    Ok(String::new())
}

/// The digest of an image in a release.
pub fn digest(release: &str, image: &str) -> Result<String> {
    let filter = format!(
        ".manifests[] | select(.annotations.\"org.opencontainers.image.ref.name\" == \"{image}\").digest"
    );
    let index = target_directory().join("cluster").join(release).join("index.json");
    Ok(output(Command::new("jq").args(["-r", &filter]).arg(index))?.trim().to_owned())
}

/// Starts kubelet, kube-proxy and the name server, and waits until the node is ready.
pub fn node(cluster: &mut Cluster) -> Result<String> {
    // A container finds no link's target.
    fs::copy(cluster::node_program()?, cluster.path("bin/dns"))?;
    for name in ["kubelet", "kube-proxy"] {
        cluster.link(name, Path::new("dns"))?;
    }
    let kubeconfig = format!("--kubeconfig={}", cluster.shown("kubeconfig"));
    let ip = format!("--node-ip={ADDRESS}");
    let options =
        ["--config=/run/rondo/kubelet.yaml", "--hostname-override=node", &ip, &kubeconfig];
    cluster.spawn("kubelet", &options)?;
    cluster.spawn("kube-proxy", &["--config=/run/rondo/proxy.yaml"])?;
    let mut ready = cluster.command("kubectl");
    ready.args(["wait", "--for=condition=Ready", "--timeout=5s", "node/node"]);
    cluster.wait("the node is ready", ready)?;
    cluster.run("kubectl apply -f /run/rondo/dns.yaml")?;
    cluster.run("kubectl rollout status deployment/dns -n kube-system --timeout=60s")?;
    Ok(String::new())
}

/// The ids of processes in the namespaces whose command line begins with these words.
pub fn processes(words: &[&str]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let line = fs::read_to_string(PathBuf::from("/proc").join(&name).join("cmdline"));
        let is_it = line.is_ok_and(|line| {
            line.split('\0').zip(words).filter(|(a, b)| a == *b).count() == words.len()
        });
        if name.parse::<u32>().is_ok() && is_it {
            found.push(name);
        }
    }
    Ok(found)
}

/// Starts a program that runs until the namespaces end, with a log of its name.
pub fn background(name: &str, arguments: &[&str]) -> Result<()> {
    spawn(Command::new(name).args(arguments), name)
}

/// The same for a command.
pub fn spawn(command: &mut Command, name: &str) -> Result<()> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(Path::new(MOUNT).join(format!("{name}.log")))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.spawn().with_context(|| format!("cannot run {name}")).map(drop)
}

/// The output of a command line of the machine, whose words have no spaces.
pub fn sh(line: &str) -> Result<String> {
    let mut words = line.split_whitespace();
    output(Command::new(words.next().unwrap_or_default()).args(words))
}

/// Repeats a check until it succeeds.
pub fn wait(condition: &str, check: impl FnMut() -> Result<()>) -> Result<()> {
    within(120, condition, check)
}

/// The same within a number of seconds.
pub fn within(seconds: u64, condition: &str, mut check: impl FnMut() -> Result<()>) -> Result<()> {
    let start = Instant::now();
    while let Err(error) = check() {
        if start.elapsed().as_secs() >= seconds {
            return Err(error.context(format!("not within {seconds} s: {condition}")));
        }
        std::thread::sleep(super::POLL);
    }
    Ok(())
}
