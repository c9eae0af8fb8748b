//! Checks of k8s/. Those here need no cluster: the chart renders valid manifests that follow its rules, alerts fire,
//! Argo CD and Flux install it alike, workflows and scripts pass their linters. `api` installs the chart on a real
//! control plane, `node` on a real node as well.

pub mod api;
mod cluster;
pub mod node;
mod release;
mod simulation;
mod terraform;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::cargo::{is_installed, root, run, shown, target_directory};
use crate::{python, tool};

const CHART: &str = "k8s/chart";
/// The folder of the Python scripts.
const FOLDER: &str = "xtask/kubernetes";

/// Versions of Kubernetes to render for: the oldest supported, the last without mutating admission policies, the
/// newest with schemas.
const VERSIONS: [&str; 3] = ["1.30", "1.35", "1.37"];

/// Values files of environments, rendered alone and combined with each cloud.
const ENVIRONMENTS: [&str; 4] = ["local", "dev", "staging", "prod"];
const CLOUDS: [&str; 4] = ["aks", "gke", "oke", "doks"];
const MODES: [&str; 3] = ["spinapp", "runtimeclass", "host"];

/// Settings that the chart must reject, with a part of the message.
const REJECTED: [(&str, &str); 7] = [
    ("nonsense=1", "additional properties 'nonsense' not allowed"),
    ("components.mode=spinapp,components.replicas=2", "raise max_connections of Postgres"),
    ("database.maxConnections=100", "raise max_connections of Postgres"),
    ("bridge.keda.enabled=true,bridge.keda.maxReplicas=7", "maximum: got 7, want 6"),
    ("strimzi.enabled=true", "requires kafka.securityProtocol=SASL_SSL"),
    ("terminationGracePeriodSeconds=24", "must cover preStopSeconds"),
    ("image.rondo.digest=latest", "does not match pattern"),
];

/// Skips checks of kube-score that do not apply: CPU is not limited on purpose, and an image with a digest need
/// not be pulled again.
const SCORE_OPTIONS: [&str; 4] = [
    "--ignore-container-cpu-limit",
    "--ignore-test",
    "container-image-pull-policy",
    "--output-format=ci",
];

/// Configuration of yamllint. Templates are not YAML.
const YAML_RULES: &str = "{extends: default, ignore: [k8s/chart/templates/], rules: {line-length: disable, \
    document-start: disable, braces: disable, comments: {min-spaces-from-content: 1}, \
    indentation: {spaces: 2, indent-sequences: whatever}, truthy: {check-keys: false}}}";

/// A combination of values files and settings.
struct Case {
    name: String,
    files: Vec<String>,
    settings: Vec<String>,
}

impl Case {
    fn all() -> Vec<Self> {
        let mut cases = Vec::new();
        for environment in ENVIRONMENTS {
            let mut case = |cloud: Option<&str>| {
                let names = [Some(environment), cloud].into_iter().flatten();
                cases.push(Self {
                    name: names.clone().collect::<Vec<_>>().join("-"),
                    files: names.map(str::to_owned).collect(),
                    // A cloud may enable an ingress, for which `local` has no host.
                    settings: vec!["ingress.host=rondo.example.org".to_owned()],
                });
            };
            case(None);
            CLOUDS.iter().for_each(|cloud| case(Some(cloud)));
        }
        for mode in MODES {
            cases.push(Self {
                name: format!("local-{mode}"),
                files: vec!["local".to_owned()],
                settings: vec![format!("components.mode={mode}")],
            });
        }
        // What no values file enables.
        cases.push(Self {
            name: "local-everything".to_owned(),
            files: vec!["local".to_owned()],
            settings: [
                "externalSecrets.enabled=true,externalSecrets.storeName=vault",
                "ingress.kind=gateway,ingress.gateway.traefikMiddleware=true,ingress.host=rondo.example.org",
                "oidc.issuer=https://id.example.org,oidc.audience=rondo,oidc.jwksUrl=https://id.example.org/keys",
                "mail.enabled=true,mail.caConfigMap=mail-ca,kafka.caSecret=kafka-ca,database.caSecret=database-ca",
                "kafka.securityProtocol=SASL_SSL,bridge.keda.enabled=true,database.roles=external",
                "quota.enabled=true,priorityClassName=high,nodeSelector.disk=ssd,account.signing=key",
                "components.autoscaling.enabled=true,database.maxConnections=2000",
            ]
            .map(str::to_owned)
            .into(),
        });
        cases
    }

    /// Helm's arguments for the chart, with images whose digests repeat a digit.
    fn arguments(&self, digit: char) -> Vec<String> {
        let mut arguments = vec![CHART.to_owned()];
        for file in &self.files {
            arguments.extend(["--values".to_owned(), format!("{CHART}/values/{file}.yaml")]);
        }
        let digest = String::from(digit).repeat(64);
        let digests =
            ["rondo", "tools", "app"].map(|image| format!("image.{image}.digest=sha256:{digest}"));
        for setting in digests.iter().chain(&self.settings) {
            arguments.extend(["--set".to_owned(), setting.to_owned()]);
        }
        arguments
    }
}

/// Downloads and compiles what [`check`] needs.
///
/// # Errors
/// The first that fails.
pub fn fetch() -> Result<()> {
    Tools::installed()?;
    terraform::fetch()
}

/// Every check.
///
/// # Errors
/// The first that fails.
pub fn check() -> Result<()> {
    let tools = Tools::installed()?;
    let rendered = target_directory().join("kubernetes");
    fs::create_dir_all(&rendered)?;
    for case in Case::all() {
        run(tools.helm("lint", &case).arg("--strict").arg("--quiet"))?;
    }
    for version in VERSIONS {
        let mut manifests = Vec::new();
        for case in Case::all() {
            let manifest = rendered.join(format!("{}-{version}.yaml", case.name));
            let mut command = tools.helm("template", &case);
            command.args(["--kube-version", version, "--namespace", "rondo-test"]);
            fs::write(&manifest, output(&mut command)?)?;
            manifests.push(manifest);
        }
        println!("{} combinations of values for Kubernetes {version}", manifests.len());
        run(tools.python("manifest.py").arg(version).args(&manifests))?;
    }
    run(tools.python("gitops.py").arg(VERSIONS[2]))?;
    tools.rejections()?;
    for name in ["local-host", "dev", "dev-oke"] {
        let manifest = rendered.join(format!("{name}-{}.yaml", VERSIONS[0]));
        let mut score = Command::new(&tools.kube_score);
        score.args(["score", "--kubernetes-version", &format!("v{}", VERSIONS[0])]);
        quiet(score.args(SCORE_OPTIONS).arg(manifest))?;
    }
    ensure!(
        tools.readme()? == fs::read_to_string(root().join(CHART).join("README.md"))?,
        "{CHART}/README.md is out of date: run `cargo xtask chart`"
    );
    rules(&tools, &rendered)?;
    terraform::check(&tools)?;
    scripts(&tools)
}

/// `cargo xtask chart`: writes the chart's README from its values.
///
/// # Errors
/// When helm-docs fails.
pub fn document() -> Result<()> {
    let readme = Tools::helm_docs()?;
    let text = readme_of(&readme)?;
    fs::write(root().join(CHART).join("README.md"), text).context("cannot write the README")
}

/// Checks the syntax of rules and panels, and tests the alerts.
fn rules(tools: &Tools, rendered: &Path) -> Result<()> {
    if !is_installed("promtool", "--version") {
        bail!(
            "promtool is needed (Debian: `apt-get install prometheus`, macOS: `brew install prometheus`)"
        );
    }
    let promtool = || {
        let mut command = Command::new("promtool");
        command.current_dir(root());
        command
    };
    // promtool checks a query as a recording rule.
    let panels = rendered.join("panel.yaml");
    fs::write(&panels, output(&mut tools.python("panel.py"))?)?;
    let checked = files(&format!("{CHART}/files/rule"), "yaml")?;
    run(promtool().args(["check", "rules"]).args(&checked).arg(&panels))?;
    run(promtool().args(["test", "rules"]).args(files("k8s/alert", "yaml")?))
}

/// Lints YAML, workflows and shell scripts.
fn scripts(tools: &Tools) -> Result<()> {
    let yamllint = &mut Command::new(tools.python.join("yamllint"));
    yamllint.args(["--strict", "-d", YAML_RULES, "k8s", FOLDER, ".github"]);
    run(yamllint.current_dir(root()))?;
    run(Command::new(&tools.actionlint).args(["-shellcheck", "shellcheck"]).current_dir(root()))?;
    let zizmor = &mut Command::new(tools.python.join("zizmor"));
    run(zizmor.args(["--offline", "--quiet", ".github/workflows"]).current_dir(root()))?;
    if !is_installed("shellcheck", "--version") {
        bail!(
            "shellcheck is needed (Debian: `apt-get install shellcheck`, macOS: `brew install shellcheck`)"
        );
    }
    let shellcheck = || {
        let mut command = Command::new("shellcheck");
        command.current_dir(root());
        command
    };
    run(shellcheck().args(files("k8s", "sh")?).arg(".ci/run"))?;
    // Pods run scripts with a POSIX shell.
    run(shellcheck().arg("--shell=sh").args(files(&format!("{CHART}/files"), "sh")?))
}

/// The files in a folder, relative to the root, sorted.
fn files(folder: &str, extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder))? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            found.push(path.strip_prefix(root())?.to_owned());
        }
    }
    found.sort();
    ensure!(!found.is_empty(), "no .{extension} file in {folder}");
    Ok(found)
}

/// The standard output of a command.
fn output(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output = command.output().with_context(|| format!("cannot run `{shown}`"))?;
    checked(&shown, output)
}

/// The standard output of a command with a standard input.
fn input(command: &mut Command, text: &str) -> Result<String> {
    let shown = shown(command);
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().with_context(|| format!("cannot run `{shown}`"))?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(text.as_bytes())?;
    }
    checked(&shown, child.wait_with_output()?)
}

fn checked(shown: &str, output: Output) -> Result<String> {
    let text = String::from_utf8(output.stdout)?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("`{shown}` ended with {}:\n{text}{error}", output.status);
    }
    Ok(text)
}

/// Runs one check, whose expectation is one line.
fn shows(expectation: &str, check: impl FnOnce() -> Result<()>) -> Result<()> {
    let start = Instant::now();
    check().with_context(|| format!("not so: {expectation}"))?;
    println!("ok {:>5.1} s  {expectation}", start.elapsed().as_secs_f64());
    Ok(())
}

/// Checks with what status a command ends, and that it says something.
fn ends(command: &mut Command, status: i32, expected: &str) -> Result<()> {
    let shown = shown(command);
    let output = command.output().with_context(|| format!("cannot run `{shown}`"))?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    ensure!(
        output.status.code() == Some(status) && said.contains(expected),
        "`{shown}` ended with {}, expected was {status} and {expected:?}:\n{said}",
        output.status
    );
    Ok(())
}

/// Runs a command and shows its output only if it fails.
fn quiet(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let output = command.output().with_context(|| format!("cannot run `{shown}`"))?;
    if !output.status.success() {
        println!("{}", String::from_utf8_lossy(&output.stdout));
        bail!("`{shown}` ended with {}", output.status);
    }
    Ok(())
}

fn readme_of(helm_docs: &Path) -> Result<String> {
    let readme = output(
        Command::new(helm_docs)
            .args(["--dry-run", "--chart-search-root", CHART])
            .current_dir(root()),
    )?;
    // helm-docs only warns when it cannot read the chart.
    ensure!(readme.contains("## Values"), "helm-docs printed no README");
    let undocumented = readme.lines().find(|line| line.ends_with("|  |"));
    ensure!(undocumented.is_none(), "a value of the chart has no description: {undocumented:?}");
    Ok(readme)
}

fn helm() -> Result<PathBuf> {
    tool::installed_from_go("helm", "helm.sh/helm/v4/cmd/helm", "4.3.1")
}

/// The folder of Python and its programs.
fn python() -> Result<PathBuf> {
    python::environment("kubernetes-python", FOLDER)
}

/// A command that prints the definitions of the chart's custom resources, except those of some API groups.
fn definitions(excluded: &[&str]) -> Result<Command> {
    let mut script = Command::new(python()?.join("python"));
    script.arg(root().join(FOLDER).join("definition.py")).args(excluded);
    Ok(script)
}

/// Pinned, because later versions may know more rules and fail without a change here.
struct Tools {
    helm: PathBuf,
    helm_docs: PathBuf,
    kube_score: PathBuf,
    actionlint: PathBuf,
    python: PathBuf,
}

impl Tools {
    fn installed() -> Result<Self> {
        let go = tool::installed_from_go;
        Ok(Self {
            helm: helm()?,
            helm_docs: Self::helm_docs()?,
            kube_score: go("kube-score", "github.com/zegl/kube-score/cmd/kube-score", "1.20.0")?,
            actionlint: go("actionlint", "github.com/rhysd/actionlint/cmd/actionlint", "1.7.12")?,
            python: python()?,
        })
    }

    fn helm_docs() -> Result<PathBuf> {
        tool::installed_from_go(
            "helm-docs",
            "github.com/norwoodj/helm-docs/cmd/helm-docs",
            "1.14.2",
        )
    }

    /// A Helm command for the chart with a combination of values and placeholder digests.
    fn helm(&self, what: &str, case: &Case) -> Command {
        let mut command = Command::new(&self.helm);
        command.arg(what).args((what == "template").then_some("rondo")).args(case.arguments('0'));
        command.current_dir(root());
        command
    }

    fn python(&self, script: &str) -> Command {
        let mut command = Command::new(self.python.join("python"));
        command.arg(format!("{FOLDER}/{script}")).current_dir(root());
        command
    }

    /// Checks that the chart rejects invalid settings.
    fn rejections(&self) -> Result<()> {
        for (setting, reason) in REJECTED {
            let case = Case {
                name: "rejected".to_owned(),
                files: vec!["local".to_owned()],
                settings: vec![setting.to_owned()],
            };
            let output = self.helm("template", &case).output().context("cannot run helm")?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(!output.status.success(), "{setting} is not rejected");
            ensure!(said.contains(reason), "{setting} is rejected for another reason: {said}");
        }
        Ok(())
    }

    fn readme(&self) -> Result<String> {
        readme_of(&self.helm_docs)
    }
}
