//! Laws of the database: every statement works with the rights of the role that runs it, and shared tables
//! are written only through safe functions.

use std::path::{Path, PathBuf};

use rondo_contract::body::IDEMPOTENCY_HOURS;
use rondo_contract::event::SCHEMA_VERSION;
use rondo_contract::reminder_body::{self, ReminderStatus};
use rondo_contract::{notification, webhook};
use rondo_database::{Role, Session};
use rondo_domain::task::{Priority, Status};
use rondo_testkit::database::TestDatabase;
use rondo_tests::source::{files, text};
use tokio_postgres::SimpleQueryMessage;

/// Libraries with statements, and the components that run them.
const LIBRARIES: [(&str, &[Role]); 2] = [
    ("crates/task", &[Role::TaskApi, Role::Mcp, Role::Chat]),
    ("crates/history", &[Role::Audit, Role::Mcp, Role::Chat]),
];
/// Components that have no statements of their own.
const WITHOUT_STATEMENTS: [Role; 2] = [Role::TaskApi, Role::Mcp];

/// The folders with statements, and the roles that run them.
fn folders() -> Vec<(PathBuf, Vec<Role>)> {
    let folder = |role: Role| match (role, role.component()) {
        (_, Some(component)) => Path::new("components").join(component),
        (Role::Bridge, _) => PathBuf::from("host-bridge"),
        (Role::Sync, _) => PathBuf::from("ws-sync"),
        (role, None) => unreachable!("where are the statements of {role}?"),
    };
    let own = Role::ALL.into_iter().filter(|role| !WITHOUT_STATEMENTS.contains(role));
    let libraries = LIBRARIES.into_iter().map(|(path, roles)| (path.into(), roles.to_vec()));
    own.map(|role| (folder(role), vec![role])).chain(libraries).collect()
}

/// Whether a component runs the statement through Spin's interface.
fn is_of_component(path: &Path) -> bool {
    path.starts_with("components")
        || is_shared(path)
        || LIBRARIES.iter().any(|(folder, _)| path.starts_with(folder))
}

/// Statements that components share: each component runs them with its own role. Live sync runs those of the
/// contract.
const SHARED: [&str; 2] = ["crates/guest", "crates/contract"];

/// The types that Spin's Postgres interface supports. It handles times only in whole seconds or not at all,
/// and JSON not at all, so they are passed as text.
const PARAMETER_TYPES: [&str; 5] = ["text", "int8", "bool", "jsonb", "_text"];
const COLUMN_TYPES: [&str; 3] = ["text", "int8", "bool"];

/// The only right of a login role to write a table: the log is appended to.
const WRITE_GRANTS: [(&str, &str, &str); 1] = [("rondo_audit", "audit_logs", "INSERT")];

fn is_shared(path: &Path) -> bool {
    SHARED.into_iter().any(|folder| path.starts_with(folder))
}

/// The program's statements, each with the role that runs it.
fn statements() -> Vec<(PathBuf, Role)> {
    let files = files("sql").into_iter().filter(|path| !path.starts_with("migrations"));
    let folders = folders();
    let roles_of = |path: &Path| {
        folders.iter().find(|(folder, _)| path.starts_with(folder)).map(|(_, roles)| roles.clone())
    };
    files
        .filter(|path| !path.components().any(|part| part.as_os_str() == "tests"))
        .flat_map(|path| {
            let in_contract = path.starts_with("crates/contract");
            let shares =
                |role: &Role| role.component().is_some() || (in_contract && *role == Role::Sync);
            let roles = if is_shared(&path) {
                Role::ALL.into_iter().filter(shares).collect()
            } else {
                roles_of(&path).unwrap_or_else(|| panic!("who runs {}?", path.display()))
            };
            roles.into_iter().map(move |role| (path.clone(), role))
        })
        .collect()
}

/// Plans the statement as its role. Planning checks the role's rights on tables and functions, which
/// preparing alone does not, and executes nothing.
async fn explain(session: &Session, sql: &str, parameters: usize) -> Result<(), String> {
    let nulls = vec!["NULL"; parameters].join(", ");
    let arguments = if parameters == 0 { String::new() } else { format!("({nulls})") };
    let sql = sql.trim().trim_end_matches(';');
    // A generic plan: with known nulls, whole branches would be removed unchecked.
    let batch = format!(
        "SET plan_cache_mode = force_generic_plan;
         PREPARE law AS {sql}
         ;EXPLAIN EXECUTE law{arguments};
         DEALLOCATE law"
    );
    session.batch_execute(&batch).await.map_err(|error| describe(&error))
}

fn describe(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(
        || error.to_string(),
        |cause| format!("{} ({})", cause.message(), cause.code().code()),
    )
}

#[tokio::test]
async fn every_statement_works_with_its_role() {
    let database = TestDatabase::new().await;
    let mut broken = Vec::new();
    let statements = statements();
    for (folder, _) in folders() {
        let is_there = statements.iter().any(|(path, _)| path.starts_with(&folder));
        assert!(is_there, "{} has no statements: has its folder moved?", folder.display());
    }
    for (path, role) in statements {
        // A session for each statement: an error affects no other.
        let session = database.session_as(role).await;
        let sql = text(&path);
        let outcome = match session.prepare(&sql).await {
            Ok(statement) => explain(&session, &sql, statement.params().len()).await,
            Err(error) => Err(describe(&error)),
        };
        if let Err(error) = outcome {
            broken.push(format!("{} as {role}: {error}", path.display()));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The check above can fail: for a column, for a function, and in a branch that the arguments exclude.
#[tokio::test]
async fn a_missing_right_is_noticed() {
    let database = TestDatabase::new().await;
    for (sql, parameters) in [
        ("SELECT email FROM users", 0),
        ("SELECT * FROM scope_grant($1, $2, $3)", 3),
        (
            "SELECT id FROM tasks WHERE $1::text IS NOT NULL AND id IN (SELECT id FROM audit_logs)",
            1,
        ),
    ] {
        let session = database.session_as(Role::Sync).await;
        let error = explain(&session, sql, parameters).await.unwrap_err();
        assert!(error.ends_with("(42501)"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn components_use_only_types_that_spin_supports() {
    let database = TestDatabase::new().await;
    let session = database.session().await;
    let mut broken = Vec::new();
    for (path, _) in statements() {
        if !is_of_component(&path) {
            continue;
        }
        let Ok(statement) = session.prepare(&text(&path)).await else { continue };
        for (index, parameter) in statement.params().iter().enumerate() {
            if !PARAMETER_TYPES.contains(&parameter.name()) {
                broken.push(format!("{}: ${} is {parameter}", path.display(), index + 1));
            }
        }
        for column in statement.columns() {
            if !COLUMN_TYPES.contains(&column.type_().name()) {
                let (name, type_) = (column.name(), column.type_());
                broken.push(format!("{}: column {name} is {type_}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The result of a statement that finds nothing: it runs on an empty schema, once with only nulls and once
/// with one value of each type. If a function refuses such values, the Wasm host checks the statement in
/// every other test, because it refuses a query without rows.
#[tokio::test]
async fn every_query_of_a_component_returns_a_row_even_without_matches() {
    let database = TestDatabase::new().await;
    let session = database.session().await;
    let (mut broken, mut seen) = (Vec::new(), 0);
    for (path, _) in statements() {
        if !is_of_component(&path) {
            continue;
        }
        let Ok(statement) = session.prepare(&text(&path)).await else { continue };
        if statement.columns().is_empty() {
            continue;
        }
        let nothing = statement.params().iter().map(|_| "NULL");
        let neutral = statement.params().iter().map(|parameter| match parameter.name() {
            "int8" => "1",
            "bool" => "true",
            "jsonb" => "'{}'",
            "_text" => "'{}'",
            _ => "'1'",
        });
        for values in [nothing.collect::<Vec<_>>(), neutral.collect()] {
            match rows(&session, &text(&path), &values).await {
                Some(0) => broken.push(format!("{} with {values:?}", path.display())),
                Some(_) => seen += 1,
                None => {}
            }
        }
    }
    assert!(broken.is_empty(), "these answer no row, and never return on Spin 4.0: {broken:#?}");
    assert!(seen > 60, "only {seen} answers were seen");
    let sees = rows(&session, "SELECT 1 WHERE $1::int8 = 2", &["1"]).await;
    assert_eq!(sees, Some(0), "the check can fail");
}

/// The number of rows of a statement; none if it fails. Its effects are rolled back.
async fn rows(session: &Session, sql: &str, values: &[&str]) -> Option<usize> {
    session.batch_execute("BEGIN").await.expect("a transaction");
    let prepared = session.batch_execute(&format!("PREPARE law AS {sql}")).await;
    let arguments = values.join(", ");
    let call = if values.is_empty() { String::new() } else { format!("({arguments})") };
    let answer = match prepared {
        Ok(()) => session.simple_query(&format!("EXECUTE law{call}")).await.ok(),
        Err(_) => None,
    };
    session.batch_execute("ROLLBACK; DEALLOCATE ALL").await.expect("a session as it was");
    let is_row = |message: &&SimpleQueryMessage| matches!(message, SimpleQueryMessage::Row(_));
    answer.map(|messages| messages.iter().filter(is_row).count())
}

#[tokio::test]
async fn events_have_the_schema_version_of_their_readers() {
    let database = TestDatabase::new().await;
    let session = database.session().await;
    let row = session.query_one("SELECT event_schema_version()", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), SCHEMA_VERSION);
}

/// A column's words, by its constraint, are those of the types and documents.
#[tokio::test]
async fn columns_hold_the_words_of_the_document() {
    let database = TestDatabase::new().await;
    let session = database.session().await;
    let sql = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = $1";
    for (constraint, words) in [
        ("tasks_status", Status::WORDS),
        ("tasks_priority", Priority::WORDS),
        ("reminders_kind", &reminder_body::KINDS),
        ("reminders_state", ReminderStatus::WORDS),
        ("notifications_status", &notification::STATUSES),
        ("webhooks_disabled_reason", &webhook::DISABLED_REASONS),
        ("webhook_deliveries_status", &webhook::DELIVERY_STATUSES),
    ] {
        let row = session.query_one(sql, &[&constraint]).await.expect(constraint);
        let definition: String = row.get(0);
        // Between the quotes: the second, fourth, … piece.
        let found: Vec<&str> = definition.split('\'').skip(1).step_by(2).collect();
        assert_eq!(found, words, "{constraint}: {definition}");
    }
}

#[tokio::test]
async fn idempotency_keys_live_as_long_as_the_document_says() {
    let database = TestDatabase::new().await;
    let session = database.session().await;
    let sql = "SELECT (extract(epoch FROM idempotency_lifetime()) / 3600)::bigint";
    let hours: i64 = session.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(hours, i64::from(IDEMPOTENCY_HOURS));
}

/// Checks the effective rights, however they were granted: to the role, to everyone, for a single column, or
/// through another role.
#[tokio::test]
async fn tables_are_written_only_through_functions() {
    let database = TestDatabase::new().await;
    let session = database.session().await;
    let roles = Role::ALL.map(Role::name).to_vec();
    let rows = session
        .query(
            "SELECT r.rolname::text, c.relname::text, p.privilege
             FROM pg_roles r
             CROSS JOIN pg_class c
             CROSS JOIN (VALUES ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE'), ('TRIGGER')) AS p (privilege)
             WHERE r.rolname = ANY ($1) AND c.relnamespace = 'public'::regnamespace
               AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
               AND (has_table_privilege(r.oid, c.oid, p.privilege)
                    OR (p.privilege IN ('INSERT', 'UPDATE')
                        AND has_any_column_privilege(r.oid, c.oid, p.privilege)))
             ORDER BY 1, 2, 3",
            &[&roles],
        )
        .await
        .unwrap();
    let found: Vec<(String, String, String)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let expected =
        WRITE_GRANTS.map(|(role, table, right)| (role.into(), table.into(), right.into()));
    assert_eq!(found, expected);
}

#[tokio::test]
async fn login_roles_cannot_switch_roles_or_create_anything() {
    let database = TestDatabase::new().await;
    let session = database.session().await;
    let roles = Role::ALL.map(Role::name).to_vec();
    let rows = session
        .query(
            "SELECT r.rolname::text,
                    r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls,
                    has_schema_privilege(r.oid, 'public', 'CREATE'),
                    has_database_privilege(r.oid, current_database(), 'CREATE'),
                    EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid)
             FROM pg_roles r WHERE r.rolname = ANY ($1)",
            &[&roles],
        )
        .await
        .unwrap();
    assert_eq!(rows.len(), roles.len());
    for row in rows {
        let role: &str = row.get(0);
        for (column, what) in [
            (1, "has powers over the server"),
            (2, "creates objects in the schema"),
            (3, "creates schemas"),
            (4, "is a member of another role"),
        ] {
            assert!(!row.get::<_, bool>(column), "{role} {what}");
        }
    }
}

/// A function with its owner's rights must use a fixed search path with temporary objects last. Otherwise its
/// caller could substitute a table of its own.
#[tokio::test]
async fn functions_with_their_owners_rights_have_a_fixed_search_path() {
    let database = TestDatabase::new().await;
    let session = database.session().await;
    let rows = session
        .query(
            "SELECT p.oid::regprocedure::text, p.prosecdef, r.rolname::text, r.rolcanlogin OR r.rolsuper,
                    (SELECT replace(setting, ' ', '')
                     FROM unnest(p.proconfig) AS setting WHERE setting LIKE 'search_path=%'),
                    EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
                            WHERE a.grantee = 0)
             FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
             WHERE p.pronamespace = 'public'::regnamespace
               AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')",
            &[],
        )
        .await
        .unwrap();
    let mut broken = Vec::new();
    let mut definers = 0;
    for row in rows {
        let function: &str = row.get(0);
        if row.get(5) {
            broken.push(format!("{function} may be called by everyone"));
        }
        if !row.get::<_, bool>(1) {
            continue;
        }
        definers += 1;
        if row.get(3) {
            broken.push(format!("{function} belongs to {}, who logs in", row.get::<_, &str>(2)));
        }
        match row.get::<_, Option<&str>>(4) {
            Some(path) if path.ends_with(",pg_temp") => {}
            Some(path) => broken.push(format!("{function} has {path}, not ending in pg_temp")),
            None => broken.push(format!("{function} has no search_path of its own")),
        }
    }
    assert!(definers > 0, "no function runs with its owner's rights: has the schema moved?");
    assert!(broken.is_empty(), "{broken:#?}");
}
