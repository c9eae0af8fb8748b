//! Secrets: from the environment, or from a file that `<NAME>_FILE` names, as container platforms mount them.
//! Never from an argument, which every user of a machine can see.
//!
//! An option struct has two fields for each:
//!
//! ```
//! #[derive(clap::Args)]
//! struct Options {
//!     #[arg(skip = rondo_setting::environment("API_KEY"))]
//!     api_key: Option<std::ffi::OsString>,
//!     /// File with the key; API_KEY may have the key itself.
//!     #[arg(long, env = "API_KEY_FILE", value_name = "FILE")]
//!     api_key_file: Option<std::path::PathBuf>,
//! }
//! ```

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::{SettingError, given, refusal};

/// The value of an environment variable.
#[must_use]
pub fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The secret `name`: from `value`, its variable, or from `file`, which the variable `<name>_FILE` names; one
/// trailing line break of the file is ignored. None if neither is set.
///
/// # Errors
/// If both are set, the file cannot be read or is empty, or the secret is not UTF-8.
pub fn secret(
    name: &'static str,
    value: Option<&OsStr>,
    file: Option<&Path>,
) -> Result<Option<String>, SettingError> {
    let value = value
        .map(|value| value.to_str().ok_or_else(|| refusal(name, "must be UTF-8")))
        .transpose()?;
    let file = file.filter(|path| !path.as_os_str().is_empty());
    match (given(value), file) {
        (value, None) => Ok(value.map(str::to_owned)),
        (Some(_), Some(_)) => {
            Err(refusal(name, format!("{name}_FILE is set too: leave one of them out")))
        }
        (None, Some(path)) => {
            let refused = |reason: &str| {
                refusal(name, format!("{name}_FILE names {}, {reason}", path.display()))
            };
            let text = std::fs::read_to_string(path)
                .map_err(|error| refused(&format!("which cannot be read: {error}")))?;
            let text = text.strip_suffix('\n').unwrap_or(&text);
            let text = text.strip_suffix('\r').unwrap_or(text);
            given(Some(text))
                .map(|text| Some(text.to_owned()))
                .ok_or_else(|| refused("which is empty"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_one_source() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let check = |value: Option<&str>,
                     content: Option<&[u8]>,
                     expected: Result<Option<&str>, &str>| {
            let _ = std::fs::remove_file(&path);
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
            }
            let file = content.map(|_| path.as_path());
            let found = secret("KEY", value.map(OsStr::new), file);
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.as_deref(), expected),
                (Err(error), Err(expected)) => {
                    let error = error.to_string();
                    assert!(error.starts_with("KEY: ") && error.contains("KEY_FILE"), "{error}");
                    assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
                }
                (found, expected) => panic!("{found:?} instead of {expected:?}"),
            }
        };
        check(None, None, Ok(None));
        check(Some(" "), None, Ok(None));
        check(Some("hunter2"), None, Ok(Some("hunter2")));
        check(Some("hunter2\n"), None, Ok(Some("hunter2\n")));
        check(None, Some(b"hunter2"), Ok(Some("hunter2")));
        check(Some(""), Some(b"hunter2\n"), Ok(Some("hunter2")));
        check(None, Some(b"hunter2\r\n"), Ok(Some("hunter2")));
        check(None, Some(b" hunter2 \n\n"), Ok(Some(" hunter2 \n")));
        check(Some("hunter2"), Some(b"hunter2"), Err("leave one of them out"));
        check(None, Some(b"\n"), Err("is empty"));
        check(None, Some(b"hunter2\xff"), Err("cannot be read"));
        let absent = secret("KEY", None, Some(&folder.path().join("absent"))).unwrap_err();
        assert!(absent.reason.contains("absent, which cannot be read: No such file"), "{absent}");
    }
}
