//! The observer of a job: progress to the writer, requests counted for the report, panics turned into a failure.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Scene;
use super::backends::AnyStore;
use super::services::Services;
use super::signer::AnyRevocation;
use crate::base::failure::Cause;
use crate::domain::report::{Event, RunReport};
use crate::edge::ci::Writer;
use crate::job::Backends;
use crate::seams::{Clock, Observer};

type Counts = BTreeMap<&'static str, BTreeMap<&'static str, u64>>;

/// Shows progress and counts requests.
pub(super) struct Watch<'a> {
    writer: &'a Writer,
    counter: Counter,
    repeated: RefCell<UnboundedReceiver<Event>>,
}

/// Counts requests and passes on which are repeated, from whatever thread they are told.
#[derive(Clone)]
pub(super) struct Counter {
    counts: Arc<Mutex<Counts>>,
    repeated: UnboundedSender<Event>,
}

impl Counter {
    pub(super) fn count(&self, event: &Event) {
        match event {
            Event::Request { service, operation } => {
                let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
                *counts.entry(service).or_default().entry(operation).or_default() += 1;
            }
            // Nobody listens any more when the job has ended.
            Event::Retry { .. } => drop(self.repeated.send(event.clone())),
            _ => {}
        }
    }
}

impl Observer for Counter {
    fn on(&self, event: &Event) {
        self.count(event);
    }
}

impl<'a> Watch<'a> {
    pub(super) fn new(scene: &Scene<'a>) -> Self {
        let (sender, receiver) = unbounded_channel();
        Self {
            writer: scene.writer,
            counter: Counter {
                counts: Arc::default(),
                repeated: sender,
            },
            repeated: RefCell::new(receiver),
        }
    }

    /// Who counts requests.
    pub(super) fn counter(&self) -> Counter {
        self.counter.clone()
    }

    /// What a job works with.
    pub(super) fn backends<'b>(
        &'b self,
        services: &'b Services,
    ) -> Backends<'b, AnyStore, AnyRevocation, Self> {
        Backends {
            store: &services.store,
            revocation: &services.revocation,
            observer: self,
            clock: Clock::System,
        }
    }

    /// Waits for a job, and puts into its report what it cost and what the environment overrides.
    pub(super) async fn over(
        &self,
        services: &Services,
        job: impl Future<Output = RunReport>,
    ) -> Result<RunReport, Cause> {
        let mut report = self.to_its_end(job).await?;
        report.findings.extend(services.findings.iter().cloned());
        let mut counts = self.counter.counts.lock().unwrap_or_else(PoisonError::into_inner);
        report.requests = std::mem::take(&mut *counts);
        drop(counts);
        Ok(report)
    }

    /// Waits for work; a panic in it becomes an error whose payload nobody sees.
    pub(super) async fn to_its_end<T>(&self, work: impl Future<Output = T>) -> Result<T, Cause> {
        let work = Box::pin(work);
        let shown = async {
            tokio::select! {
                biased;
                ended = work => ended,
                never = std::future::poll_fn(|context| self.show_repeated(context)) => match never {},
            }
        };
        let ended = AssertUnwindSafe(shown).catch_unwind().await;
        self.writer.clear();
        self.writer.close_groups();
        ended.map_err(|_| super::bug("the job ended in the middle"))
    }

    /// Shows requests that are repeated, for as long as the job goes on.
    fn show_repeated(&self, context: &mut Context<'_>) -> Poll<Infallible> {
        while let Poll::Ready(Some(event)) = self.repeated.borrow_mut().poll_recv(context) {
            self.writer.on(&event);
        }
        Poll::Pending
    }
}

impl Observer for Watch<'_> {
    fn on(&self, event: &Event) {
        self.counter.count(event);
        self.writer.on(event);
    }
}
