//! AWS Signer as the signer of a run: one profile, whose every signature is a whole envelope made by the service.
//!
//! What comes back is not believed here: the job opens the envelope and compares it with what was asked.
//!
//! Sources: AWS Signer API reference, `SignPayload` and `GetSigningProfile`; AWS Signer developer guide, "Signing
//! container images"; AWS Signer endpoints and quotas.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_sdk_signer::Client;
use aws_sdk_signer::operation::sign_payload::SignPayloadOutput;
use aws_sdk_signer::types::SigningProfileStatus;
use aws_smithy_types::Blob;
use tokio::sync::OnceCell;

use super::answer::{Kind, Problem, ServiceError};
use super::ecr::chain;
use super::profile::{ProfileError, ProfileName};
use super::regions::Region;
use super::{Aws, PROFILE_ATTEMPTS, SIGN_ATTEMPTS};
use crate::base::arn::{ProfileArn, ProfileVersionArn};
use crate::base::failure::{Class, Classified as _};
use crate::base::foreign::Foreign;
use crate::base::limits::{ENVELOPE_BYTES, SIGNER_PAYLOAD_BYTES};
use crate::base::tree::Value;
use crate::domain::notary::{Envelope, EnvelopeFormat, Expected, IntactEnvelope, Payload, names};
use crate::domain::x509::Certificate;
use crate::edge::pace::{Bucket, Pace};
use crate::seams::{SignError, Signature, Signer, SignerIdentity};

/// The signing platform of container signatures (AWS Signer developer guide, "Signing platforms").
pub const PLATFORM: &str = "Notation-OCI-SHA384-ECDSA";

/// The one payload format that `SignPayload` takes.
const PAYLOAD_FORMAT: &str = "application/vnd.cncf.notary.payload.v1+json";

/// The quota of an account and region (AWS Signer endpoints and quotas: ten a second), with a burst that leaves room
/// for requests that arrive closer together than they were sent.
pub const QUOTA: Pace = Pace {
    per_second: 10.0,
    burst: 8.0,
};

/// How long nobody new asks after a throttled answer: quotas count by the second.
const BACK_OFF: Duration = Duration::from_secs(1);

/// What the messages call the service.
const SERVICE: &str = "AWS Signer";

/// A signing profile of AWS Signer that signs for us.
#[derive(Debug)]
pub struct SigningProfile {
    client: Client,
    diagnosis: Client,
    profile: ProfileArn,
    version: Option<ProfileVersionArn>,
    roots: Vec<Certificate>,
    identity: SignerIdentity,
    account: Option<String>,
    bucket: Bucket,
    throttled: Arc<AtomicU32>,
    found: OnceCell<Option<Diagnosis>>,
}

impl SigningProfile {
    pub(super) async fn open(
        aws: &Aws,
        name: &ProfileName,
        roots: Vec<Certificate>,
    ) -> Result<Self, ProfileError> {
        let profile = match name.arn() {
            Some(arn) => arn.clone(),
            None => complete(aws, &name.to_string()).await?,
        };
        let region = Region::of_arn(profile.arn()).map_err(ProfileError::Region)?;
        let (partition, ours) = (region.partition(), aws.dial.region.partition());
        if !partition.has_signer() {
            return Err(ProfileError::NoSigner(partition));
        }
        if partition != ours {
            return Err(ProfileError::OtherPartition {
                profile: partition,
                ours,
            });
        }
        let endpoint = aws.dial.endpoints.signer.as_ref();
        let line = aws.dial.line("signer", &region, endpoint, SIGN_ATTEMPTS);
        let diagnosis = aws.dial.line("signer", &region, endpoint, PROFILE_ATTEMPTS);
        Ok(Self {
            client: Client::new(&aws.config(&line)),
            diagnosis: Client::new(&aws.config(&diagnosis)),
            bucket: Bucket::new(aws.dial.pace),
            throttled: line.throttled,
            version: name.version().cloned(),
            roots,
            identity: SignerIdentity::Profile(profile.clone()),
            account: aws.identity.known_account().map(str::to_owned),
            profile,
            found: OnceCell::new(),
        })
    }

    /// The profile.
    pub fn profile(&self) -> &ProfileArn {
        &self.profile
    }

    fn error(&self, class: Class, reason: String, hint: Option<String>) -> SignError {
        SignError {
            class,
            signer: self.profile.to_string(),
            reason,
            hint,
        }
    }

    /// Waits for the quota; longer once the service said that others share it, be it while we wait.
    async fn wait_for_turn(&self) {
        loop {
            if self.throttled.swap(0, Ordering::Relaxed) > 0 {
                self.bucket.throttled(BACK_OFF);
            }
            self.bucket.take().await;
            if self.throttled.load(Ordering::Relaxed) == 0 {
                return;
            }
        }
    }

    /// Explains a refusal; asks the service about the profile itself where that may tell more.
    async fn explain(&self, error: &ServiceError) -> SignError {
        let problem = &error.problem;
        let authorization = problem
            .message()
            .is_some_and(|said| said.contains("not authorized to perform"));
        let ask =
            matches!(problem.kind(), Kind::Invalid | Kind::Missing) || (is_denial(problem) && !authorization);
        let found = if ask {
            *self.found.get_or_init(|| self.diagnose()).await
        } else {
            None
        };
        if let Some(found) = found {
            let reason = format!("{}: {}", found.words(), chain(error));
            return self.error(found.class(), reason, Some(found.hint().to_owned()));
        }
        self.error(class_of(problem), chain(error), self.hint(problem))
    }

    /// What the service says about the profile; `None` where it is well or nothing is said.
    async fn diagnose(&self) -> Option<Diagnosis> {
        let request = self.diagnosis.get_signing_profile();
        let request = request.profile_name(self.profile.name());
        let answer = request.profile_owner(&self.profile.arn().account).send().await;
        match answer {
            Ok(answer) => match (answer.status(), answer.platform_id()) {
                (Some(SigningProfileStatus::Canceled), _) => Some(Diagnosis::Canceled),
                (Some(SigningProfileStatus::Revoked), _) => Some(Diagnosis::Revoked),
                (_, Some(platform)) if platform != PLATFORM => Some(Diagnosis::OtherPlatform),
                _ => None,
            },
            Err(error) => {
                let error = ServiceError::of(SERVICE, "GetSigningProfile", &error);
                (error.problem.kind() == Kind::Missing).then_some(Diagnosis::Missing)
            }
        }
    }

    fn hint(&self, problem: &Problem) -> Option<String> {
        if let Problem::Identity(error) = problem {
            return error.hint();
        }
        match problem.kind() {
            Kind::Throttled => Some(
                "the account's quota is 10 SignPayload a second and region, shared by all its jobs; run again, or have it raised"
                    .to_owned(),
            ),
            Kind::Refused if is_denial(problem) => Some(self.permission_hint()),
            Kind::Missing => Some(Diagnosis::Missing.hint().to_owned()),
            Kind::Unavailable if !is_listed(&self.profile.arn().region) => Some(format!(
                "AWS lists no container signing in {}; a profile may be in another region than the registry",
                self.profile.arn().region
            )),
            _ => None,
        }
    }

    fn permission_hint(&self) -> String {
        let profile = &self.profile;
        let mut hint = format!("the role needs signer:SignPayload on {profile}");
        let owner = &profile.arn().account;
        if self.account.as_ref().is_some_and(|account| account != owner) {
            hint.push_str("; the profile is of another account, whose owner must allow it too (signer:AddProfilePermission)");
        }
        hint
    }

    fn read(&self, answer: SignPayloadOutput) -> Result<Signature, SignError> {
        let lacking = |what: &str| {
            let error = ServiceError::lacking(SERVICE, "SignPayload", what);
            self.error(Class::Unavailable, chain(&error), None)
        };
        let bytes = answer.signature.map(Blob::into_inner).unwrap_or_default();
        if bytes.is_empty() {
            return Err(lacking("signature"));
        }
        if bytes.len() > ENVELOPE_BYTES {
            return Err(lacking("signature of less than 1 MiB"));
        }
        let envelope = Envelope::new(EnvelopeFormat::Jws, bytes);
        self.check_version(&envelope)?;
        Ok(Signature {
            envelope,
            annotations: answer.metadata.unwrap_or_default().into_iter().collect(),
        })
    }

    /// Where one version was demanded, the signature must be of it; the request cannot say so.
    fn check_version(&self, envelope: &Envelope) -> Result<(), SignError> {
        let Some(version) = &self.version else {
            return Ok(());
        };
        let found = IntactEnvelope::open(envelope).ok().and_then(|intact| {
            let attribute = intact.attributes().find(names::AWS_PROFILE_VERSION)?;
            Some(attribute.value.clone())
        });
        if found == Some(Value::Text(version.to_string())) {
            return Ok(());
        }
        let found = match &found {
            Some(Value::Text(found)) => Foreign::new(found),
            _ => Foreign::new("nothing"),
        };
        let reason = format!(
            "expected a signature by {version}, found one by {}",
            found.quote()
        );
        let hint = "the profile has another version now; give the profile's ARN, or the new version's";
        Err(self.error(Class::Tampered, reason, Some(hint.to_owned())))
    }
}

/// Completes a bare name by the acting account and the region of the settings.
async fn complete(aws: &Aws, name: &str) -> Result<ProfileArn, ProfileError> {
    let region = &aws.dial.region;
    let account = aws.identity.account().await.map_err(ProfileError::Account)?;
    let partition = region.partition();
    let text = format!("arn:{partition}:signer:{region}:{account}:/signing-profiles/{name}");
    text.parse().map_err(ProfileError::Arn)
}

impl Signer for SigningProfile {
    fn identity(&self) -> &SignerIdentity {
        &self.identity
    }

    fn expected(&self) -> Expected {
        Expected::AwsSigner {
            profile: self.profile.clone(),
            roots: self.roots.clone(),
        }
    }

    async fn sign(&self, payload: &Payload) -> Result<Signature, SignError> {
        let bytes = payload.bytes();
        if bytes.is_empty() || bytes.len() > SIGNER_PAYLOAD_BYTES {
            let found = bytes.len();
            let reason = format!("expected a payload of 1 to {SIGNER_PAYLOAD_BYTES} bytes, found {found}");
            let hint = Some("shorten what metadata puts into the payload".to_owned());
            return Err(self.error(Class::Usage, reason, hint));
        }
        self.wait_for_turn().await;
        let request = self.client.sign_payload();
        let answer = request
            .profile_name(self.profile.name())
            .profile_owner(&self.profile.arn().account)
            .payload(Blob::new(bytes))
            .payload_format(PAYLOAD_FORMAT)
            .send()
            .await;
        match answer {
            Ok(answer) => {
                self.bucket.served();
                self.read(answer)
            }
            Err(error) => Err(self
                .explain(&ServiceError::of(SERVICE, "SignPayload", &error))
                .await),
        }
    }
}

fn is_denial(problem: &Problem) -> bool {
    problem
        .code()
        .is_some_and(|code| code.starts_with("AccessDenied"))
}

fn class_of(problem: &Problem) -> Class {
    if let Problem::Identity(error) = problem {
        return error.class();
    }
    match problem.kind() {
        Kind::Throttled | Kind::Unavailable => Class::Unavailable,
        Kind::Refused | Kind::Expired => Class::Refused,
        Kind::Missing => Class::Missing,
        Kind::Invalid => Class::Usage,
    }
}

/// What is wrong with a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Diagnosis {
    Missing,
    Canceled,
    Revoked,
    OtherPlatform,
}

impl Diagnosis {
    fn class(self) -> Class {
        match self {
            Self::Missing => Class::Missing,
            Self::Canceled | Self::Revoked => Class::Refused,
            Self::OtherPlatform => Class::Usage,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Missing => "there is no such signing profile",
            Self::Canceled => "the signing profile is canceled",
            Self::Revoked => "the signing profile is revoked",
            Self::OtherPlatform => {
                "the signing profile is of another platform than Notation-OCI-SHA384-ECDSA"
            }
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Missing => "see that region, account and name of the signing profile are right",
            Self::Canceled | Self::Revoked => "it never signs again; make a profile of another name",
            Self::OtherPlatform => {
                "make a profile for containers: aws signer put-signing-profile --platform-id Notation-OCI-SHA384-ECDSA"
            }
        }
    }
}

/// The regions that AWS lists for container signing ("AWS Signer endpoints and quotas", 2026); only to explain an
/// address that does not answer, never to refuse one.
const LISTED: [&str; 22] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "af-south-1",
    "ap-east-1",
    "ap-south-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-north-1",
    "eu-south-1",
    "me-south-1",
    "sa-east-1",
    "us-gov-east-1",
    "us-gov-west-1",
];

fn is_listed(region: &str) -> bool {
    LISTED.contains(&region)
}
