//! Conversations: their life, whose they are, and what a turn may do, with the grammar alone.

mod injection;
mod model;
mod provider;

use http::Method;
use rondo_contract::chat_body::{CONVERSATIONS_MAX, HISTORY_MAX};
use rondo_tests::stage::Stage;
use rondo_tests::story::User;
use serde_json::{Value, json};

/// A turn of a user, whose answer is expected with this status.
async fn turn(user: &User, body: &Value, status: u16) -> Value {
    user.client.post("/api/chat", body).await.expect("an answer").expect(status).json()
}

/// The first message of a conversation.
async fn say(user: &User, message: &str) -> Value {
    turn(user, &json!({ "message": message }), 200).await
}

/// A further message.
async fn reply(user: &User, before: &Value, message: &str) -> Value {
    turn(user, &json!({ "message": message, "conversation_id": before["conversation_id"] }), 200)
        .await
}

/// The confirmation of the only proposal of an answer.
fn confirmation(answer: &Value) -> Value {
    let proposals = answer["message"]["proposals"].as_array().expect("proposals");
    assert_eq!(proposals.len(), 1, "{answer}");
    json!({ "confirm": proposals[0]["confirm"], "conversation_id": answer["conversation_id"] })
}

async fn get(user: &User, path: &str) -> Value {
    user.client.get(path).await.expect("an answer").expect(200).json()
}

async fn create(user: &User, task: Value) -> i64 {
    let made = user.client.post("/api/tasks", &task).await.expect("an answer").expect(201).json();
    made["id"].as_i64().expect("an id")
}

async fn titles(user: &User) -> Vec<String> {
    let tasks =
        get(user, "/api/tasks?status=pending&deferred=true&sort_by=title&sort_order=asc").await;
    let titles = tasks.as_array().expect("tasks").iter();
    titles.map(|task| task["title"].as_str().expect("a title").to_owned()).collect()
}

/// The data of the events of a stream, by their names.
fn events(body: &str) -> Vec<(String, Value)> {
    let events = body.split("\n\n").filter(|event| !event.is_empty());
    events
        .map(|event| {
            let (name, data) = event.split_once('\n').expect("two lines");
            let name = name.strip_prefix("event: ").expect("a name");
            let data = data.strip_prefix("data: ").expect("data");
            (name.to_owned(), serde_json::from_str(data).expect("JSON"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_conversation() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let first = say(&user, "add buy milk").await;
    let message = &first["message"];
    assert_eq!((&message["number"], &message["source"]), (&json!(2), &json!("grammar")));
    assert_eq!(message["notice"], Value::Null);
    assert_eq!(message["tools"][0]["tool"], "add_task", "{message}");
    assert_eq!(message["tools"][0]["tasks"][0]["title"], "buy milk");
    assert_eq!(titles(&user).await, ["buy milk"]);
    let second = reply(&user, &first, "complete buy milk").await;
    assert_eq!(second["message"]["number"], 4);
    assert!(titles(&user).await.is_empty(), "{second}");
    let third = reply(&user, &second, "undo").await;
    assert_eq!(titles(&user).await, ["buy milk"], "{third}");
    // What the tools did has the chat as its actor.
    let events = stage.events().await;
    let completed = events.iter().find(|event| event.event_type == "task.completed");
    let data: Value = serde_json::from_str(&completed.expect("an event").data).unwrap();
    assert_eq!(data["actor"], "chat");

    let path = format!("/api/chat/conversations/{}", first["conversation_id"]);
    let conversations = get(&user, "/api/chat/conversations").await;
    assert_eq!(conversations.as_array().map(Vec::len), Some(1));
    assert_eq!(conversations[0]["title"], "add buy milk");
    let whole = get(&user, &path).await;
    let messages = whole["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 6);
    assert_eq!(messages[0]["text"], "add buy milk");
    assert_eq!((&messages[1], &messages[3]), (message, &second["message"]));
    let before = get(&user, &format!("{path}?before=3")).await;
    assert_eq!(before["messages"], json!(messages[..2]));
    user.client.delete(&path).await.expect("an answer").expect(204);
    user.client.delete(&path).await.expect("an answer").expect(404);
    user.client.get(&path).await.expect("an answer").expect(404);
    assert_eq!(get(&user, "/api/chat/conversations").await, json!([]));
    let late = json!({ "message": "help", "conversation_id": first["conversation_id"] });
    turn(&user, &late, 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_waits_for_its_user() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    create(&user, json!({ "title": "Old plan" })).await;
    let asked = say(&user, "delete old plan").await;
    assert_eq!(titles(&user).await, ["Old plan"]);
    let confirm = confirmation(&asked);
    let effect = asked["message"]["proposals"][0]["effect"].as_str().unwrap();
    assert!(effect.contains("Old plan"), "{effect}");
    // The card is there again for whoever opens the conversation.
    let path = format!("/api/chat/conversations/{}", asked["conversation_id"]);
    let kept = get(&user, &path).await["messages"][1].clone();
    assert_eq!(kept["proposals"], asked["message"]["proposals"]);

    // Nobody else's token, conversation or user confirms it.
    let intruder = stage.user("bob@example.org").await;
    turn(&intruder, &confirm, 404).await;
    let other = say(&intruder, "help").await;
    let mut elsewhere = confirm.clone();
    elsewhere["conversation_id"] = other["conversation_id"].clone();
    turn(&intruder, &elsewhere, 410).await;
    let mut forged = confirm.clone();
    forged["confirm"] = json!("9999999999.AAAA");
    assert_eq!(turn(&user, &forged, 410).await["code"], "confirmation_invalid");
    assert_eq!(titles(&user).await, ["Old plan"]);

    let done = turn(&user, &confirm, 200).await;
    assert!(titles(&user).await.is_empty(), "{done}");
    turn(&user, &confirm, 410).await;
    reply(&user, &done, "undo").await;
    assert_eq!(titles(&user).await, ["Old plan"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_is_void_when_its_effect_has_changed() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let id = create(&user, json!({ "title": "Old plan" })).await;
    let asked = say(&user, "delete old plan").await;
    let renamed = json!({ "title": "New plan" });
    user.client.patch(&format!("/api/tasks/{id}"), &renamed).await.expect("an answer").expect(200);
    let answer = turn(&user, &confirmation(&asked), 200).await;
    assert_eq!(titles(&user).await, ["New plan"], "{answer}");
    let proposals = &answer["message"]["proposals"];
    assert!(proposals[0]["effect"].to_string().contains("New plan"), "asked again: {answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_can_be_followed_while_it_happens() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    create(&user, json!({ "title": "Old plan" })).await;
    let stream = |body: Value| {
        let request = user.client.request(Method::POST, "/api/chat");
        request.header("accept", "text/event-stream").json(&body).send()
    };
    let answer = stream(json!({ "message": "delete old plan" })).await.expect("an answer");
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let told = events(&answer.expect(200).text());
    let names: Vec<_> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.first(), Some(&"conversation"));
    assert_eq!(names.last(), Some(&"done"));
    assert!(names.contains(&"token") && names.contains(&"proposal"), "{names:?}");
    let (_, done) = told.last().unwrap();
    let (_, proposal) = told.iter().find(|(name, _)| name == "proposal").unwrap();
    assert_eq!(done["message"]["proposals"], json!([proposal]));
    // What is wrong with a request comes as for any other.
    stream(json!({})).await.expect("an answer").expect(422);
    let problem = stream(json!({ "confirm": "1.x", "conversation_id": done["conversation_id"] }));
    let told = events(&problem.await.expect("an answer").expect(200).text());
    let (name, problem) = told.last().unwrap();
    assert_eq!((name.as_str(), &problem["code"]), ("problem", &json!("confirmation_invalid")));
}

#[tokio::test(flavor = "multi_thread")]
async fn conversations_are_private_and_bounded() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    let intruder = stage.user("bob@example.org").await;
    let first = say(&user, "help").await;
    let path = format!("/api/chat/conversations/{}", first["conversation_id"]);
    intruder.client.get(&path).await.expect("an answer").expect(404);
    intruder.client.delete(&path).await.expect("an answer").expect(404);
    let theirs = json!({ "message": "help", "conversation_id": first["conversation_id"] });
    turn(&intruder, &theirs, 404).await;
    let of_user = format!("/api/{}/chat", user.id);
    intruder
        .client
        .post(&of_user, &json!({ "message": "x" }))
        .await
        .expect("an answer")
        .expect(403);
    user.client.post(&of_user, &json!({ "message": "help" })).await.expect("an answer").expect(200);
    stage
        .client()
        .post("/api/chat", &json!({ "message": "x" }))
        .await
        .expect("an answer")
        .expect(401);

    for _ in 1..CONVERSATIONS_MAX {
        say(&user, "help").await;
    }
    let kept = get(&user, "/api/chat/conversations").await;
    assert_eq!(kept.as_array().map(|kept| kept.len() as i64), Some(CONVERSATIONS_MAX));
    user.client.get(&path).await.expect("an answer").expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_does_only_what_its_scopes_allow() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    create(&user, json!({ "title": "Old plan" })).await;
    let wanted = json!({ "name": "reader", "scopes": ["tasks:read"] });
    let token = user.client.post("/api/auth/tokens", &wanted).await.expect("an answer");
    let token = token.expect(201).json()["token"].as_str().unwrap().to_owned();
    let reader = User { client: stage.client().with_token(&token), token, id: user.id };
    let listed = say(&reader, "show my tasks").await;
    assert_eq!(listed["message"]["tools"][0]["tasks"][0]["title"], "Old plan", "{listed}");
    for message in ["complete old plan", "delete old plan", "add milk"] {
        let refused = say(&reader, message).await;
        assert_eq!(refused["message"]["proposals"], json!([]), "{refused}");
        assert_eq!(titles(&user).await, ["Old plan"], "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_knows_the_turns_before_it() {
    let stage = Stage::new().await;
    let user = stage.user("ada@example.org").await;
    for title in ["Call Ann", "Call Bob", "Call Cleo"] {
        create(&user, json!({ "title": title })).await;
    }
    let asked = say(&user, "complete call").await;
    assert_eq!(titles(&user).await.len(), 3, "{asked}");
    reply(&user, &asked, "call bob").await;
    assert_eq!(titles(&user).await, ["Call Ann", "Call Cleo"]);
    let last = reply(&user, &asked, "undo").await;
    assert_eq!(titles(&user).await.len(), 3, "{last}");
    for _ in 0..HISTORY_MAX {
        reply(&user, &asked, "help").await;
    }
    let path = format!("/api/chat/conversations/{}", asked["conversation_id"]);
    let messages = get(&user, &path).await["messages"].as_array().unwrap().len() as i64;
    assert_eq!(messages, 6 + 2 * HISTORY_MAX);
}
