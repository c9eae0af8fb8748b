//! The supported part of spin.toml (Spin manifest version 2). Any other key is refused by name, so that
//! nothing is silently ignored that Spin would act on.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A parsed spin.toml, with the folder that its paths are relative to.
#[derive(Debug)]
pub struct Manifest {
    pub folder: PathBuf,
    pub variables: BTreeMap<String, Variable>,
    /// HTTP triggers: route and component id.
    pub routes: Vec<(String, String)>,
    pub components: BTreeMap<String, Component>,
}

/// Why a manifest is refused.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("cannot read {path}: {source}", path = path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path}: {reason}", path = path.display())]
    Malformed { path: PathBuf, reason: String },
}

/// `[variables]`: an application variable.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    #[serde(default)]
    pub description: String,
    pub default: Option<String>,
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub secret: bool,
}

/// `[component.<id>]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Path of the .wasm file.
    pub source: PathBuf,
    #[serde(default)]
    pub description: String,
    /// Addresses that the component may connect to, with templates.
    #[serde(default)]
    pub allowed_outbound_hosts: Vec<String>,
    /// The component's variables, with templates.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    pub build: Option<Build>,
    #[serde(default)]
    pub tool: Tool,
}

/// `[component.<id>.tool]`: for programs other than Spin, which ignores it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    #[serde(default)]
    pub rondo: HostTool,
}

/// `[component.<id>.tool.rondo]`: settings for this host.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostTool {
    /// Maximum number of instances of the component; further calls wait. None: only the total is limited.
    pub instances: Option<NonZeroU32>,
}

/// `[component.<id>.build]`: accepted for `spin build`, ignored here.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    pub command: String,
    pub workdir: Option<String>,
    #[serde(default)]
    pub watch: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    spin_manifest_version: u32,
    #[allow(dead_code)]
    application: Application,
    #[serde(default)]
    variables: BTreeMap<String, Variable>,
    trigger: Triggers,
    component: BTreeMap<String, Component>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Application {
    name: String,
    version: Option<String>,
    description: Option<String>,
    #[serde(default)]
    authors: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Triggers {
    http: Vec<HttpTrigger>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpTrigger {
    route: String,
    component: String,
}

impl Manifest {
    /// Reads a spin.toml.
    ///
    /// # Errors
    /// If it cannot be read, or has an unsupported key or value, which the error names.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ManifestError::Unreadable { path: path.to_owned(), source })?;
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        Self::parse(&text, folder)
            .map_err(|reason| ManifestError::Malformed { path: path.to_owned(), reason })
    }

    fn parse(text: &str, folder: PathBuf) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        if file.spin_manifest_version != 2 {
            return Err(format!(
                "spin_manifest_version is {}, and 2 is supported",
                file.spin_manifest_version
            ));
        }
        for (name, variable) in &file.variables {
            check_name("variable", name, '_')?;
            if variable.required == variable.default.is_some() {
                return Err(format!("variable {name} needs either a default or required = true"));
            }
        }
        for (id, component) in &file.component {
            check_name("component", id, '-')?;
            for name in component.variables.keys() {
                check_name("variable", name, '_')
                    .map_err(|why| format!("component {id}: {why}"))?;
            }
        }
        for trigger in &file.trigger.http {
            if !file.component.contains_key(&trigger.component) {
                return Err(format!(
                    "route {} leads to component {}, which is not there",
                    trigger.route, trigger.component
                ));
            }
        }
        Ok(Self {
            folder,
            variables: file.variables,
            routes: file.trigger.http.into_iter().map(|t| (t.route, t.component)).collect(),
            components: file.component,
        })
    }
}

/// Refuses a name that Spin would refuse, or that differs from another only in case. A name consists of words
/// of ASCII letters and digits that begin with a letter, joined by `separator`.
fn check_name(kind: &str, name: &str, separator: char) -> Result<(), String> {
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    if name.split(separator).all(is_word) {
        return Ok(());
    }
    Err(format!(
        "{kind} {name}: a name is words of small letters and digits, with {separator:?} between them"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        spin_manifest_version = 2
        [application]
        name = "a"
        [variables]
        token = { required = true, secret = true, description = "What it is for" }
        [[trigger.http]]
        route = "/a/..."
        component = "a"
        [component.a]
        source = "a.wasm"
        allowed_outbound_hosts = ["postgres://{{ token }}"]
        [component.a.variables]
        t = "{{ token }}"
        [component.a.build]
        command = "make"
        [component.a.tool.rondo]
        instances = 2
    "#;

    #[test]
    fn supported_keys_are_read() {
        let manifest = Manifest::parse(GOOD, PathBuf::new()).unwrap();
        assert_eq!(manifest.routes, [("/a/...".to_owned(), "a".to_owned())]);
        assert!(manifest.variables["token"].secret);
        assert_eq!(manifest.components["a"].tool.rondo.instances, NonZeroU32::new(2));
    }

    #[test]
    fn unsupported_keys_are_named() {
        const SOURCE: &str = "source = \"a.wasm\"";
        for (from, to, expected) in [
            (SOURCE, "source = \"a.wasm\"\nfiles = [\"x\"]", "files"),
            (SOURCE, "source = \"a.wasm\"\nai_models = [\"x\"]", "ai_models"),
            (SOURCE, "source = \"a.wasm\"\nkey_value_stores = [\"x\"]", "key_value_stores"),
            (SOURCE, "source = \"a.wasm\"\nenvironment = { A = \"b\" }", "environment"),
            (SOURCE, "source = \"a.wasm\"\ndependencies = { }", "dependencies"),
            (SOURCE, "source = { url = \"x\", digest = \"y\" }", "source"),
            (SOURCE, "", "source"),
            ("instances = 2", "instances = 0", "instances"),
            ("instances = 2", "memory = 2", "memory"),
            ("tool.rondo", "tool.other", "other"),
            ("command = \"make\"", "command = \"make\"\nenvironment = { }", "environment"),
            ("[[trigger.http]]", "[[trigger.redis]]", "redis"),
            ("route = \"/a/...\"", "route = { private = true }", "route"),
            ("route = \"/a/...\"", "route = \"/a\"\nexecutor = { type = \"wagi\" }", "executor"),
            ("name = \"a\"", "name = \"a\"\ntargets = [\"x\"]", "targets"),
            ("name = \"a\"", "", "name"),
            ("manifest_version = 2", "manifest_version = 3", "spin_manifest_version is 3"),
            ("component = \"a\"", "component = \"b\"", "component b"),
            ("[component.a]", "[component.a_b]\nsource = \"b\"\n[component.a]", "component a_b"),
            ("[component.a]", "[component.A]\nsource = \"b\"\n[component.a]", "component A"),
            ("\n        t = ", "\n        t-u = ", "component a: variable t-u"),
            ("[variables]", "[variables]\nB_c = { default = \"\" }", "variable B_c"),
            ("[variables]", "[variables]\nb__c = { default = \"\" }", "variable b__c"),
            ("required = true, ", "", "variable token"),
            ("required = true, ", "required = true, default = \"\", ", "variable token"),
            ("required = true, ", "required = true, provider = \"x\", ", "provider"),
            ("required = true, ", "default = 1, ", "default"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let error = Manifest::parse(&GOOD.replace(from, to), PathBuf::new()).unwrap_err();
            assert!(error.contains(expected), "{to}: {error}");
        }
    }
}
