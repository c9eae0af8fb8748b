//! The audit log.

use rondo_domain::access::Scope;
use serde_json::{Value, json};

use super::{AUDIT, query, shared};
use crate::operation::{Access, Operation};
use crate::schema;

pub fn all() -> Vec<Operation> {
    let operation = |path, id, summary| {
        Operation::new(AUDIT, Access::Scope(Scope::AuditRead), "get", path, id, summary).parameter(
            query(
                "user_id",
                "The user. Another than the token's needs the scope `admin`.",
                schema::id(),
            ),
        )
    };
    vec![
        operation("/api/audit/logs", "listAuditLogs", "List events, newest first")
            .parameter(query("action_type", "The type of event.", json!({"type": "string"})))
            .parameter(query("task_id", "Events about this task.", schema::id()))
            .parameters(span())
            .parameters([shared("limit"), shared("cursor")])
            .answers_with(
                200,
                "A page",
                Some(("application/json", schema::list_of("AuditLog"))),
                &["Link"],
            ),
        operation("/api/audit/statistics", "getAuditStatistics", "Count events")
            .parameters(span())
            .answers(200, "The counts", schema::named("AuditStatistics")),
    ]
}

fn span() -> [Value; 2] {
    let bound = schema::text::bound();
    [
        query(
            "start_date",
            "At or after this instant, or on or after this date in UTC.",
            bound.clone(),
        ),
        query("end_date", "At or before this instant, or on or before this date in UTC.", bound),
    ]
}
