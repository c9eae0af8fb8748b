//! The rights that each of a component's keys grants, and which keys are refused.

use http::Method;
use rondo_contract::link_token::{Link, Purpose};
use rondo_contract::token::HmacKey;
use rondo_testkit::http::Client;
use rondo_tests::provider::Key;
use rondo_tests::stage::Stage;
use rondo_tests::story::PASSWORD;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const OLD: &str = "the key that is being replaced by another";
const NEW: &str = "the key that takes the place of the other";

/// A service token that is too short is refused, even for a caller who knows it.
#[tokio::test(flavor = "multi_thread")]
async fn a_short_service_token_is_refused() {
    const SHORT: &str = "31_bytes_which_is_one_too_few__";
    let asked = async |current: &str, previous: &str, token: &str| {
        let variables = [("event_token", current), ("event_token_previous", previous)];
        let stage = Stage::with(&variables).await;
        let client = stage.client();
        let request = client
            .request(Method::POST, "/events/audit")
            .header("authorization", &format!("Bearer {token}"))
            .header("content-type", "application/cloudevents-batch+json")
            .body("[]");
        request.send().await.expect("an answer").status.as_u16()
    };
    assert_eq!(asked(NEW, "", NEW).await, 200);
    assert_eq!(asked(NEW, OLD, OLD).await, 200);
    assert_eq!(asked(NEW, "", OLD).await, 401);
    assert_eq!(asked(SHORT, "", SHORT).await, 500);
    assert_eq!(asked("", NEW, NEW).await, 500);
    assert_eq!(asked(NEW, SHORT, SHORT).await, 500);
}

/// Every program that verifies tokens with a secret could issue them, so `auth` does not use its private key
/// if a secret is set.
#[tokio::test(flavor = "multi_thread")]
async fn a_signing_key_excludes_a_secret() {
    let (_, private) = Key::ed25519("one");
    let mut public = private.clone();
    public.as_object_mut().expect("a key").remove("d");
    let (private, public) = (private.to_string(), json!({"keys": [public]}).to_string());
    let registered = async |secret: &str| {
        let keys =
            [("jwt_secret", secret), ("jwt_signing_key", &private), ("jwt_public_keys", &public)];
        status_of_registration(&Stage::with(&keys).await).await
    };
    assert_eq!(registered("").await, "201");
    assert_eq!(registered(NEW).await, "500");
}

/// Without the tests' HTTP client, which does not accept a 500.
async fn status_of_registration(stage: &Stage) -> String {
    let client = stage.client();
    let address = client.base().trim_start_matches("http://");
    let body = json!({"email": "ada@example.org", "password": PASSWORD}).to_string();
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!(
        "POST /api/auth/register HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("a reader");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer.split(' ').nth(1).expect("a status").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn links_of_the_previous_key_work_while_it_is_set() {
    let link = |purpose, secret: &str| {
        let link = Link {
            purpose,
            user_id: 1,
            subject_id: 1,
            firing: 0,
            expires_at_s: i64::from(i32::MAX),
        };
        link.url("", &HmacKey::new(secret.as_bytes()).expect("a key"))
    };
    let looked = async |client: &Client, purpose, secret| {
        client.get(&link(purpose, secret)).await.expect("an answer").status.as_u16()
    };
    // Each component with links; the task belongs to nobody.
    for (purpose, found) in [(Purpose::Unsubscribe, 200), (Purpose::Complete, 404)] {
        let changing = Stage::with(&[("link_secret", NEW), ("link_secret_previous", OLD)]).await;
        for secret in [NEW, OLD] {
            assert_eq!(looked(&changing.client(), purpose, secret).await, found, "{secret}");
        }
        let another = "a key that never was one of this stage";
        assert_eq!(looked(&changing.client(), purpose, another).await, 403);
        let changed = Stage::with(&[("link_secret", NEW)]).await;
        assert_eq!(looked(&changed.client(), purpose, NEW).await, found);
        assert_eq!(looked(&changed.client(), purpose, OLD).await, 403);
    }
}
