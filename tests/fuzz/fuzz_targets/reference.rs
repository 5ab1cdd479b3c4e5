//! Image references: whatever is accepted, written out and read again, is the same reference.
#![no_main]

use countersign::domain::oci::ImageRef;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(image) = text.parse::<ImageRef>() {
        assert_eq!(image.to_string().parse::<ImageRef>().as_ref(), Ok(&image));
    }
});
