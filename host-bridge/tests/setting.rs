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
    ("EVENT_TOKEN", "hunter2-hunter2-hunter2-hunter2-hunter2"),
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
    refused(UP, &[], ("LINK_SECRET_PREVIOUS", SECRET), "LINK_SECRET_PREVIOUS").await;
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
    refused(UP, &[], ("OPERATIONS_LISTEN", "3009"), "OPERATIONS_LISTEN").await;
    refused(HOST, &[], ("OPERATIONS_LISTEN", "3011"), "OPERATIONS_LISTEN").await;
    for command in [UP, HOST, BRIDGE] {
        refused(command, &[], ("RONDO_LOG_FORMAT", "xml"), "must be auto, json or text").await;
    }
    for connections in ["0", "121", "many"] {
        let change = ("COMPONENT_CONNECTIONS", connections);
        refused(HOST, &[], change, "COMPONENT_CONNECTIONS").await;
    }
    let database = &[("DATABASE_URL", "postgres://ada:hunter2@127.0.0.1:1/rondo")];
    let limits = ("ROLE_CONNECTIONS", "rondo_nobody=3");
    refused(&["migrate", "up"], database, limits, "ROLE_CONNECTIONS").await;
    for command in [UP, HOST] {
        refused(command, &[], ("CORS_ORIGINS", "*"), "CORS_ORIGINS").await;
        let with_path = ("CORS_ORIGINS", "https://app.example.org, https://app.example.org/app");
        refused(command, &[], with_path, "CORS_ORIGINS").await;
    }
    refused(UP, &[], ("JWT_SIGNING_KEY", "{\"d\":\"hunter2\"}"), "JWT_SIGNING_KEY").await;
    refused(UP, &[], ("JWT_PUBLIC_KEYS", "no document"), "JWT_PUBLIC_KEYS").await;
    refused(UP, &[], ("OIDC_ISSUER", "https://id.example.org"), "OIDC_AUDIENCE").await;
    // A variable of spin.toml that has no default.
    let missing = ("SPIN_VARIABLE_JWT_SECRET", "");
    refused(HOST, &[], missing, "SPIN_VARIABLE_").await;
}

#[tokio::test]
async fn the_host_names_variables_that_would_fail_when_they_are_used() {
    const LONG: &str = "hunter2-hunter2-hunter2-hunter2-hunter2";
    const ROLES: [&str; 7] = ["TASK_API", "RECURRENCE", "NOTIFY", "AUDIT", "AUTH", "MCP", "CHAT"];
    let urls = ROLES.map(|role| format!("SPIN_VARIABLE_{role}_DATABASE_URL"));
    let mut good: Vec<(&str, &str)> =
        urls.iter().map(|name| (&**name, "postgres://u:hunter2@127.0.0.1:1/rondo")).collect();
    good.extend([
        ("SPIN_VARIABLE_DATABASE_HOST", "127.0.0.1:1"),
        ("SPIN_VARIABLE_JWT_SECRET", LONG),
        ("SPIN_VARIABLE_LINK_SECRET", LONG),
        ("SPIN_VARIABLE_EVENT_TOKEN", LONG),
    ]);
    for (name, value) in [
        ("SPIN_VARIABLE_JWT_SECRET", ""),
        ("SPIN_VARIABLE_JWT_SECRET", SECRET),
        ("SPIN_VARIABLE_LINK_SECRET", SECRET),
        ("SPIN_VARIABLE_LINK_SECRET_PREVIOUS", SECRET),
        ("SPIN_VARIABLE_EVENT_TOKEN", SECRET),
        ("SPIN_VARIABLE_EVENT_TOKEN_PREVIOUS", SECRET),
        ("SPIN_VARIABLE_AUTH_DATABASE_URL", SECRET),
        ("SPIN_VARIABLE_AUTH_DATABASE_URL", "postgres://u:hunter2@db/rondo"),
    ] {
        refused(HOST, &good, (name, value), name).await;
    }
    // Beside a signing key, no component may have what makes tokens.
    let key = ("SPIN_VARIABLE_JWT_SIGNING_KEY", "{}");
    refused(HOST, &good, key, "SPIN_VARIABLE_JWT_SECRET").await;
}

/// A command, settings that are good for it, and the names of its secrets.
type Taker =
    (&'static [&'static str], &'static [(&'static str, &'static str)], &'static [&'static str]);

/// Each secret of each command.
const SECRETS: &[Taker] = &[
    (
        UP,
        &[
            ("KAFKA_BROKERS", "127.0.0.1:1"),
            ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
            ("KAFKA_USERNAME", "ada"),
            ("KAFKA_PASSWORD", SECRET),
        ],
        &[
            "DATABASE_URL",
            "JWT_SECRET",
            "JWT_SIGNING_KEY",
            "LINK_SECRET",
            "LINK_SECRET_PREVIOUS",
            "SMTP_URL",
            "KAFKA_PASSWORD",
        ],
    ),
    (BRIDGE, BRIDGE_SETTINGS, &["DATABASE_URL", "EVENT_TOKEN", "SMTP_URL", "KAFKA_PASSWORD"]),
    (&["dlq", "list"], &[], &["DATABASE_URL"]),
];

#[tokio::test]
async fn a_secret_comes_from_the_environment_or_from_a_file_and_from_no_argument() {
    for (command, good, names) in SECRETS {
        let (code, help) = run(&[command[0], "--help"], &[]).await;
        assert_eq!(code, Some(0), "{help}");
        for name in *names {
            let file = format!("{name}_FILE");
            assert!(help.contains(&format!("[env: {file}=]")), "{file} is not in {help}");
            let good: Vec<_> = good.iter().copied().filter(|(of, _)| of != name).collect();
            refused(command, &good, (&file, "/nonexistent/key"), &file).await;
            let both = [&good[..], &[(*name, SECRET)]].concat();
            refused(command, &both, (&file, "/nonexistent/key"), &file).await;
            refused(command, &both, (&file, "/nonexistent/key"), &format!("{name}: ")).await;
            let option = format!("--{}", name.to_lowercase().replace('_', "-"));
            let argument = [command, &[&*option, SECRET][..]].concat();
            refused(&argument, &good, ("RONDO_LOG", ""), &option).await;
        }
    }
}

#[tokio::test]
async fn a_file_has_what_the_variable_would_have() {
    let folder = Folder::new("setting");
    let path = folder.path().join("url");
    std::fs::write(&path, "postgres://ada:hunter2@127.0.0.1:1/rondo\n").unwrap();
    let file = ("DATABASE_URL_FILE", path.to_str().unwrap());
    let (code, printed) = run(&["dlq", "list"], &[file]).await;
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("127.0.0.1:1") && !printed.contains(SECRET), "{printed}");
    std::fs::write(&path, "hunter2-hunter2").unwrap();
    refused(UP, &[], ("JWT_SECRET_FILE", path.to_str().unwrap()), "JWT_SECRET").await;
}

#[tokio::test]
async fn secrets_leave_this_machine_by_tls_unless_that_is_said() {
    let database = ("DATABASE_URL", "postgres://rondo:hunter2@db.example.org/rondo");
    let mail = ("SMTP_URL", "smtp://ada:hunter2@10.0.0.1:25");
    let kafka = [
        ("KAFKA_BROKERS", "broker.example.org:1"),
        ("KAFKA_USERNAME", "ada"),
        ("KAFKA_PASSWORD", SECRET),
    ];
    let sasl = ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT");
    for command in [UP, BRIDGE] {
        let good = |without: &[&str]| -> Vec<_> {
            let settings = BRIDGE_SETTINGS.iter().filter(|(name, _)| !without.contains(name));
            settings.copied().filter(|_| command == BRIDGE).collect()
        };
        refused(command, &good(&[]), database, "ALLOW_CLEARTEXT=postgres").await;
        refused(command, &good(&[]), mail, "ALLOW_CLEARTEXT=smtp").await;
        let settings = [&good(&["KAFKA_BROKERS"])[..], &kafka].concat();
        refused(command, &settings, sasl, "ALLOW_CLEARTEXT=kafka").await;
        // What is allowed is not refused: the next setting is.
        let allowed = ("ALLOW_CLEARTEXT", "smtp,postgres,kafka");
        let settings = [&settings[..], &[sasl, mail, allowed]].concat();
        refused(command, &settings, ("SMTP_CA", "/nonexistent.pem"), "SMTP_CA").await;
        refused(command, &good(&[]), ("ALLOW_CLEARTEXT", "all"), "ALLOW_CLEARTEXT").await;
    }
    for command in DATABASE_ONLY {
        refused(command, &[], database, "ALLOW_CLEARTEXT=postgres").await;
    }
    let (code, printed) = run(
        &["dlq", "list"],
        &[("DATABASE_URL", "postgres://a:hunter2@db.invalid/d"), ("ALLOW_CLEARTEXT", "postgres")],
    )
    .await;
    assert_eq!(code, Some(1), "it has been tried: {printed}");
}

#[tokio::test]
async fn a_signing_key_stands_alone() {
    let private = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#;
    let secret = ("JWT_SECRET", "hunter2-hunter2-hunter2-hunter2-hunter2");
    refused(UP, &[secret], ("JWT_SIGNING_KEY", private), "JWT_SECRET").await;
    refused(UP, &[secret], ("JWT_SIGNING_KEY", private), "JWT_SIGNING_KEY").await;
}

#[tokio::test]
async fn the_bridge_names_what_it_misses() {
    for (setting, _) in BRIDGE_SETTINGS {
        refused(BRIDGE, BRIDGE_SETTINGS, (setting, ""), setting).await;
    }
    for wrong in [
        ("COMPONENTS_URL", "https://"),
        ("EVENT_TOKEN", "hunter2-hunter2-hunter2-hunter2"),
        ("EVENT_TOKEN", "hunter2-hunter2-hunter2-hunter2 \u{7f}"),
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
async fn a_malformed_setting_of_the_export_is_named_and_its_key_is_not() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://hunter2@traces.example.org");
    let headers = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-key:hunter2");
    let good = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://traces.example.org");
    let ratio = ("OTEL_TRACES_SAMPLER_ARG", "hunter2");
    for (command, needed) in [(UP, &[][..]), (HOST, &[]), (BRIDGE, BRIDGE_SETTINGS)] {
        refused(command, needed, endpoint, endpoint.0).await;
        let exporting = [needed, &[good]].concat();
        refused(command, &exporting, headers, headers.0).await;
        refused(command, &exporting, ratio, ratio.0).await;
    }
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
