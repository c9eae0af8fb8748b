//! A release of the chart from its installation to its end, in one of its modes.

use std::process::Command;

use anyhow::{Result, ensure};

use super::cluster::Cluster;
use super::{Case, FOLDER, ends, input, output, shows};
use crate::cargo::root;

/// At level `restricted` (k8s/namespace.yaml).
pub const NAMESPACE: &str = "rondo-staging";

/// Digits that the digests of the images repeat.
const FIRST: char = '1';
const SECOND: char = '2';

/// Two pods of each workload, with connections for them.
const SETTINGS: &str = "components.replicas=2,bridge.replicas=2,sync.replicas=2,database.roles=external,\
    database.maxConnections=3000";

/// Kinds of everything that the chart creates here.
const KINDS: &str = "deployments,replicasets,pods,jobs,services,serviceaccounts,configmaps,networkpolicies,\
    poddisruptionbudgets,horizontalpodautoscalers,spinapps,spinappexecutors,\
    mutatingadmissionpolicies,mutatingadmissionpolicybindings";

pub struct Release<'a> {
    pub cluster: &'a Cluster,
    pub mode: &'a str,
}

impl Release<'_> {
    /// # Errors
    /// The first check that fails.
    pub fn check(&self) -> Result<()> {
        if self.is_spinapp() {
            self.admission()?;
        } else {
            self.shows("an installation completes, and every pod is ready", || {
                self.helm("install", FIRST, "")?;
                self.runs(FIRST)
            })?;
        }
        self.shows("rollout.sh finds the release healthy, and `helm test` passes", || {
            self.rollout("60", 0, "Phase:          Succeeded")
        })?;
        self.shows("an upgrade without a change restarts no pod", || {
            let before = self.generations()?;
            self.helm("upgrade", FIRST, "")?;
            let after = self.generations()?;
            ensure!(before == after, "{before:?} has become {after:?}");
            Ok(())
        })?;
        self.shows("an upgrade brings new images to every pod, a rollback the old", || {
            self.helm("upgrade", SECOND, "")?;
            self.runs(SECOND)?;
            self.run("helm rollback rondo --wait --timeout=120s")?;
            self.operate()?;
            self.runs(FIRST)
        })?;
        if self.mode == "host" {
            self.operations()?;
        }
        self.shows("nothing but the pod of the test remains after `helm uninstall`", || {
            self.run("helm uninstall rondo --wait --timeout=120s")?;
            // A drain has removed it already.
            self.run("kubectl delete pod rondo-test --ignore-not-found")?;
            let all = "--selector=app.kubernetes.io/instance=rondo";
            self.run(&format!("kubectl wait --for=delete --timeout=60s pods {all}"))?;
            let rest = self.run(&format!("kubectl get {KINDS} -o=name {all}"))?;
            ensure!(rest.is_empty(), "still there:\n{rest}");
            Ok(())
        })
    }

    /// The MutatingAdmissionPolicy, and pods as spin-operator makes them.
    fn admission(&self) -> Result<()> {
        self.shows("without the admission policy, the operator's pods are refused", || {
            self.helm("install", SECOND, "admissionPolicy.enabled=false")?;
            self.run("kubectl wait --for=condition=ReplicaFailure --timeout=60s deployment/rondo")?;
            let reason = self.run(
                "kubectl get deployment/rondo \
                 -o=jsonpath={.status.conditions[?(@.type==\"ReplicaFailure\")].message}",
            )?;
            ensure!(reason.contains("violates PodSecurity \"restricted"), "{reason}");
            Ok(())
        })?;
        self.shows("the admission policy makes them restricted, with a preStop pause", || {
            self.helm("upgrade", FIRST, "")?;
            self.runs(FIRST)?;
            let container = ".spec.containers[0]";
            for (path, expected) in [
                (format!("{container}.lifecycle.preStop.sleep.seconds"), "5 5"),
                (".spec.terminationGracePeriodSeconds".to_owned(), "40 40"),
                (".spec.automountServiceAccountToken".to_owned(), "false false"),
                (".spec.securityContext.runAsNonRoot".to_owned(), "true true"),
                (format!("{container}.env[?(@.name==\"OTEL_SERVICE_NAME\")].value"), "rondo rondo"),
            ] {
                let pods = "kubectl get pods --selector=core.spinkube.dev/app-name=rondo";
                let found = self.run(&format!("{pods} -o=jsonpath={{.items[*]{path}}}"))?;
                ensure!(found == expected, "{path}: {found}");
            }
            Ok(())
        })?;
        self.shows("rollout.sh believes no release before the operator has acted", || {
            self.run("kubectl set image deployment/rondo rondo=registry.example.org/other")?;
            self.rollout("3", 1, "which is not in the release")?;
            self.operate()
        })
    }

    /// What happens to a release while it runs.
    fn operations(&self) -> Result<()> {
        self.shows("a changed Secret restarts its pods, and no others, with an upgrade", || {
            let before = self.generations()?;
            self.run(
                "kubectl patch secret rondo-bridge -p={\"stringData\":{\"event-token\":\"new\"}}",
            )?;
            self.helm("upgrade", FIRST, "")?;
            let after = self.generations()?;
            let same = |at: usize| before[at] == after[at];
            let names = ["rondo=", "rondo-bridge=", "rondo-sync="];
            let are_ordered = names.iter().zip(&before).all(|(name, d)| d.starts_with(name));
            ensure!(are_ordered && same(0) && !same(1) && same(2), "{before:?} is now {after:?}");
            Ok(())
        })?;
        self.shows("no workload may read the API", || {
            for workload in ["components", "bridge", "sync"] {
                let account = format!("--as=system:serviceaccount:{NAMESPACE}:rondo-{workload}");
                let mut question = self.command("kubectl");
                ends(question.args(["auth", "can-i", "get", "secrets", &account]), 1, "no")?;
            }
            Ok(())
        })?;
        self.shows("a drain leaves each workload all pods but one", || self.drain())?;
        self.shows("the autoscaler brings the components to their minimum", || {
            self.helm("upgrade", FIRST, "components.autoscaling.enabled=true")?;
            let ready = "--for=jsonpath={.status.readyReplicas}=3";
            self.run(&format!("kubectl wait {ready} --timeout=120s deployment/rondo")).map(drop)
        })
    }

    /// Drains both nodes at once, so that evicted pods have nowhere to go. Then the first, with room on the second.
    fn drain(&self) -> Result<()> {
        let drain = ["drain", "--delete-emptydir-data"];
        let mut refused = self.command("kubectl");
        refused.args(drain).args(["one", "two", "--timeout=8s"]);
        ends(&mut refused, 1, "would violate the pod's disruption budget")?;
        let ready =
            self.run("kubectl get deployments -o=jsonpath={.items[*].status.readyReplicas}")?;
        ensure!(ready == "1 1 1", "ready pods: {ready}");
        self.run("kubectl uncordon two")?;
        output(self.command("kubectl").args(drain).args(["one", "--timeout=60s"]))?;
        self.run("kubectl uncordon one")?;
        self.runs(FIRST)
    }

    /// Installs or upgrades, and waits for the rollouts.
    fn helm(&self, what: &str, digit: char, settings: &str) -> Result<()> {
        let mode = format!("components.mode={}", self.mode);
        let settings = [SETTINGS, &mode, settings].into_iter().filter(|some| !some.is_empty());
        let case = Case {
            name: self.mode.to_owned(),
            files: vec!["local".to_owned()],
            settings: settings.map(str::to_owned).collect(),
        };
        let mut command = self.command("helm");
        command.args([what, "rondo", "--wait", "--timeout=120s"]);
        output(command.args(case.arguments(digit)))?;
        self.operate()
    }

    /// Acts for spin-operator: makes the Deployment of the SpinApp.
    fn operate(&self) -> Result<()> {
        if !self.is_spinapp() {
            return Ok(());
        }
        let app = self.run("kubectl get spinapp rondo -o=json")?;
        let program = root().join(FOLDER).join("cluster/operator.jq");
        let deployment = input(Command::new("jq").arg("--from-file").arg(program), &app)?;
        self.cluster
            .apply(&deployment, &["--force-conflicts", "--field-manager=spin-operator"])
            .map(drop)
    }

    /// Checks that all pods are ready and run images with one digest.
    fn runs(&self, digit: char) -> Result<()> {
        let digests = self.cluster.digests(NAMESPACE)?;
        ensure!(digests == [digit; 3], "digests: {digests:?}");
        Ok(())
    }

    fn rollout(&self, timeout: &str, status: i32, expected: &str) -> Result<()> {
        let mut script = self.cluster.command("k8s/rollout.sh");
        ends(script.args(["rondo", NAMESPACE]).env("TIMEOUT", timeout), status, expected)
    }

    /// Name and generation of each Deployment. A change of its pods is a new generation.
    fn generations(&self) -> Result<Vec<String>> {
        let columns = "custom-columns=:.metadata.name,:.metadata.generation";
        let table = self.run(&format!("kubectl get deployments --no-headers -o={columns}"))?;
        let row = |line: &str| line.split_whitespace().collect::<Vec<_>>().join("=");
        Ok(table.lines().map(row).collect())
    }

    fn shows(&self, expectation: &str, check: impl FnOnce() -> Result<()>) -> Result<()> {
        shows(&format!("{}: {expectation}", self.mode), check)
    }

    fn is_spinapp(&self) -> bool {
        self.mode == "spinapp"
    }

    fn command(&self, program: &str) -> Command {
        self.cluster.command_in(NAMESPACE, program)
    }

    fn run(&self, line: &str) -> Result<String> {
        self.cluster.run_in(NAMESPACE, line)
    }
}
