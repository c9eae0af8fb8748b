//! Writers, a relay that repeats events and a device that comes and goes, in any order: the device ends with
//! exactly the user's tasks and lists, and revisions only increase.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use ws_sync::catch_up::{CatchUp, Change, Changed, Page, PageRequest};
use ws_sync::hub::{Hub, Registration};

const USER: i64 = 1;

/// The database, and the relay's position in it.
#[derive(Default)]
struct World {
    revision: i64,
    /// Revision of each task and list, which represents its content.
    states: BTreeMap<Changed, i64>,
    deletions: BTreeMap<i64, Changed>,
    events: Vec<String>,
    relayed: usize,
}

impl World {
    fn write(&mut self, of: Changed) {
        self.revision += 1;
        self.states.insert(of, self.revision);
        self.record(of, "updated");
    }

    fn delete(&mut self, of: Changed) {
        if self.states.remove(&of).is_some() {
            self.revision += 1;
            self.deletions.insert(self.revision, of);
            self.record(of, "deleted");
        }
    }

    fn record(&mut self, of: Changed, what: &str) {
        let revision = self.revision;
        let (kind, id) = match of {
            Changed::Task(id) => ("task", id),
            Changed::List(id) => ("list", id),
        };
        self.events.push(format!(
            r#"{{"event_id":"e","schema_version":"1.0","event_type":"{kind}.{what}","{kind}_id":{id},
            "user_id":{USER},"revision":{revision},"{kind}_data":{revision}}}"#
        ));
    }

    fn relay(&mut self, hub: &Hub, count: usize) {
        let end = (self.relayed + count).min(self.events.len());
        self.events[self.relayed..end].iter().for_each(|event| hub.publish(USER, event, None));
        self.relayed = end;
    }

    /// The result of `catch_up.sql`.
    fn page(&self, request: PageRequest) -> Page {
        let until = request.until.unwrap_or(self.revision);
        let states = self.states.iter().map(|(of, revision)| Change {
            revision: *revision,
            of: *of,
            state: Some(revision.to_string()),
        });
        let deletions = self.deletions.iter().map(|(revision, of)| Change {
            revision: *revision,
            of: *of,
            state: None,
        });
        let mut changes: Vec<Change> = states
            .chain(deletions)
            .filter(|change| change.revision > request.after && change.revision <= until)
            .collect();
        changes.sort_by_key(|change| change.revision);
        changes.truncate(usize::try_from(request.changes_max).unwrap());
        Page { current: self.revision, horizon: 0, changes }
    }
}

/// A device: its tasks and lists, and its session if it has one.
#[derive(Default)]
struct Device {
    states: BTreeMap<Changed, i64>,
    cursor: i64,
    session: Option<(Registration, Option<CatchUp>)>,
}

impl Device {
    /// One step of the session: a connect, a page or a frame. False if there is nothing to do.
    fn step(&mut self, world: &World, hub: &Arc<Hub>) -> bool {
        let Some((registration, catch_up)) = &mut self.session else {
            let registration = hub.register(USER).unwrap();
            self.session = Some((registration, Some(CatchUp::new(Some(self.cursor)))));
            return true;
        };
        let queue = registration.queue().clone();
        if let Some(running) = catch_up {
            let page = world.page(running.request());
            let step = running.step(&page).unwrap();
            if let Some(start) = step.start {
                assert_eq!(start.welcome, self.cursor);
                queue.skip_to(start.until);
            }
            if !step.more {
                *catch_up = None;
            }
            for change in page.changes {
                self.apply(change.revision, change.of, change.state.is_some());
            }
            return true;
        }
        let Some(frame) = queue.take().unwrap() else { return false };
        let frame: serde_json::Value = serde_json::from_str(&frame.text).unwrap();
        let number = |member: &str| frame[member].as_i64().unwrap();
        let (of, state) = match frame["type"].as_str() {
            Some("task.updated") => (Changed::Task(number("task_id")), &frame["task"]),
            Some("list.updated") => (Changed::List(number("list_id")), &frame["list"]),
            other => panic!("a live frame of type {other:?}"),
        };
        self.apply(number("revision"), of, !state.is_null());
        true
    }

    fn apply(&mut self, revision: i64, of: Changed, exists: bool) {
        assert!(revision > self.cursor, "{revision} after {}", self.cursor);
        self.cursor = revision;
        if exists {
            self.states.insert(of, revision);
        } else {
            self.states.remove(&of);
        }
    }
}

#[derive(Debug, Clone)]
enum Action {
    Write(Changed),
    Delete(Changed),
    Relay(usize),
    /// The relay goes back by some events, as after a crash.
    Replay(usize),
    Step,
    Disconnect,
}

/// Some of the ids, which collide, are lists.
fn changed(id: i64) -> Changed {
    if id % 5 == 0 { Changed::List(id / 5) } else { Changed::Task(id) }
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (0..400_i64).prop_map(|id| Action::Write(changed(id))),
        2 => (0..400_i64).prop_map(|id| Action::Delete(changed(id))),
        4 => (1..10_usize).prop_map(Action::Relay),
        1 => (1..30_usize).prop_map(Action::Replay),
        4 => Just(Action::Step),
        1 => Just(Action::Disconnect),
    ]
}

proptest! {
    #[test]
    fn a_device_ends_with_the_users_tasks_and_lists(
        before in 0..350_i64,
        relayed_before in 0..350_usize,
        actions in prop::collection::vec(action(), 0..300),
    ) {
        let hub = Arc::new(Hub::default());
        hub.open();
        let mut world = World::default();
        (0..before).for_each(|id| world.write(changed(id)));
        world.relay(&hub, relayed_before);
        let mut device = Device::default();
        for action in actions {
            match action {
                Action::Write(of) => world.write(of),
                Action::Delete(of) => world.delete(of),
                Action::Relay(count) => world.relay(&hub, count),
                Action::Replay(back) => world.relayed = world.relayed.saturating_sub(back),
                Action::Step => { device.step(&world, &hub); }
                Action::Disconnect => device.session = None,
            }
        }
        while device.step(&world, &hub) {}
        world.relay(&hub, usize::MAX / 2);
        while device.step(&world, &hub) {}
        prop_assert_eq!(device.states, world.states);
        prop_assert_eq!(device.cursor, world.revision);
    }
}
