//! Every bound on what comes from outside, each with its source.

/// How large, deep and numerous a document of foreign bytes may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of the whole document.
    pub bytes: usize,
    /// Levels of nesting; a scalar alone has depth 1.
    pub depth: usize,
    /// Values in the whole document, keys not counted.
    pub values: usize,
}

impl Bounds {
    /// Policies, configuration, envelopes' headers and other documents a person writes or reads.
    pub const SMALL_DOCUMENT: Self = Self {
        bytes: MEBIBYTE,
        depth: JSON_DEPTH,
        values: 100_000,
    };
    /// Manifests and indexes.
    pub const MANIFEST: Self = Self {
        bytes: MANIFEST_BYTES,
        depth: JSON_DEPTH,
        values: 400_000,
    };
    /// Signature envelopes.
    pub const ENVELOPE: Self = Self {
        bytes: ENVELOPE_BYTES,
        depth: JSON_DEPTH,
        values: 10_000,
    };
    /// Statements and other predicates.
    pub const STATEMENT: Self = Self {
        bytes: STATEMENT_BYTES,
        depth: JSON_DEPTH,
        values: 2_000_000,
    };
}

/// One binary megabyte.
pub const MEBIBYTE: usize = 1024 * 1024;

/// Largest manifest or index (OCI distribution specification 1.1, "Pushing manifests": registries should accept 4 MiB).
pub const MANIFEST_BYTES: usize = 4 * MEBIBYTE;

/// Largest signature envelope (ours; real ones are 2 to 15 KiB, notation allows 32 MiB).
pub const ENVELOPE_BYTES: usize = MEBIBYTE;

/// Largest statement or other attestation document (kyverno-notation-aws refuses more than 10,000,000 bytes).
pub const STATEMENT_BYTES: usize = 10_000_000;

/// Bytes of all the documents that one run lifts out of indexes (ours; they are held until each platform's turn comes, and
/// real ones are some 100 KB).
pub const LIFTED_BYTES: u64 = 250_000_000;

/// Nesting of JSON and YAML (ours; real documents stay below 20).
pub const JSON_DEPTH: usize = 64;

/// Pages of a referrers list that are followed (ours).
pub const REFERRER_PAGES: usize = 20;

/// Referrers of one manifest above which a warning is due (Kyverno fails above 50).
pub const REFERRERS_WARNED: usize = 40;

/// Referrers of one manifest above which Kyverno refuses the image (Kyverno, `maxReferrersCount`).
pub const REFERRERS_ADMITTED: usize = 50;

/// Referrers of one manifest that are read because they may be signatures or attestations (ours; more than any image
/// has, and few enough to read).
pub const REFERRERS_READ: usize = 1_000;

/// Signatures judged per subject (notation's `--max-signatures` default).
pub const SIGNATURES_JUDGED: usize = 100;

/// Certificates in one chain (ours; AWS Signer's chain has 4).
pub const CHAIN_CERTIFICATES: usize = 10;

/// Levels of indexes inside indexes (ours; real ones have 2).
pub const INDEX_DEPTH: usize = 4;

/// Manifests reached from one target (ours; the largest public indexes name under 100).
pub const INDEX_MANIFESTS: usize = 2_000;

/// Bytes of the manifests reached from one target (ours; those of a thousand platforms take some megabytes).
pub const INDEX_BYTES: usize = 64 * MEBIBYTE;

/// Manifests of one image that is copied with everything that hangs on it (ours).
pub const COPIED_MANIFESTS: usize = 10_000;

/// Configurations and layers of such an image (ours).
pub const COPIED_BLOBS: usize = 50_000;

/// How often the manifests of such an image name them (ours).
pub const COPIED_PARTS: usize = 500_000;

/// Bytes of its manifests that are kept in memory instead of being read a second time (ours).
pub const COPIED_BYTES_KEPT: usize = 8 * MEBIBYTE;

/// Bytes of such an image (ours; the largest public images have some 50 GB).
pub const COPIED_BYTES: u64 = 1_000_000_000_000;

/// Bytes of one AWS Signer payload (AWS Signer API reference, `SignPayload`, `payload`: 1 to 4096).
pub const SIGNER_PAYLOAD_BYTES: usize = 4_096;
