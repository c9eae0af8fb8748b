//! What is tried on the node, in order. Each step is one expectation with its time.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::super::cluster::Cluster;
use super::super::{CHART, ends, output};
use super::beside::{self, Beside, alert};
use super::load::{Load, Seen, User};
use super::machine::{self, REPOSITORY, processes, sh, wait, within};
use super::{NAMESPACE, RELEASES, policy};

/// Two pods of each workload, with connections for them, and what Prometheus needs.
const SETTINGS: &str = "components.replicas=2,bridge.replicas=2,sync.replicas=2,components.connections=8,\
    account.accessTokenSeconds=86400,monitoring.podMonitors=true,monitoring.rules=true,test.waitSeconds=30";

/// How the command line of each workload's process begins.
const PROCESSES: [(&str, &[&str]); 3] = [
    ("components", &["/app/rondo", "host"]),
    ("bridge", &["/app/rondo", "bridge"]),
    ("sync", &["/app/rondo-sync"]),
];

/// Limits of the readiness of a release.
const HEALTHY_MAX: Duration = Duration::from_mins(10);
const ROLLED_BACK_MAX: Duration = Duration::from_mins(2);

/// How long Postgres is away. The broker is, until an alert notices.
const AWAY: Duration = Duration::from_secs(15);
/// How long effects may take after that, in seconds.
const EFFECTS_MAX: u64 = 20;

/// The steps so far, as rows of a table.
struct Table {
    rows: String,
    start: Instant,
}

impl Table {
    /// Ends a step with what it found.
    fn add(&mut self, expectation: &str, found: Result<String>) -> Result<()> {
        let found = found.with_context(|| format!("not so: {expectation}"))?;
        let took = std::mem::replace(&mut self.start, Instant::now()).elapsed().as_secs_f64();
        let separator = if found.is_empty() { "" } else { ": " };
        println!("ok {took:>5.1} s  {expectation}{separator}{found}");
        self.rows += &format!("| {expectation} | {took:.0} | {found} |\n");
        Ok(())
    }
}

/// Every step.
///
/// # Errors
/// The first expectation that is not met.
pub fn run(cluster: &mut Cluster) -> Result<()> {
    let mut table = Table { rows: String::new(), start: Instant::now() };
    table.add("containerd takes the images of two releases", machine::images())?;
    table.add("the node is ready, and Services have names", machine::node(cluster))?;
    let mut beside = Beside::start()?;
    table.add(
        "Postgres and Kafka run beside the pods; namespace and Secrets are there",
        surroundings(cluster, &beside),
    )?;

    let trial = Trial { cluster };
    table.add("an installation is healthy, and `helm test` passes", trial.install())?;
    let user = User::register(trial.service("rondo")?, "load")?;
    let mut created = 0;
    table.add("Prometheus scrapes every pod, and no alert is active", trial.prometheus())?;
    table.add("an upgrade under load fails no request", trial.upgrade(&user, &mut created))?;
    table.add("a rollback under load fails no request", trial.roll_back(&user, &mut created))?;
    for (name, words) in PROCESSES {
        let expectation = format!("a pod of {name} comes back after `kill -9`");
        table.add(&expectation, trial.kill(name, words, &user, &mut created))?;
    }
    table.add(
        "no pod restarts while Postgres is away",
        trial.no_postgres(&mut beside, &user, &mut created),
    )?;
    table.add(
        "every request is answered while Kafka is away, and alerts notice",
        trial.no_broker(&user, &mut created),
    )?;
    table.add(
        "every request is answered while there is no bridge, and an alert notices",
        trial.no_bridge(&user, &mut created),
    )?;
    table.add("NetworkPolicies permit what they should, and no more", trial.policies())?;
    table
        .add("nothing but the pod of the test remains after `helm uninstall`", trial.uninstall())?;
    println!("\n| Expectation | s | Found |\n|---|---|---|\n{}", table.rows);
    Ok(())
}

/// What the chart expects to be there.
fn surroundings(cluster: &Cluster, beside: &Beside) -> Result<String> {
    cluster.run("kubectl apply -f k8s/namespace.yaml")?;
    cluster.run(&format!("kubectl apply -n {NAMESPACE} -f /run/rondo/beside.yaml"))?;
    cluster.apply(&fs::read_to_string("/run/rondo/definition.yaml")?, &[])?;
    let mut script = cluster.command("k8s/secret.sh");
    script.arg(cluster.path("secret")).env("COMPONENTS_MODE", "host");
    script.env("DATABASE_URL", beside.postgres_url()?).env("DATABASE_OPTIONS", "sslmode=disable");
    cluster.apply(&output(&mut script)?, &["--namespace", NAMESPACE])?;
    cluster.run("kubectl wait --for=condition=Established --timeout=60s crd --all")?;
    Ok(String::new())
}

struct Trial<'a> {
    cluster: &'a Cluster,
}

impl Trial<'_> {
    fn install(&self) -> Result<String> {
        let start = Instant::now();
        self.helm("install", RELEASES[0])?;
        self.rollout()?;
        let took = start.elapsed();
        ensure!(took < HEALTHY_MAX, "{took:?}");
        Ok(String::new())
    }

    fn prometheus(&self) -> Result<String> {
        let rules = self.run("kubectl get prometheusrule rondo -o=jsonpath={.spec}")?;
        self.targets()?;
        beside::start_prometheus(&rules)?;
        wait("every pod is scraped", || {
            let up = beside::query("count(up == 1)")?;
            ensure!(up.contains("\"6\""), "{up}");
            Ok(())
        })?;
        let active = beside::query("ALERTS")?;
        ensure!(active.contains("\"result\":[]"), "{active}");
        Ok("6 pods".to_owned())
    }

    fn upgrade(&self, user: &User, created: &mut u64) -> Result<String> {
        let seen = self.under_load(user, created, || {
            self.helm("upgrade", RELEASES[1])?;
            self.has_release(RELEASES[1])
        })?;
        ensure!(seen.failed == 0, "{seen}: {:?}", seen.failures);
        self.effects(user, *created)?;
        Ok(seen.to_string())
    }

    fn roll_back(&self, user: &User, created: &mut u64) -> Result<String> {
        let start = Instant::now();
        let mut took = Duration::ZERO;
        let seen = self.under_load(user, created, || {
            let mut script = self.cluster.command("k8s/rollback.sh");
            ends(script.args(["rondo", NAMESPACE]), 0, "back to revision 1")?;
            took = start.elapsed();
            self.has_release(RELEASES[0])
        })?;
        ensure!(took < ROLLED_BACK_MAX, "{took:?}");
        ensure!(seen.failed == 0, "{seen}: {:?}", seen.failures);
        self.effects(user, *created)?;
        Ok(seen.to_string())
    }

    /// Kills the process of one pod.
    fn kill(&self, name: &str, words: &[&str], user: &User, created: &mut u64) -> Result<String> {
        let before = self.restarts(name)?;
        let mut took = Duration::ZERO;
        let seen = self.under_load(user, created, || {
            let found = processes(words)?;
            let process = found.first().with_context(|| format!("no process of {name}"))?;
            let start = Instant::now();
            sh(&format!("kill -9 {process}"))?;
            wait("the container is restarted", || {
                ensure!(self.restarts(name)? == before + 1, "no restart");
                Ok(())
            })?;
            self.ready(name)?;
            took = start.elapsed();
            Ok(())
        })?;
        if name != "components" {
            ensure!(seen.failed == 0, "{seen}: {:?}", seen.failures);
        }
        self.effects(user, *created)?;
        Ok(format!("ready after {:.1} s; {seen}", took.as_secs_f64()))
    }

    fn no_postgres(&self, beside: &mut Beside, user: &User, created: &mut u64) -> Result<String> {
        let before = self.all_restarts()?;
        let mut took = Duration::ZERO;
        let seen = self.under_load(user, created, || {
            beside.kill_postgres()?;
            std::thread::sleep(AWAY);
            beside.start_postgres()?;
            let start = Instant::now();
            for name in ["components", "bridge", "sync"] {
                self.ready(name)?;
            }
            took = start.elapsed();
            Ok(())
        })?;
        ensure!(self.all_restarts()? == before, "pods have restarted");
        self.effects(user, *created)?;
        Ok(format!("ready {:.1} s after its return; {seen}", took.as_secs_f64()))
    }

    fn no_broker(&self, user: &User, created: &mut u64) -> Result<String> {
        let before = self.all_restarts()?;
        let mut noticed = Duration::ZERO;
        let seen = self.under_load(user, created, || {
            beside::kill_broker()?;
            let start = Instant::now();
            self.becomes("RondoOutboxStuck", Some("pending"))?;
            noticed = start.elapsed();
            beside::start_broker()
        })?;
        ensure!(seen.failed == 0, "{seen}: {:?}", seen.failures);
        let start = Instant::now();
        self.effects(user, *created)?;
        let took = start.elapsed();
        self.becomes("RondoEventDelayBurnFast", Some("firing"))?;
        self.becomes("RondoOutboxStuck", None)?;
        ensure!(self.all_restarts()? == before, "pods have restarted");
        Ok(format!(
            "RondoOutboxStuck is pending after {:.0} s, RondoEventDelayBurnFast fires; all effects {:.1} s after the \
             broker's return; {seen}",
            noticed.as_secs_f64(),
            took.as_secs_f64()
        ))
    }

    fn no_bridge(&self, user: &User, created: &mut u64) -> Result<String> {
        let seen = self.under_load(user, created, || {
            self.run("kubectl scale deployment/rondo-bridge --replicas=0")?;
            self.targets()?;
            self.becomes("RondoBridgeDown", Some("pending"))?;
            self.run("kubectl scale deployment/rondo-bridge --replicas=2")?;
            self.ready("bridge")?;
            self.targets()
        })?;
        ensure!(seen.failed == 0, "{seen}: {:?}", seen.failures);
        self.effects(user, *created)?;
        self.becomes("RondoBridgeDown", None)?;
        Ok(format!("RondoBridgeDown is pending; {seen}"))
    }

    fn policies(&self) -> Result<String> {
        policy::strangers(self.cluster)?;
        let reached = policy::reached(self.cluster)?;
        ensure!(reached == policy::none(), "without rules: {reached:?}");
        policy::enforcing(self.cluster, || {
            wait("the rules are there", || sh("nft list table inet restrict").map(drop))?;
            let reached = policy::reached(self.cluster)?;
            let expected = policy::expected();
            ensure!(reached == expected, "reached: {reached:?}, expected: {expected:?}");
            self.rollout()
        })?;
        let all = policy::expected().concat();
        let permitted = all.iter().filter(|permitted| **permitted).count();
        Ok(format!("{permitted} of {} connections are permitted", all.len()))
    }

    fn uninstall(&self) -> Result<String> {
        self.run("helm uninstall rondo --wait --timeout=120s")?;
        self.run("kubectl delete pod rondo-test --ignore-not-found")?;
        let all = "--selector=app.kubernetes.io/instance=rondo";
        self.run(&format!("kubectl wait --for=delete --timeout=60s pods {all}"))?;
        let kinds =
            "deployments,pods,jobs,services,configmaps,networkpolicies,podmonitors,prometheusrules";
        let rest = self.run(&format!("kubectl get {kinds} -o=name {all}"))?;
        ensure!(rest.is_empty(), "still there:\n{rest}");
        Ok(String::new())
    }

    /// Installs or upgrades, and waits for the rollouts.
    fn helm(&self, what: &str, release: &str) -> Result<()> {
        let mut command = self.cluster.command_in(NAMESPACE, "helm");
        command.args([what, "rondo", CHART, "--wait", "--timeout=600s", "--set", SETTINGS]);
        command.args(["--values", &format!("{CHART}/values/local.yaml")]);
        for image in ["rondo", "tools"] {
            let digest = machine::digest(release, image)?;
            let setting =
                format!("image.{image}.repository={REPOSITORY},image.{image}.digest={digest}");
            command.args(["--set-string", &setting]);
        }
        output(&mut command).map(drop)
    }

    /// Runs k8s/rollout.sh, which runs `helm test`.
    fn rollout(&self) -> Result<()> {
        let mut script = self.cluster.command("k8s/rollout.sh");
        ends(script.args(["rondo", NAMESPACE]), 0, "ok: all steps passed")
    }

    fn has_release(&self, release: &str) -> Result<()> {
        let digest = machine::digest(release, "rondo")?;
        let images = "kubectl get pods -o=jsonpath={.items[*].spec.containers[0].image}";
        wait("old pods are gone", || {
            let running =
                self.run(&format!("{images} --selector=app.kubernetes.io/component!=test"))?;
            let strange = running.split_whitespace().find(|image| !image.ends_with(&digest));
            match strange {
                Some(image) => bail!("a pod runs {image}"),
                None => self.targets(),
            }
        })
    }

    fn targets(&self) -> Result<()> {
        beside::targets(&self.run("kubectl get pods -o=json")?)
    }

    /// Sends requests while something happens, for a second longer.
    fn under_load(
        &self,
        user: &User,
        created: &mut u64,
        action: impl FnOnce() -> Result<()>,
    ) -> Result<Seen> {
        let load = Load::start(user);
        let outcome = action();
        std::thread::sleep(Duration::from_secs(1));
        let seen = load.stop();
        outcome.with_context(|| format!("{seen}: {:?}", seen.failures))?;
        *created += seen.created;
        Ok(seen)
    }

    fn effects(&self, user: &User, created: u64) -> Result<()> {
        within(EFFECTS_MAX, "every change has its effects", || user.effects(created))
    }

    fn becomes(&self, name: &str, state: Option<&str>) -> Result<()> {
        within(180, &format!("{name} is {state:?}"), || {
            let found = alert(name)?;
            ensure!(found == state, "{name} is {found:?}");
            Ok(())
        })
    }

    fn ready(&self, name: &str) -> Result<()> {
        let selector = format!("--selector=app.kubernetes.io/component={name}");
        let deployment = self.run(&format!("kubectl get deployments -o=name {selector}"))?;
        self.run(&format!("kubectl rollout status {} --timeout=120s", deployment.trim()))?;
        self.run(&format!("kubectl wait --for=condition=Ready --timeout=120s pods {selector}"))
            .map(drop)
    }

    fn restarts(&self, name: &str) -> Result<u32> {
        self.sum_restarts(&format!("--selector=app.kubernetes.io/component={name}"))
    }

    fn all_restarts(&self) -> Result<u32> {
        self.sum_restarts("--selector=app.kubernetes.io/instance=rondo")
    }

    fn sum_restarts(&self, selector: &str) -> Result<u32> {
        let path = "jsonpath={.items[*].status.containerStatuses[*].restartCount}";
        let counts = self.run(&format!("kubectl get pods -o={path} {selector}"))?;
        Ok(counts.split_whitespace().filter_map(|count| count.parse::<u32>().ok()).sum())
    }

    /// The address of a Service's first port.
    fn service(&self, name: &str) -> Result<SocketAddr> {
        let found = self.run(&format!(
            "kubectl get service {name} -o=jsonpath={{.spec.clusterIP}}:{{.spec.ports[0].port}}"
        ))?;
        Ok(found.parse()?)
    }

    fn run(&self, line: &str) -> Result<String> {
        self.cluster.run_in(NAMESPACE, line)
    }
}
