//! Blobs on their way from one store to another: hashed as they pass, and never whole before they are known to be good.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::base::failure::{Cause, Class, Classified as _};
use crate::domain::oci::{Descriptor, Digest, Hasher, Place};
use crate::job::pool;
use crate::seams::{BlobBytes, CopyStore, StoreError, StoreProblem};

/// The waits before a blob is sent again whose way broke off (ours).
const AGAIN: [Duration; 3] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(4),
];

/// What became of blobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    /// Blobs that were sent.
    pub(super) sent: u64,
    /// Blobs that the registry linked from another of its repositories.
    pub(super) mounted: u64,
    /// Bytes that were sent.
    pub(super) bytes: u64,
}

/// Copies blobs, each unless it is there.
///
/// # Errors
/// The first problem, after which nothing refers to what was copied.
pub(super) async fn copy_blobs(
    store: &impl CopyStore,
    blobs: &[&Descriptor],
    from: &Place,
    to: &Place,
) -> Result<Moved, Cause> {
    let copied = pool::each(blobs, pool::PER_TARGET, |blob| copy_blob(store, blob, from, to));
    let mut moved = Moved::default();
    for copied in copied.await {
        let one = copied.map_err(|error| Cause::of(&error))?;
        moved.sent += one.sent;
        moved.mounted += one.mounted;
        moved.bytes += one.bytes;
    }
    Ok(moved)
}

async fn copy_blob(
    store: &impl CopyStore,
    blob: &Descriptor,
    from: &Place,
    to: &Place,
) -> Result<Moved, StoreError> {
    if store.holds_blob(to, blob).await? {
        return Ok(Moved::default());
    }
    if store.mount(to, from, blob).await? {
        return Ok(Moved {
            mounted: 1,
            ..Moved::default()
        });
    }
    let mut waits = AGAIN.iter();
    loop {
        match send(store, blob, from, to).await {
            Ok(()) => {
                return Ok(Moved {
                    sent: 1,
                    mounted: 0,
                    bytes: blob.size,
                });
            }
            Err(error) if error.class() != Class::Unavailable => return Err(error),
            Err(error) => match waits.next() {
                Some(wait) => tokio::time::sleep(*wait).await,
                None => return Err(error),
            },
        }
    }
}

async fn send(store: &impl CopyStore, blob: &Descriptor, from: &Place, to: &Place) -> Result<(), StoreError> {
    let bytes = store.open_blob(from, blob).await?;
    let problem = Told::default();
    let checked = checked(bytes, blob, problem.clone());
    let stored = store.store_blob(to, blob, checked).await;
    // Who stores only sees that the bytes end too early; why is known here.
    let problem = problem.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    match problem {
        None => stored,
        Some(problem) => Err(StoreError {
            verb: "copy",
            what: format!("the blob {from}@{}", blob.digest),
            problem,
            hint: None,
        }),
    }
}

/// Why a stream ended early.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Option<StoreProblem>>>);

/// A stream under way.
struct Passing {
    bytes: BlobBytes,
    hasher: Hasher,
    expected: Descriptor,
    passed: u64,
    /// The piece that is held back until the next one came, or all of them are known to be right.
    held: Option<Vec<u8>>,
    ended: bool,
    /// Whether all of them were held against the digest.
    judged: bool,
    told: Told,
}

/// Passes bytes on, the last piece only when all of them have the digest and size that they must have: a store that
/// demands every byte never gets all of a blob that lies.
fn checked(bytes: BlobBytes, blob: &Descriptor, told: Told) -> BlobBytes {
    let passing = Passing {
        bytes,
        hasher: Hasher::new(blob.digest.algorithm()),
        expected: blob.clone(),
        passed: 0,
        held: None,
        ended: false,
        judged: false,
        told,
    };
    Box::pin(stream::unfold(passing, |mut passing| async move {
        let next = passing.next().await?;
        Some((next, passing))
    }))
}

impl Passing {
    async fn next(&mut self) -> Option<Result<Vec<u8>, StoreProblem>> {
        while !self.ended {
            match self.bytes.next().await {
                // Held back, it would let the one before it go.
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(Ok(piece)) => {
                    self.passed += piece.len() as u64;
                    self.hasher.update(&piece);
                    if self.passed > self.expected.size {
                        return self.refuse(self.lie("more bytes".to_owned()));
                    }
                    if let Some(before) = self.held.replace(piece) {
                        return Some(Ok(before));
                    }
                }
                Some(Err(problem)) => return self.refuse(problem),
                None => self.ended = true,
            }
        }
        if std::mem::replace(&mut self.judged, true) {
            return None;
        }
        let last = self.held.take();
        let found =
            std::mem::replace(&mut self.hasher, Hasher::new(self.expected.digest.algorithm())).finish();
        if self.passed < self.expected.size && found != self.expected.digest {
            let problem = format!("it ended after {} of {} bytes", self.passed, self.expected.size);
            return self.refuse(StoreProblem::Unavailable(problem));
        }
        if found != self.expected.digest || self.passed != self.expected.size {
            return self.refuse(self.lie(told(&found, self.passed)));
        }
        last.map(Ok)
    }

    fn lie(&self, found: String) -> StoreProblem {
        StoreProblem::Tampered {
            expected: told(&self.expected.digest, self.expected.size),
            found,
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "what the stream yields")]
    fn refuse(&mut self, problem: StoreProblem) -> Option<Result<Vec<u8>, StoreProblem>> {
        self.ended = true;
        self.judged = true;
        self.held = None;
        let mut told = self.told.0.lock().unwrap_or_else(PoisonError::into_inner);
        *told = Some(problem.clone());
        Some(Err(problem))
    }
}

fn told(digest: &Digest, size: u64) -> String {
    format!("{digest} of {size} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::oci::MediaType;
    use proptest::prelude::*;

    fn pass(pieces: Vec<Vec<u8>>, blob: &Descriptor) -> (Vec<u8>, Option<StoreProblem>) {
        let bytes: BlobBytes = Box::pin(stream::iter(pieces.into_iter().map(Ok)));
        let told = Told::default();
        let passed: Vec<_> = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(checked(bytes, blob, told.clone()).collect());
        let good: Vec<Vec<u8>> = passed.into_iter().filter_map(Result::ok).collect();
        let problem = told.0.lock().unwrap().take();
        (good.concat(), problem)
    }

    #[test]
    fn nothing_is_not_whatever_it_is_called() {
        let none = Descriptor::of(MediaType::OCI_LAYER, b"");
        assert_eq!(pass(vec![], &none), (vec![], None));
        let lie = Descriptor {
            size: 0,
            ..Descriptor::of(MediaType::OCI_LAYER, b"something")
        };
        let (_, problem) = pass(vec![], &lie);
        assert!(
            matches!(problem, Some(StoreProblem::Tampered { .. })),
            "{problem:?}"
        );
    }

    proptest! {
        #[test]
        fn good_bytes_pass_and_lies_never_do_in_full(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..6), flip in any::<prop::sample::Index>()) {
            let whole = pieces.concat();
            let blob = Descriptor::of(MediaType::OCI_LAYER, &whole);
            prop_assert_eq!(pass(pieces.clone(), &blob), (whole.clone(), None));
            if !whole.is_empty() {
                let mut other = whole.clone();
                other[flip.index(whole.len())] ^= 1;
                let lie = Descriptor::of(MediaType::OCI_LAYER, &other);
                let (passed, problem) = pass(pieces.clone(), &lie);
                prop_assert!(passed.len() < whole.len());
                let is_lie = matches!(problem, Some(StoreProblem::Tampered { .. }));
                prop_assert!(is_lie);
            }
            let mut longer = pieces;
            longer.push(vec![0; 3]);
            prop_assert!(pass(longer, &blob).1.is_some());
        }
    }
}
