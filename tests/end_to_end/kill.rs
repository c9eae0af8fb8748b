//! kill -9 under load on the local transport.

use rondo_tests::arrangement::Up;
use rondo_tests::kill;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_done_twice_when_rondo_is_killed() {
    let mut up = Up::start("kill", &[("RATE_LIMITS", "off".to_owned())]).await;
    kill::survive(&mut up).await;
    up.stop().await;
}
