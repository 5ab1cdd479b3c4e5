//! Signing, once per digest however many places hold it.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use tokio::sync::OnceCell;

use crate::base::failure::Cause;
use crate::base::time::Timestamp;
use crate::domain::notary::{Payload, SealedEnvelope, signature_manifest};
use crate::domain::oci::{Blob, Digest, Manifest, Subject};
use crate::domain::trust::Evidence;
use crate::seams::{Signer, SignerIdentity};

/// A signature that may be pushed: its manifest, and the blobs that have to be stored before it.
#[derive(Clone, Debug)]
pub(super) struct ReadySignature {
    pub(super) manifest: Manifest,
    pub(super) blobs: Vec<Blob>,
    /// What a judge will see of it.
    pub(super) evidence: Evidence,
    /// When it was signed, by the signer's word.
    pub(super) signed: Timestamp,
}

type Cell = Rc<OnceCell<Result<Rc<ReadySignature>, Cause>>>;

/// The signatures of one run.
///
/// The signed payload holds a descriptor and no repository, so one signature serves every place that holds the same
/// bytes; whoever asks second waits for the first.
#[derive(Debug)]
pub(super) struct Signings<'a, G> {
    signer: &'a G,
    cells: RefCell<HashMap<Digest, Cell>>,
}

impl<'a, G: Signer> Signings<'a, G> {
    pub(super) fn new(signer: &'a G) -> Self {
        Self {
            signer,
            cells: RefCell::default(),
        }
    }

    /// Who signs.
    pub(super) fn identity(&self) -> &SignerIdentity {
        self.signer.identity()
    }

    /// The signature over a subject: as it was found elsewhere, or made now, unless this run has it already.
    ///
    /// # Errors
    /// The signer's, or tampered where it returned something else than what was asked.
    pub(super) async fn signature(
        &self,
        subject: &Subject,
        metadata: &BTreeMap<String, String>,
        elsewhere: impl Future<Output = Option<ReadySignature>>,
    ) -> Result<Rc<ReadySignature>, Cause> {
        let cell = Rc::clone(
            self.cells
                .borrow_mut()
                .entry(subject.digest().clone())
                .or_default(),
        );
        let signature = cell.get_or_init(async || match elsewhere.await {
            Some(found) => Ok(Rc::new(found)),
            None => self.make(subject, metadata).await,
        });
        signature.await.clone()
    }

    async fn make(
        &self,
        subject: &Subject,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Rc<ReadySignature>, Cause> {
        let payload = Payload::new(subject, metadata).map_err(|error| Cause::of(&error))?;
        let signature = self
            .signer
            .sign(&payload)
            .await
            .map_err(|error| Cause::of(&error))?;
        let sealed = SealedEnvelope::seal(signature.envelope, &payload, &self.signer.expected())
            .map_err(|error| Cause::of(&error))?;
        let (manifest, blobs) =
            signature_manifest::write(&sealed, subject.descriptor(), &signature.annotations);
        Ok(Rc::new(ReadySignature {
            evidence: Evidence {
                manifest: manifest.digest().clone(),
                envelope: sealed.envelope().clone(),
            },
            signed: sealed.intact().attributes().time(),
            manifest,
            blobs,
        }))
    }
}
