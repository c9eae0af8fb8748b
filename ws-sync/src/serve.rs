//! Serving HTTP/1.1 on a socket, for the program that is sync alone.

use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rondo_telemetry::{Connection, Gate};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Longest time until a request's head has come, in seconds; an idle connection ends by it too.
const HEAD_S_MAX: u64 = 10;
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Longest wait for requests in flight when the program stops, in seconds.
const DRAIN_S_MAX: u64 = 10;

/// Accepts until `shutdown`, then lets requests in flight finish.
pub async fn run(gate: Gate, router: Router, shutdown: &CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let (stream, _) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = gate.accept() => accepted,
        };
        connections.spawn(connection(stream, router.clone(), shutdown.clone()));
    }
    drop(gate);
    connections.close();
    let _ = tokio::time::timeout(Duration::from_secs(DRAIN_S_MAX), connections.wait()).await;
}

async fn connection(stream: Connection, router: Router, shutdown: CancellationToken) {
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(HEAD_S_MAX))
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
            .with_upgrades()
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}
