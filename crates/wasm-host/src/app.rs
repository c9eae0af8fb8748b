//! An application: its components, loaded and ready, each request and each typed call in a fresh
//! instance.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use tokio::sync::{Semaphore, TryAcquireError};
use wasmtime::component::{Component, InstancePre};
use wasmtime::{Engine, Store, Trap};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use crate::engine::bindings::CapabilityPre;
use crate::engine::bindings::exports::rondo::events::consumer as wit;
use crate::engine::{CALL_S_MAX, EPOCH_MS, Grant, INSTANCES_MAX, State, engine, linker};
use crate::manifest::Manifest;
use crate::postgres::Pools;
use crate::route::Routes;
use crate::variable::Values;

/// Requests that may wait for an instance; beyond that, 503.
pub const WAITING_REQUESTS_MAX: usize = 4096;
/// Seconds that an overloaded host asks a client to wait.
const RETRY_AFTER_S: u32 = 1;

/// An event as the typed door takes it; see `wit/events.wit`.
pub type CloudEvent = wit::CloudEvent;
/// What became of an event.
pub type Disposition = wit::Disposition;

/// Why a typed call has no dispositions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The component could try nothing, for example for want of its database.
    #[error("unavailable: {0}")]
    Unavailable(String),
    #[error("the component trapped: {0}")]
    Trap(String),
    #[error("the component took too long")]
    Deadline,
}

/// A loaded application.
#[derive(Clone)]
pub struct WasmApp(Arc<Inner>);

struct Inner {
    engine: Engine,
    routes: Routes,
    components: HashMap<String, Loaded>,
    instances: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

struct Loaded {
    pre: InstancePre<State>,
    proxy: ProxyPre<State>,
    capability: Option<CapabilityPre<State>>,
    grant: Arc<Grant>,
}

impl WasmApp {
    /// Loads the components of a manifest. Compiling takes seconds the first time and is cached.
    ///
    /// # Errors
    /// When a file is missing or imports what there is not, or a template names no variable.
    pub fn load(manifest: &Manifest, values: &Values) -> anyhow::Result<Self> {
        let engine = engine().map_err(plain)?;
        let linker = linker(&engine).map_err(plain)?;
        let mut components = HashMap::new();
        for (id, declared) in &manifest.components {
            let path = manifest.folder.join(&declared.source);
            anyhow::ensure!(
                path.exists(),
                "component {id}: {} is not there: build it first",
                path.display()
            );
            let component = Component::from_file(&engine, &path)
                .map_err(plain)
                .with_context(|| format!("component {id}"))?;
            let pre = linker
                .instantiate_pre(&component)
                .map_err(plain)
                .with_context(|| format!("component {id}"))?;
            let mut variables = HashMap::new();
            for (name, template) in &declared.variables {
                variables.insert(name.clone(), values.fill(template)?);
            }
            let allowed = declared
                .allowed_outbound_hosts
                .iter()
                .map(|host| values.fill(host))
                .collect::<Result<_, _>>()?;
            let grant = Grant { variables, pools: Pools::new(allowed, id) };
            let loaded = Loaded {
                proxy: ProxyPre::new(pre.clone()).map_err(plain)?,
                // Only event capabilities have the typed door.
                capability: CapabilityPre::new(pre.clone()).ok(),
                pre,
                grant: Arc::new(grant),
            };
            components.insert(id.clone(), loaded);
        }
        Ok(Self(Arc::new(Inner {
            engine,
            routes: Routes::new(&manifest.routes),
            components,
            instances: Arc::new(Semaphore::new(INSTANCES_MAX as usize)),
            waiting: Arc::new(Semaphore::new(WAITING_REQUESTS_MAX)),
        })))
    }

    /// The route that a path takes, as the manifest writes it.
    #[must_use]
    pub fn route(&self, path: &str) -> Option<&str> {
        self.0.routes.find(path).map(|(route, _)| route)
    }

    /// Handles a request. Never fails: what goes wrong is an answer.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<HyperOutgoingBody>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<wasmtime_wasi_http::Error>,
    {
        let Some((_, id)) = self.0.routes.find(request.uri().path()) else {
            return problem(StatusCode::NOT_FOUND, "not_found", "There is nothing at this path.");
        };
        let Some(permit) = self.instance().await else {
            let mut answer = problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "Too many requests at once.",
            );
            answer.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_S.into());
            return answer;
        };
        let loaded = &self.0.components[id];
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let mut store = self.store(loaded);
        let prepared = {
            let mut http = wasmtime_wasi_http::WasiHttpView::http(store.data_mut());
            http.new_incoming_request(Scheme::Http, request)
                .and_then(|request| Ok((request, http.new_response_outparam(sender)?)))
        };
        let Ok((request, out)) = prepared else {
            return problem(StatusCode::BAD_REQUEST, "bad_request", "The request has no host.");
        };
        let proxy = loaded.proxy.clone();
        let component = id.to_owned();
        // The guest may go on after it has begun to answer, so it runs beside us; the permit and the
        // instance are its own until it ends.
        let task = tokio::spawn(async move {
            let _permit = permit;
            let call = async {
                let instance = proxy.instantiate_async(&mut store).await?;
                instance.wasi_http_incoming_handler().call_handle(&mut store, request, out).await
            };
            let result = bounded(call).await;
            if let Err(error) = &result {
                tracing::error!(component, %error, "a component failed over a request");
            }
            result
        });
        match receiver.await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => internal(),
            Err(_) => match task.await {
                Ok(Err(CallError::Deadline)) => {
                    problem(StatusCode::GATEWAY_TIMEOUT, "deadline", "The request took too long.")
                }
                _ => internal(),
            },
        }
    }

    /// Hands events to the typed door of an event capability.
    ///
    /// # Errors
    /// See [`CallError`].
    ///
    /// # Panics
    /// When `component` is no event capability of the manifest.
    pub async fn consume(
        &self,
        component: &str,
        batch: &[CloudEvent],
    ) -> Result<Vec<Disposition>, CallError> {
        let loaded = &self.0.components[component];
        let capability =
            loaded.capability.as_ref().expect("an event capability has the typed door");
        let permit = self.0.instances.clone().acquire_owned().await;
        let _permit = permit.map_err(|error| CallError::Unavailable(error.to_string()))?;
        let mut store = self.store(loaded);
        let call = async {
            let instance = capability.instantiate_async(&mut store).await?;
            instance.rondo_events_consumer().call_handle(&mut store, batch).await
        };
        bounded(call).await?.map_err(|unavailable| CallError::Unavailable(unavailable.reason))
    }

    /// A fresh instance's store and what to make it from, for doors that only tests use.
    ///
    /// # Panics
    /// When there is no such component.
    #[must_use]
    pub fn instance_of(&self, component: &str) -> (Store<State>, InstancePre<State>) {
        let loaded = &self.0.components[component];
        (self.store(loaded), loaded.pre.clone())
    }

    fn store(&self, loaded: &Loaded) -> Store<State> {
        let mut store = Store::new(&self.0.engine, State::new(loaded.grant.clone()));
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(CALL_S_MAX * 1000 / EPOCH_MS);
        store
    }

    async fn instance(&self) -> Option<tokio::sync::OwnedSemaphorePermit> {
        match self.0.instances.clone().try_acquire_owned() {
            Ok(permit) => return Some(permit),
            Err(TryAcquireError::Closed) => return None,
            Err(TryAcquireError::NoPermits) => {}
        }
        let _waiting = self.0.waiting.clone().try_acquire_owned().ok()?;
        let patience = Duration::from_secs(CALL_S_MAX);
        tokio::time::timeout(patience, self.0.instances.clone().acquire_owned()).await.ok()?.ok()
    }
}

/// Ends a call that waits too long outside of the guest; inside, the epoch does.
async fn bounded<T>(call: impl Future<Output = wasmtime::Result<T>>) -> Result<T, CallError> {
    match tokio::time::timeout(Duration::from_secs(CALL_S_MAX), call).await {
        Err(_) => Err(CallError::Deadline),
        Ok(Err(error)) if error.downcast_ref() == Some(&Trap::Interrupt) => {
            Err(CallError::Deadline)
        }
        Ok(Err(error)) => Err(CallError::Trap(format!("{error:#}"))),
        Ok(Ok(value)) => Ok(value),
    }
}

fn internal() -> Response<HyperOutgoingBody> {
    problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on our side.")
}

/// A body of bytes at hand, in the type that a component's body has.
#[must_use]
pub fn body(bytes: impl Into<Bytes>) -> HyperOutgoingBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A problem (RFC 9457) of the host's own.
#[must_use]
pub fn problem(status: StatusCode, code: &str, detail: &str) -> Response<HyperOutgoingBody> {
    let title = status.canonical_reason().unwrap_or("Error");
    let text = format!(
        r#"{{"type":"/problems/{code}","title":"{title}","status":{},"detail":"{detail}","code":"{code}"}}"#,
        status.as_u16()
    );
    let mut response = Response::new(body(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/problem+json"));
    response
}

/// Collects a body of at most `bytes_max` bytes.
///
/// # Errors
/// When it is longer or breaks off.
pub async fn collect<B>(body: B, bytes_max: usize) -> Result<Bytes, String>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let collected = Limited::new(body, bytes_max).collect().await;
    Ok(collected.map_err(|error| error.to_string())?.to_bytes())
}

/// wasmtime's error with its causes, for programs that speak anyhow.
fn plain(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}
