//! An application: its loaded components, which run each request and each typed call in a fresh instance.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use rondo_contract::cloud_event::{CloudEvent, Disposition, SOURCE, header};
use rondo_telemetry::span::Kind;
use rondo_telemetry::{LineLimit, Metrics, Span};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::{Component, InstancePre};
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use crate::allowed_host::AllowedHosts;
use crate::answer::{BROKEN_BODY, DEADLINE, NO_HOST, TOO_SLOW, overloaded};
pub use crate::answer::{FAULTS, Fault, body, internal, name_request, not_found, problem};
use crate::binding::CapabilityPre;
use crate::binding::exports::rondo::events::consumer as wit;
use crate::buffer::{Answers, Broken, Progress};
use crate::call::Call;
use crate::client::{BodyBytesMax, Client};
use crate::engine::{CALL_S_MAX, EVENT_INSTANCES_MIN, Grant, INSTANCES_MAX, State, engine, linker};
use crate::intake::{Intake, REQUEST_BODY_BYTES_MAX, Refused, WholeBody};
use crate::manifest::Manifest;
use crate::postgres::Databases;
use crate::route::{Routes, WELL_KNOWN_PREFIX};
pub use crate::session::POOL_SESSIONS_MAX;
use crate::variable::Values;

/// Maximum number of requests that wait for an instance; beyond that, 503.
pub const WAITING_REQUESTS_MAX: usize = 4096;
/// How long a call waits for a free instance, in seconds.
pub const INSTANCE_WAIT_S_MAX: u64 = 5;
/// Prefix of the routes that receive events over HTTP.
const EVENT_ROUTES: &str = "/events/";

static LINES: LineLimit = LineLimit::new();

/// Maximum number of instances for requests.
pub const REQUEST_INSTANCES_MAX: usize = (INSTANCES_MAX - EVENT_INSTANCES_MIN) as usize;

/// The permission to use an instance.
struct Permit {
    _held: [Option<OwnedSemaphorePermit>; 3],
    _busy: Counted,
}

/// Counts for as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why a typed call returned no dispositions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The component could not try anything, for example because its database was unavailable.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// It trapped by its own fault.
    #[error("the component trapped: {0}")]
    Trap(String),
    /// It was stopped after [`CALL_S_MAX`] seconds.
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
    /// The part of them that requests may have.
    request_instances: Arc<Semaphore>,
    waiting: Semaphore,
    intake: Intake,
    answers: Answers,
    /// Set once somebody watches.
    metrics: OnceLock<Metrics>,
}

struct Loaded {
    pre: InstancePre<State>,
    proxy: ProxyPre<State>,
    capability: Option<CapabilityPre<State>>,
    grant: Arc<Grant>,
    /// Only if the manifest limits them.
    instances: Option<Arc<Semaphore>>,
    /// Instances at work.
    busy: Arc<AtomicUsize>,
    /// Calls that wait for an instance.
    waiting: Arc<AtomicUsize>,
}

impl WasmApp {
    /// Loads the components of a manifest. Compiling takes seconds the first time and is cached.
    ///
    /// # Errors
    /// If a file is missing, a component imports something that does not exist, or a template names an
    /// unknown variable.
    pub fn load(manifest: &Manifest, values: &Values) -> anyhow::Result<Self> {
        Self::load_with(manifest, values, POOL_SESSIONS_MAX)
    }

    /// The same with at most so many sessions of each component with Postgres.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_with(
        manifest: &Manifest,
        values: &Values,
        sessions_max: usize,
    ) -> anyhow::Result<Self> {
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
                .collect::<Result<Vec<_>, _>>()?;
            let allowed =
                AllowedHosts::parse(&allowed).with_context(|| format!("component {id}"))?;
            let grant = Grant { variables, databases: Databases::new(allowed, id, sessions_max) };
            let loaded = Loaded {
                proxy: ProxyPre::new(pre.clone()).map_err(plain)?,
                // Only event capabilities have the typed export.
                capability: CapabilityPre::new(pre.clone()).ok(),
                pre,
                grant: Arc::new(grant),
                instances: declared
                    .tool
                    .rondo
                    .instances
                    .map(|count| Arc::new(Semaphore::new(count.get() as usize))),
                busy: Arc::default(),
                waiting: Arc::default(),
            };
            components.insert(id.clone(), loaded);
        }
        Ok(Self(Arc::new(Inner {
            engine,
            routes: Routes::new(&manifest.routes)?,
            components,
            instances: Arc::new(Semaphore::new(INSTANCES_MAX as usize)),
            request_instances: Arc::new(Semaphore::new(REQUEST_INSTANCES_MAX)),
            waiting: Semaphore::new(WAITING_REQUESTS_MAX),
            intake: Intake::new(),
            answers: Answers::new(),
            metrics: OnceLock::new(),
        })))
    }

    /// Shows in `metrics` how instances and sessions with Postgres are used, from now on.
    pub fn watch(&self, metrics: &Metrics) {
        for (calls, instances_max) in
            [("all", INSTANCES_MAX as usize), ("requests", REQUEST_INSTANCES_MAX)]
        {
            metrics
                .instances_max
                .with([calls])
                .set(i64::try_from(instances_max).unwrap_or(i64::MAX));
        }
        let _ = self.0.metrics.set(metrics.clone());
        let app = Arc::downgrade(&self.0);
        metrics.watch("components", move |metrics| {
            let Some(app) = app.upgrade() else { return };
            for (id, loaded) in &app.components {
                let component = id.clone().into();
                let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
                metrics.instances(&component, count(&loaded.busy), count(&loaded.waiting));
                if let Some(used) = loaded.grant.databases.usage() {
                    metrics.database_pool(&component, used);
                }
            }
        });
    }

    /// The route of a path, as written in the manifest.
    #[must_use]
    pub fn route(&self, path: &str) -> Option<&str> {
        self.0.routes.find(path).map(|route| route.pattern.as_str())
    }

    /// Handles a request. Never fails: a failure becomes a response.
    pub async fn handle<B>(&self, mut request: Request<B>) -> Response<HyperOutgoingBody>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<wasmtime_wasi_http::Error>,
    {
        if let Some(own) = request.uri().path().strip_prefix(WELL_KNOWN_PREFIX) {
            // The health probe of Spin's images.
            return if own == "health" { Response::new(body("OK")) } else { not_found() };
        }
        let Some(route) = self.0.routes.take(&mut request) else { return not_found() };
        let is_event = route.pattern.starts_with(EVENT_ROUTES);
        let (parts, body) = request.into_parts();
        // One bridge delivers all users' events.
        let client = parts.extensions.get::<Client>().filter(|_| !is_event);
        let client = client.map(|client| client.0.clone());
        let kept_max = parts.extensions.get::<BodyBytesMax>();
        let kept_max = kept_max.map_or(REQUEST_BODY_BYTES_MAX, |kept_max| kept_max.0);
        let body = match self.0.intake.read(client.clone(), body, kept_max).await {
            Ok(body) => body,
            Err(Refused::Slow) => return problem(TOO_SLOW),
            Err(Refused::NoRoom) => return overloaded(),
            Err(Refused::BrokenOff) => return problem(BROKEN_BODY),
        };
        // Only now, so that a slow client holds no instance.
        let loaded = &self.0.components[&*route.component];
        let permit = if is_event {
            self.instance(loaded).await
        } else {
            let Ok(_waiting) = self.0.waiting.try_acquire() else { return overloaded() };
            self.request_instance(loaded).await
        };
        let Some(permit) = permit else { return overloaded() };
        let request = Request::from_parts(parts, body);
        self.answer(&route.component, client, request, permit).await
    }

    async fn answer(
        &self,
        component: &str,
        client: Option<Arc<str>>,
        mut request: Request<WholeBody>,
        permit: Permit,
    ) -> Response<HyperOutgoingBody> {
        let loaded = &self.0.components[component];
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let span = span(component, &mut request);
        let mut store = self.store(loaded, span.as_ref());
        let prepared = {
            let mut http = wasmtime_wasi_http::WasiHttpView::http(store.data_mut());
            http.new_incoming_request(Scheme::Http, request)
                .and_then(|request| Ok((request, http.new_response_outparam(sender)?)))
        };
        let Ok((request, out)) = prepared else {
            return problem(NO_HOST);
        };
        let proxy = loaded.proxy.clone();
        let (told, component) = (component, component.to_owned());
        let progress = Progress::default();
        let verdict = progress.verdict();
        // Locals are dropped in reverse order. The permit and the instance belong to the call until it ends.
        let mut call = Call::new(async move {
            let _permit = permit;
            let mut span = span;
            let mut store = store;
            let verdict = verdict;
            let call = async {
                let instance = proxy.instantiate_async(&mut store).await?;
                instance.wasi_http_incoming_handler().call_handle(&mut store, request, out).await
            };
            let result = catch_panic(bounded(call)).await;
            match &result {
                Ok(()) => verdict.good(),
                Err(error) => {
                    if let Some(suppressed) = LINES.line() {
                        tracing::error!(component, %error, suppressed, "a component failed over a request");
                    }
                    failed(&mut span, error);
                }
            }
            result
        });
        let answer = async {
            match receiver.await {
                Ok(Ok(response)) => {
                    let (head, body) = response.into_parts();
                    match self.0.answers.take(client, body, &progress).await {
                        Ok(body) => Some(Response::from_parts(head, body.boxed_unsync())),
                        Err(Broken::Component) => None,
                        Err(Broken::NoRoom) => Some(overloaded()),
                        Err(Broken::TooLong) => {
                            tracing::error!(component = told, "an answer is too long");
                            Some(internal())
                        }
                    }
                }
                Ok(Err(_)) => Some(internal()),
                Err(_) => None,
            }
        };
        if let Some(answer) = call.until(answer).await {
            return answer;
        }
        match call.end().await {
            Err(CallError::Deadline) => problem(DEADLINE),
            _ => internal(),
        }
    }

    /// Passes a batch to the typed export of an event capability. Returns one disposition per event, in
    /// order.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn consume(
        &self,
        component: &str,
        batch: impl Into<Vec<CloudEvent>>,
    ) -> Result<Vec<Disposition>, CallError> {
        let mut batch: Vec<CloudEvent> = batch.into();
        let unavailable = |reason: String| CallError::Unavailable(reason);
        let loaded = self.0.components.get(component);
        let (loaded, capability) = loaded
            .and_then(|loaded| Some((loaded, loaded.capability.as_ref()?)))
            .ok_or_else(|| unavailable(format!("{component} takes no events")))?;
        let permit = self.instance(loaded).await;
        let _permit = permit.ok_or_else(|| unavailable("too many calls at once".to_owned()))?;
        let traces = batch.iter().map(|event| event.traceparent.as_deref());
        let mut span = Span::below_all(Kind::Internal, traces, || name(component));
        // The trace of an event alone goes on below this call, and that of several below the consumer.
        if let ([event], Some(span)) = (&mut *batch, &span) {
            event.traceparent = Some(span.traceparent());
        }
        let batch: Vec<_> = batch.into_iter().map(wit::CloudEvent::from).collect();
        let mut store = self.store(loaded, span.as_ref());
        let call = async {
            let instance = capability.instantiate_async(&mut store).await?;
            instance.rondo_events_consumer().call_handle(&mut store, &batch).await
        };
        let result = bounded(call).await.inspect_err(|error| failed(&mut span, error))?;
        let dispositions = result.map_err(|refusal| unavailable(refusal.reason))?;
        Ok(dispositions.into_iter().map(wit::Disposition::into).collect())
    }

    /// The store and pre-instance for a fresh instance, for exports that only tests call. It does not count
    /// towards [`INSTANCES_MAX`]; if no slot is free, instantiation fails at once.
    ///
    /// # Panics
    /// If there is no such component.
    #[must_use]
    pub fn instance_of(&self, component: &str) -> (Store<State>, InstancePre<State>) {
        let loaded = &self.0.components[component];
        (self.store(loaded, None), loaded.pre.clone())
    }

    fn store(&self, loaded: &Loaded, span: Option<&Span>) -> Store<State> {
        let state = State::new(loaded.grant.clone(), span.map(Span::context));
        let mut store = Store::new(&self.0.engine, state);
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(1);
        // A guest that computes yields its thread at each tick.
        store.epoch_deadline_callback(|_| {
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
        });
        store
    }

    /// Waits for the permission to use an instance; none if too many are busy for too long.
    async fn instance(&self, loaded: &Loaded) -> Option<Permit> {
        self.permit_in_time(loaded, None).await
    }

    /// The same for a request, which leaves some instances to events.
    async fn request_instance(&self, loaded: &Loaded) -> Option<Permit> {
        self.permit_in_time(loaded, Some(&self.0.request_instances)).await
    }

    async fn permit_in_time(
        &self,
        loaded: &Loaded,
        also: Option<&Arc<Semaphore>>,
    ) -> Option<Permit> {
        if let Some(permit) = self.permit(loaded, also).now_or_never() {
            return permit;
        }
        let _waiting = Counted::new(&loaded.waiting);
        let begun = Instant::now();
        let limit = Duration::from_secs(INSTANCE_WAIT_S_MAX);
        let permit = tokio::time::timeout(limit, self.permit(loaded, also)).await;
        if let Some(metrics) = self.0.metrics.get() {
            metrics.instance_waited(begun.elapsed());
        }
        permit.ok().flatten()
    }

    async fn permit(&self, loaded: &Loaded, also: Option<&Arc<Semaphore>>) -> Option<Permit> {
        // The component's own limit first, so that waiting for it keeps no other component from running.
        let own = acquire(loaded.instances.as_ref()).await?;
        let request = acquire(also).await?;
        let any = acquire(Some(&self.0.instances)).await?;
        Some(Permit { _held: [own, request, any], _busy: Counted::new(&loaded.busy) })
    }
}

impl From<CloudEvent> for wit::CloudEvent {
    fn from(event: CloudEvent) -> Self {
        let CloudEvent { id, event_type, subject, time, traceparent, topic, data } = event;
        Self { id, source: SOURCE.to_owned(), event_type, subject, time, traceparent, topic, data }
    }
}

impl From<wit::Disposition> for Disposition {
    fn from(disposition: wit::Disposition) -> Self {
        match disposition {
            wit::Disposition::Done => Self::Done,
            wit::Disposition::Retry(reason) => Self::Retry { reason },
            wit::Disposition::Reject(reason) => Self::Reject { reason },
        }
    }
}

/// The span of a call over a request, which the component takes for its caller's.
fn span<B>(component: &str, request: &mut Request<B>) -> Option<Span> {
    let trace = request.headers().get(header::TRACEPARENT);
    let trace = trace.and_then(|value| value.to_str().ok());
    let span = Span::below(Kind::Internal, trace, || name(component))?;
    let trace = HeaderValue::try_from(span.traceparent()).ok()?;
    request.headers_mut().insert(header::TRACEPARENT, trace);
    Some(span)
}

/// Name of a call's span.
fn name(component: &str) -> String {
    format!("component {component}")
}

fn failed(span: &mut Option<Span>, error: &CallError) {
    if let Some(span) = span {
        span.fail(match error {
            CallError::Unavailable(_) => "unavailable",
            CallError::Trap(_) => "trap",
            CallError::Deadline => "deadline",
        });
    }
}

/// None for no limit; otherwise waits for a permit.
async fn acquire(permits: Option<&Arc<Semaphore>>) -> Option<Option<OwnedSemaphorePermit>> {
    let Some(permits) = permits else { return Some(None) };
    match permits.clone().try_acquire_owned() {
        Ok(permit) => Some(Some(permit)),
        Err(_) => permits.clone().acquire_owned().await.ok().map(Some),
    }
}

/// Ends a call that takes too long, whether it waits or computes.
async fn bounded<T>(call: impl Future<Output = wasmtime::Result<T>>) -> Result<T, CallError> {
    match tokio::time::timeout(Duration::from_secs(CALL_S_MAX), call).await {
        Err(_) => Err(CallError::Deadline),
        Ok(Err(error)) => Err(CallError::Trap(format!("{error:#}"))),
        Ok(Ok(value)) => Ok(value),
    }
}

/// A panic of the host during a call ends only that call, not the client's connection.
async fn catch_panic<T>(call: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
    let result = AssertUnwindSafe(call).catch_unwind().await;
    result.unwrap_or_else(|_| Err(CallError::Trap("the host panicked".to_owned())))
}

/// wasmtime's error with its causes, as an anyhow error.
fn plain(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}
