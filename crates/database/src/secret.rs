//! Secrets of one installation, made when first asked for and kept in a file that only its owner
//! can read.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Length of a made secret, in random bytes.
const SECRET_BYTES: usize = 32;

/// Named secrets in a file.
pub struct Secrets {
    path: PathBuf,
    values: BTreeMap<String, String>,
}

/// Why the file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("{path}: {source}", path = path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path} is not the file of secrets that rondo wrote: {reason}", path = path.display())]
    Malformed { path: PathBuf, reason: String },
}

impl Secrets {
    /// Reads the file; one that is not there is empty.
    ///
    /// # Errors
    /// When it cannot be read or is something else.
    pub fn load(path: &Path) -> Result<Self, SecretError> {
        let io = |source| SecretError::Io { path: path.to_owned(), source };
        let values = match std::fs::read(path) {
            Ok(bytes) => {
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(io)?;
                serde_json::from_slice(&bytes).map_err(|error| SecretError::Malformed {
                    path: path.to_owned(),
                    reason: format!("line {}", error.line()),
                })?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(io(error)),
        };
        Ok(Self { path: path.to_owned(), values })
    }

    /// The secret of this name, made (32 random bytes, base64url) and kept when it is new.
    ///
    /// # Errors
    /// When a new one cannot be written.
    pub fn get(&mut self, name: &str) -> Result<String, SecretError> {
        if let Some(value) = self.values.get(name) {
            return Ok(value.clone());
        }
        let value = random();
        self.values.insert(name.to_owned(), value.clone());
        self.write().map_err(|source| SecretError::Io { path: self.path.clone(), source })?;
        Ok(value)
    }

    /// Written beside and renamed, so that a crash leaves the old file or the new one.
    fn write(&self) -> std::io::Result<()> {
        let fresh = self.path.with_extension("new");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(serde_json::json!(self.values).to_string().as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, &self.path)
    }
}

/// A fresh secret.
#[must_use]
pub fn random() -> String {
    let bytes: [u8; SECRET_BYTES] = rand::random();
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.json");
        let first = Secrets::load(&path).unwrap().get("jwt").unwrap();
        let mut again = Secrets::load(&path).unwrap();
        assert_eq!(again.get("jwt").unwrap(), first);
        assert_ne!(again.get("other").unwrap(), first);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "no json").unwrap();
        assert!(matches!(Secrets::load(&path), Err(SecretError::Malformed { .. })));
    }
}
