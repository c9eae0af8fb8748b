//! Requests as they are sent, for each user their own.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::stage::Stage;

/// The page that is measured.
pub const LIST: &str = "/api/tasks?limit=20";
/// Where tasks are created.
pub const CREATE: &str = "/api/tasks";

/// What users do, in turn.
const MIX: [&str; 10] =
    ["list", "list", "filter", "list", "create", "list", "search", "list", "list", "tags"];

/// What the user with many tasks asks for. The population's titles are a verb, a thing and a number
/// below 9,973, its descriptions end in one below 1,009.
const BUSY: [(&str, &str); 10] = [
    ("search, many finds", "search=garden"),
    ("search, few finds", "search=last+time%2C+no+later+than+100"),
    ("search, no find", "search=nowhere+to+be+found"),
    ("search, 2 letters, no find", "search=qx"),
    ("search and filters", "search=report&status=pending&priority=high"),
    ("filter by status and priority", "status=in_progress&priority=urgent"),
    ("filter by tags", "tags_all=area1,topic5"),
    ("filter by due date", "due_date_start=2025-06-01&due_date_end=2025-06-02"),
    ("filter, no find", "status=pending&tags=nothing"),
    ("sorted by due date", "sort_by=due_date&sort_order=asc"),
];

/// What the load program reads: requests of several kinds, and how they are mixed.
pub struct Plan {
    kinds: BTreeMap<&'static str, Vec<String>>,
    mix: Vec<&'static str>,
}

impl Plan {
    /// One kind of request, for all users.
    pub fn single(stage: &Stage, kind: &'static str) -> Self {
        let requests = stage.ids().map(|user| request(stage, user, kind)).collect();
        Self { kinds: BTreeMap::from([(kind, requests)]), mix: vec![kind] }
    }

    /// What users do; more of them than there are accounts share these.
    pub fn users(stage: &Stage, count: usize) -> Self {
        let mut kinds = BTreeMap::new();
        for kind in MIX {
            kinds.entry(kind).or_insert_with(|| {
                stage.ids().take(count).map(|user| request(stage, user, kind)).collect()
            });
        }
        Self { kinds, mix: MIX.to_vec() }
    }

    /// What the user with many tasks looks for.
    pub fn busy_user(stage: &Stage) -> Self {
        let get = |query: &str| get(stage, stage.busy, &format!("/api/tasks?limit=20&{query}"));
        let kinds = BUSY.iter().map(|(kind, query)| (*kind, vec![get(query)])).collect();
        Self { kinds, mix: BUSY.iter().map(|(kind, _)| *kind).collect() }
    }

    pub fn to_json(&self) -> Value {
        json!({"kinds": self.kinds, "mix": self.mix})
    }
}

/// A task as clients create them.
pub fn task() -> Value {
    json!({
        "title": "Prepare the quarterly report", "description": "With the figures of all branches",
        "priority": "high", "tags": ["reports", "work"], "due_date": "2031-01-01T08:00:00Z",
    })
}

fn request(stage: &Stage, user: i64, kind: &str) -> String {
    match kind {
        "list" => get(stage, user, LIST),
        "filter" => {
            get(stage, user, "/api/tasks?status=pending,in_progress&priority=high&limit=20")
        }
        "search" => get(stage, user, "/api/tasks?search=kitchen&limit=20"),
        "tags" => get(stage, user, "/api/tags"),
        _ => {
            let body = task().to_string();
            let head = head(stage, user, "POST", CREATE);
            let length = body.len();
            format!(
                "{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
            )
        }
    }
}

fn get(stage: &Stage, user: i64, target: &str) -> String {
    format!("{}\r\n", head(stage, user, "GET", target))
}

/// Without the empty line at its end.
fn head(stage: &Stage, user: i64, method: &str, target: &str) -> String {
    let token = stage.token(user);
    format!("{method} {target} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n")
}
