//! What the AWS Signer plugin for Notation judges, judged here: signatures by AWS Signer name that plugin as the one
//! to verify them, and the specification lets a verifier do the equivalent itself (trust store and trust policy
//! specification, "Extended Validation"; AWS Signer developer guide, "Notation plugin").

use super::identity::TrustedIdentity;
use super::verifier::Claims;
use crate::base::arn::Arn;
use crate::base::foreign::Foreign;
use crate::base::time::Timestamp;
use crate::domain::notary::SigningScheme;
use crate::domain::notary::names::{AWS_JOB, AWS_PROFILE_VERSION};

/// `platformId` of signatures in Notary Project form (AWS Signer API reference, `GetRevocationStatus`).
pub const PLATFORM: &str = "Notation-OCI-SHA384-ECDSA";

/// Why a signature that names the AWS Signer plugin cannot be judged by its rules; no level of a policy excuses it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AwsRefusal {
    /// Another scheme than that of a signing authority.
    #[error("AWS Signer signs with the scheme notary.x509.signingAuthority, found notary.x509")]
    Scheme,
    /// No authentic signing time.
    #[error("AWS Signer states an authentic signing time, found none")]
    AuthenticTime,
    /// An attribute that is absent or not text.
    #[error("AWS Signer states the attribute {0} as text, found none")]
    Attribute(&'static str),
    /// The identity `*`.
    #[error(
        "a policy for signatures by AWS Signer names signing profiles, found the identity \"*\", which would trust \
         the profiles of every AWS account"
    )]
    Wildcard,
}

/// What AWS Signer states in a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsSignature {
    /// The profile version ARN, as stated.
    pub profile_version: String,
    /// The signing job ARN, where it is stated.
    pub job: Option<String>,
    /// The authentic signing time.
    pub signed_at: Timestamp,
}

impl AwsSignature {
    /// Reads what AWS Signer states.
    ///
    /// # Errors
    /// [`AwsRefusal`] where the signature cannot be one by AWS Signer.
    pub fn read(claims: Claims<'_>, with_job: bool) -> Result<Self, AwsRefusal> {
        let text = |name| claims.text(name).map(str::to_owned);
        if claims.scheme != SigningScheme::SigningAuthority {
            return Err(AwsRefusal::Scheme);
        }
        let signed_at = claims.authentic_signing_time.ok_or(AwsRefusal::AuthenticTime)?;
        let job = text(AWS_JOB);
        if with_job && job.is_none() {
            return Err(AwsRefusal::Attribute(AWS_JOB));
        }
        Ok(Self {
            profile_version: text(AWS_PROFILE_VERSION).ok_or(AwsRefusal::Attribute(AWS_PROFILE_VERSION))?,
            job,
            signed_at,
        })
    }

    /// The first of a policy's identities that this signature's profile matches: a profile ARN matches each of its
    /// versions, a profile version ARN itself alone. Letters match in either case, `*` inside an ARN matches nothing.
    ///
    /// # Errors
    /// [`AwsRefusal::Wildcard`] when the policy trusts anyone.
    pub fn trusted_by<'a>(
        &self,
        identities: &'a [TrustedIdentity],
    ) -> Result<Option<&'a TrustedIdentity>, AwsRefusal> {
        if identities.contains(&TrustedIdentity::Any) {
            return Err(AwsRefusal::Wildcard);
        }
        Ok(identities.iter().find(|identity| match identity {
            TrustedIdentity::Other(text) => self.is_by(text),
            TrustedIdentity::Any | TrustedIdentity::Subject(_) => false,
        }))
    }

    fn is_by(&self, identity: &str) -> bool {
        let Ok(arn) = identity.parse::<Arn>() else {
            return false;
        };
        if arn.service != "signer" || !arn.resource.starts_with("/signing-profiles/") {
            return false;
        }
        match arn.resource.split('/').count() {
            3 => {
                let profile = self.profile_version.rsplit_once('/');
                profile.is_some_and(|(profile, _)| profile.eq_ignore_ascii_case(identity))
            }
            4 => self.profile_version.eq_ignore_ascii_case(identity),
            _ => false,
        }
    }
}

/// What `GetRevocationStatus` revoked: ARNs of jobs and profiles first, then hashes of certificates, which is whatever
/// does not begin like an ARN.
pub fn by_kind(entities: &[Foreign]) -> (Vec<&Foreign>, Vec<&Foreign>) {
    entities
        .iter()
        .partition(|entity| entity.raw().starts_with("arn"))
}

/// What `GetRevocationStatus` revoked, in a sentence.
pub fn revoked(entities: &[Foreign]) -> String {
    let (resources, certificates) = by_kind(entities);
    let resources: Vec<String> = resources.into_iter().map(plain).collect();
    let mut sentences = Vec::new();
    if !resources.is_empty() {
        sentences.push(format!(
            "AWS Signer says that {} was revoked",
            resources.join(" and ")
        ));
    }
    match certificates.len() {
        0 if sentences.is_empty() => {
            sentences.push("AWS Signer says that it was revoked".to_owned());
        }
        0 => {}
        1 => sentences.push("AWS Signer says that a certificate of the chain was revoked".to_owned()),
        n => sentences.push(format!(
            "AWS Signer says that {n} certificates of the chain were revoked"
        )),
    }
    sentences.join("; ")
}

/// An ARN of harmless characters as it is, anything else quoted.
fn plain(text: &Foreign) -> String {
    let harmless = |b: u8| b.is_ascii_alphanumeric() || b"-_./:".contains(&b);
    if text.raw().len() <= 256 && text.raw().bytes().all(harmless) {
        text.raw().to_owned()
    } else {
        text.quote().to_string()
    }
}

/// What an error code of the AWS Signer API says about trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The request names something that is not there or does not fit, as a signature of another partition.
    Invalid,
    /// Too many requests.
    Throttled,
    /// A permission is lacking (`signer:GetRevocationStatus`).
    Denied,
    /// Anything else.
    Other,
}

impl Fault {
    /// Classifies an error code (AWS Signer API reference, "Errors" of `GetRevocationStatus` and `SignPayload`).
    pub fn of(code: &str) -> Self {
        match code {
            "NotFoundException"
            | "ResourceNotFoundException"
            | "ValidationException"
            | "BadRequestException" => Self::Invalid,
            "ThrottlingException" | "TooManyRequestsException" => Self::Throttled,
            "AccessDeniedException" => Self::Denied,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VERSION: &str = "arn:aws:signer:us-west-2:111122223333:/signing-profiles/release/OF8IVUsPJq";

    fn trusted(identity: &str) -> bool {
        let signature = AwsSignature {
            profile_version: VERSION.to_owned(),
            job: None,
            signed_at: Timestamp::from_unix(0),
        };
        let identities = [TrustedIdentity::Other(identity.to_owned())];
        signature.trusted_by(&identities).unwrap().is_some()
    }

    #[test]
    fn a_profile_matches_its_versions_and_a_version_itself() {
        assert!(trusted(
            "arn:aws:signer:us-west-2:111122223333:/signing-profiles/release"
        ));
        assert!(trusted(VERSION));
        assert!(trusted(
            "arn:AWS:signer:us-west-2:111122223333:/signing-profiles/RELEASE"
        ));
        for other in [
            "arn:aws:signer:us-west-2:111122223333:/signing-profiles/releas",
            "arn:aws:signer:us-west-2:111122223333:/signing-profiles/release/",
            "arn:aws:signer:us-west-2:111122223333:/signing-profiles/release/AAAAAAAAAA",
            "arn:aws:signer:us-west-2:111122223333:/signing-profiles/release/OF8IVUsPJq/x",
            "arn:aws:signer:us-west-2:111122223333:/signing-profiles/*",
            "arn:aws:signer:us-west-2:111122223333:/Signing-Profiles/release",
            "arn:aws:signer:us-west-2:999999999999:/signing-profiles/release",
            "arn:aws-cn:signer:us-west-2:111122223333:/signing-profiles/release",
            "arn:aws:SIGNER:us-west-2:111122223333:/signing-profiles/release",
            "arn:aws:signer:us-west-2:111122223333:/signing-jobs/release",
            "*",
        ] {
            assert!(!trusted(other), "{other}");
        }
    }

    #[test]
    fn revoked_things_are_named_and_neutral() {
        let revoked = |entities: &[&str]| {
            let entities: Vec<Foreign> = entities.iter().map(Foreign::new).collect();
            super::revoked(&entities)
        };
        assert_eq!(
            revoked(&["arn:aws:signer:x:1:/signing-jobs/a", "00ff"]),
            "AWS Signer says that arn:aws:signer:x:1:/signing-jobs/a was revoked; AWS Signer says that a certificate \
             of the chain was revoked"
        );
        assert_eq!(
            revoked(&["arn\n##[error]"]),
            "AWS Signer says that \"arn\\n##[error]\" was revoked"
        );
        assert_eq!(
            revoked(&["a", "b"]),
            "AWS Signer says that 2 certificates of the chain were revoked"
        );
        assert_eq!(revoked(&[]), "AWS Signer says that it was revoked");
    }

    #[test]
    fn faults_say_whether_trying_again_helps() {
        assert_eq!(Fault::of("TooManyRequestsException"), Fault::Throttled);
        assert_eq!(Fault::of("AccessDeniedException"), Fault::Denied);
        assert_eq!(Fault::of("ValidationException"), Fault::Invalid);
        assert_eq!(Fault::of("InternalServiceErrorException"), Fault::Other);
    }

    proptest! {
        #[test]
        fn only_the_profile_itself_is_trusted(text in "\\PC{0,40}") {
            let identity = format!("arn:aws:signer:us-west-2:111122223333:/signing-profiles/{text}");
            let expected = text.eq_ignore_ascii_case("release") || text.eq_ignore_ascii_case("release/OF8IVUsPJq");
            prop_assert_eq!(trusted(&identity), expected);
        }
    }
}
