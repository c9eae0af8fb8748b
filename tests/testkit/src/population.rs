//! A database full of users and tasks, for plans and measurements: many users with a few tasks each, and one
//! with a great many, whose rows are scattered among those of the others.

use rondo_database::Session;
use rondo_domain::search;

/// Number of lists of each user. Three quarters of the tasks are in one, the others are in the inbox.
pub const LISTS_PER_USER: i64 = 3;

/// The numbers of users and tasks.
#[derive(Debug, Clone, Copy)]
pub struct Population {
    pub users: i64,
    pub tasks_per_user: i64,
    /// Number of tasks of the busy user.
    pub busy_user_tasks: i64,
}

impl Default for Population {
    fn default() -> Self {
        Self { users: 2_000, tasks_per_user: 50, busy_user_tasks: 10_000 }
    }
}

impl Population {
    /// Fills a database that has the schema, as superuser, and updates the planner's statistics. Returns the
    /// busy user's id.
    ///
    /// Tasks are pending, in progress or completed; most have a due date, a priority, tags and a list; every tenth
    /// has a reminder. Each user has a tenth as many tombstones as tasks, and deleted tasks.
    ///
    /// # Errors
    /// If a statement fails.
    pub async fn fill(&self, session: &Session) -> anyhow::Result<i64> {
        let row = session
            .query_one(
                "WITH made AS (
                     INSERT INTO users (email, email_key, password_hash)
                     SELECT 'populace' || n || '@example.org', 'populace' || n || '@example.org', ''
                     FROM generate_series(0, $1::bigint) AS n ORDER BY n
                     RETURNING id)
                 SELECT min(id), max(id) FROM made",
                &[&self.users],
            )
            .await?;
        let (busy, last): (i64, i64) = (row.get(0), row.get(1));
        session.execute(LISTS, &[&busy, &last, &LISTS_PER_USER]).await?;
        let indexes = take_indexes(session).await?;
        session
            .execute(
                TASKS,
                &[&busy, &last, &self.busy_user_tasks, &self.tasks_per_user, &LISTS_PER_USER],
            )
            .await?;
        // Otherwise each batch would scan the whole table.
        session.batch_execute("ANALYZE tasks").await?;
        fill_search(session, busy, last).await?;
        session
            .batch_execute(&format!(
                "SET maintenance_work_mem = '256MB'; {indexes}; RESET maintenance_work_mem"
            ))
            .await?;
        session
            .execute(
                "INSERT INTO user_revisions (user_id, revision)
                 SELECT t.user_id, max(t.revision) + 1 + count(*) / 10 + $3
                 FROM tasks t WHERE t.user_id BETWEEN $1 AND $2 GROUP BY t.user_id",
                &[&busy, &last, &LISTS_PER_USER],
            )
            .await?;
        session
            .execute(
                "UPDATE lists l SET revision = u.revision - $3 + l.revision
                 FROM user_revisions u WHERE u.user_id = l.user_id AND l.user_id BETWEEN $1 AND $2",
                &[&busy, &last, &LISTS_PER_USER],
            )
            .await?;
        session
            .execute(
                "INSERT INTO deletions (user_id, revision, task_id, deleted_at)
                 SELECT u.user_id, u.revision - $3 - n, -n, now() - n * interval '1 hour'
                 FROM user_revisions u,
                      generate_series(0, (SELECT count(*) FROM tasks t WHERE t.user_id = u.user_id) / 10) AS n
                 WHERE u.user_id BETWEEN $1 AND $2",
                &[&busy, &last, &LISTS_PER_USER],
            )
            .await?;
        session
            .execute(
                "INSERT INTO reminders (user_id, task_id, kind, planned_at, remind_at, state, created_at)
                 SELECT t.user_id, t.id, 'task', t.due_at, t.due_at, 'cancelled', t.created_at
                 FROM tasks t
                 WHERE t.user_id BETWEEN $1 AND $2 AND t.due_at IS NOT NULL AND t.revision % 10 = 1",
                &[&busy, &last],
            )
            .await?;
        session
            .execute(
                "INSERT INTO trash (task_id, user_id, revision, deleted_at, representation, snapshot)
                 SELECT -row_number() OVER (ORDER BY d.user_id, d.revision), d.user_id, d.revision, d.deleted_at, '{}', '{}'
                 FROM deletions d WHERE d.user_id BETWEEN $1 AND $2",
                &[&busy, &last],
            )
            .await?;
        const TABLES: [&str; 8] = [
            "users",
            "user_revisions",
            "lists",
            "tasks",
            "task_search",
            "deletions",
            "reminders",
            "trash",
        ];
        for table in TABLES {
            session.batch_execute(&format!("VACUUM ANALYZE {table}")).await?;
        }
        Ok(busy)
    }
}

/// Drops the indexes of the table to fill, and returns the statements that recreate them: building an index
/// from millions of search keys at once is many times faster than task by task.
async fn take_indexes(session: &Session) -> anyhow::Result<String> {
    let rows = session
        .query(
            "SELECT format('DROP INDEX %I', relname), pg_get_indexdef(oid)
             FROM pg_class JOIN pg_index ON indexrelid = oid
             WHERE indrelid IN ('tasks'::regclass, 'task_search'::regclass)
               AND oid NOT IN (SELECT conindid FROM pg_constraint)",
            &[],
        )
        .await?;
    let statements =
        |column| rows.iter().map(|row| row.get::<_, String>(column)).collect::<Vec<_>>().join("; ");
    session.batch_execute(&statements(0)).await?;
    Ok(statements(1))
}

/// Number of tasks whose search keys one statement writes.
const SEARCH_TASKS_MAX: i64 = 20_000;

/// Writes the search keys of users' tasks, as the product does.
async fn fill_search(session: &Session, first_user: i64, last_user: i64) -> anyhow::Result<()> {
    let mut after = 0_i64;
    loop {
        let rows = session
            .query(
                "SELECT id, search_text FROM tasks
                 WHERE id > $1 AND user_id BETWEEN $2 AND $3 ORDER BY id LIMIT $4",
                &[&after, &first_user, &last_user, &SEARCH_TASKS_MAX],
            )
            .await?;
        let Some(row) = rows.last() else { return Ok(()) };
        after = row.get(0);
        let ids: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        let pieces: Vec<String> = rows
            .iter()
            .map(|row| format!("{:?}", search::pieces(row.get(1))).replace(['[', ']'], ""))
            .collect();
        session
            .execute(
                "INSERT INTO task_search (task_id, keys)
                 SELECT t.id, ARRAY(SELECT search_key(t.user_id, piece::bigint)
                                    FROM unnest(string_to_array(x.pieces, ', ')) AS p (piece))
                 FROM unnest($1::bigint[], $2::text[]) AS x (id, pieces) JOIN tasks t ON t.id = x.id
                 ORDER BY t.user_id, t.id",
                &[&ids, &pieces],
            )
            .await?;
    }
}

/// $1 the first user, $2 the last user, $3 the lists of each.
const LISTS: &str = "
INSERT INTO lists (user_id, name, position, archived, created_at, updated_at, revision)
SELECT u, 'list ' || n, position_of(n), false, timestamptz '2025-01-01', timestamptz '2025-01-01', n
FROM generate_series($1::bigint, $2::bigint) AS u, generate_series(1, $3::bigint) AS n ORDER BY u, n";

/// $1 the busy user, $2 the last user, $3 the busy user's tasks, $4 those of each other user, $5 the lists of
/// each. All text is
/// plain lower-case English except for a capital, so lower() folds it.
const TASKS: &str = "
INSERT INTO tasks (user_id, title, description, status, priority, tags, tag_keys, list_id, search_text, title_key,
                   due_at, time_zone, created_at, updated_at, completed_at, revision)
SELECT x.user_id, x.title, x.description, x.status,
       (ARRAY['low', 'medium', 'high', 'urgent', NULL])[1 + x.n % 5],
       x.tags, x.tags,
       (SELECT l.id FROM lists l WHERE l.user_id = x.user_id AND l.position = position_of(x.n % ($5::bigint + 1))),
       lower(x.title) || chr(65535) || x.description, lower(x.title),
       CASE WHEN x.n % 4 > 0 THEN x.at + (x.n * 7919 % 8760) * interval '1 hour' END,
       'UTC', x.at, x.at + x.n % 60 * interval '1 second',
       CASE WHEN x.status = 'completed' THEN x.at END, x.n
FROM (
    SELECT u AS user_id, n,
           (ARRAY['Call', 'Buy', 'Write', 'Plan', 'Fix', 'Read', 'Clean', 'Send'])[1 + h % 8] || ' the '
           || (ARRAY['garden', 'report', 'kitchen', 'budget', 'roof', 'letter', 'bicycle'])[1 + h / 8 % 7]
           || ' ' || h % 9973 AS title,
           repeat((ARRAY['before the weekend, ', 'with the others, ', 'as agreed last time, '])[1 + h % 3], 1 + h % 7)
           || 'no later than ' || h % 1009 AS description,
           (ARRAY['pending', 'pending', 'in_progress', 'completed'])[1 + n % 4] AS status,
           CASE WHEN n % 3 = 0 THEN '{}'
                ELSE ARRAY['area' || n % 4, 'topic' || n % 11] END AS tags,
           timestamptz '2025-01-01' + n * interval '11 minutes' AS at
    FROM generate_series($1::bigint, $2::bigint) AS u,
         generate_series(1, greatest($3::bigint, $4::bigint)) AS n,
         LATERAL (SELECT (hashint8(u * 1000003 + n) & 2147483647) AS h) AS hash
    WHERE n <= CASE WHEN u = $1 THEN $3 ELSE $4 END
    ORDER BY n, u
) AS x";
