//! The component that misbehaves on request (`crates/guest/examples/probe.rs`), served like the components of
//! `rondo host`.

use std::net::SocketAddr;

use rondo_database::Dsn;
use rondo_telemetry::{Gate, serve};
use rondo_testkit::folder::Folder;
use rondo_testkit::http::Client;
use rondo_testkit::process::target_directory;
use rondo_wasm_host::app::Options;
use rondo_wasm_host::variable::Values;
use rondo_wasm_host::{CloudEvent, Manifest, WasmApp};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Maximum number of connections of a test's clients.
const CONNECTIONS_MAX: usize = 1_000;

/// Separates the statements that `/sql` runs.
pub const STATEMENT_SEPARATOR: &str = ";;";

/// Where no database is.
const NO_DATABASE: &str = "postgres://u:x@127.0.0.1:1/d";
const NO_DATABASE_HOST: &str = "127.0.0.1:1";

/// Path prefix for requests to the probe as a component with one instance at a time.
pub const FEW: &str = "/few";

/// The served component; ends when dropped.
pub struct Probe {
    pub app: WasmApp,
    pub client: Client,
    pub address: SocketAddr,
    _serving: DropGuard,
}

impl Probe {
    /// Starts it with this DSN, whose address it may reach.
    ///
    /// # Panics
    /// If the component is not built.
    pub async fn start(database: &Dsn) -> Self {
        let granted = format!("{}:{}", database.host(), database.port());
        Self::with_grant(&database.expose_url(), &granted).await
    }

    /// Starts it without a database.
    ///
    /// # Panics
    /// If the component is not built.
    pub async fn alone() -> Self {
        Self::with_grant(NO_DATABASE, NO_DATABASE_HOST).await
    }

    /// Starts it with a DSN and the permission to reach the address `granted`, which need not match.
    ///
    /// # Panics
    /// If the component is not built.
    pub async fn with_grant(database_url: &str, granted: &str) -> Self {
        let nowhere = "http://127.0.0.1:1";
        Self::with_origin(database_url, granted, nowhere, Options::default()).await
    }

    /// Starts it without a database, with the permission to send requests to `origin`.
    ///
    /// # Panics
    /// If the component is not built.
    pub async fn asking(origin: &str, options: Options) -> Self {
        Self::with_origin(NO_DATABASE, NO_DATABASE_HOST, origin, options).await
    }

    /// Starts it with all of these.
    ///
    /// # Panics
    /// If the component is not built.
    pub async fn with_origin(
        database_url: &str,
        granted: &str,
        origin: &str,
        options: Options,
    ) -> Self {
        let app = load(database_url, granted, origin, options);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let serving = CancellationToken::new();
        let handler = {
            let app = app.clone();
            move |request| {
                let app = app.clone();
                async move { app.handle(request).await }
            }
        };
        tokio::spawn(serve::serve(
            Gate::inner(listener, CONNECTIONS_MAX),
            handler,
            serving.clone(),
        ));
        let client = Client::of_twin(format!("http://{address}"));
        Self { app, client, address, _serving: serving.drop_guard() }
    }

    /// Runs statements in one request on one connection. Returns for each `<rows>x<columns> <values>`, or the
    /// kind of its error and the components' reading of it.
    ///
    /// # Panics
    /// If there is no response.
    pub async fn sql(&self, statements: &[&str]) -> Vec<String> {
        let request = self.client.request(http::Method::POST, "/sql");
        let answer = request.body(statements.join(STATEMENT_SEPARATOR)).send().await;
        answer.expect("an answer").expect(200).text().lines().map(str::to_owned).collect()
    }
}

fn load(database_url: &str, granted: &str, origin: &str, options: Options) -> WasmApp {
    let component = target_directory().join("wasm32-wasip2/wasm/examples/probe.wasm");
    let folder = Folder::new("probe");
    let spin_toml = folder.path().join("spin.toml");
    let text = format!(
        r#"
        spin_manifest_version = 2
        [application]
        name = "probe"
        [variables]
        database_url = {{ required = true, secret = true }}
        database_host = {{ required = true }}
        origin = {{ required = true }}
        [[trigger.http]]
        route = "/..."
        component = "probe"
        [[trigger.http]]
        route = "/events/..."
        component = "probe"
        [[trigger.http]]
        route = "/:first/of/..."
        component = "probe"
        [[trigger.http]]
        route = "{FEW}/..."
        component = "few"
        [component.probe]
        source = {component:?}
        allowed_outbound_hosts = ["postgres://{{{{ database_host }}}}", "{{{{ origin }}}}"]
        [component.probe.variables]
        database_url = "{{{{ database_url }}}}"
        [component.few]
        source = {component:?}
        [component.few.tool.rondo]
        instances = 1
        "#
    );
    std::fs::write(&spin_toml, text).expect("the folder is our own");
    let manifest = Manifest::read(&spin_toml).expect("a manifest");
    let values = Values::resolve(&manifest.variables, |name| {
        let value = match name {
            "database_url" => database_url,
            "database_host" => granted,
            _ => origin,
        };
        Some(value.to_owned())
    });
    WasmApp::load_with(&manifest, &values.expect("every variable has a value"), options)
        .unwrap_or_else(|error| panic!("{error:#}; `cargo xtask test` builds it"))
}

/// An event of a type, by which the component chooses its behaviour.
#[must_use]
pub fn event(event_type: &str) -> CloudEvent {
    CloudEvent {
        id: "6f1c1f0e-7a52-4c3e-9d67-0d6d1a3c9e11".to_owned(),
        event_type: event_type.to_owned(),
        subject: None,
        time: "2031-01-01T00:00:00Z".to_owned(),
        traceparent: None,
        topic: "task-events".to_owned(),
        data: "{}".to_owned(),
    }
}
