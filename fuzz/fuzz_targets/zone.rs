//! The name of a time zone, and what its clock makes of a moment.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rondo_domain::instant::Instant;
use rondo_domain::zone::Zone;

fuzz_target!(|input: (&str, i32)| {
    let (name, second) = input;
    let Ok(zone) = Zone::parse(name) else { return };
    assert_eq!(Zone::parse(zone.name()).as_ref(), Ok(&zone));
    let microsecond = i64::from(second) * 1_000_000;
    let Some(instant) = Instant::from_microsecond(microsecond) else { return };
    // Of a time that comes twice, the first is meant.
    let back = zone.instant_of(zone.local_of(instant)).expect("far from the calendar's end");
    assert!(back <= instant);
});
