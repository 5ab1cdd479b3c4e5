//! What AWS `CodeBuild` itself recorded of a build.
//!
//! Sources: AWS `CodeBuild` API reference, `BatchGetBuilds`, "Common Errors".

use super::Aws;
use super::answer::{Kind, Problem, ServiceError};
use super::json_service::JsonOperation;
use super::regions::Region;
use crate::base::arn::Arn;
use crate::base::failure::{Class, Classified, in_full};
use crate::base::foreign::{Foreign, quote};
use crate::domain::provenance::BuildRecord;

/// What the service is called in ARNs, signatures and host names.
const NAME: &str = "codebuild";

/// The operation (AWS `CodeBuild` API, service model).
const BATCH_GET_BUILDS: JsonOperation = JsonOperation {
    service: "AWS CodeBuild",
    signed_as: NAME,
    name: "BatchGetBuilds",
    target: "CodeBuild_20161006.BatchGetBuilds",
    address,
};

/// Attempts (ours): the record is worth little waiting, since a run does without.
const ATTEMPTS: u32 = 3;

/// Why there is no record of a build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The name is none of a build.
    #[error("expected the ARN of a build, found {}", .0.quote())]
    Name(Foreign),
    /// The service has no such record in the account that asks.
    #[error("CodeBuild knows no build {} in the account of this role", quote(.0))]
    Unknown(String),
    /// The role may not read it.
    #[error("the role may not do codebuild:BatchGetBuilds on {}", quote(project))]
    Refused {
        /// The project, as IAM names it.
        project: String,
        /// What the service said.
        #[source]
        error: ServiceError,
    },
    /// The service did not answer well.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The build is over, so it is not this one.
    #[error("CODEBUILD_BUILD_ARN: expected a build that is running, as this one is, found one that is {}", .0.quote())]
    Over(Foreign),
}

impl RecordError {
    /// Whether nobody spoke for the build or against it.
    pub const fn is_silence(&self) -> bool {
        !matches!(self, Self::Over(_))
    }
}

impl Classified for RecordError {
    fn class(&self) -> Class {
        match self {
            Self::Name(_) => Class::Usage,
            Self::Unknown(_) => Class::Missing,
            Self::Refused { .. } | Self::Over(_) => Class::Refused,
            Self::Service(_) => Class::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        matches!(self, Self::Over(_)).then(|| {
            "nothing was signed; find out which command of the build sets the variable before trusting this build again"
                .to_owned()
        })
    }
}

/// Asks `CodeBuild`.
#[derive(Clone, Debug)]
pub struct BuildRecords {
    aws: Aws,
}

/// A build, as the service wants to be asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Build {
    arn: String,
    region: Region,
    /// `NAME:ID`.
    id: String,
    project: String,
}

impl Build {
    fn of(arn: &str) -> Option<Self> {
        let parsed: Arn = arn.parse().ok().filter(|arn: &Arn| arn.service == NAME)?;
        let (before, id) = arn.split_once(":build/")?;
        let (name, _) = id.rsplit_once(':')?;
        Some(Self {
            arn: arn.to_owned(),
            region: Region::of_arn(&parsed).ok()?,
            project: format!("{before}:project/{name}"),
            id: id.to_owned(),
        })
    }
}

impl BuildRecords {
    pub(super) fn new(aws: Aws) -> Self {
        Self { aws }
    }

    /// The record of a running build. Asked of the build's own region, as the identity of the run.
    ///
    /// # Errors
    /// [`RecordError`].
    pub async fn of(&self, arn: &str) -> Result<BuildRecord, RecordError> {
        let build = Build::of(arn).ok_or_else(|| RecordError::Name(Foreign::new(arn)))?;
        let dial = &self.aws.dial;
        let line = dial.line(NAME, &build.region, dial.endpoints.codebuild.as_ref(), ATTEMPTS);
        let body = serde_json::json!({ "ids": [build.id] });
        let answer = self.aws.ask(BATCH_GET_BUILDS, &line, &body).await;
        let answer = answer.map_err(|error| match error.problem.kind() {
            Kind::Refused if is_denial(&error.problem) => RecordError::Refused {
                project: build.project.clone(),
                error,
            },
            _ => RecordError::Service(error),
        })?;
        // Of a good answer only the record's own members are kept.
        let record = BuildRecord::find(&answer, arn).map_err(|error| {
            let what = format!("record that can be read ({})", in_full(&error));
            ServiceError::lacking(BATCH_GET_BUILDS.service, BATCH_GET_BUILDS.name, &what)
        })?;
        let record = record.ok_or(RecordError::Unknown(build.id))?;
        if record.is_running() {
            Ok(record)
        } else {
            Err(RecordError::Over(Foreign::new(record.status())))
        }
    }
}

/// The service's public address (`CodeBuild`'s endpoint rules in the AWS SDKs).
fn address(region: &Region, fips: bool, dual_stack: bool) -> String {
    let fips = if fips { "-fips" } else { "" };
    let domain = region.partition().domain(dual_stack);
    format!("https://{NAME}{fips}.{region}.{domain}")
}

fn is_denial(problem: &Problem) -> bool {
    problem
        .code()
        .is_some_and(|code| code.starts_with("AccessDenied"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_asked_for_where_it_runs() {
        let build = Build::of("arn:aws-us-gov:codebuild:us-gov-west-1:111122223333:build/web:8d1f").unwrap();
        assert_eq!(build.id, "web:8d1f");
        assert_eq!(
            build.project,
            "arn:aws-us-gov:codebuild:us-gov-west-1:111122223333:project/web"
        );
        let address = |fips, dual| address(&build.region, fips, dual);
        assert_eq!(
            address(false, false),
            "https://codebuild.us-gov-west-1.amazonaws.com"
        );
        assert_eq!(
            address(true, true),
            "https://codebuild-fips.us-gov-west-1.api.aws"
        );
        for other in [
            "",
            "web:8d1f",
            "arn:aws:codebuild:eu-west-1:111122223333:build/web",
            "arn:aws:codebuild:eu-west-1:111122223333:project/web",
            "arn:aws:signer:eu-west-1:111122223333:build/web:8d1f",
            "arn:aws:codebuild:cn-north-1:111122223333:build/web:8d1f",
            "arn:aws:codebuild:e.example/:111122223333:build/web:8d1f",
        ] {
            assert_eq!(Build::of(other), None, "{other}");
        }
    }
}
