//! Retention: deletes expired rows in bounded batches, at start and then every hour.

use std::time::Duration;

use rondo_contract::undo_token::{TRASH_DAYS, UNDO_MINUTES};
use rondo_contract::webhook::DELIVERY_DAYS;
use rondo_database::Database;
use tokio_util::sync::CancellationToken;

/// How long tombstones are kept, in days.
const DELETIONS_DAYS: i32 = 90;
/// How long the history of mails about accounts is kept, in days.
const ACCOUNT_MAIL_DAYS: i32 = 30;
/// Rows deleted per transaction.
const BATCH_ROWS_MAX: i32 = 5_000;
/// Pause between two sweeps, in seconds.
const SWEEP_S: u64 = 3_600;

const ACCOUNTS: &str = include_str!("../sql/accounts_retain.sql");
const AUDIT: &str = include_str!("../sql/audit_retain.sql");
const DELETIONS: &str = include_str!("../sql/deletions_retain.sql");
const IDEMPOTENCY: &str = include_str!("../sql/idempotency_retain.sql");
const REFRESH_TOKENS: &str = include_str!("../sql/refresh_tokens_retain.sql");
const TRASH: &str = include_str!("../sql/trash_retain.sql");
const UNDO: &str = include_str!("../sql/undo_retain.sql");
const WEBHOOK_DELIVERIES: &str = include_str!("../sql/webhook_deliveries_retain.sql");

/// Runs until `shutdown`; audit entries are kept for `audit_days`.
pub async fn run(database: Database, audit_days: i32, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            result = sweep(&database, audit_days) => if let Err(error) = result {
                tracing::warn!(error = format!("{error:#}"), "retention failed; will retry");
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(SWEEP_S)) => {}
        }
    }
}

/// One sweep: deletes every kind of expired row until none is left.
///
/// # Errors
/// When the database fails.
pub async fn sweep(database: &Database, audit_days: i32) -> anyhow::Result<()> {
    for (sql, arguments) in [
        (AUDIT, &[audit_days, BATCH_ROWS_MAX][..]),
        (DELETIONS, &[DELETIONS_DAYS][..]),
        (IDEMPOTENCY, &[BATCH_ROWS_MAX][..]),
        (ACCOUNTS, &[ACCOUNT_MAIL_DAYS, BATCH_ROWS_MAX][..]),
        (WEBHOOK_DELIVERIES, &[i32::from(DELIVERY_DAYS), BATCH_ROWS_MAX][..]),
        (REFRESH_TOKENS, &[BATCH_ROWS_MAX][..]),
        (TRASH, &[i32::from(TRASH_DAYS), BATCH_ROWS_MAX][..]),
        (UNDO, &[i32::from(UNDO_MINUTES), BATCH_ROWS_MAX][..]),
    ] {
        loop {
            let retain =
                arguments.iter().fold(sqlx::query_as(sql), |query, value| query.bind(*value));
            let (deleted,): (i64,) = database.one(retain).await?;
            if deleted == 0 {
                break;
            }
        }
    }
    Ok(())
}
