//! The user for Postgres's processes if Rondo runs as root, because Postgres refuses root.

use std::{
    io,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
};

use nix::unistd::{User, geteuid};

use super::ServerError;

/// An unprivileged user of this machine. initdb requires one known to passwd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

impl Account {
    /// For root, `postgres` or else `nobody`; none for any other user, who runs Postgres directly.
    pub fn choose() -> Result<Option<Self>, ServerError> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let known = |name: &str| User::from_name(name).ok().flatten();
        let user = known("postgres").or_else(|| known("nobody")).ok_or(ServerError::NoAccount)?;
        Ok(Some(Self { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw() }))
    }

    /// Sets user and group of a command before exec. The standard library clears root's supplementary groups
    /// when it changes the user.
    pub fn apply(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Whether the account can traverse every folder down to `folder`. A process of that user tries it,
    /// because modes alone are not conclusive (access lists, mounts).
    pub fn reaches(&self, folder: &Path) -> bool {
        let mut command = Command::new("/bin/sh");
        // The shell changes the folder: `current_dir` would be entered while still root.
        command.args(["-c", "cd \"$1\"", "sh"]).arg(folder).env_clear().current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.apply(&mut command);
        command.status().is_ok_and(|status| status.success())
    }

    /// Makes the account the owner of a file or folder.
    pub fn own(&self, path: &Path) -> io::Result<()> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
    }
}
