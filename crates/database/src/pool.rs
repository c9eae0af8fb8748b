//! Connections, with TLS where the connection string asks for it.
//!
//! `sslmode=require` encrypts and checks the certificate against the public roots; `prefer` (the
//! default of libpq) does so when the server offers TLS; `disable` never.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, RecyclingMethod};
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Client;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::dsn::Dsn;

/// How long to wait for a free connection, in milliseconds.
pub const POOL_WAIT_MS_MAX: u64 = 10_000;

/// A pool of connections of one role.
pub type Pool = deadpool_postgres::Pool;
/// A connection borrowed from a [`Pool`].
pub type Connection = deadpool_postgres::Object;

/// A pool of at most `connections_max` connections; none is made before it is needed.
///
/// # Panics
/// Never: a Tokio runtime is named, so that the timeouts work.
#[must_use]
pub fn pool(dsn: &Dsn, application: &str, connections_max: usize) -> Pool {
    let mut config = dsn.config().clone();
    config.application_name(application);
    let manager = Manager::from_config(
        config,
        tls(),
        ManagerConfig { recycling_method: RecyclingMethod::Fast },
    );
    Pool::builder(manager)
        .max_size(connections_max)
        .wait_timeout(Some(Duration::from_millis(POOL_WAIT_MS_MAX)))
        .runtime(deadpool_postgres::Runtime::Tokio1)
        .build()
        .expect("a pool with a runtime and a manager can be built")
}

/// A connection of its own, for what must not be shared: session locks, migrations. It ends when the
/// client is dropped; `Client::is_closed` tells when it was lost.
///
/// # Errors
/// When the server cannot be reached or refuses the login.
pub async fn connect(dsn: &Dsn, application: &str) -> Result<Client, tokio_postgres::Error> {
    let mut config = dsn.config().clone();
    config.application_name(application);
    let (client, connection) = config.connect(tls()).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a database connection ended");
        }
    });
    Ok(client)
}

/// TLS for connections, with the public roots.
#[must_use]
pub fn tls() -> MakeRustlsConnect {
    static CONFIG: OnceLock<ClientConfig> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider supports the default protocol versions")
            .with_root_certificates(roots)
            .with_no_client_auth()
    });
    MakeRustlsConnect::new(config.clone())
}
