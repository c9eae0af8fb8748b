//! Copies the rows of a schema to files and back: one file per table, in COPY's text format.
//!
//! Uses no program of Postgres, so it works with the fetched server, which has neither pg_dump nor
//! pg_basebackup. The files depend on a list of migrations, not on a major version of Postgres.

use std::{
    io,
    path::{Path, PathBuf},
    pin::pin,
};

use bytes::Bytes;
use futures_util::{SinkExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_postgres::Client;

use crate::{admin::quote, role::OWNER};

/// Bytes read from a file at a time.
const CHUNK_BYTES: usize = 256 * 1024;
/// Settings that the text of a value depends on, and no limit on a table's duration.
const SESSION: &str = "SET statement_timeout = 0; SET timezone = 'UTC'; SET datestyle = 'ISO, YMD';
    SET intervalstyle = 'postgres'; SET bytea_output = 'hex'; SET extra_float_digits = 1";
/// The tables of the schema, and the parts of each that a copy contains: every column except generated ones,
/// and the last value of the identity column.
const TABLES: &str = "
    SELECT c.relname::text, array_agg(a.attname::text ORDER BY a.attnum),
           max(a.attname::text) FILTER (WHERE a.attidentity <> ''),
           max(pg_sequence_last_value(pg_get_serial_sequence(quote_ident(c.relname), a.attname)::regclass))
               FILTER (WHERE a.attidentity <> '')
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relowner = $1::text::regrole
       AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
     GROUP BY c.relname ORDER BY c.relname";

/// A table and the parts of it that a copy contains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub name: String,
    pub columns: Vec<String>,
    /// The column whose values come from a sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// The sequence's last value; none if it has not been used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_value: Option<i64>,
}

/// The number of rows, and a checksum that does not depend on their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub rows: u64,
    /// Sum, modulo 2^128, of the first 128 bits of each line's SHA-256, in hexadecimal.
    pub checksum: String,
}

/// Why rows could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    #[error("the database's rows cannot be copied")]
    Query(#[from] tokio_postgres::Error),
    #[error("{} cannot be read or written", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the schema changed meanwhile: start again")]
    SchemaChanged,
}

/// Begins a transaction that reads one state of all tables, and lists them. The schema cannot change until it
/// ends; rows can be written meanwhile.
pub async fn freeze(session: &Client) -> Result<Vec<Table>, ContentError> {
    session.batch_execute(SESSION).await?;
    let before = tables(session).await?;
    // The locks precede the snapshot: a table rewritten between the two would look empty.
    let names: Vec<String> = before.iter().map(|table| quote(&table.name)).collect();
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let lock = format!("{begin}; LOCK TABLE {} IN ACCESS SHARE MODE", names.join(", "));
    session.batch_execute(&lock).await?;
    let tables = tables(session).await?;
    let same =
        |(one, other): (&Table, &Table)| (&one.name, &one.columns) == (&other.name, &other.columns);
    if tables.len() != before.len() || !tables.iter().zip(&before).all(same) {
        return Err(ContentError::SchemaChanged);
    }
    Ok(tables)
}

/// Writes the rows of a table into a new file.
pub async fn dump(session: &Client, table: &Table, path: &Path) -> Result<Tally, ContentError> {
    let at = |source| ContentError::File { path: path.to_owned(), source };
    let mut file = tokio::fs::OpenOptions::new();
    let file = file.write(true).create_new(true).mode(0o600).open(path).await.map_err(at)?;
    let mut file = tokio::io::BufWriter::with_capacity(CHUNK_BYTES, file);
    let mut lines = Lines::default();
    let mut rows = pin!(session.copy_out(&*copy(table, "TO STDOUT")).await?);
    while let Some(chunk) = rows.try_next().await? {
        lines.add(&chunk);
        file.write_all(&chunk).await.map_err(at)?;
    }
    file.flush().await.map_err(at)?;
    file.get_ref().sync_all().await.map_err(at)?;
    Ok(lines.tally())
}

/// Counts the rows of a table like [`dump`].
pub async fn tally(session: &Client, table: &Table) -> Result<Tally, ContentError> {
    session.batch_execute(SESSION).await?;
    let mut lines = Lines::default();
    let mut rows = pin!(session.copy_out(&*copy(table, "TO STDOUT")).await?);
    while let Some(chunk) = rows.try_next().await? {
        lines.add(&chunk);
    }
    Ok(lines.tally())
}

/// Replaces the rows of all tables of the schema by those of their files in `folder`, in one transaction.
/// Triggers and foreign keys are disabled, because the rows come from one consistent state. Identity columns
/// continue `gap` after their last values. Needs a superuser.
pub async fn load(
    session: &mut Client,
    tables: &[Table],
    folder: &Path,
    gap: i64,
) -> Result<(), ContentError> {
    session.batch_execute(SESSION).await?;
    let present = self::tables(session).await?;
    let transaction = session.transaction().await?;
    transaction.batch_execute("SET LOCAL session_replication_role = replica").await?;
    let names: Vec<String> = present.iter().map(|table| quote(&table.name)).collect();
    transaction.batch_execute(&format!("TRUNCATE {}", names.join(", "))).await?;
    for table in tables {
        let path = file_of(folder, table);
        let at = |source| ContentError::File { path: path.clone(), source };
        let mut file = tokio::fs::File::open(&path).await.map_err(at)?;
        let mut rows = pin!(transaction.copy_in::<_, Bytes>(&*copy(table, "FROM STDIN")).await?);
        loop {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            if file.read_buf(&mut chunk).await.map_err(at)? == 0 {
                break;
            }
            rows.send(chunk.into()).await?;
        }
        rows.as_mut().finish().await?;
        if let (Some(column), Some(last)) = (&table.identity, table.last_value) {
            let sql = "SELECT setval(pg_get_serial_sequence($1, $2), $3)";
            transaction.execute(sql, &[&quote(&table.name), column, &(last + gap)]).await?;
        }
    }
    transaction.commit().await?;
    // The files contain no statistics.
    session.batch_execute("ANALYZE").await?;
    Ok(())
}

/// The file in which [`load`] looks for the rows of a table.
#[must_use]
pub fn file_of(folder: &Path, table: &Table) -> PathBuf {
    folder.join(&table.name).with_extension("copy")
}

async fn tables(session: &Client) -> Result<Vec<Table>, tokio_postgres::Error> {
    let rows = session.query(TABLES, &[&OWNER]).await?;
    let table = |row: &tokio_postgres::Row| Table {
        name: row.get(0),
        columns: row.get(1),
        identity: row.get(2),
        last_value: row.get(3),
    };
    Ok(rows.iter().map(table).collect())
}

fn copy(table: &Table, direction: &str) -> String {
    let columns: Vec<String> = table.columns.iter().map(|column| quote(column)).collect();
    format!("COPY public.{} ({}) {direction}", quote(&table.name), columns.join(", "))
}

/// Counts lines that arrive in chunks. A line break within a value is escaped.
#[derive(Default)]
struct Lines {
    rows: u64,
    sum: u128,
    begun: Vec<u8>,
}

impl Lines {
    fn add(&mut self, chunk: &[u8]) {
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            if !piece.ends_with(b"\n") {
                self.begun.extend_from_slice(piece);
            } else if self.begun.is_empty() {
                self.count(piece);
            } else {
                let mut line = std::mem::take(&mut self.begun);
                line.extend_from_slice(piece);
                self.count(&line);
            }
        }
    }

    fn count(&mut self, line: &[u8]) {
        let digest = Sha256::digest(line);
        let first = digest.first_chunk::<16>().copied().unwrap_or_default();
        self.rows += 1;
        self.sum = self.sum.wrapping_add(u128::from_be_bytes(first));
    }

    fn tally(&self) -> Tally {
        Tally { rows: self.rows, checksum: format!("{:032x}", self.sum) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally_of(chunks: &[&[u8]]) -> Tally {
        let mut lines = Lines::default();
        chunks.iter().for_each(|chunk| lines.add(chunk));
        lines.tally()
    }

    #[test]
    fn a_tally_ignores_chunks_and_order_but_no_byte_or_duplicate() {
        let whole = tally_of(&[b"1\ta\n2\tb\n"]);
        assert_eq!(whole.rows, 2);
        assert_eq!(tally_of(&[b"2\tb\n1", b"\t", b"a\n"]), whole);
        for other in [&b"1\ta\n2\tc\n"[..], b"1\ta\n", b"1\ta\n1\ta\n", b"1\tb\n2\ta\n", b""] {
            assert_ne!(tally_of(&[other]).checksum, whole.checksum, "{other:?}");
        }
    }
}
