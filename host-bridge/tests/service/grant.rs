//! `rondo user grant`: only the owner of the schema makes an administrator.

use std::time::Duration;

use rondo_database::{Dsn, Role};

use crate::seed::Seed;

const SOON: Duration = Duration::from_secs(20);

/// Runs the command; gives its exit status and what it printed.
async fn grant(dsn: &Dsn, email: &str) -> (Option<i32>, String) {
    let running = tokio::process::Command::new(env!("CARGO_BIN_EXE_rondo"))
        .args(["user", "grant", email, "admin"])
        .env_clear()
        .env("DATABASE_URL", dsn.expose_url())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(SOON, running).await.expect("an end").unwrap();
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code(), printed)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_service_makes_an_administrator() {
    const GRANTED: &str = "SELECT granted_scopes FROM users";
    let seed = Seed::new().await;
    for role in Role::ALL {
        let (code, printed) = grant(&seed.database.dsn(role), "ada@example.org").await;
        assert_eq!(code, Some(1), "{role}: {printed}");
        // Some may not even see what the schema is.
        let is_told = printed.contains("the one of `rondo migrate`");
        assert!(is_told || role != Role::Bridge, "{role}: {printed}");
        assert_eq!(printed.lines().count(), 1, "{printed}");
    }
    assert_eq!(seed.text(GRANTED).await, "{}");
    let owner = seed.database.admin();
    assert_eq!(grant(&owner, "Ada@Example.org").await, (Some(0), String::new()));
    assert_eq!(seed.text(GRANTED).await, "{admin}");
    let (code, printed) = grant(&owner, "bob@example.org").await;
    assert!(code == Some(1) && printed.contains("no account bob@example.org"), "{printed}");
}
