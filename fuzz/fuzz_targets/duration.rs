//! A reminder offset: what is read is answered so that it reads the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rondo_domain::offset::ReminderOffset;

fuzz_target!(|text: &str| {
    if let Ok(offset) = ReminderOffset::parse(text) {
        assert_eq!(ReminderOffset::parse(&offset.to_string()), Ok(offset));
    }
});
