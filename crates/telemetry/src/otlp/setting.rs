//! The settings, by the names of the OpenTelemetry specification ("Environment Variable Specification",
//! "OpenTelemetry Protocol Exporter"). One that this build cannot follow is refused, not passed over.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use opentelemetry_sdk::trace::{OTEL_BSP_MAX_QUEUE_SIZE_DEFAULT, Sampler};
use percent_encoding::percent_decode_str;
use rondo_setting::{Cleartext, Service, SettingError, refusal, secret};

use super::Sampling;

/// The first variable that is set counts.
type Names = [&'static str; 2];

const ENDPOINTS: Names = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const HEADERS: Names = ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"];
const HEADERS_FILE: &str = "OTEL_EXPORTER_OTLP_HEADERS_FILE";
const PROTOCOLS: Names = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
const COMPRESSIONS: Names =
    ["OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"];
const CERTIFICATES: Names =
    ["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"];
const TIMEOUTS: Names = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
const DISABLED: &str = "OTEL_SDK_DISABLED";
const EXPORTER: &str = "OTEL_TRACES_EXPORTER";
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SAMPLER_ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
const SERVICE: &str = "OTEL_SERVICE_NAME";
const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
const QUEUE: &str = "OTEL_BSP_MAX_QUEUE_SIZE";
/// Numbers that the SDK reads itself, in milliseconds or spans.
const NUMBERS: [&str; 3] =
    ["OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BSP_EXPORT_TIMEOUT"];

/// What the base endpoint lacks of the address of traces.
const TRACES_PATH: &str = "/v1/traces";
/// Longest request to the collector unless set, in milliseconds.
const TIMEOUT_MS: u64 = 10_000;

/// Where spans go, and which. There is no `Debug`, because headers can be secrets.
pub struct Setting {
    pub(super) endpoint: Endpoint,
    pub(super) headers: HashMap<String, String>,
    /// PEM file of the authorities that are trusted in place of the public ones, and the setting of it.
    pub(super) authorities: Option<(&'static str, PathBuf)>,
    pub(super) timeout: Duration,
    /// Ended spans that wait or are being sent.
    pub(super) queue_max: usize,
    pub(super) sampling: Sampling,
}

pub(super) struct Endpoint {
    pub(super) setting: &'static str,
    pub(super) uri: Uri,
}

impl Setting {
    /// As the environment has it; none if no spans are to be exported.
    ///
    /// # Errors
    /// When a value is malformed or asks for what this build has not, or headers, which can be keys, would
    /// go to another machine without TLS.
    pub fn from_environment(cleartext: &Cleartext) -> Result<Option<Self>, SettingError> {
        Self::read(&|name| std::env::var_os(name), cleartext)
    }

    fn read(
        environment: &dyn Fn(&'static str) -> Option<std::ffi::OsString>,
        cleartext: &Cleartext,
    ) -> Result<Option<Self>, SettingError> {
        let variables = Variables(environment);
        let choice = |name, [no, yes]: [&str; 2]| match variables.get(name)? {
            Some(value) if value.eq_ignore_ascii_case(no) => Ok(Some(false)),
            Some(value) if value.eq_ignore_ascii_case(yes) => Ok(Some(true)),
            Some(_) => Err(refusal(name, format!("must be {no} or {yes}"))),
            None => Ok(None),
        };
        let is_disabled = choice(DISABLED, ["false", "true"])?.unwrap_or(false);
        let is_chosen = choice(EXPORTER, ["none", "otlp"])?.unwrap_or(true);
        let Some((setting, endpoint)) = variables.first(ENDPOINTS)? else { return Ok(None) };
        if is_disabled || !is_chosen {
            return Ok(None);
        }
        let endpoint = Endpoint { setting, uri: uri(setting, &endpoint)? };
        for (names, only) in [(PROTOCOLS, "http/protobuf"), (COMPRESSIONS, "none")] {
            if let Some((name, value)) = variables.first(names)?
                && value != only
            {
                return Err(refusal(name, format!("must be {only}: this build has no other")));
            }
        }
        let headers = variables.headers()?;
        if !headers.is_empty() && endpoint.uri.scheme_str() == Some("http") {
            let remedy = "use https";
            cleartext.check(Service::Otlp, endpoint.setting, endpoint.uri.host(), remedy)?;
        }
        let mut timeout_ms = TIMEOUT_MS;
        for name in TIMEOUTS.into_iter().rev() {
            timeout_ms = variables.number(name)?.unwrap_or(timeout_ms);
        }
        for name in NUMBERS {
            variables.number(name)?;
        }
        let queue_max = variables.number(QUEUE)?.map(usize::try_from).transpose();
        let queue_max = queue_max.map_err(|error| refusal(QUEUE, error))?;
        for pair in variables.get(ATTRIBUTES)?.unwrap_or_default().split(',') {
            if !pair.trim().is_empty() && !pair.contains('=') {
                return Err(refusal(ATTRIBUTES, "must be of the form name=value,name=value"));
            }
        }
        variables.get(SERVICE)?;
        let authorities = variables.first(CERTIFICATES)?;
        Ok(Some(Self {
            endpoint,
            headers,
            authorities: authorities.map(|(setting, path)| (setting, path.into())),
            timeout: Duration::from_millis(timeout_ms),
            queue_max: queue_max.unwrap_or(OTEL_BSP_MAX_QUEUE_SIZE_DEFAULT),
            sampling: variables.sampling()?,
        }))
    }

    /// Host and port of the collector; a path can have a key in it.
    pub(super) fn address(&self) -> &str {
        self.endpoint.uri.authority().map_or("", |authority| authority.as_str())
    }
}

/// Whether the environment names the service.
pub(super) fn names_service() -> bool {
    let given = |name| std::env::var(name).unwrap_or_default();
    let is_name =
        |pair: &str| pair.split('=').next().is_some_and(|key| key.trim() == "service.name");
    !given(SERVICE).is_empty() || given(ATTRIBUTES).split(',').any(is_name)
}

/// The address of traces. The value is not quoted: it can have a key in it.
fn uri(setting: &'static str, value: &str) -> Result<Uri, SettingError> {
    let whole = match setting == ENDPOINTS[0] {
        true => value.to_owned(),
        false => format!("{}{TRACES_PATH}", value.trim_end_matches('/')),
    };
    let reason = "must be an address such as http://127.0.0.1:4318";
    let uri: Uri = whole.parse().map_err(|_| refusal(setting, reason))?;
    let authority = uri.authority().ok_or_else(|| refusal(setting, reason))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(refusal(setting, reason));
    }
    if authority.as_str().contains('@') {
        let reason = format!("must have no login: use {}", HEADERS[1]);
        return Err(refusal(setting, reason));
    }
    Ok(uri)
}

struct Variables<'a>(&'a dyn Fn(&'static str) -> Option<std::ffi::OsString>);

impl Variables<'_> {
    /// A blank value counts as absent.
    fn get(&self, name: &'static str) -> Result<Option<String>, SettingError> {
        let value = (self.0)(name).map(std::ffi::OsString::into_string).transpose();
        let value = value.map_err(|_| refusal(name, "must be UTF-8"))?;
        Ok(value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()))
    }

    fn first(&self, names: Names) -> Result<Option<(&'static str, String)>, SettingError> {
        for name in names {
            if let Some(value) = self.get(name)? {
                return Ok(Some((name, value)));
            }
        }
        Ok(None)
    }

    fn number(&self, name: &'static str) -> Result<Option<u64>, SettingError> {
        let refused = |_| refusal(name, "must be a whole number");
        let number = self.get(name)?.map(|value| value.parse().map_err(refused)).transpose()?;
        if number == Some(0) { Err(refusal(name, "must not be 0")) } else { Ok(number) }
    }

    /// Entries as of W3C Baggage: `name=value,name=value`, the values percent-encoded.
    fn headers(&self) -> Result<HashMap<String, String>, SettingError> {
        let (setting, list) = match self.get(HEADERS[0])? {
            Some(list) => (HEADERS[0], list),
            None => {
                let value = (self.0)(HEADERS[1]);
                let file = self.get(HEADERS_FILE)?.map(PathBuf::from);
                let list = secret(HEADERS[1], value.as_deref(), file.as_deref())?;
                (HEADERS[1], list.unwrap_or_default())
            }
        };
        let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let header = |entry: &str| {
            let (name, value) = entry.split_once('=')?;
            let name = HeaderName::try_from(name.trim()).ok()?;
            let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
            HeaderValue::from_str(&value).ok()?;
            Some((name.to_string(), value.into_owned()))
        };
        entries
            .enumerate()
            .map(|(place, entry)| {
                header(entry).ok_or_else(|| {
                    refusal(setting, format!("entry {} is not of the form name=value", place + 1))
                })
            })
            .collect()
    }

    fn sampling(&self) -> Result<Sampling, SettingError> {
        let name = self.get(SAMPLER)?.unwrap_or_else(|| "parentbased_always_on".to_owned());
        let (by_parent, own) = match name.strip_prefix("parentbased_") {
            Some(own) => (true, own),
            None => (false, &*name),
        };
        let ratio = self.ratio()?;
        let own = match own {
            "always_on" => Sampler::AlwaysOn,
            "always_off" => Sampler::AlwaysOff,
            "traceidratio" => Sampler::TraceIdRatioBased(ratio),
            _ => {
                let reason = "must be always_on, always_off, traceidratio, or one of these after \
                              parentbased_";
                return Err(refusal(SAMPLER, reason));
            }
        };
        Ok(Sampling { by_parent, own })
    }

    fn ratio(&self) -> Result<f64, SettingError> {
        let Some(value) = self.get(SAMPLER_ARGUMENT)? else { return Ok(1.0) };
        let ratio = value.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        ratio.ok_or_else(|| refusal(SAMPLER_ARGUMENT, "must be a number from 0 to 1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<Setting>, SettingError> {
        let environment = |name: &'static str| {
            let found = variables.iter().find(|(given, _)| *given == name);
            found.map(|(_, value)| (*value).into())
        };
        Setting::read(&environment, &Cleartext::default())
    }

    fn with<'a>(variables: &[(&'a str, &'a str)]) -> Result<Option<Setting>, SettingError> {
        read(&[&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")], variables].concat())
    }

    #[test]
    fn without_an_endpoint_nothing_is_exported() {
        for variables in [
            &[][..],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")],
            &[("OTEL_TRACES_SAMPLER", "always_on")],
        ] {
            assert!(read(variables).unwrap().is_none(), "{variables:?}");
        }
        assert!(with(&[("OTEL_SDK_DISABLED", "true")]).unwrap().is_none());
        assert!(with(&[("OTEL_TRACES_EXPORTER", "none")]).unwrap().is_none());
        assert!(with(&[("OTEL_SDK_DISABLED", "FALSE")]).unwrap().is_some());
    }

    #[test]
    fn the_endpoint_of_traces_is_taken_as_it_is() {
        let check = |variables: &[(&str, &str)], expected: &str| {
            assert_eq!(read(variables).unwrap().unwrap().endpoint.uri.to_string(), expected);
        };
        let base = |url| ("OTEL_EXPORTER_OTLP_ENDPOINT", url);
        check(&[base("http://c:4318")], "http://c:4318/v1/traces");
        check(&[base("https://c/otlp/")], "https://c/otlp/v1/traces");
        let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://d/t");
        check(&[base("https://c"), own], "https://d/t");
    }

    #[test]
    fn what_is_malformed_is_named_and_not_quoted() {
        for (setting, value) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "hunter2"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://hunter2"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://hunter2@collector"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http:///hunter2"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=b,key=hunter2%0d%0a"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "no name=hunter2"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
            ("OTEL_BSP_SCHEDULE_DELAY", "-1"),
            ("OTEL_SDK_DISABLED", "yes"),
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
            ("OTEL_RESOURCE_ATTRIBUTES", "a=b,hunter2"),
        ] {
            let error =
                read(&[(setting, value), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost")])
                    .err()
                    .unwrap_or_else(|| panic!("{setting}={value}"));
            assert_eq!(error.setting, setting, "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        for value in ["1.1", "-0.1", "NaN", "half"] {
            let sampler = ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio");
            let error = with(&[sampler, ("OTEL_TRACES_SAMPLER_ARG", value)]).err().unwrap();
            assert_eq!(error.setting, "OTEL_TRACES_SAMPLER_ARG");
        }
    }

    #[test]
    fn headers_are_decoded_and_go_by_tls_alone() {
        let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic%20YTpi=, x-tenant=a");
        let read_headers = with(&[headers]).unwrap().unwrap().headers;
        let expected = [("authorization", "Basic YTpi="), ("x-tenant", "a")];
        assert_eq!(read_headers, expected.map(|(n, v)| (n.to_owned(), v.to_owned())).into());
        let away = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        assert!(read(&[away]).unwrap().is_some());
        let error = read(&[away, headers]).err().unwrap();
        assert_eq!(error.setting, away.0);
        let safe = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318");
        assert!(read(&[safe, headers]).unwrap().is_some());
    }

    #[test]
    fn samplers() {
        let check = |name: &str, argument: &str, by_parent: bool, own: &str| {
            let variables = [("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", argument)];
            let sampling = with(&variables).unwrap().unwrap().sampling;
            assert_eq!(sampling.by_parent, by_parent, "{name}");
            assert_eq!(format!("{:?}", sampling.own), own, "{name}");
        };
        check("", "", true, "AlwaysOn");
        check("always_off", "0.5", false, "AlwaysOff");
        check("traceidratio", "0.25", false, "TraceIdRatioBased(0.25)");
        check("parentbased_traceidratio", "", true, "TraceIdRatioBased(1.0)");
        check("parentbased_always_off", "", true, "AlwaysOff");
    }
}
