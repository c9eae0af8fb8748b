//! Laws: facts that k8s/ repeats agree with the code, and its alerts, runbooks and dashboards are complete.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rondo_contract::topic::TOPICS;
use rondo_database::Role;
use rondo_tests::metric::metrics;
use rondo_tests::source::{files, text};
use serde_json::{Value, json};

const CHART: &str = "k8s/chart/files";
/// Prefixes of other programs' metrics that rules and dashboards may use: Traefik, kube-state-metrics, cAdvisor,
/// CloudNativePG.
const FOREIGN_METRICS: [&str; 4] = ["traefik_", "kube_", "container_", "cnpg_"];

fn json_of(path: &str) -> Value {
    serde_json::from_str(&text(Path::new(path))).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The chart's files in a folder: path and text.
fn texts(folder: &str, extension: &str) -> BTreeMap<String, String> {
    let folder = Path::new(CHART).join(folder);
    let found = files(extension).into_iter().filter(|path| path.starts_with(&folder));
    let texts: BTreeMap<_, _> =
        found.map(|path| (path.display().to_string(), text(&path))).collect();
    assert!(!texts.is_empty(), "no .{extension} file in {}", folder.display());
    texts
}

/// The rest of each line that begins with `key`.
fn words_after<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.trim_start().strip_prefix(key)).map(str::trim).collect()
}

fn alerts() -> BTreeSet<String> {
    let rules = texts("rule", "yaml");
    rules.values().flat_map(|text| words_after(text, "- alert:")).map(str::to_owned).collect()
}

/// The metric names in a text that begin with `prefix`.
fn names<'a>(text: &'a str, prefix: &str) -> BTreeSet<&'a str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && !"_:".contains(c))
        .filter(|word| word.starts_with(prefix))
        .collect()
}

#[test]
fn topics_are_those_of_the_contract() {
    let expected: Vec<Value> = TOPICS
        .iter()
        .map(|topic| {
            json!({"name": topic.name, "partitions": topic.partitions,
                   "retentionDays": topic.retention_days})
        })
        .collect();
    assert_eq!(json_of("k8s/chart/files/topic.json"), Value::Array(expected));
}

#[test]
fn roles_have_the_limits_that_the_migration_gives_them() {
    let database = json_of("k8s/chart/files/database.json");
    let roles = database["roles"].as_object().unwrap();
    assert_eq!(roles.len(), Role::ALL.len());
    for role in Role::ALL {
        let limit = role.limit();
        let found = &roles[&role.name()];
        for (key, expected) in [
            ("connections", limit.connections_max),
            ("statementTimeoutMs", limit.statement_timeout_ms),
            ("idleInTransactionMs", limit.idle_in_transaction_ms),
            ("idleSessionMs", limit.idle_session_ms),
        ] {
            assert_eq!(found[key], expected, "{role}: {key}");
        }
        let name = role.name();
        let service = name.trim_start_matches("rondo_");
        let workload = if role.component().is_some() { "components" } else { service };
        assert_eq!(found["workload"], workload, "{role}");
    }
}

#[test]
fn sessions_are_the_bounds_of_the_pools() {
    let sessions = &json_of("k8s/chart/files/database.json")["sessions"];
    let bound = |path: &str, constant: &str| -> u64 {
        let text = text(Path::new(path));
        let place = format!("const {constant}: ");
        let rest = text.split_once(&place).unwrap_or_else(|| panic!("{path} has no {constant}")).1;
        let value = rest.split_once('=').unwrap().1.split_once(';').unwrap().0;
        value.trim().parse().unwrap()
    };
    let host = bound("crates/wasm-host/src/session.rs", "POOL_SESSIONS_MAX");
    assert_eq!(sessions["host"], host);
    // The relay and the claim of the transport each hold a connection outside the pools.
    let bridge = "host-bridge/src/database.rs";
    let pools = bound(bridge, "CONNECTIONS_MAX") + bound(bridge, "RELAY_CONNECTIONS_MAX");
    assert_eq!(sessions["bridge"], pools + 2);
    assert_eq!(sessions["sync"], bound("ws-sync/src/store.rs", "STORE_CONNECTIONS_MAX"));
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let alerts = alerts();
    let runbooks: BTreeSet<_> = files("md")
        .into_iter()
        .filter(|path| path.starts_with("docs/runbooks"))
        .map(|path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    assert_eq!(alerts, runbooks);
    let rules: String = texts("rule", "yaml").into_values().collect();
    let named: BTreeSet<_> = words_after(&rules, "runbook_url:").into_iter().collect();
    let expected: Vec<_> = alerts.iter().map(|name| format!("docs/runbooks/{name}.md")).collect();
    assert_eq!(named, expected.iter().map(String::as_str).collect());
    for name in alerts {
        let page = text(&Path::new("docs/runbooks").join(format!("{name}.md")));
        assert!(page.starts_with(&format!("# {name}\n")), "{name}");
    }
}

#[test]
fn every_alert_is_tested_to_fire_and_not_to() {
    let tests: BTreeSet<String> = files("yaml")
        .into_iter()
        .filter(|path| path.starts_with("k8s/alert"))
        .flat_map(|path| {
            let text = text(&path);
            words_after(&text, "- name:").into_iter().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let expected = alerts()
        .into_iter()
        .flat_map(|name| [format!("{name} fires"), format!("{name} does not fire")]);
    assert_eq!(tests, expected.collect());
}

#[test]
fn every_metric_of_a_rule_or_panel_exists() {
    let mut known = BTreeSet::new();
    for (name, kind, _) in metrics() {
        match kind.as_str() {
            "histogram" => {
                known.extend(["_bucket", "_sum", "_count"].map(|part| format!("{name}{part}")));
            }
            _ => drop(known.insert(name)),
        }
    }
    assert!(known.contains("rondo_outbox_rows"), "{known:?}");
    let mut asked = 0;
    for (path, text) in texts("rule", "yaml").into_iter().chain(texts("dashboard", "json")) {
        let ours = names(&text, "rondo_");
        let unknown: Vec<_> = ours.iter().filter(|name| !known.contains(**name)).collect();
        assert!(unknown.is_empty(), "{path} asks for {unknown:?}");
        // A recorded series needs its recording rule.
        let recorded = names(&text, "rondo:");
        let made: BTreeSet<_> = words_after(&text, "- record:").into_iter().collect();
        assert!(recorded.is_subset(&made), "{path}: {:?}", recorded.difference(&made));
        // A selector names a metric of ours or of a known program.
        let selected = text.match_indices(['{', '[']).map(|(at, _)| {
            let is_name = |c: char| c.is_ascii_alphanumeric() || "_:".contains(c);
            text[..at].rsplit(|c| !is_name(c)).next().unwrap()
        });
        for name in selected.filter(|name| !name.is_empty()) {
            let is_known = |prefix: &&str| name.starts_with(*prefix);
            let is_ours = name.starts_with("rondo_") || name.starts_with("rondo:");
            assert!(is_ours || FOREIGN_METRICS.iter().any(is_known), "{path} asks for {name}");
            asked += 1;
        }
    }
    assert!(asked > 20, "only {asked} metrics were found");
}

/// Each panel has a query and a description.
#[test]
fn dashboards_are_whole() {
    for (path, text) in texts("dashboard", "json") {
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        let name = Path::new(&path).file_stem().unwrap().to_string_lossy().into_owned();
        assert_eq!(dashboard["uid"], format!("rondo-{name}"), "{path}");
        let panels = dashboard["panels"].as_array().unwrap();
        assert!(!panels.is_empty(), "{path}");
        for panel in panels {
            let title = &panel["title"];
            assert!(!panel["description"].as_str().unwrap_or_default().is_empty(), "{title}");
            let targets = panel["targets"].as_array().unwrap();
            let has_query = |target: &Value| target["expr"].as_str().is_some_and(|e| !e.is_empty());
            assert!(!targets.is_empty() && targets.iter().all(has_query), "{path}: {title}");
        }
    }
}
