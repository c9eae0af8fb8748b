//! Serves HTTP/1.1 connections, with bounds and a clean shutdown.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::Gate;

/// How long a client may take to send a request's head, in seconds. It also bounds how long a connection
/// may be idle.
const HEAD_READ_S_MAX: u64 = 15;
/// How long requests in flight may take after shutdown has begun, in seconds.
pub const DRAIN_S_MAX: u64 = 10;
/// Longest head of a request, in bytes. A longer one gets 431.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Most header fields of a request. More get 431.
const HEADER_FIELDS_MAX: usize = 100;

/// The other end of the connection, among a request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub SocketAddr);

/// Accepts connections until `shutdown`, then lets requests in flight finish.
pub async fn serve<F, A, B>(gate: Gate, handler: F, shutdown: CancellationToken)
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let connections = TaskTracker::new();
    loop {
        let (stream, client) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = gate.accept() => accepted,
        };
        let handler = handler.clone();
        let shutdown = shutdown.clone();
        connections.spawn(async move {
            let service = service_fn(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(ClientAddress(client));
                let answer = handler(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .max_buf_size(HEAD_BYTES_MAX)
                .max_headers(HEADER_FIELDS_MAX)
                .header_read_timeout(Duration::from_secs(HEAD_READ_S_MAX))
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = shutdown.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, %client, "a connection ended");
            }
        });
    }
    drop(gate);
    connections.close();
    let _ = tokio::time::timeout(Duration::from_secs(DRAIN_S_MAX), connections.wait()).await;
}
