//! `rondo up`: everything in one process, on one origin.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rondo_contract::token::HmacKey;
use rondo_database::secret::Secret;
use rondo_database::{
    DataFolder, Dsn, PrivateServer, Role, RoleDsns, Secrets, ServerOptions, migration, role, server,
};
use rondo_wasm_host::variable::Values;
use rondo_wasm_host::{Manifest, WasmApp, serve};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use ws_sync::Publisher;

use crate::command::{SettingError, UpArgs, dsn};
use crate::front::Front;
use crate::mailer::Mailer;
use crate::pipeline::Pipeline;
use crate::pipeline::delivery::Delivery;
use crate::pipeline::metric::PipelineMetrics;
use crate::pipeline::record::Record;
use crate::pipeline::transport::local::Feed;
use crate::{clock, host, retention};

/// Shortest JWT_SECRET, in bytes.
const JWT_SECRET_BYTES_MIN: usize = 32;

/// Starts everything and runs it until `shutdown`.
///
/// # Errors
/// What could not be started, in one line that tells what to do.
pub async fn run(args: UpArgs, shutdown: CancellationToken) -> anyhow::Result<()> {
    let kafka = args.kafka.settings()?;
    if args.jwt_secret.as_ref().is_some_and(|secret| secret.len() < JWT_SECRET_BYTES_MIN) {
        let reason = format!("must have at least {JWT_SECRET_BYTES_MIN} bytes");
        return Err(SettingError { setting: "JWT_SECRET", reason }.into());
    }
    let external =
        args.database_url.as_deref().filter(|url| !url.is_empty()).map(dsn).transpose()?;
    let manifest = Manifest::read(&args.spin_toml)?;
    // Before anything is started, so that a port in use is told at once.
    let listener = host::listen(&args.listen).await?;
    let data = DataFolder::open(&args.data)?;
    let (outlet, from) = args.mail.outlet(data.path().join("mail"))?;
    let secrets = Secrets::load_or_create(data.path())?;
    let private = match external {
        Some(_) => None,
        None => Some(server::start(&data, &secrets, &ServerOptions::default()).await?),
    };
    let admin = external.or_else(|| private.as_ref().map(|server| server.dsn().clone()));
    let admin = admin.ok_or_else(|| anyhow::anyhow!("there is no database"))?;
    let result = async {
        let roles = prepare(&admin, &secrets, private.is_some()).await?;
        let jwt_secret = match &args.jwt_secret {
            Some(secret) => secret.clone(),
            None => secrets.expose(Secret::Jwt).to_owned(),
        };
        let values = Values::resolve(&manifest.variables, |name| {
            variable(name, &roles, &secrets, &jwt_secret).or_else(|| Values::from_environment(name))
        })?;
        let app = WasmApp::load(&manifest, &values)?;
        let pool = crate::pool(roles.get(Role::Bridge))?;
        let (metrics, wake) = (PipelineMetrics::shared(), Arc::new(Notify::new()));
        let flowing = Arc::new(AtomicBool::new(false));
        // Without a broker live sync opens with the pipeline; with one, when it follows the topic.
        let live = Arc::new(AtomicBool::new(kafka.is_none()));
        let mut tasks = JoinSet::new();
        tasks.spawn(clock::run(pool.clone(), metrics.clone(), wake.clone(), shutdown.clone()));
        tasks.spawn(retention::run(
            pool.clone(),
            args.retention.audit_retention_days,
            shutdown.clone(),
        ));
        let mailer = Mailer { pool: pool.clone(), outlet, from, metrics: metrics.clone() };
        tasks.spawn(mailer.run(shutdown.clone()));
        let key = HmacKey::new(jwt_secret.as_bytes())?;
        let store = ws_sync::Store::open(roles.get(Role::Sync))?;
        let sync = ws_sync::SyncService::new(store, key);
        let front = Front {
            app: Some(app.clone()),
            sync: Some(ws_sync::router(sync.clone())),
            pool: pool.clone(),
            metrics: metrics.clone(),
            wake: wake.clone(),
            flowing: flowing.clone(),
            live: live.clone(),
        };
        announce(&listener.local_addr()?.to_string(), &admin, kafka.as_ref(), data.path())?;
        tasks.spawn(serve::serve(
            listener,
            move |request| front.clone().handle(request),
            shutdown.clone(),
        ));
        let pipeline = Pipeline {
            dsn: roles.get(Role::Bridge).clone(),
            pool,
            delivery: Delivery::InProcess(app),
            metrics,
            wake,
        };
        let result = match &kafka {
            Some(settings) => {
                let following = follow(settings.clone(), sync.clone(), live, shutdown.clone());
                tasks.spawn(following);
                pipeline.run_kafka(settings, flowing, shutdown.clone()).await
            }
            None => {
                let publisher = Publisher::open(sync.hub());
                let feed: Feed = Arc::new(move |record: &Record| {
                    if let Ok(user_id) = record.key.parse() {
                        publisher.publish(user_id, &record.payload);
                    }
                });
                pipeline.run_local(feed, flowing, shutdown.clone()).await
            }
        };
        // Devices are told to resume elsewhere, or here after the next start.
        sync.hub().end();
        shutdown.cancel();
        while tasks.join_next().await.is_some() {}
        result
    }
    .await;
    let _ = std::fs::remove_file(data.path().join("endpoints.json"));
    if let Some(server) = private {
        stop(server).await;
    }
    result
}

/// Follows task-updates on Kafka for the devices of this process.
async fn follow(
    settings: rondo_kafka::KafkaSettings,
    sync: ws_sync::SyncService,
    live: Arc<AtomicBool>,
    shutdown: CancellationToken,
) {
    let report = move |state: Result<(), String>| {
        live.store(state.is_ok(), Ordering::Relaxed);
        match state {
            Ok(()) => tracing::info!("live events flow from Kafka"),
            Err(reason) => tracing::warn!(reason, "live events do not flow"),
        }
    };
    ws_sync::feed::kafka::run(&settings, sync.hub(), &report, &shutdown).await;
}

async fn stop(server: PrivateServer) {
    if let Err(error) = server.stop().await {
        tracing::warn!(%error, "Postgres did not stop cleanly");
    }
}

/// Roles and schema. Only a private database is migrated; another one is refused when its schema is
/// not this program's.
async fn prepare(admin: &Dsn, secrets: &Secrets, private: bool) -> anyhow::Result<RoleDsns> {
    let roles = role::provision(admin, secrets, role::ConnectionLimit::Enforced).await?;
    let mut session = crate::connect(admin, "rondo up").await?;
    if private {
        migration::up(&mut session, migration::embedded()).await?;
    } else {
        migration::check(&session, migration::embedded()).await?;
    }
    Ok(roles)
}

/// What `up` itself knows of the variables of spin.toml.
fn variable(name: &str, roles: &RoleDsns, secrets: &Secrets, jwt_secret: &str) -> Option<String> {
    let role = match name {
        "jwt_secret" => return Some(jwt_secret.to_owned()),
        "event_token" => return Some(secrets.expose(Secret::EventService).to_owned()),
        "database_host" => {
            let dsn = roles.get(Role::TaskApi);
            return Some(format!("{}:{}", dsn.host(), dsn.port()));
        }
        "task_api_database_url" => Role::TaskApi,
        "recurrence_database_url" => Role::Recurrence,
        "notify_database_url" => Role::Notify,
        "audit_database_url" => Role::Audit,
        "auth_database_url" => Role::Auth,
        _ => return None,
    };
    Some(roles.get(role).expose_url())
}

/// Tells the addresses to a person, and to programs in DATA/endpoints.json, which only its owner can
/// read, for it has a password.
fn announce(
    address: &str,
    admin: &Dsn,
    kafka: Option<&rondo_kafka::KafkaSettings>,
    data: &Path,
) -> anyhow::Result<()> {
    let mut endpoints = serde_json::json!({
        "http": format!("http://{address}"),
        "ws": format!("ws://{address}/ws"),
        "postgres": admin.expose_url(),
    });
    if let Some(kafka) = kafka {
        endpoints["kafka"] = kafka.brokers.clone().into();
    }
    let path = data.join("endpoints.json");
    let fresh = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(endpoints.to_string().as_bytes())?;
    std::fs::rename(&fresh, &path)?;
    println!("Rondo is up: http://{address}, ws://{address}/ws, data in {}", data.display());
    println!(
        "Try: curl -s http://{address}/api/auth/register -H 'Content-Type: application/json' \
         -d '{{\"email\":\"me@example.org\",\"password\":\"correct horse\"}}'"
    );
    Ok(())
}
