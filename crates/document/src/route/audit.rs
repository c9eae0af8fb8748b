//! The audit log.

use rondo_domain::access::Scope;
use serde_json::{Value, json};

use super::{AUDIT, query, shared};
use crate::operation::{Access, Operation};
use crate::schema;

pub fn all() -> Vec<Operation> {
    let operation = |path, id, summary| {
        Operation::new(AUDIT, Access::Scope(Scope::AuditRead), "get", path, id, summary).parameter(
            query("user_id", "One's own, unless the token has the scope admin.", schema::id()),
        )
    };
    vec![
        operation("/api/audit/logs", "listAuditLogs", "What happened, newest first")
            .parameter(query("action_type", "A type of event.", json!({"type": "string"})))
            .parameter(query("task_id", "What is about this task.", schema::id()))
            .parameters(span())
            .parameters([shared("limit"), shared("cursor")])
            .answers_with(
                200,
                "A page",
                Some(("application/json", schema::list_of("AuditLog"))),
                &["Link"],
            ),
        operation("/api/audit/statistics", "getAuditStatistics", "How much happened")
            .parameters(span())
            .answers(200, "The counts", schema::named("AuditStatistics")),
    ]
}

fn span() -> [Value; 2] {
    let bound = schema::text::date_or_instant();
    [
        query(
            "start_date",
            "From this instant on, or from the beginning of this date in UTC.",
            bound.clone(),
        ),
        query("end_date", "Up to this instant, or to the end of this date in UTC.", bound),
    ]
}
