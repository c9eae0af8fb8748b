//! The cluster's folder: its location, version and creation.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
    process::Stdio,
};

use sha2::{Digest as _, Sha256};

use super::{Account, LOG_TAIL_LINES, SUPERUSER, ServerError, binary::Binaries};

/// Location of root's clusters if the server's user cannot traverse the data folder.
const FALLBACK: &str = "/var/lib/rondo";
/// File in the data folder with the cluster's location if that is not DATA/postgres.
const PLACE_FILE: &str = "postgres.place";

/// The location of `data`'s cluster, which may not exist yet.
///
/// For root, Postgres runs as another user, who must be able to traverse every folder on the way. If only
/// DATA itself is closed, it becomes traversable (mode +x; nobody can list it, and its files stay 0600). If a
/// folder above is closed, such as /root, the cluster goes to /var/lib/rondo/<hash of DATA>/postgres, and
/// DATA/postgres.place records that.
pub fn place(data: &Path, account: Option<&Account>) -> Result<PathBuf, ServerError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| ServerError::Disk { path, source }
    };
    let record = data.join(PLACE_FILE);
    match fs::read(&record) {
        Ok(bytes) => return Ok(PathBuf::from(OsString::from_vec(bytes.trim_ascii_end().to_vec()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(at(&record)(error)),
    }
    let own = data.join("postgres");
    let Some(account) = account else { return Ok(own) };
    let parent_is_open = data.parent().is_none_or(|parent| account.reaches(parent));
    if parent_is_open {
        if !account.reaches(data) {
            let mode = fs::metadata(data).map_err(at(data))?.permissions().mode();
            fs::set_permissions(data, Permissions::from_mode(mode | 0o011)).map_err(at(data))?;
        }
        if account.reaches(data) {
            return Ok(own);
        }
    }
    let digest = format!("{:x}", Sha256::digest(data.as_os_str().as_bytes()));
    let folder = Path::new(FALLBACK).join(&digest[..16]);
    DirBuilder::new().recursive(true).mode(0o755).create(&folder).map_err(at(&folder))?;
    let place = folder.join("postgres");
    fs::write(&record, [place.as_os_str().as_bytes(), b"\n"].concat()).map_err(at(&record))?;
    tracing::warn!(
        data = %data.display(), place = %place.display(), user = account.name,
        "Postgres runs as a user who cannot pass into the data folder; the database goes elsewhere"
    );
    Ok(place)
}

/// The major version that created the cluster; none if there is none.
pub fn major(place: &Path) -> Result<Option<u32>, ServerError> {
    let path = place.join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(text) => match text.trim().parse() {
            Ok(major) => Ok(Some(major)),
            Err(_) => {
                let source =
                    io::Error::new(io::ErrorKind::InvalidData, "no version of Postgres is in it");
                Err(ServerError::Disk { path, source })
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ServerError::Disk { path, source }),
    }
}

/// Creates the cluster under a temporary name and renames it, so that an incomplete one is never used.
pub async fn init(
    binaries: &Binaries,
    account: Option<&Account>,
    place: &Path,
    password: &str,
    log: &Path,
) -> Result<(), ServerError> {
    let (binaries, account) = (binaries.clone(), account.cloned());
    let (place, password, log) = (place.to_owned(), password.to_owned(), log.to_owned());
    tokio::task::spawn_blocking(move || {
        init_blocking(&binaries, account.as_ref(), &place, &password, &log)
    })
    .await
    .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

fn init_blocking(
    binaries: &Binaries,
    account: Option<&Account>,
    place: &Path,
    password: &str,
    log: &Path,
) -> Result<(), ServerError> {
    let unfinished = place.with_extension("new");
    let failed = |source| ServerError::Disk { path: unfinished.clone(), source };
    let mut complaint = String::new();
    for locale in locales(binaries.major) {
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        DirBuilder::new().mode(0o700).create(&unfinished).map_err(failed)?;
        let password_file = place.with_extension("password");
        let _removed = PasswordFile::write(&password_file, password, account).map_err(failed)?;
        if let Some(account) = account {
            account.own(&unfinished).map_err(failed)?;
        }
        let output = binaries
            .command("initdb", account)
            .arg("-D")
            .arg(&unfinished)
            .args([
                "-U",
                SUPERUSER,
                "--encoding=UTF8",
                "--auth=scram-sha-256",
                "--data-checksums",
                "--no-instructions",
            ])
            .arg(format!("--pwfile={}", password_file.display()))
            .args(*locale)
            .stdin(Stdio::null())
            .output()
            .map_err(|source| ServerError::Program {
                program: binaries.program("initdb"),
                source,
            })?;
        if output.status.success() {
            return fs::rename(&unfinished, place).map_err(failed);
        }
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        complaint = lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n");
        if !text.contains("locale") {
            break;
        }
    }
    // Remains would only obstruct the next attempt.
    let _ = fs::remove_dir_all(&unfinished);
    tracing::debug!(log = %log.display(), "initdb failed before the server had a log");
    Err(ServerError::Init { tail: complaint })
}

/// Code-point order with Unicode's character classes, the same on every machine. Since 17, Postgres includes
/// it. Before, the system must have the locale; otherwise (older macOS) order is by byte, which is the same
/// in UTF-8, and classes are those of another UTF-8 locale, or ASCII's.
fn locales(major: u32) -> &'static [&'static [&'static str]] {
    const SYSTEM: &[&[&str]] = &[
        &["--locale=C.UTF-8", "--lc-messages=C"],
        &["--locale=C", "--lc-ctype=en_US.UTF-8"],
        &["--locale=C"],
    ];
    const BUILT_IN: &[&[&str]] =
        &[&["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]];
    if major >= 17 { BUILT_IN } else { SYSTEM }
}

/// A file with the superuser's password for initdb, removed when dropped: a command line would be visible to
/// all users.
struct PasswordFile(PathBuf);

impl PasswordFile {
    fn write(path: &Path, password: &str, account: Option<&Account>) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
        let guard = Self(path.to_owned());
        writeln!(file, "{password}")?;
        if let Some(account) = account {
            account.own(path)?;
        }
        Ok(guard)
    }
}

impl Drop for PasswordFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "remove this file: it holds a password");
        }
    }
}
