//! schemathesis generates valid and invalid requests from the served OpenAPI document and checks each
//! response against it. `cargo xtask test` installs it in a virtual environment; its settings are in
//! xtask/conformance.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rondo_testkit::process::{Program, root};
use rondo_testkit::wait::eventually;
use rondo_tests::arrangement::{self, Arrangement as _, Up};
use rondo_tests::described::operations;
use rondo_tests::story;
use serde_json::json;

/// Variable with the path of the program.
const SCHEMATHESIS: &str = "RONDO_TEST_SCHEMATHESIS";
/// Operations that schemathesis omits: the one that it begins with, and one that its settings exclude.
const LEFT_OUT: [&str; 2] = ["getOpenapi", "changePassword"];
/// The key of links in mails, some of which schemathesis creates itself.
const LINK_SECRET: &str = "the key of links while conformance is tested";
/// Time limit of a run on a busy machine, within the lifetime of an access token; on an idle one it takes a
/// minute.
const RUN_MAX: Duration = Duration::from_secs(14 * 60);

#[tokio::test(flavor = "multi_thread")]
async fn every_response_is_documented() {
    let schemathesis = std::env::var_os(SCHEMATHESIS)
        .unwrap_or_else(|| panic!("{SCHEMATHESIS} is not set; `cargo xtask test` sets it"));
    let mut up = Up::start("conformance", &[("LINK_SECRET", LINK_SECRET.to_owned())]).await;
    let url = up.http();
    let credentials = json!({"email": "ada@example.org", "password": story::PASSWORD});
    story::register(&url, "ada@example.org").await;
    // So that every operation can succeed.
    let session = arrangement::session(&up.postgres()).await;
    let grant = "SELECT scope_grant('ada@example.org', 'admin', true)";
    session.execute(grant, &[]).await.expect("a grant");
    let user = story::login(&url, "ada@example.org").await;
    let counts = up.folder.path().join("counts.json");

    let ours = root().join("xtask/conformance");
    let mut process = Program::new(schemathesis)
        // Its files are removed with the folder.
        .directory(up.folder.path())
        .argument("--config-file")
        .argument(ours.join("schemathesis.toml"))
        .argument("run")
        .argument(format!("{url}/api/openapi.json"))
        .env("SCHEMATHESIS_HOOKS", ours.join("hooks.py"))
        .env("CONFORMANCE_URL", &url)
        .env("CONFORMANCE_TOKEN", &user.token)
        .env("CONFORMANCE_USER_ID", user.id.to_string())
        .env("CONFORMANCE_CREDENTIALS", credentials.to_string())
        .env("CONFORMANCE_MAIL", up.folder.path().join("data/mail"))
        .env("CONFORMANCE_LINK_SECRET", LINK_SECRET)
        .env("CONFORMANCE_COUNTS", &counts)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .start();
    let status = eventually("the end of schemathesis", RUN_MAX, async || {
        process.exited().ok_or_else(|| process.log())
    })
    .await;
    println!("{}", process.log());
    assert!(status.success(), "schemathesis ended with {status}");

    let counts = std::fs::read_to_string(counts).expect("the counts of answers");
    let counts: BTreeMap<String, BTreeMap<String, u32>> =
        serde_json::from_str(&counts).expect("counts by operation and status");
    for (operation, statuses) in &counts {
        println!("{operation}: {statuses:?}");
        assert!(!statuses.keys().any(|status| status.starts_with('5')), "{operation}");
    }
    // An operation without a successful response has not been tested.
    let answered_well: BTreeSet<_> = counts
        .iter()
        .filter(|(_, statuses)| statuses.keys().any(|status| status.starts_with('2')))
        .map(|(operation, _)| operation.clone())
        .collect();
    let described = operations(&url).await.into_iter().map(|operation| operation.id);
    let is_asked = |id: &String| !id.ends_with("Own") && !LEFT_OUT.contains(&id.as_str());
    let described: BTreeSet<_> = described.filter(is_asked).collect();
    assert_eq!(answered_well, described);
    up.stop().await;
}
