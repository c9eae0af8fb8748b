//! Checks of the chart and of the pipeline's scripts on a real control plane: what the API server, its
//! controllers and Helm make of them. Pods start and end, but run nothing.

use std::net::Ipv4Addr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::cluster::{self, Cluster, Folder};
use super::release::{NAMESPACE, Release};
use super::{Case, MODES, ends, output, shows, simulation};
use crate::tool;

/// Custom resources that the chart uses, where a Go module has their definitions: module, version, folder, API
/// group, and plural names. The others are derived from custom.yaml.
const DEFINITIONS: [(&str, &str, &str, &str, &[&str]); 5] = [
    (
        "sigs.k8s.io/gateway-api",
        "1.6.3",
        "config/crd/standard",
        "gateway.networking.k8s.io",
        &["gateways", "httproutes"],
    ),
    (
        "github.com/cert-manager/cert-manager",
        "1.21.2",
        "deploy/crds",
        "cert-manager.io",
        &["issuers", "certificates"],
    ),
    (
        "github.com/kedacore/keda/v2",
        "2.21.0",
        "config/crd/bases",
        "keda.sh",
        &["scaledobjects", "triggerauthentications"],
    ),
    (
        "github.com/traefik/traefik/v3",
        "3.7.13",
        "docs/content/reference/dynamic-configuration",
        "traefik.io",
        &["ingressroutes", "middlewares"],
    ),
    (
        "github.com/external-secrets/external-secrets",
        "0.16.2",
        "config/crds/bases",
        "external-secrets.io",
        &["externalsecrets"],
    ),
];

/// The namespace of the pipeline's environment `dev`.
const PIPELINE: &str = "rondo-dev";

/// Digits that the digests of a release's images repeat. Pods with the last do not start (simulation.yaml).
const FIRST: char = '1';
const SECOND: char = '2';
const BROKEN: char = 'f';

/// Downloads and compiles what the checks need.
///
/// # Errors
/// The first that fails.
pub fn fetch() -> Result<()> {
    cluster::program()?;
    DEFINITIONS
        .iter()
        .try_for_each(|(module, version, ..)| tool::go_module(module, version).map(drop))
}

/// Every check.
///
/// # Errors
/// The first that fails.
pub fn check() -> Result<()> {
    let start = Instant::now();
    let folder = Folder::new()?;
    let mut cluster = Cluster::start(&folder.0, Ipv4Addr::LOCALHOST, &super::helm()?)?;
    simulation::start(&mut cluster)?;
    println!("the control plane is ready after {:.1} s", start.elapsed().as_secs_f64());
    checks(&cluster).inspect_err(|_| cluster.describe())
}

fn checks(cluster: &Cluster) -> Result<()> {
    shows("the API server takes the definitions of custom resources", || definitions(cluster))?;
    shows("each environment gets a namespace and the Secrets of k8s/secret.sh", || {
        namespaces(cluster)
    })?;
    shows("a pod that is not restricted is refused", || {
        let mut pod = cluster.command("kubectl");
        pod.args(["run", "plain", "--image=plain", "-n", NAMESPACE]);
        ends(&mut pod, 1, "violates PodSecurity \"restricted:")
    })?;
    shows("every values file passes a server-side dry run without warnings", || dry_runs(cluster))?;
    shows("the API server takes the manifests of Argo CD and Flux", || {
        for namespace in ["argocd", "flux-system"] {
            cluster.run(&format!("kubectl create namespace {namespace}"))?;
        }
        // The digests beside them are values.
        let folders = "--recursive -f k8s/gitops/argocd -f k8s/gitops/flux";
        let options = "--server-side --validate=strict --dry-run=server";
        cluster.run(&format!("kubectl apply {options} {folders}")).map(drop)
    })?;
    for mode in MODES {
        Release { cluster, mode }.check()?;
    }
    pipeline(cluster)
}

fn definitions(cluster: &Cluster) -> Result<()> {
    let mut command = cluster.command("kubectl");
    command.args(["apply", "--server-side"]);
    for (module, version, folder, group, plurals) in DEFINITIONS {
        let folder = tool::go_module(module, version)?.join(folder);
        for plural in plurals {
            command.arg("-f").arg(folder.join(format!("{group}_{plural}.yaml")));
        }
    }
    output(&mut command)?;
    let groups = DEFINITIONS.map(|(_, _, _, group, _)| group);
    cluster.apply(&output(&mut super::definitions(&groups)?)?, &[])?;
    cluster.run("kubectl wait --for=condition=Established --timeout=60s crd --all").map(drop)
}

fn namespaces(cluster: &Cluster) -> Result<()> {
    cluster.run("kubectl apply -f k8s/namespace.yaml")?;
    let mut script = cluster.command("k8s/secret.sh");
    script.arg(cluster.path("secret")).env("COMPONENTS_MODE", "host");
    script.env("DATABASE_URL", "postgres://admin:secret@postgres/rondo");
    script.env("KAFKA_PASSWORD", "secret").env("KAFKA_SYNC_PASSWORD", "secret");
    let secrets = output(&mut script)?;
    for namespace in [PIPELINE, NAMESPACE] {
        cluster.apply(&secrets, &["--namespace", namespace])?;
    }
    Ok(())
}

/// Lets the server judge every manifest of every combination of values.
fn dry_runs(cluster: &Cluster) -> Result<()> {
    for case in Case::all() {
        let environment = case.files.first().map_or("", String::as_str);
        let namespace = match environment {
            "local" => PIPELINE.to_owned(),
            environment => format!("rondo-{environment}"),
        };
        let mut template = cluster.command("helm");
        template.args(["template", "rondo", "--kube-version=1.37", "--namespace", &namespace]);
        // A pod needs its account, which a dry run does not create.
        template.arg("--skip-tests");
        let manifests = output(template.args(case.arguments('0')))?;
        let options = ["--dry-run=server", "--warnings-as-errors", "--namespace", &namespace];
        cluster.apply(&manifests, &options).with_context(|| format!("values {}", case.name))?;
    }
    Ok(())
}

/// Runs `k8s/deploy.sh` and `k8s/rollback.sh` as the workflows do.
fn pipeline(cluster: &Cluster) -> Result<()> {
    let deploy = |digit: char, timeout: &str, status: i32, expected: &str| {
        let digest = |digit: char| format!("sha256:{}", String::from(digit).repeat(64));
        let mut script = cluster.command("k8s/deploy.sh");
        script.arg("dev").env("REGISTRY", "registry.example.org/rondo").env("TIMEOUT", timeout);
        // The migration runs in any case.
        script.env("RONDO_DIGEST", digest(digit)).env("TOOLS_DIGEST", digest(FIRST));
        ends(&mut script, status, expected)
    };
    shows("deploy.sh ends with 3 if the first release does not start", || {
        deploy(BROKEN, "5", 3, "there is no previous one")
    })?;
    shows("deploy.sh ends with 0 if every pod runs the release and `helm test` passes", || {
        deploy(FIRST, "60", 0, "ok: rondo-sync runs")?;
        deploy(SECOND, "60", 0, "ok: rondo-sync runs")
    })?;
    shows(
        "deploy.sh ends with 1 if a release does not start, and the one before runs again",
        || {
            deploy(BROKEN, "20", 1, "back to revision 3")?;
            ensure!(cluster.digests(PIPELINE)? == [SECOND; 3], "{:?}", cluster.digests(PIPELINE)?);
            Ok(())
        },
    )?;
    shows("rollback.sh then passes over the release that did not start", || {
        let mut script = cluster.command("k8s/rollback.sh");
        ends(script.args(["rondo", PIPELINE]).env("TIMEOUT", "60"), 0, "back to revision 2")?;
        ensure!(cluster.digests(PIPELINE)? == [FIRST; 3], "{:?}", cluster.digests(PIPELINE)?);
        Ok(())
    })
}
