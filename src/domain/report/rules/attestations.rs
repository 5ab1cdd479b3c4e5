//! The rules about attestations and what they claim.

use super::{Entry, Precision};
use crate::domain::report::Level;

pub(super) const MISSING: Entry = Entry {
    id: "CSN020",
    name: "attestation-missing",
    level: Level::Error,
    severity: "7.5",
    precision: Precision::VeryHigh,
    title: "A required attestation is not there",
    meaning: "The expectations demand an attestation of this predicate type, and none of those on the image counts: \
              either there is none, or none is about the image and signed by somebody the trust policy trusts.",
    fix: "Attach it where the image is built, with `countersign run` for provenance or `countersign attest` for other \
          documents. If it was attached, check that the copy in this repository brought its referrers along.",
};

pub(super) const UNSIGNED: Entry = Entry {
    id: "CSN021",
    name: "attestation-unsigned",
    level: Level::Error,
    severity: "8.0",
    precision: Precision::VeryHigh,
    title: "An attestation has no valid signature",
    meaning: "It is a provenance, or of a type that the expectations name, and anybody who may push to the repository \
              could have written it. Admission controllers that demand every attestation of a type to be signed refuse \
              the image because of it.",
    fix: "Find out who attached it. If it is yours, run `countersign run` or `countersign attest` again, which sign what \
          they attach; if it is not, delete it from the repository.",
};

pub(super) const MALFORMED: Entry = Entry {
    id: "CSN022",
    name: "attestation-malformed",
    level: Level::Error,
    severity: "7.0",
    precision: Precision::VeryHigh,
    title: "An attestation cannot be read",
    meaning: "The artifact does not hold exactly one layer with one JSON object, or the object is neither an \
              in-toto Statement of version 1 nor a document of the kind it is announced as. The message says what was \
              found instead.",
    fix: "Attach the document again with `countersign attest`, which checks it first, and delete the malformed one.",
};

pub(super) const SUBJECT_MISMATCH: Entry = Entry {
    id: "CSN023",
    name: "attestation-subject-mismatch",
    level: Level::Error,
    severity: "9.1",
    precision: Precision::VeryHigh,
    title: "An attestation is about another image",
    meaning: "The document, or the manifest that carries it, names other digests than this image's. A genuine attestation \
              of another image was listed here, which registries without the referrers API let anybody with push rights do.",
    fix: "Do not rely on the document. Find out who listed it, remove it from this image, and attest the right digest.",
};

pub(super) const PREDICATE_UNEXPECTED: Entry = Entry {
    id: "CSN024",
    name: "attestation-predicate-unexpected",
    level: Level::Warning,
    severity: "4.5",
    precision: Precision::VeryHigh,
    title: "An attestation holds another predicate than announced",
    meaning: "The Statement's predicate type differs from what its manifest announces, so readers that select by the \
              announcement get a document they did not ask for.",
    fix: "Attach the document again under its own predicate type, and delete this one.",
};

pub(super) const UNTRUSTED: Entry = Entry {
    id: "CSN025",
    name: "attestation-untrusted",
    level: Level::Error,
    severity: "8.0",
    precision: Precision::VeryHigh,
    title: "An attestation was signed by somebody the trust policy does not trust",
    meaning: "The attestation's signature is intact, but the trust policy for this repository does not accept it: another \
              identity, another root, expired or revoked. A warning where it is a stranger's and an accepted attestation of \
              the same type hangs on the image too.",
    fix: "Attest with a profile or key that the policy names. What an untrusted signer states is not evidence.",
};

pub(super) const TOO_LARGE: Entry = Entry {
    id: "CSN026",
    name: "attestation-too-large",
    level: Level::Error,
    severity: "7.0",
    precision: Precision::VeryHigh,
    title: "An attestation is larger than its readers accept",
    meaning: "The document is larger than 10,000,000 bytes. It was not read, and admission controllers refuse it too.",
    fix: "Make the document smaller, for instance one bill of materials per platform instead of one for all, and attach \
          it again.",
};

pub(super) const DUPLICATE: Entry = Entry {
    id: "CSN027",
    name: "attestation-duplicate",
    level: Level::Warning,
    severity: "4.0",
    precision: Precision::VeryHigh,
    title: "Several attestations of one kind by the same signer",
    meaning: "The same signer attached more than one attestation of this kind: of the same artifact type, by which readers \
              select, and the same predicate, whatever its version. Some readers take any of them, others demand \
              conditions to hold for all: what they decide depends on order.",
    fix: "Keep the one that is right and delete the others; `countersign run` replaces its own older one.",
};

pub(super) const TOO_OLD: Entry = Entry {
    id: "CSN028",
    name: "attestation-too-old",
    level: Level::Error,
    severity: "5.5",
    precision: Precision::High,
    title: "An attestation is older than allowed",
    meaning: "The expectations limit the age of this kind of attestation, and the signature over it is older, from the \
              future, or without a time. As a warning of `countersign run --vsa`: a verification summary of ours still \
              says PASSED of an image that this run does not accept. It is not deleted, since it was true when it was \
              signed; a gate whose expectations give summaries no `max-age` goes on taking it.",
    fix: "Make the document anew, for instance by scanning the image again, and attach it with `countersign attest`.",
};

pub(super) const CONDITION_FAILED: Entry = Entry {
    id: "CSN029",
    name: "attestation-condition-failed",
    level: Level::Error,
    severity: "7.5",
    precision: Precision::High,
    title: "An attestation does not say what is expected",
    meaning: "The attestation is genuine, but its workflow, event or runner, or a member that a condition of the \
              expectations names, is not what is expected. The message names the member, and the finding the value \
              expected and the value found; what is not there does not hold.",
    fix: "Look at what the attestation says and change the build or the image until it can truthfully say what is expected.",
};

pub(super) const BUILDER_UNTRUSTED: Entry = Entry {
    id: "CSN030",
    name: "builder-untrusted",
    level: Level::Error,
    severity: "8.6",
    precision: Precision::High,
    title: "The image was built by a builder that is not allowed",
    meaning: "The provenance is genuine, but its builder id matches none of the builders that the expectations allow.",
    fix: "Build the image with an allowed builder, for instance the workflow that the expectations name, and sign what it \
          built.",
};

pub(super) const SOURCE_MISMATCH: Entry = Entry {
    id: "CSN031",
    name: "source-mismatch",
    level: Level::Error,
    severity: "8.6",
    precision: Precision::High,
    title: "The image was built from another source than expected",
    meaning: "The provenance is genuine, but repository, ref or commit differ from what the expectations demand.",
    fix: "Check which source was meant. Build from that source and sign the result; do not deploy this image in its place.",
};

pub(super) const BUILD_LEVEL_BELOW_MINIMUM: Entry = Entry {
    id: "CSN032",
    name: "build-level-below-minimum",
    level: Level::Error,
    severity: "5.5",
    precision: Precision::High,
    title: "The evidence supports a lower build level than demanded",
    meaning: "The provenance and how it was made support a lower SLSA build level than the minimum asked for. The message \
              lists the reasons.",
    fix: "Sign in a separate job or reusable workflow whose credentials no build step can reach, on runners of the host, \
          with claims from the host's own token. Where provenance is verified, name its `builder` too: a level says \
          nothing of who built.",
};

pub(super) const SELF_HOSTED_RUNNER: Entry = Entry {
    id: "CSN033",
    name: "self-hosted-runner",
    level: Level::Note,
    severity: "3.0",
    precision: Precision::High,
    title: "The build ran on a self-hosted runner",
    meaning: "The host's token says that the job ran on a machine of yours. Whoever controls that machine can change the \
              build, so the evidence is only as good as its isolation.",
    fix: "Know who can reach that machine, use it for one job at a time, or sign on a runner of the host.",
};

pub(super) const UNVERIFIED_CLAIMS: Entry = Entry {
    id: "CSN034",
    name: "provenance-unverified-claims",
    level: Level::Warning,
    severity: "5.0",
    precision: Precision::High,
    title: "Parts of the provenance rest on the environment alone",
    meaning: "Some fields were taken from variables that any step of the job can set, because nobody else could be \
              asked: there was no token of the host, or it could not be checked, or the build service's own record could \
              not be read. The report lists which.",
    fix: "Give the job the permission to get an OIDC token (on GitHub `id-token: write`, on GitLab `id_tokens`), and make \
          the issuer's keys reachable. On a server of your own name the issuer by `token-issuer`. On CodeBuild let the \
          role do `codebuild:BatchGetBuilds` on its project.",
};

pub(super) const UNBOUND: Entry = Entry {
    id: "CSN035",
    name: "provenance-unbound",
    level: Level::Warning,
    severity: "5.5",
    precision: Precision::High,
    title: "Nothing ties the image to the run that vouches for it",
    meaning: "The provenance says that this run built the image, but nothing shows it: no provenance by BuildKit that \
              names the run, no label or annotation with its commit and repository, and no push that is known to have \
              come after the run began. An error with `require-binding`.",
    fix: "Label the image with `org.opencontainers.image.revision` (the full commit) and \
          `org.opencontainers.image.source` (the repository's address), as docker/metadata-action does, or keep the build \
          tool's own provenance in the index. On CodeBuild the time of the push does, where the role may do \
          `codebuild:BatchGetBuilds` and `ecr:DescribeImages`.",
};

pub(super) const CLAIMS_ENVIRONMENT_MISMATCH: Entry = Entry {
    id: "CSN036",
    name: "claims-environment-mismatch",
    level: Level::Warning,
    severity: "5.0",
    precision: Precision::VeryHigh,
    title: "The environment contradicts the host's token or record",
    meaning: "A variable says something else than the verified token of the host, or than the build service's own record. \
              That other value was used; but somebody \
              or something in this job changed the variable.",
    fix: "Look for the step that sets the variable named in the message, and treat the job as suspect until you know why.",
};
