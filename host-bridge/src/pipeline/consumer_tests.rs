use std::sync::atomic::Ordering;

use rondo_contract::cloud_event::CloudEvent;
use tokio::sync::Semaphore;

use super::*;
use crate::pipeline::queue::Revoked;
use crate::pipeline::record::Record;

fn item(key: &str, id: &str) -> Item {
    let window = Arc::new(Semaphore::new(1));
    Item {
        record: Record {
            event: CloudEvent {
                id: id.to_owned(),
                event_type: "task.created".to_owned(),
                subject: None,
                time: String::new(),
                traceparent: None,
                topic: "task-events".to_owned(),
                data: "{}".to_owned(),
            },
            key: key.to_owned(),
            position: None,
        },
        attempts: 0,
        ack: None,
        revoked: None,
        _slot: window.try_acquire_owned().unwrap(),
    }
}

fn ids(batch: &Option<Vec<Item>>) -> Vec<&str> {
    batch.iter().flatten().map(|item| item.record.event.id.as_str()).collect()
}

fn filled(batching: Batching) -> Backlog {
    let mut backlog = Backlog::new(batching);
    for (key, id) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3"), ("b", "b2")] {
        backlog.push(item(key, id));
    }
    backlog
}

#[test]
fn one_event_of_a_key_is_on_its_way_at_a_time() {
    let mut backlog = filled(Batching::OnePerKey);
    assert_eq!(ids(&backlog.next_batch()), ["a1", "b1"]);
    assert_eq!(ids(&backlog.next_batch()), [""; 0]);
    backlog.release("a");
    assert_eq!(ids(&backlog.next_batch()), ["a2"]);
    backlog.release("b");
    backlog.release("a");
    assert_eq!(ids(&backlog.next_batch()), ["b2", "a3"]);
    backlog.release("a");
    backlog.release("b");
    assert!(backlog.keys.is_empty(), "a key without events takes no memory");
}

#[test]
fn bulk_takes_all_in_each_keys_order() {
    for batching in [Batching::Bulk, Batching::Mixed] {
        let mut backlog = filled(batching);
        assert_eq!(ids(&backlog.next_batch()), ["a1", "a2", "a3", "b1", "b2"]);
    }
}

#[test]
fn a_batch_that_could_not_be_tried_goes_first_again() {
    let mut backlog = filled(Batching::OnePerKey);
    let batch = backlog.next_batch().unwrap();
    backlog.requeue(batch);
    assert_eq!(ids(&backlog.next_batch()), ["a1", "b1"]);
}

#[test]
fn a_parked_event_holds_its_key_and_no_other() {
    let mut backlog = filled(Batching::OnePerKey);
    let mut batch = backlog.next_batch().unwrap();
    backlog.park(batch.remove(0));
    backlog.release("b");
    assert_eq!(ids(&backlog.next_batch()), ["b2"]);
    backlog.resume("a");
    assert_eq!(ids(&backlog.next_batch()), ["a1"]);
    backlog.release("a");
    assert_eq!(ids(&backlog.next_batch()), ["a2"]);
}

#[test]
fn what_was_taken_away_is_not_delivered() {
    let revoked = Revoked::default();
    let mut backlog = Backlog::new(Batching::OnePerKey);
    backlog.push(item("a", "a1"));
    backlog.push(Item { revoked: Some(revoked.clone()), ..item("a", "a2") });
    backlog.push(Item { revoked: Some(revoked.clone()), ..item("b", "b1") });
    let mut batch = backlog.next_batch().unwrap();
    // b1 waits for its next attempt when its partition goes.
    backlog.park(batch.remove(1));
    revoked.store(true, Ordering::Release);
    backlog.resume("b");
    backlog.release("a");
    assert_eq!(ids(&backlog.next_batch()), [""; 0]);
    assert!(backlog.keys.is_empty(), "nothing is left of them");
}
