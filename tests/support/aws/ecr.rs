//! The ECR API (AWS JSON 1.1): registry logins.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::http::{Request, Response, Service};
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

impl Service for Ecr {
    fn name(&self) -> &'static str {
        "ecr"
    }

    fn operation(&self, request: &Request) -> &'static str {
        match request.header("x-amz-target").strip_prefix(TARGET) {
            Some("GetAuthorizationToken") => "GetAuthorizationToken",
            _ => "other",
        }
    }

    fn answer(&self, request: &Request) -> Response {
        let answer = match self.operation(request) {
            "GetAuthorizationToken" => self.login(request),
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
