//! One operation of an AWS service that speaks JSON 1.1, without the service's client.
//!
//! A client brings every shape of its service. Where one member of one answer is wanted, the operation goes through the
//! machine under every client of the SDK instead, which signs, repeats and times it as it does for theirs, and the
//! answer is read as any foreign document (docs/decisions/0028-build-records.md, docs/decisions/0017-size.md).
//!
//! Sources: Smithy 2.0, "AWS JSON 1.1 protocol".

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
use aws_smithy_runtime_api::http::HttpError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::ErrorMetadata;

use super::answer::ServiceError;
use super::regions::Region;
use super::{Aws, Line};
use crate::base::failure::in_full;
use crate::base::json;
use crate::base::limits::Bounds;

/// The media type of AWS JSON 1.1 (Smithy 2.0).
const JSON: &str = "application/x-amz-json-1.1";

/// An operation, as it is named in messages and on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonOperation {
    /// What the messages call the service.
    pub(super) service: &'static str,
    /// What the service is called in signatures.
    pub(super) signed_as: &'static str,
    /// The operation.
    pub(super) name: &'static str,
    /// The header `X-Amz-Target`: the service model's `targetPrefix`, and the operation.
    pub(super) target: &'static str,
    /// Where the service is, with IPv6 and by FIPS 140 where these are wanted.
    pub(super) address: fn(&Region, fips: bool, dual_stack: bool) -> String,
}

impl Aws {
    /// Asks, as the identity of the run; the answer is JSON within bounds, and nothing more is known of it.
    pub(super) async fn ask(
        &self,
        operation: JsonOperation,
        line: &Line<'_>,
        body: &serde_json::Value,
    ) -> Result<Vec<u8>, ServiceError> {
        let url = match line.endpoint {
            Some(endpoint) => endpoint.as_str().to_owned(),
            None => (operation.address)(line.region, line.fips, line.dual_stack),
        };
        let config = self.config(line);
        let machine: Operation<String, Vec<u8>, ErrorMetadata> = dialled(Operation::builder(), &config)
            .service_name(operation.signed_as)
            .operation_name(operation.name)
            .endpoint_url(&url)
            .runtime_plugin(signing(&config, operation.signed_as, line.region))
            .serializer(move |body: String| Ok(request(operation.target, body)?))
            .deserializer(read)
            .build();
        let answer = machine.invoke(body.to_string()).await;
        answer.map_err(|error| ServiceError::of(operation.service, operation.name, &error))
    }
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
fn signing(config: &SdkConfig, name: &'static str, region: &Region) -> StaticRuntimePlugin {
    let mut layer = Layer::new("signing");
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    layer.store_put(ApiMetadata::new(name, env!("CARGO_PKG_VERSION")));
    layer.store_put(SigV4OperationSigningConfig {
        region: Some(aws_config::Region::new(region.as_str().to_owned()).into()),
        name: Some(name.into()),
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

fn request(target: &'static str, body: String) -> Result<HttpRequest, HttpError> {
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST")?;
    request.set_uri("/")?;
    let headers = request.headers_mut();
    headers.insert("content-type", JSON);
    headers.insert("x-amz-target", target);
    Ok(request)
}

/// Reads an answer as far as every service's are alike.
fn read(response: &HttpResponse) -> Result<Vec<u8>, OrchestratorError<ErrorMetadata>> {
    let body = response.body().bytes().unwrap_or_default();
    if !response.status().is_success() {
        return Err(OrchestratorError::operation(reported(response, body)));
    }
    match json::read(body, Bounds::MANIFEST) {
        Ok(_) => Ok(body.to_vec()),
        Err(error) => Err(OrchestratorError::other(in_full(&error))),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

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
