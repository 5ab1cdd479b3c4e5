//! One hand-off format; see `../handoff.rs`.
#![no_main]
include!("../handoff.rs");
