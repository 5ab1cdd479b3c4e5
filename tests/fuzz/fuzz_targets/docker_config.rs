//! Docker's configuration file: what is read never shows its passwords.
#![no_main]

use countersign::edge::registry::DockerConfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match DockerConfig::parse(bytes) {
        Ok(config) => {
            let _ = format!("{config:?}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
