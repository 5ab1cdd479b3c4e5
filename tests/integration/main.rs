//! Integration tests: one link, one file per behaviour.

#[path = "../support/mod.rs"]
pub mod support;

#[cfg(test)]
mod action;
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod attest;
#[cfg(test)]
mod aws;
#[cfg(test)]
mod aws_run;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod consumers;
#[cfg(test)]
mod copy;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod download;
#[cfg(test)]
mod expectations;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod forgery;
#[cfg(test)]
mod front_door;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod go;
#[cfg(test)]
mod guides;
#[cfg(test)]
mod handoff;
#[cfg(test)]
mod host_limits;
#[cfg(test)]
mod hosts;
#[cfg(test)]
mod image;
#[cfg(test)]
mod interop;
#[cfg(test)]
mod judges;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod layout;
#[cfg(test)]
mod lift;
#[cfg(test)]
mod main_job;
#[cfg(test)]
mod multi_arch;
#[cfg(test)]
mod ratify;
#[cfg(test)]
mod readme;
mod registry;
#[cfg(test)]
mod release;
#[cfg(test)]
mod scratch;
#[cfg(test)]
mod summary;
#[cfg(test)]
mod tags;
#[cfg(test)]
mod tampering;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod vectors;

/// Every conformance case in `tests/vectors/notary/`, or in the directory that `COUNTERSIGN_VECTORS` names.
#[test]
fn vectors() {
    vectors::run();
}
