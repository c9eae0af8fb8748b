//! Settings: whatever is missing or malformed is named at start, with exit status 2 and without a
//! secret in what is printed. Run on the built binary, as an operator meets it.

use std::time::Duration;

use rondo_testkit::folder::Folder;
use rondo_testkit::process::root;

/// How long a program may take to refuse a setting.
const REFUSAL: Duration = Duration::from_secs(20);
/// Part of every value here that is or may be a secret.
const SECRET: &str = "hunter2";

const UP: &[&str] = &["up"];
const HOST: &[&str] = &["host"];
const BRIDGE: &[&str] = &["bridge"];
const DATABASE_ONLY: &[&[&str]] = &[
    &["migrate", "up"],
    &["migrate", "status"],
    &["dlq", "list"],
    &["dlq", "show", "1"],
    &["dlq", "redrive", "1"],
    &["dlq", "discard", "1"],
    &["transport", "switch", "local"],
    &["user", "grant", "ada@example.org", "admin"],
    &["user", "invite"],
];

/// What the bridge needs at least; nothing of it is reached before all settings are checked.
const BRIDGE_SETTINGS: &[(&str, &str)] = &[
    ("DATABASE_URL", "postgres://rondo_bridge:hunter2@127.0.0.1:1/rondo"),
    ("COMPONENTS_URL", "http://127.0.0.1:1"),
    ("EVENT_TOKEN", "hunter2-hunter2"),
    ("KAFKA_BROKERS", "127.0.0.1:1"),
];

/// Runs the program with these settings alone; gives its status and what it printed.
async fn run(arguments: &[&str], settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let running = tokio::process::Command::new(env!("CARGO_BIN_EXE_rondo"))
        .args(arguments)
        .current_dir(root())
        .env_clear()
        .envs(settings.iter().copied())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(REFUSAL, running).await.expect("an end").unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(printed).unwrap())
}

/// Runs a command with good settings, one of which is changed, and expects it to be refused.
async fn refused(command: &[&str], good: &[(&str, &str)], change: (&str, &str), named: &str) {
    let folder = Folder::new("setting");
    let data = folder.path().join("data");
    let mut settings =
        vec![("RONDO_DATA", data.to_str().unwrap()), ("RONDO_LISTEN", "127.0.0.1:0")];
    settings.extend(good.iter().filter(|(name, _)| *name != change.0));
    settings.push(change);
    let (code, printed) = run(command, &settings).await;
    let case = format!("{command:?} with {} = {:?}: {printed}", change.0, change.1);
    assert_eq!(code, Some(2), "{case}");
    assert!(printed.contains(named), "{named} is not named by {case}");
    assert!(!printed.contains(SECRET), "a secret is printed by {case}");
    assert!(!data.join("secrets").exists(), "something was begun by {case}");
}

#[tokio::test]
async fn kafka_and_mail_are_checked_before_anything_is_begun() {
    let common: &[(&str, &str)] = &[
        ("KAFKA_BROKERS", "no-port"),
        ("SMTP_URL", "http://ada:hunter2@mail.example.org"),
        ("SMTP_URL", "hunter2"),
        ("SMTP_FROM", "nobody in particular"),
        ("REMINDER_LATENESS_MINUTES", "0"),
        ("REMINDER_LATENESS_MINUTES", "a day"),
        ("AUDIT_RETENTION_DAYS", "0"),
        ("AUDIT_RETENTION_DAYS", "for ever"),
        ("RONDO_LISTEN", "3000"),
        ("RONDO_LISTEN", "127.0.0.1:http"),
    ];
    for &change in common {
        refused(UP, &[], change, change.0).await;
        refused(BRIDGE, BRIDGE_SETTINGS, change, change.0).await;
    }
}

#[tokio::test]
async fn settings_of_kafka_go_together() {
    let brokers = ("KAFKA_BROKERS", "127.0.0.1:1");
    let sasl = ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT");
    let user = ("KAFKA_USERNAME", "ada");
    refused(UP, &[brokers], ("KAFKA_SECURITY_PROTOCOL", "TLS"), "KAFKA_SECURITY_PROTOCOL").await;
    refused(UP, &[brokers, sasl, user], ("KAFKA_PASSWORD", ""), "KAFKA_PASSWORD").await;
    refused(UP, &[brokers, sasl], ("KAFKA_PASSWORD", SECRET), "KAFKA_USERNAME").await;
    let login = [brokers, sasl, user, ("KAFKA_PASSWORD", SECRET)];
    refused(UP, &login, ("KAFKA_SASL_MECHANISM", "GSSAPI"), "KAFKA_SASL_MECHANISM").await;
    refused(UP, &[brokers], ("KAFKA_CA", "/nonexistent.pem"), "KAFKA_CA").await;
    // Without brokers they would have no effect, which nobody wants who sets one.
    refused(UP, &[], ("KAFKA_PASSWORD", SECRET), "KAFKA_PASSWORD").await;
}

#[tokio::test]
async fn up_and_host_name_what_they_cannot_use() {
    refused(UP, &[], ("JWT_SECRET", SECRET), "JWT_SECRET").await;
    refused(UP, &[], ("LINK_SECRET", SECRET), "LINK_SECRET").await;
    let smtp = &[("SMTP_URL", "smtps://ada:hunter2@127.0.0.1:1")];
    refused(UP, smtp, ("SMTP_CA", "/nonexistent/ca.pem"), "SMTP_CA").await;
    refused(UP, smtp, ("SMTP_CA", "spin.toml"), "SMTP_CA").await;
    refused(UP, &[], ("DATABASE_URL", SECRET), "DATABASE_URL").await;
    let with_password = "postgres://ada:hunter2@127.0.0.1:1/rondo?sslmode=hunter2";
    refused(UP, &[], ("DATABASE_URL", with_password), "DATABASE_URL").await;
    refused(UP, &[], ("RONDO_SPIN_TOML", "/nonexistent/spin.toml"), "RONDO_SPIN_TOML").await;
    refused(HOST, &[], ("RONDO_SPIN_TOML", "Cargo.toml"), "RONDO_SPIN_TOML").await;
    refused(HOST, &[], ("RONDO_LISTEN", "localhost"), "RONDO_LISTEN").await;
    refused(UP, &[], ("PUBLIC_URL", "tasks.example.org"), "PUBLIC_URL").await;
    refused(UP, &[], ("REQUIRE_VERIFIED_EMAIL", "maybe"), "REQUIRE_VERIFIED_EMAIL").await;
    refused(UP, &[], ("TRUSTED_PROXIES", "proxy"), "TRUSTED_PROXIES").await;
    refused(UP, &[], ("RATE_LIMITS", "many"), "RATE_LIMITS").await;
    refused(UP, &[], ("JWT_SIGNING_KEY", "{\"d\":\"hunter2\"}"), "JWT_SIGNING_KEY").await;
    refused(UP, &[], ("JWT_PUBLIC_KEYS", "no document"), "JWT_PUBLIC_KEYS").await;
    refused(UP, &[], ("OIDC_ISSUER", "https://id.example.org"), "OIDC_AUDIENCE").await;
    // A variable of spin.toml that has no default.
    let missing = ("SPIN_VARIABLE_JWT_SECRET", "");
    refused(HOST, &[], missing, "SPIN_VARIABLE_").await;
}

#[tokio::test]
async fn the_bridge_names_what_it_misses() {
    for (setting, _) in BRIDGE_SETTINGS {
        refused(BRIDGE, BRIDGE_SETTINGS, (setting, ""), setting).await;
    }
    for wrong in [
        ("COMPONENTS_URL", "https://"),
        ("EVENT_TOKEN", "hunter2 \u{7f}"),
        ("OIDC_ISSUER", "id.example.org"),
    ] {
        refused(BRIDGE, BRIDGE_SETTINGS, wrong, wrong.0).await;
    }
}

#[tokio::test]
async fn every_command_on_a_database_asks_for_its_url() {
    for command in DATABASE_ONLY {
        refused(command, &[], ("DATABASE_URL", ""), "DATABASE_URL").await;
        refused(command, &[], ("DATABASE_URL", "mysql://ada:hunter2@db"), "DATABASE_URL").await;
    }
    let unknown = ["user", "grant", "ada@example.org", "root"];
    refused(&unknown, &[], ("DATABASE_URL", "postgres://ada:hunter2@h/d"), "root").await;
}

#[tokio::test]
async fn what_is_logged_is_a_setting_too() {
    for name in ["RONDO_LOG", "RUST_LOG"] {
        refused(UP, &[], (name, "a=b=c"), name).await;
        refused(&["dlq", "list"], &[], (name, "a=b=c"), name).await;
    }
}

#[tokio::test]
async fn an_export_that_is_not_built_in_is_said_once_and_its_key_is_not() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://hunter2@traces.example.org");
    let (code, printed) = run(&["dlq", "list"], &[endpoint]).await;
    let said: Vec<_> = printed.lines().filter(|line| line.contains(endpoint.0)).collect();
    assert_eq!((code, said.len()), (Some(2), 1), "{printed}");
    let warning: serde_json::Value = serde_json::from_str(said[0]).expect("logs are JSON lines");
    assert_eq!(warning["level"], "warn");
    assert!(!printed.contains(SECRET), "{printed}");
}

#[tokio::test]
async fn a_database_that_is_away_is_a_failure_in_one_line() {
    let url = ("DATABASE_URL", "postgres://ada:hunter2@127.0.0.1:1/rondo");
    let (code, printed) = run(&["dlq", "list"], &[url]).await;
    assert_eq!((code, printed.lines().count()), (Some(1), 1), "{printed}");
    assert!(printed.contains("127.0.0.1:1") && !printed.contains(SECRET), "{printed}");
}

#[tokio::test]
async fn the_version_is_told() {
    let (code, printed) = run(&["--version"], &[]).await;
    let version = format!("rondo {} (time zone data 20", env!("CARGO_PKG_VERSION"));
    assert!(code == Some(0) && printed.starts_with(&version), "{printed}");
}
