//! `rondo host`: the components of spin.toml alone, with all their routes, as Spin serves them.

use anyhow::Context as _;
use rondo_wasm_host::variable::Values;
use rondo_wasm_host::{Manifest, WasmApp, serve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::command::HostArgs;

/// Serves until `shutdown`.
///
/// # Errors
/// When the manifest, a variable or a component is not right, or the address is in use.
pub async fn run(args: HostArgs, shutdown: CancellationToken) -> anyhow::Result<()> {
    let manifest = Manifest::read(&args.spin_toml)?;
    let values = Values::resolve(&manifest.variables, Values::from_environment)?;
    let app = WasmApp::load(&manifest, &values)?;
    let listener = listen(&args.listen).await?;
    println!("Components at http://{}", listener.local_addr()?);
    let handler = move |request| {
        let app = app.clone();
        async move { app.handle(request).await }
    };
    serve::serve(listener, handler, shutdown).await;
    Ok(())
}

/// Binds an address.
///
/// # Errors
/// When it is in use or not this machine's.
pub async fn listen(address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}: choose another address with --listen")
    })
}
