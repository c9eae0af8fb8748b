//! The program `rondo-sync`: the sync service alone, fed by Kafka, with what an operator asks it.

use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rondo_telemetry::{Metrics, Part, Readiness, RequestLog, Shutdown, health, metric};
use tokio_util::sync::CancellationToken;

use crate::feed::kafka;
use crate::option::Settings;
use crate::serve;
use crate::service::{SyncService, router};
use crate::store::{Store, StoreError};

/// Time between looks at Postgres, in seconds.
const DATABASE_CHECK_S: u64 = 5;
/// Time between attempts to reach Postgres at the start, in milliseconds.
const DATABASE_RETRY_MS: u64 = 500;

/// Runs until `shutdown`, then tells every device to resume elsewhere.
///
/// # Errors
/// When the port is taken, or the database has the schema of another release.
pub async fn run(settings: Settings, shutdown: &Shutdown) -> anyhow::Result<()> {
    let listener = rondo_telemetry::listen(settings.listen).await.with_context(|| {
        format!("cannot listen on {}: choose another RONDO_LISTEN", settings.listen)
    })?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    let (metrics, readiness) = (Metrics::new(), Readiness::new());
    let store = Store::open(&settings.database).context("DATABASE_URL")?;
    let service = SyncService::with_metrics(store, settings.keys, metrics.clone());
    let (database, feed) = (readiness.part("database"), readiness.part("feed"));
    let token = shutdown.token();
    let routes = router(service.clone())
        .merge(operator_routes(metrics.clone(), readiness))
        .layer(from_fn_with_state(metrics.clone(), observe));
    let serving = serve::run(listener, routes, &token);
    let working = async {
        let result = work(&service, &settings.kafka, &metrics, database, feed, &token).await;
        token.cancel();
        service.hub().end();
        service.hub().emptied().await;
        result
    };
    let both = async { tokio::join!(serving, working).1 };
    match shutdown.drain(both).await {
        Ok(result) => result,
        // Those devices notice by themselves.
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

/// Ends when the database answers and has the schema of this release.
async fn await_schema(store: &Store, part: &Part) -> Result<(), StoreError> {
    loop {
        match store.check_schema().await {
            Ok(()) => {
                part.ready();
                return Ok(());
            }
            Err(error @ StoreError::Schema(_)) => return Err(error),
            Err(error) => away(part, &error),
        }
        tokio::time::sleep(Duration::from_millis(DATABASE_RETRY_MS)).await;
    }
}

/// Keeps the part up to date, for ever.
async fn watch_database(store: &Store, part: &Part) {
    loop {
        tokio::time::sleep(Duration::from_secs(DATABASE_CHECK_S)).await;
        match store.check().await {
            Ok(()) => part.ready(),
            Err(error) => away(part, &error),
        }
    }
}

fn away(part: &Part, error: &StoreError) {
    tracing::warn!(error = rondo_database::explain(error), "the database does not answer");
    part.not_ready("Postgres does not answer: see whether it runs and DATABASE_URL leads there");
}

/// Measures and logs a request.
async fn observe(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    const ROUTES: [&str; 4] = ["/ws", "/health", "/health/ready", "/metrics"];
    let path = request.uri().path();
    let route = ROUTES.into_iter().find(|known| *known == path).unwrap_or("other");
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let log = RequestLog::begin(&metrics, route, request.method().as_str(), path, header);
    let response = next.run(request).await;
    log.finish(response.status().as_u16());
    response
}

fn operator_routes(metrics: Metrics, readiness: Readiness) -> Router {
    let ready = move || {
        let report = readiness.report();
        let status = StatusCode::from_u16(report.status_code());
        let status = status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        let answer = (status, [(header::CONTENT_TYPE, "application/json")], report.to_json());
        std::future::ready(answer.into_response())
    };
    let figures = move || {
        let headers = [(header::CONTENT_TYPE, metric::CONTENT_TYPE)];
        std::future::ready((headers, metrics.encode()).into_response())
    };
    let live = || async { ([(header::CONTENT_TYPE, "application/json")], health::LIVE) };
    Router::new()
        .route("/health", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(figures))
}
