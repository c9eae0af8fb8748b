//! Resources: tasks that a user can put into a conversation.

use rondo_mcp::Error;
use rondo_tool::{Api, Call, Reply, query, task, tasks};
use serde_json::{Value, json};

const TODAY: &str = "rondo://today";
const OVERDUE: &str = "rondo://overdue";
const TASK: &str = "rondo://tasks/";
const MEDIA_TYPE: &str = "application/json";
/// Number of tasks of a resource.
const LIMIT: i64 = 100;

pub fn listed() -> Vec<Value> {
    let resource = |uri: &str, name: &str, title: &str| json!({ "uri": uri, "name": name, "title": title, "mimeType": MEDIA_TYPE });
    vec![
        resource(TODAY, "today", "Open tasks that are due today or before"),
        resource(OVERDUE, "overdue", "Open tasks that are overdue"),
    ]
}

pub fn templates() -> Vec<Value> {
    vec![json!({
        "uriTemplate": "rondo://tasks/{uid}", "name": "task", "title": "A task by its uid",
        "mimeType": MEDIA_TYPE,
    })]
}

/// The contents of a resource; none if there is no such resource.
pub fn read(api: &dyn Api, uri: &str) -> Result<Option<Vec<Value>>, Error> {
    let found = match uri {
        TODAY => tasks(&open_until(api, "today")?),
        OVERDUE => {
            let now = rondo_domain::instant::format(rondo_guest::clock::now());
            tasks(&open_until(api, &now)?)
        }
        _ => {
            let Some(uid) = uri.strip_prefix(TASK).and_then(rondo_guest::http::decoded) else {
                return Ok(None);
            };
            let reply = api.send(&Call::get(format!("tasks{}", query([("uid", uid)]))));
            match answered(reply) {
                // No task can have such a uid.
                Err(error) if error.data.is_none() && error.status(true) == 200 => return Ok(None),
                found => match found?.first() {
                    Some(found) => task(found),
                    None => return Ok(None),
                },
            }
        }
    };
    let text = found.to_string();
    Ok(Some(vec![json!({ "uri": uri, "mimeType": MEDIA_TYPE, "text": text })]))
}

/// Tasks to do that are due until then, earliest first.
fn open_until(api: &dyn Api, end: &str) -> Result<Vec<Value>, Error> {
    let parameters = [
        ("status", "pending,in_progress".to_owned()),
        ("due_date_end", end.to_owned()),
        ("sort_by", "due_date".to_owned()),
        ("sort_order", "asc".to_owned()),
        ("limit", LIMIT.to_string()),
    ];
    answered(api.send(&Call::get(format!("tasks{}", query(parameters)))))
}

/// The tasks of a reply.
fn answered(reply: Reply) -> Result<Vec<Value>, Error> {
    match reply.status {
        ..400 => Ok(reply.body.as_array().cloned().unwrap_or_default()),
        500.. => Err(Error::internal(reply.status, "The server cannot read tasks now.")),
        _ => Err(Error::params(reply.body["detail"].as_str().unwrap_or_default())),
    }
}
