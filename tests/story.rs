//! The main job on `rondo up` without a broker.

use rondo_testkit::smtp::SmtpServer;
use rondo_tests::arrangement::Up;
use rondo_tests::story;

#[tokio::test(flavor = "multi_thread")]
async fn the_story_comes_true_on_one_machine() {
    let smtp = SmtpServer::start().await;
    let mut up = Up::start("story", &[("SMTP_URL", smtp.url())]).await;
    story::play(&up.http(), &up.ws(), &smtp, "ada@example.org").await;
    // What was there is there again.
    up.stop().await;
    up.start_again().await;
    story::play(&up.http(), &up.ws(), &smtp, "grace@example.org").await;
    up.stop().await;
}
