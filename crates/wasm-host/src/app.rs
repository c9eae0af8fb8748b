//! An application: its loaded components, which run each request and each typed call in a fresh instance.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderValue, Request, Response, response};
use http_body_util::BodyExt as _;
use rondo_contract::cloud_event::{CloudEvent, Disposition, SOURCE, header};
use rondo_telemetry::span::Kind;
use rondo_telemetry::{LineLimit, Metrics, Span};
use tracing::Instrument as _;
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
use crate::buffer::{Answers, Broken};
use crate::call::Call;
use crate::client::{BodyBytesMax, Client};
pub use crate::deadline::{CallError, CallLimits};
use crate::engine::{Grant, INSTANCES_MAX, State, engine, linker};
use crate::intake::{Intake, REQUEST_BODY_BYTES_MAX, Refused, WholeBody};
use crate::manifest::Manifest;
use crate::outgoing::{OUTCOMES, Outgoing, OutgoingOptions, Sender};
pub use crate::permit::{INSTANCE_WAIT_S_MAX, REQUEST_INSTANCES_MAX, WAITING_REQUESTS_MAX};
use crate::permit::{Instances, Permit, Usage};
use crate::postgres::Databases;
use crate::progress::Progress;
use crate::route::{Routes, WELL_KNOWN_PREFIX};
pub use crate::session::POOL_SESSIONS_MAX;
use crate::stream::is_streamed;
use crate::variable::Values;

/// Prefix of the routes that receive events over HTTP.
const EVENT_ROUTES: &str = "/events/";

static LINES: LineLimit = LineLimit::new();

/// What a host may set otherwise.
#[derive(Debug, Clone)]
pub struct Options {
    /// Maximum number of sessions of each component with Postgres.
    pub sessions_max: usize,
    pub call: CallLimits,
    pub outgoing: OutgoingOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sessions_max: POOL_SESSIONS_MAX,
            call: CallLimits::default(),
            outgoing: OutgoingOptions::default(),
        }
    }
}

/// A component's response.
enum Answer {
    /// The last part of it has been written.
    Whole(Response<HyperOutgoingBody>),
    /// The first part of its body is still to come.
    Streamed(response::Parts, HyperOutgoingBody),
    /// The call ended without a complete response.
    Missing,
}

/// A loaded application.
#[derive(Clone)]
pub struct WasmApp(Arc<Inner>);

struct Inner {
    engine: Engine,
    routes: Routes,
    components: HashMap<String, Loaded>,
    instances: Instances,
    call_limits: CallLimits,
    intake: Intake,
    answers: Answers,
}

struct Loaded {
    pre: InstancePre<State>,
    proxy: ProxyPre<State>,
    capability: Option<CapabilityPre<State>>,
    grant: Arc<Grant>,
    usage: Usage,
}

impl WasmApp {
    /// Loads the components of a manifest. Compiling takes seconds the first time and is cached.
    ///
    /// # Errors
    /// If a file is missing, a component imports something that does not exist, or a template names an
    /// unknown variable.
    pub fn load(manifest: &Manifest, values: &Values) -> anyhow::Result<Self> {
        Self::load_with(manifest, values, Options::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`Self::load`]; if the authorities for TLS cannot be read.
    pub fn load_with(
        manifest: &Manifest,
        values: &Values,
        options: Options,
    ) -> anyhow::Result<Self> {
        let engine = engine().map_err(plain)?;
        let linker = linker(&engine).map_err(plain)?;
        let instances = Instances::new();
        let sender = Arc::new(Sender::new(options.outgoing, instances.metrics.clone())?);
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
            let grant = Grant {
                variables,
                outgoing: Arc::new(Outgoing::new(id, allowed.clone(), sender.clone())),
                databases: Databases::new(allowed, id, options.sessions_max),
            };
            let loaded = Loaded {
                proxy: ProxyPre::new(pre.clone()).map_err(plain)?,
                // Only event capabilities have the typed export.
                capability: CapabilityPre::new(pre.clone()).ok(),
                pre,
                grant: Arc::new(grant),
                usage: Usage::new(declared.tool.rondo.instances),
            };
            components.insert(id.clone(), loaded);
        }
        Ok(Self(Arc::new(Inner {
            engine,
            routes: Routes::new(&manifest.routes)?,
            components,
            instances,
            call_limits: options.call,
            intake: Intake::new(),
            answers: Answers::new(),
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
        let _ = self.0.instances.metrics.set(metrics.clone());
        for (id, loaded) in &self.0.components {
            if loaded.grant.outgoing.is_allowed() {
                metrics.announce_outgoing(&id.clone().into(), &OUTCOMES);
            }
        }
        let app = Arc::downgrade(&self.0);
        metrics.watch("components", move |metrics| {
            let Some(app) = app.upgrade() else { return };
            for (id, loaded) in &app.components {
                let component = id.clone().into();
                let (busy, waiting) = loaded.usage.count();
                metrics.instances(&component, busy, waiting);
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
            self.0.instances.any(&loaded.usage).await
        } else {
            self.0.instances.for_request(&loaded.usage).await
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
        let (limits, flights) = (self.0.call_limits, store.data().flights());
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
            let result = catch_panic(limits.bound(&flights, call)).await;
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
                    if is_streamed(&head.headers) {
                        return Answer::Streamed(head, body);
                    }
                    match self.0.answers.take(client.clone(), body, &progress).await {
                        Ok(body) => Answer::Whole(Response::from_parts(head, body.boxed_unsync())),
                        Err(Broken::Component) => Answer::Missing,
                        Err(Broken::NoRoom) => Answer::Whole(overloaded()),
                        Err(Broken::TooLong) => {
                            tracing::error!(component = told, "an answer is too long");
                            Answer::Whole(internal())
                        }
                    }
                }
                Ok(Err(_)) => Answer::Whole(internal()),
                Err(_) => Answer::Missing,
            }
        };
        match call.until(answer).await {
            Answer::Whole(answer) => answer,
            Answer::Streamed(head, body) => {
                let (body, passing) = self.0.answers.pass_on(client, body, progress);
                // On a task of its own: the client's connection does not ask for more while the client reads nothing.
                let passing = async move {
                    call.until(passing).await;
                    // The component may continue after its response.
                    let _ = call.end().await;
                };
                tokio::spawn(passing.in_current_span());
                Response::from_parts(head, body.boxed_unsync())
            }
            Answer::Missing => match call.end().await {
                Err(CallError::Deadline) => problem(DEADLINE),
                _ => internal(),
            },
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
        let permit = self.0.instances.any(&loaded.usage).await;
        let _permit = permit.ok_or_else(|| unavailable("too many calls at once".to_owned()))?;
        let traces = batch.iter().map(|event| event.traceparent.as_deref());
        let mut span = Span::below_all(Kind::Internal, traces, || name(component));
        // The trace of an event alone goes on below this call, and that of several below the consumer.
        if let ([event], Some(span)) = (&mut *batch, &span) {
            event.traceparent = Some(span.traceparent());
        }
        let batch: Vec<_> = batch.into_iter().map(wit::CloudEvent::from).collect();
        let mut store = self.store(loaded, span.as_ref());
        let flights = store.data().flights();
        let call = async {
            let instance = capability.instantiate_async(&mut store).await?;
            instance.rondo_events_consumer().call_handle(&mut store, &batch).await
        };
        let result = self.0.call_limits.bound(&flights, call).await;
        let result = result.inspect_err(|error| failed(&mut span, error))?;
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

/// A panic of the host during a call ends only that call, not the client's connection.
async fn catch_panic<T>(call: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
    let result = AssertUnwindSafe(call).catch_unwind().await;
    result.unwrap_or_else(|_| Err(CallError::Trap("the host panicked".to_owned())))
}

/// wasmtime's error with its causes, as an anyhow error.
fn plain(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}
