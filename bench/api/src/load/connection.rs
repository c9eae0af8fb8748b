//! One connection: writes a request, reads the answer to its end (RFC 9112).

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use anyhow::{Result, bail, ensure};

/// Header fields of an answer, at most.
const FIELDS_MAX: usize = 64;

/// A request under way.
#[derive(Clone, Copy)]
pub struct Sent {
    pub kind: usize,
    /// When it was due, which is not always when it could be sent.
    pub due: Instant,
}

/// What has become of a request.
pub enum Progress {
    Waiting,
    /// The whole answer is here.
    Answered {
        sent: Sent,
        status: u16,
    },
    /// The server has closed the connection; with the request that got no answer, if one was under way.
    Closed(Option<Sent>),
}

pub struct Connection {
    stream: TcpStream,
    sent: Option<Sent>,
    /// Of an answer that came in parts.
    part: Vec<u8>,
    /// Length of that answer, once its head is here, and its status.
    whole: Option<(usize, u16)>,
}

impl Connection {
    /// # Errors
    /// When the server does not take it.
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, sent: None, part: Vec::new(), whole: None })
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub fn is_idle(&self) -> bool {
        self.sent.is_none()
    }

    /// Sends a request; answers with whether the connection took it.
    ///
    /// # Errors
    /// When the system's buffer is too small for a request, which it never is.
    pub fn send(&mut self, request: &[u8], sent: Sent) -> Result<bool> {
        match self.stream.write(request) {
            Ok(written) => {
                ensure!(written == request.len(), "a request was written in part");
                self.sent = Some(sent);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => bail!("a request was not taken"),
            Err(_) => Ok(false),
        }
    }

    /// Reads what there is; `buffer` is shared among connections.
    ///
    /// # Errors
    /// When the answer is none that this program understands.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<Progress> {
        let length = match self.stream.read(buffer) {
            Ok(0) => return Ok(Progress::Closed(self.sent.take())),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Progress::Waiting),
            Err(_) => return Ok(Progress::Closed(self.sent.take())),
        };
        let received = if self.part.is_empty() {
            &buffer[..length]
        } else {
            self.part.extend_from_slice(&buffer[..length]);
            &self.part
        };
        if self.whole.is_none() {
            self.whole = head(received)?;
        }
        match self.whole {
            Some((whole, status)) if received.len() >= whole => {
                ensure!(received.len() == whole, "more than the answer came");
                let Some(sent) = self.sent.take() else { bail!("an answer that nobody asked for") };
                self.part.clear();
                self.whole = None;
                Ok(Progress::Answered { sent, status })
            }
            _ => {
                if self.part.is_empty() {
                    self.part.extend_from_slice(&buffer[..length]);
                }
                Ok(Progress::Waiting)
            }
        }
    }
}

/// Length of the whole answer and its status, once the head is here.
fn head(received: &[u8]) -> Result<Option<(usize, u16)>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(head) = response.parse(received)? else { return Ok(None) };
    let status = response.code.unwrap_or_default();
    let length = response
        .headers
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case("content-length"))
        .and_then(|field| std::str::from_utf8(field.value).ok()?.parse::<usize>().ok());
    match length {
        Some(length) => Ok(Some((head + length, status))),
        None if matches!(status, 204 | 304) => Ok(Some((head, status))),
        None => bail!("an answer without Content-Length (status {status}) is not understood"),
    }
}
