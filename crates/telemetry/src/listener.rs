//! Listeners of a process.

use std::io;
use std::net::SocketAddr;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket, ToSocketAddrs, lookup_host};

/// Connections that may wait to be accepted. With the standard library's 128, part of a burst, such as every
/// device reconnecting after a restart, would retry only a second later (listen(2); the kernel caps the
/// backlog at net.core.somaxconn, 4,096 by default on Linux).
const BACKLOG: u32 = 4_096;

/// The least number of open files that systems grant, for a system that does not say.
const OPEN_FILES_UNKNOWN: usize = 256;

/// Binds the first available address.
///
/// # Errors
/// If none is available: it is in use, or not this machine's.
pub async fn listen(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    let mut refusal = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in lookup_host(address).await? {
        match bind(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

/// Raises the number of files that this process may have open to what the system permits (setrlimit(2)),
/// because each connection is one. Returns the number.
pub fn open_files_raised() -> usize {
    let most = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| {
        // macOS refuses what Linux treats as unlimited; then the limit stays.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
        getrlimit(Resource::RLIMIT_NOFILE)
    });
    most.map_or(OPEN_FILES_UNKNOWN, |(most, _)| usize::try_from(most).unwrap_or(usize::MAX))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart finds connections of its predecessor that have not quite ended.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use super::*;

    /// Nothing accepts, so a connection that finds no room is never established.
    const DEADLINE: Duration = Duration::from_secs(5);
    /// More than 128, and within the default limit of open files.
    const BURST: usize = 400;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_burst_of_connections_waits_to_be_accepted() {
        let listener = listen("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut streams = Vec::new();
        for number in 0..BURST {
            let stream = timeout(DEADLINE, TcpStream::connect(address)).await;
            streams.push(stream.unwrap_or_else(|_| panic!("no room for connection {number}")));
        }
        assert_eq!(streams.iter().filter(|stream| stream.is_ok()).count(), BURST);
    }

    #[test]
    fn open_files_are_raised_to_the_hard_limit() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, hard - 1, hard).unwrap();
        assert_eq!(u64::try_from(open_files_raised()), Ok(hard));
    }

    #[tokio::test]
    async fn an_address_in_use_is_refused() {
        let first = listen("127.0.0.1:0").await.unwrap();
        let error = listen(first.local_addr().unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
