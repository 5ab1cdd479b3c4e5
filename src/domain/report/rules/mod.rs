//! The rules that findings are instances of, and the notices that failures are: ids, words and pages.
//!
//! Ids are published and never used again for anything else. What a rule says stands in one table
//! (`signatures.rs`, `attestations.rs`, `run.rs`), from which SARIF, the pages in `docs/rules/` and the help come.

mod attestations;
mod notice;
mod run;
mod signatures;

use std::fmt::Write as _;

use super::Level;
use crate::base::pages::address;
use crate::domain::trust::Reason;
use crate::domain::trust::expectation::Lack;

pub use notice::Notice;

/// How sure a finding of a rule is (GitHub, "SARIF support for code scanning", `precision`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// Worth a look.
    Medium,
    /// Follows from what a policy expects.
    High,
    /// Follows from bytes and cryptography.
    VeryHigh,
}

impl Precision {
    /// The word in SARIF.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Medium => "medium",
            Self::High => "high",
            Self::VeryHigh => "very-high",
        }
    }
}

/// What there is to say about a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) level: Level,
    /// GitHub's scale: over 9.0 critical, from 7.0 high, from 4.0 medium, below low; empty for notices.
    pub(super) severity: &'static str,
    pub(super) precision: Precision,
    pub(super) title: &'static str,
    pub(super) meaning: &'static str,
    pub(super) fix: &'static str,
}

macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident = $entry:path;)*) => {
        /// Every rule; ids are never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $($(#[$doc])* $variant,)*
        }

        impl Rule {
            /// Every rule, in the order of the ids.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            const fn entry(self) -> &'static Entry {
                match self {
                    $(Self::$variant => &$entry,)*
                }
            }
        }
    };
}

rules! {
    /// No signature on the digest.
    SignatureMissing = signatures::MISSING;
    /// Envelope, chain or integrity do not hold.
    SignatureInvalid = signatures::INVALID;
    /// Signed by somebody the policy does not name.
    SignatureUntrustedIdentity = signatures::UNTRUSTED_IDENTITY;
    /// Job, profile or certificate were revoked.
    SignatureRevoked = signatures::REVOKED;
    /// The signature's expiry passed.
    SignatureExpired = signatures::EXPIRED;
    /// The signature's expiry is near.
    SignatureExpiring = signatures::EXPIRING;
    /// Nobody could say whether it was revoked.
    RevocationUnknown = signatures::REVOCATION_UNKNOWN;
    /// The signed payload is about something else.
    SignatureOtherSubject = signatures::OTHER_SUBJECT;
    /// The chain ends in a root that is not in the trust store.
    SignatureUntrustedRoot = signatures::UNTRUSTED_ROOT;
    /// A scheme, envelope or critical attribute that is not known.
    SignatureUnsupported = signatures::UNSUPPORTED;
    /// An index is signed and one of its manifests is not.
    PlatformUnsigned = signatures::PLATFORM_UNSIGNED;
    /// A tag no longer points at the digest.
    TagMoved = run::TAG_MOVED;
    /// An image is named by tag alone.
    ReferenceNotDigest = run::REFERENCE_NOT_DIGEST;
    /// The repository lets tags be overwritten.
    TagMutable = run::TAG_MUTABLE;
    /// Tag and digest of one input disagree.
    TagDigestMismatch = run::TAG_DIGEST_MISMATCH;
    /// The signed payload lacks pairs that were asked for.
    SignatureMetadataMismatch = signatures::METADATA;
    /// A required predicate type is absent.
    AttestationMissing = attestations::MISSING;
    /// An attestation has no valid signature.
    AttestationUnsigned = attestations::UNSIGNED;
    /// An attestation's document cannot be read.
    AttestationMalformed = attestations::MALFORMED;
    /// A Statement is not about this image.
    AttestationSubjectMismatch = attestations::SUBJECT_MISMATCH;
    /// The predicate is of another type than announced.
    AttestationPredicateUnexpected = attestations::PREDICATE_UNEXPECTED;
    /// Signed, but by somebody the policy does not trust.
    AttestationUntrusted = attestations::UNTRUSTED;
    /// Bigger than readers accept.
    AttestationTooLarge = attestations::TOO_LARGE;
    /// Several of one kind by the same signer.
    AttestationDuplicate = attestations::DUPLICATE;
    /// Older than allowed.
    AttestationTooOld = attestations::TOO_OLD;
    /// A condition of the expectations does not hold.
    AttestationConditionFailed = attestations::CONDITION_FAILED;
    /// The builder is not one of those allowed.
    BuilderUntrusted = attestations::BUILDER_UNTRUSTED;
    /// Repository, ref or commit differ from what is expected.
    SourceMismatch = attestations::SOURCE_MISMATCH;
    /// The evidence supports less than what is demanded.
    BuildLevelBelowMinimum = attestations::BUILD_LEVEL_BELOW_MINIMUM;
    /// Built on a self-hosted runner.
    SelfHostedRunner = attestations::SELF_HOSTED_RUNNER;
    /// Claims that only the environment made.
    ProvenanceUnverifiedClaims = attestations::UNVERIFIED_CLAIMS;
    /// Nothing ties the image to the run.
    ProvenanceUnbound = attestations::UNBOUND;
    /// The environment contradicts the verified token.
    ClaimsEnvironmentMismatch = attestations::CLAIMS_ENVIRONMENT_MISMATCH;
    /// More referrers than admission controllers read.
    TooManyReferrers = run::TOO_MANY_REFERRERS;
    /// Several valid signatures by the same signer.
    DuplicateSignatures = run::DUPLICATE_SIGNATURES;
    /// An endpoint, certificate bundle or proxy came from the environment.
    EnvironmentOverride = run::ENVIRONMENT_OVERRIDE;
    /// Signed with a local key, in CI.
    LocalSigner = run::LOCAL_SIGNER;
}

impl Rule {
    /// Rules that no command can raise yet; their pages say so.
    pub const NOT_YET: &[Self] = &[Self::TagMutable];

    /// The rule that an unmet expectation is an instance of.
    pub const fn of_lack(lack: Lack) -> Self {
        match lack {
            Lack::Missing => Self::AttestationMissing,
            Lack::TooOld => Self::AttestationTooOld,
            Lack::Builder => Self::BuilderUntrusted,
            Lack::Source => Self::SourceMismatch,
            Lack::Condition => Self::AttestationConditionFailed,
            Lack::Level => Self::BuildLevelBelowMinimum,
        }
    }

    /// The rule that a reason for refusing a signature falls under.
    pub const fn of_refusal(reason: Reason) -> Self {
        match reason {
            Reason::Malformed | Reason::Integrity | Reason::Chain => Self::SignatureInvalid,
            Reason::OtherSubject => Self::SignatureOtherSubject,
            Reason::Unsupported => Self::SignatureUnsupported,
            Reason::UntrustedRoot => Self::SignatureUntrustedRoot,
            Reason::UntrustedIdentity => Self::SignatureUntrustedIdentity,
            Reason::Metadata => Self::SignatureMetadataMismatch,
            Reason::Expired => Self::SignatureExpired,
            Reason::RevocationUnknown => Self::RevocationUnknown,
            Reason::Revoked => Self::SignatureRevoked,
        }
    }

    /// The published id, as `CSN001`.
    pub const fn id(self) -> &'static str {
        self.entry().id
    }

    /// The name, as `signature-missing`.
    pub const fn name(self) -> &'static str {
        self.entry().name
    }

    /// The level that a finding has unless the run says otherwise.
    pub const fn level(self) -> Level {
        self.entry().level
    }

    /// GitHub's `security-severity`, a number as text.
    pub const fn security_severity(self) -> &'static str {
        self.entry().severity
    }

    /// How sure a finding is.
    pub const fn precision(self) -> Precision {
        self.entry().precision
    }

    /// One line that says what is wrong.
    pub const fn title(self) -> &'static str {
        self.entry().title
    }

    /// What it means, in a few sentences.
    pub const fn meaning(self) -> &'static str {
        self.entry().meaning
    }

    /// What to do about it.
    pub const fn fix(self) -> &'static str {
        self.entry().fix
    }

    /// The page about the rule, at this version.
    pub fn help_uri(self) -> String {
        help_uri(self.id())
    }
}

/// The page about a rule or notice, at this version of countersign.
pub(super) fn help_uri(id: &str) -> String {
    address(&format!("docs/rules/{id}.md"))
}

/// The page of a rule, as it stands in `docs/rules/`.
pub fn page(rule: Rule) -> String {
    page_of(rule.entry())
}

fn page_of(entry: &Entry) -> String {
    format!(
        "# {}: {}\n\n{}.\n\n{}\n## What it means\n\n{}\n\n## What to do\n\n{}\n",
        entry.id,
        entry.name,
        entry.title,
        properties(entry),
        entry.meaning,
        entry.fix
    )
}

fn properties(entry: &Entry) -> String {
    if entry.severity.is_empty() {
        return "A notice: it says what kept countersign from an answer, and is no finding.\n".to_owned();
    }
    let (level, severity, precision) = (entry.level, entry.severity, entry.precision.name());
    format!(
        "| level | security severity | precision |\n|---|---|---|\n| {level} | {severity} | {precision} |\n"
    )
}

/// The list of all rules and notices, as it stands in `docs/rules/README.md`.
pub fn index_page() -> String {
    let mut text = String::from(
        "# Rules\n\nFindings carry one of these ids in every report; ids are never used again for anything else. A \
         finding may be graver or milder\nthan its rule's level where the page of the rule says so.\n\n\
         | id | name | level | says |\n|---|---|---|---|\n",
    );
    for rule in Rule::ALL {
        let (id, name, level, title) = (rule.id(), rule.name(), rule.level(), rule.title());
        let _ = writeln!(text, "| [{id}]({id}.md) | {name} | {level} | {title} |");
    }
    text.push_str(
        "\nFailures, which keep countersign from an answer, are notices and not findings:\n\n\
         | id | name | says |\n|---|---|---|\n",
    );
    for notice in Notice::ALL {
        let (id, name, title) = (notice.id(), notice.name(), notice.title());
        let _ = writeln!(text, "| [{id}]({id}.md) | {name} | {title} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn is_kebab(name: &str) -> bool {
        name.split('-')
            .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
    }

    #[test]
    fn ids_and_names_are_unique_and_ids_ascend() {
        let ids: Vec<_> = Rule::ALL.iter().map(|rule| rule.id()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
        let names: BTreeSet<_> = Rule::ALL.iter().map(|rule| rule.name()).collect();
        assert_eq!(names.len(), Rule::ALL.len());
        assert!(names.into_iter().all(is_kebab));
    }

    #[test]
    fn the_published_list_does_not_change_by_accident() {
        let list: String = Rule::ALL
            .iter()
            .map(|rule| {
                let (level, severity) = (rule.level(), rule.security_severity());
                format!(
                    "{} {} {level} {severity} {}\n",
                    rule.id(),
                    rule.name(),
                    rule.precision().name()
                )
            })
            .chain(
                Notice::ALL
                    .iter()
                    .map(|notice| format!("{} {}\n", notice.id(), notice.name())),
            )
            .collect();
        insta::assert_snapshot!(list);
    }

    #[test]
    fn texts_fit_what_github_shows_and_end_as_sentences() {
        for rule in Rule::ALL {
            let (title, meaning, fix) = (rule.title(), rule.meaning(), rule.fix());
            assert!(title.len() <= 120 && !title.ends_with('.'), "{title}");
            for text in [meaning, fix] {
                assert!(
                    (40..=1_024).contains(&text.len()) && text.ends_with('.'),
                    "{}: {text}",
                    rule.id()
                );
                assert!(
                    !text.contains('\n') && !text.contains("  "),
                    "{}: {text}",
                    rule.id()
                );
            }
            let severity: f64 = rule.security_severity().parse().unwrap();
            assert!((0.1..=10.0).contains(&severity));
        }
    }

    #[test]
    fn no_rule_advises_to_trust_more() {
        for rule in Rule::ALL {
            let fix = rule.fix().to_lowercase();
            for word in [
                "permissive",
                "audit",
                "skip",
                "disable",
                "ignore",
                "loosen",
                "relax",
                "add it to the trust",
            ] {
                assert!(!fix.contains(word), "{}: {word}", rule.id());
            }
        }
    }

    #[test]
    fn the_help_points_at_this_version() {
        assert_eq!(
            Rule::SignatureMissing.help_uri(),
            format!(
                "https://github.com/countersign/countersign/blob/v{}/docs/rules/CSN001.md",
                env!("CARGO_PKG_VERSION")
            )
        );
    }

    #[test]
    fn a_page_says_what_the_table_says() {
        insta::assert_snapshot!(page(Rule::SignatureMissing));
    }
}
