//! What a job is asked to do, as values: combinations checked, files read, nothing left to parse.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::run::Promise;
use crate::base::foreign::Foreign;
use crate::base::time::Timestamp;
use crate::domain::oci::{Digest, ImageRef, Repository, Tag};
use crate::domain::provenance::{Account, Predicate};
pub use crate::domain::provenance::{BuildLevel, BuilderId, Issuer, PredicateChoice, Source};
use crate::domain::report::{Checked, FailOn, Level};
use crate::domain::trust::expectation::Expectations;
use crate::domain::trust::{
    Applicable, DerivedTrust, Requirements, TrustPolicy, TrustPolicyDocument, TrustStore,
};

/// One image that somebody named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The image.
    pub image: ImageRef,
    /// Every tag it was named by, that of `image` included.
    pub tags: Vec<Tag>,
    /// The text it was named by.
    pub named: String,
    /// Where it was named: `argument 1`, `INPUT_IMAGES`, `metadata.json:12`, …
    pub named_at: String,
}

/// How much of an index is acted on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Recursive {
    /// Exactly the digest named.
    #[default]
    Index,
    /// And its platform manifests.
    Platforms,
    /// And everything reachable.
    All,
}

/// How many targets at once, and how long each may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency {
    /// Targets worked on at the same time, at least 1.
    pub jobs: usize,
    /// Longest time for one target.
    pub timeout: Duration,
    /// Start no further target after the first that failed.
    pub fail_fast: bool,
}

/// Where a job runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Surroundings {
    /// On somebody's machine.
    #[default]
    Terminal,
    /// In a job of a CI system, whose steps share everything: a local key is worth a note there.
    Ci,
}

/// What becomes of the images themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Images {
    /// They are signed.
    Sign,
    /// Only what is attached to them is.
    Leave,
}

/// What becomes of an image that nothing ties to the run that attests it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unbound {
    /// It is told.
    Tell,
    /// It is refused, and nothing is signed.
    Refuse,
}

/// What becomes of the attestations that `BuildKit` left inside an index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BuildKit {
    /// They stay there, unsigned.
    #[default]
    Leave,
    /// They are attached to the platforms that they are about, and signed.
    Lift,
}

/// Whether a provenance is attached, and what it says.
#[derive(Clone, Debug, PartialEq)]
pub enum Provenance {
    /// None.
    Off,
    /// One that says this.
    Attach(Box<Account>),
    /// One that says what is being found out.
    Awaited(Promise),
}

/// A verification summary that is attached to what the run verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summarize {
    /// From which level on a finding fails the run: a run that says no sums nothing up.
    pub fail_on: FailOn,
    /// The levels of what is found whatever the images are.
    pub found: Vec<Level>,
}

/// What signatures are held against: one policy document and the certificates its policies name; and what is expected
/// of the attestations that are accepted by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The policy document.
    pub policy: TrustPolicyDocument,
    /// The trust store.
    pub store: TrustStore,
    /// What is demanded of a signature beyond the policy.
    pub requirements: Requirements,
    /// What a verdict by this trust is worth, except where a policy of [`Trust::self_made`] applies.
    pub checked: Checked,
    /// Policies by name that ask no more than what follows from the signer itself.
    pub self_made: BTreeSet<String>,
    /// What the accepted attestations have to say; none where nobody expects anything of them.
    pub expectations: Option<Expectations>,
}

/// A policy document that somebody gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenPolicy {
    /// The file's name.
    pub name: Foreign,
    /// The digest of its bytes.
    pub digest: Digest,
    /// What it says.
    pub policy: TrustPolicyDocument,
}

impl Trust {
    /// The trust that follows from the signer itself: worth a self-check.
    pub fn derived(derived: &DerivedTrust) -> Self {
        Self {
            policy: derived.document().clone(),
            store: derived.store().clone(),
            requirements: derived.requirements(),
            checked: Checked::SelfChecked,
            self_made: BTreeSet::new(),
            expectations: None,
        }
    }

    /// A policy that somebody gave, with the store they gave or that follows from the signer.
    ///
    /// A policy that asks exactly what the derived one asks proves no more than that, so it stays *self-checked*.
    pub fn given(given: GivenPolicy, store: TrustStore, derived: Option<&DerivedTrust>) -> Self {
        let self_made = given.policy.policies().filter_map(|applicable| match applicable {
            Applicable::Judge(policy)
                if derived.is_some_and(|derived| derived.is_asked_by(policy, &store)) =>
            {
                Some(policy.name().to_owned())
            }
            Applicable::Judge(_) | Applicable::Skip(_) => None,
        });
        let self_made = self_made.collect();
        let checked = Checked::Verified {
            policy: given.name,
            digest: given.digest,
        };
        Self {
            policy: given.policy,
            store,
            requirements: Requirements::default(),
            checked,
            self_made,
            expectations: None,
        }
    }

    /// What a verdict on these targets is worth: no more than a self-check as soon as one of them is held against a
    /// policy that asks no more than the signer's own.
    pub(super) fn worth(&self, targets: &[Target], repository: Option<&Repository>) -> Checked {
        let self_made = |target: &Target| {
            let scope = super::scope(target.image.place(), repository);
            let applicable = self.policy.applicable(&scope);
            applicable.is_ok_and(|policy| self.self_made.contains(policy.name()))
        };
        if targets.iter().any(self_made) {
            Checked::SelfChecked
        } else {
            self.checked.clone()
        }
    }

    /// Whether a policy asks no more than what follows from the signer itself.
    pub(super) fn is_self_made(&self, policy: &TrustPolicy) -> bool {
        self.checked == Checked::SelfChecked || self.self_made.contains(policy.name())
    }

    /// The requirements, with pairs that the signed payload must hold.
    pub(super) fn demanding(&self, metadata: &BTreeMap<String, String>) -> Requirements {
        Requirements {
            metadata: metadata.clone(),
            ..self.requirements.clone()
        }
    }
}

/// The main job, or the part of it that attests: resolve, plan, sign, push, attest, sign the attestation, verify, report.
#[derive(Clone, Debug, PartialEq)]
pub struct RunJob {
    /// The command's name in the report: `run` or `demo`.
    pub command: &'static str,
    /// What to sign, in the order named; not empty.
    pub targets: Vec<Target>,
    /// How much of an index is signed.
    pub recursive: Recursive,
    /// Refuse targets named without a digest.
    pub require_digest: bool,
    /// Sign even where a good signature by this signer stands.
    pub resign: bool,
    /// Make the plan and stop.
    pub dry_run: bool,
    /// Pairs put into the signed payload.
    pub metadata: BTreeMap<String, String>,
    /// What becomes of the images themselves.
    pub images: Images,
    /// What is attested.
    pub provenance: Provenance,
    /// What becomes of what nothing ties to this run.
    pub unbound: Unbound,
    /// What becomes of the attestations inside an index.
    pub buildkit: BuildKit,
    /// The SLSA build level that the evidence has to support.
    pub minimum_build_level: Option<BuildLevel>,
    /// What else is attested: no two of one kind.
    pub predicates: Vec<Predicate>,
    /// Whether what was verified is summed up.
    pub summary: Option<Summarize>,
    /// When the attestation says it was made (`SOURCE_DATE_EPOCH`); none takes the image's own time.
    pub created: Option<Timestamp>,
    /// What the result is held against.
    pub trust: Trust,
    /// For a layout: the repository it belongs to, the scope by which the policy is chosen; `*` without one.
    pub repository: Option<Repository>,
    /// How many at once, and how long.
    pub concurrency: Concurrency,
    /// Authority that came from a variable, as `signing-profile from COUNTERSIGN_SIGNING_PROFILE`; named in the plan.
    pub authority: Vec<String>,
    /// Where the job runs.
    pub surroundings: Surroundings,
}

/// Judge what is in the store and write nothing to it.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifyJob {
    /// What to judge, in the order named; not empty.
    pub targets: Vec<Target>,
    /// How much of an index is judged.
    pub recursive: Recursive,
    /// Refuse targets named without a digest.
    pub require_digest: bool,
    /// Pairs that the signed payload must hold.
    pub metadata: BTreeMap<String, String>,
    /// What signatures are held against.
    pub trust: Trust,
    /// Signatures judged per image; [`crate::base::limits::SIGNATURES_JUDGED`] but in tests, no flag sets it.
    pub max_signatures: usize,
    /// As in [`RunJob`].
    pub repository: Option<Repository>,
    /// How many at once, and how long.
    pub concurrency: Concurrency,
    /// As in [`RunJob`].
    pub authority: Vec<String>,
}

/// Copy an image with everything that hangs on it.
#[derive(Clone, Debug, PartialEq)]
pub struct CopyJob {
    /// The image.
    pub source: Target,
    /// Where to: its place, and the tag it gets there.
    pub destination: Target,
    /// What its signatures are held against, on both sides.
    pub trust: Trust,
    /// As in [`RunJob`].
    pub repository: Option<Repository>,
    /// Longest time for the whole.
    pub timeout: Duration,
    /// As in [`RunJob`].
    pub authority: Vec<String>,
}

/// Show what hangs on one image, judged where there is something to judge by.
#[derive(Clone, Debug, PartialEq)]
pub struct InspectJob {
    /// The image.
    pub target: Target,
    /// What signatures are held against; none lists without judging.
    pub trust: Option<Trust>,
    /// As in [`RunJob`].
    pub repository: Option<Repository>,
    /// Longest time for the whole.
    pub timeout: Duration,
}

/// Say why one image counts as signed, or does not.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainJob {
    /// The image.
    pub target: Target,
    /// What signatures are held against.
    pub trust: Trust,
    /// Pairs that the signed payload must hold.
    pub metadata: BTreeMap<String, String>,
    /// As in [`RunJob`].
    pub repository: Option<Repository>,
    /// Longest time for the whole.
    pub timeout: Duration,
}
