//! Chooses Postgres's programs: those of the machine, or fetched ones.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use super::{Account, MAJOR_MIN, ServerError, ServerOptions, binary::Binaries, fetch};

/// The source of programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BinarySource {
    /// The machine's, otherwise fetched once into the cache.
    #[default]
    SystemOrFetched,
    /// Only the machine's; nothing is fetched.
    System,
    /// Fetched ones, even if the machine has programs.
    Fetched,
    /// Those in this folder.
    Folder(PathBuf),
}

/// Chooses programs: of the cluster's version if there is a cluster, otherwise the newest.
pub(super) async fn find(
    options: &ServerOptions,
    account: Option<&Account>,
    cluster_major: Option<u32>,
    cluster: &Path,
) -> Result<Binaries, ServerError> {
    let mut found: BTreeMap<u32, Binaries> = BTreeMap::new();
    let mut consider = |folder: &Path| {
        let usable = Binaries::in_folder(folder)
            .filter(|binaries| binaries.major >= MAJOR_MIN)
            .filter(|_| account.is_none_or(|account| account.reaches(folder)));
        if let Some(binaries) = usable {
            found.entry(binaries.major).or_insert(binaries);
        }
    };
    if let BinarySource::Folder(folder) = &options.binaries {
        consider(folder);
    }
    if matches!(options.binaries, BinarySource::System | BinarySource::SystemOrFetched) {
        system_folders().iter().for_each(|folder| consider(folder));
    }
    let may_fetch =
        matches!(options.binaries, BinarySource::Fetched | BinarySource::SystemOrFetched);
    let cache = if may_fetch { fetch::cache(options.cache.as_deref(), account) } else { None };
    if let Some(cache) = &cache {
        fetch::kept(cache).iter().for_each(|folder| consider(folder));
    }
    let fitting = match cluster_major {
        Some(major) => found.get(&major),
        None => found.values().next_back(),
    };
    if let Some(binaries) = fitting {
        return Ok(binaries.clone());
    }
    // A cluster of fetched programs gets them again if the cache was emptied.
    let is_fetched_major = cluster_major.is_none_or(|major| major == fetch::MAJOR);
    match (cluster_major, cache) {
        (_, Some(cache)) if is_fetched_major => fetch::fetch(&cache).await,
        (Some(cluster_major), _) => Err(ServerError::OtherVersion {
            cluster: cluster.to_owned(),
            cluster_major,
            found: found.into_keys().collect(),
        }),
        (None, None) if may_fetch => Err(ServerError::NoBinaries {
            reason: ", and there is no cache folder to fetch one into (XDG_CACHE_HOME or HOME)"
                .to_owned(),
        }),
        (None, _) => Err(ServerError::NoBinaries {
            reason: match &options.binaries {
                BinarySource::Folder(folder) => format!(" in {}", folder.display()),
                _ => String::new(),
            },
        }),
    }
}

/// PATH, then the locations of Debian, Red Hat, the source's `make install`, Homebrew and Postgres.app.
fn system_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for folder in env::split_paths(&env::var_os("PATH").unwrap_or_default()) {
        // A link in PATH points to a folder that also has initdb.
        if let Ok(program) = fs::canonicalize(folder.join("postgres"))
            && let Some(folder) = program.parent()
        {
            folders.push(folder.to_owned());
        }
    }
    for (parent, prefix, rest) in [
        ("/usr/lib/postgresql", "", "bin"),
        ("/usr", "pgsql-", "bin"),
        ("/usr/local", "pgsql", "bin"),
        ("/opt/homebrew/opt", "postgresql", "bin"),
        ("/usr/local/opt", "postgresql", "bin"),
        ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
    ] {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        let fitting =
            entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
        folders.extend(fitting.map(|entry| entry.path().join(rest)));
    }
    folders.retain(|folder| folder.join("postgres").is_file());
    folders
}
