//! AWS Signer and its data plane (REST JSON): real envelopes of an authority of our own, and revocations.

use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA384, digest};
use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use der::{Decode as _, Reader as _, SliceReader};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::http::{Request, Response, Service};
use super::super::pki::{Authority, LeafLife, SigningChain};
use super::{ACCOUNT, AwsError, Cloud, REGION, identified, sigv4};

/// The platform of container signatures.
pub const PLATFORM: &str = "Notation-OCI-SHA384-ECDSA";

const PAYLOAD_FORMAT: &str = "application/vnd.cncf.notary.payload.v1+json";

/// A signing profile.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The ten characters of its current version.
    pub version: String,
    /// What it signs for.
    pub platform: String,
    /// `Active`, `Canceled`, `Revoked`.
    pub status: String,
    /// The account that owns it.
    pub owner: String,
    /// The accounts that may sign with it besides.
    pub shared_with: Vec<String>,
}

impl Profile {
    /// A profile of our account that is well.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            platform: PLATFORM.to_owned(),
            status: "Active".to_owned(),
            owner: ACCOUNT.to_owned(),
            shared_with: Vec::new(),
        }
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        format!(
            "arn:aws:signer:{REGION}:{}:/signing-profiles/{}",
            self.owner, self.name
        )
    }

    /// The ARN of its current version.
    pub fn version_arn(&self) -> String {
        format!("{}/{}", self.arn(), self.version)
    }
}

/// How a signature comes out wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is about another digest.
    OtherDigest,
    /// The payload holds more than was asked.
    ExtraPayloadMember,
    /// The payload holds metadata that nobody asked for.
    ExtraMetadata,
    /// The descriptor in the payload holds a member that nobody asked for.
    ExtraDescriptorMember,
    /// It names a profile that was not asked.
    OtherProfile,
    /// It ends in a root nobody knows.
    OtherRoot,
    /// A link of the chain is missing.
    BrokenChain,
    /// The leaf ran out before it signed.
    ExpiredLeaf,
    /// It has a critical attribute nobody knows.
    UnknownCritical,
    /// It names an alias of the profile.
    Alias,
    /// The signature does not fit.
    BadSignature,
    /// The scheme is that of people.
    OtherScheme,
    /// It is no envelope at all.
    NotAnEnvelope,
}

/// One of the two services; either answers the other's routes too, as behind one custom endpoint.
pub(super) struct Signer {
    cloud: Arc<Cloud>,
    name: &'static str,
    chain: Mutex<Option<Arc<SigningChain>>>,
}

impl Signer {
    pub(super) fn control(cloud: Arc<Cloud>) -> Self {
        Self {
            cloud,
            name: "signer",
            chain: Mutex::default(),
        }
    }

    pub(super) fn data(cloud: Arc<Cloud>) -> Self {
        Self {
            cloud,
            name: "signer-data",
            chain: Mutex::default(),
        }
    }

    fn allow(&self, request: &Request, action: &str, resource: &str) -> Result<sigv4::Known, AwsError> {
        let known = sigv4::check(&self.cloud, request, "signer")?;
        if self.cloud.state().denied.contains(action) {
            let message = format!(
                "User: {} is not authorized to perform: {action} on resource: {resource} because no identity-based policy allows the {action} action",
                known.arn
            );
            return Err(AwsError::new(403, "AccessDeniedException", message));
        }
        Ok(known)
    }

    fn profile(&self, owner: &str, name: &str) -> Result<Profile, AwsError> {
        let found = self
            .cloud
            .state()
            .profiles
            .get(&format!("{owner}/{name}"))
            .cloned();
        found.ok_or_else(|| {
            AwsError::new(
                404,
                "ResourceNotFoundException",
                format!("Signing profile {name} not found."),
            )
        })
    }

    fn sign(&self, request: &Request) -> Result<Value, AwsError> {
        let invalid = |message: &str| AwsError::new(400, "ValidationException", message);
        let body: Value =
            serde_json::from_slice(&request.body).map_err(|_| invalid("could not parse the body"))?;
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        let known = sigv4::check(&self.cloud, request, "signer")?;
        let caller = known.arn.split(':').nth(4).unwrap_or_default();
        let owner = if text("profileOwner").is_empty() {
            caller
        } else {
            text("profileOwner")
        };
        let resource = format!(
            "arn:aws:signer:{REGION}:{owner}:/signing-profiles/{}",
            text("profileName")
        );
        self.allow(request, "signer:SignPayload", &resource)?;
        let payload = STANDARD
            .decode(text("payload"))
            .map_err(|_| invalid("payload must be base64"))?;
        if !(1..=4_096).contains(&payload.len()) {
            return Err(invalid(
                "Value at 'payload' failed to satisfy constraint: Member must have length less than or equal to 4096",
            ));
        }
        if text("payloadFormat") != PAYLOAD_FORMAT {
            return Err(invalid("payloadFormat is not supported"));
        }
        let profile = self.profile(owner, text("profileName"))?;
        if caller != profile.owner && !profile.shared_with.iter().any(|account| account == caller) {
            let message = format!(
                "User: {} is not authorized to perform: signer:SignPayload on resource: {resource} because no resource-based policy allows the signer:SignPayload action",
                known.arn
            );
            return Err(AwsError::new(403, "AccessDeniedException", message));
        }
        if profile.status != "Active" {
            return Err(invalid(
                "The signing profile is not in a state in which it can sign.",
            ));
        }
        if profile.platform != PLATFORM {
            return Err(invalid(
                "The signing profile's platform does not support signing payloads.",
            ));
        }
        if !self.cloud.within_quota("SignPayload") {
            return Err(AwsError::new(429, "TooManyRequestsException", "Rate exceeded"));
        }
        Ok(self.signature(&profile, payload, caller))
    }

    fn signature(&self, profile: &Profile, payload: Vec<u8>, caller: &str) -> Value {
        let cloud = &self.cloud;
        let id = cloud.uuid();
        let job = format!("arn:aws:signer:{REGION}:{}:/signing-jobs/{id}", profile.owner);
        cloud.state().jobs.insert(job.clone(), profile.version_arn());
        let flaw = cloud.state().flaw;
        let chain = self.chain(flaw);
        let envelope = envelope(&chain, payload, &profile.version_arn(), &job, cloud.now(), flaw);
        json!({
            "jobId": id,
            "jobOwner": caller,
            "metadata": {
                "com.amazonaws.signer.signingProfileVersion": profile.version_arn(),
                "com.amazonaws.signer.signingJob": job,
            },
            "signature": STANDARD.encode(envelope),
        })
    }

    fn chain(&self, flaw: Option<Flaw>) -> Arc<SigningChain> {
        match flaw {
            Some(Flaw::OtherRoot) => Arc::new(Authority::new(REGION).issue(LeafLife::DAYS)),
            Some(Flaw::ExpiredLeaf) => Arc::new(self.cloud.authority.issue(LeafLife::OVER)),
            Some(Flaw::BrokenChain) => {
                let mut chain = self.cloud.authority.issue(LeafLife::DAYS);
                chain.certificates.remove(1);
                Arc::new(chain)
            }
            _ => {
                let mut chain = self.chain.lock().unwrap();
                Arc::clone(chain.get_or_insert_with(|| Arc::new(self.cloud.authority.issue(LeafLife::DAYS))))
            }
        }
    }

    fn revocations(&self, request: &Request) -> Result<Value, AwsError> {
        let invalid = |message: String| AwsError::new(400, "ValidationException", message);
        let required = |name: &str| {
            request.parameter(name).ok_or_else(|| {
                invalid(format!(
                    "Value null at '{name}' failed to satisfy constraint: Member must not be null"
                ))
            })
        };
        let version = required("profileVersionArn")?;
        self.allow(request, "signer:GetRevocationStatus", &version)?;
        let (job, platform, at) = (
            required("jobArn")?,
            required("platformId")?,
            required("signatureTimestamp")?,
        );
        let at =
            OffsetDateTime::parse(&at, &Rfc3339).map_err(|_| invalid("signatureTimestamp".to_owned()))?;
        let hashes = request.parameters("certificateHashes");
        if hashes.is_empty() || !hashes.iter().all(|hash| is_hash(hash)) {
            return Err(invalid("certificateHashes is malformed".to_owned()));
        }
        if platform != PLATFORM {
            return Err(invalid("platformId is not supported".to_owned()));
        }
        for (arn, kind) in [(&version, "signing-profiles"), (&job, "signing-jobs")] {
            if !arn.starts_with("arn:aws:signer:") || !arn.contains(&format!(":/{kind}/")) {
                return Err(invalid(format!("{arn} is not an ARN of this partition")));
            }
        }
        if !self.cloud.within_quota("GetRevocationStatus") {
            return Err(AwsError::new(429, "TooManyRequestsException", "Rate exceeded"));
        }
        let state = self.cloud.state();
        let mut revoked: Vec<&str> = state
            .revoked_jobs
            .get(&job)
            .map(String::as_str)
            .into_iter()
            .collect();
        if state
            .revoked_profiles
            .get(&version)
            .is_some_and(|from| at.unix_timestamp() >= *from)
        {
            revoked.push(&version);
        }
        let is_revoked = |hash: &&String| state.revoked_certificates.contains(&hash[..96]);
        revoked.extend(hashes.iter().filter(is_revoked).map(String::as_str));
        Ok(json!({ "revokedEntities": revoked }))
    }

    /// What is asked of one profile: `GET`, `PUT`, `DELETE`, and `PUT …/revoke`.
    fn manage(&self, request: &Request) -> Result<Option<Value>, AwsError> {
        let rest = request.path.trim_start_matches("/signing-profiles/");
        let (name, verb) = rest.split_once('/').unwrap_or((rest, ""));
        let operation = self.operation(request);
        let resource = format!("arn:aws:signer:{REGION}:{ACCOUNT}:/signing-profiles/{name}");
        self.allow(request, &format!("signer:{operation}"), &resource)?;
        if operation == "PutSigningProfile" {
            return self.put(name, request).map(Some);
        }
        let owner = request
            .parameter("profileOwner")
            .unwrap_or_else(|| ACCOUNT.to_owned());
        let mut profile = self.profile(&owner, name)?;
        match (request.method.as_str(), verb) {
            ("GET", "") => return Ok(Some(shown(&profile))),
            ("DELETE", "") => "Canceled".clone_into(&mut profile.status),
            _ => {
                let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
                let from = body["effectiveTime"].to_string();
                let from = from
                    .split('.')
                    .next()
                    .and_then(|text| text.parse().ok())
                    .unwrap_or_default();
                "Revoked".clone_into(&mut profile.status);
                self.cloud
                    .state()
                    .revoked_profiles
                    .insert(profile.version_arn(), from);
            }
        }
        self.cloud
            .state()
            .profiles
            .insert(format!("{owner}/{name}"), profile);
        Ok(None)
    }

    fn put(&self, name: &str, request: &Request) -> Result<Value, AwsError> {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let fits =
            (2..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !fits {
            return Err(AwsError::new(
                400,
                "ValidationException",
                "profileName failed to satisfy constraint",
            ));
        }
        let mut profile = Profile::new(name, &format!("V{:09}", self.cloud.next()));
        body["platformId"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut profile.platform);
        self.cloud
            .state()
            .profiles
            .insert(format!("{ACCOUNT}/{name}"), profile.clone());
        Ok(
            json!({ "arn": profile.arn(), "profileVersion": profile.version, "profileVersionArn": profile.version_arn() }),
        )
    }

    fn revoke_job(&self, request: &Request) -> Result<Option<Value>, AwsError> {
        let id = request
            .path
            .trim_start_matches("/signing-jobs/")
            .trim_end_matches("/revoke");
        let job = format!("arn:aws:signer:{REGION}:{ACCOUNT}:/signing-jobs/{id}");
        self.allow(request, "signer:RevokeSignature", &job)?;
        let mut state = self.cloud.state();
        if !state.jobs.contains_key(&job) {
            return Err(AwsError::new(
                404,
                "ResourceNotFoundException",
                format!("Signing job {id} not found."),
            ));
        }
        state.revoked_jobs.insert(job);
        Ok(None)
    }
}

impl Cloud {
    /// An envelope by a profile of our account over a payload, as the service makes them for whoever asks; its job is
    /// known to the service.
    pub fn sign_as(self: &Arc<Self>, profile: &str, payload: &[u8]) -> Vec<u8> {
        let signer = Signer::control(Arc::clone(self));
        let profile = signer.profile(ACCOUNT, profile).unwrap();
        let signed = signer.signature(&profile, payload.to_vec(), ACCOUNT);
        STANDARD.decode(signed["signature"].as_str().unwrap()).unwrap()
    }
}

fn shown(profile: &Profile) -> Value {
    json!({
        "profileName": profile.name,
        "profileVersion": profile.version,
        "profileVersionArn": profile.version_arn(),
        "platformId": profile.platform,
        "platformDisplayName": "Notation for container registries",
        "signatureValidityPeriod": { "value": 135, "type": "MONTHS" },
        "status": profile.status,
        "arn": profile.arn(),
        "tags": {},
    })
}

fn is_hash(text: &str) -> bool {
    text.len() == 192
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The identifier of a certificate: SHA-384 of what its issuer signed, in hex.
pub fn certificate_hash(certificate: &[u8]) -> String {
    let mut reader = SliceReader::new(certificate).unwrap();
    der::Header::decode(&mut reader).unwrap();
    sigv4::hex(digest(&SHA384, reader.tlv_bytes().unwrap()).as_ref())
}

/// 135 months, as profiles have by default.
const VALIDITY_SECONDS: i64 = 355_000_000;

fn envelope(
    chain: &SigningChain,
    payload: Vec<u8>,
    version: &str,
    job: &str,
    now: i64,
    flaw: Option<Flaw>,
) -> Vec<u8> {
    let payload = spoil_payload(payload, flaw);
    let moment = |at: i64| {
        OffsetDateTime::from_unix_timestamp(at)
            .unwrap()
            .format(&Rfc3339)
            .unwrap()
    };
    let version = if flaw == Some(Flaw::OtherProfile) {
        version.replace("/signing-profiles/", "/signing-profiles/other_")
    } else {
        version.to_owned()
    };
    let mut attributes = Map::new();
    let mut critical = Vec::new();
    let mut add = |name: &str, value: String| {
        critical.push(json!(name));
        attributes.insert(name.to_owned(), json!(value));
    };
    let scheme = "notary.x509.signingAuthority";
    add("io.cncf.notary.signingScheme", scheme.to_owned());
    add("io.cncf.notary.authenticSigningTime", moment(now));
    add("io.cncf.notary.expiry", moment(now + VALIDITY_SECONDS));
    add(
        "io.cncf.notary.verificationPlugin",
        "com.amazonaws.signer.notation.plugin".to_owned(),
    );
    add("com.amazonaws.signer.signingProfileVersion", version.clone());
    add("com.amazonaws.signer.signingJob", job.to_owned());
    match flaw {
        Some(Flaw::UnknownCritical) => add("com.example.unheard-of", "x".to_owned()),
        Some(Flaw::Alias) => add("com.amazonaws.signer.signingProfileAlias", version),
        _ => (),
    }
    if flaw == Some(Flaw::OtherScheme) {
        let time = attributes.remove("io.cncf.notary.authenticSigningTime").unwrap();
        critical.retain(|name| name != "io.cncf.notary.authenticSigningTime");
        attributes.insert("io.cncf.notary.signingTime".to_owned(), time);
        attributes.insert("io.cncf.notary.signingScheme".to_owned(), json!("notary.x509"));
    }
    attributes.insert("alg".to_owned(), json!("ES384"));
    attributes.insert("cty".to_owned(), json!(PAYLOAD_FORMAT));
    attributes.insert("crit".to_owned(), json!(critical));
    let protected = URL_SAFE_NO_PAD.encode(Value::Object(attributes).to_string());
    let payload = URL_SAFE_NO_PAD.encode(payload);
    let mut signature = chain.sign(format!("{protected}.{payload}").as_bytes());
    match flaw {
        Some(Flaw::BadSignature) => signature[7] ^= 1,
        Some(Flaw::NotAnEnvelope) => return b"<html>not an envelope</html>".to_vec(),
        _ => (),
    }
    let certificates: Vec<String> = chain
        .certificates
        .iter()
        .map(|der| STANDARD.encode(der))
        .collect();
    let envelope = json!({
        "payload": payload,
        "protected": protected,
        "header": { "x5c": certificates },
        "signature": URL_SAFE_NO_PAD.encode(signature),
    });
    envelope.to_string().into_bytes()
}

fn spoil_payload(payload: Vec<u8>, flaw: Option<Flaw>) -> Vec<u8> {
    let change = |change: fn(&mut Value)| {
        let mut value: Value = serde_json::from_slice(&payload).unwrap();
        change(&mut value);
        value.to_string().into_bytes()
    };
    match flaw {
        Some(Flaw::OtherDigest) => change(|value| {
            value["targetArtifact"]["digest"] = json!(format!("sha256:{}", "0".repeat(64)));
        }),
        Some(Flaw::ExtraPayloadMember) => change(|value| value["alsoSigned"] = json!("something")),
        Some(Flaw::ExtraMetadata) => change(|value| {
            value["targetArtifact"]["annotations"]["promoted"] = json!("true");
        }),
        Some(Flaw::ExtraDescriptorMember) => change(|value| {
            value["targetArtifact"]["artifactType"] = json!("application/spdx+json");
        }),
        _ => payload,
    }
}

impl Service for Signer {
    fn name(&self) -> &'static str {
        self.name
    }

    fn operation(&self, request: &Request) -> &'static str {
        let path = request.path.as_str();
        let profile = path.starts_with("/signing-profiles/");
        match (&request.method, path) {
            (&Method::POST, "/signing-jobs/with-payload") => "SignPayload",
            (&Method::GET, "/revocations") => "GetRevocationStatus",
            (&Method::PUT, path) if profile && path.ends_with("/revoke") => "RevokeSigningProfile",
            (&Method::GET, _) if profile => "GetSigningProfile",
            (&Method::PUT, _) if profile => "PutSigningProfile",
            (&Method::DELETE, _) if profile => "CancelSigningProfile",
            (&Method::PUT, path) if path.starts_with("/signing-jobs/") && path.ends_with("/revoke") => {
                "RevokeSignature"
            }
            _ => "other",
        }
    }

    fn answer(&self, request: &Request) -> Response {
        let operation = self.operation(request);
        if matches!(operation, "GetSigningProfile") && !self.cloud.within_quota(operation) {
            return AwsError::new(429, "TooManyRequestsException", "Rate exceeded").rest(&self.cloud);
        }
        let answer = match operation {
            "SignPayload" => self.sign(request).map(Some),
            "GetRevocationStatus" => self.revocations(request).map(Some),
            "RevokeSignature" => self.revoke_job(request),
            "other" => Err(AwsError::new(404, "NotFoundException", "no such operation here")),
            _ => self.manage(request),
        };
        match answer {
            Ok(Some(body)) => identified(Response::json(200, &body), &self.cloud),
            Ok(None) => identified(Response::new(200), &self.cloud),
            Err(error) => error.rest(&self.cloud),
        }
    }
}
