//! Roles: each component and service logs in as its own, which may do the least that works.
//!
//! Roles belong to the cluster, not to a database, so they are made under one lock in one place,
//! also when several programs or tests start at once.

use std::collections::BTreeMap;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::dsn::Dsn;
use crate::pool;

/// Owns every table and function; nobody logs in as it.
pub const OWNER: &str = "rondo_owner";

/// A role that a component or service logs in as.
#[derive(Debug, PartialEq, Eq)]
pub struct Role {
    pub name: &'static str,
    /// Most connections at once, over all processes.
    pub connections_max: u32,
    /// Longest statement, in milliseconds.
    pub statement_timeout_ms: u32,
}

pub const TASK_API: Role = role("rondo_task_api", 64, 10_000);
pub const RECURRENCE: Role = role("rondo_recurrence", 32, 10_000);
pub const NOTIFY: Role = role("rondo_notify", 32, 10_000);
pub const AUDIT: Role = role("rondo_audit", 32, 20_000);
pub const AUTH: Role = role("rondo_auth", 32, 10_000);
pub const BRIDGE: Role = role("rondo_bridge", 64, 60_000);
pub const SYNC: Role = role("rondo_sync", 32, 20_000);

/// Every role that can log in.
pub const ROLES: [&Role; 7] = [&TASK_API, &RECURRENCE, &NOTIFY, &AUDIT, &AUTH, &BRIDGE, &SYNC];

const fn role(name: &'static str, connections_max: u32, statement_timeout_ms: u32) -> Role {
    Role { name, connections_max, statement_timeout_ms }
}

/// Longest pause inside a transaction, in milliseconds: a guest that stopped half-way lets go.
const IDLE_IN_TRANSACTION_MS_MAX: u32 = 10_000;
/// Key of the advisory lock under which roles are made.
const ROLE_LOCK: i64 = 0x0072_6f6e_646f_0002;

/// Why the roles are not there.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    #[error(
        "the login of DATABASE_URL may not create roles and is no member of {role}: ask the \
         database's administrator to create the roles, or for a login with CREATEROLE"
    )]
    NotAllowed { role: &'static str },
    #[error("the database failed while roles were made: {0}")]
    Database(#[from] tokio_postgres::Error),
}

/// Makes the roles where they are missing, sets their passwords, and gives the connection string of
/// each by name. `password` is asked once for each role.
///
/// A login that may not create roles uses those that are there and that it is a member of, acting as
/// each (`options=-c role=…`).
///
/// # Errors
/// [`RoleError::NotAllowed`] when neither is possible.
pub async fn provision(
    admin: &Dsn,
    mut password: impl FnMut(&'static str) -> String,
) -> Result<BTreeMap<&'static str, Dsn>, RoleError> {
    let client = pool::connect(admin, "rondo roles").await?;
    client.execute("SELECT pg_advisory_lock($1)", &[&ROLE_LOCK]).await?;
    let may_create: bool = client
        .query_one(
            "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user",
            &[],
        )
        .await?
        .get(0);
    let mut logins = BTreeMap::new();
    if may_create {
        make(&client, OWNER, "NOLOGIN").await?;
        // Whoever migrates acts as the owner.
        client.batch_execute(&format!("GRANT {OWNER} TO CURRENT_USER")).await?;
    }
    for role in ROLES {
        if may_create {
            let secret = password(role.name);
            set_up(&client, role, &secret).await?;
            logins.insert(role.name, admin.with_user(role.name, &secret));
        } else {
            let member: bool = client
                .query_one(
                    "SELECT coalesce((SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles
                                      WHERE rolname = $1), false)",
                    &[&role.name],
                )
                .await?
                .get(0);
            if !member {
                return Err(RoleError::NotAllowed { role: role.name });
            }
            logins.insert(role.name, admin.acting_as(role.name));
        }
    }
    client.execute("SELECT pg_advisory_unlock($1)", &[&ROLE_LOCK]).await?;
    Ok(logins)
}

async fn make(client: &Client, name: &str, kind: &str) -> Result<(), tokio_postgres::Error> {
    match client.batch_execute(&format!("CREATE ROLE {name} {kind}")).await {
        Err(error)
            if matches!(
                error.code(),
                Some(&SqlState::DUPLICATE_OBJECT | &SqlState::UNIQUE_VIOLATION)
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}

async fn set_up(client: &Client, role: &Role, secret: &str) -> Result<(), tokio_postgres::Error> {
    let Role { name, connections_max, statement_timeout_ms } = role;
    make(client, name, "LOGIN").await?;
    // A password cannot be a parameter of this statement; it is ours, in an alphabet without quotes.
    let secret = secret.replace('\'', "''");
    client
        .batch_execute(&format!(
            "ALTER ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE \
                 CONNECTION LIMIT {connections_max} PASSWORD '{secret}';
             ALTER ROLE {name} SET default_transaction_isolation = 'read committed';
             ALTER ROLE {name} SET statement_timeout = {statement_timeout_ms};
             ALTER ROLE {name} SET idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_MS_MAX};"
        ))
        .await
}
