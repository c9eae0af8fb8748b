//! `rondo env`: the settings of the components on a Spin host, of the bridge and of live sync, as lines of a
//! `.env` file.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::{Args, CommandFactory as _};
use rondo_database::{DatabaseOptions, Role, Secrets, provision};
use rondo_kafka::KafkaOptions;
use rondo_setting::Cleartext;
use rondo_wasm_host::Manifest;
use rondo_wasm_host::variable::ENVIRONMENT_PREFIX;

use crate::installation;
use crate::option::{manifest, reachable_by_components};

/// Default address of `spin up`.
const COMPONENTS_URL: &str = "http://127.0.0.1:3000";
/// Default address of a broker.
const KAFKA_BROKERS: &str = "127.0.0.1:9092";

#[derive(Args)]
pub struct EnvArgs {
    /// Add what is missing to this file, such as .env; otherwise everything is printed.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Folder that `rondo migrate up` keeps the secrets in.
    #[arg(long, env = "RONDO_DATA", default_value = ".rondo", value_name = "FOLDER")]
    data: PathBuf,
    /// The components and their variables.
    #[arg(long, env = "RONDO_SPIN_TOML", default_value = "spin.toml", value_name = "FILE")]
    spin_toml: PathBuf,
    #[command(flatten)]
    database: DatabaseOptions,
}

/// One setting.
struct Entry {
    name: String,
    value: String,
    /// The same secret's name in another program.
    twin: Option<String>,
}

impl Entry {
    fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into(), twin: None }
    }

    fn with_twin(self, twin: impl Into<String>) -> Self {
        Self { twin: Some(twin.into()), ..self }
    }
}

/// Prints the settings, or writes those that the file lacks.
///
/// # Errors
/// When the database's roles have not been made with the secrets of the data folder, or the file cannot
/// be read or written.
pub async fn run(args: EnvArgs, cleartext: &Cleartext) -> anyhow::Result<()> {
    let manifest = manifest(&args.spin_toml)?;
    let admin = reachable_by_components(args.database.dsn(cleartext)?)?;
    let secrets = Secrets::load_or_create(&args.data)?;
    let roles = provision::logins(&admin, &secrets).await?;
    let entries = entries(&manifest, &roles, &secrets)?;
    if let Some(authority) = admin.root_certificate() {
        eprintln!(
            "Spin trusts the system's authorities alone: start it with SSL_CERT_FILE={}",
            authority.display()
        );
    }
    let Some(path) = args.write else {
        print!("{}", addition("", &entries)?.text);
        return Ok(());
    };
    let present = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let addition = addition(&present, &entries)?;
    if addition.added > 0 {
        write(&path, &format!("{present}{}", addition.text))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    println!("{}: {} settings added, {} kept", path.display(), addition.added, addition.kept);
    for name in addition.different {
        println!("kept {name}, which differs from this data folder and database");
    }
    Ok(())
}

/// All settings, in the order of the file.
fn entries(
    manifest: &Manifest,
    roles: &rondo_database::RoleDsns,
    secrets: &Secrets,
) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let for_spin = roles.for_spin();
    for (name, variable) in &manifest.variables {
        let Some(value) = installation::variable(name, &for_spin, secrets) else {
            ensure!(!variable.required, "spin.toml requires {name}, which Rondo doesn't know");
            continue;
        };
        let entry = Entry::new(format!("{ENVIRONMENT_PREFIX}{}", name.to_uppercase()), value);
        entries.push(entry.with_twin(name.to_uppercase()));
    }
    for role in Role::ALL.into_iter().filter(|role| role.component().is_none()) {
        entries.push(Entry::new(role.dsn_variable().to_uppercase(), roles.get(role).expose_url()));
    }
    for name in ["jwt_secret", "event_token"] {
        let value = installation::variable(name, roles, secrets).unwrap_or_default();
        let name = name.to_uppercase();
        let twin = format!("{ENVIRONMENT_PREFIX}{name}");
        entries.push(Entry::new(name, value).with_twin(twin));
    }
    entries.push(Entry::new("COMPONENTS_URL", COMPONENTS_URL));
    entries.extend(kafka());
    Ok(entries)
}

/// The Kafka settings in this command's environment.
fn kafka() -> impl Iterator<Item = Entry> {
    #[derive(clap::Parser)]
    struct Options {
        #[command(flatten)]
        _kafka: KafkaOptions,
    }
    let names: Vec<String> = Options::command()
        .get_arguments()
        .filter_map(|argument| argument.get_env()?.to_str().map(str::to_owned))
        .collect();
    // A secret is in a variable, or in a file that a variable names.
    let secrets = names.iter().filter_map(|name| name.strip_suffix("_FILE").map(str::to_owned));
    let names: Vec<String> = secrets.chain(names.iter().cloned()).collect();
    names.into_iter().filter_map(|name| {
        let given = std::env::var(&name).ok().filter(|value| !value.trim().is_empty());
        let value = given.or_else(|| (name == "KAFKA_BROKERS").then(|| KAFKA_BROKERS.to_owned()));
        value.map(|value| Entry::new(name, value))
    })
}

/// Lines to add to a file.
struct Addition {
    text: String,
    added: usize,
    kept: usize,
    /// Names with a different value in the file.
    different: Vec<String>,
}

/// The entries that `present` lacks. Existing lines stay; a secret that exists under its twin's name is
/// copied.
fn addition(present: &str, entries: &[Entry]) -> anyhow::Result<Addition> {
    let known = assignments(present);
    let mut addition = Addition { text: String::new(), added: 0, kept: 0, different: Vec::new() };
    if !present.is_empty() && !present.ends_with('\n') {
        addition.text.push('\n');
    }
    for entry in entries {
        let own = quoted(&entry.name, &entry.value)?;
        let twin = entry.twin.as_ref().and_then(|twin| known.get(twin.as_str()).copied());
        if let Some(value) = known.get(entry.name.as_str()) {
            addition.kept += 1;
            if unquoted(value) != entry.value {
                addition.different.push(entry.name.clone());
            }
            continue;
        }
        addition.added += 1;
        addition.text.push_str(&format!("{}={}\n", entry.name, twin.unwrap_or(&own)));
    }
    Ok(addition)
}

/// Names and their raw values. The last assignment wins, as in Spin and in a shell.
fn assignments(text: &str) -> BTreeMap<&str, &str> {
    let mut known = BTreeMap::new();
    for line in text.lines().map(str::trim_start).filter(|line| !line.starts_with('#')) {
        if let Some((name, value)) = line.split_once('=') {
            let name = name.trim_start_matches("export ").trim();
            known.insert(name, value.trim());
        }
    }
    known
}

/// A value quoted so that Spin and a shell read the same.
fn quoted(name: &str, value: &str) -> anyhow::Result<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@,%+".contains(c);
    if value.chars().all(is_plain) {
        return Ok(value.to_owned());
    }
    ensure!(
        !value.contains(['\'', '\n']),
        "{name} contains a quote or a line break, which Spin and a shell read differently: write it \
         into the file yourself"
    );
    Ok(format!("'{value}'"))
}

fn unquoted(value: &str) -> &str {
    let inside = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    inside('\'').or_else(|| inside('"')).unwrap_or(value)
}

/// Replaces the file atomically, readable only by its owner.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    // Follows a link, so that its target is replaced and not the link.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // Temporary files have mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn written(present: &str) -> String {
        let entries = [
            Entry::new("SPIN_VARIABLE_KEY", "made").with_twin("KEY"),
            Entry::new("KEY", "made").with_twin("SPIN_VARIABLE_KEY"),
            Entry::new("URL", "postgres://u:p@h/d?options=-c%20a&b=c"),
        ];
        present.to_owned() + addition(present, &entries).unwrap().text.as_str()
    }

    #[test]
    fn missing_settings_are_added_and_existing_ones_kept() {
        let all = "SPIN_VARIABLE_KEY=made\nKEY=made\nURL='postgres://u:p@h/d?options=-c%20a&b=c'\n";
        assert_eq!(written(""), all);
        assert_eq!(written(all), all);
        assert_eq!(written("# mine\nURL=x"), "# mine\nURL=x\nSPIN_VARIABLE_KEY=made\nKEY=made\n");
        let expected = "export KEY=\"own\"\nURL=\nSPIN_VARIABLE_KEY=\"own\"\n";
        assert_eq!(written("export KEY=\"own\"\nURL=\n"), expected);
        assert!(written("# KEY=own\n").ends_with(all));
    }

    #[test]
    fn a_different_value_is_named() {
        let entries = [Entry::new("A", "1"), Entry::new("B", "2")];
        let addition = addition("A='1'\nB=3\n", &entries).unwrap();
        assert_eq!((addition.added, addition.kept), (0, 2));
        assert_eq!(addition.different, ["B"]);
    }

    #[test]
    fn values_that_cannot_be_quoted_are_named() {
        let error = quoted("KAFKA_PASSWORD", "it's").unwrap_err().to_string();
        assert!(error.contains("KAFKA_PASSWORD") && !error.contains("it's"), "{error}");
    }

    #[test]
    fn only_the_owner_can_read_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        std::fs::write(&path, "A=1\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        write(&path, "A=1\nB=2\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "A=1\nB=2\n");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
