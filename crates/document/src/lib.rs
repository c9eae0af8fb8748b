//! The published documents: OpenAPI 3.1 of the HTTP API, AsyncAPI 3.0 of the topics and the WebSocket, and a
//! JSON Schema of each event type; and the table of metrics, for operators.
//!
//! Limits, words, codes, topics, fields and events come from the types and tables of `rondo-domain` and
//! `rondo-contract` that read requests and write responses, so a changed limit changes the document. The
//! documents are committed in docs/, where a review shows each change. The component `docs` serves the first
//! two.

pub mod asyncapi;
pub mod bill;
mod metric;
pub mod openapi;
mod operation;
mod route;
mod schema;

use rondo_contract::event::EventType;
use serde_json::Value;

/// Every document as it is kept, by its path in docs/.
#[must_use]
pub fn documents() -> Vec<(String, String)> {
    let mut documents = vec![
        ("openapi.json".to_owned(), rendered(&openapi::document())),
        ("asyncapi.json".to_owned(), rendered(&asyncapi::document())),
        ("metrics.md".to_owned(), metric::document()),
    ];
    documents.extend(EventType::all().map(|event_type| {
        (format!("schemas/{event_type}.json"), rendered(&schema::event::file(event_type)))
    }));
    documents
}

/// A JSON document as committed: indented, with a newline at its end.
#[must_use]
pub fn rendered(document: &Value) -> String {
    format!("{document:#}\n")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn committed_documents_are_up_to_date() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        for (path, document) in documents() {
            let kept = std::fs::read_to_string(folder.join(&path)).unwrap_or_default();
            assert!(
                kept == document,
                "docs/{path} is out of date: `cargo xtask document` writes it"
            );
        }
        let schemas = std::fs::read_dir(folder.join("schemas")).unwrap().count();
        assert_eq!(schemas, EventType::all().count(), "docs/schemas has another file");
    }
}
