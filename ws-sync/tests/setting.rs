//! Settings of `rondo-sync`: a missing or malformed one is named at start, with exit status 2 and without a
//! secret in the output.

use std::time::Duration;

/// How long the program may take to refuse a setting.
const REFUSAL: Duration = Duration::from_secs(20);
/// Part of every value here that is or may be a secret.
const SECRET: &str = "hunter2";

/// Valid settings; nothing connects to them before all are checked.
const GOOD: [(&str, &str); 4] = [
    ("RONDO_LISTEN", "127.0.0.1:0"),
    ("DATABASE_URL", "postgres://rondo_sync:hunter2@127.0.0.1:1/rondo"),
    ("JWT_SECRET", "hunter2-hunter2-hunter2-hunter2-hunter2"),
    ("KAFKA_BROKERS", "127.0.0.1:1"),
];

#[tokio::test]
async fn missing_or_malformed_settings_are_named() {
    for (name, value) in [
        ("RONDO_LISTEN", "3002"),
        ("OPERATIONS_LISTEN", "3010"),
        ("TRUSTED_PROXIES", "proxy"),
        ("DATABASE_URL", ""),
        ("DATABASE_URL", SECRET),
        ("DATABASE_URL", "postgres://rondo_sync:hunter2@db.example.org/rondo"),
        ("DATABASE_URL_FILE", "/nonexistent"),
        ("JWT_SECRET", ""),
        ("JWT_SECRET", SECRET),
        ("JWT_SECRET_FILE", "/nonexistent"),
        ("JWT_PUBLIC_KEYS", "no document"),
        ("OIDC_ISSUER", "https://id.example.org"),
        ("OIDC_DEFAULT_SCOPES", "tasks:read admin"),
        ("KAFKA_BROKERS", ""),
        ("KAFKA_BROKERS", "no-port"),
        ("KAFKA_SECURITY_PROTOCOL", "TLS"),
        ("KAFKA_PASSWORD", SECRET),
        ("KAFKA_PASSWORD_FILE", "/nonexistent"),
        ("ALLOW_CLEARTEXT", "everything"),
        ("KAFKA_CA", "/nonexistent.pem"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://hunter2@traces.example.org"),
        ("RONDO_LOG", "a=b=c"),
        ("RUST_LOG", "a=b=c"),
    ] {
        let change = (name, value);
        let settings = GOOD.iter().filter(|(setting, _)| *setting != name).chain([&change]);
        let running = tokio::process::Command::new(env!("CARGO_BIN_EXE_rondo-sync"))
            .env_clear()
            .envs(settings.copied())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(REFUSAL, running).await.expect("an end").unwrap();
        let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name} = {value:?}: {printed}");
        assert!(printed.contains(name), "{name} = {value:?}: {printed}");
        assert!(!printed.contains(SECRET), "{name} = {value:?}: {printed}");
    }
}
