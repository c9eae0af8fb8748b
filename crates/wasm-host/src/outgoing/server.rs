//! The server of a request, and the way to it.

use std::net::SocketAddr;
use std::time::Duration;

use http::Uri;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::outcome::Failure;

/// How many addresses of a name are tried.
const ADDRESSES_MAX: usize = 3;

/// Where a request goes.
pub(super) struct Server {
    is_secure: bool,
    /// An IPv6 address has no brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

/// A connection, with or without TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Server {
    /// None for a URL of another scheme, or with a user's name in it.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let is_secure = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        if authority.as_str().contains('@') {
            return None;
        }
        let host = authority.host();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let port = authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        Some(Self { is_secure, host: bare.unwrap_or(host).to_owned(), port })
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.is_secure { "https" } else { "http" }
    }

    /// Connects, and verifies the server if the scheme is https.
    pub(super) async fn connect(
        &self,
        tls: &TlsConnector,
        connect_max: Duration,
    ) -> Result<Box<dyn Stream>, Failure> {
        let connected = async {
            let found = lookup_host((&*self.host, self.port)).await;
            let found: Vec<_> =
                found.map_err(|_| Failure::Unresolved)?.take(ADDRESSES_MAX).collect();
            let stream = reach(&found, connect_max).await?;
            // Requests are written as a whole.
            let _ = stream.set_nodelay(true);
            if !self.is_secure {
                return Ok(Box::new(stream) as Box<dyn Stream>);
            }
            let name = ServerName::try_from(self.host.clone()).map_err(|_| Failure::Insecure)?;
            let stream = tls.connect(name, stream).await.map_err(|_| Failure::Insecure)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        };
        timeout(connect_max, connected).await.unwrap_or(Err(Failure::Unreachable))
    }
}

/// Connects to the first address that answers; each has its part of the time.
async fn reach(addresses: &[SocketAddr], connect_max: Duration) -> Result<TcpStream, Failure> {
    let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    for address in addresses {
        let connected = timeout(connect_max / count, TcpStream::connect(address)).await;
        if let Ok(Ok(stream)) = connected {
            return Ok(stream);
        }
    }
    Err(Failure::Unreachable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_leads_to_one_server() {
        for (url, expected) in [
            ("https://api.example/v1/x?y", Some(("https", "api.example", 443))),
            ("http://api.example", Some(("http", "api.example", 80))),
            ("http://[::1]:11434/x", Some(("http", "::1", 11434))),
            ("http://127.0.0.1:1/", Some(("http", "127.0.0.1", 1))),
            ("https://allowed.example@other.example/", None),
            ("https://u:x@api.example/", None),
            ("ftp://api.example/", None),
            ("/v1/x", None),
        ] {
            let server = url.parse().ok().and_then(|uri| Server::of(&uri));
            let found = server.as_ref().map(|it| (it.scheme(), &*it.host, it.port));
            assert_eq!(found, expected, "{url}");
        }
    }
}
