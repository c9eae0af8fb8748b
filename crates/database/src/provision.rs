//! Creates the roles of a cluster and logs in with them.
//!
//! Roles belong to the cluster rather than to a database, so they are created before the migrations and under
//! one lock for the whole cluster.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use postgres_protocol::password::scram_sha_256;
use tokio_postgres::{Client, error::SqlState};

use crate::{
    admin,
    dsn::Dsn,
    pool::{self, ConnectError, Session, SessionOptions},
    role::{OWNER, PREFIX, Role, RoleConnections, RoleLimit},
    secret::{Secret, Secrets},
};

/// Advisory lock for creating roles, in the database that all clusters have.
const ROLE_LOCK_KEY: i64 = 0x526f_6e64_6f00_0001;
/// The database of the lock: advisory locks apply within one database.
const LOCK_DATABASE: &str = "postgres";

/// The planner's cost of a random page, relative to 1 for a sequential one: rows are in memory or on an SSD.
/// With Postgres's default of 4, a generic plan reads and sorts all tasks of a user where an index has a page
/// of them in order.
const RANDOM_PAGE_COST: &str = "1.1";

/// Which connection limits the roles get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionLimit {
    /// Their own: [`RoleLimit::connections_max`].
    Enforced,
    /// The operator's, where there is one.
    Chosen(RoleConnections),
    /// None: tests share a cluster between many databases at once.
    Lifted,
}

/// One DSN per role, all for the same database.
#[derive(Clone, Debug)]
pub struct RoleDsns(BTreeMap<Role, Dsn>);

impl RoleDsns {
    pub fn get(&self, role: Role) -> &Dsn {
        &self.0[&role]
    }

    /// All DSNs as by [`Dsn::for_spin`].
    #[must_use]
    pub fn for_spin(&self) -> Self {
        Self(self.0.iter().map(|(role, dsn)| (*role, dsn.clone().for_spin())).collect())
    }
}

/// Creates missing roles, and returns a DSN for each to `admin`'s database.
///
/// If `admin` may create roles, each role logs in with its password of `secrets`; a role with another
/// password gets that one, with a warning. If `admin` may not, but is a member of all of them, the DSNs are
/// `admin`'s own with `options=-c role=…`: the role's rights apply, but a session could reset the role, so
/// this protects from mistakes more than from intruders. Otherwise the error says what a database
/// administrator has to run.
pub async fn roles(
    admin: &Dsn,
    secrets: &Secrets,
    limit: ConnectionLimit,
) -> Result<RoleDsns, ProvisionError> {
    let session = pool::connect(admin, &SessionOptions::default()).await?;
    let AdminRights { is_superuser, may_create, .. } = admin_rights(&session).await?;
    if may_create {
        let lock = lock(admin).await?;
        create(&lock, admin, is_superuser, secrets, limit).await?;
    }
    drop(session);
    logins(admin, secrets).await
}

/// A DSN for each role to `admin`'s database, as [`roles`] created them; changes nothing.
pub async fn logins(admin: &Dsn, secrets: &Secrets) -> Result<RoleDsns, ProvisionError> {
    let session = pool::connect(admin, &SessionOptions::default()).await?;
    let AdminRights { may_create, user, .. } = admin_rights(&session).await?;
    let dsns = if may_create {
        login_dsns(admin, secrets)
    } else {
        let missing = not_member_of(&session).await?;
        if !missing.is_empty() {
            return Err(ProvisionError::MayNotCreate { advice: advice(&user, &missing), user });
        }
        member_dsns(admin)
    };
    verify(&dsns).await?;
    Ok(dsns)
}

/// What a session's user may do with roles.
struct AdminRights {
    is_superuser: bool,
    may_create: bool,
    user: String,
}

async fn admin_rights(session: &Client) -> Result<AdminRights, tokio_postgres::Error> {
    let row = session
        .query_one(
            "SELECT rolsuper, rolsuper OR rolcreaterole, current_user::text FROM pg_roles WHERE rolname = current_user",
            &[],
        )
        .await?;
    Ok(AdminRights { is_superuser: row.get(0), may_create: row.get(1), user: row.get(2) })
}

/// Why roles are missing.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("roles cannot be made")]
    Query(#[from] tokio_postgres::Error),
    #[error(
        "database user {user} may neither create roles nor act as Rondo's: let an administrator run `{advice}`, \
         or put a user with CREATEROLE into DATABASE_URL"
    )]
    MayNotCreate { user: String, advice: String },
    #[error(
        "{role} cannot log in with this data folder's password: run `rondo migrate up` with it, or check the server's pg_hba.conf and connection pooler"
    )]
    Login { role: Role, source: ConnectError },
}

/// A session that holds the cluster's lock until dropped.
async fn lock(admin: &Dsn) -> Result<Session, ProvisionError> {
    let options = SessionOptions::default();
    let session = match pool::connect(&admin.clone().with_dbname(LOCK_DATABASE), &options).await {
        Ok(session) => session,
        // Some services close that database; then everyone who shares this one shares the lock.
        Err(ConnectError::Failed { .. }) => pool::connect(admin, &options).await?,
        Err(error) => return Err(error.into()),
    };
    session.execute("SELECT pg_advisory_lock($1)", &[&ROLE_LOCK_KEY]).await?;
    Ok(session)
}

/// Runs under the lock: concurrent ALTER ROLE of one role fail with "tuple concurrently updated".
async fn create(
    session: &Client,
    admin: &Dsn,
    is_superuser: bool,
    secrets: &Secrets,
    limit: ConnectionLimit,
) -> Result<(), tokio_postgres::Error> {
    let present: Vec<String> = session
        .query("SELECT rolname::text FROM pg_roles WHERE starts_with(rolname, $1)", &[&PREFIX])
        .await?
        .iter()
        .map(|row| row.get(0))
        .collect();
    let is_present = |name: &str| present.iter().any(|role| role == name);
    if !is_present(OWNER) {
        session.batch_execute(&format!("CREATE ROLE {OWNER} NOLOGIN")).await?;
    }
    if !is_superuser {
        // The migrations run as the owner.
        session.batch_execute(&format!("GRANT {OWNER} TO CURRENT_USER")).await?;
    }
    for role in Role::ALL {
        let was_present = is_present(&role.name());
        if !was_present {
            session.batch_execute(&format!("CREATE ROLE {role} LOGIN")).await?;
        }
        session.batch_execute(&settings(role, limit)).await?;
        let password = secrets.expose(Secret::Role(role));
        if was_present {
            if !is_password_refused(&login_dsn(admin, role, password)).await {
                continue;
            }
            tracing::warn!(
                %role,
                "the role gets this data folder's password; another Rondo on this cluster can no longer log in"
            );
        }
        // The verifier instead of the password, so that no statement log shows the password.
        let verifier = scram_sha_256(password.as_bytes());
        session.batch_execute(&format!("ALTER ROLE {role} PASSWORD '{verifier}'")).await?;
    }
    Ok(())
}

/// Checks only the password; [`verify`] finds any other reason that keeps the role out.
async fn is_password_refused(dsn: &Dsn) -> bool {
    let outcome = pool::connect(dsn, &SessionOptions::default()).await;
    let state = outcome.as_ref().err().and_then(ConnectError::sql_state);
    matches!(
        state,
        Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
    )
}

fn login_dsn(admin: &Dsn, role: Role, password: &str) -> Dsn {
    // Without a database, the DSN would mean the one named like the user.
    let dbname = admin.dbname().unwrap_or(LOCK_DATABASE).to_owned();
    admin
        .clone()
        .with_dbname(&dbname)
        .with_user(&role.name(), password)
        .with_application_name(&role.name())
}

fn login_dsns(admin: &Dsn, secrets: &Secrets) -> RoleDsns {
    let dsn = |role| login_dsn(admin, role, secrets.expose(Secret::Role(role)));
    RoleDsns(Role::ALL.into_iter().map(|role| (role, dsn(role))).collect())
}

/// Here each connection has to carry the settings that ALTER ROLE gives to logins.
fn member_dsns(admin: &Dsn) -> RoleDsns {
    let dsn = |role: Role| {
        let RoleLimit { statement_timeout_ms, idle_in_transaction_ms, idle_session_ms, .. } =
            role.limit();
        let options = format!(
            "-c role={role} -c statement_timeout={statement_timeout_ms} \
             -c idle_in_transaction_session_timeout={idle_in_transaction_ms} \
             -c idle_session_timeout={idle_session_ms} \
             -c default_transaction_isolation=read\\ committed \
             -c random_page_cost={RANDOM_PAGE_COST} -c plan_cache_mode={}",
            role.plan_cache_mode()
        );
        admin.clone().with_options(&options).with_application_name(&role.name())
    };
    RoleDsns(Role::ALL.into_iter().map(|role| (role, dsn(role))).collect())
}

/// Checks that each role can reach the database. Concurrently, because each takes a whole handshake.
async fn verify(dsns: &RoleDsns) -> Result<(), ProvisionError> {
    try_join_all(dsns.0.iter().map(|(role, dsn)| async move {
        match pool::connect(dsn, &SessionOptions::default()).await {
            Ok(_) => Ok(()),
            // The role has used up its connections, so it can log in.
            Err(error) if error.sql_state() == Some(&SqlState::TOO_MANY_CONNECTIONS) => Ok(()),
            Err(source) => Err(ProvisionError::Login { role: *role, source }),
        }
    }))
    .await
    .map(drop)
}

/// The roles of Rondo that the session's user cannot act as, each with whether it exists.
async fn not_member_of(session: &Client) -> Result<Vec<(String, bool)>, tokio_postgres::Error> {
    let names: Vec<String> =
        std::iter::once(OWNER.to_owned()).chain(Role::ALL.map(Role::name)).collect();
    // Since 16, being a member and being allowed to SET ROLE are separate.
    let rows = session
        .query(
            "SELECT wanted.name, pg_roles.oid IS NOT NULL
               FROM unnest($1::text[]) AS wanted (name)
               LEFT JOIN pg_roles ON pg_roles.rolname = wanted.name
              WHERE pg_roles.oid IS NULL
                 OR NOT pg_has_role(current_user, pg_roles.oid,
                        CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END)",
            &[&names],
        )
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

fn advice(user: &str, missing: &[(String, bool)]) -> String {
    let mut advice = String::new();
    for (role, _) in missing.iter().filter(|(_, exists)| !exists) {
        advice.push_str(&format!("CREATE ROLE {role} NOLOGIN; "));
    }
    let names: Vec<&str> = missing.iter().map(|(role, _)| role.as_str()).collect();
    advice + &format!("GRANT {} TO {};", names.join(", "), admin::quote(user))
}

fn settings(role: Role, limit: ConnectionLimit) -> String {
    let RoleLimit {
        connections_max,
        statement_timeout_ms,
        idle_in_transaction_ms,
        idle_session_ms,
    } = role.limit();
    let connections = match limit {
        ConnectionLimit::Enforced => connections_max.to_string(),
        ConnectionLimit::Chosen(chosen) => chosen.of(role).unwrap_or(connections_max).to_string(),
        ConnectionLimit::Lifted => "-1".to_owned(),
    };
    format!(
        "ALTER ROLE {role} LOGIN CONNECTION LIMIT {connections};
         ALTER ROLE {role} SET statement_timeout = {statement_timeout_ms};
         ALTER ROLE {role} SET idle_in_transaction_session_timeout = {idle_in_transaction_ms};
         ALTER ROLE {role} SET idle_session_timeout = {idle_session_ms};
         ALTER ROLE {role} SET default_transaction_isolation = 'read committed';
         ALTER ROLE {role} SET random_page_cost = {RANDOM_PAGE_COST};
         ALTER ROLE {role} SET plan_cache_mode = {}",
        role.plan_cache_mode()
    )
}
