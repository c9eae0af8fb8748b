//! `rondo host`: the components of spin.toml alone, with all their routes, as Spin serves them.

use std::io::ErrorKind;

use rondo_telemetry::{Metrics, Shutdown};
use rondo_wasm_host::variable::Values;
use rondo_wasm_host::{WasmApp, serve};
use tokio::net::TcpListener;

use crate::front::observed;
use crate::option::{HostArgs, listen_address, manifest};

/// Serves until `shutdown`.
///
/// # Errors
/// When the manifest, a variable or a component is not right, or the address is in use.
pub async fn run(args: HostArgs, shutdown: &Shutdown) -> anyhow::Result<()> {
    let address = listen_address(&args.listen)?;
    let manifest = manifest(&args.spin_toml)?;
    let values = Values::resolve(&manifest.variables, Values::from_environment)?;
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
