//! `CodeBuild` as far as builds look at their own record (AWS JSON 1.1): `BatchGetBuilds`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::http::{Request, Response, Service};
use super::{ACCOUNT, AwsError, CANARY, Cloud, REGION, identified, sigv4};

const TARGET: &str = "CodeBuild_20161006.";

/// A build that runs: `PROJECT:ID`.
pub const BUILD: &str = "web:8d1fae44-0a5c-4b4e-9c1e-0123456789ab";

/// When it began, seconds since 1970.
pub const BEGAN: f64 = 1_785_578_400.123;

/// The ARN of a build.
pub fn arn(build: &str) -> String {
    format!("arn:aws:codebuild:{REGION}:{ACCOUNT}:build/{build}")
}

/// The record of a running build from a Git repository; its variables hold what nobody may see.
pub fn record(build: &str) -> Value {
    let project = build.split(':').next().unwrap_or_default();
    json!({
        "id": build,
        "arn": arn(build),
        "buildNumber": 7,
        "startTime": BEGAN,
        "currentPhase": "POST_BUILD",
        "buildStatus": "IN_PROGRESS",
        "sourceVersion": "main",
        "resolvedSourceVersion": "0123456789abcdef0123456789abcdef01234567",
        "projectName": project,
        "phases": [{ "phaseType": "SUBMITTED", "phaseStatus": "SUCCEEDED", "startTime": BEGAN, "durationInSeconds": 0 }],
        "source": { "type": "GITHUB", "location": "https://github.com/octo-org/web.git", "gitCloneDepth": 1,
            "buildspec": "", "reportBuildStatus": false, "insecureSsl": false },
        "environment": { "type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL", "privilegedMode": true,
            "environmentVariables": [{ "name": "PASSWORD", "value": CANARY, "type": "PLAINTEXT" }] },
        "serviceRole": format!("arn:aws:iam::{ACCOUNT}:role/codebuild"),
        "timeoutInMinutes": 60,
        "queuedTimeoutInMinutes": 480,
        "buildComplete": false,
        "initiator": "GitHub-Hookshot/1a2b3c4",
        "encryptionKey": format!("arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/s3"),
    })
}

pub(super) struct CodeBuild(pub(super) Arc<Cloud>);

impl CodeBuild {
    fn builds(&self, request: &Request) -> Result<Value, AwsError> {
        let cloud = &self.0;
        let known = sigv4::check(cloud, request, "codebuild")?;
        if !cloud.within_quota("BatchGetBuilds") {
            return Err(AwsError::new(400, "ThrottlingException", "Rate exceeded"));
        }
        let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let Some(ids) = asked["ids"]
            .as_array()
            .filter(|ids| (1..=100).contains(&ids.len()))
        else {
            return Err(AwsError::new(
                400,
                "InvalidInputException",
                "Invalid number of build ids",
            ));
        };
        let state = cloud.state();
        if state.denied.contains("codebuild:BatchGetBuilds") {
            let id = ids[0].as_str().unwrap_or_default();
            let project = id.split(':').next().unwrap_or_default();
            let message = format!(
                "User: {} is not authorized to perform: codebuild:BatchGetBuilds on resource: arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{project} because no identity-based policy allows the codebuild:BatchGetBuilds action",
                known.arn
            );
            return Err(AwsError::new(400, "AccessDeniedException", message));
        }
        let found = |id: &&Value| state.builds.contains_key(id.as_str().unwrap_or_default());
        let (known, unknown): (Vec<&Value>, Vec<&Value>) = ids.iter().partition(found);
        let records = known
            .iter()
            .map(|id| &state.builds[id.as_str().unwrap_or_default()]);
        Ok(json!({ "builds": records.collect::<Vec<_>>(), "buildsNotFound": unknown }))
    }
}

impl Service for CodeBuild {
    fn name(&self) -> &'static str {
        "codebuild"
    }

    fn operation(&self, request: &Request) -> &'static str {
        match request.header("x-amz-target").strip_prefix(TARGET) {
            Some("BatchGetBuilds") => "BatchGetBuilds",
            _ => "other",
        }
    }

    fn answer(&self, request: &Request) -> Response {
        let answer = match self.operation(request) {
            "BatchGetBuilds" => self.builds(request),
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
