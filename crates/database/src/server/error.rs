//! Errors of the private server. Each says what to do.

use std::{io, path::PathBuf};

use super::{DATABASE, MAJOR_MIN};
use crate::pool::ConnectError;

/// Why there is no private server. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error(
        "no PostgreSQL {MAJOR_MIN} or newer was found on this machine{reason}: install one (`apt install postgresql`, \
         `brew install postgresql`), or set DATABASE_URL to one that runs elsewhere"
    )]
    NoBinaries { reason: String },
    #[error(
        "{} was made by PostgreSQL {cluster_major}, and here is {}: install PostgreSQL {cluster_major}, or move the \
         folder away to begin with an empty database",
        cluster.display(), list(found)
    )]
    OtherVersion { cluster: PathBuf, cluster_major: u32, found: Vec<u32> },
    #[error("PostgreSQL could not be fetched ({reason}): install one, or set DATABASE_URL")]
    Fetch { reason: String },
    #[error("port {port} is in use: stop what listens there, or choose another port for Postgres")]
    PortInUse { port: u16 },
    #[error("no free port on 127.0.0.1: see which processes hold so many")]
    NoPort { source: io::Error },
    #[error(
        "PostgreSQL refuses to run as root, and neither user `postgres` nor `nobody` exists: start Rondo as another user"
    )]
    NoAccount,
    #[error("{} cannot be used: check the disk and who may write there, or choose another folder with --data", path.display())]
    Disk { path: PathBuf, source: io::Error },
    #[error("{} cannot be run", program.display())]
    Program { program: PathBuf, source: io::Error },
    #[error("the database's folder could not be made; initdb says:\n{tail}")]
    Init { tail: String },
    #[error("Postgres did not start; the end of {}:\n{tail}", log.display())]
    Start { log: PathBuf, tail: String },
    #[error("Postgres (process {pid}) of {} neither answers nor stops: stop it by hand", cluster.display())]
    Stuck { pid: i32, cluster: PathBuf },
    #[error(
        "the password in DATA/secrets is not that of {}: put the secrets file back that belongs to it, or move the folder away",
        cluster.display()
    )]
    Password { cluster: PathBuf },
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("database {DATABASE} could not be made")]
    Database { source: tokio_postgres::Error },
}

fn list(majors: &[u32]) -> String {
    match majors {
        [] => "none".to_owned(),
        some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}
