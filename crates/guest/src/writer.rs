//! Writing a response's body.

use crate::bindings::wasi::io::streams::{OutputStream, StreamError};

/// Maximum that `blocking-write-and-flush` accepts (wasi:io/streams).
const WRITE_AND_FLUSH_BYTES_MAX: usize = 4096;

/// The body of a streamed response, while it is written.
pub struct Writer {
    /// None once the client has gone.
    stream: Option<OutputStream>,
}

impl Writer {
    pub(crate) fn new(stream: Option<OutputStream>) -> Self {
        Self { stream }
    }

    /// Sends bytes at once. False if the client has gone: then nothing is sent any more, and the component decides
    /// whether it completes its work.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        if self.stream.as_ref().is_some_and(|stream| write_all(stream, bytes).is_err()) {
            self.stream = None;
        }
        self.stream.is_some()
    }
}

/// Writes everything, and waits until the host has taken it.
pub(crate) fn write_all(stream: &OutputStream, mut rest: &[u8]) -> Result<(), StreamError> {
    if rest.is_empty() {
        return Ok(());
    }
    if rest.len() <= WRITE_AND_FLUSH_BYTES_MAX {
        return stream.blocking_write_and_flush(rest);
    }
    while !rest.is_empty() {
        let permitted = stream.check_write()?;
        if permitted == 0 {
            stream.subscribe().block();
            continue;
        }
        let bytes = usize::try_from(permitted).unwrap_or(usize::MAX).min(rest.len());
        stream.write(&rest[..bytes])?;
        rest = &rest[bytes..];
    }
    stream.blocking_flush()
}
