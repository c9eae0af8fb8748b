//! A recurrence rule as a client sends it, or the text of an RFC 5545 rule: what is read can be
//! answered, read again and worked out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rondo_contract::{json, recurrence_rule};
use rondo_domain::jiff::civil::datetime;
use rondo_domain::recurrence::{Series, describe};
use rondo_domain::zone::Zone;

fuzz_target!(|bytes: &[u8]| {
    let value = json::parse(bytes).unwrap_or_else(|_| {
        serde_json::json!({ "rrule": String::from_utf8_lossy(bytes) })
    });
    let Ok(rule) = recurrence_rule::from_json(&value) else { return };
    assert_eq!(recurrence_rule::from_json(&recurrence_rule::to_json(&rule)).as_ref(), Ok(&rule));
    let series = Series::new(rule, datetime(2031, 1, 31, 2, 30, 0, 0), Zone::utc());
    assert!(!describe(&series).is_empty());
    let slots = series.preview(10);
    assert_eq!(series.validate().is_ok(), !slots.is_empty());
    assert!(slots.windows(2).all(|pair| pair[0].local < pair[1].local));
});
