//! How much of the job runs at once.

use futures_util::stream::{self, StreamExt as _};

/// Runs one future per item, at most `at_once` together, and returns the results in the order of the items.
///
/// Nothing is detached: dropping the returned future drops everything in it.
pub(super) async fn each<I, F, T>(items: I, at_once: usize, work: impl FnMut(I::Item) -> F) -> Vec<T>
where
    I: IntoIterator,
    F: Future<Output = T>,
{
    stream::iter(items.into_iter().map(work))
        .buffered(at_once.max(1))
        .collect()
        .await
}

/// Requests of one target under way at once; a target's own work is never wider than a CI job's patience.
pub(super) const PER_TARGET: usize = 8;
