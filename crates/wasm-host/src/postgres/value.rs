//! Parameters and column values of the types that Spin supports and Rondo uses. What Spin cannot read
//! (TIMESTAMPTZ) or returns as unsupported (json and other types) is refused here.

use bytes::BytesMut;
use tokio_postgres::Row;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::binding::spin::postgres::postgres as wit;

type Encoded = Result<IsNull, Box<dyn std::error::Error + Sync + Send>>;

/// A value for a statement's parameter.
#[derive(Debug)]
pub(super) struct Parameter(wit::ParameterValue);

pub(super) fn parameters(values: Vec<wit::ParameterValue>) -> Result<Vec<Parameter>, wit::Error> {
    values.into_iter().map(Parameter::new).collect()
}

impl Parameter {
    fn new(value: wit::ParameterValue) -> Result<Self, wit::Error> {
        use wit::ParameterValue as V;
        match value {
            V::Boolean(_)
            | V::Int8(_)
            | V::Int16(_)
            | V::Int32(_)
            | V::Int64(_)
            | V::Floating32(_)
            | V::Floating64(_)
            | V::Str(_)
            | V::Binary(_)
            | V::Jsonb(_)
            | V::ArrayInt32(_)
            | V::ArrayInt64(_)
            | V::ArrayStr(_)
            | V::DbNull => Ok(Self(value)),
            _ => Err(wit::Error::BadParameter("this type of parameter is not supported".into())),
        }
    }
}

impl ToSql for Parameter {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Encoded {
        self.to_sql_checked(ty, out)
    }

    fn accepts(_: &Type) -> bool {
        // Depends on the value, and is checked with it.
        true
    }

    fn to_sql_checked(&self, ty: &Type, out: &mut BytesMut) -> Encoded {
        use wit::ParameterValue as V;
        match &self.0 {
            V::Boolean(value) => value.to_sql_checked(ty, out),
            V::Int8(value) => value.to_sql_checked(ty, out),
            V::Int16(value) => value.to_sql_checked(ty, out),
            V::Int32(value) => value.to_sql_checked(ty, out),
            V::Int64(value) => value.to_sql_checked(ty, out),
            V::Floating32(value) => value.to_sql_checked(ty, out),
            V::Floating64(value) => value.to_sql_checked(ty, out),
            V::Str(value) => value.to_sql_checked(ty, out),
            V::Binary(value) => value.to_sql_checked(ty, out),
            V::Jsonb(value) => Jsonb(value).to_sql_checked(ty, out),
            V::ArrayInt32(value) => value.to_sql_checked(ty, out),
            V::ArrayInt64(value) => value.to_sql_checked(ty, out),
            V::ArrayStr(value) => value.to_sql_checked(ty, out),
            // NULL of whatever type the statement expects.
            V::DbNull => Ok(IsNull::Yes),
            _ => Err("this type of parameter is not supported".into()),
        }
    }
}

/// JSON text for a JSONB parameter: version 1 of its binary form is the text after one byte.
#[derive(Debug)]
struct Jsonb<'a>(&'a [u8]);

impl ToSql for Jsonb<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Encoded {
        out.extend_from_slice(&[1]);
        out.extend_from_slice(self.0);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSONB
    }

    to_sql_checked!();
}

pub(super) fn column(column: &tokio_postgres::Column) -> wit::Column {
    wit::Column { name: column.name().to_owned(), data_type: data_type(column.type_()) }
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

pub(super) fn row(row: &Row) -> Result<Vec<wit::DbValue>, wit::Error> {
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
