//! What has to hold at the end.

use std::collections::{BTreeMap, BTreeSet};

use rondo_device::{Members, WRITABLE};
use serde_json::Value;

use super::{Entered, World};

impl World {
    /// All have the same, and no edit is lost.
    pub fn check(&self) {
        let names: Vec<&str> = WRITABLE.into_iter().chain(["uid", "id", "position"]).collect();
        let of_server: BTreeMap<String, Value> = self
            .server
            .tasks
            .values()
            .map(|task| {
                let members: Members =
                    names.iter().map(|name| ((*name).to_owned(), task[*name].clone())).collect();
                (task["uid"].as_str().unwrap().to_owned(), members.into())
            })
            .collect();
        for shell in &self.shells {
            let shown: BTreeMap<String, Value> = shell
                .device
                .tasks()
                .map(|row| {
                    let members: Members =
                        names.iter().map(|name| ((*name).to_owned(), row.member(name))).collect();
                    (row.uid.clone(), members.into())
                })
                .collect();
            assert_eq!(shown, of_server, "a device shows something else than the server has");
            let lists: BTreeSet<(i64, &str)> =
                shell.device.lists().iter().map(|list| (list.id, list.name.as_str())).collect();
            let of_server: BTreeSet<(i64, &str)> = self
                .server
                .lists
                .iter()
                .map(|(id, list)| (*id, list["name"].as_str().unwrap()))
                .collect();
            assert_eq!(lists, of_server, "a device shows other lists than the server has");
        }
        for entered in &self.entered {
            assert!(self.is_kept(entered, &of_server), "lost: {entered:?}\n{:#?}", self.told);
        }
        for (uid, at) in &self.created {
            let is_there = of_server.contains_key(uid);
            let is_told = self.told.iter().any(|notice| notice.uid.as_ref() == Some(uid));
            let is_deleted = self.is_deleted(uid, *at);
            assert!(is_there || is_told || is_deleted, "a created task is lost: {uid}");
        }
    }

    fn is_kept(&self, entered: &Entered, server: &BTreeMap<String, Value>) -> bool {
        let Entered { uid, member, value, at } = entered;
        let is_later = |other: &Entered| {
            let is_same = other.member == *member
                || other.member.starts_with("due") && member.starts_with("due");
            other.uid == *uid && is_same && other.at > *at
        };
        let is_told = self.told.iter().any(|notice| {
            notice.uid.as_ref() == Some(uid) && notice.mine.get(*member) == Some(value)
        });
        is_told
            || self.entered.iter().any(is_later)
            || self.wide.iter().any(|wide| wide > at)
            || match server.get(uid) {
                Some(task) => task[*member] == *value,
                None => self.is_deleted(uid, *at),
            }
    }

    fn is_deleted(&self, uid: &str, at: usize) -> bool {
        let is_beneath = self.subtasks.contains(uid);
        self.deletions.iter().any(|deletion| *deletion > at || is_beneath)
    }
}
