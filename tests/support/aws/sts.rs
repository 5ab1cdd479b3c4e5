//! STS (AWS query protocol): roles by token, roles by role, and who one is.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::http::{Request, Response, Service};
use super::{ACCOUNT, AwsError, CANARY, Cloud, identified, is_like, sigv4};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// A role and who may assume it.
#[derive(Clone, Debug)]
pub struct Role {
    /// Subjects of tokens, as `StringLike` has them.
    pub subjects: Vec<String>,
    /// Roles that may assume it.
    pub roles: Vec<String>,
    /// The word that `AssumeRole` must bring.
    pub external_id: Option<String>,
    /// The longest session, in seconds.
    pub longest: u64,
}

impl Role {
    /// A role for tokens.
    pub fn for_subjects(subjects: &[&str]) -> Self {
        Self {
            subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
            roles: Vec::new(),
            external_id: None,
            longest: 3_600,
        }
    }

    /// A role for another role.
    pub fn for_role(role: &str, external_id: Option<&str>) -> Self {
        Self {
            subjects: Vec::new(),
            roles: vec![role.to_owned()],
            external_id: external_id.map(str::to_owned),
            longest: 3_600,
        }
    }
}

pub(super) struct Sts(pub(super) Arc<Cloud>);

/// The members of a form.
struct Form(BTreeMap<String, String>);

impl Form {
    fn read(request: &Request) -> Self {
        Self(url::form_urlencoded::parse(&request.body).into_owned().collect())
    }

    fn text(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }
}

impl Sts {
    fn with_token(&self, form: &Form) -> Result<String, AwsError> {
        let cloud = &self.0;
        let claims = self.claims(form.text("WebIdentityToken"))?;
        let subject = claims["sub"].as_str().unwrap_or_default();
        let role = form.text("RoleArn");
        let trusted = cloud.state().roles.get(role).cloned();
        let trusted = trusted.filter(|known| known.subjects.iter().any(|pattern| is_like(pattern, subject)));
        let trusted = trusted.ok_or_else(|| {
            AwsError::new(
                403,
                "AccessDenied",
                "Not authorized to perform sts:AssumeRoleWithWebIdentity",
            )
        })?;
        let session = self.session(form, role, trusted.longest)?;
        let audience = claims["aud"].as_str().unwrap_or_default();
        let issuer = claims["iss"].as_str().unwrap_or_default();
        Ok(format!(
            "<SubjectFromWebIdentityToken>{}</SubjectFromWebIdentityToken><Audience>{}</Audience>{session}<Provider>{}</Provider>",
            escape(subject),
            escape(audience),
            escape(&format!(
                "arn:aws:iam::{ACCOUNT}:oidc-provider/{}",
                issuer.split("://").last().unwrap_or_default()
            )),
        ))
    }

    /// Checks a token as STS does: provider, signature, audience, time.
    fn claims(&self, token: &str) -> Result<Value, AwsError> {
        let invalid = |message: &str| AwsError::new(400, "InvalidIdentityToken", message);
        if !(4..=20_000).contains(&token.len()) {
            return Err(AwsError::new(
                400,
                "ValidationError",
                "1 validation error detected: Value at 'webIdentityToken' failed to satisfy constraint",
            ));
        }
        let claims = self.0.issuer.verify(token);
        let claims = claims.ok_or_else(|| invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"))?;
        let issuer = claims["iss"].as_str().unwrap_or_default();
        let audiences = self.0.state().providers.get(issuer).cloned().ok_or_else(|| {
            invalid(&format!(
                "No OpenIDConnect provider found in your account for {issuer}"
            ))
        })?;
        if !audiences
            .iter()
            .any(|audience| claims["aud"] == audience.as_str())
        {
            return Err(invalid("Incorrect token audience"));
        }
        let (now, until) = (self.0.now(), claims["exp"].as_i64().unwrap_or_default());
        if until <= now {
            let message = "Token expired: current date/time must be before the expiration date/time";
            return Err(AwsError::new(400, "ExpiredTokenException", message));
        }
        Ok(claims)
    }

    fn by_role(&self, form: &Form, request: &Request) -> Result<String, AwsError> {
        let known = sigv4::check(&self.0, request, "sts")?;
        let role = form.text("RoleArn");
        let denied = || {
            let message = format!(
                "User: {} is not authorized to perform: sts:AssumeRole on resource: {role}",
                known.arn
            );
            AwsError::new(403, "AccessDenied", message)
        };
        let trusted = self.0.state().roles.get(role).cloned().ok_or_else(denied)?;
        let caller = role_of(&known.arn);
        let knows_word = trusted.external_id.as_deref().unwrap_or_default() == form.text("ExternalId");
        if !trusted.roles.contains(&caller) || !knows_word {
            return Err(denied());
        }
        if form
            .text("DurationSeconds")
            .parse::<u64>()
            .is_ok_and(|seconds| seconds > 3_600)
        {
            return Err(AwsError::new(
                400,
                "ValidationError",
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
            ));
        }
        self.session(form, role, trusted.longest)
    }

    fn caller(&self, request: &Request) -> Result<String, AwsError> {
        let known = sigv4::check(&self.0, request, "sts")?;
        let account = known.arn.split(':').nth(4).unwrap_or_default();
        Ok(format!(
            "<Arn>{}</Arn><UserId>AROAX:session</UserId><Account>{account}</Account>",
            escape(&known.arn)
        ))
    }

    /// Issues credentials for a role.
    fn session(&self, form: &Form, role: &str, longest: u64) -> Result<String, AwsError> {
        let cloud = &self.0;
        let name = form.text("RoleSessionName");
        let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        if !(2..=64).contains(&name.len()) || !name.chars().all(fits) {
            return Err(AwsError::new(
                400,
                "ValidationError",
                "1 validation error detected: Value at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*",
            ));
        }
        let seconds = match form.text("DurationSeconds") {
            "" => 3_600,
            text => text.parse().unwrap_or(0),
        };
        if !(900..=43_200).contains(&seconds) {
            return Err(AwsError::new(
                400,
                "ValidationError",
                "1 validation error detected: Value at 'durationSeconds' failed to satisfy constraint",
            ));
        }
        if seconds > longest {
            return Err(AwsError::new(
                400,
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            ));
        }
        let number = cloud.next();
        let (key, secret, token) = (
            format!("ASIAX{number:015}"),
            format!("{CANARY}/secret/{number}"),
            format!("{CANARY}+session+{number}=="),
        );
        let account = role.split(':').nth(4).unwrap_or_default();
        let arn = format!(
            "arn:aws:sts::{account}:assumed-role/{}/{name}",
            role.rsplit('/').next().unwrap_or_default()
        );
        let expires = cloud.now() + i64::try_from(seconds).unwrap_or_default();
        let known = sigv4::Known {
            secret: secret.clone(),
            session: Some(token.clone()),
            expires,
            arn: arn.clone(),
        };
        cloud.state().credentials.insert(key.clone(), known);
        let until = OffsetDateTime::from_unix_timestamp(expires)
            .unwrap()
            .format(&Rfc3339)
            .unwrap();
        Ok(format!(
            "<AssumedRoleUser><AssumedRoleId>AROAX:{name}</AssumedRoleId><Arn>{arn}</Arn></AssumedRoleUser><Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken><Expiration>{until}</Expiration></Credentials><PackedPolicySize>6</PackedPolicySize>"
        ))
    }
}

/// The role behind a session: `arn:aws:sts::A:assumed-role/NAME/SESSION` is of `arn:aws:iam::A:role/NAME`.
fn role_of(session: &str) -> String {
    let account = session.split(':').nth(4).unwrap_or_default();
    let name = session.split('/').nth(1).unwrap_or_default();
    format!("arn:aws:iam::{account}:role/{name}")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

impl Service for Sts {
    fn name(&self) -> &'static str {
        "sts"
    }

    fn operation(&self, request: &Request) -> &'static str {
        match Form::read(request).text("Action") {
            "AssumeRoleWithWebIdentity" => "AssumeRoleWithWebIdentity",
            "AssumeRole" => "AssumeRole",
            "GetCallerIdentity" => "GetCallerIdentity",
            _ => "other",
        }
    }

    fn answer(&self, request: &Request) -> Response {
        let (form, operation) = (Form::read(request), self.operation(request));
        let answer = match operation {
            "AssumeRoleWithWebIdentity" => self.with_token(&form),
            "AssumeRole" => self.by_role(&form, request),
            "GetCallerIdentity" => self.caller(request),
            _ => Err(AwsError::new(400, "InvalidAction", "Could not find operation")),
        };
        let id = self.0.uuid();
        let (status, body) = match answer {
            Ok(result) => (
                200,
                format!(
                    "<{operation}Response xmlns=\"{NAMESPACE}\"><{operation}Result>{result}</{operation}Result><ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{operation}Response>"
                ),
            ),
            Err(error) => (error.status, error_body(&error, &id)),
        };
        let response = Response::new(status).with("content-type", "text/xml").body(body);
        identified(response, &self.0)
    }
}

/// An error as the query protocol has it.
pub fn error_body(error: &AwsError, id: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>",
        error.code,
        escape(&error.message)
    )
}
