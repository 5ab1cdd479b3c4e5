//! The referrer tree of an image, as people read it.

use crate::base::foreign::Foreign;
use crate::domain::oci::Digest;

/// How a node of the tree stands after judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Judged and accepted.
    Verified,
    /// Judged and refused.
    Rejected,
    /// Judged as far as possible; an answer is missing.
    Unknown,
    /// Not ours to judge: listed only.
    Listed,
}

/// An image, signature, attestation or other referrer, with what hangs on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeNode {
    /// `image index`, `signature`, `provenance`, `spdx`, …
    pub kind: Foreign,
    /// The manifest's digest.
    pub digest: Digest,
    /// The manifest's size in bytes.
    pub size: u64,
    /// A few words: identity, predicate, platforms, or why it was refused.
    pub note: Option<Foreign>,
    /// How it stands.
    pub standing: Standing,
    /// What refers to it.
    pub children: Vec<TreeNode>,
}
