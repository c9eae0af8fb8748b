//! `spin:postgres/postgres@4.0.0`: a component's connections to the databases that its manifest lists.

#![expect(clippy::result_large_err, reason = "the error is the interface's own record")]

mod failure;
mod statement;
mod summary;
mod value;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use deadpool_postgres::Object;
use futures_util::TryStreamExt as _;
use rondo_database::Dsn;
use rondo_telemetry::span::Kind;
use rondo_telemetry::{PoolUse, Span, TraceContext};
use tokio_postgres::error::SqlState;

pub(crate) use self::statement::leaves_no_trace;
use self::value::Parameter;
use crate::allowed_host::AllowedHosts;
use crate::binding::spin::postgres::postgres as wit;
use crate::postgres::summary::Summary;
use crate::session::{Connection, Database};

/// Maximum size of a query's result, in bytes as Postgres sends them; Spin has 128 MiB. A guest with 64 MiB
/// of memory cannot use more.
pub const ROW_SET_BYTES_MAX: usize = 32 << 20;
/// Of a database's address in `allowed_outbound_hosts`.
const SCHEME: &str = "postgres";
/// Maximum number of connection strings of one component.
const DATABASES_MAX: usize = 16;

/// The databases of one component, one for each connection string.
pub struct Databases {
    allowed: AllowedHosts,
    /// The component's name in `pg_stat_activity`.
    application: String,
    sessions_max: usize,
    known: Mutex<HashMap<String, Arc<Database>>>,
}

impl Databases {
    pub(crate) fn new(allowed: AllowedHosts, component: &str, sessions_max: usize) -> Self {
        let application = format!("rondo {component}");
        Self { allowed, application, sessions_max, known: Mutex::default() }
    }

    /// Use of the sessions to all databases together; none if the component may use none.
    pub(crate) fn usage(&self) -> Option<PoolUse> {
        if !self.allowed.has(SCHEME) {
            return None;
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // The limit is known before the first session.
        let connections_max = known.len().max(1) * self.sessions_max;
        let unused = PoolUse { connections_max, ..PoolUse::default() };
        Some(known.values().map(|database| database.usage()).fold(unused, |all, one| PoolUse {
            open: all.open + one.open,
            idle: all.idle + one.idle,
            waiting: all.waiting + one.waiting,
            ..all
        }))
    }

    pub(crate) fn find(&self, address: &str) -> Result<Arc<Database>, wit::Error> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(database) = known.get(address) {
            return Ok(database.clone());
        }
        let dsn =
            Dsn::parse(address).map_err(|error| wit::Error::ConnectionFailed(error.to_string()))?;
        for (host, port) in dsn.addresses() {
            if !self.allowed.permits(SCHEME, &host, port) {
                return Err(wit::Error::ConnectionFailed(format!(
                    "address {SCHEME}://{host}:{port} is not permitted"
                )));
            }
        }
        if known.len() >= DATABASES_MAX {
            return Err(wit::Error::ConnectionFailed("too many connection strings".to_owned()));
        }
        let database = Database::new(&dsn, &self.application, self.sessions_max)
            .map_err(wit::Error::ConnectionFailed)?;
        let database = Arc::new(database);
        known.insert(address.to_owned(), database.clone());
        Ok(database)
    }
}

impl Connection {
    pub(crate) async fn query(
        &mut self,
        statement: &str,
        params: Vec<wit::ParameterValue>,
        trace: Option<TraceContext>,
    ) -> Result<wit::RowSet, wit::Error> {
        let result = self.traced(statement, params, Wanted::Rows, trace).await?;
        let set = result.map_err(Failed::into_wit)?.set;
        if set.rows.is_empty() {
            return Err(failure::of_no_row(statement));
        }
        Ok(set)
    }

    pub(crate) async fn execute(
        &mut self,
        statement: &str,
        params: Vec<wit::ParameterValue>,
        trace: Option<TraceContext>,
    ) -> Result<u64, wit::Error> {
        let result = self.traced(statement, params, Wanted::Count, trace).await?;
        result.map(|answer| answer.affected).map_err(|failed| match failed {
            // Only a query with rows can fail late.
            Failed::Late(error) => failure::of_statement(&error),
            failed => failed.into_wit(),
        })
    }

    /// Runs a statement as a span of the call's, with the wait for its session.
    async fn traced(
        &mut self,
        statement: &str,
        params: Vec<wit::ParameterValue>,
        wanted: Wanted,
        trace: Option<TraceContext>,
    ) -> Result<Result<Answer, Failed>, wit::Error> {
        let mut summary = None;
        let name = || summary.insert(Summary::of(statement)).text();
        let mut span = trace.and_then(|trace| Span::begin(Kind::Client, trace, name));
        let result = self.run(statement, params, wanted).await;
        if let Some((span, summary)) = span.as_mut().zip(summary) {
            summary.describe(span);
            self.database.describe(span);
            match &result {
                Ok(Ok(_)) => {}
                Ok(Err(failed)) => failed.describe(span),
                Err(_) => span.fail("unavailable"),
            }
        }
        result
    }

    /// Runs a statement in a suitable session.
    async fn run(
        &mut self,
        statement: &str,
        params: Vec<wit::ParameterValue>,
        wanted: Wanted,
    ) -> Result<Result<Answer, Failed>, wit::Error> {
        let params = value::parameters(params)?;
        let mut session = match self.kept.take() {
            Some(session) => session,
            None => self.database.session().await.map_err(|error| failure::of_pool(&error))?,
        };
        session.begins(leaves_no_trace(statement));
        let mut result = attempt(session.client(), statement, &params, wanted).await;
        if !session.is_dirty() && result.as_ref().is_err_and(Failed::has_stale_plan) {
            // The schema changed after the statement was prepared; nothing was executed.
            session.client().statement_cache.clear();
            result = attempt(session.client(), statement, &params, wanted).await;
        }
        // In the other cases, more of the result may be on its way.
        if !matches!(result, Err(Failed::TooLong | Failed::Value(_))) {
            session.has_ended();
        }
        if session.is_dirty() {
            self.kept = Some(session);
        }
        Ok(result)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Rows,
    Count,
}

struct Answer {
    set: wit::RowSet,
    affected: u64,
}

async fn attempt(
    client: &Object,
    statement: &str,
    params: &[Parameter],
    wanted: Wanted,
) -> Result<Answer, Failed> {
    let prepared = client.prepare_cached(statement).await.map_err(Failed::Early)?;
    let mut rows = pin!(client.query_raw(&prepared, params).await.map_err(Failed::Early)?);
    let mut set = wit::RowSet { columns: Vec::new(), rows: Vec::new() };
    let mut length = 0;
    while let Some(row) = rows.try_next().await.map_err(Failed::Late)? {
        if wanted == Wanted::Count {
            continue;
        }
        length += row.raw_size_bytes();
        if length > ROW_SET_BYTES_MAX {
            return Err(Failed::TooLong);
        }
        if set.rows.is_empty() {
            // So that a result without rows has no columns, as on Spin.
            set.columns = prepared.columns().iter().map(value::column).collect();
        }
        set.rows.push(value::row(&row).map_err(Failed::Value)?);
    }
    Ok(Answer { set, affected: rows.rows_affected().unwrap_or(0) })
}

/// Why a statement failed.
enum Failed {
    Early(tokio_postgres::Error),
    /// While the rows were on their way.
    Late(tokio_postgres::Error),
    TooLong,
    Value(wit::Error),
}

impl Failed {
    /// Whether the prepared statement belongs to an older schema, or no longer exists.
    fn has_stale_plan(&self) -> bool {
        let (Self::Early(error) | Self::Late(error)) = self else { return false };
        error.as_db_error().is_some_and(|db| {
            *db.code() == SqlState::INVALID_SQL_STATEMENT_NAME
                || *db.code() == SqlState::FEATURE_NOT_SUPPORTED
                    && db.routine() == Some("RevalidateCachedQuery")
        })
    }

    fn describe(&self, span: &mut Span) {
        let code = match self {
            Self::Early(error) | Self::Late(error) => error.code(),
            Self::TooLong | Self::Value(_) => None,
        };
        if let Some(code) = code {
            span.text("db.response.status_code", code.code());
        }
        span.fail(code.map_or("failed", SqlState::code));
    }

    fn into_wit(self) -> wit::Error {
        match self {
            Self::Early(error) => failure::of_statement(&error),
            Self::Late(error) => failure::of_rows(&error),
            Self::TooLong => wit::Error::QueryFailed(wit::QueryError::Text(format!(
                "query result exceeds limit of {ROW_SET_BYTES_MAX} bytes"
            ))),
            Self::Value(error) => error,
        }
    }
}
