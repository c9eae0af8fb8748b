//! Delivery of a batch to an event capability: a component in this process, or one on a Spin host by HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rondo_contract::cloud_event::{
    BATCH_MEDIA_TYPE, BatchAnswer, CloudEvent, Disposition, header as event_header,
};
use rondo_telemetry::Span;
use rondo_telemetry::span::Kind;
use rondo_wasm_host::{CallError, WasmApp};

/// Timeout of one delivery, in seconds.
pub const DELIVERY_S_MAX: u64 = 20;
/// Longest response to a delivery, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Why a delivery failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// Nothing was tried: no attempt counts, and the consumer pauses.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The batch failed: an attempt counts for each of its events.
    #[error("failed: {0}")]
    Failed(String),
}

/// How capabilities are reached.
#[derive(Clone)]
pub enum Delivery {
    InProcess(WasmApp),
    Http(Box<HttpDelivery>),
}

impl Delivery {
    /// Delivers a batch to the capability of this name. Returns one disposition per event, in order.
    ///
    /// # Errors
    /// See [`DeliveryError`].
    pub async fn deliver(
        &self,
        capability: &str,
        batch: Vec<CloudEvent>,
    ) -> Result<Vec<Disposition>, DeliveryError> {
        let events = batch.len();
        let dispositions = match self {
            Self::InProcess(app) => {
                app.consume(capability, batch).await.map_err(|error| match error {
                    CallError::Unavailable(reason) => DeliveryError::Unavailable(reason),
                    error => DeliveryError::Failed(error.to_string()),
                })?
            }
            Self::Http(http) => http.deliver(capability, &batch).await?,
        };
        if dispositions.len() != events {
            let reason = format!("{} dispositions for {events} events", dispositions.len());
            return Err(DeliveryError::Failed(reason));
        }
        Ok(dispositions)
    }
}

/// `POST <base>/events/<capability>` with the service token.
#[derive(Clone)]
pub struct HttpDelivery {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
    token: String,
}

impl HttpDelivery {
    /// `base` is the address of the host, such as `http://127.0.0.1:3000`.
    #[must_use]
    pub fn new(base: &str, token: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(5)));
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            base: base.trim_end_matches('/').to_owned(),
            token: token.to_owned(),
        }
    }

    async fn deliver(
        &self,
        capability: &str,
        batch: &[CloudEvent],
    ) -> Result<Vec<Disposition>, DeliveryError> {
        let unavailable = |error: String| DeliveryError::Unavailable(error);
        let failed = |error: String| DeliveryError::Failed(error);
        let body = serde_json::to_vec(batch).map_err(|error| failed(error.to_string()))?;
        let mut request = Request::post(format!("{}/events/{capability}", self.base))
            .header(header::CONTENT_TYPE, BATCH_MEDIA_TYPE)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        let traces = || batch.iter().map(|event| event.traceparent.as_deref());
        let mut span = Span::below_all(Kind::Client, traces(), || Method::POST.to_string());
        let first = || traces().next().flatten().map(str::to_owned);
        if let Some(trace) = span.as_ref().map(Span::traceparent).or_else(first) {
            request = request.header(event_header::TRACEPARENT, trace);
        }
        let request =
            request.body(Full::from(body)).map_err(|error| unavailable(error.to_string()))?;
        if let Some(span) = &mut span {
            describe(span, request.uri());
        }
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| {
                // hyper's own message is only «client error».
                unavailable(
                    std::error::Error::source(&error)
                        .map_or_else(|| error.to_string(), ToString::to_string),
                )
            })?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
                .collect()
                .await
                .map_err(|error| failed(error.to_string()))?
                .to_bytes();
            Ok((status, body))
        };
        let deadline = Duration::from_secs(DELIVERY_S_MAX);
        let exchanged = tokio::time::timeout(deadline, exchange)
            .await
            .map_err(|_| failed("timed out".to_owned()))
            .flatten();
        if let Some(span) = &mut span {
            end(span, exchanged.as_ref().ok().map(|(status, _)| *status));
        }
        let (status, body) = exchanged?;
        match status {
            StatusCode::OK => {
                let answer: BatchAnswer =
                    serde_json::from_slice(&body).map_err(|error| failed(error.to_string()))?;
                Ok(answer.dispositions)
            }
            StatusCode::UNAUTHORIZED
            | StatusCode::NOT_FOUND
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE => Err(unavailable(status.to_string())),
            status => Err(failed(status.to_string())),
        }
    }
}

/// Names of attributes as of the semantic conventions for HTTP client spans.
fn describe(span: &mut Span, uri: &Uri) {
    span.text("http.request.method", Method::POST.as_str());
    span.text("url.full", uri.to_string());
    span.text("server.address", uri.host().unwrap_or_default());
    span.number("server.port", uri.port_u16().unwrap_or(80).into());
}

fn end(span: &mut Span, status: Option<StatusCode>) {
    let Some(status) = status else { return span.fail("unavailable") };
    span.number("http.response.status_code", status.as_u16().into());
    if !status.is_success() {
        span.fail(status.as_str());
    }
}
