//! Law: a statement touches no rows of other users, and does not sort what an index gives in order.
//!
//! Every reading statement of the task API runs with the component's role on a large database, once with a
//! custom plan and once with the generic plan.

use rondo_database::{Role, Session};
use rondo_domain::search;
use rondo_testkit::database::TestDatabase;
use rondo_testkit::population::{LISTS_PER_USER, Population};
use rondo_tests::source::{files, text};
use serde_json::Value;
use tokio_postgres::SimpleQueryMessage;

const LIMIT: i64 = 20;
/// Rows that a page may read in addition: the one that shows whether there are more, in each of two parts.
const BESIDES: i64 = LIMIT + 4;

/// Every tenth task is the subtask of another one of its user's, and blocked by it.
const STEPS: &str = "
    UPDATE tasks t SET subtask_of = p.id, blocked_by = ARRAY[p.id], is_blocked = true
    FROM (SELECT id, lag(id) OVER (PARTITION BY user_id ORDER BY id) AS above FROM tasks) x JOIN tasks p ON p.id = x.above
    WHERE x.id = t.id AND t.id % 10 = 0;
    UPDATE tasks p SET subtasks_total = 1 FROM tasks t WHERE t.subtask_of = p.id;
    ANALYZE tasks";

/// The arguments of a statement, and its limits.
struct Case {
    statement: &'static str,
    arguments: String,
    /// Maximum number of rows read of a table, filtered ones included.
    rows_max: i64,
    /// Maximum number of rows sorted.
    sorted_max: i64,
}

/// The rows read and the rows sorted by one execution.
#[derive(Debug, Default)]
struct Work {
    read: i64,
    sorted: i64,
    /// Accesses to a table that may read other users' rows.
    astray: Vec<String>,
}

impl Work {
    fn of(plan: &Value) -> Self {
        let mut work = Self::default();
        work.add(plan);
        work
    }

    fn add(&mut self, node: &Value) {
        let number = |name: &str| node[name].as_f64().unwrap_or(0.0);
        #[expect(clippy::cast_possible_truncation, reason = "rows are few")]
        let rows = |name: &str| (number(name) * number("Actual Loops")).round() as i64;
        let kind = node["Node Type"].as_str().unwrap_or_default();
        if kind.ends_with("Sort") {
            self.sorted = self.sorted.max(rows("Actual Rows"));
        }
        if let Some(table) = node["Relation Name"].as_str() {
            self.read += rows("Actual Rows")
                + rows("Rows Removed by Filter")
                + rows("Rows Removed by Index Recheck");
            let by_index = ["Index Cond", "Recheck Cond"].iter().any(|name| {
                let condition = node[*name].as_str().unwrap_or_default();
                // By its own key, by that of its task or series, or by keys of text pieces, which contain the
                // user's id.
                let keys = [
                    "(keys @> ",
                    "(id = ",
                    "(task_id = ",
                    "(series_id = ",
                    "(predecessor_task_id = ",
                ];
                condition.contains("user_id = ") || keys.iter().any(|key| condition.contains(key))
            });
            if !by_index {
                self.astray.push(format!("{kind} on {table}"));
            }
        }
        for child in node["Plans"].as_array().into_iter().flatten() {
            self.add(child);
        }
    }
}

/// Runs a statement and measures its work.
async fn run(session: &Session, case: &Case, mode: &str) -> Work {
    let path = format!("crates/task/src/sql/{}.sql", case.statement);
    let batch = format!(
        "DEALLOCATE ALL; SET plan_cache_mode = {mode}; PREPARE law AS {}",
        text(std::path::Path::new(&path))
    );
    session.batch_execute(&batch).await.unwrap_or_else(|error| panic!("{path}: {error:?}"));
    let explain = format!("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE law({})", case.arguments);
    let rows =
        session.simple_query(&explain).await.unwrap_or_else(|error| panic!("{path}: {error:?}"));
    let plan = rows.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    let plan: Value = serde_json::from_str(plan.expect("a plan")).expect("JSON");
    Work::of(&plan[0]["Plan"])
}

/// The lists in all orders: without filters, continued after a cursor, and with each filter.
fn lists(user: i64, tasks: i64) -> Vec<Case> {
    // Without a filter, tasks that have not started are left out.
    const NONE: [&str; 15] = [
        "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL",
        "NULL", "NULL", "false", "'false'",
    ];
    let filtered = |place: usize, value: &'static str| {
        let mut filters = NONE;
        filters[place] = value;
        filters.join(", ")
    };
    // In the order of $2 to $16.
    let filters = [
        filtered(0, "'the roof'"),
        filtered(0, "'no such thing'"),
        filtered(1, "'{completed}'"),
        filtered(2, "'{urgent}'"),
        filtered(3, "'{area1,topic3}'"),
        filtered(4, "'{area1,topic3}'"),
        filtered(5, "'2026-01-01T00:00:00Z'"),
        filtered(6, "'2025-02-01T00:00:00Z'"),
        filtered(7, "false"),
        filtered(8, "7"),
        filtered(9, "'2025-03-01T00:00:00Z'"),
        filtered(10, "2"),
        filtered(10, "0"),
        filtered(11, "7"),
        filtered(12, "true"),
        filtered(12, "false"),
        filtered(13, "true"),
        filtered(14, "'only'"),
        filtered(14, "'true'"),
    ];
    let orders = [
        ("created_at", "'2025-02-01T00:00:00Z'"),
        ("updated_at", "'2025-02-01T00:00:00Z'"),
        ("due_date", "'2025-06-01T00:00:00Z'"),
        ("priority", "'2'"),
        ("title", "'fix the roof 4711'"),
        ("position", "'a00000000002000'"),
    ];
    let mut cases = Vec::new();
    for (sort_by, key) in orders {
        for (statement, id) in [
            (format!("tasks_by_{sort_by}_asc").leak() as &str, 1),
            (format!("tasks_by_{sort_by}_desc").leak(), i64::MAX),
        ] {
            let mut case = |arguments: String, rows_max: i64| {
                let sorted_max = 2 * BESIDES;
                cases.push(Case { statement, arguments, rows_max, sorted_max });
            };
            let none = NONE.join(", ");
            // In two parts, with and without a value; each may read as much as a page.
            case(format!("{user}, {none}, NULL, NULL, {LIMIT}, 0"), 2 * BESIDES);
            case(format!("{user}, {none}, {key}, {id}, {LIMIT}, 0"), 2 * BESIDES);
            for filter in &filters {
                case(format!("{user}, {filter}, NULL, NULL, {LIMIT}, 0"), tasks);
            }
        }
    }
    for filter in filters {
        let arguments = format!("{user}, {filter}");
        for (statement, rest) in [("tasks_estimate", "NULL"), ("tasks_count_some", "NULL, 1000")] {
            let arguments = format!("{arguments}, {rest}");
            cases.push(Case { statement, arguments, rows_max: tasks, sorted_max: 0 });
        }
        cases.push(Case { statement: "tasks_count", arguments, rows_max: tasks, sorted_max: 0 });
    }
    cases
}

/// The pieces of a phrase, as a Postgres array.
fn pieces(phrase: &str) -> String {
    format!("{:?}", search::pieces(phrase)).replace('[', "{").replace(']', "}")
}

fn others(user: i64, tasks: i64) -> Vec<Case> {
    let case = |statement, arguments: &str, rows_max, sorted_max| Case {
        statement,
        arguments: format!("{user}, {arguments}"),
        rows_max,
        sorted_max,
    };
    let by_user = |statement, rows_max, sorted_max| Case {
        statement,
        arguments: user.to_string(),
        rows_max,
        sorted_max,
    };
    let found = |sort_by, after, ascending: bool| {
        let ids = "'{1,2002,4003,7}'";
        let rest = format!(
            "'fix', {}, 'false', {after}, {LIMIT}, 0, {ids}, '{sort_by}', {ascending}",
            ["NULL"; 13].join(", ")
        );
        case("tasks_found", &rest, 4, 4)
    };
    vec![
        // Tasks, lists and tombstones, and one row each of revision and horizon.
        case("changes", &format!("0, {LIMIT}"), 3 * BESIDES, 3 * BESIDES),
        case("changes", &format!("9900, {LIMIT}"), 3 * BESIDES, 3 * BESIDES),
        case("lists", &format!("NULL, NULL, {LIMIT}"), LISTS_PER_USER, BESIDES),
        case("lists", &format!("false, 'a0', {LIMIT}"), LISTS_PER_USER, BESIDES),
        case("list", "1", 1, 0),
        case("trash", &format!("NULL, {LIMIT}, 30"), BESIDES, BESIDES),
        case("trash", &format!("9000, {LIMIT}, 30"), BESIDES, BESIDES),
        // Candidates of a phrase are checked one by one.
        case("search", &format!("'{}', 1001", pieces("fix the roof")), tasks / 20, 0),
        case("search", &format!("'{}', 1001", pieces("no later than")), 1_001, 0),
        case("search", &format!("'{}', 1001", pieces("no such thing")), 0, 0),
        found("created_at", "NULL, NULL", true),
        found("due_date", "'2025-06-01T00:00:00Z', 1", false),
        found("priority", "NULL, 1", true),
        found("title", "'fix the roof 4711', 1", true),
        found("position", "'a00000000002000', 1", false),
        case("task_move_read", "1, NULL, true, NULL, NULL, NULL, NULL", 4, 0),
        case("task_move_read", "1, 2002, true, 2, NULL, NULL, NULL", 6, 0),
        case("task_move_read", "1, 2002, false, NULL, NULL, NULL, NULL", 6, 0),
        case("tasks_beneath", "'{1,2002,4003,7}'", 40, 40),
        case("tasks_of_task", "7", 20, 0),
        case("task_window", "'a00000000002000', 50", 102, 102),
        case("list_move_read", "1, NULL, true, NULL, NULL, NULL", 4, 0),
        case("list_move_read", "1, 2, false, NULL, NULL, NULL", 6, 0),
        by_user("list_names", LISTS_PER_USER, LISTS_PER_USER),
        case("list_window", "'a00000000000002', 50", LISTS_PER_USER + 2, LISTS_PER_USER),
        // Each tag of each task is counted.
        by_user("tags", tasks, 3 * tasks),
        case("tag_name", "'area1'", tasks, tasks),
        // A user has few reminders, so reading and sorting all of them is allowed.
        case("reminders", &format!("NULL, NULL, NULL, NULL, {LIMIT}"), tasks / 4, BESIDES),
        case("reminders", &format!("'{{armed}}', NULL, NULL, NULL, {LIMIT}"), tasks / 4, BESIDES),
        case("task", "1", 1, 0),
        case("task_with_uid", "'none'", 1, 0),
        case("task_for_change", "1, NULL, NULL, NULL", 4, 4),
        case("task_series", "1", 4, 4),
        case("reminder_time_zone", "1", 2, 0),
        case("reminder_for_link", "1", 2, 0),
    ]
}

#[tokio::test]
async fn no_list_reads_or_sorts_more_than_needed() {
    let database = TestDatabase::new().await;
    let population = Population::default();
    let filling = database.session().await;
    let user = population.fill(&filling).await.expect("a population");
    filling.batch_execute(STEPS).await.expect("steps");
    let session = database.session_as(Role::TaskApi).await;
    let tasks = population.busy_user_tasks;
    let cases: Vec<Case> = lists(user, tasks).into_iter().chain(others(user, tasks)).collect();
    let mut broken = Vec::new();
    for case in &cases {
        for mode in ["force_custom_plan", "force_generic_plan"] {
            let work = run(&session, case, mode).await;
            if work.read > case.rows_max || work.sorted > case.sorted_max || !work.astray.is_empty()
            {
                broken.push(format!("{}({}), {mode}: {work:?}", case.statement, case.arguments));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    // Reading statements are checked here; writing ones are function calls.
    let seen = |path: &std::path::Path| {
        cases.iter().any(|case| path.ends_with(format!("{}.sql", case.statement)))
    };
    let unseen: Vec<_> = files("sql")
        .into_iter()
        .filter(|path| path.starts_with("crates/task") && !seen(path))
        .filter(|path| {
            ["tasks", "lists", "reminders", "trash"]
                .iter()
                .any(|table| text(path).contains(&format!("FROM {table}")))
        })
        .collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}

/// The check can fail: for a statement that reads all users' rows, and for one that sorts them.
#[tokio::test]
async fn a_bad_plan_is_noticed() {
    let database = TestDatabase::new().await;
    let population = Population { users: 20, tasks_per_user: 50, busy_user_tasks: 500 };
    let session = database.session().await;
    let user = population.fill(&session).await.expect("a population");
    let explain = async |sql: &str| {
        let rows = session
            .simple_query(&format!("EXPLAIN (ANALYZE, FORMAT JSON) {sql}"))
            .await
            .expect("a plan");
        let plan = rows.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        let plan: Value = serde_json::from_str(plan.expect("a plan")).expect("JSON");
        Work::of(&plan[0]["Plan"])
    };
    let everybody = explain("SELECT id FROM tasks WHERE title LIKE 'Fix%'").await;
    assert!(everybody.read >= 1_500 && !everybody.astray.is_empty(), "{everybody:?}");
    let sorted = explain(&format!(
        "SELECT id FROM tasks WHERE user_id = {user} ORDER BY md5(title) LIMIT 5"
    ))
    .await;
    assert!(sorted.read >= 500, "{sorted:?}");
}
