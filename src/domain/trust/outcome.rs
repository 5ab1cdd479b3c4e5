//! The verdict on one signature: what was asked of it, how each validation went, and the proof that it was accepted.

use std::collections::BTreeMap;

use super::aws;
use super::level::{Action, ValidationKind};
use crate::base::failure::Class;
use crate::base::foreign::Foreign;
use crate::base::time::Timestamp;
use crate::domain::notary::IntactEnvelope;
use crate::domain::oci::Digest;

/// How one validation went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValidationResult {
    /// It holds.
    Passed,
    /// It does not hold, and why.
    Failed(String),
    /// It was not made, and why: the policy says so, or something before it already decided.
    Skipped(String),
    /// Nobody could tell, and why.
    Unknown(String),
}

impl ValidationResult {
    /// The word in reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::Skipped(_) => "skipped",
            Self::Unknown(_) => "unknown",
        }
    }

    /// Why, unless it passed.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Passed => None,
            Self::Failed(why) | Self::Skipped(why) | Self::Unknown(why) => Some(why),
        }
    }
}

/// One of the five validations: its kind, the action the policy gives it, and how it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// Which one.
    pub kind: ValidationKind,
    /// What the policy does with a failure.
    pub action: Action,
    /// How it went.
    pub result: ValidationResult,
}

impl Validation {
    /// Whether it went wrong, or could not be decided, and the policy only takes note.
    pub fn is_logged(&self) -> bool {
        self.action == Action::Log
            && matches!(
                self.result,
                ValidationResult::Failed(_) | ValidationResult::Unknown(_)
            )
    }
}

/// Why a signature was refused, in the order of how far such a signature gets; of several refused signatures the one
/// with the greatest reason tells most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The envelope cannot be read.
    Malformed,
    /// The envelope's signature does not verify.
    Integrity,
    /// It signs something else.
    OtherSubject,
    /// It needs something that is not supported; the message names it.
    Unsupported,
    /// Its certificates break the rules of a chain for signing code.
    Chain,
    /// No certificate of its chain is trusted.
    UntrustedRoot,
    /// Its signer is none of the trusted identities.
    UntrustedIdentity,
    /// Its payload lacks metadata that was asked for.
    Metadata,
    /// Its time, or that of a certificate, is over or has not come.
    Expired,
    /// Nobody could tell whether it was revoked.
    RevocationUnknown,
    /// It was revoked.
    Revoked,
}

/// One thing that stands between a signature and acceptance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Obstacle {
    pub(super) reason: Reason,
    pub(super) message: String,
    pub(super) expected: Option<String>,
    pub(super) found: Option<Foreign>,
}

impl Obstacle {
    pub(super) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            expected: None,
            found: None,
        }
    }

    pub(super) fn expecting(self, expected: impl Into<String>, found: Foreign) -> Self {
        Self {
            expected: Some(expected.into()),
            found: Some(found),
            ..self
        }
    }
}

/// What a revocation service is to be asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RevocationQuestion {
    /// AWS Signer's `GetRevocationStatus` (AWS Signer API reference).
    AwsSigner {
        /// `profileVersionArn`.
        profile_version: String,
        /// `jobArn`.
        job: String,
        /// `signatureTimestamp`: the authentic signing time.
        signed_at: Timestamp,
        /// `certificateHashes`: one element for each certificate, leaf first.
        certificate_hashes: Vec<String>,
    },
}

/// What a revocation service said, or that it could not be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevocationAnswer {
    /// Nothing was revoked.
    Good,
    /// These were: ARNs, or hashes of certificates.
    Revoked(Vec<Foreign>),
    /// Nobody could tell, and why.
    Unknown(String),
}

/// A signature judged as far as bytes allow; it waits for the answers to its questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending(State);

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Nothing more to ask: the envelope is not intact.
    Broken(Rejected),
    /// An intact envelope.
    Intact(Box<(Judged, IntactEnvelope)>),
}

/// Everything known about an intact signature before revocation was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) signature: Digest,
    pub(super) subject: Digest,
    pub(super) policy: String,
    pub(super) identity: Foreign,
    pub(super) at: Timestamp,
    pub(super) validations: Vec<Validation>,
    pub(super) obstacles: Vec<Obstacle>,
    pub(super) questions: Vec<RevocationQuestion>,
    /// What the policy does with the answers.
    pub(super) revocation: Action,
}

impl Pending {
    /// A signature whose envelope is not intact.
    pub(super) fn broken(rejected: Rejected) -> Self {
        Self(State::Broken(rejected))
    }

    /// A signature whose envelope is intact.
    pub(super) fn intact(judged: Judged, envelope: IntactEnvelope) -> Self {
        Self(State::Intact(Box::new((judged, envelope))))
    }

    /// What has to be asked before the verdict; the index in this list is the key of the answer.
    pub fn questions(&self) -> &[RevocationQuestion] {
        match &self.0 {
            State::Broken(_) => &[],
            State::Intact(intact) => &intact.0.questions,
        }
    }

    /// Takes the answers and gives the verdict. A question without an answer counts as unknown.
    pub fn conclude(self, answers: &BTreeMap<usize, RevocationAnswer>) -> Outcome {
        let (mut judged, envelope) = match self.0 {
            State::Broken(rejected) => return Outcome::Rejected(rejected),
            State::Intact(intact) => *intact,
        };
        judged.hear(answers);
        match judged
            .obstacles
            .iter()
            .min_by_key(|obstacle| obstacle.reason)
            .cloned()
        {
            None => Outcome::Accepted(Accepted {
                signature: judged.signature,
                subject: judged.subject,
                policy: judged.policy,
                identity: judged.identity,
                validations: judged.validations,
                envelope: Box::new(envelope),
                judged_at: judged.at,
            }),
            Some(leading) => Outcome::Rejected(Rejected {
                signature: judged.signature,
                identity: Some(judged.identity),
                undecided: judged
                    .obstacles
                    .iter()
                    .all(|obstacle| obstacle.reason == Reason::RevocationUnknown),
                leading,
                validations: judged.validations,
                envelope: Some(Box::new(envelope)),
            }),
        }
    }
}

impl Judged {
    /// Turns the answers into the validation of revocation.
    fn hear(&mut self, answers: &BTreeMap<usize, RevocationAnswer>) {
        let mut result = ValidationResult::Passed;
        for index in 0..self.questions.len() {
            let worse = match answers.get(&index) {
                Some(RevocationAnswer::Good) => continue,
                Some(RevocationAnswer::Revoked(entities)) => ValidationResult::Failed(aws::revoked(entities)),
                Some(RevocationAnswer::Unknown(why)) => ValidationResult::Unknown(why.clone()),
                None => ValidationResult::Unknown("the revocation service was not asked".to_owned()),
            };
            if !matches!(result, ValidationResult::Failed(_)) {
                result = worse;
            }
        }
        if !self.questions.is_empty() {
            let obstacle = match &result {
                ValidationResult::Failed(why) => Some(Obstacle::new(Reason::Revoked, why)),
                ValidationResult::Unknown(why) => Some(Obstacle::new(
                    Reason::RevocationUnknown,
                    format!("nobody could tell whether it was revoked: {why}"),
                )),
                ValidationResult::Passed | ValidationResult::Skipped(_) => None,
            };
            self.record(ValidationKind::Revocation, self.revocation, result, obstacle);
        }
    }

    /// Keeps the result of a validation; what went wrong stands in the way only where the policy enforces it.
    pub(super) fn record(
        &mut self,
        kind: ValidationKind,
        action: Action,
        result: ValidationResult,
        obstacles: impl IntoIterator<Item = Obstacle>,
    ) {
        self.validations.push(Validation { kind, action, result });
        if action == Action::Enforce {
            self.obstacles.extend(obstacles);
        }
    }
}

/// The verdict on one signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passed everything that the policy enforces.
    Accepted(Accepted),
    /// Something stands in the way.
    Rejected(Rejected),
}

impl Outcome {
    /// How each validation went, accepted or not.
    pub fn validations(&self) -> &[Validation] {
        match self {
            Self::Accepted(accepted) => accepted.validations(),
            Self::Rejected(rejected) => rejected.validations(),
        }
    }

    /// Who signed, or claims to have: an intact envelope says, and only an accepted one is to be believed.
    pub fn identity(&self) -> Option<&Foreign> {
        match self {
            Self::Accepted(accepted) => Some(accepted.identity()),
            Self::Rejected(rejected) => rejected.identity(),
        }
    }

    /// The envelope, where it is intact.
    pub fn envelope(&self) -> Option<&IntactEnvelope> {
        match self {
            Self::Accepted(accepted) => Some(accepted.envelope()),
            Self::Rejected(rejected) => rejected.envelope(),
        }
    }
}

/// Proof that one signature passed everything that one policy enforces at one moment; only [`Pending::conclude`] makes
/// it.
///
/// A policy below the level `strict` may have accepted a signature of which some validations failed:
/// [`Accepted::logged`] lists them, and whoever reports the acceptance has to report them too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    signature: Digest,
    subject: Digest,
    policy: String,
    identity: Foreign,
    validations: Vec<Validation>,
    envelope: Box<IntactEnvelope>,
    judged_at: Timestamp,
}

impl Accepted {
    /// The digest of the signature's manifest.
    pub fn signature(&self) -> &Digest {
        &self.signature
    }

    /// The digest of what was signed.
    pub fn subject(&self) -> &Digest {
        &self.subject
    }

    /// The name of the policy that accepted it.
    pub fn policy_name(&self) -> &str {
        &self.policy
    }

    /// The signer: the profile version ARN for AWS Signer, the subject of the leaf certificate otherwise.
    pub fn identity(&self) -> &Foreign {
        &self.identity
    }

    /// How each validation went.
    pub fn validations(&self) -> &[Validation] {
        &self.validations
    }

    /// The validations that went wrong, or could not be decided, and that the policy only takes note of.
    pub fn logged(&self) -> impl Iterator<Item = &Validation> {
        self.validations
            .iter()
            .filter(|validation| validation.is_logged())
    }

    /// The envelope.
    pub fn envelope(&self) -> &IntactEnvelope {
        &self.envelope
    }

    /// The moment for which the judgement holds.
    pub fn judged_at(&self) -> Timestamp {
        self.judged_at
    }
}

/// A refused signature, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    signature: Digest,
    identity: Option<Foreign>,
    leading: Obstacle,
    undecided: bool,
    validations: Vec<Validation>,
    envelope: Option<Box<IntactEnvelope>>,
}

impl Rejected {
    /// A signature whose envelope is not intact: nothing it says was believed, so nothing else was judged.
    pub(super) fn broken(signature: Digest, leading: Obstacle, validations: Vec<Validation>) -> Self {
        Self {
            signature,
            identity: None,
            leading,
            undecided: false,
            validations,
            envelope: None,
        }
    }

    /// The digest of the signature's manifest.
    pub fn signature(&self) -> &Digest {
        &self.signature
    }

    /// Who claims to have signed, where the envelope is intact; not the same as who is trusted.
    pub fn identity(&self) -> Option<&Foreign> {
        self.identity.as_ref()
    }

    /// The envelope, where it is intact: what it says (scheme, times, chain) was signed by its own leaf, and nothing
    /// more is known of it.
    pub fn envelope(&self) -> Option<&IntactEnvelope> {
        self.envelope.as_deref()
    }

    /// Why, by rank: the first thing that stood in the way. Of several refused signatures report the one with the
    /// greatest reason first.
    pub fn reason(&self) -> Reason {
        self.leading.reason
    }

    /// Why, in a sentence.
    pub fn message(&self) -> &str {
        &self.leading.message
    }

    /// What was expected, where that can be said apart.
    pub fn expected(&self) -> Option<&str> {
        self.leading.expected.as_deref()
    }

    /// What was found instead.
    pub fn found(&self) -> Option<&Foreign> {
        self.leading.found.as_ref()
    }

    /// How each validation went.
    pub fn validations(&self) -> &[Validation] {
        &self.validations
    }

    /// Unavailable when an enforced "unknown" is the only thing in the way, so that nobody said no; else rejected.
    pub fn class(&self) -> Class {
        if self.undecided {
            Class::Unavailable
        } else {
            Class::Rejected
        }
    }
}
