//! Two years of a recurring task on `rondo up` without a broker.

use rondo_testkit::clock::Clock;
use rondo_testkit::smtp::SmtpServer;
use rondo_tests::arrangement::Up;
use rondo_tests::two_years::{self, BEGINNING};

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(target_os = "linux"), ignore = "preloads libfaketime, for Linux")]
async fn two_years_of_a_recurring_task() {
    let clock = Clock::at(BEGINNING.parse().expect("a moment")).await;
    let smtp = SmtpServer::start().await;
    let settings = two_years::settings(&clock, &smtp);
    let mut up = Up::start("two-years", &settings).await;
    two_years::play(&up, &clock, &smtp).await;
    up.stop().await;
}
