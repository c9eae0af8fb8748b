//! `GET /api/health/ready`: whether the API can answer requests, for hosts whose own health covers only their
//! process.

use rondo_domain::zone;
use rondo_guest::Refusal;
use rondo_guest::database::DatabaseError;
use rondo_guest::http::{Request, Response};
use rondo_guest::page::parameters;
use serde_json::json;

use crate::store::Store;

/// 200, or 503 with the failed part; the reason is in the log.
pub fn ready(request: &Request) -> Result<Response, Refusal> {
    parameters(request).finish()?;
    let (status, word) = match look() {
        Ok(true) => (200, "ready"),
        outcome => {
            let cause = outcome.map_or_else(
                |error| error.to_string(),
                |_| "the database has no schema: run `rondo migrate up`".to_owned(),
            );
            request.log_error(&cause);
            (503, "not ready")
        }
    };
    let report = json!({
        "status": word,
        "time_zone_data": zone::database_version(),
        "parts": {"database": {"status": word}},
    });
    Ok(Response::json(status, report.to_string()))
}

fn look() -> Result<bool, DatabaseError> {
    let row = Store::open()?.0.query_optional(include_str!("sql/schema.sql"), &[])?;
    Ok(row.is_some())
}
