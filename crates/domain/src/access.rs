//! Authorization: scopes, and the users that a caller may act for.

use thiserror::Error;

use crate::Violation;

word_enum! {
    /// What a token allows.
    pub enum Scope {
        TasksRead = "tasks:read",
        TasksWrite = "tasks:write",
        AuditRead = "audit:read",
        /// Granted only by operators.
        Admin = "admin",
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// The scopes of a personal token: all except those that only an operator grants.
    pub const REQUESTABLE: &'static [&'static str] =
        &[Scope::TasksRead.as_str(), Scope::TasksWrite.as_str(), Scope::AuditRead.as_str()];

    /// The scopes of a session's token: all except `admin`.
    pub const SESSION: Self = Self::of(&[Scope::TasksRead, Scope::TasksWrite, Scope::AuditRead]);

    /// The default scopes of a provider's token that names none of Rondo's: tasks, but not the account.
    pub const TASKS: Self = Self::of(&[Scope::TasksRead, Scope::TasksWrite]);

    #[must_use]
    pub const fn of(scopes: &[Scope]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < scopes.len() {
            bits |= 1 << scopes[index] as u8;
            index += 1;
        }
        Self(bits)
    }

    /// Reads the `scope` of a token, separated by spaces (RFC 6749, section 3.3). Scopes that Rondo does not
    /// know, such as `openid`, grant nothing.
    #[must_use]
    pub fn of_token(scope: &str) -> Self {
        scope
            .split(' ')
            .filter_map(|word| Scope::parse(word).ok())
            .fold(Self::default(), |scopes, scope| scopes.with(scope))
    }

    /// The scopes of a user's session: the defaults and those that an operator has granted.
    #[must_use]
    pub fn of_session(granted: &str) -> Self {
        Self::of_token(granted).iter().fold(Self::SESSION, Self::with)
    }

    /// The scopes of a provider's token: those that it names, or `default` if it names none of Rondo's,
    /// because then it only identifies the user. `admin` counts only if an operator has granted it to the
    /// user.
    #[must_use]
    pub fn of_provider(scope: &str, granted: &str, default: Self) -> Self {
        let (named, granted) = (Self::of_token(scope), Self::of_session(granted));
        let allowed = if named == Self::default() { default } else { named };
        Self(allowed.0 & granted.0)
    }

    /// Reads the scopes requested for a personal token.
    ///
    /// # Errors
    /// `unknown_value` for a scope that does not exist, or that a user cannot delegate: `admin`.
    pub fn of_request<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Result<Self, Violation> {
        scopes.into_iter().try_fold(Self::default(), |scopes, word| match Scope::parse(word) {
            Ok(Scope::Admin) | Err(_) => {
                Err(Violation::UnknownValue { expected: Self::REQUESTABLE })
            }
            Ok(scope) => Ok(scopes.with(scope)),
        })
    }

    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | 1 << scope as u8)
    }

    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }

    /// Whether the set has all scopes of a session's token. Account routes require it.
    #[must_use]
    pub const fn is_session(self) -> bool {
        self.0 & Self::SESSION.0 == Self::SESSION.0
    }

    /// The scopes of the set, in the order of definition.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.iter().copied().filter(move |scope| self.contains(*scope))
    }
}

/// Separated by spaces, as in a token.
impl std::fmt::Display for Scopes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

/// The user that a request's token identifies, and its scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    pub user_id: i64,
    pub scopes: Scopes,
}

impl Caller {
    /// Checks that the caller may use `scope` on what belongs to `user_id`: only on their own. Not even an
    /// admin may act on another user's tasks.
    ///
    /// # Errors
    /// The reason for the denial.
    pub fn may_act(self, user_id: i64, scope: Scope) -> Result<(), Denial> {
        if self.user_id != user_id {
            Err(Denial::OtherUser)
        } else if !self.scopes.contains(scope) {
            Err(Denial::MissingScope(scope))
        } else {
            Ok(())
        }
    }

    /// Whose audit log a request reads: that of `requested`, by default the caller's own, and for an admin
    /// everyone's.
    ///
    /// # Errors
    /// The reason for the denial.
    pub fn audit_reach(self, requested: Option<i64>) -> Result<AuditReach, Denial> {
        if self.scopes.contains(Scope::Admin) {
            return Ok(requested.map_or(AuditReach::Everyone, AuditReach::User));
        }
        let user_id = requested.unwrap_or(self.user_id);
        self.may_act(user_id, Scope::AuditRead)?;
        Ok(AuditReach::User(user_id))
    }
}

/// Whose audit log a request reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditReach {
    User(i64),
    Everyone,
}

/// Why an action is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Denial {
    #[error("the token belongs to another user")]
    OtherUser,
    #[error("the token lacks the scope {0}")]
    MissingScope(Scope),
}

impl Denial {
    /// The stable name of the kind of denial.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::OtherUser => "other_user",
            Self::MissingScope(_) => "missing_scope",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_of_a_token() {
        let check = |scope: &str, expected: &str| {
            assert_eq!(Scopes::of_token(scope).to_string(), expected, "{scope:?}");
        };
        check("tasks:read", "tasks:read");
        check("audit:read tasks:write tasks:read", "tasks:read tasks:write audit:read");
        check("openid  admin profile", "admin");
        check("tasks:READ tasks", "");
        check("", "");
        assert_eq!(Scopes::SESSION.to_string(), "tasks:read tasks:write audit:read");
    }

    #[test]
    fn scopes_of_a_providers_token() {
        let check = |scope: &str, granted: &str, expected: &str| {
            let scopes = Scopes::of_provider(scope, granted, Scopes::TASKS);
            assert_eq!(scopes.to_string(), expected, "{scope:?}");
        };
        check("openid profile", "", "tasks:read tasks:write");
        check("", "admin", "tasks:read tasks:write");
        check("openid tasks:read", "admin", "tasks:read");
        check("tasks:read tasks:write audit:read", "", "tasks:read tasks:write audit:read");
        check("tasks:read admin", "", "tasks:read");
        check("admin", "", "");
        check("admin audit:read", "admin", "audit:read admin");
        let none = Scopes::of_provider("openid", "admin", Scopes::of(&[Scope::Admin]));
        assert_eq!(none.to_string(), "admin", "an operator may also make it the default");
        assert!(!Scopes::TASKS.is_session() && Scopes::SESSION.with(Scope::Admin).is_session());
    }

    #[test]
    fn scopes_of_a_request() {
        let check = |scopes: &[&str], expected: Result<&str, &str>| {
            let granted = Scopes::of_request(scopes.iter().copied());
            let granted = granted.map(|scopes| scopes.to_string()).map_err(Violation::code);
            assert_eq!(granted.as_deref().map_err(|code| *code), expected);
        };
        check(&["tasks:write", "tasks:read"], Ok("tasks:read tasks:write"));
        check(&[], Ok(""));
        check(&["tasks:read", "admin"], Err("unknown_value"));
        check(&["openid"], Err("unknown_value"));
    }

    #[test]
    fn who_may_act_for_whom() {
        let check = |scopes: &str, user_id: i64, scope: Scope, expected: Result<(), &str>| {
            let caller = Caller { user_id: 1, scopes: Scopes::of_token(scopes) };
            assert_eq!(caller.may_act(user_id, scope).map_err(Denial::code), expected);
        };
        check("tasks:read", 1, Scope::TasksRead, Ok(()));
        check("tasks:read", 1, Scope::TasksWrite, Err("missing_scope"));
        check("tasks:write", 1, Scope::TasksRead, Err("missing_scope"));
        check("tasks:read", 2, Scope::TasksRead, Err("other_user"));
        check("tasks:read tasks:write admin", 2, Scope::TasksRead, Err("other_user"));
    }

    #[test]
    fn whose_audit_log() {
        use AuditReach::{Everyone, User};
        let check = |scopes: &str, requested: Option<i64>, expected: Result<AuditReach, &str>| {
            let caller = Caller { user_id: 1, scopes: Scopes::of_token(scopes) };
            assert_eq!(caller.audit_reach(requested).map_err(Denial::code), expected);
        };
        check("audit:read", None, Ok(User(1)));
        check("audit:read", Some(1), Ok(User(1)));
        check("audit:read", Some(2), Err("other_user"));
        check("tasks:read", None, Err("missing_scope"));
        check("admin", None, Ok(Everyone));
        check("admin", Some(2), Ok(User(2)));
        check("audit:read admin", Some(1), Ok(User(1)));
    }
}
