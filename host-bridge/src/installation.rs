//! Values of spin.toml's variables that follow from an installation's roles and secrets.

use rondo_database::secret::Secret;
use rondo_database::{Role, RoleDsns, Secrets};

/// The value of a variable of spin.toml; none for one that the operator sets.
#[must_use]
pub fn variable(name: &str, roles: &RoleDsns, secrets: &Secrets) -> Option<String> {
    match name {
        "jwt_secret" => Some(secrets.expose(Secret::Jwt).to_owned()),
        "link_secret" => Some(secrets.expose(Secret::Link).to_owned()),
        "event_token" => Some(secrets.expose(Secret::EventService).to_owned()),
        "database_host" => roles.get(Role::TaskApi).tcp_address(),
        name => {
            let role = Role::ALL.into_iter().find(|role| role.dsn_variable() == name)?;
            Some(roles.get(role).expose_url())
        }
    }
}
