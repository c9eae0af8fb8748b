//! Lists of tasks.

use rondo_contract::problem::ProblemCode;
use rondo_domain::access::Scope;
use rondo_domain::list::{LISTS_MAX, TaskFate};
use serde_json::json;

use super::{LISTS, query, shared};
use crate::operation::{Access, Operation};
use crate::schema::{list_of, named};

const JSON: &str = "application/json";
const READ: Access = Access::Scope(Scope::TasksRead);
const WRITE: Access = Access::Scope(Scope::TasksWrite);

pub fn all() -> Vec<Operation> {
    const ALL: &str = "/api/{user_id}/lists";
    const ONE: &str = "/api/{user_id}/lists/{list_id}";
    const MOVE: &str = "/api/{user_id}/lists/{list_id}/move";
    let one = |access, method, id, summary| {
        Operation::new(LISTS, access, method, ONE, id, summary)
            .parameter(shared("list_id"))
            .problems(&[ProblemCode::NotFound])
    };
    let change = |method, id, summary| {
        one(WRITE, method, id, summary)
            .parameter(shared("if_match"))
            .problems(&[ProblemCode::PreconditionFailed])
    };
    let list = Some((JSON, named("List")));
    vec![
        Operation::new(LISTS, READ, "get", ALL, "listLists", "List lists, by position")
            .parameter(query(
                "archived",
                "Archived lists, or the others. Both if it is left out.",
                json!({"type": "boolean"}),
            ))
            .parameters([shared("limit"), shared("cursor")])
            .answers_with(200, "A page", Some((JSON, list_of("List"))), &["Link"]),
        Operation::new(LISTS, WRITE, "post", ALL, "createList", "Create a list")
            .describe(format!(
                "The new list comes after all others. A user has at most {LISTS_MAX} lists."
            ))
            .parameter(shared("idempotency_key"))
            .body(named("ListCreate"))
            .answers_with(
                201,
                "The list",
                list.clone(),
                &["ETag", "Location", "Idempotency-Replayed"],
            )
            .problems(&[ProblemCode::IdempotencyKeyReused, ProblemCode::TooManyLists]),
        one(READ, "get", "getList", "Get a list")
            .parameter(shared("if_none_match"))
            .answers_with(200, "The list", list.clone(), &["ETag"])
            .answers_with(304, "The client has the current list", None, &["ETag"]),
        change("put", "replaceList", "Replace a list").body(named("ListCreate")).answers_with(
            200,
            "The list",
            list.clone(),
            &["ETag"],
        ),
        change("patch", "changeList", "Change fields of a list")
            .merge_patch(named("ListPatch"))
            .answers_with(200, "The list", list.clone(), &["ETag"]),
        change("delete", "deleteList", "Delete a list")
            .describe("Each of its tasks changes and has an event of its own, then the list.")
            .parameter(query(
                "tasks",
                "What becomes of the list's tasks: they move to the inbox, or they are deleted too. \
                 Deleting them ends their series.",
                json!({
                    "type": "string",
                    "enum": TaskFate::WORDS,
                    "default": TaskFate::Inbox.as_str(),
                }),
            ))
            .answers_empty(204, "Deleted"),
        Operation::new(LISTS, WRITE, "post", MOVE, "moveList", "Move a list")
            .parameters([shared("list_id"), shared("if_match")])
            .describe("Without a neighbour, the list comes last. No other list changes, except when there is no room.")
            .parameter(shared("idempotency_key"))
            .body(named("ListMove"))
            .answers_with(200, "The list", list, &["ETag", "Idempotency-Replayed"])
            .problems(&[
                ProblemCode::NotFound,
                ProblemCode::PreconditionFailed,
                ProblemCode::IdempotencyKeyReused,
            ]),
    ]
}
