//! The bill of materials of a release: the packages in its programs and components, as CycloneDX 1.6 in JSON
//! (ECMA-424). It has no time and no serial number, so that one commit has one bill.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// The folder of the packages that become WebAssembly components.
const COMPONENTS: &str = "/components/";

/// Creates the bill of the programs in `binaries` and of all components. It omits dependencies of tests, but
/// not those of the build.
///
/// `metadata` is the output of `cargo metadata --format-version 1`, `lock` the text of `Cargo.lock`. None if
/// they do not have cargo's format.
#[must_use]
pub fn bill(metadata: &Value, lock: &str, binaries: &[String]) -> Option<Value> {
    let packages: BTreeMap<&str, &Value> = metadata["packages"]
        .as_array()?
        .iter()
        .filter_map(|package| Some((package["id"].as_str()?, package)))
        .collect();
    let edges: BTreeMap<&str, BTreeSet<&str>> = metadata["resolve"]["nodes"]
        .as_array()?
        .iter()
        .filter_map(|node| Some((node["id"].as_str()?, needed(node)?)))
        .collect();
    let products = packages.iter().filter(|(_, package)| is_ours(package));
    let products = products.filter(|(_, package)| is_product(package, binaries));
    let products: BTreeSet<&str> = products.map(|(id, _)| *id).collect();
    let mut seen = BTreeSet::new();
    let mut waiting: Vec<&str> = products.iter().copied().collect();
    while let Some(id) = waiting.pop() {
        if seen.insert(id) {
            waiting.extend(edges.get(id).into_iter().flatten());
        }
    }
    let checksums = checksums(lock);
    let components = seen.iter().map(|id| component(packages.get(id)?, &checksums));
    let version = packages.get(products.first()?)?["version"].as_str()?;
    let release = format!("rondo@{version}");
    let mut dependencies = vec![depends(&release, products.iter().map(|id| packages.get(id)))?];
    for id in &seen {
        let on = edges.get(id).into_iter().flatten().map(|id| packages.get(id));
        dependencies.push(depends(&reference(packages.get(id)?)?, on)?);
    }
    Some(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {
            "type": "application", "bom-ref": release, "name": "rondo", "version": version,
        }},
        "components": components.collect::<Option<Vec<_>>>()?,
        "dependencies": dependencies,
    }))
}

/// Whether a package of ours is built into a component, or into one of `binaries`.
fn is_product(package: &Value, binaries: &[String]) -> bool {
    let is_component = package["manifest_path"].as_str().is_some_and(|at| at.contains(COMPONENTS));
    let targets = package["targets"].as_array().map_or(&[][..], Vec::as_slice);
    let mut names = targets.iter().filter_map(|target| target["name"].as_str());
    is_component || names.any(|name| binaries.iter().any(|binary| binary == name))
}

/// The dependencies that a package is built with, by id.
fn needed(node: &Value) -> Option<BTreeSet<&str>> {
    let is_needed = |dependency: &&Value| {
        dependency["dep_kinds"]
            .as_array()
            .is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"] != "dev"))
    };
    node["deps"].as_array()?.iter().filter(is_needed).map(|one| one["pkg"].as_str()).collect()
}

fn component(package: &Value, checksums: &BTreeMap<(&str, &str), &str>) -> Option<Value> {
    let (name, version) = (package["name"].as_str()?, package["version"].as_str()?);
    let mut component = json!({
        "type": "library", "bom-ref": reference(package)?, "name": name, "version": version,
    });
    if !is_ours(package) {
        component["purl"] = reference(package)?.into();
    }
    if let Some(checksum) = checksums.get(&(name, version)) {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    // Before SPDX expressions, cargo used a slash for OR.
    if let Some(license) = package["license"].as_str() {
        component["licenses"] = json!([{"expression": license.replace('/', " OR ")}]);
    }
    Some(component)
}

fn depends<'a>(
    reference_of: &str,
    on: impl Iterator<Item = Option<&'a &'a Value>>,
) -> Option<Value> {
    let on: Option<BTreeSet<String>> = on.map(|package| reference(package?)).collect();
    Some(json!({"ref": reference_of, "dependsOn": on?}))
}

/// A package URL for a published package, a similar name for one of this repository.
fn reference(package: &Value) -> Option<String> {
    let (name, version) = (package["name"].as_str()?, package["version"].as_str()?);
    Some(match is_ours(package) {
        true => format!("{name}@{version}"),
        // Characters of a version other than letters, digits, dots and dashes are encoded.
        false => format!("pkg:cargo/{name}@{}", version.replace('+', "%2B")),
    })
}

fn is_ours(package: &Value) -> bool {
    package["source"].is_null()
}

/// The SHA-256 of each published package, by name and version.
fn checksums(lock: &str) -> BTreeMap<(&str, &str), &str> {
    let packages = lock.split("[[package]]").skip(1);
    packages
        .filter_map(|package| {
            let value = |key: &str| {
                let mut lines = package.lines();
                lines.find_map(|line| {
                    line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"')
                })
            };
            Some(((value("name")?, value("version")?), value("checksum")?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_lists_the_packages_of_a_release() {
        let package = |name: &str, license: Value, source: Value| {
            let version = if name == "building" { "1.2.3+4" } else { "1.2.3" };
            json!({"id": format!("id of {name}"), "name": name, "version": version,
                   "license": license, "source": source,
                   "manifest_path": match name {
                       "host-bridge" => "/clone/host-bridge/Cargo.toml".to_owned(),
                       _ => format!("/elsewhere/components/{name}/Cargo.toml"),
                   },
                   "targets": [{"name": name}]})
        };
        let node = |name: &str, on: &[(&str, &[Value])]| {
            let deps = on.iter().map(|(name, kinds)| {
                let kinds: Vec<_> = kinds.iter().map(|kind| json!({"kind": kind})).collect();
                json!({"pkg": format!("id of {name}"), "dep_kinds": kinds})
            });
            json!({"id": format!("id of {name}"), "deps": deps.collect::<Vec<_>>()})
        };
        let (normal, build, dev) = (Value::Null, json!("build"), json!("dev"));
        let metadata = json!({
            "packages": [
                package("host-bridge", "MIT OR Apache-2.0".into(), Value::Null),
                package("used", "MIT/Apache-2.0".into(), "registry".into()),
                package("building", Value::Null, "registry".into()),
                package("testing", "MIT".into(), "registry".into()),
                // Not a product, whatever the name.
                package("docs", "MIT".into(), "registry".into()),
            ],
            "resolve": {"nodes": [
                node("host-bridge", &[
                    ("used", &[dev.clone(), normal]), ("building", &[build]), ("testing", &[dev]),
                ]),
                node("used", &[]),
                node("building", &[]),
                node("testing", &[]),
                node("docs", &[]),
            ]},
        });
        let lock = "version = 4\n\n[[package]]\nname = \"used\"\nversion = \"1.2.3\"\n\
                    source = \"registry\"\nchecksum = \"00ff\"\n\n[[package]]\nname = \"used\"\n\
                    version = \"1.2.4\"\nchecksum = \"11ff\"\n";
        let bill = bill(&metadata, lock, &["host-bridge".to_owned()]).unwrap();
        assert_eq!(
            bill["components"],
            json!([
                {"type": "library", "bom-ref": "pkg:cargo/building@1.2.3%2B4", "name": "building",
                 "version": "1.2.3+4", "purl": "pkg:cargo/building@1.2.3%2B4"},
                {"type": "library", "bom-ref": "host-bridge@1.2.3", "name": "host-bridge",
                 "version": "1.2.3", "licenses": [{"expression": "MIT OR Apache-2.0"}]},
                {"type": "library", "bom-ref": "pkg:cargo/used@1.2.3", "name": "used",
                 "version": "1.2.3", "purl": "pkg:cargo/used@1.2.3",
                 "hashes": [{"alg": "SHA-256", "content": "00ff"}],
                 "licenses": [{"expression": "MIT OR Apache-2.0"}]},
            ])
        );
        assert_eq!(
            bill["dependencies"],
            json!([
                {"ref": "rondo@1.2.3", "dependsOn": ["host-bridge@1.2.3"]},
                {"ref": "pkg:cargo/building@1.2.3%2B4", "dependsOn": []},
                {"ref": "host-bridge@1.2.3",
                 "dependsOn": ["pkg:cargo/building@1.2.3%2B4", "pkg:cargo/used@1.2.3"]},
                {"ref": "pkg:cargo/used@1.2.3", "dependsOn": []},
            ])
        );
        assert_eq!(super::bill(&json!({}), lock, &[]), None);
    }
}
