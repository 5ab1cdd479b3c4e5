//! AWS Signer: what its plugin for Notation is asked and answers, in terms of our own judgement. The plugin's wording
//! is put together here from the typed answers, so that a detail that is lost in them shows.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::base::arn::ProfileArn;
use countersign::base::foreign::Foreign;
use countersign::base::tree::{Document, Object, Value as Tree};
use countersign::base::{json as reader, limits::Bounds, time::Timestamp};
use countersign::domain::notary::{ExtendedAttribute, SigningScheme, names};
use countersign::domain::trust::aws::{AwsRefusal, AwsSignature, Fault, PLATFORM};
use countersign::domain::trust::verifier::Claims;
use countersign::domain::trust::{TrustedIdentity, Verifier};
use countersign::domain::x509::{Certificate, paired_hashes, read_certificates};
use serde_json::{Map, Value, json};

use super::{identities, texts};
use crate::vectors::{Case, Judged};

const IDENTITY: &str = "SIGNATURE_VERIFIER.TRUSTED_IDENTITY";
const REVOCATION: &str = "SIGNATURE_VERIFIER.REVOCATION_CHECK";

/// Judges the kinds of this module.
pub(super) fn judge(case: &Case) -> Option<Judged> {
    Some(match case.kind.as_str() {
        "aws-identity" => identity(case),
        "aws-revocation-request" => request(case),
        "aws-revocation-response" => response(case),
        "aws-revocation-call" => call(case),
        "aws-error-map" => error(case),
        "aws-verify-request" => answered(verify(case)),
        "aws-sign-request" => answered(sign(case)),
        "aws-key-id" => answered(key_id(case.text("key_id"))),
        _ => return None,
    })
}

/// An error of the plugin: its code and message.
type PluginError = (&'static str, String);

fn answered(answer: Result<Judged, PluginError>) -> Judged {
    answer.unwrap_or_else(|(code, message)| {
        Judged::reject(&message)
            .with("error_code", code)
            .with("error_message", message)
    })
}

fn invalid(message: impl Into<String>) -> PluginError {
    ("VALIDATION_ERROR", message.into())
}

fn attribute(key: &str, value: Tree) -> ExtendedAttribute {
    ExtendedAttribute {
        key: key.to_owned(),
        value,
        critical: true,
    }
}

fn identity(case: &Case) -> Judged {
    let profile = case.text("signing_profile_version");
    let signature = AwsSignature {
        profile_version: profile.to_owned(),
        job: None,
        signed_at: Timestamp::from_unix(0),
    };
    // What is no identity at all cannot be one of a signing profile.
    let identities = identities(case).unwrap_or_default();
    let trusted = signature.trusted_by(&identities).expect("no wildcard");
    match trusted {
        Some(identity) => Judged::accept()
            .with("matched_identity", identity.to_string())
            .with("reason", identity_reason(Some(identity))),
        None => Judged::reject("no identity matches").with("reason", identity_reason(None)),
    }
}

fn identity_reason(trusted: Option<&TrustedIdentity>) -> String {
    match trusted {
        Some(identity) => format!("Signature publisher matched \"{identity}\" trusted identity."),
        None => "Signature publisher doesn't match any trusted identities.".to_owned(),
    }
}

fn request(case: &Case) -> Judged {
    let chain = read_certificates(&case.bytes("chain")).expect("a chain");
    let text = |input| Tree::Text(case.text(input).to_owned());
    let attributes = [
        attribute(names::AWS_PROFILE_VERSION, text("signing_profile_version")),
        attribute(names::AWS_JOB, text("signing_job")),
    ];
    let claims = Claims {
        scheme: SigningScheme::SigningAuthority,
        authentic_signing_time: case.time("authentic_signing_time"),
        attributes: &attributes,
    };
    let signature = AwsSignature::read(claims, true).expect("what AWS Signer states");
    let query = json!({
        "certificateHashes": paired_hashes(&chain),
        "jobArn": signature.job,
        "platformId": PLATFORM,
        "profileVersionArn": signature.profile_version,
        "signatureTimestamp": signature.signed_at.to_string(),
    });
    Judged::accept()
        .with("method", "GET")
        .with("path", "/revocations")
        .with("query", query)
}

/// Success and reason of the plugin's revocation check for the entities that the service says were revoked.
fn revocation(entities: &Value) -> (bool, String) {
    let entities: Vec<Foreign> = texts(entities).map(Foreign::new).collect();
    if entities.is_empty() {
        return (true, "Signature is not revoked.".to_owned());
    }
    let (resources, certificates) = countersign::domain::trust::aws::by_kind(&entities);
    let mut reason = String::new();
    if !resources.is_empty() {
        let resources: Vec<&str> = resources.iter().map(|resource| resource.raw()).collect();
        let resources = resources.join(", ");
        write!(reason, "Resource(s) {resources} have been revoked.").expect("a text takes text");
    }
    if !certificates.is_empty() {
        reason.push_str("Certificate(s) have been revoked.");
    }
    (false, reason)
}

fn response(case: &Case) -> Judged {
    let (success, reason) = revocation(case.input("revoked_entities"));
    let judged = if success {
        Judged::accept()
    } else {
        Judged::reject(&reason)
    };
    judged.with("success", success).with("reason", reason)
}

fn call(case: &Case) -> Judged {
    // Whatever the fault: without an answer the check has not succeeded.
    let fault = Fault::of(case.text("api_error_code"));
    Judged::reject(format!("{fault:?}"))
        .with("success", false)
        .with("reason_prefix", "GetRevocationStatus call failed with error: ")
}

fn error(case: &Case) -> Judged {
    let code = case.text("api_error_code");
    let plugin = match Fault::of(code) {
        Fault::Invalid => "VALIDATION_ERROR",
        // The plugin does not know the error that the service throttles with; we do.
        Fault::Throttled if code == "TooManyRequestsException" => "ERROR",
        Fault::Throttled => "THROTTLED",
        Fault::Denied => "ACCESS_DENIED",
        Fault::Other => "ERROR",
    };
    let message = format!(
        "Failed to call AWSSigner. Error: {}.",
        case.text("api_error_message")
    );
    Judged::reject(&message)
        .with("plugin_error_code", plugin)
        .with("plugin_error_message", message)
}

fn read(bytes: &[u8]) -> Document {
    reader::read(bytes, Bounds::SMALL_DOCUMENT).expect("a request is JSON")
}

/// The contract around a request, which our own judgement has no need for.
fn contract(request: &Value) -> Result<(), PluginError> {
    match request["contractVersion"].as_str() {
        Some("1.0") => Ok(()),
        other => Err((
            "UNSUPPORTED_CONTRACT_VERSION",
            format!(
                "\"{}\" is not a supported notary plugin contract version",
                other.unwrap_or_default()
            ),
        )),
    }
}

fn verify(case: &Case) -> Result<Judged, PluginError> {
    let bytes = case.bytes("request");
    let request: Value = serde_json::from_slice(&bytes).expect("a request is JSON");
    contract(&request)?;
    let wanted: Vec<&str> = texts(&request["trustPolicy"]["signatureVerification"]).collect();
    if let Some(other) = wanted.iter().find(|name| ![IDENTITY, REVOCATION].contains(name)) {
        return Err(invalid(format!("'{other}' is not a supported plugin capability")));
    }
    let chain = chain(&request["signature"]["certificateChain"])?;
    let critical = &request["signature"]["criticalAttributes"];
    let document = read(&bytes);
    let attributes: Vec<ExtendedAttribute> = document
        .cursor()
        .pointer("/signature/criticalAttributes/extendedAttributes")
        .map(|attributes| attributes.object().expect("an object"))
        .iter()
        .flat_map(Object::members)
        .map(|(key, value)| attribute(key, value.value().clone()))
        .collect();
    let claims = Claims {
        scheme: match critical["signingScheme"].as_str() {
            Some("notary.x509.signingAuthority") => SigningScheme::SigningAuthority,
            _ => SigningScheme::X509,
        },
        authentic_signing_time: authentic_time(&critical["authenticSigningTime"]),
        attributes: &attributes,
    };
    let refused = |refusal: AwsRefusal| {
        invalid(match refusal {
            AwsRefusal::Scheme => "'notary.x509' signing scheme is not supported".to_owned(),
            AwsRefusal::AuthenticTime => "missing authenticSigningTime".to_owned(),
            AwsRefusal::Attribute(name) => format!("unable to parse attribute \"{name}\"."),
            AwsRefusal::Wildcard => {
                "The AWSSigner plugin does not support wildcard identity in the trust policy.".to_owned()
            }
        })
    };
    let signature = AwsSignature::read(claims, wanted.contains(&REVOCATION)).map_err(refused)?;
    let identities: Vec<TrustedIdentity> = texts(&request["trustPolicy"]["trustedIdentities"])
        .map(|text| TrustedIdentity::parse(text).expect("an identity"))
        .collect();
    let trusted = signature.trusted_by(&identities).map_err(refused)?;
    assert_eq!(paired_hashes(&chain).len(), chain.len());
    let mut results = Map::new();
    let mut good = true;
    for name in wanted {
        let (success, reason) = if name == IDENTITY {
            (trusted.is_some(), identity_reason(trusted))
        } else {
            revocation(case.input("revoked_entities"))
        };
        good &= success;
        results.insert(name.to_owned(), json!({"success": success, "reason": reason}));
    }
    let response = json!({
        "verificationResults": results,
        "processedAttributes": Verifier::aws_signer().processed,
    });
    let judged = if good {
        Judged::accept()
    } else {
        Judged::reject("a check failed")
    };
    Ok(judged.with("response", response))
}

/// Go writes an absent time as the first moment of the year 1, and envelopes with that time count as without.
fn authentic_time(value: &Value) -> Option<Timestamp> {
    let zero: Timestamp = "0001-01-01T00:00:00Z".parse().expect("a time");
    value.as_str()?.parse().ok().filter(|time| *time != zero)
}

fn chain(value: &Value) -> Result<Vec<Certificate>, PluginError> {
    let chain = texts(value).map(|text| Certificate::from_der(&STANDARD.decode(text).ok()?).ok());
    chain
        .collect::<Option<_>>()
        .ok_or_else(|| invalid("unable to parse certificates in certificate chain."))
}

fn sign(case: &Case) -> Result<Judged, PluginError> {
    let request: Value = serde_json::from_slice(&case.bytes("request")).expect("a request is JSON");
    contract(&request)?;
    let text = |name: &str| request[name].as_str().unwrap_or_default();
    if text("signatureEnvelopeType") != "application/jose+json" {
        let found = text("signatureEnvelopeType");
        return Err(invalid(format!("envelope type \"{found}\" is not supported")));
    }
    if !request["expiryDurationInSeconds"].is_null() {
        return Err(invalid(
            "AWSSigner plugin doesn't support -e (--expiry) argument. Please use signing profile to set signature \
             expiry.",
        ));
    }
    let profile = profile(text("keyId"))?;
    Ok(Judged::accept().with(
        "sign_payload",
        json!({
            "payload": text("payload"),
            "payloadFormat": text("payloadType"),
            "profileName": profile.name(),
            "profileOwner": profile.arn().account,
        }),
    ))
}

fn profile(key_id: &str) -> Result<ProfileArn, PluginError> {
    key_id.parse().map_err(|_| {
        invalid(format!(
            "{key_id} is not a valid AWS Signer signing profile or signing profile version ARN."
        ))
    })
}

fn key_id(key_id: &str) -> Result<Judged, PluginError> {
    let profile = profile(key_id)?;
    Ok(Judged::accept()
        .with("profile_name", profile.name())
        .with("profile_owner", profile.arn().account.clone()))
}
