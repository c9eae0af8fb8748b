//! The web client in a real Chromium. The scripts beside this file drive it, by playwright-core; each has a running
//! Rondo of its own. What a failed one saw is in target/browser.

use std::io::Write as _;
use std::time::Duration;

use rondo_domain::normal::{Form, normal as normal_form};
use rondo_testkit::process::{Program, root, target_directory};
use rondo_tests::arrangement::{self, Arrangement as _, Up};

/// Variables with the folder of npm's packages and the path of Chromium.
const PACKAGES: &str = "RONDO_TEST_PACKAGES";
const CHROMIUM: &str = "RONDO_TEST_CHROMIUM";
/// Time limit of a script on a busy machine.
const RUN_MAX: Duration = Duration::from_secs(15 * 60);
/// How a script marks what is shown also when it succeeds.
const FIGURE: &str = "figure: ";

/// The lifetime of access tokens in the test of it.
const ACCESS_SECONDS: u32 = 4;
/// Between two runs of what forgets deletions.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs a script against a Rondo with these settings.
async fn script(name: &str, settings: &[(&str, String)]) {
    let mut up = start(name, settings).await;
    run(name, &up).await;
    up.stop().await;
}

async fn start(name: &str, settings: &[(&str, String)]) -> Up {
    Up::start(&format!("browser-{name}"), settings).await
}

async fn run(name: &str, up: &Up) {
    let [packages, chromium] = [PACKAGES, CHROMIUM].map(|variable| {
        std::env::var_os(variable)
            .unwrap_or_else(|| panic!("{variable} is not set; `cargo xtask test` sets it"))
    });
    let mut process = Program::new("node")
        .arguments(["--test", "--test-reporter=spec"])
        .argument(root().join("tests/browser").join(name).with_extension("mjs"))
        .env("NODE_PATH", packages)
        .env("RONDO_CHROMIUM", chromium)
        .env("RONDO_URL", up.http())
        .env("RONDO_MAIL", up.folder.path().join("data/mail"))
        .env("RONDO_KEPT", target_directory().join("browser"))
        .start();
    let status = process.exit(RUN_MAX).await;
    let log = process.log();
    println!("{log}");
    // Past what the test program captures.
    for line in log.lines().filter(|line| line.contains(FIGURE)) {
        let _ = writeln!(std::io::stderr(), "{}", line.trim());
    }
    assert!(status.success(), "{name}.mjs ended with {status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn journey() {
    script("journey", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn look() {
    script("look", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keyboard() {
    script("keyboard", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offline() {
    script("offline", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn task() {
    script("task", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn place() {
    script("place", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn account() {
    script("account", &[("WEBHOOK_ALLOW_LOOPBACK", "true".to_owned())]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chat() {
    script("chat", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many() {
    script("many", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn normal() {
    // Each character that has another form, alone and before a mark that would join it.
    let characters = (0..=u32::from(char::MAX)).filter_map(char::from_u32);
    let texts = characters.flat_map(|c| [c.to_string(), format!("{c}\u{301}")]);
    let forms = texts.filter_map(|text| {
        let forms = Form::ALL.map(|form| normal_form(&text, form));
        let is_changed = forms.iter().any(|form| *form != text);
        is_changed.then(|| std::iter::once(text).chain(forms).collect::<Vec<_>>())
    });
    let folder = target_directory().join("browser");
    std::fs::create_dir_all(&folder).unwrap();
    let forms: Vec<_> = forms.collect();
    std::fs::write(folder.join("normal.json"), serde_json::to_string(&forms).unwrap()).unwrap();
    script("normal", &[]).await;
}

/// Access tokens expire while devices sync.
#[tokio::test(flavor = "multi_thread")]
async fn session() {
    script("session", &[("SPIN_VARIABLE_ACCESS_TOKEN_SECONDS", ACCESS_SECONDS.to_string())]).await;
}

/// Deletions are forgotten at once.
#[tokio::test(flavor = "multi_thread")]
async fn restart() {
    let mut up = start("restart", &[]).await;
    let session = arrangement::session(&up.postgres()).await;
    let forget = tokio::spawn(async move {
        loop {
            session.execute("SELECT deletions_retain(0)", &[]).await.expect("no deletion is kept");
            tokio::time::sleep(PAUSE).await;
        }
    });
    run("restart", &up).await;
    forget.abort();
    up.stop().await;
}
