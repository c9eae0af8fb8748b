//! Copies rows to files and back, on a real server.

use std::{fs, path::Path};

use rondo_database::{
    DataFolder, Dsn, PrivateServer, Secrets, ServerOptions, Session, SessionOptions, admin,
    content::{self, Table, Tally},
    pool,
    provision::{self, ConnectionLimit},
    role::OWNER,
    server::{self, BinarySource},
};

/// A schema with things that a copy has to skip (a generated column), preserve (identity, null, every
/// character) and not trigger again.
const SCHEMA: &str = "
    GRANT CREATE ON SCHEMA public TO rondo_owner;
    SET ROLE rondo_owner;
    CREATE TABLE \"a table\" (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        words text,
        \"at\" timestamptz NOT NULL,
        size integer GENERATED ALWAYS AS (length(words)) STORED
    );
    CREATE TABLE child (parent bigint NOT NULL REFERENCES \"a table\", part double precision);
    CREATE TABLE log (id bigint GENERATED ALWAYS AS IDENTITY, what text);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO log (what) VALUES (TG_OP); RETURN NEW; END';
    CREATE TRIGGER noted AFTER INSERT ON child FOR EACH ROW EXECUTE FUNCTION note();
    RESET ROLE";
const ROWS: &str = r#"
    INSERT INTO "a table" (words, at)
        VALUES (E'tab\t line\n back\\slash \\N', '2026-03-29 01:30+00'), (NULL, 'infinity'), ('Ärger 🪴', 'epoch');
    INSERT INTO child SELECT id, id / 3.0 FROM "a table";
    DELETE FROM "a table" WHERE id = 3 AND false"#;

struct Postgres {
    server: PrivateServer,
    _data: DataFolder,
    folder: tempfile::TempDir,
}

impl Postgres {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open(&folder.path().join("data")).unwrap();
        // Another user runs the server if the test runs as root.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        fs::set_permissions(folder.path(), open).unwrap();
        let secrets = Secrets::load_or_create(data.path()).unwrap();
        let settings = vec![("fsync".to_owned(), "off".to_owned())];
        let options =
            ServerOptions { binaries: BinarySource::System, settings, ..Default::default() };
        let server = server::start(&data, &secrets, &options).await.unwrap();
        provision::roles(server.dsn(), &secrets, ConnectionLimit::Lifted).await.unwrap();
        Self { server, _data: data, folder }
    }

    /// A superuser's session in a database of this name, with the schema.
    async fn database(&self, name: &str) -> Session {
        let dsn: Dsn = self.server.dsn().clone();
        let session = pool::connect(&dsn, &SessionOptions::default()).await.unwrap();
        admin::create_database(&session, name, None).await.unwrap();
        let session =
            pool::connect(&dsn.with_dbname(name), &SessionOptions::default()).await.unwrap();
        session.batch_execute(SCHEMA).await.unwrap();
        session
    }
}

async fn dump(session: &Session, folder: &Path) -> (Vec<Table>, Vec<Tally>) {
    fs::create_dir(folder).unwrap();
    let tables = content::freeze(session).await.unwrap();
    let mut tallies = Vec::new();
    for table in &tables {
        let path = content::file_of(folder, table);
        tallies.push(content::dump(session, table, &path).await.unwrap());
    }
    session.batch_execute("COMMIT").await.unwrap();
    (tables, tallies)
}

#[tokio::test]
async fn loaded_rows_equal_dumped_rows() {
    let postgres = Postgres::new().await;
    let (one, mut other) = (postgres.database("one").await, postgres.database("other").await);
    one.batch_execute(ROWS).await.unwrap();
    // Session settings make no difference.
    one.batch_execute("SET timezone = 'Asia/Kolkata'; SET datestyle = 'German'").await.unwrap();
    let (tables, tallies) = dump(&one, &postgres.folder.path().join("dump")).await;
    let names: Vec<_> = tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["a table", "child", "log"]);
    assert_eq!(tables[0].columns, ["id", "words", "at"]);
    assert_eq!((tables[0].identity.as_deref(), tables[0].last_value), (Some("id"), Some(3)));
    assert_eq!(tallies.iter().map(|tally| tally.rows).collect::<Vec<_>>(), [3, 3, 3]);

    // Existing rows are removed.
    other.batch_execute(&format!("SET ROLE {OWNER}; {ROWS}; {ROWS}; RESET ROLE")).await.unwrap();
    let folder = postgres.folder.path().join("dump");
    content::load(&mut other, &tables, &folder, 1_000).await.unwrap();
    for (table, tally) in tables.iter().zip(&tallies) {
        assert_eq!(content::tally(&other, table).await.unwrap(), *tally, "{}", table.name);
    }
    let sizes = "SELECT string_agg(coalesce(size::text, '-'), ' ' ORDER BY id) FROM \"a table\"";
    let row = other.query_one(sizes, &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "24 - 7");
    let next = "INSERT INTO \"a table\" (at) VALUES (now()) RETURNING id";
    assert_eq!(other.query_one(next, &[]).await.unwrap().get::<_, i64>(0), 1_004);
    // Triggers and foreign keys are enabled again.
    let refused = other.execute("INSERT INTO child VALUES (-1, 0)", &[]).await.unwrap_err();
    assert!(refused.code().is_some_and(|code| code.code() == "23503"), "{refused}");

    // Files that do not fit change nothing.
    let path = content::file_of(&folder, &tables[1]);
    fs::write(&path, "1\tno number\n").unwrap();
    content::load(&mut other, &tables, &folder, 0).await.unwrap_err();
    assert_eq!(content::tally(&other, &tables[1]).await.unwrap(), tallies[1]);
}

#[tokio::test]
async fn a_frozen_state_is_stable_and_its_tables_cannot_be_rewritten() {
    let postgres = Postgres::new().await;
    let (reader, writer) = {
        let session = postgres.database("one").await;
        session.batch_execute(ROWS).await.unwrap();
        let dsn = postgres.server.dsn().clone().with_dbname("one");
        (session, pool::connect(&dsn, &SessionOptions::default()).await.unwrap())
    };
    let tables = content::freeze(&reader).await.unwrap();
    writer.batch_execute(ROWS).await.unwrap();
    let rewrite = "SET lock_timeout = '100ms'; ALTER TABLE child ALTER part TYPE numeric";
    let refused = writer.batch_execute(rewrite).await.unwrap_err();
    assert!(refused.code().is_some_and(|code| code.code() == "55P03"), "{refused}");
    let path = postgres.folder.path().join("child.copy");
    assert_eq!(content::dump(&reader, &tables[1], &path).await.unwrap().rows, 3);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
}
