//! `DATABASE_URL`, the setting of every program that connects to Postgres.

use std::ffi::OsString;
use std::path::PathBuf;

use rondo_setting::{Cleartext, Service, SettingError, environment, refusal, required, secret};

use crate::dsn::Dsn;

const SETTING: &str = "DATABASE_URL";
/// How to enable TLS.
const TLS_REMEDY: &str = "add sslmode=verify-full";

#[derive(Clone, Default, clap::Args)]
#[command(next_help_heading = "Database")]
pub struct DatabaseOptions {
    #[arg(skip = rondo_setting::environment(SETTING))]
    pub database_url: Option<OsString>,
    /// File with postgres://user:password@host:port/database?sslmode=verify-full, of the login that is
    /// meant; DATABASE_URL may have that itself
    #[arg(long, env = "DATABASE_URL_FILE", value_name = "FILE")]
    pub database_url_file: Option<PathBuf>,
}

impl DatabaseOptions {
    /// The database; none if the setting is absent.
    ///
    /// # Errors
    /// If it is malformed, or would be reached without TLS although that is not allowed.
    pub fn given(&self, cleartext: &Cleartext) -> Result<Option<Dsn>, SettingError> {
        let url = secret(SETTING, self.database_url.as_deref(), self.database_url_file.as_deref())?;
        url.map(|url| read(SETTING, &url, cleartext)).transpose()
    }

    /// The database of a program's own variable, such as BRIDGE_DATABASE_URL, where several programs share an
    /// environment; otherwise that of DATABASE_URL.
    ///
    /// # Errors
    /// As for [`DatabaseOptions::dsn`].
    pub fn dsn_for(&self, own: &'static str, cleartext: &Cleartext) -> Result<Dsn, SettingError> {
        match secret(own, environment(own).as_deref(), None)? {
            Some(url) => read(own, &url, cleartext),
            None => self.dsn(cleartext),
        }
    }

    /// # Errors
    /// As for [`DatabaseOptions::given`], and if the setting is missing.
    pub fn dsn(&self, cleartext: &Cleartext) -> Result<Dsn, SettingError> {
        required(SETTING, self.given(cleartext)?)
    }
}

fn read(setting: &'static str, url: &str, cleartext: &Cleartext) -> Result<Dsn, SettingError> {
    let dsn = Dsn::parse(url).map_err(|error| refusal(setting, error))?;
    objection(&dsn, cleartext).map_or(Ok(dsn), |reason| Err(refusal(setting, reason)))
}

/// Why a database must not be reached in this way; none if it may. A password makes no difference: statements
/// and rows contain secrets too.
pub fn objection(dsn: &Dsn, cleartext: &Cleartext) -> Option<String> {
    if dsn.tls_mode().is_certain() {
        return None;
    }
    let addresses = dsn.addresses();
    cleartext.objection(Service::Postgres, addresses.iter().map(|(host, _)| &**host), TLS_REMEDY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_on_another_machine_needs_tls() {
        let check = |url: &str, is_fine: bool| {
            let options =
                DatabaseOptions { database_url: Some(url.into()), database_url_file: None };
            let found = options.dsn(&Cleartext::default());
            match found {
                Ok(_) => assert!(is_fine, "{url}"),
                Err(error) => {
                    assert!(!is_fine && error.setting == SETTING, "{url}: {error}");
                    assert!(error.reason.contains("ALLOW_CLEARTEXT=postgres"), "{error}");
                    assert!(!error.reason.contains("hunter2"), "{error}");
                }
            }
        };
        check("postgres://u:hunter2@db.example/d", false);
        check("postgres://u:hunter2@db.example/d?sslmode=disable", false);
        // A man in the middle could claim that the server has no TLS.
        check("postgres://u:hunter2@10.0.0.1/d?sslmode=prefer", false);
        check("postgres://u@db.example/d", false);
        check("postgres://u:hunter2@localhost,db.example/d", false);
        check("host=localhost hostaddr=10.0.0.1 user=u", false);
        for mode in ["require", "verify-ca", "verify-full"] {
            check(&format!("postgres://u:hunter2@db.example/d?sslmode={mode}"), true);
        }
        check("postgres://u:hunter2@localhost/d", true);
        check("postgres://u:hunter2@[::1]/d?sslmode=disable", true);
        check("postgres://u:hunter2@%2Frun%2Fpostgresql/d", true);
    }
}
