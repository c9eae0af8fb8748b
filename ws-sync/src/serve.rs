//! Serving HTTP/1.1 on a socket, for the program that is sync alone.
//!
//! A connection that becomes a WebSocket leaves this module; it counts as a session from then on.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections that are not, or not yet, WebSockets.
const REQUEST_CONNECTIONS_MAX: usize = 1_024;
/// Longest time until a request's head has come, in seconds; an idle connection ends by it too.
const HEAD_S_MAX: u64 = 10;
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Pause after the system refused a connection (no more file descriptors), in milliseconds.
const ACCEPT_PAUSE_MS: u64 = 50;
/// Longest wait for requests in flight when the program stops, in seconds.
const DRAIN_S_MAX: u64 = 10;

/// Accepts until `shutdown`, then lets requests in flight finish.
pub async fn run(listener: TcpListener, router: Router, shutdown: &CancellationToken) {
    let slots = Arc::new(Semaphore::new(REQUEST_CONNECTIONS_MAX));
    let connections = TaskTracker::new();
    loop {
        // The semaphore is never closed.
        let Ok(slot) = slots.clone().acquire_owned().await else { break };
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (router, shutdown) = (router.clone(), shutdown.clone());
                connections.spawn(async move {
                    connection(stream, router, shutdown).await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    let _ = tokio::time::timeout(Duration::from_secs(DRAIN_S_MAX), connections.wait()).await;
}

async fn connection(stream: TcpStream, router: Router, shutdown: CancellationToken) {
    // Frames are small and wait for nobody.
    let _ = stream.set_nodelay(true);
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
