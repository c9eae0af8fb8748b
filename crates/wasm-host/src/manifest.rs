//! The part of spin.toml (Spin manifest version 2) that we use. Any other key is refused by name, so
//! that nothing is silently ignored that Spin would act on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A read spin.toml, with the folder that its paths are relative to.
#[derive(Debug)]
pub struct Manifest {
    pub folder: PathBuf,
    pub variables: BTreeMap<String, Variable>,
    /// HTTP triggers: route and component id.
    pub routes: Vec<(String, String)>,
    pub components: BTreeMap<String, Component>,
}

/// Why a manifest was refused.
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
}

/// `[component.<id>.build]`: read so that it is not refused; `spin build` runs it.
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
    /// When it cannot be read, or has a key or value that is not supported, naming it.
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
            if variable.required == variable.default.is_some() {
                return Err(format!("variable {name} needs either a default or required = true"));
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

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        spin_manifest_version = 2
        [application]
        name = "a"
        [variables]
        token = { required = true, secret = true }
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
    "#;

    #[test]
    fn what_is_used_is_read() {
        let manifest = Manifest::parse(GOOD, PathBuf::new()).unwrap();
        assert_eq!(manifest.routes, [("/a/...".to_owned(), "a".to_owned())]);
        assert!(manifest.variables["token"].secret);
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        let check = |from: &str, to: &str, expected: &str| {
            let error = Manifest::parse(&GOOD.replace(from, to), PathBuf::new()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check("source = \"a.wasm\"", "source = \"a.wasm\"\nfiles = [\"x\"]", "files");
        check("source = \"a.wasm\"", "source = \"a.wasm\"\nai_models = [\"x\"]", "ai_models");
        check("[[trigger.http]]", "[[trigger.redis]]", "redis");
        check("manifest_version = 2", "manifest_version = 3", "spin_manifest_version is 3");
        check("component = \"a\"", "component = \"b\"", "component b");
        check("required = true, ", "", "token");
    }
}
