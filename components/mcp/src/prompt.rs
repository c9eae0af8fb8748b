//! Prompts: requests that a user can choose, and completions of their arguments.

use rondo_mcp::{Argument, Error, Reference};
use rondo_tool::{Api, Call};
use serde_json::{Map, Value, json};

/// The argument of every prompt.
const TAG: &str = "tag";

struct Prompt {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    text: &'static str,
}

const PROMPTS: [Prompt; 2] = [
    Prompt {
        name: "plan_my_day",
        title: "Plan my day",
        description: "Puts the tasks of today and the overdue ones into an order.",
        text: "Plan my day. Find my open tasks that are due today or overdue, then those without a date and with a high \
               priority. Consider estimates and what is blocked. Propose an order with times, and what to move to \
               another day. Change nothing until I agree; then use reschedule_task.",
    },
    Prompt {
        name: "weekly_review",
        title: "Weekly review",
        description: "Looks back on the week, and ahead to the next one.",
        text: "Review my week. List what I completed in the last seven days, what is overdue, and what is due in the next \
               seven days. Name tasks that have not moved for a month, and suggest for each whether to do, move or \
               delete it. Change nothing until I agree.",
    },
];

pub fn listed() -> Vec<Value> {
    let argument =
        json!({ "name": TAG, "description": "only tasks with this tag", "required": false });
    let prompt = |prompt: &Prompt| {
        json!({
            "name": prompt.name,
            "title": prompt.title,
            "description": prompt.description,
            "arguments": [argument],
        })
    };
    PROMPTS.iter().map(prompt).collect()
}

pub fn get(name: &str, arguments: &Map<String, Value>) -> Result<Map<String, Value>, Error> {
    let prompt = named(name)?;
    let mut text = prompt.text.to_owned();
    for (name, value) in arguments {
        match (name.as_str(), value.as_str()) {
            (TAG, Some("")) => {}
            (TAG, Some(tag)) => text += &format!(" Consider only tasks with the tag {tag:?}."),
            _ => return Err(Error::params(format!("argument {name} must be {TAG}, a string"))),
        }
    }
    let message = json!({ "role": "user", "content": { "type": "text", "text": text } });
    Ok(Map::from_iter([
        ("description".to_owned(), prompt.description.into()),
        ("messages".to_owned(), json!([message])),
    ]))
}

/// The user's tags that begin with what was typed.
pub fn complete(
    api: &dyn Api,
    reference: &Reference,
    argument: &Argument,
) -> Result<Vec<String>, Error> {
    match reference {
        Reference::Prompt(name) => drop(named(name)?),
        Reference::Resource(_) => return Ok(Vec::new()),
    }
    if argument.name != TAG {
        return Err(Error::params(format!("there is no argument {:?}", argument.name)));
    }
    let reply = api.send(&Call::get("tags"));
    if reply.status >= 500 {
        return Err(Error::internal(reply.status, "The server cannot read tags now."));
    }
    let typed = argument.value.to_lowercase();
    let names = reply.body.as_array().into_iter().flatten().filter_map(|tag| tag["name"].as_str());
    Ok(names.filter(|name| name.to_lowercase().starts_with(&typed)).map(str::to_owned).collect())
}

fn named(name: &str) -> Result<&'static Prompt, Error> {
    let found = PROMPTS.iter().find(|prompt| prompt.name == name);
    found.ok_or_else(|| Error::params(format!("there is no prompt {name:?}")))
}
