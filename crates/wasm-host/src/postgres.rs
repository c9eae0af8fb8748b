//! `spin:postgres/postgres@4.0.0`: connections of a component to the databases that its manifest
//! lists.
//!
//! Values are those that Spin can carry and we use; what Spin cannot read (TIMESTAMPTZ) or gives as
//! unsupported (json and every other type) is refused here in the same way.

#![expect(clippy::result_large_err, reason = "the error is the interface's own record")]

use std::collections::HashMap;
use std::sync::Mutex;

use bytes::BytesMut;
use rondo_database::{Dsn, Pool, PoolOptions, SessionOptions};
use tokio_postgres::Row;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use wasmtime::component::Resource;

use crate::engine::State;
use crate::engine::bindings::spin::postgres::postgres as wit;

/// Most connections of one component to one address; Spin has 64.
pub const POOL_CONNECTIONS_MAX: usize = 24;

/// The pools of one component, one for each connection string.
pub struct Pools {
    /// `postgres://host:port` entries that it may reach.
    allowed: Vec<String>,
    application: String,
    pools: Mutex<HashMap<String, Pool>>,
}

impl Pools {
    pub(crate) fn new(allowed: Vec<String>, component: &str) -> Self {
        Self { allowed, application: format!("rondo {component}"), pools: Mutex::default() }
    }

    fn pool(&self, address: &str) -> Result<Pool, wit::Error> {
        let mut pools = self.pools.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(pool) = pools.get(address) {
            return Ok(pool.clone());
        }
        let dsn =
            Dsn::parse(address).map_err(|error| wit::Error::ConnectionFailed(error.to_string()))?;
        let wanted = format!("postgres://{}:{}", dsn.host(), dsn.port());
        if !self.allowed.contains(&wanted) {
            return Err(wit::Error::ConnectionFailed(format!(
                "address {wanted} is not in allowed_outbound_hosts"
            )));
        }
        let options = PoolOptions {
            connections_max: POOL_CONNECTIONS_MAX,
            session: SessionOptions {
                application_name: Some(self.application.clone()),
                statement_timeout: None,
            },
        };
        let pool = rondo_database::pool::open(&dsn, &options)
            .map_err(|error| wit::Error::ConnectionFailed(error.to_string()))?;
        pools.insert(address.to_owned(), pool.clone());
        Ok(pool)
    }
}

/// A connection as a component holds it. A session of the pool is borrowed for each statement, since
/// the interface has no transactions and so no state between two statements.
pub struct Connection(Pool);

impl wit::Host for State {}

impl wit::HostConnection for State {
    async fn open(
        &mut self,
        address: String,
    ) -> wasmtime::Result<Result<Resource<Connection>, wit::Error>> {
        Ok(match self.grant.pools.pool(&address) {
            Ok(pool) => Ok(self.table.push(Connection(pool))?),
            Err(error) => Err(error),
        })
    }

    async fn query(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        params: Vec<wit::ParameterValue>,
    ) -> wasmtime::Result<Result<wit::RowSet, wit::Error>> {
        let pool = self.table.get(&connection)?.0.clone();
        Ok(query(&pool, &statement, &params).await)
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        params: Vec<wit::ParameterValue>,
    ) -> wasmtime::Result<Result<u64, wit::Error>> {
        let pool = self.table.get(&connection)?.0.clone();
        Ok(execute(&pool, &statement, &params).await)
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

async fn query(
    pool: &Pool,
    statement: &str,
    params: &[wit::ParameterValue],
) -> Result<wit::RowSet, wit::Error> {
    let client = pool.get().await.map_err(|error| unreachable_database(&error))?;
    // Prepared once for each session; the pool hands a session on only when it is idle.
    let prepared = client.prepare_cached(statement).await.map_err(failed)?;
    let params = parameters(params)?;
    let rows = client.query(&prepared, &borrowed(&params)).await.map_err(failed)?;
    let columns: Vec<wit::Column> = prepared
        .columns()
        .iter()
        .map(|column| wit::Column {
            name: column.name().to_owned(),
            data_type: data_type(column.type_()),
        })
        .collect();
    let rows = rows.iter().map(row).collect::<Result<_, _>>()?;
    Ok(wit::RowSet { columns, rows })
}

async fn execute(
    pool: &Pool,
    statement: &str,
    params: &[wit::ParameterValue],
) -> Result<u64, wit::Error> {
    let client = pool.get().await.map_err(|error| unreachable_database(&error))?;
    let prepared = client.prepare_cached(statement).await.map_err(failed)?;
    let params = parameters(params)?;
    client.execute(&prepared, &borrowed(&params)).await.map_err(failed)
}

fn unreachable_database(error: &deadpool_postgres::PoolError) -> wit::Error {
    match error {
        deadpool_postgres::PoolError::Backend(error) if error.as_db_error().is_some() => {
            // Too many connections, shutting down and the like have a code to be told apart by.
            query_failed(error)
        }
        error => wit::Error::ConnectionFailed(error.to_string()),
    }
}

fn failed(error: tokio_postgres::Error) -> wit::Error {
    if error.is_closed() {
        return wit::Error::ConnectionFailed(error.to_string());
    }
    query_failed(&error)
}

fn query_failed(error: &tokio_postgres::Error) -> wit::Error {
    let Some(db) = error.as_db_error() else {
        return wit::Error::QueryFailed(wit::QueryError::Text(error.to_string()));
    };
    let extras = [("constraint", db.constraint()), ("table", db.table()), ("column", db.column())];
    wit::Error::QueryFailed(wit::QueryError::DbError(wit::DbError {
        as_text: db.to_string(),
        severity: db.severity().to_owned(),
        code: db.code().code().to_owned(),
        message: db.message().to_owned(),
        detail: db.detail().map(str::to_owned),
        extras: extras
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect(),
    }))
}

type Parameter = Box<dyn ToSql + Send + Sync>;

fn borrowed(params: &[Parameter]) -> Vec<&(dyn ToSql + Sync)> {
    params.iter().map(|param| &**param as &(dyn ToSql + Sync)).collect()
}

fn parameters(params: &[wit::ParameterValue]) -> Result<Vec<Parameter>, wit::Error> {
    params.iter().map(parameter).collect()
}

fn parameter(value: &wit::ParameterValue) -> Result<Parameter, wit::Error> {
    use wit::ParameterValue as V;
    Ok(match value {
        V::Boolean(value) => Box::new(*value),
        V::Int8(value) => Box::new(*value),
        V::Int16(value) => Box::new(*value),
        V::Int32(value) => Box::new(*value),
        V::Int64(value) => Box::new(*value),
        V::Floating32(value) => Box::new(*value),
        V::Floating64(value) => Box::new(*value),
        V::Str(value) => Box::new(value.clone()),
        V::Binary(value) => Box::new(value.clone()),
        V::Jsonb(value) => Box::new(Jsonb(value.clone())),
        V::ArrayInt32(value) => Box::new(value.clone()),
        V::ArrayInt64(value) => Box::new(value.clone()),
        V::ArrayStr(value) => Box::new(value.clone()),
        V::DbNull => Box::new(Null),
        _ => {
            return Err(wit::Error::BadParameter("this type of parameter is not supported".into()));
        }
    })
}

/// JSON text for a JSONB parameter: version 1 of its binary form is the text after one byte.
#[derive(Debug)]
struct Jsonb(Vec<u8>);

impl ToSql for Jsonb {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&[1]);
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSONB
    }

    to_sql_checked!();
}

/// A null of whatever type the statement asks for.
#[derive(Debug)]
struct Null;

impl ToSql for Null {
    fn to_sql(
        &self,
        _: &Type,
        _: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        Ok(IsNull::Yes)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn data_type(ty: &Type) -> wit::DbDataType {
    use wit::DbDataType as D;
    match *ty {
        Type::BOOL => D::Boolean,
        Type::BYTEA => D::Binary,
        Type::FLOAT4 => D::Floating32,
        Type::FLOAT8 => D::Floating64,
        Type::INT2 => D::Int16,
        Type::INT4 => D::Int32,
        Type::INT8 => D::Int64,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => D::Str,
        Type::JSONB => D::Jsonb,
        Type::INT4_ARRAY => D::ArrayInt32,
        Type::INT8_ARRAY => D::ArrayInt64,
        Type::TEXT_ARRAY => D::ArrayStr,
        _ => D::Other(ty.name().to_owned()),
    }
}

fn row(row: &Row) -> Result<Vec<wit::DbValue>, wit::Error> {
    (0..row.len()).map(|index| value(row, index)).collect()
}

fn value(row: &Row, index: usize) -> Result<wit::DbValue, wit::Error> {
    use wit::DbValue as V;
    fn get<'a, T: tokio_postgres::types::FromSql<'a>>(
        row: &'a Row,
        index: usize,
        wrap: impl FnOnce(T) -> V,
    ) -> Result<V, wit::Error> {
        let value: Option<T> = row
            .try_get(index)
            .map_err(|error| wit::Error::ValueConversionFailed(error.to_string()))?;
        Ok(value.map_or(V::DbNull, wrap))
    }
    match *row.columns()[index].type_() {
        Type::BOOL => get(row, index, V::Boolean),
        Type::BYTEA => get(row, index, V::Binary),
        Type::FLOAT4 => get(row, index, V::Floating32),
        Type::FLOAT8 => get(row, index, V::Floating64),
        Type::INT2 => get(row, index, V::Int16),
        Type::INT4 => get(row, index, V::Int32),
        Type::INT8 => get(row, index, V::Int64),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => get(row, index, V::Str),
        Type::INT4_ARRAY => get(row, index, V::ArrayInt32),
        Type::INT8_ARRAY => get(row, index, V::ArrayInt64),
        Type::TEXT_ARRAY => get(row, index, V::ArrayStr),
        ref other => Err(wit::Error::ValueConversionFailed(format!(
            "column {} has type {other}, which cannot be read: cast it to text",
            row.columns()[index].name()
        ))),
    }
}
