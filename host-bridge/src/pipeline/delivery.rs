//! Delivery of a batch to an event capability: a component in this process, or one on a Spin host by HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rondo_contract::cloud_event::{
    BATCH_MEDIA_TYPE, BatchAnswer, CloudEvent, DATA_CONTENT_TYPE, Disposition, SOURCE, SPEC_VERSION,
};
use rondo_wasm_host::{CallError, WasmApp};
use serde_json::value::RawValue;

use super::record::Record;

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
        batch: &[Record],
    ) -> Result<Vec<Disposition>, DeliveryError> {
        let dispositions = match self {
            Self::InProcess(app) => in_process(app, capability, batch).await?,
            Self::Http(http) => http.deliver(capability, batch).await?,
        };
        if dispositions.len() != batch.len() {
            return Err(DeliveryError::Failed(format!(
                "{} dispositions for {} events",
                dispositions.len(),
                batch.len()
            )));
        }
        Ok(dispositions)
    }
}

async fn in_process(
    app: &WasmApp,
    capability: &str,
    batch: &[Record],
) -> Result<Vec<Disposition>, DeliveryError> {
    let events: Vec<rondo_wasm_host::CloudEvent> = batch
        .iter()
        .map(|record| rondo_wasm_host::CloudEvent {
            id: record.event_id.clone(),
            source: SOURCE.to_owned(),
            event_type: record.event_type.clone(),
            subject: record.subject.clone(),
            time: record.time.clone(),
            traceparent: record.traceparent.clone(),
            topic: record.topic.to_owned(),
            data: record.payload.to_string(),
        })
        .collect();
    let dispositions = app.consume(capability, &events).await.map_err(|error| match error {
        CallError::Unavailable(reason) => DeliveryError::Unavailable(reason),
        error => DeliveryError::Failed(error.to_string()),
    })?;
    Ok(dispositions
        .into_iter()
        .map(|disposition| match disposition {
            rondo_wasm_host::Disposition::Done => Disposition::Done,
            rondo_wasm_host::Disposition::Retry(reason) => Disposition::Retry { reason },
            rondo_wasm_host::Disposition::Reject(reason) => Disposition::Reject { reason },
        })
        .collect())
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
        batch: &[Record],
    ) -> Result<Vec<Disposition>, DeliveryError> {
        let unavailable = |error: String| DeliveryError::Unavailable(error);
        let failed = |error: String| DeliveryError::Failed(error);
        let mut events = Vec::with_capacity(batch.len());
        for record in batch {
            events.push(cloud_event(record).map_err(failed)?);
        }
        let body = serde_json::to_vec(&events).map_err(|error| failed(error.to_string()))?;
        let mut request = Request::post(format!("{}/events/{capability}", self.base))
            .header(header::CONTENT_TYPE, BATCH_MEDIA_TYPE)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        if let Some(trace) = batch.first().and_then(|record| record.traceparent.as_deref()) {
            request = request.header("traceparent", trace);
        }
        let request =
            request.body(Full::from(body)).map_err(|error| unavailable(error.to_string()))?;
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
        let (status, body) = tokio::time::timeout(deadline, exchange)
            .await
            .map_err(|_| failed("timed out".to_owned()))??;
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

fn cloud_event(record: &Record) -> Result<CloudEvent, String> {
    Ok(CloudEvent {
        specversion: SPEC_VERSION.to_owned(),
        id: record.event_id.clone(),
        source: SOURCE.to_owned(),
        event_type: record.event_type.clone(),
        subject: record.subject.clone(),
        time: record.time.clone(),
        datacontenttype: DATA_CONTENT_TYPE.to_owned(),
        traceparent: record.traceparent.clone(),
        topic: record.topic.to_owned(),
        data: RawValue::from_string(record.payload.to_string())
            .map_err(|error| format!("the value is not JSON: {error}"))?,
    })
}
