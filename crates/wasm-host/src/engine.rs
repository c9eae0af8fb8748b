//! The wasmtime engine, the limits of an instance, and the interfaces that the host provides.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rondo_telemetry::{LineLimit, TraceContext};
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};
use wasmtime::{
    Cache, CacheConfig, Config, Enabled, Engine, InstanceAllocationStrategy,
    PoolingAllocationConfig, StoreContextMut, StoreLimits, StoreLimitsBuilder,
};
use wasmtime_wasi::p2::IoError;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler::Host as _;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::{RequestOptions, WasiHttp, WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::binding::fermyon::spin::variables;
use crate::binding::spin::postgres::postgres as wit;
use crate::deadline::Flights;
pub use crate::deadline::{CALL_S_MAX, CALL_WITH_WAITS_S_MAX};
use crate::outgoing::{Outgoing, Requests, error_code};
use crate::postgres::{Databases, leaves_no_trace};
use crate::session::Connection;

/// Maximum memory of one instance, in bytes.
pub const MEMORY_BYTES_MAX: usize = 64 << 20;
/// Maximum number of instances of all components: about as many as they have database sessions.
///
/// Below 128, because from there on wasmtime (48) divides a pool into shards and searches them one after the
/// other for a free slot. A pool with exactly that many slots then sometimes fails a call although it has
/// room: a slot can become free in a shard already searched while the last one is taken in the next.
pub const INSTANCES_MAX: u32 = 120;
/// Instances reserved for events, so that events continue under any load.
pub const EVENT_INSTANCES_MIN: u32 = 16;
/// Maximum number of core instances in one component instance.
const CORE_INSTANCES_PER_INSTANCE_MAX: u32 = 8;
/// Maximum number of tables that these have together.
const TABLES_PER_INSTANCE_MAX: u32 = 4;
/// wasmtime's shards of a pool: one per processor, at most 16.
const SHARDS_MAX: u32 = 16;
/// Slots of ended instances that are reserved for the same component; beyond this number, any component may
/// take them.
const WARM_INSTANCES_MAX: u32 = INSTANCES_MAX / 2;
/// How much memory of such a slot is cleared by hand, in bytes. Returning the rest to the system costs system
/// calls and page faults with each call. A request touches some 300 KiB.
const WARM_MEMORY_BYTES_MAX: usize = 512 << 10;
/// The same for each of its tables, which are small.
const WARM_TABLE_BYTES_MAX: usize = 64 << 10;
/// Maximum number of host resources (streams, bodies, connections) of an instance at once.
const RESOURCES_MAX: usize = 4_096;
/// Length of an epoch, in milliseconds: how long a guest may compute before others get its thread.
pub const EPOCH_MS: u64 = 10;
/// The interface for requests to other servers.
const OUTGOING_HANDLER: &str = "wasi:http/outgoing-handler@0.2.6";

/// The interface that the errors of bodies belong to, of the version that wasmtime has. It knows no code for its own
/// errors (48), so a component could not tell a slow server from a broken one.
const HTTP_TYPES: &str = "wasi:http/types@0.2.12";

/// The export for recurrence calculations.
pub mod recurrence {
    wasmtime::component::bindgen!({
        inline: "
            package rondo:host;
            world recurrence-engine {
                export rondo:recurrence/engine@1.0.0;
            }
        ",
        path: "../../wit",
        world: "rondo:host/recurrence-engine",
        exports: { default: async },
    });
}

/// The state of one instance during one call.
pub struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    pub(crate) limits: StoreLimits,
    grant: Arc<Grant>,
    requests: Requests,
    /// Those requests that are under way.
    flights: Flights,
    /// The span of the call, where it is recorded.
    trace: Option<TraceContext>,
}

/// What a component may use: its variables, databases and other servers.
pub struct Grant {
    pub(crate) variables: HashMap<String, String>,
    pub(crate) databases: Databases,
    pub(crate) outgoing: Arc<Outgoing>,
}

impl State {
    pub(crate) fn new(grant: Arc<Grant>, trace: Option<TraceContext>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        let flights = Flights::default();
        Self {
            table,
            wasi: WasiCtx::builder().stdout(GuestLog).stderr(GuestLog).build(),
            http: WasiHttpCtx::new(),
            limits: StoreLimitsBuilder::new().memory_size(MEMORY_BYTES_MAX).build(),
            requests: Requests::new(grant.outgoing.clone(), flights.clone()),
            grant,
            flights,
            trace,
        }
    }

    pub(crate) fn flights(&self) -> Flights {
        self.flights.clone()
    }

    /// Whether the call keeps a database session from others.
    fn holds_session(&mut self) -> bool {
        let mut connections =
            self.table.iter_mut().filter_map(|entry| entry.downcast_mut::<Connection>());
        connections.any(|connection| connection.holds_session())
    }

    /// Sends a request to another server; the generated code would not ask this call about its session.
    fn send(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        options: Option<Resource<RequestOptions>>,
    ) -> wasmtime::Result<Result<Resource<HostFutureIncomingResponse>, ErrorCode>> {
        // An answer can take a minute, in which nobody else could use the session.
        if self.holds_session() {
            let request = self.table.delete(request)?;
            self.grant.outgoing.refuse_with_session(&request.authority.unwrap_or_default());
            return Ok(Err(ErrorCode::HttpRequestDenied));
        }
        match self.http().handle(request, options) {
            Ok(answer) => Ok(Ok(answer)),
            Err(error) => error.downcast().map(Err),
        }
    }

    /// The refusal of a statement after which the session could not be given back before another server has answered.
    fn refusal(&self, statement: &str) -> Option<wit::Error> {
        let refused = self.flights.are_under_way() && !leaves_no_trace(statement);
        refused.then(|| wit::Error::Other("another server's answer is still awaited".to_owned()))
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.requests }
    }
}

static GUEST_LINES: LineLimit = LineLimit::new();

/// A guest prints log lines that are already JSON; they go to standard error with the host's.
#[derive(Clone)]
struct GuestLog;

impl wasmtime_wasi::cli::IsTerminal for GuestLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl wasmtime_wasi::cli::StdoutStream for GuestLog {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Requested when a guest prints, which it does if its call fails.
        match GUEST_LINES.line() {
            Some(_) => Box::new(tokio::io::stderr()),
            None => Box::new(tokio::io::sink()),
        }
    }
}

/// An engine with its limits. Compiled components are cached in wasmtime's folder.
///
/// # Errors
/// If the machine cannot reserve the address space.
pub fn engine() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config.epoch_interruption(true).memory_reservation(MEMORY_BYTES_MAX as u64);
    // The cache only saves time; without a home folder there is none.
    if let Ok(cache) = Cache::new(CacheConfig::new()) {
        config.cache(Some(cache));
    }
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(INSTANCES_MAX)
        .max_core_instances_per_component(CORE_INSTANCES_PER_INSTANCE_MAX)
        .total_core_instances(INSTANCES_MAX * CORE_INSTANCES_PER_INSTANCE_MAX)
        .max_memories_per_component(1)
        .total_memories(INSTANCES_MAX)
        .max_tables_per_component(TABLES_PER_INSTANCE_MAX)
        // The pool divides these among its shards, so each shard has enough for all instances.
        .total_tables(INSTANCES_MAX * TABLES_PER_INSTANCE_MAX * SHARDS_MAX)
        .total_stacks(INSTANCES_MAX)
        .max_memory_size(MEMORY_BYTES_MAX)
        .max_unused_warm_slots(WARM_INSTANCES_MAX)
        .linear_memory_keep_resident(WARM_MEMORY_BYTES_MAX)
        .table_keep_resident(WARM_TABLE_BYTES_MAX)
        // Clears only touched pages if the kernel (Linux 6.7) supports that.
        .pagemap_scan(Enabled::Auto);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = Engine::new(&config)?;
    let ticking = engine.weak();
    std::thread::Builder::new().name("epoch".to_owned()).spawn(move || {
        while let Some(engine) = ticking.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(Duration::from_millis(EPOCH_MS));
        }
    })?;
    Ok(engine)
}

/// Everything that a component may import. Sockets are deliberately absent.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    let options = wasmtime_wasi_http::p2::bindings::LinkOptions::default();
    wasmtime_wasi_http::p2::bindings::http::types::add_to_linker::<_, WasiHttp>(
        &mut linker,
        &(&options).into(),
        State::http,
    )?;
    linker.allow_shadowing(true);
    linker.instance(HTTP_TYPES)?.func_wrap(
        "http-error-code",
        |mut store: StoreContextMut<'_, State>, (error,): (Resource<IoError>,)| {
            Ok((store.data_mut().table.get(&error)?.downcast_ref().and_then(error_code),))
        },
    )?;
    linker.allow_shadowing(false);
    linker.instance(OUTGOING_HANDLER)?.func_wrap(
        "handle",
        |mut store: StoreContextMut<'_, State>, (request, options)| {
            Ok((store.data_mut().send(request, options)?,))
        },
    )?;
    wit::add_to_linker::<_, HasSelf<State>>(&mut linker, |s| s)?;
    variables::add_to_linker::<_, HasSelf<State>>(&mut linker, |s| s)?;
    Ok(linker)
}

impl variables::Host for State {
    async fn get(&mut self, name: String) -> wasmtime::Result<Result<String, variables::Error>> {
        use variables::Error;
        let well_formed = name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        Ok(match self.grant.variables.get(&name) {
            Some(value) => Ok(value.clone()),
            None if well_formed => Err(Error::Undefined(format!("no variable {name}"))),
            None => Err(Error::InvalidName(name)),
        })
    }
}

impl wit::Host for State {}

impl wit::HostConnection for State {
    async fn open(
        &mut self,
        address: String,
    ) -> wasmtime::Result<Result<Resource<Connection>, wit::Error>> {
        Ok(match self.grant.databases.find(&address) {
            Ok(database) => Ok(self.table.push(Connection::new(database))?),
            Err(error) => Err(error),
        })
    }

    async fn query(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        params: Vec<wit::ParameterValue>,
    ) -> wasmtime::Result<Result<wit::RowSet, wit::Error>> {
        if let Some(refusal) = self.refusal(&statement) {
            return Ok(Err(refusal));
        }
        let connection = self.table.get_mut(&connection)?;
        Ok(connection.query(&statement, params, self.trace).await)
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        params: Vec<wit::ParameterValue>,
    ) -> wasmtime::Result<Result<u64, wit::Error>> {
        if let Some(refusal) = self.refusal(&statement) {
            return Ok(Err(refusal));
        }
        let connection = self.table.get_mut(&connection)?;
        Ok(connection.execute(&statement, params, self.trace).await)
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;
    use wasmtime::{Instance, Module, Store};

    use super::*;

    /// A core module in the binary format: a table, a memory of one page, and a start function that does
    /// nothing but needs a stack.
    const MODULE: &[u8] = b"\0asm\x01\0\0\0\
        \x01\x04\x01\x60\0\0\
        \x03\x02\x01\0\
        \x04\x04\x01\x70\0\x01\
        \x05\x03\x01\0\x01\
        \x08\x01\0\
        \x0a\x04\x01\x02\0\x0b";

    #[tokio::test(flavor = "multi_thread", worker_threads = 8)]
    async fn the_pool_has_room_for_all_admitted_instances() {
        let engine = engine().unwrap();
        let module = Module::new(&engine, MODULE).unwrap();
        let permits = Arc::new(Semaphore::new(INSTANCES_MAX as usize));
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..2 * INSTANCES_MAX {
            let (engine, module, permits) = (engine.clone(), module.clone(), permits.clone());
            callers.spawn(async move {
                for _ in 0..100 {
                    let _permit = permits.acquire().await.unwrap();
                    let mut store = Store::new(&engine, ());
                    store.set_epoch_deadline(u64::MAX / 2);
                    Instance::new_async(&mut store, &module, &[]).await?;
                    // Others start while this instance exists.
                    tokio::task::yield_now().await;
                }
                Ok::<_, wasmtime::Error>(())
            });
        }
        for result in callers.join_all().await {
            result.unwrap();
        }
    }
}
