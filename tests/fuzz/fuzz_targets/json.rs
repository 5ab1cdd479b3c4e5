//! The bounded JSON reader: it accepts nothing that serde_json's grammar refuses.
#![no_main]

use countersign::base::json;
use countersign::base::limits::Bounds;
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

fuzz_target!(|bytes: &[u8]| {
    let bounds = Bounds { bytes: 4096, depth: 16, values: 200 };
    if json::read(bytes, bounds).is_ok() {
        assert!(bytes.len() <= bounds.bytes);
        assert!(serde_json::from_slice::<&RawValue>(bytes).is_ok());
    }
});
