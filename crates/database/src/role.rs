//! Database roles: one for each component and service, so that each has only the rights it needs.
//!
//! The rights are in the migrations' grants; [`crate::provision`] creates the roles.

use std::fmt;
use std::str::FromStr;

/// Prefix of each role's name.
pub(crate) const PREFIX: &str = "rondo_";
/// Owns tables and functions; not used for logins.
pub const OWNER: &str = "rondo_owner";

/// A role that logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    TaskApi,
    Recurrence,
    Notify,
    Audit,
    Auth,
    Mcp,
    Chat,
    Bridge,
    Sync,
}

/// The limits of a role's sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleLimit {
    /// Maximum number of connections, in the whole cluster.
    pub connections_max: u32,
    pub statement_timeout_ms: u32,
    pub idle_in_transaction_ms: u32,
    /// After which an idle session ends; 0 means never.
    pub idle_session_ms: u32,
}

/// Highest connection limit of a role that can be chosen; far more than a server has.
const CONNECTIONS_MAX: u32 = 10_000;

/// Connection limits in place of the roles' own: a list such as `rondo_task_api=128,rondo_auth=48`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoleConnections([Option<u32>; Role::ALL.len()]);

impl RoleConnections {
    #[must_use]
    pub fn of(&self, role: Role) -> Option<u32> {
        self.0[role as usize]
    }
}

impl FromStr for RoleConnections {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let mut chosen = Self::default();
        for part in list.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let malformed = || {
                let names = Role::ALL.map(Role::name).join(", ");
                format!(
                    "{part:?} is not ROLE=N with N from 1 to {CONNECTIONS_MAX} and a role of {names}"
                )
            };
            let (name, number) = part.split_once('=').ok_or_else(malformed)?;
            let role = Role::ALL.into_iter().find(|role| role.name() == name.trim());
            let number = number.trim().parse().ok().filter(|n| (1..=CONNECTIONS_MAX).contains(n));
            let (Some(role), Some(number)) = (role, number) else { return Err(malformed()) };
            chosen.0[role as usize] = Some(number);
        }
        Ok(chosen)
    }
}

/// The facts about one role.
struct Row {
    /// The component or native program that logs in with the role.
    program: &'static str,
    is_component: bool,
    /// Maximum number of connections, in the whole cluster. The host's pool also bounds a component's
    /// (Spin's: 64 per address). Their sum stays below the private server's `max_connections`.
    connections_max: u32,
    statement_seconds: u32,
    plan_cache_mode: &'static str,
}

impl Role {
    pub const ALL: [Self; 9] = [
        Self::TaskApi,
        Self::Recurrence,
        Self::Notify,
        Self::Audit,
        Self::Auth,
        Self::Mcp,
        Self::Chat,
        Self::Bridge,
        Self::Sync,
    ];

    /// The only place for what distinguishes the roles.
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
            // The plan of a list is the same for all parameters: along the index of its order. Absent filters
            // make a custom plan seem cheaper, so Postgres would plan each request anew, which takes three
            // times as long as running the plan.
            Self::TaskApi => {
                Row { plan_cache_mode: "force_generic_plan", ..component("task-api", 64) }
            }
            Self::Recurrence => component("recurrence", 24),
            Self::Notify => component("notify", 24),
            Self::Audit => Row { statement_seconds: 20, ..component("audit", 16) },
            Self::Auth => component("auth", 24),
            // Both run the statements of the task API.
            Self::Mcp => Row { plan_cache_mode: "force_generic_plan", ..component("mcp", 16) },
            Self::Chat => Row { plan_cache_mode: "force_generic_plan", ..component("chat", 16) },
            // Retention processes many rows.
            Self::Bridge => service("bridge", 32, 60),
            // A snapshot reads many rows.
            Self::Sync => service("sync", 24, 30),
        }
    }

    /// The role's name in the database: `rondo_` and the program's name.
    #[must_use]
    pub fn name(self) -> String {
        format!("{PREFIX}{}", self.identifier())
    }

    /// The component that logs in with the role, by its folder in `components/`; none for a native program.
    #[must_use]
    pub const fn component(self) -> Option<&'static str> {
        let Row { program, is_component, .. } = self.row();
        if is_component { Some(program) } else { None }
    }

    /// The variable of spin.toml, or in capitals of the environment, that holds the role's DSN.
    #[must_use]
    pub fn dsn_variable(self) -> String {
        format!("{}_database_url", self.identifier())
    }

    fn identifier(self) -> String {
        self.row().program.replace('-', "_")
    }

    /// How prepared statements are planned: `plan_cache_mode` in Postgres's documentation.
    pub(crate) const fn plan_cache_mode(self) -> &'static str {
        self.row().plan_cache_mode
    }

    pub const fn limit(self) -> RoleLimit {
        let Row { connections_max, statement_seconds, is_component, .. } = self.row();
        RoleLimit {
            connections_max,
            statement_timeout_ms: statement_seconds * 1000,
            idle_in_transaction_ms: 10_000,
            // Spin never closes idle sessions of its pools, and the limit applies to all replicas together.
            idle_session_ms: if is_component { 300_000 } else { 0 },
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_chosen_by_role() {
        let chosen: RoleConnections = " rondo_task_api=128, rondo_sync = 1".parse().unwrap();
        let found = Role::ALL.map(|role| chosen.of(role));
        assert_eq!(found, [Some(128), None, None, None, None, None, None, None, Some(1)]);
        assert_eq!("".parse(), Ok(RoleConnections::default()));
        for bad in [
            "128",
            "task_api=1",
            "rondo_owner=1",
            "rondo_auth=0",
            "rondo_auth=10001",
            "rondo_auth=-1",
        ] {
            let refusal = bad.parse::<RoleConnections>().unwrap_err();
            assert!(refusal.starts_with(&format!("{bad:?} is not")), "{refusal}");
        }
    }
}
