//! Database roles: one for each component and service, so that each can do only its own work.
//!
//! What each may do is in the migrations' grants; [`crate::provision`] makes the roles.

use std::fmt;

/// What the name of each role begins with.
pub(crate) const PREFIX: &str = "rondo_";
/// Owns tables and functions; nobody logs in as it.
pub const OWNER: &str = "rondo_owner";

/// A role that logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    TaskApi,
    Recurrence,
    Notify,
    Audit,
    Auth,
    Bridge,
    Sync,
}

/// What a role's sessions may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleLimit {
    /// Connections at a time, in the whole cluster.
    pub connections_max: u32,
    pub statement_timeout_ms: u32,
    pub idle_in_transaction_ms: u32,
    /// After which an idle session ends; 0: never.
    pub idle_session_ms: u32,
}

/// The facts about a role.
struct Row {
    /// The component, or the native program, that logs in with the role.
    program: &'static str,
    is_component: bool,
    /// Connections at a time, in the whole cluster. A component's are bounded by the host's pool too
    /// (Spin's: 64 per address). Together they stay under the private server's `max_connections`.
    connections_max: u32,
    statement_seconds: u32,
    plan_cache_mode: &'static str,
}

impl Role {
    pub const ALL: [Self; 7] = [
        Self::TaskApi,
        Self::Recurrence,
        Self::Notify,
        Self::Audit,
        Self::Auth,
        Self::Bridge,
        Self::Sync,
    ];

    /// The one place for what distinguishes the roles.
    const fn row(self) -> Row {
        const fn component(program: &'static str, connections_max: u32) -> Row {
            Row {
                program,
                is_component: true,
                connections_max,
                statement_seconds: 10,
                plan_cache_mode: "auto",
            }
        }
        const fn service(program: &'static str, connections_max: u32, seconds: u32) -> Row {
            let row = component(program, connections_max);
            Row { is_component: false, statement_seconds: seconds, ..row }
        }
        match self {
            // A list's plan is the same whatever it is asked for: along the index of its order. Filters
            // that are not given make a plan for the arguments seem cheaper, so Postgres would plan each
            // request anew, which takes three times as long as running the plan.
            Self::TaskApi => {
                Row { plan_cache_mode: "force_generic_plan", ..component("task-api", 64) }
            }
            Self::Recurrence => component("recurrence", 24),
            Self::Notify => component("notify", 24),
            Self::Audit => Row { statement_seconds: 20, ..component("audit", 16) },
            Self::Auth => component("auth", 24),
            // Retention works through many rows.
            Self::Bridge => service("bridge", 32, 60),
            // A snapshot reads many rows.
            Self::Sync => service("sync", 24, 30),
        }
    }

    /// Its name in the database: `rondo_` and the program's name.
    #[must_use]
    pub fn name(self) -> String {
        format!("{PREFIX}{}", self.identifier())
    }

    /// The component, by its folder in `components/`, that logs in with the role; none for a native program.
    #[must_use]
    pub const fn component(self) -> Option<&'static str> {
        let Row { program, is_component, .. } = self.row();
        if is_component { Some(program) } else { None }
    }

    /// The variable of spin.toml, or in capitals of the environment, with the role's DSN.
    #[must_use]
    pub fn dsn_variable(self) -> String {
        format!("{}_database_url", self.identifier())
    }

    fn identifier(self) -> String {
        self.row().program.replace('-', "_")
    }

    /// How its prepared statements are planned: `plan_cache_mode` in Postgres' documentation.
    pub(crate) const fn plan_cache_mode(self) -> &'static str {
        self.row().plan_cache_mode
    }

    pub const fn limit(self) -> RoleLimit {
        let Row { connections_max, statement_seconds, is_component, .. } = self.row();
        RoleLimit {
            connections_max,
            statement_timeout_ms: statement_seconds * 1000,
            idle_in_transaction_ms: 10_000,
            // Spin never gives a session of its pools back, and the limit is for all replicas together.
            idle_session_ms: if is_component { 300_000 } else { 0 },
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name())
    }
}
