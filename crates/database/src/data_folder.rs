//! DATA: the folder for the data of one running Rondo, used by one process at a time.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process,
};

/// Marks a folder that a restore has begun to fill.
const UNFINISHED_RESTORE: &str = "restore.unfinished";

/// A data folder, locked until this is dropped. The kernel frees the lock of a killed process.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    lock: File,
}

impl DataFolder {
    /// Creates the folder if it does not exist (mode 0700) and locks it.
    pub fn open(path: &Path) -> Result<Self, DataFolderError> {
        if path.join(UNFINISHED_RESTORE).exists() {
            return Err(DataFolderError::UnfinishedRestore { path: path.to_owned() });
        }
        Self::lock(path)
    }

    /// Takes an absent or empty folder and marks it. No process opens it until
    /// [`DataFolder::finish_restore`], even if this one is killed.
    pub fn begin_restore(path: &Path) -> Result<Self, DataFolderError> {
        let failed = |source| DataFolderError::Unusable { path: path.to_owned(), source };
        let is_empty = match fs::read_dir(path) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(failed(error)),
        };
        if !is_empty {
            if path.join("lock").exists() {
                // Reports the holder, or an unfinished restore.
                Self::open(path)?;
            }
            return Err(DataFolderError::NotEmpty { path: path.to_owned() });
        }
        let folder = Self::lock(path)?;
        File::create_new(folder.path.join(UNFINISHED_RESTORE)).map_err(failed)?;
        Ok(folder)
    }

    /// Marks the restore as finished, so that the folder can be opened.
    pub fn finish_restore(&self) -> Result<(), DataFolderError> {
        fs::remove_file(self.path.join(UNFINISHED_RESTORE))
            .map_err(|source| DataFolderError::Unusable { path: self.path.clone(), source })
    }

    fn lock(path: &Path) -> Result<Self, DataFolderError> {
        let failed = |source| DataFolderError::Unusable { path: path.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The holder may be about to write its id; without one the message says less.
                let _ = lock.read_to_string(&mut holder);
                return Err(DataFolderError::Locked { path, holder: holder.trim().to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        lock.set_len(0).and_then(|()| writeln!(lock, "{}", process::id())).map_err(failed)?;
        Ok(Self { path, lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    #[error(
        "the data folder {} is in use by process {holder}: stop that one, or choose another folder with --data",
        path.display()
    )]
    Locked { path: PathBuf, holder: String },
    #[error("the data folder {} is not empty: choose one that is, or a new one, with --data", path.display())]
    NotEmpty { path: PathBuf },
    #[error("a restore into the data folder {} was not finished: remove the folder and restore again", path.display())]
    UnfinishedRestore { path: PathBuf },
    #[error("the data folder {} cannot be used, choose another one with --data", path.display())]
    Unusable { path: PathBuf, source: io::Error },
}

impl Drop for DataFolder {
    /// Closing the file is not enough: a child that another thread is about to start holds it until it runs.
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_folder_is_refused_with_the_holders_id() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataFolder::open(folder.path()).unwrap();
        let refusal = DataFolder::open(folder.path()).unwrap_err().to_string();
        assert!(refusal.contains(&format!("process {}:", process::id())), "{refusal}");
        drop(first);
        DataFolder::open(folder.path()).unwrap();
    }

    #[test]
    fn a_restore_takes_an_empty_folder_and_locks_it_until_it_is_finished() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let folder = DataFolder::begin_restore(&path).unwrap();
        drop(folder);
        for refusal in [DataFolder::open(&path), DataFolder::begin_restore(&path)] {
            let refusal = refusal.unwrap_err().to_string();
            assert!(refusal.contains("remove the folder and restore again"), "{refusal}");
        }
        fs::remove_dir_all(&path).unwrap();
        let folder = DataFolder::begin_restore(&path).unwrap();
        folder.finish_restore().unwrap();
        let refusal = DataFolder::begin_restore(&path).unwrap_err().to_string();
        assert!(refusal.contains(&format!("process {}:", process::id())), "{refusal}");
        drop(folder);
        let refusal = DataFolder::begin_restore(&path).unwrap_err().to_string();
        assert!(refusal.contains("is not empty"), "{refusal}");
        DataFolder::open(&path).unwrap();
    }

    #[test]
    fn a_file_in_its_place_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refusal = DataFolder::open(file.path()).unwrap_err().to_string();
        assert!(refusal.contains("--data"), "{refusal}");
    }
}
