//! The programs and servers around the database: components, bridge, mail server, and the public address.

use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use rondo_contract::capability::CAPABILITIES;
use rondo_setting::is_this_machine;
use serde_json::Value;

use super::database::skew;
use super::report::Report;
use crate::jwks;
use crate::mail_transport::MailTransport;
use crate::pipeline::delivery::{Delivery, HttpDelivery};

/// Time limit for one response.
const ANSWER: Duration = Duration::from_secs(5);
/// Maximum length of a response, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Sends a GET; returns status, headers and body.
async fn get(url: &str) -> anyhow::Result<(StatusCode, HeaderMap, Bytes)> {
    let asking = async {
        let request = Request::get(url).body(Full::<Bytes>::default())?;
        let response = jwks::client()?.request(request).await?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(anyhow::Error::from_boxed)?.to_bytes();
        anyhow::Ok((parts.status, parts.headers, body))
    };
    tokio::time::timeout(ANSWER, asking).await.context("no answer in time")?
}

/// Examines a program's `/health/ready` at its operators' address.
pub async fn readiness(report: &mut Report, check: &'static str, base: &str, setting: &str) {
    let url = format!("{base}/health/ready");
    let body = match get(&url).await {
        Ok((_, _, body)) => body,
        Err(error) => {
            let finding = format!("{url}: {}", rondo_database::explain(&*error));
            return report.warning(check, finding, format!("start it, or correct {setting}"));
        }
    };
    let Ok(Value::Object(answer)) = serde_json::from_slice(&body) else {
        let advice = format!("another program listens there: correct {setting}");
        return report.wrong(check, format!("{url} answers something else"), advice);
    };
    let parts = answer.get("parts").and_then(Value::as_object);
    let mut is_fine = true;
    for (part, state) in parts.into_iter().flatten() {
        if let Some(reason) = state["reason"].as_str() {
            is_fine = false;
            report.wrong(check, format!("{part} is not ready"), reason);
        }
    }
    if is_fine && answer.get("status").is_some_and(|status| status == "ready") {
        report.ok(check, format!("ready at {base}"));
    } else if is_fine {
        report.wrong(check, format!("{base} is not ready"), "see its log");
    }
}

/// Examines the components at `base`, and whether they accept the bridge's token.
pub async fn components(report: &mut Report, base: &str, token: Option<&str>) {
    let base = base.trim_end_matches('/');
    let url = format!("{base}/api/health/ready");
    let advice = "start `spin up` or `rondo host`, or correct COMPONENTS_URL";
    let (asked, began) = (SystemTime::now(), std::time::Instant::now());
    match get(&url).await {
        Err(error) => {
            let finding = format!("{url}: {}", rondo_database::explain(&*error));
            return report.wrong("components", finding, advice);
        }
        Ok((StatusCode::OK, headers, _)) => {
            report.ok("components", format!("ready at {base}"));
            let date = headers.get(header::DATE).and_then(|date| date.to_str().ok());
            if let Some(date_ms) = date.and_then(milliseconds) {
                // The header is truncated to whole seconds.
                let here = asked + began.elapsed() / 2;
                skew(report, "the components' clock", date_ms + 500, here);
            }
        }
        Ok((StatusCode::SERVICE_UNAVAILABLE, ..)) => {
            let advice = "start the database, or correct SPIN_VARIABLE_TASK_API_DATABASE_URL there";
            report.wrong("components", format!("{base} reaches no database"), advice);
        }
        Ok((status, ..)) => return report.wrong("components", format!("{url}: {status}"), advice),
    }
    let Some(token) = token else { return };
    let delivery = Delivery::Http(Box::new(HttpDelivery::new(base, token)));
    let mut is_fine = true;
    for capability in CAPABILITIES {
        // Without an event, only the token is checked.
        if let Err(error) = delivery.deliver(capability.name, Vec::new()).await {
            is_fine = false;
            let advice = "EVENT_TOKEN of the bridge and SPIN_VARIABLE_EVENT_TOKEN of the components must be the \
                          same, and the routes /events/… must reach the components";
            report.wrong("event token", format!("{}: {error}", capability.name), advice);
        }
    }
    if is_fine {
        report.ok("event token", "accepted by every capability");
    }
}

/// Connects to the mail server and logs in, without sending.
pub async fn mail(report: &mut Report, outlet: &MailTransport, is_certain: bool) {
    let transport = match outlet {
        MailTransport::Smtp(transport) => transport,
        MailTransport::Folder(folder) => {
            let finding = format!("no server; mails become files in {}", folder.display());
            return report.warning("mail", finding, "set SMTP_URL, or nobody gets a mail");
        }
    };
    match tokio::time::timeout(ANSWER, transport.test_connection()).await {
        Ok(Ok(true)) if is_certain => report.ok("mail", "the server takes the login, by TLS"),
        Ok(Ok(true)) => {
            report.ok("mail", "the server answers, on this machine or as ALLOW_CLEARTEXT permits")
        }
        Ok(Ok(false)) => report.wrong("mail", "the server hangs up", "see its log"),
        Ok(Err(error)) => {
            let advice = "correct SMTP_URL: host, port, user, password, and smtps:// or ?tls=required; SMTP_CA \
                          names an authority of your own";
            report.wrong("mail", rondo_database::explain(&error), advice);
        }
        Err(_) => {
            report.wrong(
                "mail",
                "the server does not answer in time",
                "correct host and port in SMTP_URL",
            );
        }
    }
}

/// Examines the address that links in mails lead to.
pub async fn public_url(report: &mut Report, url: &str, is_mail_local: bool) {
    let uri = url.parse::<http::Uri>().ok();
    let Some(host) = uri.as_ref().and_then(http::Uri::host) else {
        return report.wrong(
            "public URL",
            "is no URL",
            "set PUBLIC_URL, such as https://tasks.example.org",
        );
    };
    let is_https = uri.as_ref().and_then(http::Uri::scheme_str) == Some("https");
    if is_this_machine(host) && !is_mail_local {
        let advice = "set PUBLIC_URL to where users reach this installation";
        return report.warning("public URL", format!("links in mails lead to {url}"), advice);
    }
    if !is_https && !is_this_machine(host) {
        let advice = "put a proxy with TLS in front, and set PUBLIC_URL to https://…";
        return report.warning(
            "public URL",
            format!("{url} is without TLS: passwords can be read"),
            advice,
        );
    }
    let probe = format!("{}/api/health/ready", url.trim_end_matches('/'));
    match get(&probe).await {
        Ok((StatusCode::OK, ..)) => report.ok("public URL", url),
        Ok((status, ..)) => {
            let advice = "see that the proxy passes /api and /links on";
            report.warning("public URL", format!("{probe}: {status}"), advice);
        }
        Err(error) => {
            let finding = format!("{probe}: {}", rondo_database::explain(&*error));
            let advice = "not reachable from here; see whether it is from where users are";
            report.warning("public URL", finding, advice);
        }
    }
}

/// A date of HTTP (RFC 9110, section 5.6.7) in milliseconds since 1970.
fn milliseconds(date: &str) -> Option<i64> {
    let moment = httpdate::parse_http_date(date).ok()?;
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}
