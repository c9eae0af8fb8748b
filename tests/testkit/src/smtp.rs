//! A mail server on loopback (RFC 5321) that records what it accepts and fails on demand.
//!
//! It speaks EHLO, HELO, STARTTLS, AUTH, MAIL, RCPT, DATA, RSET, NOOP and QUIT, in plain text or with TLS,
//! and relays nothing.

mod session;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use self::session::Session;
use crate::certificate::Certificate;
use crate::wait::eventually;

/// A fault in one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This reply to MAIL FROM, for example `451 4.3.0 try later` or `550 5.7.1 no`.
    Sender(String),
    /// This reply to RCPT TO.
    Recipient(String),
    /// This reply after the complete mail has been received.
    Data(String),
    /// Accepts the connection and never sends anything.
    Hang,
    /// Closes the connection in the middle of the mail.
    DropInData,
    /// Records the mail, then closes the connection without a reply.
    DropAfterData,
}

/// One accepted mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Envelope sender, without brackets.
    pub from: String,
    /// Envelope recipients, without brackets.
    pub to: Vec<String>,
    /// As sent, without dot-stuffing and the final dot.
    pub data: String,
}

impl Mail {
    /// A header's value with its folded lines joined; names are case-insensitive.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.data.split("\r\n\r\n").next().unwrap_or_default();
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        unfolded.split("\r\n").find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    /// The text after the headers, still in its transfer encoding, with quoted-printable's soft line breaks
    /// removed.
    #[must_use]
    pub fn body(&self) -> String {
        let body = self.data.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        body.replace("=\r\n", "")
    }
}

/// What the server requires of its clients.
#[derive(Default)]
pub struct Demand {
    /// TLS with this certificate; none: plain text.
    pub certificate: Option<Certificate>,
    /// TLS from the first byte (RFC 8314), instead of after STARTTLS (RFC 3207).
    pub is_implicit: bool,
    /// User and password, for AUTH PLAIN (RFC 4954).
    pub credentials: Option<(String, String)>,
}

/// A running server; it ends when dropped.
#[derive(Debug)]
pub struct SmtpServer {
    port: u16,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct State {
    mails: Mutex<Vec<Mail>>,
    /// One for each future connection or delivery, in order.
    faults: Mutex<VecDeque<Fault>>,
    connections: AtomicUsize,
}

impl SmtpServer {
    /// Starts a server without requirements.
    ///
    /// # Panics
    /// If loopback has no free port.
    pub async fn start() -> Self {
        Self::demanding(Demand::default()).await
    }

    /// # Panics
    /// If loopback has no free port.
    pub async fn demanding(demand: Demand) -> Self {
        let demand = Arc::new(demand);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port on loopback");
        let port = listener.local_addr().expect("a bound socket").port();
        let state = Arc::new(State::default());
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&state);
        tasks.spawn(async move {
            let mut sessions = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (state, demand) = (Arc::clone(&shared), Arc::clone(&demand));
                state.connections.fetch_add(1, Ordering::Relaxed);
                sessions.spawn(async move {
                    // A disconnected client is not an error.
                    if let Ok(session) = Session::open(stream, &state, &demand).await {
                        let _ = session.run().await;
                    }
                });
                while sessions.try_join_next().is_some() {}
            }
        });
        Self { port, state, _tasks: tasks }
    }

    /// `smtp://127.0.0.1:PORT`, as for `SMTP_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Makes `count` further deliveries fail.
    pub fn fail(&self, fault: &Fault, count: usize) {
        locked(&self.state.faults).extend(std::iter::repeat_n(fault.clone(), count));
    }

    /// Number of deliveries that will still fail.
    #[must_use]
    pub fn faults_left(&self) -> usize {
        locked(&self.state.faults).len()
    }

    /// Number of connections so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// The accepted mails so far, in order.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        locked(&self.state.mails).clone()
    }

    /// Waits for a mail.
    ///
    /// # Panics
    /// If none comes in time.
    pub async fn await_mail(
        &self,
        what: &str,
        within: Duration,
        is_it: impl Fn(&Mail) -> bool,
    ) -> Mail {
        eventually(what, within, async || {
            let mails = self.mails();
            mails.iter().find(|mail| is_it(mail)).cloned().ok_or_else(|| {
                let subjects: Vec<_> =
                    mails.iter().filter_map(|mail| mail.header("Subject")).collect();
                format!("{} mails: {subjects:?}", mails.len())
            })
        })
        .await
    }
}

impl State {
    /// Takes the next fault if `is_it` matches.
    fn take_fault(&self, is_it: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut faults = locked(&self.faults);
        faults.front().is_some_and(is_it).then(|| faults.pop_front()).flatten()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpStream;

    use super::*;

    const SECONDS: Duration = Duration::from_secs(10);

    /// Sends lines one after another, each after a reply; returns the last lines of the replies.
    async fn talk(server: &SmtpServer, lines: &[&str]) -> io::Result<Vec<String>> {
        let stream = TcpStream::connect(("127.0.0.1", server.port())).await?;
        let (reader, mut writer) = stream.into_split();
        let mut replies = BufReader::new(reader).lines();
        let mut seen = vec![replies.next_line().await?.unwrap_or_default()];
        for line in lines {
            writer.write_all(format!("{line}\r\n").as_bytes()).await?;
            loop {
                let reply = replies.next_line().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
                if reply.as_bytes().get(3) == Some(&b' ') {
                    seen.push(reply);
                    break;
                }
            }
        }
        Ok(seen)
    }

    const MAIL: [&str; 6] = [
        "EHLO me",
        "MAIL FROM:<rondo@localhost> BODY=8BITMIME",
        "RCPT TO:<ann@example.com>",
        "DATA",
        "Subject: a long\r\n subject\r\nTo: ann@example.com\r\n\r\nbo=\r\ndy\r\n..dot\r\n.",
        "QUIT",
    ];

    #[tokio::test]
    async fn a_mail_is_recorded() {
        let server = SmtpServer::start().await;
        let replies = talk(&server, &MAIL).await.unwrap();
        assert_eq!(replies[5], "250 2.0.0 recorded");
        let mail =
            server.await_mail("a mail", SECONDS, |mail| mail.to == ["ann@example.com"]).await;
        assert_eq!(mail.from, "rondo@localhost");
        assert_eq!(mail.header("subject").as_deref(), Some("a long subject"));
        assert_eq!(mail.header("body"), None);
        assert_eq!(mail.body(), "body\r\n.dot\r\n");
    }

    #[tokio::test]
    async fn faults_come_in_order_and_then_end() {
        let server = SmtpServer::start().await;
        server.fail(&Fault::Sender("451 4.3.0 later".into()), 1);
        server.fail(&Fault::Recipient("550 5.1.1 nobody".into()), 1);
        server.fail(&Fault::Data("554 5.6.0 bad".into()), 1);
        let later = talk(&server, &MAIL[..2]).await.unwrap();
        assert_eq!(later[2], "451 4.3.0 later");
        let nobody = talk(&server, &MAIL[..3]).await.unwrap();
        assert_eq!(nobody[3], "550 5.1.1 nobody");
        let bad = talk(&server, &MAIL[..5]).await.unwrap();
        assert_eq!(bad[5], "554 5.6.0 bad");
        assert_eq!(server.faults_left(), 0);
        assert!(server.mails().is_empty());
        talk(&server, &MAIL).await.unwrap();
        assert_eq!(server.mails().len(), 1);
    }

    #[tokio::test]
    async fn connections_break_and_hang() {
        let server = SmtpServer::start().await;
        server.fail(&Fault::DropInData, 1);
        assert!(talk(&server, &MAIL).await.is_err());
        assert!(server.mails().is_empty());
        server.fail(&Fault::DropAfterData, 1);
        assert!(talk(&server, &MAIL).await.is_err());
        assert_eq!(server.mails().len(), 1);
        server.fail(&Fault::Hang, 1);
        let silence = tokio::time::timeout(Duration::from_millis(50), talk(&server, &MAIL)).await;
        assert!(silence.is_err());
    }

    #[tokio::test]
    async fn data_needs_an_envelope() {
        let server = SmtpServer::start().await;
        let replies = talk(&server, &["HELO me", "RCPT TO:<a@b>", "DATA", "WHAT"]).await.unwrap();
        let codes: Vec<_> = replies.iter().map(|reply| &reply[..3]).collect();
        assert_eq!(codes, ["220", "250", "503", "503", "500"]);
    }
}
