//! Cleans up after a test program, however it ends.
//!
//! Destructors do not run when the program is killed, and those of statics never run. So a small shell reads
//! from a pipe whose other end this process holds, and cleans up when the pipe closes. Linux's parent-death
//! signal does not help: it fires when the *thread* that started a child ends, and each test has its own
//! thread.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Kills process `$1`.
const KILL: &str = r#"
while read -r _; do :; done
kill -KILL "$1" 2>/dev/null
"#;

/// Stops any Postgres with its data in folder `$1`, which a killed `rondo up` leaves running on purpose, and
/// removes the folder. Retries while a dying process still writes into it.
const REMOVE: &str = r#"
while read -r _; do :; done
find "$1" -name postmaster.pid 2>/dev/null | while read -r file; do
    postmaster=$(head -n 1 "$file")
    kill -QUIT "$postmaster" 2>/dev/null
    tries=0
    while kill -0 "$postmaster" 2>/dev/null && [ "$tries" -lt 100 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
done
tries=0
until rm -rf "$1" 2>/dev/null || [ "$tries" -ge 100 ]; do
    sleep 0.05
    tries=$((tries + 1))
done
"#;

/// Holds one child process or one folder.
#[derive(Debug)]
pub struct Leash {
    shell: Child,
}

impl Leash {
    /// Kills process `pid` when the leash or this process ends.
    #[must_use]
    pub fn hold_process(pid: u32) -> Self {
        Self::hold(KILL, pid.to_string().as_ref())
    }

    /// Removes `folder` when the leash or this process ends, and stops any Postgres in it.
    #[must_use]
    pub fn hold_folder(folder: &Path) -> Self {
        Self::hold(REMOVE, folder.as_ref())
    }

    fn hold(script: &str, what: &OsStr) -> Self {
        let shell = Command::new("/bin/sh")
            .args(["-c", script, "leash"])
            .arg(what)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // In its own process group, so that Ctrl-C ends the tests first.
            .process_group(0)
            .spawn()
            .expect("/bin/sh starts");
        Self { shell }
    }

    /// Releases the process or folder; from here on the caller cleans up.
    pub fn release(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

impl Drop for Leash {
    /// Returns after the cleanup.
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::process::ExitStatusExt;

    use super::*;
    use crate::folder::Folder;

    /// Dropping closes the pipe, like the end of this process.
    #[test]
    fn a_held_process_ends_with_the_leash() {
        let mut held = Command::new("/bin/sleep").arg("100").spawn().unwrap();
        drop(Leash::hold_process(held.id()));
        assert_eq!(held.wait().unwrap().signal(), Some(9));
    }

    #[test]
    fn a_released_process_stays() {
        let mut held = Command::new("/bin/sleep").arg("100").spawn().unwrap();
        Leash::hold_process(held.id()).release();
        assert!(held.try_wait().unwrap().is_none());
        held.kill().unwrap();
        held.wait().unwrap();
    }

    /// A process that ends with SIGQUIT, like a postmaster, even if it inherits that SIGQUIT is ignored, as a
    /// script's background processes do.
    fn postmaster() -> Child {
        let script = "$SIG{QUIT} = 'DEFAULT'; $| = 1; print \"ready\\n\"; sleep 100";
        let mut perl = Command::new("perl");
        let mut server = perl.args(["-e", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        server
    }

    #[test]
    fn a_postgres_in_a_folder_is_stopped_before_the_folder_goes() {
        let folder = Folder::new("leash");
        let data = folder.path().join("data/postgres");
        std::fs::create_dir_all(&data).unwrap();
        let mut server = postmaster();
        std::fs::write(data.join("postmaster.pid"), format!("{}\n/data\n", server.id())).unwrap();
        // Reaped at once: a zombie would still answer signal 0.
        let waiter = std::thread::spawn(move || server.wait().unwrap().signal());
        let path = folder.path().to_owned();
        drop(folder);
        assert_eq!(waiter.join().unwrap(), Some(3));
        assert!(!path.exists());
    }
}
