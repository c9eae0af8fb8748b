//! Which secrets may be sent without TLS. Secrets leave this machine encrypted unless the operator exempts a
//! service; a private network is no exception.

use std::net::IpAddr;
use std::str::FromStr;

use clap::ValueEnum;

use crate::{SettingError, refusal};

/// Name of the setting.
const SETTING: &str = "ALLOW_CLEARTEXT";

/// The setting as an option of every command.
#[derive(Clone, Default, Debug, clap::Args)]
pub struct CleartextOption {
    /// Services on other machines that may be sent secrets without TLS: smtp, postgres, kafka,
    /// otlp, llm, comma-separated
    #[arg(long, env = SETTING, value_name = "LIST", global = true)]
    pub allow_cleartext: Option<Cleartext>,
}

/// A service that receives secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Service {
    Smtp,
    Postgres,
    Kafka,
    Otlp,
    Llm,
}

/// The services that may be used without TLS; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleartext(Vec<Service>);

impl CleartextOption {
    #[must_use]
    pub fn allowed(&self) -> Cleartext {
        self.allow_cleartext.clone().unwrap_or_default()
    }
}

impl FromStr for Cleartext {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        let services = names.map(|name| {
            Service::from_str(name, false)
                .map_err(|_| format!("{name:?} is not one of smtp, postgres, kafka, otlp, llm"))
        });
        services.collect::<Result<_, _>>().map(Self)
    }
}

impl Cleartext {
    /// Refuses a setting by which secrets would go to one of these hosts without TLS. `remedy` says how to
    /// enable TLS.
    ///
    /// # Errors
    /// If a host is another machine and the service is not exempt.
    pub fn check<'a>(
        &self,
        service: Service,
        setting: &'static str,
        hosts: impl IntoIterator<Item = &'a str>,
        remedy: &str,
    ) -> Result<(), SettingError> {
        self.objection(service, hosts, remedy)
            .map_or(Ok(()), |reason| Err(refusal(setting, reason)))
    }

    /// Why secrets must not be sent to one of these hosts; none if they may.
    pub fn objection<'a>(
        &self,
        service: Service,
        hosts: impl IntoIterator<Item = &'a str>,
        remedy: &str,
    ) -> Option<String> {
        if self.0.contains(&service) {
            return None;
        }
        let away = hosts.into_iter().find(|host| !is_this_machine(host))?;
        let service = service.to_possible_value().map(|name| name.get_name().to_owned());
        let service = service.unwrap_or_default();
        Some(format!(
            "would send secrets to {away} without TLS: {remedy}, or allow it by {SETTING}={service}"
        ))
    }
}

/// Whether traffic to a host (a name, an address, or the folder of a Unix socket) stays on this machine.
#[must_use]
pub fn is_this_machine(host: &str) -> bool {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => {
            let name = host.trim_end_matches('.').to_ascii_lowercase();
            // RFC 6761, section 6.3: names that always mean loopback.
            host.starts_with('/') || name == "localhost" || name.ends_with(".localhost")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list() {
        let read = |list: &str| list.parse::<Cleartext>();
        assert_eq!(read(" ,"), Ok(Cleartext::default()));
        assert_eq!(read("kafka, smtp"), Ok(Cleartext(vec![Service::Kafka, Service::Smtp])));
        for wrong in ["all", "true", "SMTP", "smtp;kafka"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn traffic_on_this_machine_needs_no_tls() {
        let check = |hosts: &[&str], expected: Option<&str>| {
            let hosts = hosts.iter().copied();
            let found = Cleartext::default().check(Service::Kafka, "BROKERS", hosts, "do");
            let found = found.map_err(|error| error.reason);
            match expected {
                None => assert_eq!(found, Ok(())),
                Some(host) => assert_eq!(
                    found.unwrap_err(),
                    format!(
                        "would send secrets to {host} without TLS: do, or allow it by ALLOW_CLEARTEXT=kafka"
                    )
                ),
            }
        };
        for local in [
            "localhost",
            "LOCALHOST.",
            "db.localhost",
            "127.0.0.1",
            "127.8.9.1",
            "::1",
            "[::1]",
            "::ffff:127.0.0.1",
            "/run/postgresql",
        ] {
            check(&[local], None);
        }
        // A private network is no exception.
        for away in [
            "db",
            "10.0.0.1",
            "192.168.1.1",
            "fd00::1",
            "0.0.0.0",
            "localhost.example.org",
            "127.0.0.1.example.org",
        ] {
            check(&["localhost", away], Some(away));
        }
    }

    #[test]
    fn only_named_services_are_exempt() {
        let cleartext: Cleartext = "smtp,postgres".parse().unwrap();
        for (service, is_allowed) in
            [(Service::Smtp, true), (Service::Postgres, true), (Service::Kafka, false)]
        {
            assert_eq!(
                cleartext.objection(service, ["db"], "").is_none(),
                is_allowed,
                "{service:?}"
            );
        }
    }
}
