//! The bounded YAML reader: no bomb, no depth and no length gets past its bounds.
#![no_main]

use countersign::base::limits::Bounds;
use countersign::base::yaml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let bounds = Bounds { bytes: 4096, depth: 16, values: 200 };
    if yaml::read(bytes, bounds).is_ok() {
        assert!(bytes.len() <= bounds.bytes);
    }
});
