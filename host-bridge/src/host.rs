//! `rondo host`: serves the components of spin.toml, with all their routes, as Spin does, and metrics to operators.

use std::io::ErrorKind;

use http::{Request, Response};
use hyper::body::Incoming;
use rondo_contract::address::TrustedProxies;
use rondo_contract::token::check::Keys;
use rondo_contract::token::key::JwkSet;
use rondo_contract::token::{HmacKey, SECRET_BYTES_MIN};
use rondo_database::Dsn;
use rondo_setting::{Cleartext, refusal};
use rondo_telemetry::{
    Metrics, Program, Shutdown, connection, open_files_raised, operations, serve,
};
use rondo_wasm_host::WasmApp;
use rondo_wasm_host::app::{Options, REQUEST_INSTANCES_MAX};
use rondo_wasm_host::engine::EVENT_INSTANCES_MIN;
use rondo_wasm_host::variable::{Values, VariableError};
use tokio::net::TcpListener;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use crate::edge::{Edge, Exposure};
use crate::operations::Operations;
use crate::option::{HostArgs, manifest};

/// The option of the main listener's address, for error messages.
pub const LISTEN_OPTION: &str = "--listen (RONDO_LISTEN)";
/// The option of the address for operators, likewise.
pub const OPERATIONS_OPTION: &str = "--operations-listen (OPERATIONS_LISTEN)";
/// Operators' address when the main listener is not on loopback.
const OPERATIONS_LISTEN: &str = "127.0.0.1:3011";
/// The setting of the components' variable with the trusted proxies.
const TRUSTED_SETTING: &str = "SPIN_VARIABLE_TRUSTED_PROXIES";

/// Serves until `shutdown`.
///
/// # Errors
/// When the manifest, a variable or a component is invalid, or the address is in use.
pub async fn run(args: HostArgs, cleartext: &Cleartext, shutdown: &Shutdown) -> anyhow::Result<()> {
    let manifest = manifest(&args.spin_toml)?;
    let origins = args.web.cors_origins;
    let values = Values::resolve(&manifest.variables, |name| match name {
        "cors_origins" => Some(origins.to_string()),
        name => Values::from_environment(name),
    })?;
    check(&values, cleartext)?;
    let trusted = TrustedProxies::parse(values.get("trusted_proxies").unwrap_or_default())
        .map_err(|error| refusal(TRUSTED_SETTING, error))?;
    let public_url = values.get("public_url").unwrap_or_default().to_owned();
    let exposure = Exposure {
        trusted,
        trusted_setting: TRUSTED_SETTING,
        origins,
        public_url,
        keys: keys(&values),
    };
    let listener = listen(&args.listen, LISTEN_OPTION).await?;
    let own = args.operations_listen.as_deref();
    let own = operations::own_address(listener.local_addr()?, own, OPERATIONS_LISTEN);
    let own = match own {
        Some(own) => Some(listen(own, OPERATIONS_OPTION).await?),
        None => None,
    };
    let options = Options { sessions_max: args.component_connections, ..Options::default() };
    let app = WasmApp::load_with(&manifest, &values, options)?;
    let metrics = Metrics::new(Program::Host);
    app.watch(&metrics);
    println!("Components at http://{}", listener.local_addr()?);
    let operators = Operations { health: None, metrics: metrics.clone() };
    let edge = Edge::new(metrics.clone(), exposure);
    let gate = edge.gate(listener, limits());
    let front = HostFront { app, operations: own.is_none().then(|| operators.clone()) };
    let handler = move |request| {
        let (front, edge) = (front.clone(), edge.clone());
        async move { edge.pass(request, |request| front.answer(request)).await }
    };
    let serving = serve::serve(gate, handler, shutdown.token());
    let serving_operators = async {
        if let Some(listener) = own {
            if let Ok(address) = listener.local_addr() {
                println!("For operators: http://{address}");
            }
            let edge = Edge::new(metrics, Exposure::operators());
            operators.serve(edge, listener, shutdown.token()).await;
        }
    };
    tokio::join!(serving, serving_operators);
    Ok(())
}

/// The components, and what operators read if they have no listener of their own.
#[derive(Clone)]
struct HostFront {
    app: WasmApp,
    operations: Option<Operations>,
}

impl HostFront {
    async fn answer(self, request: Request<Incoming>) -> Response<HyperOutgoingBody> {
        if let Some(operations) = &self.operations
            && !operations::is_forwarded(|name| request.headers().contains_key(name))
            && let (method, path) = (request.method(), request.uri().path())
            && let Some(answer) = operations.answer(method, path, request.headers()).await
        {
            return answer;
        }
        self.app.handle(request).await
    }
}

/// The keys of the tokens that this installation makes.
fn keys(values: &Values) -> Keys {
    let given = |name| values.get(name).filter(|value| !value.is_empty());
    let own = given("jwt_public_keys").and_then(|keys| keys.parse::<JwkSet>().ok());
    Keys {
        secret: given("jwt_secret").and_then(|secret| HmacKey::new(secret.as_bytes()).ok()),
        own: own.unwrap_or_default().0,
        provider: None,
    }
}

/// Refuses at start what components would refuse only at a request, and what they cannot see: a connection to
/// the database without TLS.
fn check(values: &Values, cleartext: &Cleartext) -> Result<(), VariableError> {
    let refused =
        |name: &str, reason: String| VariableError::Refused { name: name.to_owned(), reason };
    let given = |name: &str| values.get(name).filter(|value| !value.is_empty());
    for (name, url) in values.iter().filter(|(name, _)| name.ends_with("database_url")) {
        let dsn = Dsn::parse(url).map_err(|error| refused(name, error.to_string()))?;
        if let Some(reason) = rondo_database::option::objection(&dsn, cleartext) {
            return Err(refused(name, reason));
        }
    }
    match (given("jwt_secret"), given("jwt_signing_key")) {
        (Some(_), Some(_)) => {
            let reason = "is set beside jwt_signing_key: leave it out";
            return Err(refused("jwt_secret", reason.to_owned()));
        }
        (None, None) => return Err(VariableError::Missing { name: "jwt_secret".to_owned() }),
        _ => {}
    }
    for name in ["jwt_secret", "link_secret", "link_secret_previous"] {
        if let Some(Err(error)) = given(name).map(|secret| HmacKey::new(secret.as_bytes())) {
            return Err(refused(name, error.to_string()));
        }
    }
    for name in ["event_token", "event_token_previous"] {
        if given(name).is_some_and(|token| token.len() < SECRET_BYTES_MIN) {
            return Err(refused(name, format!("is shorter than {SECRET_BYTES_MIN} bytes")));
        }
    }
    Ok(())
}

/// Raises the limit of open files, logs all limits, and returns the limit of connections.
pub fn limits() -> usize {
    let open_files = open_files_raised();
    let connections = connection::connections_max(open_files);
    tracing::info!(
        open_files,
        connections,
        connections_of_an_address = connection::ADDRESS_CONNECTIONS_MAX.min(connections),
        instances_for_requests = REQUEST_INSTANCES_MAX,
        instances_for_events = EVENT_INSTANCES_MIN,
        "limits"
    );
    connections
}

/// Binds the address of a setting; `option` names it.
///
/// # Errors
/// When it is in use, or not an address of this machine.
pub async fn listen(address: &str, option: &str) -> anyhow::Result<TcpListener> {
    rondo_telemetry::listen(address).await.map_err(|error| {
        let advice = format!("or choose another address with {option}");
        match error.kind() {
            ErrorKind::AddrInUse => {
                anyhow::anyhow!("{address} is in use: stop what listens there, {advice}")
            }
            _ => anyhow::anyhow!("cannot listen on {address} ({error}): correct it, {advice}"),
        }
    })
}
