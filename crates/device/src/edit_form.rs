//! Edits as JSON, for storage and other tabs. By hand, since derived readers of so many variants would take a tenth of
//! a page's bytes.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::edit::{Beside, Edit, Members, Scope};

impl Serialize for Edit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Edit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        read(&value).ok_or_else(|| D::Error::custom("not an edit"))
    }
}

/// An object with the edit's members and its `kind`.
fn write(edit: &Edit) -> Value {
    let mut form = Form::default();
    match edit {
        Edit::Create { uid, id, task } => form.kind("create").uid(uid).id(*id).members(task),
        Edit::Patch { uid, members, scope } => {
            form.kind("patch").uid(uid).scope(*scope).members(members)
        }
        Edit::Complete { uid, steps } => form.kind("complete").uid(uid).flag(*steps),
        Edit::Reopen { uid } => form.kind("reopen").uid(uid),
        Edit::Skip { uid } => form.kind("skip").uid(uid),
        Edit::Move { uid, list_id, beside } => {
            let form = form.kind("move").uid(uid).beside(*beside);
            match list_id {
                Some(list) => form.set("list_id", (*list).into()),
                None => form,
            }
        }
        Edit::Delete { uid, scope } => form.kind("delete").uid(uid).scope(*scope),
        Edit::Restore { uid, id, task } => form.kind("restore").uid(uid).id(*id).members(task),
        Edit::AddReminder { uid, id, reminder } => {
            form.kind("add_reminder").uid(uid).id(*id).members(reminder)
        }
        Edit::RemoveReminder { id } => form.kind("remove_reminder").id(*id),
        Edit::Snooze { id, snooze } => form.kind("snooze").id(*id).members(snooze),
        Edit::CreateList { id, list } => form.kind("create_list").id(*id).members(list),
        Edit::PatchList { id, members } => form.kind("patch_list").id(*id).members(members),
        Edit::MoveList { id, beside } => form.kind("move_list").id(*id).beside(*beside),
        Edit::DeleteList { id, delete_tasks } => {
            form.kind("delete_list").id(*id).flag(*delete_tasks)
        }
        Edit::CreateFilter { id, filter } => form.kind("create_filter").id(*id).members(filter),
        Edit::PatchFilter { id, members } => form.kind("patch_filter").id(*id).members(members),
        Edit::DeleteFilter { id } => form.kind("delete_filter").id(*id),
        Edit::ChangeTag { name, members } => form.kind("change_tag").name(name).members(members),
        Edit::DeleteTag { name } => form.kind("delete_tag").name(name),
        Edit::PatchAccount { members } => form.kind("patch_account").members(members),
        Edit::Undo { token, inverse } => {
            let inverse = inverse.iter().map(write).collect();
            form.kind("undo").name(token).set("inverse", inverse)
        }
    };
    Value::Object(form.0)
}

fn read(value: &Value) -> Option<Edit> {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    let uid = || text("uid");
    let name = || text("name");
    let id = || value["id"].as_i64();
    let members = || value["members"].as_object().cloned();
    let flag = || value["flag"].as_bool();
    let scope = || match value["scope"].as_str() {
        Some("future") => Some(Scope::Future),
        Some("all") => Some(Scope::All),
        _ => None,
    };
    let beside = || match (value["after"].as_i64(), value["before"].as_i64()) {
        (Some(id), _) => Beside::After(id),
        (None, Some(id)) => Beside::Before(id),
        (None, None) => Beside::Last,
    };
    Some(match value["kind"].as_str()? {
        "create" => Edit::Create { uid: uid()?, id: id()?, task: members()? },
        "patch" => Edit::Patch { uid: uid()?, members: members()?, scope: scope() },
        "complete" => Edit::Complete { uid: uid()?, steps: flag()? },
        "reopen" => Edit::Reopen { uid: uid()? },
        "skip" => Edit::Skip { uid: uid()? },
        "move" => {
            let list_id = value.get("list_id").map(Value::as_i64);
            Edit::Move { uid: uid()?, list_id, beside: beside() }
        }
        "delete" => Edit::Delete { uid: uid()?, scope: scope() },
        "restore" => Edit::Restore { uid: uid()?, id: id()?, task: members()? },
        "add_reminder" => Edit::AddReminder { uid: uid()?, id: id()?, reminder: members()? },
        "remove_reminder" => Edit::RemoveReminder { id: id()? },
        "snooze" => Edit::Snooze { id: id()?, snooze: members()? },
        "create_list" => Edit::CreateList { id: id()?, list: members()? },
        "patch_list" => Edit::PatchList { id: id()?, members: members()? },
        "move_list" => Edit::MoveList { id: id()?, beside: beside() },
        "delete_list" => Edit::DeleteList { id: id()?, delete_tasks: flag()? },
        "create_filter" => Edit::CreateFilter { id: id()?, filter: members()? },
        "patch_filter" => Edit::PatchFilter { id: id()?, members: members()? },
        "delete_filter" => Edit::DeleteFilter { id: id()? },
        "change_tag" => Edit::ChangeTag { name: name()?, members: members()? },
        "delete_tag" => Edit::DeleteTag { name: name()? },
        "patch_account" => Edit::PatchAccount { members: members()? },
        "undo" => {
            let inverse = value["inverse"].as_array()?.iter().map(read).collect::<Option<_>>()?;
            Edit::Undo { token: name()?, inverse }
        }
        _ => return None,
    })
}

#[derive(Default)]
struct Form(Members);

impl Form {
    fn set(&mut self, name: &str, value: Value) -> &mut Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    fn kind(&mut self, kind: &str) -> &mut Self {
        self.set("kind", kind.into())
    }

    fn uid(&mut self, uid: &str) -> &mut Self {
        self.set("uid", uid.into())
    }

    fn id(&mut self, id: i64) -> &mut Self {
        self.set("id", id.into())
    }

    fn name(&mut self, name: &str) -> &mut Self {
        self.set("name", name.into())
    }

    fn flag(&mut self, flag: bool) -> &mut Self {
        self.set("flag", flag.into())
    }

    fn members(&mut self, members: &Members) -> &mut Self {
        self.set("members", members.clone().into())
    }

    fn scope(&mut self, scope: Option<Scope>) -> &mut Self {
        match scope {
            Some(scope) => self.set("scope", scope.as_str().into()),
            None => self,
        }
    }

    fn beside(&mut self, beside: Beside) -> &mut Self {
        beside.write(&mut self.0);
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn edits_come_back_from_storage() {
        let members = || json!({"title": "a", "due_day": null}).as_object().cloned().unwrap();
        let uid = || "u".to_owned();
        let name = || "work".to_owned();
        let edits = vec![
            Edit::Create { uid: uid(), id: -7, task: members() },
            Edit::Patch { uid: uid(), members: members(), scope: None },
            Edit::Patch { uid: uid(), members: members(), scope: Some(Scope::Future) },
            Edit::Complete { uid: uid(), steps: true },
            Edit::Reopen { uid: uid() },
            Edit::Skip { uid: uid() },
            Edit::Move { uid: uid(), list_id: None, beside: Beside::Last },
            Edit::Move { uid: uid(), list_id: Some(None), beside: Beside::After(3) },
            Edit::Move { uid: uid(), list_id: Some(Some(-2)), beside: Beside::Before(-3) },
            Edit::Delete { uid: uid(), scope: Some(Scope::All) },
            Edit::Restore { uid: uid(), id: 7, task: members() },
            Edit::AddReminder { uid: uid(), id: -1, reminder: members() },
            Edit::RemoveReminder { id: 4 },
            Edit::Snooze { id: 4, snooze: members() },
            Edit::CreateList { id: -4, list: members() },
            Edit::PatchList { id: 4, members: members() },
            Edit::MoveList { id: 4, beside: Beside::After(5) },
            Edit::DeleteList { id: 4, delete_tasks: false },
            Edit::CreateFilter { id: -4, filter: members() },
            Edit::PatchFilter { id: 4, members: members() },
            Edit::DeleteFilter { id: 4 },
            Edit::ChangeTag { name: name(), members: members() },
            Edit::DeleteTag { name: name() },
            Edit::PatchAccount { members: members() },
        ];
        let undo = Edit::Undo { token: "r7".to_owned(), inverse: edits.clone() };
        for edit in edits.into_iter().chain([undo]) {
            let text = serde_json::to_string(&edit).unwrap();
            assert_eq!(serde_json::from_str::<Edit>(&text).unwrap(), edit, "{text}");
        }
        for text in [r#"{"kind": "shout"}"#, r#"{"kind": "create", "uid": "u"}"#, "[]", "7"] {
            assert!(serde_json::from_str::<Edit>(text).is_err(), "{text}");
        }
    }
}
