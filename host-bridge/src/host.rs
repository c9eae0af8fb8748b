//! `rondo host`: the components of spin.toml alone, with all their routes, as Spin serves them.

use std::io::ErrorKind;

use rondo_contract::token::{HmacKey, SECRET_BYTES_MIN};
use rondo_database::Dsn;
use rondo_setting::Cleartext;
use rondo_telemetry::{Metrics, Shutdown};
use rondo_wasm_host::variable::{Values, VariableError};
use rondo_wasm_host::{WasmApp, serve};
use tokio::net::TcpListener;

use crate::front::observed;
use crate::option::{HostArgs, listen_address, manifest};

/// Serves until `shutdown`.
///
/// # Errors
/// When the manifest, a variable or a component is not right, or the address is in use.
pub async fn run(args: HostArgs, cleartext: &Cleartext, shutdown: &Shutdown) -> anyhow::Result<()> {
    let address = listen_address(&args.listen)?;
    let manifest = manifest(&args.spin_toml)?;
    let values = Values::resolve(&manifest.variables, Values::from_environment)?;
    check(&values, cleartext)?;
    let listener = listen(address).await?;
    let app = WasmApp::load(&manifest, &values)?;
    println!("Components at http://{}", listener.local_addr()?);
    // Spin has no /metrics, so nobody reads them; the log lines are the same as everywhere.
    let metrics = Metrics::new();
    let handler = move |request| {
        let (app, metrics) = (app.clone(), metrics.clone());
        async move { observed(&metrics, request, |request| app.handle(request)).await }
    };
    serve::serve(listener, handler, shutdown.token()).await;
    Ok(())
}

/// Refuses at the start what a component would refuse when it is asked, and what none can see: a
/// password that would go to its database in the clear.
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

/// Binds an address.
///
/// # Errors
/// When it is in use or not this machine's.
pub async fn listen(address: &str) -> anyhow::Result<TcpListener> {
    rondo_telemetry::listen(address).await.map_err(|error| {
        let advice = "or choose another address with --listen (RONDO_LISTEN)";
        match error.kind() {
            ErrorKind::AddrInUse => {
                anyhow::anyhow!("{address} is in use: stop what listens there, {advice}")
            }
            _ => anyhow::anyhow!("cannot listen on {address} ({error}): correct it, {advice}"),
        }
    })
}
