//! `postmaster.pid`: whether a cluster's server is running, and its address.
//!
//! Its lines (Postgres' `pidfile.h`): pid, data folder, start time, port, socket folder, listen
//! address, shared memory key, status.

use std::{fs, io, path::Path};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// The content of the pid file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Postmaster {
    pub pid: i32,
    /// Absent at the very beginning of a start.
    pub port: Option<u16>,
    cluster: std::path::PathBuf,
}

/// Whether a process is the postmaster of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    Ours,
    /// The id now belongs to another process.
    Foreign,
    Gone,
}

impl Postmaster {
    /// Reads the pid file of `cluster`; none if it is absent or incomplete.
    pub fn of(cluster: &Path) -> Option<Self> {
        let text = fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
        let mut lines = text.lines();
        // A negative number marks a server in single-user mode.
        let pid = lines.next()?.trim().parse::<i32>().ok()?.abs();
        let port = lines.nth(2).and_then(|line| line.trim().parse().ok());
        Some(Self { pid, port, cluster: cluster.to_owned() })
    }

    pub fn is_alive(&self) -> bool {
        liveness(self.pid, &self.cluster) == Liveness::Ours
    }
}

/// Examines the process: a pid file outlives a kill -9, and ids are reused.
pub fn liveness(pid: i32, cluster: &Path) -> Liveness {
    if kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH) {
        return Liveness::Gone;
    }
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::MetadataExt as _;
        // A zombie has ended; a container may have no process to reap it.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        if matches!(state, None | Some('Z' | 'X')) {
            return Liveness::Gone;
        }
        // A postmaster's working folder is its cluster. Without permission to look, the process belongs to
        // another user.
        let same = fs::metadata(format!("/proc/{pid}/cwd"))
            .and_then(|here| Ok((here, fs::metadata(cluster)?)))
            .is_ok_and(|(here, there)| (here.dev(), here.ino()) == (there.dev(), there.ino()));
        if same { Liveness::Ours } else { Liveness::Foreign }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let output =
            std::process::Command::new("ps").args(["-o", "args=", "-p", &pid.to_string()]).output();
        let line = output
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default();
        match line.trim() {
            "" => Liveness::Gone,
            line if line.contains("postgres") && line.contains(&*cluster.to_string_lossy()) => {
                Liveness::Ours
            }
            _ => Liveness::Foreign,
        }
    }
}

/// Sends a signal. A process that has ended is ignored.
pub fn signal(pid: i32, signal: Signal) {
    if let Err(error) = kill(Pid::from_raw(pid), signal)
        && error != Errno::ESRCH
    {
        tracing::warn!(pid, %error, "Postgres cannot be signalled");
    }
}

/// Removes the pid file of a server that is gone. Postgres does so itself unless another process has the id.
pub fn remove_stale(cluster: &Path) -> io::Result<()> {
    match fs::remove_file(cluster.join("postmaster.pid")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Postmaster::of(folder.path()), None);
        let check = |text: &str, expected: Option<(i32, Option<u16>)>| {
            fs::write(folder.path().join("postmaster.pid"), text).unwrap();
            let found =
                Postmaster::of(folder.path()).map(|postmaster| (postmaster.pid, postmaster.port));
            assert_eq!(found, expected, "{text:?}");
        };
        check(
            "4711\n/data\n1700000000\n5433\n\n127.0.0.1\n  123  456\nready   \n",
            Some((4711, Some(5433))),
        );
        check("4711\n/data\n", Some((4711, None)));
        check("", None);
    }

    #[test]
    fn another_process_with_the_id_is_foreign() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(liveness(std::process::id().cast_signed(), folder.path()), Liveness::Foreign);
    }
}
