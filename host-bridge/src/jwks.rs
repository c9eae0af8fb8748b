//! The keys of an OpenID provider. Components can reach only their database, so the bridge fetches the keys
//! and stores them there.
//!
//! If fetching fails, the last keys stay valid for a day (`provider_token` in the migrations). A document
//! without a usable key replaces them.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use clap::{ArgAction, Args};
use http::Uri;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rondo_contract::token::key::{self, Jwk};
use rondo_database::Database;
use rondo_domain::destination::Loopback;
use rondo_setting::{SettingError, is_this_machine, refusal};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// Pause between two fetches, in seconds: how long a new key may stay unknown.
const POLL_S: u64 = 300;
/// Pause after a failure, in seconds.
const FAILURE_S: u64 = 10;
/// Longest wait for a response, in seconds.
const ANSWER_S_MAX: u64 = 10;
/// Longest document, in bytes.
const DOCUMENT_BYTES_MAX: usize = 256 * 1024;
/// Most keys of a provider.
const KEYS_MAX: usize = 64;
/// Path of a provider's discovery document (OpenID Connect Discovery 1.0, section 4).
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

const REPLACE: &str = include_str!("../sql/provider_keys_replace.sql");

#[derive(Args, Default)]
#[command(next_help_heading = "OpenID provider")]
pub struct ProviderArgs {
    /// OpenID provider whose tokens are accepted: their exact `iss`.
    #[arg(long, env = "OIDC_ISSUER", value_name = "URL")]
    pub oidc_issuer: Option<String>,
    /// Address of the provider's keys; unless set, its discovery document names it.
    #[arg(long, env = "OIDC_JWKS_URL", value_name = "URL")]
    pub oidc_jwks_url: Option<String>,
    /// Whether the provider may be on this machine and use http, for development.
    #[arg(long, env = "OIDC_ALLOW_LOOPBACK", value_name = "BOOLEAN", default_value_t = false, action = ArgAction::Set)]
    pub oidc_allow_loopback: bool,
}

/// A provider and the location of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    pub issuer: String,
    keys: Keys,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Keys {
    At(Uri),
    /// From the discovery document at this address; also whether the keys may be on this machine.
    Discovered(Uri, Loopback),
}

type HttpsClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

impl ProviderArgs {
    /// The provider; none without an issuer.
    ///
    /// # Errors
    /// The setting that is malformed.
    pub fn provider(&self) -> Result<Option<Provider>, SettingError> {
        let Some(issuer) = self.oidc_issuer.as_deref() else { return Ok(None) };
        let loopback = Loopback::from(self.oidc_allow_loopback);
        let keys = match self.oidc_jwks_url.as_deref() {
            Some(url) => Keys::At(address("OIDC_JWKS_URL", url, loopback)?),
            None => {
                let base = issuer.trim_end_matches('/');
                let url = format!("{base}{DISCOVERY_PATH}");
                Keys::Discovered(address("OIDC_ISSUER", &url, loopback)?, loopback)
            }
        };
        Ok(Some(Provider { issuer: issuer.to_owned(), keys }))
    }
}

fn address(setting: &'static str, url: &str, loopback: Loopback) -> Result<Uri, SettingError> {
    fetchable(url, loopback)
        .ok_or_else(|| refusal(setting, "must be an address such as https://id.example.org"))
}

/// Anybody who can alter the keys in transit can sign in as anyone, so they must come over https or from this
/// machine.
fn fetchable(url: &str, loopback: Loopback) -> Option<Uri> {
    let uri: Uri = url.parse().ok()?;
    let host = uri.host().filter(|host| !host.is_empty())?;
    let is_fetchable = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => loopback == Loopback::Allowed && is_this_machine(host),
        _ => false,
    };
    is_fetchable.then_some(uri)
}

/// Refreshes the provider's keys until `shutdown`.
pub async fn run(database: Database, provider: Provider, shutdown: CancellationToken) {
    let client = match client() {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(%error, "cannot set up TLS: the provider's keys are not refreshed");
            return;
        }
    };
    loop {
        let pause_s = tokio::select! {
            () = shutdown.cancelled() => return,
            refreshed = refresh(&database, &client, &provider) => match refreshed {
                Ok(keys) => {
                    tracing::debug!(keys, issuer = provider.issuer, "provider keys refreshed");
                    POLL_S
                }
                Err(error) => {
                    let (error, issuer) = (format!("{error:#}"), &provider.issuer);
                    tracing::warn!(error, issuer, "cannot refresh provider keys; will retry");
                    FAILURE_S
                }
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(pause_s)) => {}
        }
    }
}

/// A client that trusts the public certificate authorities.
pub(crate) fn client() -> Result<HttpsClient, rustls::Error> {
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())?
        .https_or_http()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

async fn refresh(
    database: &Database,
    client: &HttpsClient,
    provider: &Provider,
) -> anyhow::Result<usize> {
    let uri = match &provider.keys {
        Keys::At(uri) => uri.clone(),
        Keys::Discovered(uri, loopback) => {
            discover(client, uri.clone(), &provider.issuer, *loopback).await?
        }
    };
    let document = fetch(client, uri).await.context("JWKS")?;
    let keys = published(&document)?;
    let replace =
        sqlx::query_as(REPLACE).bind(&provider.issuer).bind(serde_json::to_string(&keys)?);
    let (replaced,): (i64,) = database.one(replace).await?;
    Ok(usize::try_from(replaced)?)
}

fn published(document: &str) -> anyhow::Result<Vec<Jwk>> {
    let keys = key::read_document(document)?;
    ensure!(keys.len() <= KEYS_MAX, "more than {KEYS_MAX} keys");
    Ok(keys)
}

async fn discover(
    client: &HttpsClient,
    uri: Uri,
    issuer: &str,
    loopback: Loopback,
) -> anyhow::Result<Uri> {
    let document = fetch(client, uri).await.context("discovery document")?;
    keys_address(&serde_json::from_str(&document)?, issuer, loopback)
}

/// The address of the keys in a discovery document, which must be the issuer's own (section 4.3).
fn keys_address(document: &Value, issuer: &str, loopback: Loopback) -> anyhow::Result<Uri> {
    ensure!(document["issuer"] == issuer, "the discovery document belongs to another issuer");
    document["jwks_uri"]
        .as_str()
        .and_then(|url| fetchable(url, loopback))
        .context("the discovery document has no https jwks_uri")
}

async fn fetch(client: &HttpsClient, uri: Uri) -> anyhow::Result<String> {
    let exchange = async {
        let response = client.get(uri).await?;
        ensure!(response.status().is_success(), "{}", response.status());
        let body = Limited::new(response.into_body(), DOCUMENT_BYTES_MAX).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
        Ok(String::from_utf8(body.to_vec())?)
    };
    tokio::time::timeout(Duration::from_secs(ANSWER_S_MAX), exchange).await.context("timed out")?
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings() {
        let check = |issuer: &str, url: &str, oidc_allow_loopback: bool| {
            let [oidc_issuer, oidc_jwks_url] =
                [issuer, url].map(|value| (!value.is_empty()).then(|| value.to_owned()));
            let args = ProviderArgs { oidc_issuer, oidc_jwks_url, oidc_allow_loopback };
            args.provider().map(|found| found.map(|p| p.keys)).map_err(|error| error.setting)
        };
        assert_eq!(check("", "", false), Ok(None));
        let uri = Uri::from_static("https://id.example/a/.well-known/openid-configuration");
        let keys = Keys::Discovered(uri, Loopback::Refused);
        assert_eq!(check("https://id.example/a/", "", false), Ok(Some(keys)));
        let uri = Uri::from_static("https://id:8443/keys");
        assert_eq!(check("anything", "https://id:8443/keys", false), Ok(Some(Keys::At(uri))));
        assert_eq!(check("id.example", "", false), Err("OIDC_ISSUER"));
        assert_eq!(check("https://id.example", "ftp://id/keys", false), Err("OIDC_JWKS_URL"));
        // Over http only from this machine, and only if the setting allows it.
        for url in ["http://127.0.0.1:8080/keys", "http://localhost/keys", "http://[::1]/keys"] {
            let uri = Uri::from_static(url);
            assert_eq!(check("anything", url, true), Ok(Some(Keys::At(uri))));
            assert_eq!(check("anything", url, false), Err("OIDC_JWKS_URL"), "{url}");
        }
        for url in ["http://id:8080/keys", "http://127.0.0.1.example/keys", "http://10.0.0.1/keys"]
        {
            assert_eq!(check("anything", url, true), Err("OIDC_JWKS_URL"), "{url}");
        }
        assert_eq!(check("http://id.example", "", true), Err("OIDC_ISSUER"));
    }

    #[test]
    fn documents() {
        let address = |document: Value, issuer: &str, loopback: Loopback| {
            keys_address(&document, issuer, loopback)
        };
        let document = json!({"issuer": "https://id.example", "jwks_uri": "https://id.example/k"});
        let found = address(document.clone(), "https://id.example", Loopback::Refused);
        assert_eq!(found.unwrap(), "https://id.example/k");
        assert!(address(document, "https://id.example/", Loopback::Refused).is_err());
        for uri in ["file:///k", "http://id.example/k", "http://127.0.0.1/k"] {
            let document = json!({"issuer": "a", "jwks_uri": uri});
            assert!(address(document, "a", Loopback::Refused).is_err(), "{uri}");
        }
        let document = json!({"issuer": "a", "jwks_uri": "http://127.0.0.1/k"});
        assert!(address(document, "a", Loopback::Allowed).is_ok());
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let keys = |count: usize| json!({"keys": vec![key.clone(); count]}).to_string();
        assert_eq!(published(&keys(KEYS_MAX)).unwrap().len(), KEYS_MAX);
        assert!(published(&keys(KEYS_MAX + 1)).is_err());
        assert!(published("[]").is_err());
    }
}
