//! The program `rondo-sync`: live sync alone, fed by Kafka, with operators' pages.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rondo_contract::address;
use rondo_setting::{EXIT_SETTING, SettingError};
use rondo_telemetry::{
    Format, Gate, Metrics, Outage, Part, Program, Readiness, Report, RequestLog, Shutdown,
    connection, health, log, open_files_raised, operations, otlp,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::feed::kafka;
use crate::option::{Options, Settings};
use crate::route::{router, serve};
use crate::service::SyncService;
use crate::store::{Store, StoreError};

/// Interval between checks of Postgres, in seconds.
const DATABASE_CHECK_S: u64 = 1;
/// Interval between attempts to reach Postgres at start, in milliseconds.
const DATABASE_RETRY_MS: u64 = 200;

const DATABASE_AWAY: &str = "the database does not answer";

/// Headers of every response.
const HEADERS: [(HeaderName, &str); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Runs what the command line says, until it is told to stop. Exit status 2: a setting is missing or wrong.
pub fn main() -> ExitCode {
    let options: Options = rondo_setting::parse();
    if let Err(error) = log::init(options.log) {
        eprintln!("rondo-sync: {error}");
        return ExitCode::from(EXIT_SETTING);
    }
    let export = otlp::Setting::from_environment(&options.cleartext.allowed());
    let settings = options.settings().and_then(|settings| Ok((settings, export?)));
    let (settings, export) = match settings {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("rondo-sync: {error}");
            return ExitCode::from(EXIT_SETTING);
        }
    };
    match execute(settings, export) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rondo-sync: {error:#}");
            if error.is::<SettingError>() {
                ExitCode::from(EXIT_SETTING)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

#[tokio::main]
async fn execute(settings: Settings, export: Option<otlp::Setting>) -> anyhow::Result<()> {
    let shutdown = Shutdown::on_signal()?;
    otlp::during(export, "rondo-sync", run(settings, &shutdown)).await
}

/// Runs until `shutdown`, then closes all sessions, so that devices resume elsewhere.
///
/// # Errors
/// If the port is in use, or the database has the schema of another release.
pub async fn run(settings: Settings, shutdown: &Shutdown) -> anyhow::Result<()> {
    let listener = listen(settings.listen, "RONDO_LISTEN").await?;
    let own = match settings.operations_listen {
        Some(address) => Some(listen(address, operations::SETTING).await?),
        None => None,
    };
    let (metrics, readiness) = (Metrics::new(Program::Sync), Readiness::new());
    readiness.show_in(&metrics);
    let store = Store::open(&settings.database).context("DATABASE_URL")?;
    let service = SyncService::with_metrics(store, settings.keys, metrics.clone());
    let (database, feed) = (readiness.part("database"), readiness.part("feed"));
    let token = shutdown.token();
    let operators = Operators { metrics: metrics.clone(), readiness, is_alone: own.is_none() };
    let observed = |routes: Router| routes.layer(from_fn_with_state(metrics.clone(), observe));
    let public = router(service.clone()).merge(operators.public_routes());
    let open_files = open_files_raised();
    let connections = connection::connections_max(open_files);
    tracing::info!(open_files, connections, "limits");
    let proxies = settings.trusted_proxies;
    let gate = Gate::new(listener, connections, move |peer| {
        address::of_connection(peer, &proxies).map(Arc::from)
    });
    let serving = serve(gate, observed(public), token.clone());
    let serving_operators = async {
        if let Some(listener) = own {
            let gate = Gate::inner(listener, connection::OPERATORS_CONNECTIONS_MAX);
            serve(gate, observed(operators.routes()), token.clone()).await;
        }
    };
    let working = async {
        let result = work(&service, &settings.kafka, &metrics, database, feed, &token).await;
        token.cancel();
        service.hub().end();
        service.hub().emptied().await;
        result
    };
    let both = async { tokio::join!(serving, serving_operators, working).2 };
    match shutdown.drain(both).await {
        Ok(result) => result,
        // These devices notice the end by themselves.
        Err(error) => {
            tracing::warn!(%error, connections = service.hub().connections(), "leaving devices");
            Ok(())
        }
    }
}

/// Waits for a database of this release, then follows Kafka.
async fn work(
    service: &SyncService,
    settings: &rondo_kafka::KafkaSettings,
    metrics: &Metrics,
    database: Part,
    feed: Part,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let has_schema = tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        checked = await_schema(service.store(), &database) => checked,
    };
    has_schema?;
    let report = move |state: Result<(), String>| match state {
        Ok(()) => feed.ready(),
        Err(reason) => feed.not_ready(reason),
    };
    let following = kafka::run(settings, service.hub(), metrics, &report, shutdown);
    tokio::select! {
        () = following => {}
        () = watch_database(service.store(), &database) => {}
    }
    Ok(())
}

/// Waits until the database answers and has the schema of this release.
async fn await_schema(store: &Store, part: &Part) -> Result<(), StoreError> {
    let mut outage = Outage::new(DATABASE_AWAY);
    loop {
        match store.check_schema().await {
            Ok(()) => {
                outage.ended();
                part.ready();
                return Ok(());
            }
            Err(error @ StoreError::Schema(_)) => return Err(error),
            Err(error) => away(part, &mut outage, &error),
        }
        tokio::time::sleep(Duration::from_millis(DATABASE_RETRY_MS)).await;
    }
}

/// Keeps the part's readiness up to date; never returns.
async fn watch_database(store: &Store, part: &Part) {
    let mut outage = Outage::new(DATABASE_AWAY);
    loop {
        tokio::time::sleep(Duration::from_secs(DATABASE_CHECK_S)).await;
        match store.check().await {
            Ok(()) => {
                outage.ended();
                part.ready();
            }
            Err(error) => away(part, &mut outage, &error),
        }
    }
}

fn away(part: &Part, outage: &mut Outage, error: &StoreError) {
    outage.failed(rondo_database::explain(error));
    part.not_ready("Postgres does not answer: see whether it runs and DATABASE_URL leads there");
}

/// Measures and logs a request.
async fn observe(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    const ROUTES: [&str; 4] = ["/ws", "/health", "/health/ready", "/metrics"];
    let path = request.uri().path();
    let route = ROUTES.into_iter().find(|known| *known == path).unwrap_or("other");
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let log = RequestLog::begin(&metrics, route, request.method().as_str(), path, header);
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    log.finish(response.status().as_u16(), || None);
    response
}

async fn listen(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    let listener = rondo_telemetry::listen(address)
        .await
        .with_context(|| format!("cannot listen on {address}: choose another {setting}"))?;
    tracing::info!(address = %listener.local_addr()?, setting, "listening");
    Ok(listener)
}

/// The operators' pages: health and metrics.
#[derive(Clone)]
struct Operators {
    metrics: Metrics,
    readiness: Readiness,
    /// Whether only operators can reach the main listener.
    is_alone: bool,
}

impl Operators {
    fn routes(&self) -> Router {
        let (ready, metrics) = (self.readiness.clone(), self.metrics.clone());
        Router::new()
            .route("/health", get(live))
            .route("/health/ready", get(async move || reasons(&ready)))
            .route("/metrics", get(async move |headers: HeaderMap| figures(&metrics, &headers)))
    }

    /// The pages that the main listener serves too.
    fn public_routes(&self) -> Router {
        let (ready, figured) = (self.clone(), self.clone());
        Router::new()
            .route("/health", get(live))
            .route(
                "/health/ready",
                get(async move |headers: HeaderMap| match ready.allow(&headers) {
                    true => reasons(&ready.readiness),
                    false => status(&ready.readiness),
                }),
            )
            .route(
                "/metrics",
                get(async move |headers: HeaderMap| match figured.allow(&headers) {
                    true => figures(&figured.metrics, &headers),
                    false => StatusCode::NOT_FOUND.into_response(),
                }),
            )
    }

    fn allow(&self, headers: &HeaderMap) -> bool {
        self.is_alone && !operations::is_forwarded(|name| headers.contains_key(name))
    }
}

async fn live() -> Response {
    json(StatusCode::OK, health::LIVE.to_owned())
}

fn reasons(readiness: &Readiness) -> Response {
    let report = readiness.report();
    json(status_code(&report), report.to_json())
}

fn status(readiness: &Readiness) -> Response {
    let report = readiness.report();
    json(status_code(&report), report.status_json())
}

fn figures(metrics: &Metrics, headers: &HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Format::wanted(accept);
    ([(header::CONTENT_TYPE, format.content_type())], metrics.encode(format)).into_response()
}

fn status_code(report: &Report) -> StatusCode {
    StatusCode::from_u16(report.status_code()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
}

fn json(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}
