//! Rows that a test begins with. They are written by the superuser, so that a test can say when
//! something happened.

use rondo_database::{Database, Role, Session};
use rondo_testkit::database::TestDatabase;

/// A database with one user who has one task.
pub struct Seed {
    pub database: TestDatabase,
    /// The superuser's.
    pub session: Session,
    /// The same, as the bridge's role.
    pub bridge: Database,
    pub user_id: i64,
    pub task_id: i64,
}

impl Seed {
    pub async fn new() -> Self {
        Self::of_user("Ada").await
    }

    /// The same with another name of the user.
    pub async fn of_user(name: &str) -> Self {
        let database = TestDatabase::new().await;
        let session = database.session().await;
        let user = "INSERT INTO users (email, email_key, password_hash, name)
                    VALUES ('ada@example.org', 'ada@example.org', 'x', $1) RETURNING id";
        let user_id = session.query_one(user, &[&name]).await.unwrap().get(0);
        let task = "INSERT INTO tasks (user_id, title, status, time_zone, due_at, created_at, updated_at, revision)
                    VALUES ($1, 't', 'pending', 'UTC', now(), now(), now(), 1) RETURNING id";
        let task_id = session.query_one(task, &[&user_id]).await.unwrap().get(0);
        let bridge = host_bridge::database::open(&database.dsn(Role::Bridge)).unwrap();
        Self { database, session, bridge, user_id, task_id }
    }

    /// The only value of a query's only row, as text.
    pub async fn text(&self, query: &str) -> String {
        let query = format!("SELECT ({query})::text");
        let row = self.session.query_one(&query, &[]).await.unwrap();
        row.get::<_, Option<String>>(0).unwrap_or_default()
    }

    pub async fn run(&self, statements: &str) {
        self.session.batch_execute(statements).await.unwrap();
    }
}
