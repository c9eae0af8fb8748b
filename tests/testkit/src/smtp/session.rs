//! One connection to the mail server.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::TcpStream;

use super::{Demand, Fault, Mail, State, locked};

/// Maximum length of a line, more than RFC 5321's 1,000.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Maximum size of a mail.
const MAIL_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Plain or encrypted.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One connection.
pub(super) struct Session<'a> {
    stream: BufReader<Box<dyn Stream>>,
    state: &'a State,
    demand: &'a Demand,
    is_encrypted: bool,
    is_authenticated: bool,
    from: Option<String>,
    to: Vec<String>,
}

impl<'a> Session<'a> {
    pub(super) async fn open(
        stream: TcpStream,
        state: &'a State,
        demand: &'a Demand,
    ) -> io::Result<Self> {
        let certificate = demand.certificate.as_ref().filter(|_| demand.is_implicit);
        let is_encrypted = certificate.is_some();
        let stream: Box<dyn Stream> = match certificate {
            Some(certificate) => Box::new(certificate.acceptor().accept(stream).await?),
            None => Box::new(stream),
        };
        Ok(Self {
            stream: BufReader::new(stream),
            state,
            demand,
            is_encrypted,
            is_authenticated: false,
            from: None,
            to: Vec::new(),
        })
    }

    pub(super) async fn run(mut self) -> io::Result<()> {
        if self.state.take_fault(|fault| *fault == Fault::Hang).is_some() {
            // Until the client gives up and closes its end of the connection.
            tokio::io::copy(&mut self.stream, &mut tokio::io::sink()).await?;
            return Ok(());
        }
        self.reply("220 testkit ready").await?;
        while let Some(line) = self.line().await? {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let (verb, rest) = line.split_at(line.find([' ', ':']).unwrap_or(line.len()));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" => self.greet().await?,
                "HELO" => self.reply("250 testkit").await?,
                "STARTTLS" if self.offers_tls() => self = self.encrypt().await?,
                "AUTH" if self.offers_authentication() => self.authenticate(rest).await?,
                "MAIL" if self.offers_tls() => {
                    self.reply("530 5.7.0 STARTTLS comes first").await?;
                }
                "MAIL" if self.offers_authentication() => {
                    self.reply("530 5.7.0 AUTH comes first").await?;
                }
                "MAIL" => self.sender(rest).await?,
                "RCPT" => self.recipient(rest).await?,
                "DATA" if self.from.is_none() || self.to.is_empty() => {
                    self.reply("503 5.5.1 MAIL and RCPT come first").await?;
                }
                "DATA" => {
                    if !self.data().await? {
                        return Ok(());
                    }
                }
                "RSET" => {
                    self.reset();
                    self.reply("250 2.0.0 ok").await?;
                }
                "NOOP" => self.reply("250 2.0.0 ok").await?,
                "QUIT" => return self.reply("221 2.0.0 bye").await,
                _ => self.reply("500 5.5.2 unknown command").await?,
            }
        }
        Ok(())
    }

    async fn greet(&mut self) -> io::Result<()> {
        let mut lines = vec!["testkit".to_owned(), "8BITMIME".to_owned(), "SMTPUTF8".to_owned()];
        if self.offers_tls() {
            lines.push("STARTTLS".to_owned());
        } else if self.offers_authentication() {
            lines.push("AUTH PLAIN".to_owned());
        }
        let more: String = lines.iter().map(|line| format!("250-{line}\r\n")).collect();
        self.reply(&format!("{more}250 SIZE {MAIL_BYTES_MAX}")).await
    }

    fn offers_tls(&self) -> bool {
        self.demand.certificate.is_some() && !self.is_encrypted
    }

    fn offers_authentication(&self) -> bool {
        self.demand.credentials.is_some() && !self.is_authenticated
    }

    async fn encrypt(mut self) -> io::Result<Self> {
        self.reply("220 2.0.0 go ahead").await?;
        let certificate = self.demand.certificate.as_ref().expect("offered with a certificate");
        let stream = certificate.acceptor().accept(self.stream.into_inner()).await?;
        let stream: Box<dyn Stream> = Box::new(stream);
        Ok(Self { stream: BufReader::new(stream), is_encrypted: true, ..self })
    }

    /// ` PLAIN <base64 of NUL user NUL password>` (RFC 4616).
    async fn authenticate(&mut self, rest: &str) -> io::Result<()> {
        let (user, password) = self.demand.credentials.as_ref().expect("offered with credentials");
        let wanted = format!(" PLAIN {}", STANDARD.encode(format!("\0{user}\0{password}")));
        if rest == wanted {
            self.is_authenticated = true;
            self.reply("235 2.7.0 welcome").await
        } else {
            self.reply("535 5.7.8 wrong user or password").await
        }
    }

    async fn sender(&mut self, rest: &str) -> io::Result<()> {
        match self.state.take_fault(|fault| matches!(fault, Fault::Sender(_))) {
            Some(Fault::Sender(reply)) => self.reply(&reply).await,
            _ => {
                self.reset();
                self.from = Some(address(rest));
                self.reply("250 2.1.0 ok").await
            }
        }
    }

    async fn recipient(&mut self, rest: &str) -> io::Result<()> {
        match self.state.take_fault(|fault| matches!(fault, Fault::Recipient(_))) {
            Some(Fault::Recipient(reply)) => self.reply(&reply).await,
            _ if self.from.is_none() => self.reply("503 5.5.1 MAIL comes first").await,
            _ => {
                self.to.push(address(rest));
                self.reply("250 2.1.5 ok").await
            }
        }
    }

    /// Receives a mail; `false` if the connection must be closed.
    async fn data(&mut self) -> io::Result<bool> {
        self.reply("354 end with a dot").await?;
        let mut data = Vec::new();
        let is_dropped = self.state.take_fault(|fault| *fault == Fault::DropInData).is_some();
        loop {
            let Some(line) = self.line().await? else { return Ok(false) };
            if is_dropped {
                return Ok(false);
            }
            if line == b".\r\n" {
                break;
            }
            // A dot at the start of a line was doubled (RFC 5321, section 4.5.2).
            data.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            if data.len() > MAIL_BYTES_MAX {
                self.reply("552 5.3.4 too large").await?;
                return Ok(false);
            }
        }
        if let Some(Fault::Data(reply)) =
            self.state.take_fault(|fault| matches!(fault, Fault::Data(_)))
        {
            self.reset();
            self.reply(&reply).await?;
            return Ok(true);
        }
        let mail = Mail {
            from: self.from.take().unwrap_or_default(),
            to: std::mem::take(&mut self.to),
            data: String::from_utf8_lossy(&data).into_owned(),
        };
        locked(&self.state.mails).push(mail);
        if self.state.take_fault(|fault| *fault == Fault::DropAfterData).is_some() {
            return Ok(false);
        }
        self.reply("250 2.0.0 recorded").await?;
        Ok(true)
    }

    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
    }

    /// The next line with its end; none if the client has gone.
    async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        (&mut self.stream).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
        Ok(line.ends_with(b"\n").then_some(line))
    }

    async fn reply(&mut self, reply: &str) -> io::Result<()> {
        self.stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }
}

/// The address in ` FROM:<a@b> SIZE=9` or ` TO:<a@b>`.
fn address(rest: &str) -> String {
    let start = rest.find('<').map_or(0, |at| at + 1);
    let end = rest.rfind('>').unwrap_or(rest.len()).max(start);
    rest[start..end].to_owned()
}
