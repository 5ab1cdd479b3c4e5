//! What AWS Signer says was revoked: job, profile version, certificates.
//!
//! The service's data plane is a client of its own: the client of its control plane writes `data-` in front of every
//! host, custom ones included. The region is that of the profile version in the signature, since the answer is the
//! same in every region of a partition and this one is known to have the service.
//!
//! Sources: AWS Signer API reference, `GetRevocationStatus`; AWS Signer developer guide, "Signature revocation".

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use aws_sdk_signerdata::Client;
use aws_sdk_signerdata::operation::RequestId as _;
use aws_smithy_types::DateTime;
use tokio::sync::OnceCell;

use super::answer::{Kind, ServiceError};
use super::ecr::chain;
use super::regions::Region;
use super::signing::PLATFORM;
use super::{Aws, REVOCATION_ATTEMPTS};
use crate::base::arn::ProfileVersionArn;
use crate::base::foreign::{Foreign, quote};
use crate::base::time::Timestamp;
use crate::domain::trust::{RevocationAnswer, RevocationQuestion};
use crate::edge::pace::{Bucket, Pace};
use crate::seams::Revocation;

/// What the messages call the service.
const SERVICE: &str = "AWS Signer";

/// The one operation of the data plane.
const OPERATION: &str = "GetRevocationStatus";

/// The default quota of the operation: a hundred a second (AWS Signer developer guide, "Quotas").
const PACE: Pace = Pace {
    per_second: 100.0,
    burst: 100.0,
};

/// Asks AWS Signer; each question once per run, and no faster than its quota.
#[derive(Debug)]
pub struct SignerRevocation {
    aws: Aws,
    bucket: Bucket,
    clients: RefCell<HashMap<Region, Client>>,
    answers: RefCell<HashMap<RevocationQuestion, Rc<OnceCell<RevocationAnswer>>>>,
}

impl SignerRevocation {
    pub(super) fn new(aws: Aws) -> Self {
        Self {
            aws,
            bucket: Bucket::new(PACE),
            clients: RefCell::default(),
            answers: RefCell::default(),
        }
    }

    fn client(&self, region: &Region) -> Client {
        let mut clients = self.clients.borrow_mut();
        let make = || {
            let endpoint = self.aws.dial.endpoints.signer_data.as_ref();
            let line = self
                .aws
                .dial
                .line("signer-data", region, endpoint, REVOCATION_ATTEMPTS);
            Client::new(&self.aws.config(&line))
        };
        clients.entry(region.clone()).or_insert_with(make).clone()
    }

    async fn ask(&self, question: &RevocationQuestion) -> RevocationAnswer {
        let RevocationQuestion::AwsSigner {
            profile_version,
            job,
            signed_at,
            certificate_hashes,
        } = question;
        let region = match self.region(profile_version) {
            Ok(region) => region,
            Err(reason) => return RevocationAnswer::Unknown(reason),
        };
        self.bucket.take().await;
        let request = self.client(&region).get_revocation_status();
        let answer = request
            .platform_id(PLATFORM)
            .profile_version_arn(profile_version)
            .job_arn(job)
            .signature_timestamp(moment(*signed_at))
            .set_certificate_hashes(Some(certificate_hashes.clone()))
            .send()
            .await;
        match answer {
            Ok(answer) => judge(answer.revoked_entities.as_deref(), answer.request_id()),
            Err(error) => {
                let error = ServiceError::of(SERVICE, OPERATION, &error);
                RevocationAnswer::Unknown(unknown(&error, profile_version))
            }
        }
    }

    /// The region to ask in; a signature of another partition cannot be asked about with our credentials.
    fn region(&self, profile_version: &str) -> Result<Region, String> {
        let version: ProfileVersionArn = profile_version.parse().map_err(|_| {
            format!(
                "the signature names no signing profile version, but {}",
                quote(profile_version)
            )
        })?;
        let region = Region::of_arn(version.profile().arn()).map_err(|error| error.to_string())?;
        let (theirs, ours) = (region.partition(), self.aws.dial.region.partition());
        if theirs == ours {
            Ok(region)
        } else {
            Err(format!(
                "the signature is of the partition {theirs}, the credentials are of {ours}, and revocations are told only within a partition"
            ))
        }
    }
}

/// What a list of revoked entities means. The service's model does not demand the list, so one that is absent is an
/// empty one, but only in an answer that is the service's own: it carries a request id, and says nothing else
/// (the connector sees to that). Anything that merely answers 200 to everything is no witness.
fn judge(revoked: Option<&[String]>, request_id: Option<&str>) -> RevocationAnswer {
    match revoked {
        None if request_id.is_none() => {
            let error = ServiceError::lacking(SERVICE, OPERATION, "revokedEntities and no request id");
            RevocationAnswer::Unknown(chain(&error))
        }
        None | Some([]) => RevocationAnswer::Good,
        Some(revoked) => RevocationAnswer::Revoked(revoked.iter().map(Foreign::new).collect()),
    }
}

/// The moment for the query, in whole seconds: the attribute in the signature has no fraction.
fn moment(at: Timestamp) -> DateTime {
    DateTime::from_secs(at.unix())
}

fn unknown(error: &ServiceError, profile_version: &str) -> String {
    let needs = match error.problem.kind() {
        Kind::Refused
            if error
                .problem
                .code()
                .is_some_and(|code| code.starts_with("AccessDenied")) =>
        {
            format!(
                "; the role needs signer:GetRevocationStatus on {} and on the signing job",
                quote(profile_version)
            )
        }
        _ => String::new(),
    };
    format!("{}{needs}", chain(error))
}

impl Revocation for SignerRevocation {
    async fn answer(&self, question: &RevocationQuestion) -> RevocationAnswer {
        let cell = Rc::clone(self.answers.borrow_mut().entry(question.clone()).or_default());
        cell.get_or_init(|| self.ask(question)).await.clone()
    }
}
