//! Serves HTTP/1.1 connections, with bounds and a graceful end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

/// Most connections at once.
pub const CONNECTIONS_MAX: usize = 20_000;
/// How long a client may take over its request's head, in seconds.
const HEADER_READ_S_MAX: u64 = 15;
/// How long requests in flight may take after the end was asked for, in seconds.
pub const DRAIN_S_MAX: u64 = 10;

/// Longest head of a request, in bytes; a longer one is answered with 431.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Most header fields of a request; more are answered with 431.
const HEADER_FIELDS_MAX: usize = 100;

/// Who sent a request, among its extensions: the other end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub SocketAddr);

/// Accepts connections until `shutdown`, then lets what is in flight finish.
pub async fn serve<F, A>(listener: TcpListener, handler: F, shutdown: CancellationToken)
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<HyperOutgoingBody>> + Send + 'static,
{
    let tasks = TaskTracker::new();
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let permit = tokio::select! {
            () = shutdown.cancelled() => break,
            permit = connections.clone().acquire_owned() => permit,
        };
        let (stream, client) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: let some connections end.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let _ = stream.set_nodelay(true);
        let handler = handler.clone();
        let shutdown = shutdown.clone();
        tasks.spawn(async move {
            let _permit = permit;
            let service = service_fn(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(ClientAddress(client));
                let answer = handler(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .max_buf_size(HEAD_BYTES_MAX)
                .max_headers(HEADER_FIELDS_MAX)
                .header_read_timeout(Duration::from_secs(HEADER_READ_S_MAX))
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            let mut connection = pin!(connection);
            tokio::select! {
                _ = connection.as_mut() => {}
                () = shutdown.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    let _ = connection.await;
                }
            }
        });
    }
    drop(listener);
    tasks.close();
    let _ = tokio::time::timeout(Duration::from_secs(DRAIN_S_MAX), tasks.wait()).await;
}
