//! What somebody expects of the attestations on an image, and whether the accepted ones say so.
//!
//! Only an [`AcceptedAttestation`] can be held against an expectation: what nobody trusted signed, or what is about
//! another image, counts for nothing here. An expectation is met by one attestation that meets all of it, never one
//! condition by one and the next by another; what an attestation does not say does not hold.

mod condition;
mod provenance;
mod reader;

use std::time::Duration;

pub use self::condition::{Condition, Literal, Number, Pattern, PatternError, Test};
use self::provenance::{hold, lack, words};
pub use self::reader::{ExpectationsError, NAMES};
use super::attestation::AcceptedAttestation;
use crate::base::foreign::{Foreign, quote};
use crate::base::time::Timestamp;
use crate::domain::oci::Digest;
use crate::domain::provenance::{Attested, BuildLevel, Kind, Member, supported_by_document};

/// Every expectation of one file, in its order.
///
/// ```
/// use countersign::domain::trust::expectation::Expectations;
/// let file = b"attestations:\n  - type: provenance\n    source: https://github.com/octo-org/app\n";
/// let expectations = Expectations::read(file)?;
/// assert_eq!(expectations.entries().len(), 1);
/// let error = Expectations::read(b"attestations:\n  - type: provenance\n    bilder: x\n").unwrap_err();
/// assert!(error.to_string().starts_with("attestations[0], line 3, column 13: expected only the members"));
/// # Ok::<(), countersign::domain::trust::expectation::ExpectationsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectations {
    entries: Vec<Expectation>,
    file: Option<Digest>,
}

impl Expectations {
    /// Those of a file, where there is one, and a provenance that supports this build level; none where nothing is
    /// expected.
    pub fn and_minimum(file: Option<Self>, minimum: Option<BuildLevel>) -> Option<Self> {
        let Some(least) = minimum else {
            return file;
        };
        let mut all = file.unwrap_or(Self {
            entries: Vec::new(),
            file: None,
        });
        all.entries.push(Expectation::of_level(least));
        Some(all)
    }

    /// The digest of the bytes of the file they were read from; none where there was none.
    pub fn file(&self) -> Option<&Digest> {
        self.file.as_ref()
    }

    /// The expectations.
    pub fn entries(&self) -> &[Expectation] {
        &self.entries
    }

    /// Whether any of them is about attestations of this predicate type.
    pub fn name(&self, attested: &Attested) -> bool {
        self.entries.iter().any(|entry| entry.wanted.is(attested))
    }

    /// Whether an attestation of a type without a name is expected, so that nothing but its document tells it.
    pub fn name_custom_types(&self) -> bool {
        let custom = |entry: &Expectation| matches!(entry.wanted, Wanted::Type(_));
        self.entries.iter().any(custom)
    }

    /// Whether any of them is about attestations of this kind.
    pub fn name_kind(&self, kind: Kind) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.wanted == Wanted::Kind(kind))
    }
}

/// The attestations that an expectation is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Those of a kind, whatever the version in their predicate type.
    Kind(Kind),
    /// Those of exactly this predicate type.
    Type(String),
}

impl Wanted {
    /// Whether an attestation is one of them.
    pub fn is(&self, attested: &Attested) -> bool {
        match self {
            Self::Kind(kind) => attested.kind() == Some(*kind),
            Self::Type(uri) => attested.predicate_type() == uri,
        }
    }

    /// Its name as a file has it: a kind's, or the predicate type.
    pub fn name(&self) -> &str {
        match self {
            Self::Kind(kind) => kind.name(),
            Self::Type(uri) => uri,
        }
    }

    /// Its name in messages.
    fn words(&self) -> String {
        match self {
            Self::Kind(kind) => kind.name().to_owned(),
            Self::Type(uri) => quote(uri).to_string(),
        }
    }
}

/// What is expected of the attestations of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// Which attestations it is about.
    pub wanted: Wanted,
    /// Whether one has to be there; where it is false, one that is there has to meet the rest.
    pub required: bool,
    /// What a provenance has to say of its build, by name.
    pub members: Vec<(Member, Pattern)>,
    /// The greatest age of the attestation's signature.
    pub max_age: Option<Duration>,
    /// The least build level that the evidence has to support.
    pub minimum_build_level: Option<BuildLevel>,
    /// Conditions on members.
    pub conditions: Vec<Condition>,
}

impl Expectation {
    /// A provenance that supports this build level, whatever else it says.
    fn of_level(least: BuildLevel) -> Self {
        Self {
            wanted: Wanted::Kind(Kind::Provenance),
            required: true,
            members: Vec::new(),
            max_age: None,
            minimum_build_level: Some(least),
            conditions: Vec::new(),
        }
    }
}

/// What kind of expectation is not met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lack {
    /// No accepted attestation of that type is there.
    Missing,
    /// It was signed too long ago, or nobody can tell when.
    TooOld,
    /// Another builder.
    Builder,
    /// Another source, ref or commit.
    Source,
    /// Another workflow, event or kind of runner, or a condition that does not hold.
    Condition,
    /// The evidence supports a lower build level.
    Level,
}

/// One way in which expectations are not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// What kind.
    pub lack: Lack,
    /// What is wrong, in words.
    pub message: String,
    /// What was expected.
    pub expected: String,
    /// What was found; none where nothing is there.
    pub found: Option<Foreign>,
    /// The attestation that came nearest; none where none is there.
    pub about: Option<Digest>,
}

impl Shortfall {
    /// No accepted attestation of a type is there.
    fn missing(wanted: &Wanted) -> Self {
        Self {
            lack: Lack::Missing,
            message: format!("no accepted attestation of the type {} is there", wanted.words()),
            expected: match wanted {
                Wanted::Kind(kind) => format!("an accepted attestation of {}", kind.predicate_type()),
                Wanted::Type(uri) => format!("an accepted attestation of {}", quote(uri)),
            },
            found: None,
            about: None,
        }
    }
}

/// How one expectation fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which attestations it is about.
    pub wanted: Wanted,
    /// Whether one had to be there.
    pub required: bool,
    /// The attestation that meets all of it; of several the one signed last. None where none does, and where none had to
    /// be there and none is.
    pub met_by: Option<Digest>,
    /// What is not met; empty where nothing is.
    pub shortfalls: Vec<Shortfall>,
}

impl Held {
    /// The same where some of what hangs on the image was not read. An attestation that need not be there may be one of
    /// those, and then it has to meet the rest: that none was found says nothing.
    #[must_use]
    pub fn with_unread(mut self) -> Self {
        if self.met_by.is_none() && self.shortfalls.is_empty() {
            self.shortfalls.push(Shortfall::missing(&self.wanted));
        }
        self
    }
}

/// Holds expectations against the accepted attestations of one image, each with the digest of its manifest.
///
/// One answer for each expectation, in the order of the file. Of an expectation that several attestations miss, the one
/// that misses least is told.
pub fn judge(
    expectations: &Expectations,
    accepted: &[(&Digest, &AcceptedAttestation)],
    now: Timestamp,
) -> Vec<Held> {
    let hold = |expectation: &Expectation| held(expectation, accepted, now);
    expectations.entries.iter().map(hold).collect()
}

fn held(expectation: &Expectation, accepted: &[(&Digest, &AcceptedAttestation)], now: Timestamp) -> Held {
    let fitting = accepted
        .iter()
        .filter(|(_, attestation)| expectation.wanted.is(attestation.attested()));
    let mut tried: Vec<_> = fitting
        .map(|(digest, attestation)| {
            let lacks = lacking(expectation, digest, attestation, now);
            (lacks, attestation.signed_at(), *digest)
        })
        .collect();
    // The one that misses least; of equals the one signed last, so that the answer does not hang on a list's order.
    tried.sort_by(|(a, signed_a, digest_a), (b, signed_b, digest_b)| {
        let by_age = signed_b.cmp(signed_a).then_with(|| digest_a.cmp(digest_b));
        a.len().cmp(&b.len()).then(by_age)
    });
    let (shortfalls, met_by) = match tried.into_iter().next() {
        Some((lacks, _, digest)) => {
            let met_by = lacks.is_empty().then(|| digest.clone());
            (lacks, met_by)
        }
        None if expectation.required => (vec![Shortfall::missing(&expectation.wanted)], None),
        None => (Vec::new(), None),
    };
    Held {
        wanted: expectation.wanted.clone(),
        required: expectation.required,
        met_by,
        shortfalls,
    }
}

/// Everything of one expectation that one attestation does not meet.
fn lacking(
    expectation: &Expectation,
    digest: &Digest,
    attestation: &AcceptedAttestation,
    now: Timestamp,
) -> Vec<Shortfall> {
    let attested = attestation.attested();
    let short = |lack, what: &str, expected: String, found: Option<Foreign>| Shortfall {
        lack,
        message: match &found {
            Some(_) => format!("the {} says something else of {what}", expectation.wanted.words()),
            None => format!("the {} says nothing of {what}", expectation.wanted.words()),
        },
        expected,
        found,
        about: Some(digest.clone()),
    };
    let mut lacks = Vec::new();
    for (member, pattern) in &expectation.members {
        if let Err(found) = hold(*member, attested, pattern) {
            lacks.push(short(
                lack(*member),
                words(*member),
                pattern.as_str().to_owned(),
                found,
            ));
        }
    }
    for condition in &expectation.conditions {
        if let Err(found) = condition.hold(attested) {
            let what = format!("the member {}", quote(&condition.at));
            lacks.push(short(Lack::Condition, &what, condition.test.to_string(), found));
        }
    }
    lacks.extend(
        expectation
            .max_age
            .and_then(|age| too_old(expectation, digest, attestation, age, now)),
    );
    lacks.extend(
        expectation
            .minimum_build_level
            .and_then(|least| too_low(attestation, digest, least)),
    );
    lacks
}

/// Seconds by which clocks may differ, so that what was just signed elsewhere is not from the future (ours).
const CLOCK_SECONDS: i64 = 300;

fn too_old(
    expectation: &Expectation,
    digest: &Digest,
    attestation: &AcceptedAttestation,
    age: Duration,
    now: Timestamp,
) -> Option<Shortfall> {
    let signed = attestation.signed_at();
    let longest = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
    let fits = |signed: Timestamp| {
        let passed = now.unix().saturating_sub(signed.unix());
        (-CLOCK_SECONDS..=longest).contains(&passed)
    };
    if signed.is_some_and(fits) {
        return None;
    }
    Some(Shortfall {
        lack: Lack::TooOld,
        message: match signed {
            Some(signed) if signed > now => {
                format!("the {} was signed in the future", expectation.wanted.words())
            }
            _ => format!("the {} was signed too long ago", expectation.wanted.words()),
        },
        expected: format!("signed after {}", now.plus(longest.saturating_neg())),
        found: signed.map(|signed| Foreign::new(signed.to_string())),
        about: Some(digest.clone()),
    })
}

fn too_low(attestation: &AcceptedAttestation, digest: &Digest, least: BuildLevel) -> Option<Shortfall> {
    let supported = supported_by_document(attestation.attested(), attestation.key_holder());
    let (level, reasons) = match supported {
        Some(supported) if supported.level >= least => return None,
        Some(supported) => (supported.level.number(), supported.reasons.join("; ")),
        None => (0, "it is no SLSA provenance that names its builder".to_owned()),
    };
    Some(Shortfall {
        lack: Lack::Level,
        message: format!("the evidence supports build level {level}: {reasons}"),
        expected: format!("build level {least}"),
        found: Some(Foreign::new(level.to_string())),
        about: Some(digest.clone()),
    })
}

#[cfg(test)]
mod tests;
