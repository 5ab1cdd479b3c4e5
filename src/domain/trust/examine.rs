//! Judging one signature as far as bytes allow (trust store and trust policy specification, "Signature Evaluation").

use std::collections::BTreeMap;

use super::authenticity;
use super::aws::{AwsRefusal, AwsSignature};
use super::level::{Action, ValidationKind};
use super::obstacles;
use super::outcome::{
    Judged, Obstacle, Pending, Reason, Rejected, RevocationQuestion, Validation, ValidationResult,
};
use super::policy::TrustPolicy;
use super::timeliness;
use super::trust_store::TrustStore;
use super::verifier::{self, Claims, Verifier, VerifierError};
use crate::base::foreign::{Foreign, quote};
use crate::base::time::Timestamp;
use crate::domain::notary::{AWS_PLUGIN, Envelope, EnvelopeError, IntactEnvelope, names};
use crate::domain::oci::{Descriptor, Digest, Subject};
use crate::domain::x509::{Certificate, Thumbprint, paired_hashes};

/// One signature as found in a store of content: nothing believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The digest of the signature's manifest.
    pub manifest: Digest,
    /// The envelope it carries.
    pub envelope: Envelope,
}

/// What a caller requires beyond the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// Pairs that the signed payload must hold, exactly.
    pub metadata: BTreeMap<String, String>,
    /// The certificate that must have signed, where a policy cannot name it.
    pub signer: Option<Thumbprint>,
}

/// Judges a signature as far as its bytes, the policy, the trust store and a moment allow.
///
/// Every validation is made and its result kept, also after one has failed; only what would have to be asked of a
/// service is left out once the answer cannot matter any more.
pub fn examine(
    evidence: &Evidence,
    subject: &Subject,
    policy: &TrustPolicy,
    store: &TrustStore,
    requirements: &Requirements,
    now: Timestamp,
) -> Pending {
    Examination {
        evidence,
        subject: subject.descriptor(),
        policy,
        store,
        requirements,
        now,
        verifiers: &Verifier::built_in(),
    }
    .run()
}

/// Everything that a judgement depends on; [`examine`] is the short form with the built-in verifiers.
#[derive(Clone, Copy, Debug)]
pub struct Examination<'a> {
    /// The signature.
    pub evidence: &'a Evidence,
    /// What it has to be about: media type, digest and size count.
    pub subject: &'a Descriptor,
    /// Who is trusted, and how strictly.
    pub policy: &'a TrustPolicy,
    /// The certificates behind the policy's trust stores.
    pub store: &'a TrustStore,
    /// What is required beyond the policy.
    pub requirements: &'a Requirements,
    /// The moment of the judgement.
    pub now: Timestamp,
    /// What stands in for verification plugins.
    pub verifiers: &'a [Verifier],
}

impl Examination<'_> {
    /// Judges.
    pub fn run(&self) -> Pending {
        match IntactEnvelope::open(&self.evidence.envelope) {
            Err(error) => Pending::broken(self.broken(&error)),
            Ok(envelope) => Pending::intact(self.judge(&envelope), envelope),
        }
    }

    fn action(&self, kind: ValidationKind) -> Action {
        self.policy.verification().action(kind)
    }

    fn broken(&self, error: &EnvelopeError) -> Rejected {
        let leading = obstacles::of_envelope(error);
        let validations = ValidationKind::ALL.map(|kind| Validation {
            kind,
            action: self.action(kind),
            result: match kind {
                ValidationKind::Integrity => ValidationResult::Failed(leading.message.clone()),
                _ => ValidationResult::Skipped("the envelope is not intact".to_owned()),
            },
        });
        Rejected::broken(self.evidence.manifest.clone(), leading, validations.to_vec())
    }

    fn judge(&self, envelope: &IntactEnvelope) -> Judged {
        let claims = Claims::of(envelope);
        let opened = Opened {
            envelope,
            claims,
            verifier: verifier::wanted(claims, self.verifiers),
        };
        let mut judged = Judged {
            signature: self.evidence.manifest.clone(),
            subject: self.subject.digest.clone(),
            policy: self.policy.name().to_owned(),
            identity: opened.signer(),
            at: self.now,
            validations: Vec::new(),
            obstacles: Vec::new(),
            questions: Vec::new(),
            revocation: self.action(ValidationKind::Revocation),
        };
        // These stand in the way at every level: the policy has no say in them.
        judged.obstacles.extend(self.payload(envelope).err());
        judged.obstacles.extend(opened.unsupported());
        self.keep(&mut judged, ValidationKind::Integrity, None);
        let (failures, refusal) = self.authenticity(&opened);
        judged.obstacles.extend(refusal.clone());
        self.keep(
            &mut judged,
            ValidationKind::Authenticity,
            failures.into_iter().chain(refusal),
        );
        let expiry = timeliness::check_expiry(envelope.expiry(), self.now);
        self.keep(&mut judged, ValidationKind::Expiry, expiry.err());
        let time = timeliness::check_authentic_time(envelope, self.policy, self.now);
        self.keep(&mut judged, ValidationKind::AuthenticTimestamp, time.err());
        self.revocation(&mut judged, &opened);
        judged
    }

    /// The payload has to be about this subject, and to hold the metadata that is required.
    fn payload(&self, envelope: &IntactEnvelope) -> Result<(), Obstacle> {
        let payload = envelope.signed_payload().map_err(obstacles::of_payload)?;
        let target = payload.check_target(self.subject);
        target.map_err(obstacles::of_payload)?;
        let metadata = payload.check_metadata(&self.requirements.metadata);
        metadata.map_err(obstacles::of_payload)
    }

    /// What stands in the way of authenticity, and what no level of a policy excuses.
    fn authenticity(&self, opened: &Opened<'_>) -> (Vec<Obstacle>, Option<Obstacle>) {
        let chain = opened.envelope.chain();
        let identities = self.policy.identities();
        let anchor = authenticity::check_anchor(chain, opened.claims.scheme, self.policy, self.store);
        let mut failures: Vec<Obstacle> = anchor.err().into_iter().collect();
        failures.extend(authenticity::check_signer(chain.leaf(), self.requirements.signer.as_ref()).err());
        let mut refusal = None;
        match &opened.verifier {
            Ok(None) => failures.extend(authenticity::check_subject(chain.leaf(), identities).err()),
            Ok(Some(_)) => match self.trusted_profile(opened.claims) {
                Ok(failure) => failures.extend(failure),
                Err(error) => refusal = Some(obstacles::of_aws(&error)),
            },
            // Whose identity it is cannot be said without the verifier, which stands in the way already.
            Err(_) => {}
        }
        (failures, refusal)
    }

    /// Whether the policy trusts the profile that signed.
    fn trusted_profile(&self, claims: Claims<'_>) -> Result<Option<Obstacle>, AwsRefusal> {
        let identities = self.policy.identities();
        let signature = AwsSignature::read(claims, self.asks_for_revocation())?;
        let profile = Foreign::new(&signature.profile_version);
        Ok(match signature.trusted_by(identities)? {
            Some(_) => None,
            None => Some(authenticity::not_trusted(profile, identities)),
        })
    }

    fn asks_for_revocation(&self) -> bool {
        self.action(ValidationKind::Revocation) != Action::Skip
    }

    /// Keeps a validation, which passed unless there are failures.
    fn keep(&self, judged: &mut Judged, kind: ValidationKind, failures: impl IntoIterator<Item = Obstacle>) {
        let failures: Vec<Obstacle> = failures.into_iter().collect();
        let result = if failures.is_empty() {
            ValidationResult::Passed
        } else {
            let why: Vec<&str> = failures.iter().map(|failure| failure.message.as_str()).collect();
            ValidationResult::Failed(why.join("; "))
        };
        judged.record(kind, self.action(kind), result, failures);
    }

    fn revocation(&self, judged: &mut Judged, opened: &Opened<'_>) {
        let refused = !judged.obstacles.is_empty();
        let (result, obstacle) = match self.revocation_of(opened, refused) {
            Revocation::Ask(question) => return judged.questions.push(question),
            Revocation::Passed => (ValidationResult::Passed, None),
            Revocation::Skipped(why) => (ValidationResult::Skipped(why.to_owned()), None),
            Revocation::Unknown(why) => {
                let obstacle = Obstacle::new(Reason::RevocationUnknown, &why);
                (ValidationResult::Unknown(why), Some(obstacle))
            }
        };
        judged.record(ValidationKind::Revocation, judged.revocation, result, obstacle);
    }

    fn revocation_of(&self, opened: &Opened<'_>, refused: bool) -> Revocation {
        let certificates = opened.envelope.chain().certificates();
        match &opened.verifier {
            _ if !self.asks_for_revocation() => Revocation::Skipped("the policy says skip"),
            Err(_) => Revocation::Skipped("the verifier that the signature asks for is not there"),
            Ok(None) => without_service(certificates),
            Ok(Some(_)) if refused => {
                Revocation::Skipped("not asked, since the signature is refused already")
            }
            Ok(Some(_)) => match AwsSignature::read(opened.claims, true) {
                Ok(AwsSignature {
                    profile_version,
                    job: Some(job),
                    signed_at,
                }) => Revocation::Ask(RevocationQuestion::AwsSigner {
                    profile_version,
                    job,
                    signed_at,
                    certificate_hashes: paired_hashes(certificates),
                }),
                _ => Revocation::Unknown(
                    "the signature does not state what AWS Signer has to be asked".to_owned(),
                ),
            },
        }
    }
}

/// An intact envelope, and who has to judge it.
struct Opened<'a> {
    envelope: &'a IntactEnvelope,
    claims: Claims<'a>,
    /// Which verifier the signature asks for, or why there is none.
    verifier: Result<Option<&'a Verifier>, VerifierError>,
}

impl Opened<'_> {
    /// Who claims to have signed, in words.
    fn signer(&self) -> Foreign {
        let profile = match self.claims.text(names::VERIFICATION_PLUGIN) {
            Some(AWS_PLUGIN) => self.claims.text(names::AWS_PROFILE_VERSION),
            _ => None,
        };
        let subject = || Foreign::new(self.envelope.chain().leaf().subject().to_string());
        profile.map_or_else(subject, Foreign::new)
    }

    /// What the signature asks for and nobody here can do.
    fn unsupported(&self) -> Option<Obstacle> {
        let error = match &self.verifier {
            Ok(verifier) => verifier::refuse_unprocessed(self.claims, *verifier).err(),
            Err(error) => Some(error.clone()),
        };
        error.map(|error| obstacles::of_verifier(&error))
    }
}

/// What can be said about revocation before anybody is asked.
enum Revocation {
    Ask(RevocationQuestion),
    Passed,
    Skipped(&'static str),
    Unknown(String),
}

/// A chain of which no certificate says where its revocation could be looked up cannot be revoked that way
/// (signature verification, "Certificate Revocation Evaluation"); the root is trusted as it is.
fn without_service(certificates: &[Certificate]) -> Revocation {
    let issued = certificates
        .split_last()
        .map(|(_, issued)| issued)
        .unwrap_or_default();
    match issued
        .iter()
        .find(|certificate| certificate.has_revocation_pointers())
    {
        None => Revocation::Passed,
        Some(certificate) => Revocation::Unknown(format!(
            "the certificate {} names OCSP responders or CRLs, which are not supported yet",
            quote(&certificate.subject().to_string())
        )),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::testing::{
        JOB, PROFILE, PROFILE_VERSION, aws_header, local_header, payload, policy, sign, simple_policy, store,
        subject, time,
    };
    use super::super::{Outcome, RevocationAnswer, TrustStoreError};
    use super::*;
    use crate::base::failure::Class;
    use crate::domain::notary::EnvelopeFormat;
    use crate::domain::x509::testing::{Issued, chain, chain_with};

    const SUBJECT: &str = "x509.subject: C=US, ST=WA, O=Test";
    const NOW: &str = "2025-06-01T00:00:00Z";

    fn judged(evidence: &Evidence, policy: &TrustPolicy, store: &TrustStore, now: &str) -> Outcome {
        examine(
            evidence,
            &subject(1),
            policy,
            store,
            &Requirements::default(),
            time(now),
        )
        .conclude(&BTreeMap::new())
    }

    fn local(issued: &Issued) -> Evidence {
        sign(issued, &local_header(), &payload(&subject(1), &[]))
    }

    fn aws(issued: &Issued) -> Evidence {
        sign(issued, &aws_header(), &payload(&subject(1), &[]))
    }

    fn rejected(outcome: Outcome) -> Rejected {
        match outcome {
            Outcome::Rejected(rejected) => rejected,
            Outcome::Accepted(accepted) => panic!("accepted {accepted:?}"),
        }
    }

    fn is_accepted(outcome: &Outcome) -> bool {
        matches!(outcome, Outcome::Accepted(_))
    }

    fn names(outcome: &Outcome) -> Vec<(&'static str, &'static str)> {
        outcome
            .validations()
            .iter()
            .map(|validation| (validation.kind.name(), validation.result.name()))
            .collect()
    }

    /// What stays the same when a case is judged in another way.
    fn essence(outcome: &Outcome) -> (bool, Vec<(&'static str, &'static str)>) {
        (is_accepted(outcome), names(outcome))
    }

    #[test]
    fn a_good_signature_passes_every_validation_and_says_who_signed() {
        let issued = chain();
        let outcome = judged(
            &local(&issued),
            &simple_policy("strict", "ca:test", SUBJECT),
            &store("ca:test", &issued),
            NOW,
        );
        assert_eq!(
            names(&outcome),
            [
                ("integrity", "passed"),
                ("authenticity", "passed"),
                ("expiry", "passed"),
                ("authenticTimestamp", "passed"),
                ("revocation", "passed")
            ]
        );
        let Outcome::Accepted(accepted) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(accepted.identity().raw(), "CN=Test Signer,O=Test,ST=WA,C=US");
        assert_eq!(accepted.subject(), subject(1).digest());
        assert_eq!(accepted.policy_name(), "test");
        assert_eq!(accepted.judged_at(), time(NOW));
        assert_eq!(accepted.logged().count(), 0);
    }

    #[test]
    fn each_obstacle_has_its_reason_and_its_words() {
        let (issued, other) = (chain(), chain());
        let evidence = local(&issued);
        let good = simple_policy("strict", "ca:test", SUBJECT);
        let trusted = store("ca:test", &issued);
        let refusal = |policy: &TrustPolicy, store: &TrustStore, now: &str| {
            let rejected = rejected(judged(&evidence, policy, store, now));
            assert_eq!(rejected.class(), Class::Rejected);
            (rejected.reason(), rejected.message().to_owned())
        };
        assert_eq!(
            refusal(&good, &store("ca:test", &other), NOW),
            (
                Reason::UntrustedRoot,
                "its chain up to \"CN=Test Root CA,O=Test,ST=WA,C=US\" holds no certificate of the trust store \
                 ca:test"
                    .to_owned()
            )
        );
        assert_eq!(
            refusal(&good, &TrustStore::default(), NOW),
            (
                Reason::UntrustedRoot,
                "the trust store ca:test cannot be used: expected a trust store of this name, found none"
                    .to_owned()
            )
        );
        assert_eq!(
            refusal(
                &simple_policy("strict", "signingAuthority:test", SUBJECT),
                &store("signingAuthority:test", &issued),
                NOW
            ),
            (
                Reason::UntrustedRoot,
                "the policy \"test\" names no trust store of the type ca, which the signature's scheme needs"
                    .to_owned()
            )
        );
        assert_eq!(
            refusal(
                &simple_policy("strict", "ca:test", "x509.subject: C=US, ST=WA, O=Else"),
                &trusted,
                NOW
            ),
            (
                Reason::UntrustedIdentity,
                "its signer \"CN=Test Signer,O=Test,ST=WA,C=US\" is none of the policy's trusted identities"
                    .to_owned()
            )
        );
        assert_eq!(
            refusal(&good, &trusted, "2030-01-01T00:00:00Z"),
            (
                Reason::Expired,
                "it expired at 2030-01-01T00:00:00Z, and it is 2030-01-01T00:00:00Z".to_owned()
            )
        );
        assert_eq!(
            refusal(&good, &trusted, "2019-12-31T23:59:59Z").0,
            Reason::Expired
        );
    }

    #[test]
    fn a_signature_of_something_else_is_refused_at_every_level() {
        let issued = chain();
        let evidence = sign(&issued, &local_header(), &payload(&subject(2), &[]));
        for level in ["strict", "permissive", "audit"] {
            let policy = simple_policy(level, "ca:test", SUBJECT);
            let rejected = rejected(judged(&evidence, &policy, &store("ca:test", &issued), NOW));
            assert_eq!(rejected.reason(), Reason::OtherSubject);
            assert!(rejected.expected().unwrap().contains(subject(1).digest().hex()));
            assert!(
                rejected
                    .found()
                    .unwrap()
                    .raw()
                    .contains(subject(2).digest().hex())
            );
        }
    }

    #[test]
    fn metadata_that_is_required_has_to_be_signed() {
        let issued = chain();
        let evidence = sign(&issued, &local_header(), &payload(&subject(1), &[("build", "7")]));
        let (policy, store) = (
            simple_policy("audit", "ca:test", SUBJECT),
            store("ca:test", &issued),
        );
        let with = |value: &str| {
            let requirements = Requirements {
                metadata: BTreeMap::from([("build".to_owned(), value.to_owned())]),
                ..Requirements::default()
            };
            examine(&evidence, &subject(1), &policy, &store, &requirements, time(NOW))
                .conclude(&BTreeMap::new())
        };
        assert!(is_accepted(&with("7")));
        assert_eq!(rejected(with("8")).reason(), Reason::Metadata);
    }

    #[test]
    fn a_required_certificate_is_held_to() {
        let (issued, other) = (chain(), chain());
        let evidence = local(&issued);
        let (policy, store) = (simple_policy("strict", "ca:test", "*"), store("ca:test", &issued));
        let by = |issued: &Issued| {
            let requirements = Requirements {
                signer: Some(issued.certificates[0].thumbprint()),
                ..Requirements::default()
            };
            examine(&evidence, &subject(1), &policy, &store, &requirements, time(NOW))
                .conclude(&BTreeMap::new())
        };
        assert!(is_accepted(&by(&issued)));
        assert_eq!(rejected(by(&other)).reason(), Reason::UntrustedIdentity);
    }

    #[test]
    fn audit_lets_pass_and_keeps_what_it_let_pass() {
        let (issued, other) = (chain(), chain());
        let outcome = judged(
            &local(&issued),
            &simple_policy("audit", "ca:test", SUBJECT),
            &store("ca:test", &other),
            "2031-01-01T00:00:00Z",
        );
        let Outcome::Accepted(accepted) = outcome else {
            panic!("{outcome:?}");
        };
        let logged: Vec<&str> = accepted
            .logged()
            .map(|validation| validation.kind.name())
            .collect();
        assert_eq!(logged, ["authenticity", "expiry"]);
    }

    #[test]
    fn aws_signer_is_asked_exactly_one_question_and_its_answer_decides() {
        let issued = chain();
        let (policy, store) = (
            simple_policy("strict", "signingAuthority:aws", PROFILE),
            store("signingAuthority:aws", &issued),
        );
        let evidence = aws(&issued);
        let pending = examine(
            &evidence,
            &subject(1),
            &policy,
            &store,
            &Requirements::default(),
            time(NOW),
        );
        assert_eq!(
            pending.questions(),
            [RevocationQuestion::AwsSigner {
                profile_version: PROFILE_VERSION.to_owned(),
                job: JOB.to_owned(),
                signed_at: time("2024-06-01T00:00:00Z"),
                certificate_hashes: paired_hashes(&issued.certificates),
            }]
        );
        let with = |answer| pending.clone().conclude(&BTreeMap::from([(0, answer)]));
        let Outcome::Accepted(accepted) = with(RevocationAnswer::Good) else {
            panic!("good is accepted");
        };
        assert_eq!(accepted.identity().raw(), PROFILE_VERSION);
        let revoked = rejected(with(RevocationAnswer::Revoked(vec![Foreign::new(JOB)])));
        assert_eq!(
            (revoked.reason(), revoked.class(), revoked.message()),
            (
                Reason::Revoked,
                Class::Rejected,
                "AWS Signer says that arn:aws:signer:eu-west-1:111122223333:/signing-jobs/97af3947 was revoked"
            )
        );
        let unknown = rejected(with(RevocationAnswer::Unknown("no route".to_owned())));
        assert_eq!(
            (unknown.reason(), unknown.class(), unknown.message()),
            (
                Reason::RevocationUnknown,
                Class::Unavailable,
                "nobody could tell whether it was revoked: no route"
            )
        );
        assert_eq!(
            rejected(pending.conclude(&BTreeMap::new())).class(),
            Class::Unavailable
        );
    }

    #[test]
    fn a_signature_that_is_refused_already_costs_no_question() {
        let issued = chain();
        let policy = simple_policy("strict", "signingAuthority:aws", &format!("{PROFILE}x"));
        let pending = examine(
            &aws(&issued),
            &subject(1),
            &policy,
            &store("signingAuthority:aws", &issued),
            &Requirements::default(),
            time(NOW),
        );
        assert_eq!(pending.questions(), []);
        let rejected = rejected(pending.conclude(&BTreeMap::new()));
        assert_eq!(rejected.reason(), Reason::UntrustedIdentity);
        assert_eq!(
            rejected.validations()[4].result,
            ValidationResult::Skipped("not asked, since the signature is refused already".to_owned())
        );
    }

    #[test]
    fn an_alias_is_refused_by_name_unless_the_verifier_is_told_of_it() {
        let issued = chain();
        let mut header = aws_header();
        let alias = crate::domain::notary::names::AWS_PROFILE_ALIAS;
        header[alias] = json!("arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release/aliases/live");
        header["crit"].as_array_mut().unwrap().push(json!(alias));
        let evidence = sign(&issued, &header, &payload(&subject(1), &[]));
        let about = subject(1);
        let judge = |identity: &str, verifier: Verifier| {
            let policy = simple_policy("strict", "signingAuthority:aws", identity);
            let pending = Examination {
                evidence: &evidence,
                subject: about.descriptor(),
                policy: &policy,
                store: &store("signingAuthority:aws", &issued),
                requirements: &Requirements::default(),
                now: time(NOW),
                verifiers: &[verifier],
            }
            .run();
            let good = (0..pending.questions().len()).map(|index| (index, RevocationAnswer::Good));
            pending.conclude(&good.collect())
        };
        let mut told = Verifier::aws_signer();
        told.processed.push(alias.to_owned());
        let refused = rejected(judge(PROFILE, Verifier::aws_signer()));
        assert_eq!(refused.reason(), Reason::Unsupported);
        assert!(refused.message().contains(alias), "{}", refused.message());
        assert!(is_accepted(&judge(PROFILE, told.clone())));
        let stranger = rejected(judge(&format!("{PROFILE}x"), told));
        assert_eq!(stranger.reason(), Reason::UntrustedIdentity);
    }

    #[test]
    fn what_a_signature_asks_for_and_is_not_there_refuses_it_by_name_at_every_level() {
        let issued = chain();
        let store = store("signingAuthority:aws", &issued);
        let cases: [(Value, &str); 7] = [
            (
                json!({"io.cncf.notary.verificationPlugin": "com.example.other"}),
                "the signature wants to be verified by the plugin \"com.example.other\", which is not supported",
            ),
            (
                json!({"io.cncf.notary.verificationPlugin": " "}),
                "expected the name of a plugin in the attribute io.cncf.notary.verificationPlugin, found \" \"",
            ),
            (
                json!({"io.cncf.notary.verificationPlugin": 7}),
                "expected a text in the attribute io.cncf.notary.verificationPlugin, found something else",
            ),
            (
                json!({"io.cncf.notary.verificationPluginMinVersion": "2.0.0"}),
                "the signature needs com.amazonaws.signer.notation.plugin 2.0.0 or later; the built-in verifier \
                 equals 1.0.350",
            ),
            (
                json!({"com.amazonaws.signer.signingProfileAlias": "x"}),
                "the signature holds the critical attribute \"com.amazonaws.signer.signingProfileAlias\", which is \
                 not supported (it was signed through an alias of an AWS Signer profile)",
            ),
            (
                json!({"com.amazonaws.signer.signingProfileVersion": 7}),
                "AWS Signer states the attribute com.amazonaws.signer.signingProfileVersion as text, found none",
            ),
            (
                json!({"com.amazonaws.signer.signingJob": null}),
                "AWS Signer states the attribute com.amazonaws.signer.signingJob as text, found none",
            ),
        ];
        for (change, words) in cases {
            let mut header = aws_header();
            for (key, value) in change.as_object().unwrap() {
                header[key] = value.clone();
                let critical = header["crit"].as_array_mut().unwrap();
                if !critical.contains(&json!(key)) {
                    critical.push(json!(key));
                }
            }
            let evidence = sign(&issued, &header, &payload(&subject(1), &[]));
            for level in ["strict", "audit"] {
                let policy = simple_policy(level, "signingAuthority:aws", PROFILE);
                let rejected = rejected(judged(&evidence, &policy, &store, NOW));
                assert_eq!(
                    (rejected.reason(), rejected.message()),
                    (Reason::Unsupported, words)
                );
            }
        }
    }

    #[test]
    fn a_policy_that_trusts_anyone_is_no_policy_for_aws_signer() {
        let issued = chain();
        let policy = simple_policy("audit", "signingAuthority:aws", "*");
        let store = store("signingAuthority:aws", &issued);
        let rejected = rejected(judged(&aws(&issued), &policy, &store, NOW));
        assert_eq!(rejected.reason(), Reason::UntrustedIdentity);
        assert!(rejected.message().contains("the profiles of every AWS account"));
    }

    #[test]
    fn plugin_attributes_need_the_plugin_and_have_to_be_critical() {
        let issued = chain();
        let store = store("signingAuthority:aws", &issued);
        let policy = simple_policy("audit", "signingAuthority:aws", SUBJECT);
        let message = |header: &Value| {
            let evidence = sign(&issued, header, &payload(&subject(1), &[]));
            rejected(judged(&evidence, &policy, &store, NOW))
                .message()
                .to_owned()
        };
        let mut header = aws_header();
        header["crit"]
            .as_array_mut()
            .unwrap()
            .retain(|name| name != "io.cncf.notary.verificationPlugin");
        assert_eq!(
            message(&header),
            "expected the attribute io.cncf.notary.verificationPlugin marked critical, found it optional"
        );
        header
            .as_object_mut()
            .unwrap()
            .remove("io.cncf.notary.verificationPlugin");
        assert_eq!(
            message(&header),
            "the signature holds the critical attribute \"com.amazonaws.signer.signingJob\", which is not supported"
        );
    }

    #[test]
    fn timestamps_cose_and_revocation_lists_fail_closed_with_their_name() {
        let issued = chain();
        let mut stores = store("ca:test", &issued);
        stores.insert("tsa:clock".parse().unwrap(), Err(TrustStoreError::Missing));
        let members = |when: &str| {
            json!({"signatureVerification": {"level": "strict", "verifyTimestamp": when},
                "trustStores": ["ca:test", "tsa:clock"], "trustedIdentities": ["*"]})
        };
        let evidence = local(&issued);
        let refused = rejected(judged(&evidence, &policy(&members("always")), &stores, NOW));
        assert_eq!(
            (refused.reason(), refused.message()),
            (
                Reason::Unsupported,
                "its timestamp would have to be verified against the trust store tsa:clock: RFC 3161 timestamps are \
                 not supported yet"
            )
        );
        let later = policy(&members("afterCertExpiry"));
        assert!(is_accepted(&judged(&evidence, &later, &stores, NOW)));

        let cose = Evidence {
            envelope: Envelope::new(EnvelopeFormat::Cose, b"\xd2\x84".to_vec()),
            ..evidence
        };
        let refused = rejected(judged(&cose, &later, &stores, NOW));
        assert_eq!(refused.reason(), Reason::Unsupported);
        assert!(refused.message().contains("COSE"), "{}", refused.message());

        let pointing = chain_with(|index, params| {
            if index == 0 {
                params.crl_distribution_points = vec![rcgen::CrlDistributionPoint {
                    uris: vec!["http://crl.example/x".to_owned()],
                }];
            }
        });
        let strict = simple_policy("strict", "ca:test", SUBJECT);
        let unknown = rejected(judged(
            &local(&pointing),
            &strict,
            &store("ca:test", &pointing),
            NOW,
        ));
        assert_eq!(
            (unknown.reason(), unknown.class(), unknown.message()),
            (
                Reason::RevocationUnknown,
                Class::Unavailable,
                "the certificate \"CN=Test Signer,O=Test,ST=WA,C=US\" names OCSP responders or CRLs, which are not \
                 supported yet"
            )
        );
        let permissive = simple_policy("permissive", "ca:test", SUBJECT);
        assert!(is_accepted(&judged(
            &local(&pointing),
            &permissive,
            &store("ca:test", &pointing),
            NOW
        )));
    }

    #[test]
    fn a_changed_payload_is_not_intact_and_nothing_else_is_judged() {
        let issued = chain();
        let Evidence { manifest, envelope } = local(&issued);
        let text = String::from_utf8(envelope.bytes().to_vec()).unwrap();
        let jws: Value = serde_json::from_str(&text).unwrap();
        let signed = jws["payload"].as_str().unwrap();
        let other = sign(&issued, &local_header(), &payload(&subject(2), &[]));
        let other: Value = serde_json::from_slice(other.envelope.bytes()).unwrap();
        let changed = text.replace(signed, other["payload"].as_str().unwrap());
        let evidence = Evidence {
            manifest,
            envelope: Envelope::new(EnvelopeFormat::Jws, changed.into_bytes()),
        };
        let policy = simple_policy("audit", "ca:test", SUBJECT);
        let outcome = judged(&evidence, &policy, &store("ca:test", &issued), NOW);
        assert_eq!(
            names(&outcome),
            [
                ("integrity", "failed"),
                ("authenticity", "skipped"),
                ("expiry", "skipped"),
                ("authenticTimestamp", "skipped"),
                ("revocation", "skipped")
            ]
        );
        assert_eq!(rejected(outcome).reason(), Reason::Integrity);
    }

    #[test]
    fn a_store_of_the_wrong_type_or_a_stranger_in_the_right_one_changes_nothing() {
        let (issued, other) = (chain(), chain());
        let evidence = local(&issued);
        let alone = simple_policy("strict", "ca:test", SUBJECT);
        let both = policy(&json!({"signatureVerification": {"level": "strict"},
            "trustStores": ["signingAuthority:more", "ca:test"], "trustedIdentities": [SUBJECT]}));
        for root in [&issued, &other] {
            let mut stores = store("ca:test", root);
            let before = essence(&judged(&evidence, &alone, &stores, NOW));
            stores.insert(
                "signingAuthority:more".parse().unwrap(),
                Ok(vec![issued.certificates[2].clone()]),
            );
            assert_eq!(essence(&judged(&evidence, &both, &stores, NOW)), before);
        }
        let mut stores = TrustStore::default();
        let strangers = vec![other.certificates[1].clone(), other.certificates[2].clone()];
        stores.insert("ca:test".parse().unwrap(), Ok(strangers));
        assert!(!is_accepted(&judged(&evidence, &alone, &stores, NOW)));
    }

    const LEVELS: [&str; 3] = ["audit", "permissive", "strict"];
    const MOMENTS: [&str; 5] = [
        "2019-06-01T00:00:00Z",
        "2024-06-01T00:00:00Z",
        "2029-12-31T23:59:59Z",
        "2030-01-01T00:00:00Z",
        "2041-01-01T00:00:00Z",
    ];

    /// Every combination of what a judgement depends on, small enough to try them all.
    fn every_case(mut each: impl FnMut(&Evidence, &str, &TrustStore, &str, &str)) {
        let (issued, other) = (chain(), chain());
        for (evidence, kind, identities) in [
            (
                local(&issued),
                "ca:test",
                [SUBJECT, "x509.subject: C=US, ST=WA, O=Else"],
            ),
            (
                aws(&issued),
                "signingAuthority:test",
                [PROFILE, "arn:aws:signer:x:1:/signing-profiles/other"],
            ),
        ] {
            for root in [&issued, &other] {
                for identity in identities {
                    for now in MOMENTS {
                        each(&evidence, kind, &store(kind, root), identity, now);
                    }
                }
            }
        }
    }

    #[test]
    fn a_higher_level_never_accepts_more_and_logging_never_accepts_less() {
        every_case(|evidence, kind, store, identity, now| {
            let at = |verification: Value| {
                let members = json!({"signatureVerification": verification, "trustStores": [kind],
                    "trustedIdentities": [identity]});
                let pending = examine(
                    evidence,
                    &subject(1),
                    &policy(&members),
                    store,
                    &Requirements::default(),
                    time(now),
                );
                is_accepted(&pending.conclude(&BTreeMap::from([(0, RevocationAnswer::Good)])))
            };
            let accepted = LEVELS.map(|level| at(json!({"level": level})));
            assert!(
                accepted.is_sorted_by(|lower, higher| *lower || !*higher),
                "{accepted:?}"
            );
            for (level, before) in LEVELS.into_iter().zip(accepted) {
                for kind in ["authenticity", "authenticTimestamp", "expiry", "revocation"] {
                    let logged = at(json!({"level": level, "override": {kind: "log"}}));
                    assert!(logged || !before, "{level} {kind}");
                }
            }
        });
    }

    #[test]
    fn time_that_passes_only_turns_acceptance_into_refusal() {
        every_case(|evidence, kind, store, identity, _| {
            let policy = simple_policy("strict", kind, identity);
            let accepted = MOMENTS[1..].iter().map(|now| {
                let pending = examine(
                    evidence,
                    &subject(1),
                    &policy,
                    store,
                    &Requirements::default(),
                    time(now),
                );
                is_accepted(&pending.conclude(&BTreeMap::from([(0, RevocationAnswer::Good)])))
            });
            let accepted: Vec<bool> = accepted.collect();
            assert!(
                accepted.is_sorted_by(|earlier, later| *earlier || !*later),
                "{accepted:?}"
            );
        });
    }

    #[test]
    fn a_signing_authoritys_certificates_count_at_its_time_and_not_now() {
        let brief = chain_with(|index, params| {
            if index == 0 {
                params.not_before = rcgen::date_time_ymd(2024, 5, 31);
                params.not_after = rcgen::date_time_ymd(2024, 6, 1);
            }
        });
        let outcome = |evidence: &Evidence, kind: &str, identity: &str| {
            let policy = simple_policy("strict", kind, identity);
            let (requirements, store) = (Requirements::default(), store(kind, &brief));
            examine(evidence, &subject(1), &policy, &store, &requirements, time(NOW))
                .conclude(&BTreeMap::from([(0, RevocationAnswer::Good)]))
        };
        assert!(is_accepted(&outcome(&aws(&brief), "signingAuthority:x", PROFILE)));
        let refused = rejected(outcome(&local(&brief), "ca:x", SUBJECT));
        assert_eq!(refused.reason(), Reason::Expired);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn order_means_nothing(
            stores in Just(vec!["ca:test", "ca:more", "signingAuthority:x", "tsa:y"]).prop_shuffle(),
            identities in Just(vec![SUBJECT, "x509.subject: C=US, ST=WA, O=Else", "arn:x"]).prop_shuffle(),
            swapped in any::<bool>(),
        ) {
            let (issued, other) = (chain(), chain());
            let mut certificates = vec![issued.certificates[2].clone(), other.certificates[2].clone()];
            if swapped {
                certificates.reverse();
            }
            let mut store = TrustStore::default();
            store.insert("ca:test".parse().unwrap(), Ok(certificates));
            store.insert("ca:more".parse().unwrap(), Ok(vec![other.certificates[1].clone()]));
            let policy = policy(&json!({
                "signatureVerification": {"level": "strict", "verifyTimestamp": "afterCertExpiry"},
                "trustStores": stores, "trustedIdentities": identities,
            }));
            let outcome = judged(&local(&issued), &policy, &store, NOW);
            prop_assert!(is_accepted(&outcome), "{outcome:?}");
        }

        #[test]
        fn any_flipped_bit_of_an_envelope_is_no_longer_accepted(at in any::<prop::sample::Index>(), bit in 0..8u8) {
            let issued = chain();
            let evidence = local(&issued);
            let mut bytes = evidence.envelope.bytes().to_vec();
            let index = at.index(bytes.len());
            bytes[index] ^= 1 << bit;
            let changed = Evidence {
                envelope: Envelope::new(EnvelopeFormat::Jws, bytes),
                ..evidence
            };
            let policy = simple_policy("strict", "ca:test", SUBJECT);
            let outcome = judged(&changed, &policy, &store("ca:test", &issued), NOW);
            prop_assert!(!is_accepted(&outcome), "byte {index}");
        }
    }
}
