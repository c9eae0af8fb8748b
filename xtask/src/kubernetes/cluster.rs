//! A control plane of real programs: etcd, kube-apiserver, kube-controller-manager, kube-scheduler.

use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{FOLDER, input, output};
use crate::cargo::root;
use crate::tool;

/// The version of `k8s.io/kubernetes` in xtask/kubernetes/cluster/go.mod.
const VERSION: &str = "1.37.1";

/// Names under which the program of xtask/kubernetes/cluster/main.go is started.
const PROGRAMS: [&str; 6] =
    ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "kubectl"];

/// How long a program may take to answer, on a busy machine.
const START_MAX: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(100);
/// Lines of a list that a failure shows, from its end.
const EVENTS_SHOWN: usize = 80;

/// A folder that only its owner can enter, removed with everything in it when this is dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("rondo-cluster-{}", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        // It has the administrator's token.
        fs::set_permissions(&path, Permissions::from_mode(0o700))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs until this is dropped. It has no node.
pub struct Cluster {
    /// Holds everything, also the data.
    folder: PathBuf,
    servers: Vec<(&'static str, Child)>,
}

impl Cluster {
    /// Starts the control plane on free ports of an address.
    pub fn start(folder: &Path, address: Ipv4Addr, helm: &Path) -> Result<Self> {
        let program = program()?;
        let mut cluster = Self { folder: folder.to_owned(), servers: Vec::new() };
        fs::create_dir_all(cluster.path("bin"))?;
        for name in PROGRAMS {
            cluster.link(name, &program)?;
        }
        cluster.link("helm", helm)?;
        cluster.control_plane(address)?;
        Ok(cluster)
    }

    /// Makes a program available to [`Cluster::command`] and [`Cluster::spawn`] under a name.
    pub fn link(&self, name: &str, program: &Path) -> Result<()> {
        Ok(symlink(program, self.path("bin").join(name))?)
    }

    /// Starts etcd, the API server, the controllers and the scheduler.
    fn control_plane(&mut self, address: Ipv4Addr) -> Result<()> {
        let etcd = format!("http://127.0.0.1:{}", free_port()?);
        self.spawn(
            "etcd",
            &[
                &format!("--data-dir={}", self.shown("etcd")),
                &format!("--listen-client-urls={etcd}"),
                &format!("--advertise-client-urls={etcd}"),
                "--listen-peer-urls=http://127.0.0.1:0",
                "--log-level=warn",
                // The data is for this run.
                "--unsafe-no-fsync",
            ],
        )?;

        let key = self.shown("account.key");
        let generate = ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out"];
        output(Command::new("openssl").args(generate).arg(&key)).context("openssl is needed")?;
        let token = output(Command::new("openssl").args(["rand", "-hex", "16"]))?;
        let token = token.trim();
        fs::write(self.path("token.csv"), format!("{token},admin,admin,system:masters\n"))?;
        let port = free_port()?;
        let authority = self.shown("certificate/apiserver.crt");
        self.spawn(
            "kube-apiserver",
            &[
                &format!("--etcd-servers={etcd}"),
                &format!("--bind-address={address}"),
                &format!("--secure-port={port}"),
                &format!("--cert-dir={}", self.shown("certificate")),
                "--endpoint-reconciler-type=none",
                "--service-cluster-ip-range=10.96.0.0/16",
                "--authorization-mode=RBAC",
                &format!("--token-auth-file={}", self.shown("token.csv")),
                "--service-account-issuer=https://kubernetes.default.svc",
                &format!("--service-account-key-file={key}"),
                &format!("--service-account-signing-key-file={key}"),
                // For logs.
                "--kubelet-preferred-address-types=InternalIP",
            ],
        )?;
        let server = format!("https://{address}:{port}");
        let config = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             clusters: [{{name: test, cluster: {{server: '{server}', certificate-authority: '{authority}'}}}}]\n\
             users: [{{name: test, user: {{token: '{token}'}}}}]\n\
             contexts: [{{name: test, context: {{cluster: test, user: test}}}}]\n"
        );
        fs::write(self.path("kubeconfig"), config)?;
        let mut ready = self.command("kubectl");
        ready.args(["get", "--raw", "/readyz"]);
        self.wait("the API server is ready", ready)?;

        let config = format!("--kubeconfig={}", self.shown("kubeconfig"));
        self.spawn(
            "kube-controller-manager",
            &[
                &config,
                "--leader-elect=false",
                "--secure-port=0",
                &format!("--service-account-private-key-file={key}"),
                &format!("--root-ca-file={authority}"),
            ],
        )?;
        self.spawn("kube-scheduler", &[&config, "--leader-elect=false", "--secure-port=0"])
    }

    /// A command of the administrator. `kubectl` and `helm` are the cluster's, also for scripts.
    pub fn command(&self, program: &str) -> Command {
        let own = self.path("bin").join(program);
        let mut command =
            if own.exists() { Command::new(own) } else { Command::new(root().join(program)) };
        let inherited = std::env::var("PATH").unwrap_or_default();
        command.current_dir(root()).stdin(Stdio::null());
        command.env("PATH", format!("{}:{inherited}", self.shown("bin")));
        command.env("KUBECONFIG", self.path("kubeconfig"));
        for variable in ["KUBECACHEDIR", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(variable, self.path(variable));
        }
        command
    }

    /// kubectl or helm in a namespace.
    pub fn command_in(&self, namespace: &str, program: &str) -> Command {
        let mut command = self.command(program);
        command.args(["--namespace", namespace]);
        command
    }

    /// The output of a command line, whose words have no spaces.
    pub fn run(&self, line: &str) -> Result<String> {
        let mut words = line.split_whitespace();
        output(self.command(words.next().unwrap_or_default()).args(words))
    }

    /// The same in a namespace.
    pub fn run_in(&self, namespace: &str, line: &str) -> Result<String> {
        self.run(&format!("{line} --namespace {namespace}"))
    }

    /// Waits until the Deployments of a namespace have only pods of theirs, and returns the last digit of each
    /// image's digest.
    pub fn digests(&self, namespace: &str) -> Result<Vec<char>> {
        let get = format!("kubectl get deployments --namespace {namespace} -o=");
        for name in self.run(&format!("{get}name"))?.lines() {
            let status = format!("kubectl rollout status {name} --namespace {namespace}");
            self.run(&format!("{status} --timeout=60s"))?;
        }
        let path = "jsonpath={.items[*].spec.template.spec.containers[0].image}";
        let images = self.run(&format!("{get}{path}"))?;
        Ok(images.split_whitespace().filter_map(|image| image.chars().last()).collect())
    }

    /// Applies manifests server-side. Unknown fields are errors.
    pub fn apply(&self, manifests: &str, options: &[&str]) -> Result<String> {
        let mut command = self.command("kubectl");
        command.args(["apply", "--server-side", "--validate=strict"]).args(options);
        input(command.args(["-f", "-"]), manifests)
    }

    /// Prints what may explain a failure.
    pub fn describe(&self) {
        for what in ["pods -A -o=wide", "events -A --sort-by=.lastTimestamp"] {
            let found = self.run(&format!("kubectl get {what}"));
            let found = found.unwrap_or_else(|error| error.to_string());
            let lines: Vec<_> = found.lines().collect();
            let last = &lines[lines.len().saturating_sub(EVENTS_SHOWN)..];
            println!("{what}:\n{}", last.join("\n"));
        }
    }

    /// A path in the cluster's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The same as text.
    pub fn shown(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Starts a server, which ends with its standard input.
    pub fn spawn(&mut self, name: &'static str, arguments: &[&str]) -> Result<()> {
        let log = File::create(self.path(&format!("{name}.log")))?;
        let child = self
            .command(name)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot run {name}"))?;
        self.servers.push((name, child));
        Ok(())
    }

    /// Runs a command until it succeeds.
    pub fn wait(&mut self, condition: &str, mut command: Command) -> Result<()> {
        let end = Instant::now() + START_MAX;
        while let Err(error) = output(&mut command) {
            for (name, child) in &mut self.servers {
                if let Some(status) = child.try_wait()? {
                    let log = fs::read_to_string(self.folder.join(format!("{name}.log")))?;
                    bail!("{name} ended with {status}: {log}");
                }
            }
            if Instant::now() > end {
                return Err(error.context(format!("not after {START_MAX:?}: {condition}")));
            }
            sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for (_, child) in self.servers.iter_mut().rev() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

/// The program of xtask/kubernetes/cluster, which is built first when the cache has none.
pub fn program() -> Result<PathBuf> {
    go("cluster", "")
}

/// The program of xtask/kubernetes/cluster/node, likewise.
pub fn node_program() -> Result<PathBuf> {
    go("node", "node")
}

fn go(name: &str, package: &str) -> Result<PathBuf> {
    let version = "k8s.io/component-base/version";
    let (major, minor) = VERSION.split_once('.').unwrap_or_default();
    let minor = minor.split('.').next().unwrap_or_default();
    // Without its version, the API server takes itself for 0.0.0 and refuses to start.
    let link = format!(
        "-s -w -X {version}.gitVersion=v{VERSION} -X {version}.gitMajor={major} -X {version}.gitMinor={minor}"
    );
    tool::built_from_go(name, &root().join(FOLDER).join("cluster"), package, VERSION, &link)
}

/// A port that was free a moment ago.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
