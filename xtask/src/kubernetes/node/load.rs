//! A user of the API: single requests, an even load, and whether every change has its effects.

use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// Clients that send at the same time, each with a connection for each request.
const CLIENTS: u32 = 4;
/// Between two requests of one client.
const PACE: Duration = Duration::from_millis(200);
const CONNECT_MAX: Duration = Duration::from_secs(2);
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Failures whose text is kept.
const SHOWN_MAX: usize = 3;

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// Sends one request on a connection of its own.
///
/// # Errors
/// When there is no connection, or no complete answer.
pub fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    token: &str,
    body: Option<&str>,
) -> Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, CONNECT_MAX).context("no connection")?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    let length = body.map_or(0, str::len);
    let body = body.unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).context("the answer breaks off")?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.with_context(|| format!("no status in {head:?}"))?;
    Ok(Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() })
}

/// The number that follows a word.
fn number_after(text: &str, word: &str) -> Option<u64> {
    let rest = text.split_once(word)?.1.trim_start_matches([' ', ':', '"']);
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[derive(Clone)]
pub struct User {
    address: SocketAddr,
    token: String,
}

impl User {
    pub fn register(address: SocketAddr, name: &str) -> Result<Self> {
        let body = format!(r#"{{"email":"{name}@example.org","password":"correct horse"}}"#);
        let answer = ask(address, "POST", "/api/auth/register", "none", Some(&body))?;
        let token = answer.body.split("\"access_token\":\"").nth(1);
        let token = token.and_then(|rest| rest.split('"').next());
        let token =
            token.with_context(|| format!("no token in {}: {}", answer.status, answer.body))?;
        Ok(Self { address, token: token.to_owned() })
    }

    fn ask(&self, method: &str, path: &str, body: Option<&str>) -> Result<Answer> {
        let answer = ask(self.address, method, path, &self.token, body)?;
        if !(200..300).contains(&answer.status) {
            bail!("{} for {method} {path}", answer.status);
        }
        Ok(answer)
    }

    /// Checks that every task has exactly one audit entry about its creation, and that none of the acknowledged is
    /// missing.
    pub fn effects(&self, acknowledged: u64) -> Result<()> {
        let count = self.ask("GET", "/api/tasks?count=true&limit=1", None)?;
        let tasks = number_after(&count.head, "x-total-count").context("no count")?;
        let audit = self.ask("GET", "/api/audit/statistics", None)?;
        let created = number_after(&audit.body, "\"task.created\"").unwrap_or(0);
        ensure!(tasks >= acknowledged, "{acknowledged} tasks were acknowledged, {tasks} exist");
        ensure!(created == tasks, "{tasks} tasks exist, {created} are in the audit log");
        Ok(())
    }
}

/// What the clients saw.
#[derive(Default)]
pub struct Seen {
    pub sent: u64,
    pub failed: u64,
    pub created: u64,
    pub longest: Duration,
    pub failures: Vec<String>,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.failed += other.failed;
        self.created += other.created;
        self.longest = self.longest.max(other.longest);
        self.failures.extend(other.failures);
        self.failures.truncate(SHOWN_MAX);
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = self.longest.as_millis();
        write!(f, "{} requests, {} failed, the longest took {longest} ms", self.sent, self.failed)
    }
}

/// Clients that create and list tasks until [`Load::stop`].
pub struct Load {
    is_over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Seen>>,
}

impl Load {
    pub fn start(user: &User) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let client = |_| {
            let (is_over, user) = (Arc::clone(&is_over), user.clone());
            thread::spawn(move || client(&user, &is_over))
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self { is_over, clients }
    }

    pub fn stop(self) -> Seen {
        self.is_over.store(true, Ordering::Relaxed);
        let mut all = Seen::default();
        for client in self.clients {
            all.add(client.join().unwrap_or_default());
        }
        all
    }
}

fn client(user: &User, is_over: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    let mut next = Instant::now();
    while !is_over.load(Ordering::Relaxed) {
        let is_creation = seen.sent % 2 == 0;
        let start = Instant::now();
        let outcome = if is_creation {
            user.ask("POST", "/api/tasks", Some(r#"{"title":"Water the plants"}"#))
        } else {
            user.ask("GET", "/api/tasks?limit=5", None)
        };
        seen.sent += 1;
        seen.longest = seen.longest.max(start.elapsed());
        match outcome {
            Ok(_) => seen.created += u64::from(is_creation),
            Err(error) => {
                seen.failed += 1;
                seen.failures.push(format!("{error:#}"));
                seen.failures.truncate(SHOWN_MAX);
            }
        }
        next += PACE;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::number_after;

    #[test]
    fn numbers_after_words() {
        for (text, word, number) in [
            ("x-total-count: 12\r\ndate: now", "x-total-count", Some(12)),
            (r#"{"task.created":7,"task.updated":1}"#, "\"task.created\"", Some(7)),
            (r#"{"task.created" : 7}"#, "\"task.created\"", Some(7)),
            ("{}", "\"task.created\"", None),
        ] {
            assert_eq!(number_after(text, word), number, "{text}");
        }
    }
}
