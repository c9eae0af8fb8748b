//! The number of a bridge: one each, and that of one that is gone is the next one's.

use std::time::Duration;

use host_bridge::pipeline::transport::member::claim;
use rondo_database::Role;
use rondo_testkit::wait::eventually;

use crate::seed::Seed;

const SOON: Duration = Duration::from_secs(20);
/// Of this database.
const LOCKS: &str = "SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database
                     WHERE locktype = 'advisory' AND datname = current_database()";

#[tokio::test]
async fn each_bridge_has_the_lowest_free_number_and_keeps_its_own() {
    let seed = Seed::new().await;
    let session = async || seed.database.session_as(Role::Bridge).await;
    let (first, second) = (session().await, session().await);
    assert_eq!(claim(&first, None).await.unwrap(), 0);
    assert_eq!(claim(&second, None).await.unwrap(), 1);
    drop(first);
    eventually("the end of its session", SOON, async || {
        match seed.session.query_one(LOCKS, &[]).await.unwrap().get::<_, i64>(0) {
            1 => Ok(()),
            locks => Err(locks),
        }
    })
    .await;
    let (third, fourth, fifth) = (session().await, session().await, session().await);
    assert_eq!(claim(&third, None).await.unwrap(), 0);
    // As after its connection broke: its own again, unless somebody has it by now.
    assert_eq!(claim(&fourth, Some(5)).await.unwrap(), 5);
    assert_eq!(claim(&fifth, Some(5)).await.unwrap(), 2);
}
