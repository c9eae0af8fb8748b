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
pub use rondo_telemetry::Gate;
pub use rondo_telemetry::connection::STALLED_WRITE_S_MAX;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

/// How long a client may take over its request's head, in seconds; an idle connection ends by it too.
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

/// Whom a request counts for, among its extensions: what one client may hold goes by it. One without
/// counts for nobody in particular.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Client(pub Arc<str>);

/// Of a request's body, how many bytes are kept, among its extensions; the rest is read and thrown away.
/// Without it, as many as a component can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyBytesMax(pub usize);

/// Accepts connections until `shutdown`, then lets what is in flight finish.
pub async fn serve<F, A>(gate: Gate, handler: F, shutdown: CancellationToken)
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<HyperOutgoingBody>> + Send + 'static,
{
    let tasks = TaskTracker::new();
    loop {
        let (stream, client) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = gate.accept() => accepted,
        };
        let handler = handler.clone();
        let shutdown = shutdown.clone();
        tasks.spawn(async move {
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
    drop(gate);
    tasks.close();
    let _ = tokio::time::timeout(Duration::from_secs(DRAIN_S_MAX), tasks.wait()).await;
}
