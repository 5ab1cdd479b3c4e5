//! The rules about signatures.

use super::{Entry, Precision};
use crate::domain::report::Level;

pub(super) const MISSING: Entry = Entry {
    id: "CSN001",
    name: "signature-missing",
    level: Level::Error,
    severity: "8.6",
    precision: Precision::VeryHigh,
    title: "The image has no signature",
    meaning: "No Notary Project signature refers to this digest, so nobody vouches for these bytes. A cluster that enforces \
              signatures refuses the image, and one that does not runs whatever stands behind the name.",
    fix: "Sign the digest with `countersign run`, in the pipeline that built it. If it was signed, check that the copy in \
          this repository brought its referrers along: most copying tools leave them behind.",
};

pub(super) const INVALID: Entry = Entry {
    id: "CSN002",
    name: "signature-invalid",
    level: Level::Error,
    severity: "9.3",
    precision: Precision::VeryHigh,
    title: "A signature on the image does not hold",
    meaning: "The envelope cannot be read, its certificates break the rules for signing, or the bytes were changed after \
              signing. A damaged copy looks the same as an attack.",
    fix: "Do not deploy the image. Compare its digest with what the build reported, find out who wrote the signature's \
          manifest, and sign the image again from a build you trust.",
};

pub(super) const UNTRUSTED_IDENTITY: Entry = Entry {
    id: "CSN003",
    name: "signature-untrusted-identity",
    level: Level::Error,
    severity: "9.1",
    precision: Precision::VeryHigh,
    title: "The image was signed by somebody the trust policy does not name",
    meaning: "The signature is intact, but its signer, a certificate's subject or an AWS Signer profile, is none of the \
              trusted identities of the policy for this repository.",
    fix: "Sign the image with a profile or key that the policy names. If this signer should have been able to sign here, \
          settle that with whoever owns the policy, not in the pipeline that failed.",
};

pub(super) const REVOKED: Entry = Entry {
    id: "CSN004",
    name: "signature-revoked",
    level: Level::Error,
    severity: "9.3",
    precision: Precision::VeryHigh,
    title: "The signature was revoked",
    meaning: "The signing job, the signing profile or a certificate of the signature was revoked. Somebody withdrew their \
              word for these bytes, usually because the image or the signer was compromised.",
    fix: "Do not deploy the image. Find out why it was revoked, then build and sign it again with a profile that is not \
          revoked.",
};

pub(super) const EXPIRED: Entry = Entry {
    id: "CSN005",
    name: "signature-expired",
    level: Level::Error,
    severity: "7.5",
    precision: Precision::VeryHigh,
    title: "The signature has expired",
    meaning: "The signer limited how long the signature may be relied on, and that time has passed.",
    fix: "Sign the image again with `countersign run`, after checking that it is still meant to be used; for AWS Signer the \
          lifetime is the profile's validity period.",
};

pub(super) const EXPIRING: Entry = Entry {
    id: "CSN006",
    name: "signature-expiring",
    level: Level::Warning,
    severity: "4.0",
    precision: Precision::VeryHigh,
    title: "The signature expires soon",
    meaning: "The signature still holds, but its expiry is near: thirty days, or a tenth of its whole life where that is less, \
              and no other signature is good for longer. Once it has passed, every cluster that enforces signatures refuses \
              to start the image, also when it restarts what runs today.",
    fix: "Sign the image again before the date in the message, with `countersign run --resign`, or deploy a newer one.",
};

pub(super) const REVOCATION_UNKNOWN: Entry = Entry {
    id: "CSN007",
    name: "revocation-unknown",
    level: Level::Warning,
    severity: "5.0",
    precision: Precision::VeryHigh,
    title: "Nobody could say whether the signature was revoked",
    meaning: "The revocation service could not be asked or did not answer. Whether that stops the image is the policy's \
              choice: where revocation is enforced this is an error, where it is logged a warning.",
    fix: "Make the revocation service reachable from here and allow the question (for AWS Signer \
          `signer:GetRevocationStatus`), then run again.",
};

pub(super) const OTHER_SUBJECT: Entry = Entry {
    id: "CSN008",
    name: "signature-other-subject",
    level: Level::Error,
    severity: "9.1",
    precision: Precision::VeryHigh,
    title: "The signature is about another image",
    meaning: "The signature is listed beside this image, but what was signed names another digest, media type or size. A \
              genuine signature was moved here from somewhere else.",
    fix: "Do not deploy the image on the strength of this signature. Find out who attached it, remove it, and sign the \
          right digest.",
};

pub(super) const METADATA: Entry = Entry {
    id: "CSN016",
    name: "signature-metadata-mismatch",
    level: Level::Error,
    severity: "7.0",
    precision: Precision::VeryHigh,
    title: "The signature does not hold the metadata that was asked for",
    meaning: "The signature is intact and about this image, but a pair that `metadata` demands is not in what was signed, or \
              has another value there.",
    fix: "Sign with the pairs that are demanded, or find the signature that holds them. Keys and values are compared \
          letter by letter.",
};

pub(super) const UNTRUSTED_ROOT: Entry = Entry {
    id: "CSN009",
    name: "signature-untrusted-root",
    level: Level::Error,
    severity: "9.1",
    precision: Precision::VeryHigh,
    title: "The signature's certificates do not lead to a trusted root",
    meaning: "The chain in the signature ends in a root certificate that is not in the trust stores which the policy names, \
              so anybody could have made it.",
    fix: "Sign with a key or profile whose chain ends in one of the trusted roots. If the right root is missing from the \
          store's files, obtain it from its owner by a way you trust, never from the signature.",
};

pub(super) const UNSUPPORTED: Entry = Entry {
    id: "CSN010",
    name: "signature-unsupported",
    level: Level::Warning,
    severity: "5.0",
    precision: Precision::VeryHigh,
    title: "A signature uses something that is not supported",
    meaning: "The signing scheme, the envelope format or a critical attribute is not known, so the signature cannot be \
              judged and does not count. A warning where another signature on the image is good, an error where none is.",
    fix: "Sign the image with `countersign run`, or verify with a version that supports what the message names.",
};

pub(super) const PLATFORM_UNSIGNED: Entry = Entry {
    id: "CSN011",
    name: "platform-unsigned",
    level: Level::Warning,
    severity: "6.0",
    precision: Precision::VeryHigh,
    title: "The index is signed, one of its platforms is not",
    meaning: "A multi-platform image was signed as a whole, but the manifest of one platform has no signature of its own. \
              Who pulls that platform by its own digest finds nothing to verify. It is looked for with `--recursive \
              platforms` or `all`; a manifest that the index names and the store does not hold (sparse index) counts too.",
    fix: "Run with `--recursive platforms`, so that every platform's manifest is signed too; copy what is not there into the \
          store first.",
};
