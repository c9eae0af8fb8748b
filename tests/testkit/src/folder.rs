//! Temporary folders of tests.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::leash::Leash;

/// A folder in the system's temporary folder. It is removed on drop, or when the test program ends in any
/// other way, after any Postgres with its data in it has stopped.
///
/// Other users may traverse it, because a Postgres started by root runs as another user.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _leash: Leash,
}

impl Folder {
    /// # Panics
    /// If it cannot be created.
    #[must_use]
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("rondo-{name}-{}-{number}", std::process::id()));
        // An earlier process with the same id may have left one.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("the temporary folder is writable");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o711)).expect("it is our own");
        let leash = Leash::hold_folder(&path);
        Self { path, _leash: leash }
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
