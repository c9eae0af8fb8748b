//! docs/security.md lists the ACLs that Kafka needs. They have to agree with topics and capabilities.

use std::collections::BTreeSet;
use std::path::Path;

use rondo_contract::capability::CAPABILITIES;
use rondo_contract::topic::{TASK_UPDATES, TOPICS};

/// The words in backquotes of the row with this beginning and operation.
fn row(document: &str, start: &str, operation: &str) -> BTreeSet<String> {
    let is_row = |line: &&str| line.starts_with(start) && line.contains(operation);
    let mut rows = document.lines().filter(is_row);
    let found = rows.next().unwrap_or_else(|| panic!("no row {start:?} with {operation}"));
    assert_eq!(rows.next(), None, "one row {start:?} with {operation}");
    found.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn documented_acls_agree_with_topics_and_consumers() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/security.md");
    let document = std::fs::read_to_string(path).unwrap();
    let names = |names: &mut dyn Iterator<Item = String>| -> BTreeSet<String> { names.collect() };
    let written = names(&mut TOPICS.iter().map(|topic| topic.name.to_owned()));
    assert_eq!(row(&document, "| bridge | topics", "Create, Describe, Write"), written);
    let read = CAPABILITIES.iter().flat_map(|capability| capability.topics);
    let read = names(&mut read.map(|topic| topic.name.to_owned()));
    assert_eq!(row(&document, "| bridge | topics", "| Read"), read);
    let groups = CAPABILITIES.iter().map(|capability| format!("rondo-{}", capability.name));
    assert_eq!(row(&document, "| bridge | groups", "Read"), names(&mut groups.into_iter()));
    let followed = BTreeSet::from([TASK_UPDATES.name.to_owned()]);
    assert_eq!(row(&document, "| rondo-sync | topic", "Describe, Read"), followed);
}
