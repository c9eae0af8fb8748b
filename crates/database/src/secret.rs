//! DATA/secrets: generated secrets that Rondo has to keep.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::{TryRngCore as _, rngs::OsRng};

use crate::role::Role;

/// Random bytes of a generated secret: 256 bits, as RFC 7518 requires for HS256.
const SECRET_BYTES: usize = 32;

/// The file's name in the data folder.
pub const FILE: &str = "secrets";

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// Signs access tokens.
    Jwt,
    /// Authenticates the bridge at components' event routes.
    EventService,
    /// Signs links in mails.
    Link,
    /// The private server's superuser.
    Superuser,
    /// The password of a role.
    Role(Role),
}

/// All secrets, as in the file: `name=value` lines, mode 0600. `Debug` shows none.
#[derive(Clone)]
pub struct Secrets {
    values: BTreeMap<String, String>,
}

impl Secrets {
    /// Reads `folder`/secrets. Missing secrets are generated and written before this returns.
    pub fn load_or_create(folder: &Path) -> Result<Self, SecretError> {
        let path = folder.join(FILE);
        let mut values = read(&path)?;
        let present = values.len();
        for secret in Secret::all() {
            if let std::collections::btree_map::Entry::Vacant(place) = values.entry(secret.name()) {
                place.insert(generate().map_err(|reason| SecretError::Random { reason })?);
            }
        }
        if values.len() > present {
            write(&path, folder, &values)?;
        }
        Ok(Self { values })
    }

    /// The secret itself: base64url of 32 random bytes, unless the operator wrote another.
    pub fn expose(&self, secret: Secret) -> &str {
        &self.values[&secret.name()]
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Secrets").field(&self.values.keys()).finish()
    }
}

impl Secret {
    /// Every secret of the file.
    fn all() -> impl Iterator<Item = Self> {
        [Self::Jwt, Self::EventService, Self::Link, Self::Superuser]
            .into_iter()
            .chain(Role::ALL.map(Self::Role))
    }

    /// Its name in the file.
    fn name(self) -> String {
        match self {
            Self::Jwt => "jwt_secret".to_owned(),
            Self::EventService => "event_service_token".to_owned(),
            Self::Link => "link_key".to_owned(),
            Self::Superuser => "postgres_superuser_password".to_owned(),
            Self::Role(role) => format!("{}_password", role.name()),
        }
    }
}

/// Why secrets are unavailable. Never quotes one.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("{} cannot be read or written", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} can be read by others (mode {mode:o}): `chmod 600` it, and replace what is in it", path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("{} belongs to user {owner}: start Rondo as that user, or give the file to its own", path.display())]
    Foreign { path: PathBuf, owner: u32 },
    #[error("{}, line {line}: not of the form name=value", path.display())]
    Malformed { path: PathBuf, line: usize },
    #[error("the operating system gives no random numbers: {reason}")]
    Random { reason: String },
}

/// A new secret.
pub fn generate() -> Result<String, String> {
    let mut bytes = [0u8; SECRET_BYTES];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| error.to_string())?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn read(path: &Path) -> Result<BTreeMap<String, String>, SecretError> {
    let failed = |source| SecretError::File { path: path.to_owned(), source };
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(failed(error)),
    };
    let metadata = file.metadata().map_err(failed)?;
    if metadata.uid() != nix::unistd::geteuid().as_raw() {
        return Err(SecretError::Foreign { path: path.to_owned(), owner: metadata.uid() });
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretError::Exposed { path: path.to_owned(), mode });
    }
    let text = io::read_to_string(&mut file).map_err(failed)?;
    let mut values = BTreeMap::new();
    for (place, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once('=') {
            Some((name, value)) if !value.trim().is_empty() => {
                values.insert(name.trim().to_owned(), value.trim().to_owned());
            }
            _ => return Err(SecretError::Malformed { path: path.to_owned(), line: place + 1 }),
        }
    }
    Ok(values)
}

/// Writes a new file, syncs it and renames it over the old one: a killed process leaves the old file or the
/// new one.
fn write(path: &Path, folder: &Path, values: &BTreeMap<String, String>) -> Result<(), SecretError> {
    let failed = |source| SecretError::File { path: path.to_owned(), source };
    // A temporary file has mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    writeln!(file, "# Made by Rondo. Whoever reads this can act as any user; keep it out of backups that others read.")
        .map_err(failed)?;
    for (name, value) in values {
        writeln!(file, "{name}={value}").map_err(failed)?;
    }
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_load_finds_the_first_ones_values() {
        let folder = tempfile::tempdir().unwrap();
        let first = Secrets::load_or_create(folder.path()).unwrap();
        let second = Secrets::load_or_create(folder.path()).unwrap();
        assert_eq!(first.values, second.values);
        assert_eq!(first.expose(Secret::Jwt).len(), 43);
        assert_ne!(first.expose(Secret::Jwt), first.expose(Secret::Role(Role::Sync)));
        let mode = fs::metadata(folder.path().join("secrets")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!format!("{first:?}").contains(first.expose(Secret::Jwt)));
    }

    #[test]
    fn missing_secrets_are_added_and_existing_ones_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets");
        fs::write(&path, "# mine\njwt_secret=chosen\nlater=x\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let secrets = Secrets::load_or_create(folder.path()).unwrap();
        assert_eq!(secrets.expose(Secret::Jwt), "chosen");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("\nlater=x\n") && text.contains("\nrondo_sync_password="), "{text}");
    }

    #[test]
    fn a_file_that_others_can_read_or_that_is_broken_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets");
        fs::write(&path, "jwt_secret=hunter2\nnonsense\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refusal = Secrets::load_or_create(folder.path()).unwrap_err().to_string();
        assert!(refusal.contains("mode 640"), "{refusal}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let refusal = Secrets::load_or_create(folder.path()).unwrap_err().to_string();
        assert!(refusal.contains("line 2") && !refusal.contains("hunter2"), "{refusal}");
    }
}
