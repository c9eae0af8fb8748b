//! `rondo doctor`: examines a running installation, and reports what is wrong and what to do. It changes
//! nothing, sends no mail and no event, and prints no secret.
//!
//! The environment distinguishes two kinds of installation: separate programs, whose settings `rondo env`
//! writes, and `rondo up`, which has a data folder.

mod database;
mod kafka;
mod program;
mod report;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::{Args, Parser};
use rondo_database::{
    DataFolder, DataFolderError, Dsn, Role, Secrets, explain, provision, secret, server,
};
use rondo_kafka::KafkaSettings;
use rondo_setting::{Cleartext, environment};
use rondo_wasm_host::variable::ENVIRONMENT_PREFIX;
use serde_json::Value;

use crate::mail_transport::MailTransport;
use crate::option::{BridgeArgs, UpArgs};
use report::{Report, Verdict};

/// Variables that only separate programs have.
const SEPARATE: [&str; 2] = ["BRIDGE_DATABASE_URL", "COMPONENTS_URL"];

#[derive(Args)]
pub struct DoctorArgs {
    /// Print a JSON array of findings.
    #[arg(long)]
    json: bool,
    /// Folder of the installation.
    #[arg(long, env = "RONDO_DATA", default_value = ".rondo", value_name = "FOLDER")]
    data: PathBuf,
}

/// The settings of `rondo up` and `rondo bridge`, parsed as by those.
#[derive(Parser)]
struct Up {
    #[command(flatten)]
    settings: UpArgs,
}

#[derive(Parser)]
struct Bridge {
    #[command(flatten)]
    settings: BridgeArgs,
}

/// Examines the installation and prints the findings.
///
/// # Errors
/// If something is wrong.
pub async fn run(args: DoctorArgs, cleartext: &Cleartext) -> anyhow::Result<()> {
    let mut report = Report::default();
    let is_set = |name: &&str| environment(name).is_some_and(|value| !value.is_empty());
    if SEPARATE.iter().any(is_set) {
        separate(&mut report, &args.data, cleartext).await;
    } else {
        up(&mut report, &args.data, cleartext).await;
    }
    if args.json {
        println!("{}", report.to_json());
    } else {
        print!("{}", report.to_text());
    }
    let wrong = report.count(Verdict::Wrong);
    ensure!(wrong == 0, "wrong: {wrong}; see what was found");
    Ok(())
}

/// Parses the settings of a program; a malformed one becomes a finding.
fn settings<P: Parser>(report: &mut Report, data: &Path) -> Option<P> {
    let arguments = ["rondo".into(), "--data".into(), OsString::from(data)];
    match rondo_setting::try_parse(arguments) {
        Ok(settings) => Some(settings),
        // Each line says what to do.
        Err(lines) => {
            for line in lines {
                report.setting::<()>(Err(line));
            }
            None
        }
    }
}

/// The settings that the other checks use.
struct Examined<'a> {
    kafka: Option<KafkaSettings>,
    outlet: Option<MailTransport>,
    is_mail_certain: bool,
    bridge: Option<&'a Dsn>,
}

async fn up(report: &mut Report, data: &Path, cleartext: &Cleartext) {
    let Some(Up { settings }) = settings(report, data) else { return };
    let kafka = report.setting(settings.kafka.settings(cleartext)).flatten();
    let is_mail_local = report.setting(settings.mail.is_local()).unwrap_or(true);
    let mail = report.setting(settings.mail.transport(data, cleartext));
    let account = report.setting(settings.account.settings(is_mail_local));
    report.setting(settings.link_secret());
    let external = report.setting(settings.database(cleartext)).flatten();
    if report.count(Verdict::Wrong) == 0 {
        report.ok("settings", "as `rondo up` takes them");
    }
    let Some(secrets) = data_folder(report, data) else { return };
    let running = server::running(data, &secrets);
    let admin = match (external, running) {
        (Some(dsn), _) => Some(dsn),
        (None, Ok(running)) => {
            if running.is_none() {
                let advice =
                    "start `rondo up`; if it runs, postgres.log in the data folder says more";
                report.wrong("database", "the private Postgres does not run", advice);
            }
            running
        }
        (None, Err(error)) => {
            report.wrong("database", explain(&error), "see the data folder");
            None
        }
    };
    let roles = match &admin {
        None => None,
        Some(admin) => match provision::logins(admin, &secrets).await {
            Ok(roles) => Some(roles),
            Err(error) => {
                report.wrong("logins", explain(&error), "see docs/doctor.md, \"logins\"");
                None
            }
        },
    };
    let bridge = roles.as_ref().map(|roles| roles.get(Role::Bridge));
    let is_mail_certain = settings.mail.is_certain();
    let outlet = mail.map(|(outlet, _)| outlet);
    rest(report, Examined { kafka, outlet, is_mail_certain, bridge }).await;

    let endpoints = std::fs::read(data.join(crate::up::ENDPOINTS)).ok();
    let endpoints: Option<Value> = endpoints.and_then(|text| serde_json::from_slice(&text).ok());
    let Some(endpoints) = endpoints else {
        let advice = "start it; while it starts, look again";
        return report.wrong("rondo up", "does not run on this data folder", advice);
    };
    let address = |name: &str| endpoints[name].as_str();
    if let Some(base) = address("operations").or_else(|| address("http")) {
        program::readiness(report, "rondo up", base, "--data (RONDO_DATA)").await;
    }
    let listen = address("http").and_then(|url| url.strip_prefix("http://")?.parse().ok());
    if let (Some(account), Some(listen)) = (account, listen) {
        program::public_url(report, &account.public_url(listen), is_mail_local).await;
    }
}

async fn separate(report: &mut Report, data: &Path, cleartext: &Cleartext) {
    let Some(Bridge { settings }) = settings(report, data) else { return };
    let bridge = report.setting(settings.database.dsn_for("BRIDGE_DATABASE_URL", cleartext));
    let kafka = report.setting(settings.kafka(cleartext));
    let token = report.setting(settings.event_token());
    let is_mail_local = report.setting(settings.mail.is_local()).unwrap_or(true);
    let mail = report.setting(settings.mail.transport(data, cleartext));
    report.setting(settings.provider.provider());
    twins(report);
    if report.count(Verdict::Wrong) == 0 {
        report.ok("settings", "as `rondo bridge` takes them");
    }
    logins(report).await;
    let is_mail_certain = settings.mail.is_certain();
    let outlet = mail.map(|(outlet, _)| outlet);
    let bridge = bridge.as_ref();
    rest(report, Examined { kafka, outlet, is_mail_certain, bridge }).await;
    program::components(report, &settings.components_url, token.as_deref()).await;
    let base = format!("http://{}", settings.listen);
    program::readiness(report, "bridge", &base, "--listen (RONDO_LISTEN)").await;
    if let Some(url) = variable("public_url") {
        program::public_url(report, &url, is_mail_local).await;
    }
}

async fn rest(report: &mut Report, examined: Examined<'_>) {
    let transport = if examined.kafka.is_some() { "kafka" } else { "local" };
    if let Some(bridge) = examined.bridge {
        database::examine(report, bridge, transport).await;
    }
    if let Some(kafka) = &examined.kafka {
        kafka::examine(report, kafka).await;
    }
    if let Some(outlet) = &examined.outlet {
        program::mail(report, outlet, examined.is_mail_certain).await;
    }
}

/// Checks whether the data folder is one, and in use.
fn data_folder(report: &mut Report, data: &Path) -> Option<Secrets> {
    let shown = data.display();
    if !data.join(secret::FILE).is_file() {
        let advice = "start `rondo up`, or choose the folder with --data (RONDO_DATA)";
        report.wrong("data folder", format!("{shown} is none"), advice);
        return None;
    }
    let secrets = match Secrets::load_or_create(data) {
        Ok(secrets) => secrets,
        Err(error) => {
            report.wrong("data folder", explain(&error), "without its secrets nobody can log in");
            return None;
        }
    };
    match DataFolder::open(data) {
        Err(DataFolderError::Locked { holder, .. }) => {
            report.ok("data folder", format!("{shown}, in use by process {holder}"));
        }
        Ok(_) => {
            report.warning("data folder", format!("{shown} is not in use"), "start `rondo up`")
        }
        Err(error) => report.wrong("data folder", explain(&error), "see docs/backup.md"),
    }
    Some(secrets)
}

/// The environment's value of a variable of spin.toml.
fn variable(name: &str) -> Option<String> {
    let value = std::env::var(format!("{ENVIRONMENT_PREFIX}{}", name.to_uppercase())).ok();
    value.filter(|value| !value.is_empty())
}

/// Checks secrets that must be the same in two programs.
fn twins(report: &mut Report) {
    for name in ["JWT_SECRET", "EVENT_TOKEN"] {
        let own = std::env::var(name).ok().filter(|value| !value.is_empty());
        let theirs = variable(name);
        if own.is_some() && theirs.is_some() && own != theirs {
            let finding = format!("{name} and {ENVIRONMENT_PREFIX}{name} differ");
            report.wrong("settings", finding, "give both the same value");
        }
    }
}

/// Checks whether the logins in the environment work.
async fn logins(report: &mut Report) {
    let (mut tried, mut refused) = (0, 0);
    for role in Role::ALL {
        let name = role.dsn_variable();
        let url = match role.component() {
            Some(_) => variable(&name),
            None => std::env::var(name.to_uppercase()).ok().filter(|url| !url.is_empty()),
        };
        let Some(url) = url else { continue };
        tried += 1;
        let outcome = match Dsn::parse(&url) {
            Ok(dsn) => {
                let session = crate::database::session("rondo doctor");
                let session = rondo_database::pool::connect(&dsn, &session).await;
                session.map(drop).map_err(|error| (explain(&error), database::advice(&error)))
            }
            Err(error) => Err((error.to_string(), "write it anew with `rondo env`")),
        };
        if let Err((finding, advice)) = outcome {
            refused += 1;
            report.wrong("logins", format!("{}: {finding}", name.to_uppercase()), advice);
        }
    }
    if refused == 0 {
        report.ok("logins", format!("{tried} of {} are set here, and let in", Role::ALL.len()));
    }
}
