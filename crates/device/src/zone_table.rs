//! The time zones that the device knows: those that the shell brought from the server, and those that are compiled in.

use std::collections::BTreeMap;

use rondo_domain::zone::Zone;

#[derive(Debug, Clone, Default)]
pub(crate) struct ZoneTable(BTreeMap<String, Zone>);

impl ZoneTable {
    /// Adds a zone by its rules in the format of RFC 9636 (TZif). Whether the bytes have that format.
    pub(crate) fn add(&mut self, name: &str, rules: &[u8]) -> bool {
        let zone = Zone::of_rules(name, rules);
        let is_known = zone.is_some();
        self.0.extend(zone.map(|zone| (name.to_owned(), zone)));
        is_known
    }

    pub(crate) fn find(&self, name: &str) -> Option<Zone> {
        if name == "UTC" {
            return Some(Zone::utc());
        }
        self.0.get(name).cloned().or_else(|| Zone::parse(name).ok())
    }

    /// The zone of this name, or UTC as long as it is not known.
    pub(crate) fn get(&self, name: &str) -> Zone {
        self.find(name).unwrap_or_else(Zone::utc)
    }
}
