//! Tags with the edits of the outbox over them.

use rondo_domain::map::Map;
use rondo_domain::task::tag_key;

use crate::edit::Edit;
use crate::place::Tag;

/// Applies colours and names that wait.
pub(crate) fn replay<'a>(tags: &mut Map<String, Tag>, edits: impl Iterator<Item = &'a Edit>) {
    for edit in edits {
        match edit {
            Edit::ChangeTag { name, members } => {
                let new = members.get("name").and_then(|name| name.as_str()).unwrap_or(name);
                let old = tags.remove(&tag_key(name));
                let target = tags.entry(tag_key(new), || Tag {
                    name: new.to_owned(),
                    color: old.as_ref().and_then(|tag| tag.color.clone()),
                    count: 0,
                });
                target.count += old.map_or(0, |tag| tag.count);
                if let Some(color) = members.get("color") {
                    target.color = color.as_str().map(str::to_owned);
                }
            }
            Edit::DeleteTag { name } => {
                tags.remove(&tag_key(name));
            }
            _ => {}
        }
    }
}
