//! What was asked of whom, when, and in which wave.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use super::http::Request;

/// One request and its answer.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The service's name.
    pub service: &'static str,
    /// What was asked, as the service names it.
    pub operation: &'static str,
    /// The request itself.
    pub request: Request,
    /// The status that was sent; 0 where the connection was closed instead.
    pub status: u16,
    /// When the request was read, since the world began.
    pub started: Duration,
    /// When the answer was given away; equal to `started` until then.
    pub finished: Duration,
}

/// Every request, in the order of their arrival.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Vec<Entry>>);

impl Ledger {
    /// Notes a request; returns its place.
    pub(super) fn open(&self, entry: Entry) -> usize {
        let mut entries = self.0.lock().unwrap();
        entries.push(entry);
        entries.len() - 1
    }

    /// Notes the answer.
    pub(super) fn close(&self, at: usize, status: u16, finished: Duration) {
        if let Some(entry) = self.0.lock().unwrap().get_mut(at) {
            entry.status = status;
            entry.finished = finished;
        }
    }

    /// A copy of every entry.
    pub fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap().clone()
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    /// How many requests there were.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How often an operation of a service was asked.
    pub fn count(&self, service: &str, operation: &str) -> usize {
        self.of(service, operation).len()
    }

    /// The entries of one operation.
    pub fn of(&self, service: &str, operation: &str) -> Vec<Entry> {
        let entries = self.entries();
        entries
            .into_iter()
            .filter(|entry| entry.service == service && entry.operation == operation)
            .collect()
    }

    /// Operations in the order of their arrival, as `service: operation`.
    pub fn operations(&self) -> Vec<String> {
        self.entries()
            .iter()
            .map(|entry| format!("{}: {}", entry.service, entry.operation))
            .collect()
    }

    /// Requests per `service: operation`.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for operation in self.operations() {
            *counts.entry(operation).or_default() += 1;
        }
        counts
    }

    /// The wave of each entry, from 1: one more than the last wave of all requests that were answered before this
    /// one arrived. Only meaningful with a latency well above the scheduling noise (20 ms).
    pub fn waves(&self) -> Vec<usize> {
        let entries = self.entries();
        let mut waves: Vec<usize> = Vec::with_capacity(entries.len());
        for entry in &entries {
            let before = entries
                .iter()
                .zip(&waves)
                .filter(|(other, _)| other.finished < entry.started);
            waves.push(1 + before.map(|(_, wave)| *wave).max().unwrap_or(0));
        }
        waves
    }
}
