//! What AWS `CodeBuild` itself recorded of a build.
//!
//! The service's client would be larger than everything else that is said to AWS together, so this one operation goes
//! through the machine under every client of the SDK, which signs, repeats and times it as it does for theirs
//! (docs/decisions/0028-build-records.md).
//!
//! Sources: AWS `CodeBuild` API reference, `BatchGetBuilds`, "Common Errors"; Smithy 2.0, "AWS JSON 1.1 protocol".

use aws_config::SdkConfig;
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::request_info::RequestInfoInterceptor;
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_runtime::user_agent::{ApiMetadata, UserAgentInterceptor};
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime::client::orchestrator::operation::{Operation, OperationBuilder};
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{AuthSchemeOptionResolverParams, SharedAuthScheme};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::ErrorMetadata;

use super::Aws;
use super::answer::{Kind, Problem, ServiceError};
use super::regions::Region;
use crate::base::arn::Arn;
use crate::base::failure::{Class, Classified, in_full};
use crate::base::foreign::{Foreign, quote};
use crate::base::json;
use crate::base::limits::Bounds;
use crate::domain::provenance::BuildRecord;

/// What the messages call the service.
const SERVICE: &str = "AWS CodeBuild";

/// The operation.
const OPERATION: &str = "BatchGetBuilds";

/// The operation's name on the wire (AWS `CodeBuild` API, service model: `targetPrefix`).
const TARGET: &str = "CodeBuild_20161006.BatchGetBuilds";

/// The media type of AWS JSON 1.1 (Smithy 2.0).
const JSON: &str = "application/x-amz-json-1.1";

/// What the service is called in signatures and host names.
const NAME: &str = "codebuild";

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

/// What the service answered about one build.
#[derive(Debug)]
struct Answer(Option<BuildRecord>);

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
        let answer = self.operation(&build).invoke(build.clone()).await;
        let Answer(record) = answer.map_err(|error| {
            let error = ServiceError::of(SERVICE, OPERATION, &error);
            match error.problem.kind() {
                Kind::Refused if is_denial(&error.problem) => RecordError::Refused {
                    project: build.project.clone(),
                    error,
                },
                _ => RecordError::Service(error),
            }
        })?;
        let record = record.ok_or(RecordError::Unknown(build.id))?;
        if record.is_running() {
            Ok(record)
        } else {
            Err(RecordError::Over(Foreign::new(record.status())))
        }
    }

    fn operation(&self, build: &Build) -> Operation<Build, Answer, ErrorMetadata> {
        let dial = &self.aws.dial;
        let line = dial.line(NAME, &build.region, dial.endpoints.codebuild.as_ref(), ATTEMPTS);
        let url = match line.endpoint {
            Some(endpoint) => endpoint.as_str().to_owned(),
            None => address(&build.region, line.fips, line.dual_stack),
        };
        let arn = build.arn.clone();
        let builder = dialled(Operation::builder(), &self.aws.config(&line));
        builder
            .service_name(NAME)
            .operation_name(OPERATION)
            .endpoint_url(&url)
            .runtime_plugin(signing(&self.aws.config(&line), &build.region))
            .serializer(|build: Build| Ok(request(&build)?))
            .deserializer(move |response| read(response, &arn))
            .build()
    }
}

/// The service's public address (`CodeBuild`'s endpoint rules in the AWS SDKs).
fn address(region: &Region, fips: bool, dual_stack: bool) -> String {
    let fips = if fips { "-fips" } else { "" };
    let domain = region.partition().domain(dual_stack);
    format!("https://{NAME}{fips}.{region}.{domain}")
}

/// How every client of a run is made: connections, retries, deadlines.
fn dialled(mut builder: OperationBuilder, config: &SdkConfig) -> OperationBuilder {
    if let Some(client) = config.http_client() {
        builder = builder.http_client(client);
    }
    if let Some(retry) = config.retry_config() {
        builder = builder.standard_retry(retry);
    }
    if let Some(timeouts) = config.timeout_config() {
        builder = builder.timeout_config(timeouts.clone());
    }
    if let Some(version) = config.behavior_version() {
        builder = builder.behavior_version(version);
    }
    builder
        .retry_classifier(HttpStatusCodeClassifier::default())
        .retry_classifier(TransientErrorClassifier::<ErrorMetadata>::new())
        .retry_classifier(AwsErrorCodeClassifier::<ErrorMetadata>::new())
        .interceptor(RequestInfoInterceptor::new())
        .interceptor(UserAgentInterceptor::new())
}

/// Signature Version 4 as the SDK makes it, by the identity of the run.
fn signing(config: &SdkConfig, region: &Region) -> StaticRuntimePlugin {
    let mut layer = Layer::new("signing");
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    layer.store_put(ApiMetadata::new(NAME, env!("CARGO_PKG_VERSION")));
    layer.store_put(SigV4OperationSigningConfig {
        region: Some(aws_config::Region::new(region.as_str().to_owned()).into()),
        name: Some(NAME.into()),
        ..SigV4OperationSigningConfig::default()
    });
    let mut components = RuntimeComponentsBuilder::new("signing")
        .with_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()))
        .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
        .with_identity_cache(Some(IdentityCache::no_cache()));
    if let Some(credentials) = config.credentials_provider() {
        components = components.with_identity_resolver(SCHEME_ID, credentials);
    }
    StaticRuntimePlugin::new()
        .with_config(layer.freeze())
        .with_runtime_components(components)
}

fn request(build: &Build) -> Result<HttpRequest, aws_smithy_runtime_api::http::HttpError> {
    let body = serde_json::json!({ "ids": [build.id] }).to_string();
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST")?;
    request.set_uri("/")?;
    let headers = request.headers_mut();
    headers.insert("content-type", JSON);
    headers.insert("x-amz-target", TARGET);
    Ok(request)
}

/// Reads an answer; of a good one only the record's own members are kept.
fn read(response: &HttpResponse, arn: &str) -> Result<Answer, OrchestratorError<ErrorMetadata>> {
    let body = response.body().bytes().unwrap_or_default();
    if !response.status().is_success() {
        return Err(OrchestratorError::operation(reported(response, body)));
    }
    let record = BuildRecord::find(body, arn);
    record
        .map(Answer)
        .map_err(|error| OrchestratorError::other(in_full(&error)))
}

/// What an error calls itself and says (Smithy 2.0, "Operation error serialization" of AWS JSON 1.1).
fn reported(response: &HttpResponse, body: &[u8]) -> ErrorMetadata {
    let document = json::read(body, Bounds::SMALL_DOCUMENT).ok();
    let member = |name: &str| {
        let member = document.as_ref()?.cursor().pointer(name)?;
        member.string().ok().map(str::to_owned)
    };
    let header = response.headers().get("x-amzn-errortype").map(str::to_owned);
    let code = header.or_else(|| member("/__type")).or_else(|| member("/code"));
    let mut error = ErrorMetadata::builder();
    if let Some(code) = code {
        let code = code.split(':').next().unwrap_or_default();
        error = error.code(code.rsplit('#').next().unwrap_or_default());
    }
    if let Some(message) = member("/message").or_else(|| member("/Message")) {
        error = error.message(message);
    }
    error.build()
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

    #[test]
    fn errors_are_named_as_the_service_names_them() {
        let error = |body: &str| {
            let response = HttpResponse::new(400.try_into().unwrap(), SdkBody::from(body));
            let error = reported(&response, body.as_bytes());
            (
                error.code().map(str::to_owned),
                error.message().map(str::to_owned),
            )
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            error(r#"{"__type":"com.amazonaws.codebuild#AccessDeniedException","message":"no"}"#),
            (text("AccessDeniedException"), text("no"))
        );
        assert_eq!(
            error(r#"{"__type":"X:http://x/","Message":"no"}"#),
            (text("X"), text("no"))
        );
        assert_eq!(error("<html>"), (None, None));
    }
}
