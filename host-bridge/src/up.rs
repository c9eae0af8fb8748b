//! `rondo up`: everything in one process, on one origin.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use lettre::message::Mailbox;
use rondo_contract::token::HmacKey;
use rondo_database::secret::Secret;
use rondo_database::{DataFolder, Dsn, Role, RoleDsns, Secrets, migration, role};
use rondo_domain::destination::Loopback;
use rondo_kafka::KafkaSettings;
use rondo_setting::Cleartext;
use rondo_telemetry::{Metrics, Part, Readiness, Shutdown, operations};
use rondo_wasm_host::variable::Values;
use rondo_wasm_host::{Manifest, WasmApp, serve};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use ws_sync::{Publisher, SyncService};

use crate::account::AccountSettings;
use crate::clock::Clock;
use crate::cors::CorsOrigins;
use crate::edge::{Edge, Facing};
use crate::front::Front;
use crate::health::{self, Health};
use crate::mail_transport::MailTransport;
use crate::mailer::Mailer;
use crate::operations::Operations;
use crate::option::{UpArgs, manifest};
use crate::pipeline::Pipeline;
use crate::pipeline::delivery::Delivery;
use crate::pipeline::health::PipelineHealth;
use crate::pipeline::record::Record;
use crate::pipeline::transport::local::Feed;
use crate::private_server::{self, Supervised};
use crate::rate_limit::{RateLimits, RateSetting};
use crate::webhook::{self, WebhookSender};
use crate::{host, installation, jwks, retention};

/// File in the data folder with the addresses of what runs.
const ENDPOINTS: &str = "endpoints.json";
/// Where operators are served when the main listener is not on loopback.
const OPERATIONS_LISTEN: &str = "127.0.0.1:3009";

/// What is known before the database is there.
struct Setting {
    kafka: Option<KafkaSettings>,
    manifest: Manifest,
    listener: TcpListener,
    /// For operators alone; none when the other serves them too.
    operations: Option<TcpListener>,
    /// None where tokens are signed with a private key.
    jwt_secret: Option<String>,
    link_secret: String,
    link_secret_previous: String,
    rates: RateSetting,
    origins: CorsOrigins,
    account: AccountSettings,
    transport: MailTransport,
    from: Mailbox,
    loopback: Loopback,
    audit_days: i32,
    lateness_minutes: i32,
}

/// Starts everything and runs it until `shutdown`.
///
/// # Errors
/// What could not be started, in one line that tells what to do.
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

/// Checks every setting, then takes the port and the data folder, so that one in use is told at
/// once.
async fn settle(
    args: &UpArgs,
    cleartext: &Cleartext,
) -> anyhow::Result<(Setting, DataFolder, Secrets)> {
    let kafka = args.kafka.settings(cleartext)?;
    let link_secret = args.link_secret()?;
    let link_secret_previous = args.link_secret_previous()?.unwrap_or_default();
    let account = args.account.settings(args.mail.is_local()?)?;
    let (_, from) = args.mail.transport(&args.data, cleartext)?;
    let manifest = manifest(&args.spin_toml)?;
    let listener = host::listen(&args.listen, host::LISTEN_OPTION).await?;
    let operations = args.operations_listen.as_deref();
    let own = operations::own_address(listener.local_addr()?, operations, OPERATIONS_LISTEN);
    let operations = match own {
        Some(own) => Some(host::listen(own, "--operations-listen (OPERATIONS_LISTEN)").await?),
        None => None,
    };
    let data = DataFolder::open(&args.data)?;
    let secrets = Secrets::load_or_create(data.path())?;
    // With the folder's full path, for whoever looks for a mail.
    let (transport, _) = args.mail.transport(data.path(), cleartext)?;
    let jwt_secret = account.jwt_secret(secrets.expose(Secret::Jwt)).map(str::to_owned);
    let link_secret = link_secret.unwrap_or_else(|| secrets.expose(Secret::Link).to_owned());
    let audit_days = args.retention.audit_retention_days;
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
        transport,
        from,
        loopback: args.webhook.webhook_allow_loopback.into(),
        audit_days,
        lateness_minutes: args.reminder.reminder_lateness_minutes,
    };
    Ok((setting, data, secrets))
}

/// Where this installation keeps what is its own.
struct Home<'a> {
    data: &'a Path,
    secrets: &'a Secrets,
}

/// Whose the database is.
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
    let pool = crate::pool(roles.get(Role::Bridge))?;
    let (metrics, readiness, wake) = (Metrics::new(), Readiness::new(), Arc::new(Notify::new()));
    crate::watch_pool(&metrics, &pool);
    let advice = match ownership {
        Ownership::External => health::ADVICE,
        Ownership::Private => private_server::ADVICE,
    };
    let health = Health::new(readiness.clone(), pool.clone(), advice);
    let flow = Arc::new(PipelineHealth::new(readiness.part("events")));
    let (sync_part, clock_part) = (readiness.part("sync"), readiness.part("clock"));
    let (part, webhook_part) = (readiness.part("mailer"), readiness.part("webhooks"));
    let Setting {
        kafka,
        listener,
        operations,
        transport,
        from,
        jwt_secret,
        rates,
        origins,
        audit_days,
        lateness_minutes,
        account,
        loopback,
        ..
    } = setting;

    let key = jwt_secret.map(|secret| HmacKey::new(secret.as_bytes())).transpose()?;
    let keys = account.keys(key);
    let limits = RateLimits::new(rates, keys.clone());
    let store = ws_sync::Store::open(roles.get(Role::Sync))?;
    let sync = SyncService::with_metrics(store, keys, metrics.clone());
    let edge = Edge::new(
        metrics.clone(),
        Facing {
            trusted: account.trusted_proxies(),
            trusted_setting: "TRUSTED_PROXIES",
            origins,
            public_url: account.public_url(address),
        },
    );
    let address = address.to_string();
    let own = operations.as_ref().map(TcpListener::local_addr).transpose()?;
    write_endpoints(&address, own, admin, kafka.as_ref(), home.data)?;
    let mut tasks = JoinSet::new();
    let operators = Operations { health: health.clone(), metrics: metrics.clone() };
    let is_for_operators = operations.is_none();
    if let Some(listener) = operations {
        println!("For operators: http://{}", listener.local_addr()?);
        tasks.spawn(operators.clone().serve(edge.clone(), listener, shutdown.clone()));
    }
    tasks.spawn(announce(
        health,
        address,
        home.data.display().to_string(),
        transport.announcement(),
    ));
    let clock = Clock {
        pool: pool.clone(),
        lateness_minutes,
        metrics: metrics.clone(),
        part: clock_part,
        wake: wake.clone(),
    };
    tasks.spawn(clock.run(shutdown.clone()));
    tasks.spawn(retention::run(pool.clone(), audit_days, shutdown.clone()));
    let mailer = Mailer { pool: pool.clone(), transport, from, metrics: metrics.clone(), part };
    tasks.spawn(mailer.run(shutdown.clone()));
    let sender = WebhookSender {
        pool: pool.clone(),
        loopback,
        resolver: webhook::system_resolver(),
        metrics: metrics.clone(),
        part: webhook_part,
    };
    tasks.spawn(sender.run(shutdown.clone()));
    if let Some(provider) = account.provider() {
        tasks.spawn(jwks::run(pool.clone(), provider.clone(), shutdown.clone()));
    }
    let gate = edge.gate(listener, host::limits());
    let front = Front {
        edge,
        app: app.clone(),
        sync: ws_sync::router(sync.clone()),
        operations: operators,
        is_for_operators,
        limits: limits.map(Arc::new),
        wake: wake.clone(),
    };
    let handler = move |request| front.clone().handle(request);
    tasks.spawn(serve::serve(gate, handler, shutdown.clone()));
    let pipeline = Pipeline {
        dsn: roles.get(Role::Bridge).clone(),
        pool,
        delivery: Delivery::InProcess(app),
        metrics: metrics.clone(),
        health: flow,
        wake,
    };
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
    // Devices are told to resume elsewhere, or here after the next start.
    sync.hub().end();
    sync.hub().emptied().await;
    while tasks.join_next().await.is_some() {}
    result
}

/// Hands the events of this process to the devices of this process.
fn feed(publisher: Publisher) -> Feed {
    Arc::new(move |record: &Record| {
        if let Ok(user_id) = record.key.parse() {
            publisher.publish(user_id, &record.payload);
        }
    })
}

/// Follows task-updates on Kafka for the devices of this process.
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

/// Tells a person, when everything is ready.
async fn announce(health: Health, address: String, data: String, mail: String) {
    health.ready().await;
    println!("Rondo is up: http://{address}, ws://{address}/ws, data in {data}");
    println!("{mail}");
    println!(
        "Try: curl -s http://{address}/api/auth/register -H 'Content-Type: application/json' \
         -d '{{\"email\":\"me@example.org\",\"password\":\"correct horse\"}}'"
    );
}

/// Roles and schema. Only a private database is migrated; another one is refused when its schema is
/// not this program's, and before any role is touched.
async fn prepare(admin: &Dsn, secrets: &Secrets, ownership: Ownership) -> anyhow::Result<RoleDsns> {
    if ownership == Ownership::External {
        crate::check_schema(admin, "rondo up").await?;
    }
    let roles = role::provision(admin, secrets, role::ConnectionLimit::Enforced).await?;
    if ownership == Ownership::Private {
        let mut session = crate::connect(admin, "rondo up").await?;
        migration::up(&mut session, migration::embedded()).await?;
    }
    Ok(roles)
}

/// What `up` itself knows of the variables of spin.toml.
fn variable(name: &str, roles: &RoleDsns, secrets: &Secrets, setting: &Setting) -> Option<String> {
    match name {
        // Empty beside a signing key, whatever the environment has for it.
        "jwt_secret" => Some(setting.jwt_secret.clone().unwrap_or_default()),
        "link_secret" => Some(setting.link_secret.clone()),
        "link_secret_previous" => Some(setting.link_secret_previous.clone()),
        "webhook_allow_loopback" => Some((setting.loopback == Loopback::Allowed).to_string()),
        "registration_limits" => {
            Some(if setting.rates == RateSetting::Off { "off" } else { "on" }.to_owned())
        }
        name => installation::variable(name, roles, secrets),
    }
}

/// Writes the addresses for programs to DATA/endpoints.json, which only its owner can read, for it
/// has a password.
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
    // One that is left over may have another mode.
    let _ = std::fs::remove_file(&fresh);
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(endpoints.to_string().as_bytes())?;
    std::fs::rename(&fresh, &path)?;
    Ok(())
}
