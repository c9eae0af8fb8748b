//! The HTTP client of the export.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use rondo_setting::{SettingError, refusal};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Handle;

/// Longest answer of a collector, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// For the error of a TLS that cannot be set up at all.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// Sends on the runtime in which it was made, from any thread.
#[derive(Debug)]
pub(super) struct Collector {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    runtime: Handle,
    timeout: Duration,
}

impl Collector {
    /// Trusts the public authorities, or only those in the PEM file that a setting names.
    pub(super) fn new(
        authorities: Option<(&'static str, PathBuf)>,
        timeout: Duration,
    ) -> Result<Self, SettingError> {
        let builder =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| refusal(ENDPOINT, error))?;
        let tls = match authorities {
            Some((setting, path)) => builder.with_root_certificates(roots(setting, path)?),
            None => builder.with_webpki_roots(),
        };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.with_no_client_auth())
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, runtime: Handle::current(), timeout })
    }
}

fn roots(setting: &'static str, path: PathBuf) -> Result<RootCertStore, SettingError> {
    let mut store = RootCertStore::empty();
    let refused = |error: String| refusal(setting, format!("{}: {error}", path.display()));
    let certificates =
        CertificateDer::pem_file_iter(&path).map_err(|error| refused(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| refused(error.to_string()))?;
        store.add(certificate).map_err(|error| refused(error.to_string()))?;
    }
    if store.is_empty() {
        return Err(refused("no certificate in PEM form is in it".to_owned()));
    }
    Ok(store)
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let response = self.client.request(request.map(Full::new));
        let exchange = async move {
            let (head, body) = response.await?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        let timeout = self.timeout;
        let exchange = async move { tokio::time::timeout(timeout, exchange).await? };
        self.runtime.spawn(exchange).await?
    }
}
