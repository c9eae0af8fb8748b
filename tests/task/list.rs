//! The list of tasks: order, pages, filters, search.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use rondo_domain::task::title_key;
use rondo_testkit::http::Response;
use rondo_tests::arrangement::Up;
use rondo_tests::story::{SOON, User, register};
use serde_json::{Value, json};

const TASKS: usize = 48;
const PRIORITIES: [&str; 4] = ["low", "medium", "high", "urgent"];

async fn get(user: &User, query: &str) -> Response {
    user.client.get(&format!("/api/{}/tasks?{query}", user.id)).await.expect("an answer")
}

async fn create(user: &User, task: &Value) -> Value {
    user.client.post("/api/tasks", task).await.expect("an answer").expect(201).json()
}

fn tasks(answer: Response) -> Vec<Value> {
    answer.expect(200).json().as_array().expect("an array").clone()
}

fn ids(tasks: &[Value]) -> Vec<i64> {
    tasks.iter().map(|task| task["id"].as_i64().expect("an id")).collect()
}

/// The path of the next page.
fn next(answer: &Response) -> Option<String> {
    let link = answer.header("link")?;
    let (path, relation) = link.strip_prefix('<')?.split_once('>')?;
    assert_eq!(relation, "; rel=\"next\"");
    Some(path.to_owned())
}

/// All pages of a list; a new task arrives between each of the first few.
async fn pages(user: &User, query: &str, meanwhile: Option<&Value>) -> Vec<Value> {
    let mut answer = get(user, query).await;
    let mut all = Vec::new();
    loop {
        let path = next(&answer);
        all.extend(tasks(answer));
        let Some(path) = path else { return all };
        if let Some(task) = meanwhile
            && all.len() < TASKS / 2
        {
            create(user, task).await;
        }
        answer = user.client.get(&path).await.expect("an answer");
    }
}

/// The sort key of a task; none without a value. Instants here have no fraction or six digits, so text
/// compares like time once both have the same length.
fn key(task: &Value, sort_by: &str) -> Option<String> {
    let text = task[sort_by].as_str()?;
    Some(match sort_by {
        "priority" => PRIORITIES.iter().position(|p| *p == text).expect("a priority").to_string(),
        "title" => title_key(text),
        _ => {
            let (seconds, fraction) = text
                .trim_end_matches('Z')
                .split_once('.')
                .unwrap_or((text.trim_end_matches('Z'), ""));
            format!("{seconds}.{fraction:0<6}")
        }
    })
}

fn sorted(tasks: &[Value], sort_by: &str, descending: bool) -> Vec<i64> {
    let mut tasks = tasks.to_vec();
    tasks.sort_by(|a, b| {
        let (id_a, id_b) = (a["id"].as_i64(), b["id"].as_i64());
        let order = match (key(a, sort_by), key(b, sort_by)) {
            (Some(a), Some(b)) => (a, id_a).cmp(&(b, id_b)),
            // Tasks without a value come last in both directions.
            (None, Some(_)) => return Ordering::Greater,
            (Some(_), None) => return Ordering::Less,
            (None, None) => id_a.cmp(&id_b),
        };
        if descending { order.reverse() } else { order }
    });
    ids(&tasks)
}

async fn fill(user: &User) {
    for n in 0..TASKS {
        let mut task = json!({"title": format!("{} {}", ["beta", "Alpha", "gamma"][n % 3], n % 5)});
        if n % 4 > 0 {
            task["due_date"] = json!(format!("2031-01-0{}T00:00:00Z", 1 + n * 7 % 9));
        }
        if n % 5 > 0 {
            task["priority"] = json!(PRIORITIES[n * 3 % 4]);
        }
        if n % 2 > 0 {
            task["tags"] = json!(["Odd", format!("m{}", n % 3)]);
        }
        if n % 7 == 0 {
            task["status"] = json!("in_progress");
        }
        create(user, &task).await;
    }
    let all = tasks(get(user, "limit=500").await);
    for task in all.iter().step_by(6) {
        let path = format!("/api/tasks/{}", task["id"]);
        let change = json!({"description": "changed"});
        user.client.patch(&path, &change).await.expect("an answer").expect(200);
    }
}

/// `filter` is part of a query, with an ampersand before it.
async fn order_and_pages(user: &User, filter: &str) {
    let known = &tasks(get(user, &format!("limit=500{filter}")).await);
    assert!(known.len() > TASKS / 4, "too few to tell");
    let known_ids: BTreeSet<i64> = ids(known).into_iter().collect();
    for sort_by in ["created_at", "updated_at", "due_date", "priority", "title"] {
        for order in ["asc", "desc"] {
            let expected = sorted(known, sort_by, order == "desc");
            let query = format!("sort_by={sort_by}&sort_order={order}{filter}");
            // Among the tasks being read, before them and after them; with a value and without.
            for meanwhile in [
                json!({"title": "aaa", "tags": ["new"]}),
                json!({"title": "gamma 2", "due_date": "2031-01-05T00:00:00Z", "priority": "high"}),
            ] {
                let found = pages(user, &format!("{query}&limit=7"), Some(&meanwhile)).await;
                let found = ids(&found);
                let distinct: BTreeSet<i64> = found.iter().copied().collect();
                assert_eq!(distinct.len(), found.len(), "{query} gave a task twice");
                let found: Vec<i64> =
                    found.into_iter().filter(|id| known_ids.contains(id)).collect();
                assert_eq!(found, expected, "{query}");
            }
            let all = tasks(get(user, &format!("{query}&limit=500")).await);
            let all = sorted(&all, sort_by, order == "desc");
            let some = tasks(get(user, &format!("{query}&limit=9&offset=5")).await);
            assert_eq!(ids(&some), all[5..14], "{query} with an offset");
            let rest = pages(user, &format!("{query}&limit=200&offset=5"), None).await;
            assert_eq!(ids(&rest), all[5..], "{query} from an offset on");
        }
    }
}

/// Titles that fold to something else, to nothing, or to more than the sort key's length.
async fn titles(user: &User) {
    let long = "ﷺ".repeat(200);
    for title in ["Zebra", "Straße", "STRASSE", "Öl", "olive", "\u{301}", "東京", &long, &long, "a"]
    {
        create(user, &json!({"title": title, "description": "told by titles"})).await;
    }
    for filter in ["", "&search=told%20by%20titles"] {
        let known = tasks(get(user, &format!("limit=500{filter}")).await);
        for order in ["asc", "desc"] {
            let query = format!("sort_by=title&sort_order={order}&limit=1{filter}");
            let found = ids(&pages(user, &query, None).await);
            assert_eq!(found, sorted(&known, "title", order == "desc"), "{query}");
        }
    }
}

async fn filters(user: &User) {
    let all = tasks(get(user, "limit=500").await);
    let has_tag = |task: &Value, tag: &str| {
        task["tags"].as_array().is_some_and(|tags| tags.iter().any(|t| t == tag))
    };
    let due = |task: &Value| task["due_date"].as_str().map(|due| due[..10].to_owned());
    type Filter<'a> = &'a dyn Fn(&Value) -> bool;
    let table: [(&str, Filter<'_>); 17] = [
        ("", &|_| true),
        ("status=pending", &|t| t["status"] == "pending"),
        ("status=in_progress,completed", &|t| t["status"] == "in_progress"),
        ("status=in_progress&status=pending", &|_| true),
        ("priority=low,urgent", &|t| t["priority"] == "low" || t["priority"] == "urgent"),
        ("tags=ODD", &|t| has_tag(t, "Odd")),
        ("tags=m1&tags=M2", &|t| has_tag(t, "m1") || has_tag(t, "m2")),
        ("tags_all=odd,m1", &|t| has_tag(t, "Odd") && has_tag(t, "m1")),
        ("tags_all=m1,m2", &|_| false),
        ("has_due_date=true", &|t| due(t).is_some()),
        ("has_due_date=false", &|t| due(t).is_none()),
        ("due_date_start=2031-01-03T00:00:00Z&due_date_end=2031-01-05T00:00:00%2B00:00", &|t| {
            due(t).is_some_and(|d| ("2031-01-03"..="2031-01-05").contains(&d.as_str()))
        }),
        ("due_date_end=2031-01-02", &|t| due(t).is_some_and(|d| *d <= *"2031-01-02")),
        ("search=alpha%203", &|t| t["title"] == "Alpha 3"),
        ("search=nowhere%20to%20be%20found", &|_| false),
        ("search=CHANGED&status=pending", &|t| {
            t["description"] == "changed" && t["status"] == "pending"
        }),
        ("parent_task_id=7", &|_| false),
    ];
    for (query, is_wanted) in table {
        let wanted: Vec<Value> = all.iter().filter(|task| is_wanted(task)).cloned().collect();
        let answer = get(user, &format!("{query}&limit=500&count=true")).await;
        let count = answer.header("x-total-count").map(str::to_owned);
        assert_eq!(ids(&tasks(answer)), ids(&wanted), "{query}");
        assert_eq!(count, Some(wanted.len().to_string()), "{query}");
        // The same on every page, including empty ones.
        let first = get(user, &format!("{query}&limit=1&count=true")).await;
        if let Some(path) = next(&first) {
            let second = user.client.get(&path).await.expect("an answer");
            assert_eq!(second.header("x-total-count"), count.as_deref(), "{path}");
        }
        let past = get(user, &format!("{query}&limit=5&offset=1000&count=true")).await;
        assert_eq!(past.header("x-total-count"), count.as_deref(), "{query} past the end");
        assert!(tasks(past).is_empty(), "{query} past the end");
        assert_eq!(ids(&pages(user, &format!("{query}&limit=5"), None).await), ids(&wanted));
    }
    let middle = all[all.len() / 2]["updated_at"].as_str().expect("an instant").to_owned();
    let since = tasks(get(user, &format!("updated_since={middle}&limit=500")).await);
    assert!(!since.is_empty() && since.len() < all.len());
    assert!(since.iter().all(|t| key(t, "updated_at") >= key(&all[all.len() / 2], "updated_at")));
    assert!(get(user, "").await.header("x-total-count").is_none());
    let filter = user.client.get("/api/tasks/filter?priority=low&limit=500").await;
    assert!(tasks(filter.expect("an answer")).iter().all(|task| task["priority"] == "low"));
}

/// Dates in the filter of due dates are the user's local days.
async fn days(user: &User) {
    for hour in [
        "2031-03-29T22:59:59Z",
        "2031-03-29T23:00:00Z",
        "2031-03-30T12:00:00Z",
        "2031-03-30T21:59:59.999999Z",
        "2031-03-30T22:00:00Z",
    ] {
        create(user, &json!({"title": hour, "due_date": hour})).await;
    }
    let zones = [
        // A day of 23 hours there.
        ("Europe/Paris", [1, 4, 3]),
        ("UTC", [2, 5, 3]),
        ("Asia/Kathmandu", [0, 3, 3]),
        ("America/New_York", [2, 5, 3]),
    ];
    for (zone, [before, until, on]) in zones {
        let me = user.client.patch("/api/auth/me", &json!({"time_zone": zone})).await;
        me.expect("an answer").expect(200);
        let found = async |query: &str| tasks(get(user, query).await).len();
        let day = "due_date_start=2031-03-30&due_date_end=2031-03-30";
        assert_eq!(found("due_date_end=2031-03-29").await, before, "before, in {zone}");
        assert_eq!(found("due_date_end=2031-03-30").await, until, "until, in {zone}");
        assert_eq!(found(day).await, on, "on, in {zone}");
        // All pages use the same day.
        assert_eq!(pages(user, &format!("{day}&limit=1"), None).await.len(), on, "{zone}");
    }
}

/// Percent-encodes text for a query (RFC 3986).
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn search(user: &User) {
    for (title, description) in [
        ("Straße", Some("Tee im\nCafé")),
        ("STRASSE 2", None),
        ("İstanbul", None),
        ("東京タワー", None),
        ("👩‍💻 code", None),
        (r#"100% a_b "q" 'r' back\slash"#, None),
        ("ΌΔΟΣ", Some("ends in")),
    ] {
        create(user, &json!({"title": title, "description": description})).await;
    }
    for (phrase, expected) in [
        ("strasse", 2),
        ("STRAßE", 2),
        ("cafe", 1),
        ("CAFÉ", 1),
        ("tee im\ncaf", 1),
        ("istanbul", 1),
        ("İSTANBUL", 1),
        ("京タ", 1),
        ("東", 1),
        ("👩", 1),
        ("%", 1),
        ("a_b", 1),
        ("a_", 1),
        ("_%", 0),
        ("\"q\"", 1),
        ("'r'", 1),
        ("\\", 1),
        ("k\\s", 1),
        ("όδος", 1),
        ("στ", 0),
        // A phrase matches within the title or within the description, not across both.
        ("strasse tee", 0),
        ("straßetee", 0),
        ("σends", 0),
        ("", 7),
        (&"x".repeat(200), 0),
    ] {
        let found = tasks(get(user, &format!("search={}", escaped(phrase))).await);
        assert_eq!(found.len(), expected, "{phrase:?} found {found:?}");
    }
}

/// Search matches the current text, however it was written.
async fn search_follows(user: &User) {
    let found = async |phrase: &str| {
        ids(&tasks(get(user, &format!("search={}", escaped(phrase))).await)).len()
    };
    let task = create(user, &json!({"title": "Water the roses", "recurrence_pattern": "daily", "due_date": "2031-01-01T09:00:00Z"})).await;
    let path = format!("/api/tasks/{}", task["id"]);
    assert_eq!((found("the roses").await, found("tulips").await), (1, 0));
    user.client
        .patch(&path, &json!({"title": "Water the tulips"}))
        .await
        .expect("an answer")
        .expect(200);
    assert_eq!((found("the roses").await, found("tulips").await), (0, 1));
    user.client.patch(&path, &json!({"title": "Hm"})).await.expect("an answer").expect(200);
    assert_eq!(found("tulips").await, 0);
    user.client
        .patch(&path, &json!({"title": "Water", "description": "all the tulips"}))
        .await
        .expect("an answer")
        .expect(200);
    assert_eq!(found("tulips").await, 1);
    // Its successor is found too: after completion, and after deletion of one occurrence.
    user.client.post(&format!("{path}/complete"), &json!({})).await.expect("an answer").expect(200);
    let pending = async |count: usize, what: &str| {
        rondo_testkit::wait::eventually(what, SOON, async || {
            let list = tasks(get(user, "search=the%20tulips&status=pending").await);
            if list.len() == count { Ok(list) } else { Err(format!("{list:?}")) }
        })
        .await
    };
    let successor = pending(1, "the successor").await[0].clone();
    let path = format!("/api/tasks/{}", successor["id"]);
    user.client.delete(&path).await.expect("an answer").expect(204);
    let next = pending(1, "the successor of what was deleted").await[0].clone();
    assert_ne!(next["id"], successor["id"]);
    user.client
        .delete(&format!("/api/tasks/{}?scope=all", next["id"]))
        .await
        .expect("an answer")
        .expect(204);
    assert_eq!(found("tulips").await, 1);
}

/// A phrase with more candidates than are checked one by one.
async fn frequent(user: &User) {
    const TASKS: usize = 1_010;
    for n in 0..TASKS {
        create(user, &json!({"title": format!("Peel potato {n}")})).await;
    }
    let answer = get(user, "search=potato&count=true&limit=500").await;
    assert_eq!(answer.header("x-total-count"), Some("1010"));
    assert_eq!(pages(user, "search=potato&limit=500", None).await.len(), TASKS);
    assert_eq!(tasks(get(user, "search=potato%201009").await).len(), 1);
}

async fn every_fault_is_named(user: &User) {
    for (query, expected) in [
        ("limit=0&lmit=1", &["?limit", "?lmit"] as &[&str]),
        ("limit=501", &["?limit"]),
        ("offset=-1", &["?offset"]),
        ("status=done", &["?status"]),
        ("tags=", &["?tags"]),
        ("sort_by=color&sort_order=up", &["?sort_by", "?sort_order"]),
        ("cursor=abc", &["?cursor"]),
        ("count=1", &["?count"]),
        ("has_due_date=", &["?has_due_date"]),
        ("due_date_start=2031-02-30", &["?due_date_start"]),
        ("search=%00", &["?search"]),
        ("search=a&search=b", &["?search"]),
    ] {
        let problem = get(user, query).await.expect(422).json();
        let errors = problem["errors"].as_array().expect("errors");
        let mut found: Vec<_> = errors.iter().filter_map(|e| e["pointer"].as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{query}");
    }
    // A cursor applies only to its own order.
    let path = next(&get(user, "limit=1&sort_by=title").await).expect("a next page");
    let foreign = path.replace("sort_by=title", "sort_by=priority");
    assert_eq!(user.client.get(&foreign).await.expect("an answer").status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_follow_the_contract() {
    let mut up = Up::start("task-list", &[("RATE_LIMITS", "off".to_owned())]).await;
    let user = register(&up.http(), "list@example.org").await;
    fill(&user).await;
    order_and_pages(&user, "").await;
    // Found by the search index, and sorted.
    order_and_pages(&user, "&search=gamma").await;
    filters(&user).await;
    days(&register(&up.http(), "days@example.org").await).await;
    titles(&register(&up.http(), "titles@example.org").await).await;
    every_fault_is_named(&user).await;
    search(&register(&up.http(), "search@example.org").await).await;
    search_follows(&register(&up.http(), "follow@example.org").await).await;
    frequent(&register(&up.http(), "frequent@example.org").await).await;
    up.stop().await;
}
