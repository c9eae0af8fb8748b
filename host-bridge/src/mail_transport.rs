//! The mail transport: a server by SMTP, or a folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use tokio::io::AsyncWriteExt as _;

/// Connections to the server.
pub const CONNECTIONS_MAX: u32 = 16;
/// Timeout of one reply of the server, in seconds.
const ANSWER_S_MAX: u64 = 15;
/// Replies about authentication (RFC 4954, section 6). They blame the setting and not the mail, so they are
/// retried.
const AUTHENTICATION_CODES: [u16; 4] = [530, 534, 535, 538];
/// First line of a certificate in PEM (RFC 7468).
const PEM_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

#[derive(Clone)]
pub enum MailTransport {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    /// One `.eml` file per mail.
    Folder(PathBuf),
}

/// The outcome of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Sent,
    Later(String),
    Never(String),
}

/// A certificate authority to trust besides the public ones.
pub struct Authority(Certificate);

impl Authority {
    /// Reads certificates in PEM.
    ///
    /// # Errors
    /// If there is none.
    pub fn read(pem: &str) -> anyhow::Result<Self> {
        anyhow::ensure!(pem.contains(PEM_CERTIFICATE), "has no certificate in PEM");
        let certificate = Certificate::from_pem(pem.as_bytes());
        certificate.map(Self).map_err(|_| anyhow::anyhow!("has no certificate that can be read"))
    }
}

impl MailTransport {
    /// The server at `url`: `smtp://` or `smtps://`, with user and password; `?tls=required` demands STARTTLS.
    ///
    /// # Errors
    /// When the URL is malformed; the error never quotes it, because it can contain a password.
    pub fn smtp(url: &str, authority: Option<Authority>) -> anyhow::Result<Self> {
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .map_err(|_| anyhow::anyhow!("must be smtp://host:port or smtps://host:port"))?;
        if let Some(tls) = authority.map(|authority| trusting(url, authority)).transpose()? {
            builder = builder.tls(tls);
        }
        let transport = builder
            .timeout(Some(Duration::from_secs(ANSWER_S_MAX)))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS_MAX))
            .build();
        Ok(Self::Smtp(transport))
    }

    /// A line about the destination of mails, for the start of the program.
    #[must_use]
    pub fn announcement(&self) -> String {
        match self {
            Self::Smtp(_) => "Mail goes to the server at SMTP_URL.".to_owned(),
            Self::Folder(folder) => {
                format!("Mail is written to {} because SMTP_URL is not set.", folder.display())
            }
        }
    }

    /// Sends a mail; `label` is unique and the same at every attempt.
    pub async fn send(&self, label: &str, message: Message) -> Outcome {
        match self {
            Self::Smtp(transport) => match transport.send(message).await {
                Ok(_) => Outcome::Sent,
                Err(error) if error.is_permanent() && !is_about_login(&error) => {
                    Outcome::Never(error.to_string())
                }
                Err(error) => Outcome::Later(error.to_string()),
            },
            Self::Folder(folder) => match write(folder, label, &message.formatted()).await {
                Ok(path) => {
                    tracing::info!(path = %path.display(), "mail written to a file because SMTP_URL is not set");
                    Outcome::Sent
                }
                // The path is only logged: users see the history.
                Err(error) => {
                    tracing::warn!(path = %folder.display(), %error, "cannot write mail");
                    Outcome::Later("the mail could not be written".to_owned())
                }
            },
        }
    }
}

/// The host that could receive the URL's password in the clear; none without a password, or with mandatory
/// TLS.
pub(crate) fn exposed_to(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (login, address) = authority.rsplit_once('@')?;
    if is_tls(url) || !login.contains(':') {
        return None;
    }
    // The port follows the last colon, unless that is part of an address in brackets.
    let host = address.rsplit_once(':').filter(|(_, port)| !port.contains(']'));
    Some(host.map_or(address, |(host, _)| host))
}

/// Whether there is TLS, or no connection, with the server at a URL.
pub(crate) fn is_tls(url: &str) -> bool {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("smtps"))
        || tls_parameter(url) == Some("required")
}

/// The URL's `tls` parameter, as lettre reads it.
fn tls_parameter(url: &str) -> Option<&str> {
    let url = url.split('#').next().unwrap_or_default();
    let (_, query) = url.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix("tls="))
}

fn is_about_login(error: &lettre::transport::smtp::Error) -> bool {
    error.status().is_some_and(|code| AUTHENTICATION_CODES.contains(&code.into()))
}

/// The TLS that a URL asks for, trusting the operator's authority too.
fn trusting(url: &str, authority: Authority) -> anyhow::Result<Tls> {
    let uri: Uri = url.parse().map_err(|_| anyhow::anyhow!("cannot be read as a URL"))?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let parameters = TlsParameters::builder(host).add_root_certificate(authority.0).build()?;
    match (uri.scheme_str(), tls_parameter(url)) {
        (Some("smtps"), _) => Ok(Tls::Wrapper(parameters)),
        (_, Some("required")) => Ok(Tls::Required(parameters)),
        (_, Some("opportunistic")) => Ok(Tls::Opportunistic(parameters)),
        _ => anyhow::bail!(
            "does not ask for TLS, which SMTP_CA needs: use smtps:// or ?tls=required"
        ),
    }
}

/// Writes a temporary file and renames it, so that nobody reads half a mail. Only the owner may read it:
/// links in mails give access to accounts.
async fn write(folder: &Path, label: &str, bytes: &[u8]) -> std::io::Result<PathBuf> {
    tokio::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).await?;
    let path = folder.join(format!("{label}.eml"));
    let fresh = path.with_extension("new");
    let mut options = tokio::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh).await?;
    file.write_all(bytes).await?;
    file.sync_all().await?;
    tokio::fs::rename(&fresh, &path).await?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_could_receive_a_password_in_the_clear() {
        for (url, expected) in [
            ("smtp://ada:hunter2@mail.example.org", Some("mail.example.org")),
            ("SMTP://ada:hunter2@mail.example.org:25/helo", Some("mail.example.org")),
            ("smtp://ada:p@ss:w@mail.example.org:25?a=b", Some("mail.example.org")),
            // An attacker in between can strip STARTTLS.
            ("smtp://ada:hunter2@10.0.0.1:587?tls=opportunistic", Some("10.0.0.1")),
            ("smtp://ada:hunter2@[fd00::1]:25", Some("[fd00::1]")),
            ("smtp://ada:hunter2@[fd00::1]", Some("[fd00::1]")),
            ("smtp://ada:hunter2@mail.example.org#?tls=required", Some("mail.example.org")),
            ("smtp://ada:hunter2@mail.example.org?tls=required", None),
            ("smtps://ada:hunter2@mail.example.org", None),
            ("smtp://mail.example.org:25", None),
            ("smtp://ada@mail.example.org:25", None),
        ] {
            assert_eq!(exposed_to(url), expected, "{url}");
        }
    }
}
