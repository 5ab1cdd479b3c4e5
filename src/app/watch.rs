//! The observer of a job: progress to the writer, requests counted for the report, panics turned into a failure.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;

use super::Scene;
use super::backends::AnyStore;
use crate::base::failure::Cause;
use crate::domain::report::{Event, RunReport};
use crate::edge::ci::Writer;
use crate::job::Backends;
use crate::seams::{Clock, NotChecked, Observer};

type Counts = BTreeMap<&'static str, BTreeMap<&'static str, u64>>;

/// Shows progress and counts requests.
pub(super) struct Watch<'a> {
    writer: &'a Writer,
    requests: RefCell<Counts>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(scene: &Scene<'a>) -> Self {
        Self {
            writer: scene.writer,
            requests: RefCell::default(),
        }
    }

    /// What a job works with.
    pub(super) fn backends<'b>(&'b self, store: &'b AnyStore) -> Backends<'b, AnyStore, NotChecked, Self> {
        Backends {
            store,
            revocation: &NotChecked,
            observer: self,
            clock: Clock::System,
        }
    }

    /// Waits for a job; a panic in it becomes an error whose payload nobody sees.
    pub(super) async fn over(&self, job: impl Future<Output = RunReport>) -> Result<RunReport, Cause> {
        let ended = AssertUnwindSafe(job).catch_unwind().await;
        self.writer.clear();
        let mut report = ended.map_err(|_| super::bug("the job ended in the middle"))?;
        report.requests = self.requests.take();
        Ok(report)
    }
}

impl Observer for Watch<'_> {
    fn on(&self, event: &Event) {
        if let Event::Request { service, operation } = event {
            let mut requests = self.requests.borrow_mut();
            *requests.entry(service).or_default().entry(operation).or_default() += 1;
        }
        self.writer.on(event);
    }
}
