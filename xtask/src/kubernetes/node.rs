//! `cargo xtask cluster`: the chart on one real node. The node (kubelet, containerd, runc, kube-proxy), the control
//! plane, Postgres, Kafka and Prometheus run in namespaces of their own: processes, mounts and network.
//!
//! Three processes of this program take part. The first builds everything and starts the second, the keeper, which
//! starts the third as the first process of the namespaces. When the third ends, the kernel ends every process there.
//! When the first ends, however it does, the keeper ends the third. The keeper then removes what outlives processes:
//! control groups and a temporary folder.

mod beside;
mod load;
mod machine;
mod policy;
mod trial;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::cluster::{self, Cluster, Folder};
use super::output;
use crate::cargo::{is_installed, target_directory};
use crate::{image, kafka, service};

/// Hidden arguments of the second and the third process.
const KEEPER: &str = "--keeper";
const INSIDE: &str = "--inside";

/// Programs, an argument with which they do nothing, and their packages.
const PROGRAMS: [(&str, &str, &str); 9] = [
    ("containerd", "--version", "containerd"),
    ("runc", "--version", "runc"),
    ("nft", "--version", "nftables"),
    ("ip", "-V", "iproute2"),
    ("busybox", "--help", "busybox-static"),
    ("strip", "--version", "binutils"),
    ("prometheus", "--version", "prometheus"),
    ("jq", "--version", "jq"),
    ("openssl", "version", "openssl"),
];
const NETWORK_PLUGIN: (&str, &str) = ("/usr/lib/cni/ptp", "containernetworking-plugins");

/// Releases of the same programs, whose images differ.
const RELEASES: [&str; 2] = ["first", "second"];

/// Where the chart is installed, at level `restricted` (k8s/namespace.yaml).
const NAMESPACE: &str = "rondo-dev";

/// Settings of the whole machine that a kubelet changes. In the namespaces, they are files.
const SETTINGS: [&str; 6] = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
];

/// An API group whose definitions need an approval, so that ours cannot stand for them.
const PROTECTED: &str = "gateway.networking.k8s.io";

const POLL: Duration = Duration::from_millis(100);
/// How long the kernel may take to end processes.
const END_MAX: Duration = Duration::from_secs(60);

/// # Errors
/// What the machine lacks or refuses, or the first expectation that is not met.
pub fn run(arguments: &[String]) -> Result<()> {
    match arguments {
        [] => check(),
        [role, folder] if role == KEEPER => keep(Path::new(folder)),
        [role, folder] if role == INSIDE => inside(Path::new(folder)),
        _ => bail!("`cluster` takes no arguments"),
    }
}

/// Builds, starts the keeper, and checks what is left afterwards.
fn check() -> Result<()> {
    permitted()?;
    let folder = target_directory().join("cluster");
    fs::create_dir_all(&folder)?;
    image::write_releases(&folder, &RELEASES)?;
    service::build()?;
    super::helm()?;
    cluster::program()?;
    cluster::node_program()?;
    let jars = kafka::fetched()?;
    let definitions = output(&mut super::definitions(&[PROTECTED])?)?;

    let settings = settings();
    let temporary = Folder::new()?;
    fs::write(temporary.0.join("definition.yaml"), definitions)?;
    let mut keeper = Command::new(std::env::current_exe()?);
    keeper.args(["cluster", KEEPER]).arg(&temporary.0);
    keeper.env(kafka::KAFKA_VARIABLE, jars).stdin(Stdio::piped());
    // Ctrl-C ends this process, and the keeper notices.
    let mut keeper = keeper.process_group(0).spawn().context("cannot start the keeper")?;
    // Waiting would close it.
    let leash = keeper.stdin.take();
    let status = keeper.wait()?;
    drop(leash);
    ensure!(settings == self::settings(), "{settings:?} have become {:?}", self::settings());
    let left: Vec<_> = groups(&temporary.0)?.into_iter().filter(|path| path.exists()).collect();
    ensure!(left.is_empty() && !temporary.0.exists(), "{left:?} or {:?} is left", temporary.0);
    println!("nothing is left: no process, mount, control group or folder; sysctls are as before");
    ensure!(status.success(), "the checks on the node failed");
    Ok(())
}

/// Says what this machine lacks or refuses.
fn permitted() -> Result<()> {
    ensure!(cfg!(target_os = "linux"), "a node is a Linux machine");
    let user = output(Command::new("id").arg("-u"))?;
    ensure!(user.trim() == "0", "namespaces and control groups of a node need root");
    let missing =
        PROGRAMS.into_iter().filter(|(program, argument, _)| !is_installed(program, argument));
    let mut missing: Vec<_> = missing.map(|(_, _, package)| package).collect();
    let (plugin, package) = NETWORK_PLUGIN;
    if !Path::new(plugin).exists() {
        missing.push(package);
    }
    ensure!(
        missing.is_empty(),
        "these are missing (Debian: `apt-get install --no-install-recommends {0}`): {0}",
        missing.join(" ")
    );
    let attempts = ["mount -t tmpfs tmpfs /run", "ip link add node type veth peer name wire"];
    for attempt in attempts {
        let mut command = namespaces();
        command.args(attempt.split_whitespace());
        output(&mut command).context("this machine refuses the namespaces of a node")?;
    }
    Ok(())
}

/// A command in new namespaces. It and all its processes end with the one that starts it.
fn namespaces() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    command.args(["--propagation", "private"]);
    command
}

/// Runs the third process until it or the first ends, and cleans up.
fn keep(folder: &Path) -> Result<()> {
    let folder = Folder(folder.to_owned());
    let groups = Groups::new(&folder.0)?;
    let mut inside = namespaces();
    // The shell collects the processes whose parents have ended.
    inside.args(["sh", "-c", "\"$@\"; exit $?", "sh"]).arg(std::env::current_exe()?);
    inside.args(["cluster", INSIDE]).arg(&folder.0).stdin(Stdio::null());
    let mut inside = inside.spawn().context("cannot run unshare")?;
    let has_ended = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&has_ended);
    thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        flag.store(true, Ordering::Relaxed);
    });
    let status = loop {
        if let Some(status) = inside.try_wait()? {
            break status;
        }
        if has_ended.load(Ordering::Relaxed) {
            inside.kill()?;
        }
        sleep(POLL);
    };
    drop((groups, folder));
    std::process::exit(status.code().unwrap_or(1));
}

/// The third process. It ends without stopping anything, because the kernel does.
fn inside(folder: &Path) -> Result<()> {
    let start = Instant::now();
    machine::prepare(folder)?;
    let folder = Path::new(machine::MOUNT);
    let mut cluster = Cluster::start(folder, machine::ADDRESS, &super::helm()?)?;
    println!("the control plane is ready after {:.1} s", start.elapsed().as_secs_f64());
    let outcome = trial::run(&mut cluster).inspect_err(|_| {
        cluster.describe();
        machine::logs();
    });
    if let Err(error) = &outcome {
        eprintln!("error: {error:#}");
    }
    std::process::exit(i32::from(outcome.is_err()));
}

/// The control group of the node in each hierarchy, removed when this is dropped.
struct Groups(Vec<PathBuf>);

impl Groups {
    fn new(folder: &Path) -> Result<Self> {
        let groups = Self(groups(folder)?);
        for group in &groups.0 {
            fs::create_dir(group).with_context(|| {
                format!("this machine refuses the control group {}", group.display())
            })?;
        }
        Ok(groups)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        let end = Instant::now() + END_MAX;
        for group in &self.0 {
            while group.exists() && Instant::now() < end {
                remove_group(group);
                sleep(POLL / 10);
            }
        }
    }
}

/// Removes a control group and those in it, as far as they have no processes.
fn remove_group(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_group(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}

/// Where the control groups of a node are: in every hierarchy, of version 1 and of version 2, because runc makes some in
/// both if there are both.
fn groups(folder: &Path) -> Result<Vec<PathBuf>> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let found = fields.filter(|fields| matches!(fields.get(2), Some(&"cgroup" | &"cgroup2")));
    let groups: Vec<_> = found.map(|fields| Path::new(fields[1]).join(name(folder))).collect();
    ensure!(!groups.is_empty(), "this machine has no control groups");
    Ok(groups)
}

/// The name of the node's control groups.
fn name(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The settings of [`SETTINGS`] that this machine has.
fn settings() -> BTreeMap<PathBuf, String> {
    let paths = SETTINGS.map(|name| Path::new("/proc/sys").join(name));
    paths
        .into_iter()
        .filter_map(|path| Some((path.clone(), fs::read_to_string(path).ok()?)))
        .collect()
}
