//! Saved filters: their life, the tasks that they find, and days that are counted from today.

use http::Method;
use rondo_contract::filter_body::FILTERS_MAX;
use rondo_testkit::http::Response;
use rondo_tests::stage::Stage;
use rondo_tests::story::{self, User};
use serde_json::{Value, json};

async fn get(user: &User, path: &str) -> Value {
    user.client.get(path).await.expect("an answer").expect(200).json()
}

async fn post(user: &User, path: &str, body: &Value) -> Response {
    user.client.post(path, body).await.expect("an answer")
}

fn titles(tasks: &Value) -> Vec<&str> {
    let tasks = tasks.as_array().expect("tasks").iter();
    tasks.map(|task| task["title"].as_str().expect("a title")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_filter() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let wanted =
        json!({"name": "Home", "icon": "🏠", "query": "tags=home&sort_by=title&sort_order=asc"});
    let made = post(&user, "/api/filters", &wanted).await.expect(201);
    let filter = made.json();
    let path = format!("/api/filters/{}", filter["id"]);
    assert_eq!(
        made.header("location"),
        Some(format!("/api/{}/filters/{}", user.id, filter["id"]).as_str())
    );
    assert_eq!(made.header("etag"), Some("\"1\""));
    assert_eq!(get(&user, &path).await, filter);
    assert_eq!(get(&user, "/api/filters").await, json!([filter]));

    let client = &user.client;
    let patched = client.patch(&path, &json!({"name": "House", "icon": null})).await;
    let patched = patched.expect("an answer").expect(200).json();
    assert_eq!((&patched["name"], &patched["icon"]), (&json!("House"), &Value::Null));
    assert_eq!((&patched["query"], &patched["version"]), (&wanted["query"], &json!(2)));
    // What changes nothing is no new version.
    let again = client.patch(&path, &json!({"name": "House"})).await.expect("an answer");
    assert_eq!(again.expect(200).json(), patched);
    let replace = |tag: &'static str| {
        client.request(Method::PUT, &path).header("if-match", tag).json(&wanted).send()
    };
    replace("\"1\"").await.expect("an answer").expect(412);
    assert_eq!(replace("\"2\"").await.expect("an answer").expect(200).json()["version"], 3);
    let known = client.request(Method::GET, &path).header("if-none-match", "\"3\"").send();
    known.await.expect("an answer").expect(304);

    client.delete(&path).await.expect("an answer").expect(204);
    client.get(&path).await.expect("an answer").expect(404);
    client.delete(&path).await.expect("an answer").expect(404);
    assert_eq!(get(&user, "/api/filters").await, json!([]));
    // They are no part of the feed.
    assert_eq!(get(&user, "/api/changes").await["revision"], 0);
    assert!(stage.events().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_finds_what_its_query_does_now() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let [soon, later] = [story::from_now(3 * 86_400), story::from_now(20 * 86_400)];
    for task in [
        json!({"title": "b", "due_date": soon, "estimate": 10}),
        json!({"title": "a", "due_date": story::from_now(0), "estimate": 5}),
        json!({"title": "c", "due_date": later}),
        json!({"title": "d"}),
    ] {
        post(&user, "/api/tasks", &task).await.expect(201);
    }
    let filter = async |query: &str| {
        let filter = json!({"name": "f", "query": query});
        let id = post(&user, "/api/filters", &filter).await.expect(201).json()["id"].clone();
        format!("/api/filters/{id}/tasks")
    };
    let week = filter("due_date_start=today&due_date_end=%2B7d&sort_by=title&sort_order=asc").await;
    let all = filter("").await;
    assert_eq!(titles(&get(&user, &week).await), ["a", "b"]);
    let page = user.client.get(&format!("{week}?limit=1&count=true&total_estimate=true")).await;
    let page = page.expect("an answer").expect(200);
    assert_eq!(
        (page.header("x-total-count"), page.header("x-total-estimate")),
        (Some("2"), Some("15"))
    );
    let next =
        page.header("link").expect("a link")[1..].split_once('>').expect("a link").0.to_owned();
    assert_eq!(titles(&get(&user, &next).await), ["b"]);
    assert_eq!(get(&user, &all).await.as_array().map(Vec::len), Some(4));
    for (query, count) in [
        ("search=zzz+zzz", 0),
        ("uid=none", 0),
        ("due_date_start=%2B2w", 1),
        ("due_date_end=-1d", 0),
    ] {
        assert_eq!(
            get(&user, &filter(query).await).await.as_array().map(Vec::len),
            Some(count),
            "{query}"
        );
        assert_eq!(
            get(&user, &format!("/api/tasks?{query}")).await.as_array().map(Vec::len),
            Some(count)
        );
    }
    let counts = get(&user, "/api/filters?count=true").await;
    let counts: Vec<_> =
        counts.as_array().expect("filters").iter().map(|filter| &filter["count"]).collect();
    assert_eq!(counts, [2, 4, 0, 0, 1, 0]);
    // The query is the filter's; a request chooses a part.
    let refused = user.client.get(&format!("{week}?status=pending")).await.expect("an answer");
    assert_eq!(refused.expect(422).json()["errors"][0]["pointer"], "?status");
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_are_checked_limited_and_of_their_user() {
    let stage = Stage::new().await;
    let [user, other] = [stage.user("ada@example.org").await, stage.user("bob@example.org").await];
    for query in ["status=eaten", "limit=3", "colour=red", "due_date_end=someday"] {
        let problem = post(&user, "/api/filters", &json!({"name": "f", "query": query})).await;
        assert_eq!(problem.expect(422).json()["errors"][0]["pointer"], "/query", "{query}");
    }
    let theirs =
        post(&other, "/api/filters", &json!({"name": "f", "query": ""})).await.expect(201).json();
    let path = format!("/api/filters/{}", theirs["id"]);
    user.client.get(&path).await.expect("an answer").expect(404);
    user.client.get(&format!("{path}/tasks")).await.expect("an answer").expect(404);
    user.client.patch(&path, &json!({"name": "g"})).await.expect("an answer").expect(404);
    user.client.delete(&path).await.expect("an answer").expect(404);
    user.client.get(&format!("/api/{}/filters", other.id)).await.expect("an answer").expect(403);

    let make = || user.client.request(Method::POST, "/api/filters").header("idempotency-key", "k");
    let body = json!({"name": "once", "query": ""});
    let first = make().json(&body).send().await.expect("an answer").expect(201);
    let second = make().json(&body).send().await.expect("an answer").expect(201);
    assert_eq!(
        (first.json(), second.header("idempotency-replayed")),
        (second.json(), Some("true"))
    );
    for number in 1..FILTERS_MAX {
        let filter = json!({"name": format!("{number}"), "query": ""});
        post(&user, "/api/filters", &filter).await.expect(201);
    }
    let refused = post(&user, "/api/filters", &json!({"name": "one more", "query": ""})).await;
    assert_eq!(refused.expect(409).json()["code"], "too_many_filters");
    assert_eq!(get(&user, "/api/filters").await.as_array().map(Vec::len), Some(50));
}
