//! Finding what refers to a manifest: the layout has no list of referrers, so every listed manifest is asked.

use std::cell::RefCell;
use std::collections::HashMap;

use super::files::Files;
use super::index::name;
use crate::base::json;
use crate::base::limits::{Bounds, MANIFEST_BYTES};
use crate::domain::oci::{ArtifactType, Descriptor, Digest};
use crate::seams::StoreError;

/// What a manifest refers to, and as what.
#[derive(Clone, Debug)]
pub(super) struct Referrer {
    /// The manifest it refers to.
    pub(super) subject: Digest,
    /// What it says that it carries.
    pub(super) artifact_type: Option<ArtifactType>,
}

/// What every manifest seen so far refers to, so that each is read once in a run however often is asked.
///
/// Keyed by digest, and only filled from bytes that had that digest, so it can not grow stale. Two digests a
/// manifest: a layout of a thousand images costs a few hundred kilobytes.
#[derive(Debug, Default)]
pub(super) struct Seen(RefCell<HashMap<Digest, Option<Referrer>>>);

impl Seen {
    /// What an entry refers to, by its manifest alone: lists leave the artifact type out or get it wrong.
    pub(super) fn referrer(
        &self,
        files: Files<'_>,
        entry: &Descriptor,
    ) -> Result<Option<Referrer>, StoreError> {
        if !entry.media_type.is_index() && !entry.media_type.is_manifest() {
            return Ok(None);
        }
        if let Some(known) = self.0.borrow().get(&entry.digest) {
            return Ok(known.clone());
        }
        let referrer = match read(files, entry) {
            Ok(referrer) => referrer,
            // An image under a name is reported when it is asked for; another one's damage is no reason to stop.
            // Anything else may be a referrer of anything, and a list that leaves it out would be a wrong one.
            Err(_) if name(entry).is_some() && entry.artifact_type.is_none() => return Ok(None),
            Err(error) => return Err(error),
        };
        self.0.borrow_mut().insert(entry.digest.clone(), referrer.clone());
        Ok(referrer)
    }
}

fn read(files: Files<'_>, entry: &Descriptor) -> Result<Option<Referrer>, StoreError> {
    let bytes = files.blob(entry, MANIFEST_BYTES)?;
    // Most manifests are images: without this word, however escaped, there is no subject and nothing to parse.
    if !contains(&bytes, b"subject") && !contains(&bytes, b"\\u") {
        return Ok(None);
    }
    Ok(referrer_in(&bytes))
}

/// What bytes refer to, asking for nothing else: a manifest that is wrong in other places is listed, so that whoever
/// reads it can say so, and does not hide the others.
fn referrer_in(bytes: &[u8]) -> Option<Referrer> {
    let document = json::read(bytes, Bounds::MANIFEST).ok()?;
    let top = document.cursor();
    let media_type = |pointer| top.pointer(pointer)?.string().ok()?.parse().ok();
    Some(Referrer {
        subject: top.pointer("/subject/digest")?.string().ok()?.parse().ok()?,
        artifact_type: media_type("/artifactType").or_else(|| media_type("/config/mediaType")),
    })
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}
