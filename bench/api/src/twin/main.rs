//! `rondo-twin`: two routes of the product as a native program would have them, on axum and sqlx:
//! `GET /api/tasks` (latest created first) and `POST /api/tasks`, each for the user of the token.
//!
//! The same statements, and the same rules: tokens, queries and bodies are read by the product's own
//! crate. So what differs from the product is the sandbox and what the host does for it. Left out are
//! idempotency keys, the other orders of the list and the count, a user's own zone where something is
//! calculated in it, request ids, traces, metrics and log lines; errors have a status and no body.

mod answer;

use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::get;
use rondo_contract::token::HmacKey;
use sqlx::postgres::PgPoolOptions;
use tokio::net::TcpListener;

use crate::answer::{Twin, create, list};

/// As in the product, so that what differs is not the allocator.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Sessions with Postgres: as many as the product has for one component.
const SESSIONS_MAX: u32 = 24;

#[tokio::main]
async fn main() -> Result<()> {
    let setting = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set"));
    let pool = PgPoolOptions::new()
        .max_connections(SESSIONS_MAX)
        .test_before_acquire(false)
        .connect(&setting("DATABASE_URL")?)
        .await?;
    let key = HmacKey::new(setting("JWT_SECRET")?.as_bytes())?;
    let listener = TcpListener::bind(setting("LISTEN")?).await?;
    let router = Router::new()
        .route("/api/tasks", get(list).post(create))
        .with_state(Arc::new(Twin { pool, key }));
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(())
}
