//! A clock that a test sets, for whole programs: `rondo up` with its private Postgres.
//!
//! The programs have no hook for it. libfaketime, preloaded into each of them, adds an offset to the
//! system's time, which it reads from a file at every call. It changes calendar time alone: waiting and
//! deadlines use the monotonic clock, and between two settings time passes at its usual pace.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use jiff::Timestamp;

use crate::database;
use crate::folder::Folder;

const LIBRARY: &str = "libfaketimeMT.so.1";
/// Library folders. Some have a folder for each architecture.
const LIBRARY_FOLDERS: [&str; 3] = ["/usr/lib", "/usr/lib64", "/usr/local/lib"];
/// The program of Postgres that starts with the clock.
const POSTGRES: &str = "postgres";
/// Programs that `rondo up` expects beside it.
const POSTGRES_OTHERS: [&str; 1] = ["initdb"];

/// A clock for the programs that were started with its [environment](Self::environment).
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    folder: Folder,
}

impl Clock {
    /// A clock that shows `now`. It works on Linux alone, so its tests are ignored elsewhere.
    ///
    /// # Panics
    /// When libfaketime or Postgres is missing.
    pub async fn at(now: Timestamp) -> Self {
        let library = library().expect("libfaketime (Debian: `apt-get install faketime`)");
        let clock = Self { library, folder: Folder::new("clock") };
        clock.set(now);
        clock.build_condition();
        clock.wrap_postgres(&database::program_folder().await);
        clock
    }

    /// The environment that makes a program, and a Postgres that it starts, use this clock.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut variables = self.preload();
        let path = std::env::var("PATH").unwrap_or_default();
        variables.push(("PATH", format!("{}:{path}", self.folder.path().display())));
        variables
    }

    /// Sets the clock, to the second.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn set(&self, now: Timestamp) {
        let (new, file) = (self.folder.path().join("offset.new"), self.file());
        fs::write(&new, format!("{:+}", now.as_second() - system_second()))
            .expect("our own folder");
        // Under root, Postgres runs as another user.
        fs::set_permissions(&new, PermissionsExt::from_mode(0o644)).expect("our own file");
        // A rename, so that nobody reads half a file.
        fs::rename(&new, &file).expect("our own folder");
    }

    /// The time it shows.
    ///
    /// # Panics
    /// Never: it was set to a time in range.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let offset = fs::read_to_string(self.file()).expect("our own file");
        let offset: i64 = offset.parse().expect("a number of seconds");
        Timestamp::from_second(system_second() + offset).expect("a time in range")
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }

    fn preload(&self) -> Vec<(&'static str, String)> {
        let text = |path: &Path| path.display().to_string();
        let on = || "1".to_owned();
        vec![
            ("LD_PRELOAD", format!("{}:{}", text(&self.library), text(&self.condition()))),
            ("FAKETIME_TIMESTAMP_FILE", text(&self.file())),
            ("FAKETIME_NO_CACHE", on()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", on()),
            // Shared memory would belong to one user, and Postgres may run as another.
            ("FAKETIME_DISABLE_SHM", on()),
            ("NO_FAKE_STAT", on()),
        ]
    }

    fn condition(&self) -> PathBuf {
        self.folder.path().join("condition.so")
    }

    /// Builds what libfaketime lacks, with the C compiler that Rondo's build needs anyway.
    fn build_condition(&self) {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/clock/condition.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-O1", "-shared", "-fPIC", "-o"]).arg(self.condition()).arg(source);
        let status = compiler.status().expect("a C compiler, `cc`");
        assert!(status.success(), "cc: {status}");
    }

    /// Puts wrappers that set the clock ahead of Postgres' programs in PATH, because Rondo starts Postgres
    /// with an empty environment.
    fn wrap_postgres(&self, programs: &Path) {
        let variables: Vec<_> =
            self.preload().iter().map(|(name, value)| format!("{name}='{value}'")).collect();
        let preload = format!("export {}\n", variables.join(" "));
        let others = POSTGRES_OTHERS.map(|name| (name, String::new()));
        for (name, preload) in others.into_iter().chain([(POSTGRES, preload)]) {
            let path = self.folder.path().join(name);
            let program = programs.join(name);
            let script = format!("#!/bin/sh\n{preload}exec '{}' \"$@\"\n", program.display());
            fs::write(&path, script).expect("our own folder");
            fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("our own file");
        }
    }
}

fn system_second() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("a time in range")
}

/// The path of the library; Debian has it in the architecture's folder.
fn library() -> Option<PathBuf> {
    let folders = LIBRARY_FOLDERS.iter().flat_map(|folder| {
        let inner = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        inner.chain([PathBuf::from(folder)])
    });
    folders.map(|folder| folder.join("faketime").join(LIBRARY)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::process::Program;

    const SOON: Duration = Duration::from_secs(10);

    #[tokio::test]
    #[cfg_attr(not(target_os = "linux"), ignore = "preloads libfaketime, for Linux")]
    async fn a_running_program_and_the_postgres_in_its_path_go_by_the_clock() {
        let clock = Clock::at("2023-03-26T00:30:00Z".parse().unwrap()).await;
        let script = "while :; do date -u +%Y-%m-%dT%H; sleep 0.01; done";
        let mut program = Program::new("/bin/sh").arguments(["-c", script]);
        for (name, value) in clock.environment() {
            program = program.env(name, value);
        }
        let mut process = program.start();
        process.line("the time", SOON, |line| line == "2023-03-26T00").await;
        clock.set("2024-10-27T01:00:00Z".parse().unwrap());
        process.line("another time", SOON, |line| line == "2024-10-27T01").await;

        let script = "command -v postgres; postgres --version; initdb --version";
        let mut program = Program::new("/bin/sh").arguments(["-c", script]);
        for (name, value) in clock.environment() {
            program = program.env(name, value);
        }
        let mut process = program.start();
        assert!(process.exit(SOON).await.success(), "{}", process.log());
        assert!(process.log().contains(&*clock.folder.path().to_string_lossy()));
    }
}
