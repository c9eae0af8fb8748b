//! The database: reachable, over TLS, with the right schema and roles, and without a backlog.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rondo_database::{ConnectError, Dsn, Role, Session, explain, migration, server};
use rondo_setting::is_this_machine;
use tokio_postgres::error::SqlState;

use super::report::Report;

/// Clock skew that causes a warning, and clock skew that breaks tokens.
const SKEW_MS_WARNING: u64 = 1_000;
const SKEW_MS_WRONG: u64 = 30_000;
/// Age of the oldest waiting event that causes a warning, and age at which nothing relays them.
const OUTBOX_S_WARNING: i64 = 10;
const OUTBOX_S_WRONG: i64 = 60;

const SERVER: &str = include_str!("../../sql/doctor_server.sql");
const ROLES: &str = include_str!("../../sql/doctor_roles.sql");
const WAITING: &str = include_str!("../../sql/doctor_waiting.sql");
const OUTBOX: &str = include_str!("../../sql/outbox_depth.sql");
const DEAD_LETTERS: &str = include_str!("../../sql/dead_letter_open.sql");
const TRANSPORT: &str = include_str!("../../sql/transport_current.sql");

/// Examines the database with the bridge's login.
pub async fn examine(report: &mut Report, bridge: &Dsn, transport: &'static str) {
    let session = match rondo_database::pool::connect(
        bridge,
        &crate::database::session("rondo doctor"),
    )
    .await
    {
        Ok(session) => session,
        Err(error) => {
            report.wrong("database", explain(&error), advice(&error));
            return;
        }
    };
    let examined = async {
        reach(report, bridge, &session).await?;
        if !schema(report, &session).await {
            return Ok(());
        }
        roles(report, &session).await?;
        waiting(report, &session, transport).await
    };
    if let Err(error) = examined.await {
        report.wrong("database", explain(&*error), "see the log of Postgres");
    }
}

/// What to do about a refused connection.
pub fn advice(error: &ConnectError) -> &'static str {
    match error.sql_state() {
        Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
            "the login's password is another: run `rondo migrate up` with this data folder, and write its logins \
             anew with `rondo env`"
        }
        Some(&SqlState::INVALID_CATALOG_NAME) => "create that database, or correct its name",
        Some(&SqlState::TOO_MANY_CONNECTIONS) => {
            "see which program holds so many in pg_stat_activity"
        }
        Some(_) => "see the log of Postgres",
        None => "start Postgres, or correct host and port; for TLS, check sslmode and sslrootcert",
    }
}

async fn reach(report: &mut Report, dsn: &Dsn, session: &Session) -> anyhow::Result<()> {
    let (asked, began) = (SystemTime::now(), std::time::Instant::now());
    let row = session.query_one(SERVER, &[]).await?;
    let way = began.elapsed() / 2;
    let (version, number): (&str, i32) = (row.get("version"), row.get("number"));
    let (host, port, is_tls) = (dsn.host(), dsn.port(), row.get::<_, bool>("is_tls"));
    let reached = format!("PostgreSQL {version} at {host}:{port}");
    if u32::try_from(number / 10_000).is_ok_and(|major| major < server::MAJOR_MIN) {
        let needed = format!("move the database to PostgreSQL {} or newer", server::MAJOR_MIN);
        report.wrong("database", reached, needed);
    } else if is_tls {
        report.ok("database", format!("{reached}, by TLS"));
    } else if is_this_machine(&host) || host.starts_with('/') {
        report.ok("database", format!("{reached}, on this machine"));
    } else {
        report.warning(
            "database",
            format!("{reached}, without TLS"),
            "add sslmode=verify-full to the connection strings",
        );
    }
    skew(report, "the database's clock", row.get("now_ms"), asked + way);
    Ok(())
}

/// Compares another clock with this machine's at the same moment.
pub fn skew(report: &mut Report, whose: &str, theirs_ms: i64, here: SystemTime) {
    let here_ms = here.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis();
    let off_ms = i64::try_from(here_ms).unwrap_or(i64::MAX).abs_diff(theirs_ms);
    let finding = format!("{whose} and this machine's are {:.1} s apart", off_ms as f64 / 1000.0);
    let advice = "let NTP set both: reminders fire and tokens end by these clocks";
    match off_ms {
        ..SKEW_MS_WARNING => report.ok("clock", format!("{whose} agrees with this machine's")),
        SKEW_MS_WARNING..SKEW_MS_WRONG => report.warning("clock", finding, advice),
        _ => report.wrong("clock", finding, advice),
    }
}

/// Whether this program can work with the schema.
async fn schema(report: &mut Report, session: &Session) -> bool {
    let known = migration::embedded();
    let this = env!("CARGO_PKG_VERSION");
    match migration::check(session, known).await {
        Ok(()) => {
            let status = migration::status(session, known).await;
            match status.ok().and_then(|status| status.unknown.last().cloned()) {
                None => report.ok("schema", format!("as Rondo {this} has it")),
                Some(last) => report.warning(
                    "schema",
                    format!("newer than Rondo {this}: it has {last}"),
                    "this release still runs on it, the one before does not; upgrade the programs",
                ),
            }
            true
        }
        // The error's message says what to do.
        Err(error) => {
            report.wrong("schema", explain(&error), "docs/backup.md, \"Upgrading\", has the order");
            false
        }
    }
}

async fn roles(report: &mut Report, session: &Session) -> anyhow::Result<()> {
    let mut is_fine = true;
    for role in Role::ALL {
        let limit = role.limit();
        let timeout = limit.statement_timeout_ms.to_string();
        let mut wrong = |finding: String, advice: &str| {
            is_fine = false;
            report.wrong("roles", finding, advice);
        };
        let Some(row) = session.query_opt(ROLES, &[&role.name(), &timeout]).await? else {
            wrong(format!("{role} is missing"), "run `rondo migrate up`");
            continue;
        };
        if row.get("has_powers") {
            let advice = format!(
                "run `ALTER ROLE {role} NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS`"
            );
            wrong(format!("{role} has rights over the whole server"), &advice);
        }
        let (connections_max, connections): (i32, i64) =
            (row.get("connections_max"), row.get("connections"));
        // An operator may have raised it: ROLE_CONNECTIONS.
        if i64::from(connections_max) < i64::from(limit.connections_max)
            || !row.get::<_, bool>("is_bounded")
        {
            is_fine = false;
            report.warning(
                "roles",
                format!("{role} has other limits than Rondo gives it"),
                "run `rondo migrate up`, or restart `rondo up`, which sets them",
            );
        }
        if connections_max > 0 && connections * 5 >= i64::from(connections_max) * 4 {
            is_fine = false;
            report.warning(
                "roles",
                format!("{role} has {connections} of {connections_max} connections"),
                "run fewer replicas, or raise the limit: ROLE_CONNECTIONS of `rondo migrate up`",
            );
        }
    }
    if is_fine {
        report.ok("roles", format!("all {} are there, with their limits", Role::ALL.len()));
    }
    Ok(())
}

async fn waiting(
    report: &mut Report,
    session: &Session,
    transport: &'static str,
) -> anyhow::Result<()> {
    match session.query_opt(TRANSPORT, &[]).await?.map(|row| row.get::<_, String>(0)) {
        None => report.warning(
            "transport",
            "no program has carried an event yet",
            "start `rondo up`, or `rondo bridge`",
        ),
        Some(name) if name != transport => report.wrong(
            "transport",
            format!("the database's events travel by {name}, and the settings say {transport}"),
            format!("correct KAFKA_BROKERS, or run `rondo transport switch {transport}`"),
        ),
        Some(name) => report.ok("transport", name),
    }
    let row = session.query_one(OUTBOX, &[]).await?;
    let (depth, age_s): (i64, i64) = (row.get("depth"), row.get::<_, i64>("age_ms") / 1000);
    let finding = format!("{depth} waiting, the oldest for {age_s} s");
    let advice = "see that `rondo up` or `rondo bridge` runs, and what its /health/ready says";
    match age_s {
        ..OUTBOX_S_WARNING => report.ok("outbox", format!("{depth} waiting")),
        OUTBOX_S_WARNING..OUTBOX_S_WRONG => report.warning("outbox", finding, advice),
        _ => report.wrong("outbox", finding, advice),
    }
    match session.query_one(DEAD_LETTERS, &[]).await?.get::<_, i64>(0) {
        0 => report.ok("dead letters", "none"),
        count => report.warning(
            "dead letters",
            format!("{count} open"),
            "`rondo dlq list` and `rondo dlq show ID` say why; `rondo dlq redrive ID` tries again",
        ),
    }
    let row = session.query_one(WAITING, &[]).await?;
    for check in ["reminders", "mails"] {
        match row.get::<_, i64>(check) {
            0 => report.ok(check, "none overdue"),
            count => report.wrong(
                check,
                format!("{count} overdue by more than a minute"),
                "see that `rondo up` or `rondo bridge` runs, and what its log says",
            ),
        }
    }
    Ok(())
}
