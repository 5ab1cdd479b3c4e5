//! The ECR API (AWS JSON 1.1): registry logins, many images at once, and when they were pushed.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::http::{Request, Response, Service};
use super::super::registry::Registry;
use super::{ACCOUNT, AwsError, CANARY, Cloud, REGION, identified, sigv4};

const TARGET: &str = "AmazonEC2ContainerRegistry_V20150921.";

/// Hours that a token lives.
const TOKEN_SECONDS: i64 = 12 * 3_600;

pub(super) struct Ecr(pub(super) Arc<Cloud>);

impl Ecr {
    fn login(&self, request: &Request) -> Result<Value, AwsError> {
        let cloud = &self.0;
        let known = sigv4::check(cloud, request, "ecr")?;
        if cloud.state().denied.contains("ecr:GetAuthorizationToken") {
            let message = format!(
                "User: {} is not authorized to perform: ecr:GetAuthorizationToken on resource: * because no identity-based policy allows the ecr:GetAuthorizationToken action",
                known.arn
            );
            return Err(AwsError::new(400, "AccessDeniedException", message));
        }
        let login = format!("AWS:{CANARY}-registry-{}", cloud.next());
        let mut state = cloud.state();
        state.registry_logins.push(login.clone());
        let listeners = state.on_registry_login.clone();
        drop(state);
        for told in &listeners {
            told(&login);
        }
        let expires = cloud.now() + TOKEN_SECONDS;
        Ok(json!({ "authorizationData": [{
            "authorizationToken": STANDARD.encode(login),
            "expiresAt": expires,
            "proxyEndpoint": format!("https://{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"),
        }]}))
    }
}

impl Ecr {
    /// What is asked for, by somebody who may do this.
    fn asked(&self, request: &Request, action: &str) -> Result<Value, AwsError> {
        let known = sigv4::check(&self.0, request, "ecr")?;
        if self.0.state().denied.contains(action) {
            let message = format!("User: {} is not authorized to perform: {action}", known.arn);
            return Err(AwsError::new(400, "AccessDeniedException", message));
        }
        Ok(serde_json::from_slice(&request.body).unwrap())
    }

    /// The registry of an account, if it has this repository.
    fn registry(&self, account: &str, name: &str) -> Result<Arc<Registry>, AwsError> {
        let registry = self.0.state().registries.get(account).cloned();
        registry.filter(|registry| registry.has(name)).ok_or_else(|| {
            let message = format!(
                "The repository with name '{name}' does not exist in the registry with id '{account}'"
            );
            AwsError::new(400, "RepositoryNotFoundException", message)
        })
    }

    /// When images were pushed (`DescribeImages`).
    fn described(&self, request: &Request) -> Result<Value, AwsError> {
        let asked = self.asked(request, "ecr:DescribeImages")?;
        let account = asked["registryId"].as_str().unwrap_or(ACCOUNT);
        let name = asked["repositoryName"].as_str().unwrap_or_default();
        let manifests = self.registry(account, name)?.manifests(name);
        let ids = asked["imageIds"].as_array().cloned().unwrap_or_default();
        let mut images = Vec::new();
        for id in ids {
            let digest = id["imageDigest"].as_str().unwrap_or_default();
            let Some(stored) = manifests.get(digest) else {
                let message = format!("The image with imageId {{imageDigest:'{digest}'}} does not exist");
                return Err(AwsError::new(400, "ImageNotFoundException", message));
            };
            #[expect(
                clippy::cast_precision_loss,
                reason = "AWS writes times as numbers with a fraction"
            )]
            let now = self.0.now() as f64;
            let pushed = self.0.state().pushed.get(digest).copied().unwrap_or(now);
            images.push(json!({
                "registryId": account,
                "repositoryName": name,
                "imageDigest": digest,
                "imageSizeInBytes": stored.bytes.len(),
                "imagePushedAt": pushed,
                "imageManifestMediaType": stored.media_type,
            }));
        }
        Ok(json!({ "imageDetails": images }))
    }

    fn images(&self, request: &Request) -> Result<Value, AwsError> {
        let asked = self.asked(request, "ecr:BatchGetImage")?;
        let ids = asked["imageIds"].as_array().cloned().unwrap_or_default();
        if ids.is_empty() || ids.len() > 100 {
            let message = "Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length less than or equal to 100'";
            return Err(AwsError::new(400, "InvalidParameterException", message));
        }
        let account = asked["registryId"].as_str().unwrap_or(ACCOUNT);
        let name = asked["repositoryName"].as_str().unwrap_or_default();
        let registry = self.registry(account, name)?;
        let (manifests, tags) = (registry.manifests(name), registry.tags(name));
        let (mut images, mut failures) = (Vec::new(), Vec::new());
        for id in ids {
            let digest = match (id["imageDigest"].as_str(), id["imageTag"].as_str()) {
                (Some(digest), _) => Some(digest),
                (None, tag) => tags.get(tag.unwrap_or_default()).map(String::as_str),
            };
            match digest.and_then(|digest| manifests.get(digest)) {
                Some(stored) => images.push(json!({
                    "registryId": account,
                    "repositoryName": name,
                    "imageId": { "imageDigest": digest, "imageTag": id["imageTag"] },
                    "imageManifest": String::from_utf8(stored.bytes.clone()).unwrap(),
                    "imageManifestMediaType": stored.media_type,
                })),
                None => failures.push(json!({
                    "imageId": id, "failureCode": "ImageNotFound", "failureReason": "Requested image not found",
                })),
            }
        }
        Ok(json!({ "images": images, "failures": failures }))
    }
}

impl Service for Ecr {
    fn name(&self) -> &'static str {
        "ecr"
    }

    fn operation(&self, request: &Request) -> &'static str {
        match request.header("x-amz-target").strip_prefix(TARGET) {
            Some("GetAuthorizationToken") => "GetAuthorizationToken",
            Some("BatchGetImage") => "BatchGetImage",
            Some("DescribeImages") => "DescribeImages",
            _ => "other",
        }
    }

    fn answer(&self, request: &Request) -> Response {
        let answer = match self.operation(request) {
            "GetAuthorizationToken" => self.login(request),
            "BatchGetImage" => self.images(request),
            "DescribeImages" => self.described(request),
            _ => Err(AwsError::new(
                400,
                "UnknownOperationException",
                "no such operation here",
            )),
        };
        let response = match answer {
            Ok(body) => Response::json(200, &body),
            Err(error) => Response::json(
                error.status,
                &json!({ "__type": error.code, "message": error.message }),
            ),
        };
        identified(response, &self.0).with("content-type", "application/x-amz-json-1.1")
    }
}
