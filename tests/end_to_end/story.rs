//! The story on `rondo up` without a broker.

use rondo_contract::capability::CAPABILITIES;
use rondo_testkit::http::Client;
use rondo_testkit::smtp::SmtpServer;
use rondo_tests::arrangement::Up;
use rondo_tests::story;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn the_story_holds_on_one_machine() {
    let smtp = SmtpServer::start().await;
    let mut up = Up::start("story", &[("SMTP_URL", smtp.url())]).await;
    refuses_events(&up.http()).await;
    story::play(&up.http(), &up.ws(), &smtp, "ada@example.org").await;
    // Components receive events by the typed export; the route is only for a Spin host.
    for capability in CAPABILITIES.map(|capability| capability.name) {
        let path = format!("/events/{capability}");
        let answer = Client::new(up.http()).post(&path, &json!([])).await.expect("an answer");
        answer.expect(404);
    }
    // After a restart, everything is still there.
    up.stop().await;
    up.start_again().await;
    story::play(&up.http(), &up.ws(), &smtp, "grace@example.org").await;
    up.stop().await;
}

/// Within one process the event routes are closed, however their paths are spelt.
async fn refuses_events(http: &str) {
    let client = Client::new(http);
    for path in ["/events/audit", "//events/audit", "/events//audit/", "/events/audit?x=/api/"] {
        let answer = client.post(path, &serde_json::json!([])).await.expect("an answer");
        assert_eq!(answer.status, 404, "{path}");
    }
}
