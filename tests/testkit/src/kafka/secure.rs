//! The broker's listener with TLS and SCRAM-SHA-512.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::run;
use crate::port;

/// User and password of the listener with TLS and SCRAM-SHA-512.
const SCRAM_USER: &str = "rondo";
const SCRAM_PASSWORD: &str = "testkit-scram-secret";

/// Protects the broker's key on disk; Java requires a password for every key store.
const KEY_STORE_PASSWORD: &str = "testkit";

/// The address and credentials of the listener with TLS and SASL.
#[derive(Debug, Clone)]
pub struct SecureListener {
    /// `localhost:PORT`, with the name in the certificate.
    pub bootstrap: String,
    /// For SCRAM-SHA-512.
    pub username: String,
    pub password: String,
    /// PEM file with the certificate to trust.
    pub ca: PathBuf,
}

/// Creates a key and its certificate, and returns the listener's address and credentials.
pub(super) fn listener(folder: &Path) -> SecureListener {
    let ca = folder.join("ca.pem");
    // Java's own tool, because Java is required anyway.
    let tool = |arguments: &[&str]| {
        let mut command = Command::new("keytool");
        command.args(arguments).args(["-alias", "broker", "-storepass", KEY_STORE_PASSWORD]);
        run(command.arg("-keystore").arg(key_store_path(folder)));
    };
    tool(&[
        "-genkeypair",
        "-keyalg",
        "EC",
        "-groupname",
        "secp256r1",
        "-validity",
        "30",
        "-dname",
        "CN=localhost",
        "-ext",
        "san=dns:localhost,ip:127.0.0.1",
        "-storetype",
        "PKCS12",
    ]);
    tool(&["-exportcert", "-rfc", "-file", &ca.to_string_lossy()]);
    SecureListener {
        bootstrap: format!("localhost:{}", port::free()),
        username: SCRAM_USER.to_owned(),
        password: SCRAM_PASSWORD.to_owned(),
        ca,
    }
}

pub(super) fn add_listener(
    properties: &mut Vec<(&'static str, String)>,
    secure: &SecureListener,
    folder: &Path,
) {
    for (name, value) in properties.iter_mut() {
        if matches!(*name, "listeners" | "advertised.listeners") {
            value.push_str(&format!(",SASL_SSL://{}", secure.bootstrap));
        }
    }
    properties.extend([
        ("ssl.keystore.type", "PKCS12".to_owned()),
        ("ssl.keystore.location", key_store_path(folder).display().to_string()),
        ("ssl.keystore.password", KEY_STORE_PASSWORD.to_owned()),
        ("sasl.enabled.mechanisms", "SCRAM-SHA-512".to_owned()),
        (
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config",
            "org.apache.kafka.common.security.scram.ScramLoginModule required;".to_owned(),
        ),
    ]);
}

/// The argument of `--add-scram` for formatting the broker's data.
pub(super) fn scram_user() -> String {
    format!("SCRAM-SHA-512=[name={SCRAM_USER},password={SCRAM_PASSWORD}]")
}

fn key_store_path(folder: &Path) -> PathBuf {
    folder.join("broker.p12")
}
