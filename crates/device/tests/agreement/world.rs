//! Three devices, their storage, a network that loses, repeats and delays, and the model of the server.

mod check;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rondo_device::domain::instant::Instant;
use rondo_device::domain::jiff::SignedDuration;
use rondo_device::{Answer, Beside, Device, Edit, Effect, Members, Notice, Record, Request, Table};
use serde_json::{Value, json};

use crate::server::Server;

pub const DEVICES: usize = 3;

/// What happens next. Numbers choose among what is there.
#[derive(Debug, Clone)]
pub enum Step {
    Edit {
        device: usize,
        kind: EditKind,
        pick: usize,
    },
    Network {
        device: usize,
        fate: Fate,
    },
    /// Requests that were given up reach the server after all.
    Late {
        pick: usize,
    },
    Frames {
        device: usize,
        count: usize,
    },
    Cut {
        device: usize,
        code: u16,
    },
    Restart {
        device: usize,
    },
    Online {
        device: usize,
        is_online: bool,
    },
    Pass {
        seconds: i64,
    },
    /// The server forgets what was deleted.
    Forget,
}

#[derive(Debug, Clone, Copy)]
pub enum EditKind {
    Create,
    CreateBeneath,
    CreateInList,
    Title,
    Estimate,
    DueDay,
    DueDate,
    Tag,
    Complete,
    CompleteAll,
    Reopen,
    Delete,
    MoveToList,
    MoveBeside,
    CreateList,
    RenameList,
    DeleteList,
    EmptyList,
    RenameTag,
    DeleteTag,
    Undo,
    Redo,
    AnswerNotice,
}

#[derive(Debug, Clone, Copy)]
pub enum Fate {
    Answered,
    /// The request does not reach the server.
    Lost,
    /// The answer does not reach the device.
    AnswerLost,
    Twice,
    /// Given up by the device, but still on its way.
    Late,
    Unavailable,
    Failing,
    Unauthenticated,
}

/// A value that a person entered, and what may excuse that it is not there at the end.
#[derive(Debug, Clone)]
struct Entered {
    uid: String,
    member: &'static str,
    value: Value,
    at: usize,
}

pub struct Shell {
    pub device: Device,
    storage: BTreeMap<(Table, String), Value>,
    outgoing: VecDeque<Request>,
    /// Revision up to which frames were delivered, while there is a WebSocket.
    socket: Option<i64>,
    wake: Option<Instant>,
    wants_token: bool,
    is_online: bool,
}

pub struct World {
    pub server: Server,
    pub shells: Vec<Shell>,
    late: Vec<Request>,
    now: Instant,
    steps: usize,
    entered: Vec<Entered>,
    /// Undo, redo and answers to notices, which may change any member of any task.
    wide: Vec<usize>,
    /// Deletions of tasks and of lists with their tasks.
    deletions: Vec<usize>,
    created: Vec<(String, usize)>,
    /// Uids of subtasks. They go with the task above, whatever others have entered.
    subtasks: BTreeSet<String>,
    told: Vec<Notice>,
    /// So that no two values are equal.
    number: i64,
}

impl World {
    pub fn new() -> Self {
        let now: Instant = "2031-03-26T09:00:00Z".parse().unwrap();
        let mut world = Self {
            server: Server::default(),
            shells: Vec::new(),
            late: Vec::new(),
            now,
            steps: 0,
            entered: Vec::new(),
            wide: Vec::new(),
            deletions: Vec::new(),
            created: Vec::new(),
            subtasks: BTreeSet::new(),
            told: Vec::new(),
            number: 0,
        };
        for index in 0..DEVICES {
            world.shells.push(Shell {
                device: Device::new([index as u8 + 1; 16]),
                storage: BTreeMap::new(),
                outgoing: VecDeque::new(),
                socket: None,
                wake: None,
                wants_token: false,
                is_online: true,
            });
            world.shells[index].device.lead(now);
            world.shells[index].device.online(now);
            world.settle(index);
        }
        world
    }

    fn next(&mut self) -> i64 {
        self.number += 1;
        self.number
    }

    pub fn step(&mut self, step: &Step) {
        self.steps += 1;
        self.pass(1);
        match *step {
            Step::Edit { device, kind, pick } => self.edit(device, kind, pick),
            Step::Network { device, fate } => self.network(device, fate),
            Step::Late { pick } => {
                if !self.late.is_empty() {
                    let request = self.late.remove(pick % self.late.len());
                    self.server.handle(&request, self.now);
                }
            }
            Step::Frames { device, count } => self.frames(device, count),
            Step::Cut { device, code } => self.cut(device, code),
            Step::Restart { device } => self.restart(device),
            Step::Online { device, is_online } => {
                let shell = &mut self.shells[device];
                shell.is_online = is_online;
                if is_online {
                    shell.device.online(self.now);
                } else {
                    shell.device.offline();
                }
            }
            Step::Pass { seconds } => self.pass(seconds),
            Step::Forget => self.server.horizon = self.server.revision,
        }
        (0..DEVICES).for_each(|device| self.settle(device));
    }

    fn pass(&mut self, seconds: i64) {
        self.now = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        for index in 0..DEVICES {
            let shell = &mut self.shells[index];
            if std::mem::take(&mut shell.wants_token) {
                shell.device.refreshed(self.now);
            }
            if shell.wake.is_some_and(|wake| wake <= self.now) {
                shell.wake = None;
                shell.device.tick(self.now);
            }
            self.settle(index);
        }
    }

    /// Carries out effects.
    fn settle(&mut self, index: usize) {
        let mut effects = VecDeque::from(self.shells[index].device.drain());
        while let Some(effect) = effects.pop_front() {
            let shell = &mut self.shells[index];
            match effect {
                Effect::Keep(Record { table, key, value: Some(value) }) => {
                    shell.storage.insert((table, key), value);
                }
                Effect::Keep(Record { table, key, value: None }) => {
                    shell.storage.remove(&(table, key));
                }
                Effect::Clear => shell.storage.clear(),
                Effect::Send(request) => shell.outgoing.push_back(request),
                Effect::Connect { since } => {
                    if since != 0 && since < self.server.horizon || since > self.server.revision {
                        shell.device.closed(4410, self.now);
                    } else {
                        shell.socket = Some(since);
                        shell.device.connected(self.now);
                    }
                }
                Effect::Disconnect => shell.socket = None,
                Effect::Refresh => shell.wants_token = true,
                Effect::Wake(at) => shell.wake = Some(at),
                Effect::Notify(notice) => self.told.push(notice),
                Effect::Forward(_) => unreachable!("every device leads"),
            }
            effects.extend(self.shells[index].device.drain());
        }
    }

    fn network(&mut self, index: usize, fate: Fate) {
        let now = self.now;
        let Some(request) = self.shells[index].outgoing.pop_front() else { return };
        let refuse = |status| Answer { status, ..Answer::default() };
        let given = match fate {
            Fate::Answered => Some(self.server.handle(&request, now)),
            Fate::Twice => {
                self.server.handle(&request, now);
                Some(self.server.handle(&request, now))
            }
            Fate::Lost => None,
            Fate::AnswerLost => {
                self.server.handle(&request, now);
                None
            }
            Fate::Late => {
                self.late.push(request.clone());
                None
            }
            Fate::Unavailable => Some(refuse(503)),
            Fate::Failing => Some(refuse(502)),
            Fate::Unauthenticated => Some(refuse(401)),
        };
        let device = &mut self.shells[index].device;
        match given {
            Some(answer) => device.answered(request.ticket, &answer, now),
            None => device.failed(request.ticket, now),
        }
        self.settle(index);
    }

    fn frames(&mut self, index: usize, count: usize) {
        for _ in 0..count {
            let Some(seen) = self.shells[index].socket else { return };
            let Some((revision, change)) = self.server.since(seen).into_iter().next() else {
                return;
            };
            let is_task = change.get("task").is_some() || change.get("task_id").is_some();
            let (kind, name) = if is_task { ("task", "task_id") } else { ("list", "list_id") };
            let id = change.get(name).or(change.get(kind).map(|of| &of["id"]));
            let frame = json!({"type": format!("{kind}.snapshot"), "revision": revision, name: id,
                kind: change.get(kind)});
            self.shells[index].socket = Some(revision);
            self.shells[index].device.frame(&frame.to_string(), self.now);
            self.settle(index);
        }
    }

    fn cut(&mut self, index: usize, code: u16) {
        if self.shells[index].socket.take().is_some() {
            self.shells[index].device.closed(code, self.now);
        }
    }

    fn restart(&mut self, index: usize) {
        let now = self.now;
        let seed = self.next();
        let shell = &mut self.shells[index];
        let records = shell.storage.iter().map(|((table, key), value)| Record {
            table: *table,
            key: key.clone(),
            value: Some(value.clone()),
        });
        let mut bytes = [0xa5; 16];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let restored = Device::restore(bytes, records.collect::<Vec<_>>());
        let shown = |device: &Device| {
            device.tasks().map(|row| (row.uid.clone(), row.task().to_value())).collect::<Vec<_>>()
        };
        assert_eq!(shown(&shell.device), shown(&restored), "storage shows something else");
        shell.device = restored;
        self.late.extend(shell.outgoing.drain(..));
        (shell.socket, shell.wake, shell.wants_token) = (None, None, false);
        shell.device.lead(now);
        if shell.is_online {
            shell.device.online(now);
        }
    }

    fn edit(&mut self, index: usize, kind: EditKind, pick: usize) {
        let number = self.next();
        let now = self.now;
        let device = &mut self.shells[index].device;
        let uids: Vec<String> = device.tasks().map(|row| row.uid.clone()).collect();
        let chosen = (!uids.is_empty()).then(|| uids[pick % uids.len()].clone());
        let other = (!uids.is_empty()).then(|| uids[pick / 7 % uids.len()].clone());
        let lists: Vec<i64> = device.lists().iter().map(|list| list.id).collect();
        let list = (!lists.is_empty()).then(|| lists[pick % lists.len()]);
        let members = |value: Value| -> Members { value.as_object().cloned().unwrap() };
        let set = |name: &'static str, value: Value| {
            let edit = chosen.as_ref().map(|uid| Edit::set(uid, name, value.clone()));
            (edit, Some((name, value)))
        };
        let date = || {
            let start: Instant = "2040-01-01T00:00:00Z".parse().unwrap();
            start.checked_add(SignedDuration::from_hours(24 * number)).unwrap().to_string()
        };
        let title = format!("T{number}");
        let (edit, entered) = match kind {
            EditKind::Create => (Some(Edit::create(members(json!({"title": title})))), None),
            EditKind::CreateBeneath => {
                let parent = chosen.as_ref().and_then(|uid| device.task(uid)).map(|row| row.id);
                let task = members(json!({"title": title, "subtask_of": parent, "tags": ["a"]}));
                (Some(Edit::create(task)), None)
            }
            EditKind::CreateInList => {
                (Some(Edit::create(members(json!({"title": title, "list_id": list})))), None)
            }
            EditKind::Title => set("title", json!(title)),
            EditKind::Estimate => set("estimate", json!(number)),
            EditKind::DueDay => set("due_day", json!(date()[..10])),
            EditKind::DueDate => set("due_date", json!(date())),
            EditKind::Tag => {
                let tag = ["a", "b", "c"][pick % 3];
                (chosen.as_ref().map(|uid| Edit::set(uid, "tags", json!([tag]))), None)
            }
            EditKind::Complete => (chosen.as_deref().map(Edit::complete), None),
            EditKind::CompleteAll => {
                (chosen.clone().map(|uid| Edit::Complete { uid, steps: true }), None)
            }
            EditKind::Reopen => (chosen.clone().map(|uid| Edit::Reopen { uid }), None),
            EditKind::Delete => {
                self.deletions.push(self.steps);
                (chosen.as_deref().map(Edit::delete), None)
            }
            EditKind::MoveToList => {
                let edit = chosen.clone().map(|uid| Edit::Move {
                    uid,
                    list_id: Some(list),
                    beside: Beside::Last,
                });
                (edit, None)
            }
            EditKind::MoveBeside => {
                let other = other.as_ref().and_then(|uid| device.task(uid));
                let place = other.map_or(Beside::Last, |row| Beside::After(row.id));
                let list_id = other.map(|row| row.list_id);
                (chosen.clone().map(|uid| Edit::Move { uid, list_id, beside: place }), None)
            }
            EditKind::CreateList => {
                (Some(Edit::create_list(members(json!({"name": title})))), None)
            }
            EditKind::RenameList => {
                let members = members(json!({"name": title}));
                (list.map(|id| Edit::PatchList { id, members }), None)
            }
            EditKind::DeleteList | EditKind::EmptyList => {
                let delete_tasks = matches!(kind, EditKind::EmptyList);
                if delete_tasks {
                    self.deletions.push(self.steps);
                }
                (list.map(|id| Edit::DeleteList { id, delete_tasks }), None)
            }
            EditKind::RenameTag => {
                let tag = ["a", "b", "c"];
                let members = members(json!({"name": tag[pick / 3 % 3]}));
                (Some(Edit::ChangeTag { name: tag[pick % 3].to_owned(), members }), None)
            }
            EditKind::DeleteTag => {
                (Some(Edit::DeleteTag { name: ["a", "b", "c"][pick % 3].to_owned() }), None)
            }
            EditKind::Undo | EditKind::Redo => {
                let is_done = match kind {
                    EditKind::Undo => device.undo(now),
                    _ => device.redo(now),
                };
                if is_done {
                    self.wide.push(self.steps);
                    self.deletions.push(self.steps);
                }
                (None, None)
            }
            EditKind::AnswerNotice => {
                let ids: Vec<String> = device.notices().iter().map(|n| n.id.clone()).collect();
                if !ids.is_empty() {
                    // What is no longer there cannot be put back; then the notice stays.
                    let _ = device.answer(&ids[pick % ids.len()], now);
                    self.wide.push(self.steps);
                    self.deletions.push(self.steps);
                }
                (None, None)
            }
        };
        let Some(edit) = edit else { return };
        let made = device.edit(vec![edit], now).expect("a valid edit");
        if matches!(kind, EditKind::CreateBeneath) {
            self.subtasks.extend(made.iter().cloned());
        }
        self.created.extend(made.into_iter().map(|uid| (uid, self.steps)));
        if let (Some((member, value)), Some(uid)) = (entered, chosen) {
            self.entered.push(Entered { uid, member, value, at: self.steps });
        }
    }

    /// Everything is reachable again, until nothing happens any more.
    pub fn come_to_rest(&mut self) {
        for request in std::mem::take(&mut self.late) {
            self.server.handle(&request, self.now);
        }
        for index in 0..DEVICES {
            self.cut(index, 1001);
            self.shells[index].is_online = true;
            self.shells[index].device.online(self.now);
            self.settle(index);
        }
        for round in 0.. {
            assert!(round < 2_000, "no rest: {:?}", self.shells[0].device.outbox());
            let before = self.server.revision;
            let mut is_busy = false;
            for index in 0..DEVICES {
                while !self.shells[index].outgoing.is_empty() {
                    self.network(index, Fate::Answered);
                    is_busy = true;
                }
                self.frames(index, usize::MAX);
                is_busy |= !self.shells[index].device.outbox().is_empty();
                is_busy |= self.shells[index].socket != Some(self.server.revision)
                    && !self.server.since(self.shells[index].socket.unwrap_or_default()).is_empty();
            }
            self.pass(1);
            if !is_busy && self.server.revision == before && round > 70 {
                return;
            }
        }
    }
}
