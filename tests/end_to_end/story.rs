//! The story on `rondo up` without a broker.

use rondo_contract::capability::CAPABILITIES;
use rondo_testkit::http::Client;
use rondo_testkit::smtp::SmtpServer;
use rondo_tests::arrangement::Up;
use rondo_tests::story;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn the_story_comes_true_on_one_machine() {
    let smtp = SmtpServer::start().await;
    let mut up = Up::start("story", &[("SMTP_URL", smtp.url())]).await;
    is_shut_to_events(&up.http()).await;
    story::play(&up.http(), &up.ws(), &smtp, "ada@example.org").await;
    // Components get their events by the typed door; the other one is for a Spin host.
    for capability in CAPABILITIES.map(|capability| capability.name) {
        let path = format!("/events/{capability}");
        let answer = Client::new(up.http()).post(&path, &json!([])).await.expect("an answer");
        answer.expect(404);
    }
    // What was there is there again.
    up.stop().await;
    up.start_again().await;
    story::play(&up.http(), &up.ws(), &smtp, "grace@example.org").await;
    up.stop().await;
}

/// In one process nobody has to knock at the bridge's door, however its path is spelt.
async fn is_shut_to_events(http: &str) {
    let client = Client::new(http);
    for path in ["/events/audit", "//events/audit", "/events//audit/", "/events/audit?x=/api/"] {
        let answer = client.post(path, &serde_json::json!([])).await.expect("an answer");
        assert_eq!(answer.status, 404, "{path}");
    }
}
