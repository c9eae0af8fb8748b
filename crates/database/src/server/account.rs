//! As whom Postgres runs when Rondo was started as root: Postgres refuses root.

use std::{
    io,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
};

use nix::unistd::{User, geteuid};

use super::ServerError;

/// An unprivileged user of this machine. initdb wants one that passwd knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

impl Account {
    /// `postgres`, or else `nobody`, for root; none for anybody else, who runs it as oneself.
    pub fn choose() -> Result<Option<Self>, ServerError> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let known = |name: &str| User::from_name(name).ok().flatten();
        let user = known("postgres").or_else(|| known("nobody")).ok_or(ServerError::NoAccount)?;
        Ok(Some(Self { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() }))
    }

    /// Sets user and group of a command before exec; the standard library clears root's further
    /// groups when it changes the user.
    pub fn apply(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Whether the account can pass through every folder down to `folder`: found out by a process
    /// of that user which goes there, since modes alone do not tell (access lists, mounts).
    pub fn reaches(&self, folder: &Path) -> bool {
        let mut command = Command::new("/bin/sh");
        // The shell goes there: `current_dir` would be entered while still root.
        command.args(["-c", "cd \"$1\"", "sh"]).arg(folder).env_clear().current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.apply(&mut command);
        command.status().is_ok_and(|status| status.success())
    }

    /// Makes it the owner of a file or folder.
    pub fn own(&self, path: &Path) -> io::Result<()> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
    }
}
