//! Law: every type of event has a published schema, and every schema a type.

use std::collections::BTreeSet;

use rondo_contract::event::EventType;
use rondo_testkit::event_schema::known_types;

#[test]
fn every_event_type_has_a_schema() {
    let types: BTreeSet<_> = EventType::all().map(EventType::as_str).collect();
    let schemas: BTreeSet<_> = known_types().into_iter().collect();
    assert_eq!(types, schemas);
}
