//! `rondo doctor` beside a running `rondo up`.

use rondo_testkit::process::{Program, Signal};
use rondo_tests::operation::{Running, SOON, audited, create};
use rondo_tests::story;

async fn examine(rondo: &Running) -> (bool, String) {
    let program = Program::built("rondo").arguments(["doctor", "--data"]).argument(rondo.data());
    let mut doctor = program.start();
    let status = doctor.exit(SOON).await;
    (status.success(), doctor.log())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_installation_passes_and_a_stopped_one_gets_advice() {
    let rondo = Running::start("doctor", &[]).await;
    let user = story::register(rondo.http.base(), "ada@example.org").await;
    let task_id = create(&user).await;
    audited(&user, task_id, "notification.sent").await;
    let (is_well, printed) = examine(&rondo).await;
    assert!(is_well && !printed.contains("WRONG"), "{printed}");
    for check in
        ["data folder", "database", "clock", "schema", "roles", "outbox", "rondo up", "public URL"]
    {
        let is_ok = |line: &str| line.starts_with("ok ") && line.contains(check);
        assert!(printed.lines().any(is_ok), "{check}: {printed}");
    }
    let url = rondo.database_url();
    let password = url.split([':', '@']).nth(2).expect("a password");
    assert!(!printed.contains(password), "{printed}");
    let folder = rondo.stop_by(Signal::SIGTERM).await;
    let data = folder.path().join("data");
    let mut doctor = Program::built("rondo").arguments(["doctor", "--data"]).argument(data).start();
    assert_eq!(doctor.exit(SOON).await.code(), Some(1));
    let printed = doctor.log();
    assert!(printed.contains("start `rondo up`"), "{printed}");
}
