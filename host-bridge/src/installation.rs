//! What an installation knows of the variables of spin.toml, from its database roles and its secrets.

use rondo_database::secret::Secret;
use rondo_database::{Role, RoleDsns, Secrets};

/// The value of a variable of spin.toml; none for one that is a setting of a person.
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
