//! The rules about names, repositories and the run itself.

use super::{Entry, Precision};
use crate::domain::report::Level;

pub(super) const TAG_MOVED: Entry = Entry {
    id: "CSN012",
    name: "tag-moved",
    level: Level::Warning,
    severity: "6.5",
    precision: Precision::Medium,
    title: "The tag no longer points at this digest",
    meaning: "The tag was read twice and pointed at two digests. What was judged or signed is the first; who pulls the tag \
              now gets something else. In a run that signs this is an error.",
    fix: "Find out who pushed the tag in between, then run again with the digest that you mean. Let one job at a time push \
          a tag, and make tags immutable.",
};

pub(super) const REFERENCE_NOT_DIGEST: Entry = Entry {
    id: "CSN013",
    name: "reference-not-digest",
    level: Level::Note,
    severity: "2.0",
    precision: Precision::High,
    title: "The image is named by tag, not by digest",
    meaning: "A tag can point at another image at any time, so a name without a digest does not say which bytes are meant. \
              The tag was read once, and everything else was done by the digest that it pointed at. \
              Tags of a layout on disk are not told.",
    fix: "Hand over the digest that the build reported, as in `registry.example.com/team/web@sha256:…`.",
};

pub(super) const TAG_MUTABLE: Entry = Entry {
    id: "CSN014",
    name: "tag-mutable",
    level: Level::Note,
    severity: "3.0",
    precision: Precision::Medium,
    title: "Tags of the repository can be overwritten",
    meaning: "Whoever may push to the repository can make a tag point at another image, signed or not. No command looks at \
              the settings of repositories yet, so nothing raises this today; the id is kept for the one that will.",
    fix: "Set the repository's image tag mutability to immutable, and deploy by digest.",
};

pub(super) const TAG_DIGEST_MISMATCH: Entry = Entry {
    id: "CSN015",
    name: "tag-digest-mismatch",
    level: Level::Error,
    severity: "7.0",
    precision: Precision::VeryHigh,
    title: "Tag and digest of one name disagree",
    meaning: "The image was named by a tag and a digest, and the tag points at another digest. Which of the two was meant \
              cannot be known.",
    fix: "Take the digest from the build that should be deployed, and find out why the tag points elsewhere.",
};

pub(super) const TOO_MANY_REFERRERS: Entry = Entry {
    id: "CSN040",
    name: "too-many-referrers",
    level: Level::Warning,
    severity: "4.0",
    precision: Precision::VeryHigh,
    title: "Too many artifacts refer to the image",
    meaning: "More than 40 signatures and attestations refer to the image. Above 50 Kyverno refuses it, whatever they say; \
              from there on this is an error.",
    fix: "Delete what is no longer needed, oldest first, and find out which job attaches something on every run.",
};

pub(super) const DUPLICATE_SIGNATURES: Entry = Entry {
    id: "CSN041",
    name: "duplicate-signatures",
    level: Level::Note,
    severity: "1.0",
    precision: Precision::VeryHigh,
    title: "Several valid signatures by the same signer",
    meaning: "One signature says it all; each further one costs a request whenever the image is verified, and some \
              verifiers look at ten at most.",
    fix: "Nothing needs to be done. `countersign run` does not add one where a good one stands, unless told to by \
          `--resign`.",
};

pub(super) const ENVIRONMENT_OVERRIDE: Entry = Entry {
    id: "CSN042",
    name: "environment-override",
    level: Level::Note,
    severity: "3.0",
    precision: Precision::VeryHigh,
    title: "The environment redirects requests",
    meaning: "An endpoint, a certificate bundle or a proxy was set by the environment, which any earlier step of the job \
              can change. The run used it; the message names it.",
    fix: "Check that the override is meant. With `overrides: refuse` any override stops the run.",
};

pub(super) const LOCAL_SIGNER: Entry = Entry {
    id: "CSN043",
    name: "local-signer",
    level: Level::Note,
    severity: "3.0",
    precision: Precision::VeryHigh,
    title: "Signed with a local key",
    meaning: "The signature was made with a key file inside a CI job, where every step can read it, and not by a signing \
              service that logs and can revoke.",
    fix: "Sign with a signing profile (`--signer aws --signing-profile …`) where the image is meant for others.",
};
