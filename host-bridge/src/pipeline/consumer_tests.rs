use super::*;

fn item(key: &str, id: &str) -> Item {
    let window = Arc::new(Semaphore::new(1));
    Item {
        record: Record {
            event_id: id.to_owned(),
            event_type: "task.created".to_owned(),
            key: key.to_owned(),
            subject: None,
            time: String::new(),
            traceparent: None,
            topic: "task-events",
            payload: "{}".into(),
            position: None,
        },
        attempts: 0,
        finished: None,
        revoked: None,
        _place: window.try_acquire_owned().unwrap(),
    }
}

fn ids(batch: &Option<Vec<Item>>) -> Vec<&str> {
    batch.iter().flatten().map(|item| item.record.event_id.as_str()).collect()
}

fn filled(batching: Batching) -> Queues {
    let mut queues = Queues::new(batching);
    for (key, id) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3"), ("b", "b2")] {
        queues.push(item(key, id));
    }
    queues
}

#[test]
fn one_event_of_a_key_is_on_its_way_at_a_time() {
    let mut queues = filled(Batching::OnePerKey);
    assert_eq!(ids(&queues.take()), ["a1", "b1"]);
    assert_eq!(ids(&queues.take()), [""; 0]);
    queues.release("a");
    assert_eq!(ids(&queues.take()), ["a2"]);
    queues.release("b");
    queues.release("a");
    assert_eq!(ids(&queues.take()), ["b2", "a3"]);
    queues.release("a");
    queues.release("b");
    assert!(queues.keys.is_empty(), "a key without events takes no memory");
}

#[test]
fn bulk_takes_all_in_each_keys_order() {
    for batching in [Batching::Bulk, Batching::Mixed] {
        let mut queues = filled(batching);
        assert_eq!(ids(&queues.take()), ["a1", "a2", "a3", "b1", "b2"]);
    }
}

#[test]
fn a_batch_that_could_not_be_tried_goes_first_again() {
    let mut queues = filled(Batching::OnePerKey);
    let batch = queues.take().unwrap();
    queues.give_back(batch);
    assert_eq!(ids(&queues.take()), ["a1", "b1"]);
}

#[test]
fn a_parked_event_holds_its_key_and_no_other() {
    let mut queues = filled(Batching::OnePerKey);
    let mut batch = queues.take().unwrap();
    queues.park(batch.remove(0));
    queues.release("b");
    assert_eq!(ids(&queues.take()), ["b2"]);
    queues.resume("a");
    assert_eq!(ids(&queues.take()), ["a1"]);
    queues.release("a");
    assert_eq!(ids(&queues.take()), ["a2"]);
}

#[test]
fn what_was_taken_away_is_not_delivered() {
    let revoked = Revoked::default();
    let mut queues = Queues::new(Batching::OnePerKey);
    queues.push(item("a", "a1"));
    queues.push(Item { revoked: Some(revoked.clone()), ..item("a", "a2") });
    queues.push(Item { revoked: Some(revoked.clone()), ..item("b", "b1") });
    let mut batch = queues.take().unwrap();
    // b1 waits for its next attempt when its partition goes.
    queues.park(batch.remove(1));
    revoked.store(true, Ordering::Release);
    queues.resume("b");
    queues.release("a");
    assert_eq!(ids(&queues.take()), [""; 0]);
    assert!(queues.keys.is_empty(), "nothing is left of them");
}
