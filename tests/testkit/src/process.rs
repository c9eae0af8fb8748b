//! Programs as children of a test: environment, log, exit.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::leash::Leash;
use crate::wait::eventually;

pub use nix::sys::signal::Signal;

/// Lines of a child's log that are kept.
const LOG_LINES_MAX: usize = 20_000;

/// Lines of a child's log that are shown when a test fails.
const LOG_LINES_SHOWN: usize = 150;

/// The variables that a child inherits. All others come from the test, so that a developer's
/// `KAFKA_BROKERS` or `DATABASE_URL` changes no test.
const INHERITED: [&str; 7] =
    ["PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "LANG", "RUST_BACKTRACE", "JAVA_HOME"];

/// A program to start, with arguments and an environment.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(String, OsString)>,
    directory: Option<PathBuf>,
}

impl Program {
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), arguments: Vec::new(), environment: Vec::new(), directory: None }
    }

    /// A binary of this workspace in its release profile: `rondo`, `rondo-sync`. It runs in the
    /// root of the clone.
    ///
    /// # Panics
    /// When it has not been built.
    #[must_use]
    pub fn built(name: &str) -> Self {
        let path = release_directory().join(name);
        assert!(
            path.is_file(),
            "{} is missing: `cargo xtask build` builds it, `cargo xtask test` also runs the tests",
            path.display()
        );
        let mut program = Self::new(path);
        program.directory = Some(root().to_owned());
        program
    }

    #[must_use]
    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    #[must_use]
    pub fn arguments<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Where the program runs.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Starts the program like a script's background process: with SIGINT and SIGQUIT ignored, which its
    /// children inherit.
    #[must_use]
    pub fn in_background(mut self) -> Self {
        let script = r#"trap "" INT QUIT; exec "$0" "$@""#;
        let program = std::mem::replace(&mut self.path, "/bin/sh".into());
        self.arguments.splice(0..0, ["-c".into(), script.into(), program.into_os_string()]);
        self
    }

    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn start(&self) -> Process {
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.path.display()));
        let leash = Leash::hold_process(child.id());
        let log = Log::default();
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        log.follow(child.stdout.take().expect("piped"));
        log.follow(child.stderr.take().expect("piped"));
        Process { name, child, leash, log }
    }
}

/// A running child. Dropping it kills it, and if the test has failed, shows its last lines.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    // Released first, see `drop`: once the child is reaped, another process may get its id.
    leash: Leash,
    log: Log,
}

impl Process {
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The child's output so far, both streams, one line each.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.last(LOG_LINES_MAX)
    }

    /// The exit status, once the child has ended.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours")
    }

    /// Waits for a line of the log.
    ///
    /// # Panics
    /// If no such line comes in time, or the child ends without it.
    pub async fn line(
        &mut self,
        what: &str,
        within: Duration,
        is_it: impl Fn(&str) -> bool,
    ) -> String {
        let found = eventually(what, within, async || {
            // After its exit, the last lines may still be on their way.
            let has_ended = self.exited().filter(|_| self.log.is_whole());
            match (self.log.find(&is_it), has_ended) {
                (Some(line), _) => Ok(Ok(line)),
                (None, Some(status)) => Ok(Err(status)),
                (None, None) => Err(format!("the log\n{}", self.log.last(LOG_LINES_SHOWN))),
            }
        })
        .await;
        found.unwrap_or_else(|status| panic!("{} ended with {status} before {what}", self.name))
    }

    /// Sends a signal; does nothing if the child has ended.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process id");
        let _ = kill(Pid::from_raw(pid), signal);
    }

    /// Waits for the child's end.
    ///
    /// # Panics
    /// If it does not end in time.
    pub async fn exit(&mut self, within: Duration) -> ExitStatus {
        let name = self.name.clone();
        eventually(&format!("the end of {name}"), within, async || {
            self.exited().ok_or_else(|| format!("the log\n{}", self.log.last(LOG_LINES_SHOWN)))
        })
        .await
    }

    /// Sends SIGTERM and waits for the child's end.
    ///
    /// # Panics
    /// If it does not end in time.
    pub async fn terminate(&mut self, within: Duration) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.exit(within).await
    }

    /// Sends SIGKILL and reaps the child. The child's own children keep running, as they would on a user's
    /// machine.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.leash.release();
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- last lines of {} ---\n{}", self.name, self.log.last(LOG_LINES_SHOWN));
        }
    }
}

/// The last lines of a child's output.
#[derive(Debug, Clone, Default)]
struct Log {
    lines: Arc<Mutex<VecDeque<String>>>,
    /// The number of streams that have not ended.
    readers: Arc<AtomicUsize>,
}

impl Log {
    /// Reads a stream to its end on its own thread, so that the child never blocks on a full pipe.
    fn follow(&self, stream: impl Read + Send + 'static) {
        let (lines, readers) = (Arc::clone(&self.lines), Arc::clone(&self.readers));
        readers.fetch_add(1, Ordering::AcqRel);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                if lines.len() == LOG_LINES_MAX {
                    lines.pop_front();
                }
                lines.push_back(String::from_utf8_lossy(&line).into_owned());
            }
            readers.fetch_sub(1, Ordering::AcqRel);
        });
    }

    /// Whether both streams have been read to their end.
    fn is_whole(&self) -> bool {
        self.readers.load(Ordering::Acquire) == 0
    }

    fn find(&self, is_it: impl Fn(&str) -> bool) -> Option<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().find(|line| is_it(line)).cloned()
    }

    fn last(&self, count: usize) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped = lines.len().saturating_sub(count);
        lines.iter().skip(skipped).map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// Raises the limit of open files to what the system permits, for this process and the children that it
/// starts from then on, and returns the limit.
///
/// # Panics
/// If the system does not report its limit.
#[must_use]
pub fn open_files_raised() -> usize {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    usize::try_from(soft).unwrap_or(usize::MAX)
}

/// The root of the clone.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("tests/testkit is in the clone")
}

/// Cargo's target folder. A test program is in `TARGET/release/deps`.
#[must_use]
pub fn target_directory() -> PathBuf {
    let program = std::env::current_exe().expect("the path of this program");
    let of_program = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    of_program.map_or_else(|| root().join("target"), Path::to_owned)
}

fn release_directory() -> PathBuf {
    target_directory().join("release")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: Duration = Duration::from_secs(10);

    fn is_running(pid: u32) -> bool {
        kill(Pid::from_raw(i32::try_from(pid).unwrap()), None).is_ok()
    }

    #[tokio::test]
    async fn sigint_and_sigquit_are_ignored_in_the_background() {
        let script = "kill -INT $$; kill -QUIT $$; echo still here";
        let program = Program::new("/bin/sh").arguments(["-c", script]).in_background();
        let mut process = program.start();
        process.line("the end of the script", SECONDS, |line| line == "still here").await;
    }

    #[tokio::test]
    async fn a_child_is_observed_and_terminated() {
        let script = r#"trap 'echo bye >&2; exit 7' TERM; echo "$GREETING, HOME is set: ${HOME:+yes}, EDITOR: $CARGO"
            while :; do sleep 0.01; done"#;
        let program = Program::new("/bin/sh").arguments(["-c", script]).env("GREETING", "hello");
        let mut process = program.start();
        let line = process.line("a greeting", SECONDS, |line| line.starts_with("hello")).await;
        assert!(line.ends_with("EDITOR: "), "cargo's environment is not passed on: {line}");
        assert_eq!(process.terminate(SECONDS).await.code(), Some(7));
        process.line("a farewell", SECONDS, |line| line == "bye").await;
    }

    #[tokio::test]
    async fn a_dropped_child_is_gone() {
        let process = Program::new("/bin/sleep").argument("100").start();
        let pid = process.pid();
        assert!(is_running(pid));
        drop(process);
        assert!(!is_running(pid));
    }
}
