//! `Link`: the next page is a part of the header, and an address or refused when joined to the one before.
#![no_main]

use countersign::edge::registry::next_page;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: &str| {
    if let Some(next) = next_page(header) {
        assert!(header.contains(next));
    }
});
