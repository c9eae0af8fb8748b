//! `rondo up`: everything in one process and on one origin.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use rondo_contract::token::HmacKey;
use rondo_database::secret::Secret;
use rondo_database::{DataFolder, Dsn, Role, RoleDsns, Secrets, migration, provision};
use rondo_domain::destination::Loopback;
use rondo_kafka::KafkaSettings;
use rondo_setting::Cleartext;
use rondo_telemetry::{Metrics, Part, Program, Shutdown, operations, serve};
use rondo_wasm_host::variable::Values;
use rondo_wasm_host::{Manifest, WasmApp};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use ws_sync::{Publisher, SyncService};

use crate::account::AccountSettings;
use crate::backend::{Backend, BackendSetting};
use crate::cors::CorsOrigins;
use crate::edge::{Edge, Exposure};
use crate::front::Front;
use crate::health::{self, Health};
use crate::language_model::LanguageModel;
use crate::operations::Operations;
use crate::option::{UpArgs, manifest};
use crate::pipeline::delivery::Delivery;
use crate::pipeline::record::Record;
use crate::pipeline::transport::local::Feed;
use crate::private_server::{self, Supervised};
use crate::rate_limit::{RateLimits, RateSetting};
use crate::{host, installation};

/// File in the data folder with the addresses of the running services.
pub(crate) const ENDPOINTS: &str = "endpoints.json";
/// Operators' address when the main listener is not on loopback.
const OPERATIONS_LISTEN: &str = "127.0.0.1:3009";

/// The state before the database is connected.
struct Setting {
    kafka: Option<KafkaSettings>,
    manifest: Manifest,
    listener: TcpListener,
    /// The operators' own listener; none if the main listener serves them.
    operations: Option<TcpListener>,
    /// None if tokens are signed with a private key.
    jwt_secret: Option<String>,
    link_secret: String,
    link_secret_previous: String,
    rates: RateSetting,
    origins: CorsOrigins,
    account: AccountSettings,
    backend: BackendSetting,
    language_model: Option<LanguageModel>,
}

/// Starts everything and runs it until `shutdown`.
///
/// # Errors
/// The part that could not be started, and what to do, in one line.
pub async fn run(args: UpArgs, cleartext: &Cleartext, shutdown: &Shutdown) -> anyhow::Result<()> {
    let external = args.database(cleartext)?;
    let (setting, data, secrets) = settle(&args, cleartext).await?;
    let (home, token) = (Home { data: data.path(), secrets: &secrets }, shutdown.token());
    let endpoints = data.path().join(ENDPOINTS);
    let result = match external {
        Some(admin) => {
            let serving = serve_all(setting, &home, &admin, Ownership::External, &token);
            shutdown.drain(serving).await.map_err(anyhow::Error::from).flatten()
        }
        None => {
            let mut server = Supervised::start(&data, &secrets).await?;
            let admin = server.dsn().clone();
            let serving = serve_all(setting, &home, &admin, Ownership::Private, &token);
            let result = tokio::select! {
                result = shutdown.drain(serving) => result.map_err(anyhow::Error::from).flatten(),
                given_up = server.watch() => Err(given_up.into()),
            };
            server.stop().await;
            result
        }
    };
    let _ = std::fs::remove_file(endpoints);
    result
}

/// Checks every setting, then takes the port and the data folder, so that a conflict is reported at once.
async fn settle(
    args: &UpArgs,
    cleartext: &Cleartext,
) -> anyhow::Result<(Setting, DataFolder, Secrets)> {
    let kafka = args.kafka.settings(cleartext)?;
    let link_secret = args.link_secret()?;
    let link_secret_previous = args.link_secret_previous()?.unwrap_or_default();
    let account = args.account.settings(args.mail.is_local()?)?;
    args.mail.transport(&args.data, cleartext)?;
    let language_model = args.language_model.settings(cleartext)?;
    let manifest = manifest(&args.spin_toml)?;
    let listener = host::listen(&args.listen, host::LISTEN_OPTION).await?;
    let operations = args.operations_listen.as_deref();
    let own = operations::own_address(listener.local_addr()?, operations, OPERATIONS_LISTEN);
    let operations = match own {
        Some(own) => Some(host::listen(own, host::OPERATIONS_OPTION).await?),
        None => None,
    };
    let data = DataFolder::open(&args.data)?;
    let secrets = Secrets::load_or_create(data.path())?;
    // With the folder's full path, for the announcement.
    let (mail, from) = args.mail.transport(data.path(), cleartext)?;
    let jwt_secret = account.jwt_secret(secrets.expose(Secret::Jwt)).map(str::to_owned);
    let link_secret = link_secret.unwrap_or_else(|| secrets.expose(Secret::Link).to_owned());
    let backend = BackendSetting {
        mail,
        from,
        loopback: args.webhook.webhook_allow_loopback.into(),
        provider: account.provider().cloned(),
        audit_days: args.retention.audit_retention_days,
        lateness_minutes: args.reminder.reminder_lateness_minutes,
    };
    let setting = Setting {
        kafka,
        manifest,
        listener,
        operations,
        jwt_secret,
        link_secret,
        link_secret_previous,
        rates: args.rate_limits,
        origins: args.web.cors_origins.clone(),
        account,
        backend,
        language_model,
    };
    Ok((setting, data, secrets))
}

/// An installation's data folder and secrets.
struct Home<'a> {
    data: &'a Path,
    secrets: &'a Secrets,
}

/// Who owns the database.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ownership {
    External,
    Private,
}

async fn serve_all(
    setting: Setting,
    home: &Home<'_>,
    admin: &Dsn,
    ownership: Ownership,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let roles = prepare(admin, home.secrets, ownership).await?;
    let address = setting.listener.local_addr()?;
    let values = Values::resolve(&setting.manifest.variables, |name| {
        variable(name, &roles, home.secrets, &setting)
            .or_else(|| setting.account.variable(name, address))
            .or_else(|| Values::from_environment(name))
    })?;
    let app = WasmApp::load(&setting.manifest, &values)?;
    let backend = Backend::new(roles.get(Role::Bridge).clone(), Program::Up)?;
    let (metrics, wake) = (backend.metrics.clone(), backend.wake.clone());
    app.watch(&metrics);
    let advice = match ownership {
        Ownership::External => health::ADVICE,
        Ownership::Private => private_server::ADVICE,
    };
    let health = Health::new(backend.readiness.clone(), backend.database.clone(), advice);
    let sync_part = backend.readiness.part("sync");
    let Setting { kafka, listener, operations, jwt_secret, rates, origins, account, .. } = setting;

    let key = jwt_secret.map(|secret| HmacKey::new(secret.as_bytes())).transpose()?;
    let keys = account.keys(key);
    let limits = RateLimits::new(rates, keys.clone());
    let of_edge = keys.clone();
    let store = ws_sync::Store::open(roles.get(Role::Sync))?;
    let sync = SyncService::with_metrics(store, keys, metrics.clone());
    let edge = Edge::new(
        metrics.clone(),
        Exposure {
            trusted: account.trusted_proxies(),
            trusted_setting: "TRUSTED_PROXIES",
            origins,
            public_url: account.public_url(address),
            keys: of_edge,
        },
    );
    let address = address.to_string();
    let own = operations.as_ref().map(TcpListener::local_addr).transpose()?;
    write_endpoints(&address, own, admin, kafka.as_ref(), home.data)?;
    let mut tasks = JoinSet::new();
    let operators = Operations { health: Some(health.clone()), metrics: metrics.clone() };
    let is_for_operators = operations.is_none();
    if let Some(listener) = operations {
        println!("For operators: http://{}", listener.local_addr()?);
        tasks.spawn(operators.clone().serve(edge.clone(), listener, shutdown.clone()));
    }
    tasks.spawn(announce(
        health,
        address,
        home.data.display().to_string(),
        setting.backend.mail.announcement(),
    ));
    let delivery = Delivery::InProcess(app.clone());
    let pipeline = backend.start(setting.backend, delivery, &mut tasks, shutdown)?;
    let gate = edge.gate(listener, host::limits());
    let front = Front {
        edge,
        app,
        sync: ws_sync::router(sync.clone()),
        operations: operators,
        is_for_operators,
        limits: limits.map(Arc::new),
        wake,
    };
    let handler = move |request| front.clone().handle(request);
    tasks.spawn(serve::serve(gate, handler, shutdown.clone()));
    let result = match &kafka {
        Some(settings) => {
            let following =
                follow(settings.clone(), sync.clone(), metrics, sync_part, shutdown.clone());
            tasks.spawn(following);
            pipeline.run_kafka(settings, shutdown.clone()).await
        }
        None => {
            let feed = feed(Publisher::open(sync.hub()));
            sync_part.ready();
            pipeline.run_local(feed, shutdown.clone()).await
        }
    };
    shutdown.cancel();
    // Asks devices to resume elsewhere, or here after the next start.
    sync.hub().end();
    sync.hub().emptied().await;
    while tasks.join_next().await.is_some() {}
    result
}

/// Publishes the events of this process to its devices.
fn feed(publisher: Publisher) -> Feed {
    Arc::new(move |record: &Record, traceparent: Option<&str>| {
        if let Ok(user_id) = record.key.parse() {
            publisher.publish(user_id, &record.event.data, traceparent);
        }
    })
}

/// Follows `task-updates` on Kafka for the devices of this process.
async fn follow(
    settings: KafkaSettings,
    sync: SyncService,
    metrics: Metrics,
    part: Part,
    shutdown: CancellationToken,
) {
    let report = move |state: Result<(), String>| match state {
        Ok(()) => part.ready(),
        Err(reason) => part.not_ready(reason),
    };
    ws_sync::feed::kafka::run(&settings, sync.hub(), &metrics, &report, &shutdown).await;
}

/// Announces the addresses once everything is ready.
async fn announce(health: Health, address: String, data: String, mail: String) {
    health.ready().await;
    println!("Rondo is up: http://{address}, ws://{address}/ws, data in {data}");
    println!("{mail}");
    println!(
        "Try: curl -s http://{address}/api/auth/register -H 'Content-Type: application/json' \
         -d '{{\"email\":\"me@example.org\",\"password\":\"correct horse\"}}'"
    );
}

/// Prepares roles and schema. Only a private database is migrated. A schema that this program can't run on
/// is refused before any role is touched.
async fn prepare(admin: &Dsn, secrets: &Secrets, ownership: Ownership) -> anyhow::Result<RoleDsns> {
    let mut session = crate::database::connect(admin, "rondo up").await?;
    match ownership {
        Ownership::External => migration::check(&session, migration::embedded()).await?,
        Ownership::Private => migration::check_release(&session, migration::embedded()).await?,
    }
    let roles = provision::roles(admin, secrets, provision::ConnectionLimit::Enforced).await?;
    if ownership == Ownership::Private {
        migration::up(&mut session, migration::embedded()).await?;
    }
    Ok(roles)
}

/// The variables of spin.toml that `up` sets itself.
fn variable(name: &str, roles: &RoleDsns, secrets: &Secrets, setting: &Setting) -> Option<String> {
    match name {
        // Empty beside a signing key, whatever the environment says.
        "jwt_secret" => Some(setting.jwt_secret.clone().unwrap_or_default()),
        "link_secret" => Some(setting.link_secret.clone()),
        "link_secret_previous" => Some(setting.link_secret_previous.clone()),
        "cors_origins" => Some(setting.origins.to_string()),
        "webhook_allow_loopback" => {
            Some((setting.backend.loopback == Loopback::Allowed).to_string())
        }
        "registration_limits" => {
            Some(if setting.rates == RateSetting::Off { "off" } else { "on" }.to_owned())
        }
        name => {
            let of_model = setting.language_model.as_ref().and_then(|model| model.variable(name));
            of_model.or_else(|| installation::variable(name, roles, secrets))
        }
    }
}

/// Writes the addresses to `endpoints.json`, readable only by its owner because it contains a password.
fn write_endpoints(
    address: &str,
    operations: Option<SocketAddr>,
    admin: &Dsn,
    kafka: Option<&KafkaSettings>,
    data: &Path,
) -> anyhow::Result<()> {
    let mut endpoints = serde_json::json!({
        "http": format!("http://{address}"),
        "ws": format!("ws://{address}/ws"),
        "postgres": admin.expose_url(),
    });
    if let Some(operations) = operations {
        endpoints["operations"] = format!("http://{operations}").into();
    }
    if let Some(kafka) = kafka {
        endpoints["kafka"] = kafka.brokers.clone().into();
    }
    let path = data.join(ENDPOINTS);
    let fresh = path.with_extension("new");
    // A leftover file may have another mode.
    let _ = std::fs::remove_file(&fresh);
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(endpoints.to_string().as_bytes())?;
    std::fs::rename(&fresh, &path)?;
    Ok(())
}
