//! `test-service postgres` or `kafka [--secure]`: one service for many test programs, or for manual use.
//! `postgres FOLDER ADDRESS` keeps its data in a folder and listens on port 5432 of an address.
//!
//! It prints one line that says how to reach the service and exits when its standard input closes, so that it
//! cannot outlive its parent.

use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Result, bail};
use rondo_database::server::BinarySource;
use rondo_testkit::database;
use rondo_testkit::folder::Folder;
use rondo_testkit::kafka::Broker;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["postgres"] => {
            let folder = Folder::new("postgres");
            let (server, _data) =
                database::start(folder.path(), BinarySource::SystemOrFetched).await?;
            announce(&folder.path().display().to_string())?;
            input_closed().await?;
            server.stop().await?;
        }
        ["postgres", folder, address] => {
            let (server, _data) = database::start_for(Path::new(folder), address.parse()?).await?;
            announce(server.dsn().expose_url().as_str())?;
            input_closed().await?;
            server.stop().await?;
        }
        ["kafka"] => {
            let broker = Broker::start().await;
            announce(&broker.bootstrap())?;
            input_closed().await?;
            broker.stop().await;
        }
        ["kafka", "--secure"] => {
            let broker = Broker::builder().secure().start().await;
            let listener = broker.secure_listener();
            announce(&format!(
                "{} SASL_SSL SCRAM-SHA-512 {} {} {}",
                listener.bootstrap,
                listener.username,
                listener.password,
                listener.ca.display()
            ))?;
            input_closed().await?;
            broker.stop().await;
        }
        _ => bail!("which service? `postgres [FOLDER ADDRESS]` or `kafka [--secure]`"),
    }
    Ok(())
}

fn announce(address: &str) -> Result<()> {
    let mut output = std::io::stdout();
    writeln!(output, "{address}")?;
    Ok(output.flush()?)
}

async fn input_closed() -> Result<()> {
    tokio::task::spawn_blocking(|| {
        let mut ignored = [0; 256];
        while std::io::stdin().read(&mut ignored)? > 0 {}
        Ok(())
    })
    .await?
}
