//! Progress as values, so that order and content can be asserted and every host can show it in its own way.

use crate::domain::plan::Step;

/// Something that happened during a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Work on a target began.
    TargetStarted {
        /// Its place among the targets, from 0.
        target: usize,
        /// How many targets there are.
        of: usize,
        /// The image as it was named.
        image: String,
    },
    /// A step of a target began.
    StepStarted {
        /// The target's place.
        target: usize,
        /// The step.
        step: Step,
    },
    /// A step of a target ended well.
    StepDone {
        /// The target's place.
        target: usize,
        /// The step.
        step: Step,
        /// What came of it, in a few words.
        what: String,
    },
    /// Work on a target ended, well or not.
    TargetDone {
        /// The target's place.
        target: usize,
    },
    /// One request was sent to a service; counted for the report.
    Request {
        /// `registry`, `ecr`, `signer`, `sts`, …
        service: &'static str,
        /// `GET manifest`, `SignPayload`, …
        operation: &'static str,
    },
    /// A request is being repeated after a fault.
    Retry {
        /// The service.
        service: &'static str,
        /// The operation.
        operation: &'static str,
        /// Which attempt comes next, from 2.
        attempt: u32,
        /// Milliseconds until then; 0 where it is sent now.
        wait_ms: u64,
    },
}
