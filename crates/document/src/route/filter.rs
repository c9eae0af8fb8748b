//! Saved filters.

use rondo_contract::filter_body::FILTERS_MAX;
use rondo_contract::problem::ProblemCode;
use rondo_domain::access::Scope;
use serde_json::json;

use super::{FILTERS, query, shared};
use crate::operation::{Access, Operation};
use crate::schema::{list_of, named};

const JSON: &str = "application/json";
const READ: Access = Access::Scope(Scope::TasksRead);
const WRITE: Access = Access::Scope(Scope::TasksWrite);

pub fn all() -> Vec<Operation> {
    const ALL: &str = "/api/{user_id}/filters";
    const ONE: &str = "/api/{user_id}/filters/{filter_id}";
    const TASKS: &str = "/api/{user_id}/filters/{filter_id}/tasks";
    let one = |access, method, id, summary| {
        Operation::new(FILTERS, access, method, ONE, id, summary)
            .parameter(shared("filter_id"))
            .problems(&[ProblemCode::NotFound])
    };
    let change = |method, id, summary| {
        one(WRITE, method, id, summary)
            .parameter(shared("if_match"))
            .problems(&[ProblemCode::PreconditionFailed])
    };
    let filter = Some((JSON, named("Filter")));
    vec![
        Operation::new(FILTERS, READ, "get", ALL, "listFilters", "List filters, oldest first")
            .parameter(query(
                "count",
                "Whether each filter has the number of its tasks.",
                json!({"type": "boolean"}),
            ))
            .answers_with(200, "All filters", Some((JSON, list_of("Filter"))), &[]),
        Operation::new(FILTERS, WRITE, "post", ALL, "createFilter", "Create a filter")
            .describe(format!("A user has at most {FILTERS_MAX} filters."))
            .parameter(shared("idempotency_key"))
            .body(named("FilterCreate"))
            .answers_with(
                201,
                "The filter",
                filter.clone(),
                &["ETag", "Location", "Idempotency-Replayed"],
            )
            .problems(&[ProblemCode::IdempotencyKeyReused, ProblemCode::TooManyFilters]),
        one(READ, "get", "getFilter", "Get a filter")
            .parameter(shared("if_none_match"))
            .answers_with(200, "The filter", filter.clone(), &["ETag"])
            .answers_with(304, "The client has the current filter", None, &["ETag"]),
        change("put", "replaceFilter", "Replace a filter")
            .body(named("FilterCreate"))
            .answers_with(200, "The filter", filter.clone(), &["ETag"]),
        change("patch", "changeFilter", "Change fields of a filter")
            .merge_patch(named("FilterPatch"))
            .answers_with(200, "The filter", filter, &["ETag"]),
        change("delete", "deleteFilter", "Delete a filter").answers_empty(204, "Deleted"),
        Operation::new(
            FILTERS,
            READ,
            "get",
            TASKS,
            "listFilterTasks",
            "List the tasks that a filter finds",
        )
        .parameter(shared("filter_id"))
        .problems(&[ProblemCode::NotFound])
        .parameters(super::task::part())
        .answers_with(
            200,
            "A page",
            Some((JSON, list_of("Task"))),
            &["Link", "X-Total-Count", "X-Total-Estimate"],
        ),
    ]
}
