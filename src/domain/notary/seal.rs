//! The gate between a signer and the store: what a signer returned is parsed back and held against what was asked.

use super::attributes::{AWS_PLUGIN, ExtendedAttribute, SigningScheme, names};
use super::envelope::{Envelope, EnvelopeError, IntactEnvelope};
use super::payload::{Payload, SignedPayloadError};
use crate::base::arn::{Arn, ProfileArn, ProfileVersionArn};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;
use crate::base::json;
use crate::base::limits::Bounds;
use crate::base::tree::{DocumentError, Value};
use crate::domain::x509::{Certificate, ChainError, Thumbprint};

/// What a returned envelope must be before it may be pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Signed by a local key: scheme `notary.x509`, by the certificate with this thumbprint.
    LocalKey {
        /// The signing certificate.
        leaf: Thumbprint,
    },
    /// Signed by AWS Signer: scheme `notary.x509.signingAuthority`, by a version of this profile.
    AwsSigner {
        /// The profile.
        profile: ProfileArn,
        /// The roots one of which the chain must end in.
        roots: Vec<Certificate>,
    },
}

impl Expected {
    /// The signing scheme.
    pub fn scheme(&self) -> SigningScheme {
        match self {
            Self::LocalKey { .. } => SigningScheme::X509,
            Self::AwsSigner { .. } => SigningScheme::SigningAuthority,
        }
    }
}

/// An envelope that was parsed back, is intact, and says exactly what was asked; only [`SealedEnvelope::seal`] makes
/// one, and only a sealed envelope can be pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedEnvelope {
    envelope: Envelope,
    intact: IntactEnvelope,
}

/// Why what a signer returned may not be pushed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The envelope is not intact.
    #[error("the signer returned an envelope that does not verify")]
    Envelope(#[from] EnvelopeError),
    /// The payload is about something else, or its metadata changed.
    #[error("the signer signed something else than it was asked to")]
    Payload(#[from] SignedPayloadError),
    /// The payload has members that nobody asked for.
    #[error("the signer added to the payload")]
    Members(#[source] DocumentError),
    /// The payload has metadata that nobody asked for: a verifier would later take it for the user's.
    #[error("expected no metadata besides what was to be signed, found {}", .0.quote())]
    AddedMetadata(Foreign),
    /// A certificate was not valid at the signing time that the signer claims.
    #[error("the signer used a certificate outside its validity")]
    Validity(#[source] ChainError),
    /// Another signing scheme.
    #[error("expected the signing scheme {expected} from the signer, found {found}")]
    Scheme {
        /// As asked.
        expected: SigningScheme,
        /// As signed.
        found: SigningScheme,
    },
    /// Another certificate signed.
    #[error("expected a signature by the certificate {expected}, found one by {found}")]
    Leaf {
        /// The certificate that should have signed.
        expected: Thumbprint,
        /// The one that did.
        found: Thumbprint,
    },
    /// A signed attribute of AWS Signer that is absent, not critical, or says something else.
    #[error("expected the critical attribute {attribute} to be {expected}, found {}", found.quote())]
    Attribute {
        /// The attribute.
        attribute: &'static str,
        /// As asked.
        expected: String,
        /// As signed.
        found: Foreign,
    },
    /// A critical attribute that no verifier of today would understand.
    #[error("expected no critical attribute besides those that AWS Signer documents, found {}", .0.quote())]
    UnknownCritical(Foreign),
    /// The chain ends in another root.
    #[error("expected a chain that ends in one of {roots} known roots, found the root {}", subject.quote())]
    Root {
        /// How many roots were acceptable.
        roots: usize,
        /// The subject of the root found.
        subject: Foreign,
    },
}

impl Classified for SealError {
    fn class(&self) -> Class {
        Class::Tampered
    }

    fn hint(&self) -> Option<String> {
        Some("nothing was pushed; look at the signer before signing again".to_owned())
    }
}

impl SealedEnvelope {
    /// Parses an envelope back and holds it against the payload that was to be signed and the signer that was asked.
    ///
    /// # Errors
    /// [`SealError`] with the first difference.
    pub fn seal(envelope: Envelope, asked: &Payload, expected: &Expected) -> Result<Self, SealError> {
        let intact = IntactEnvelope::open(&envelope)?;
        check_members(intact.payload())?;
        let payload = intact.signed_payload()?;
        payload.check_target(asked.target())?;
        payload.check_metadata(asked.metadata())?;
        let mut signed = payload.annotations().keys();
        if let Some(added) = signed.find(|key| !asked.metadata().contains_key(*key)) {
            return Err(SealError::AddedMetadata(Foreign::new(added)));
        }
        intact
            .chain()
            .valid_at(intact.attributes().time())
            .map_err(SealError::Validity)?;
        if intact.scheme() != expected.scheme() {
            return Err(SealError::Scheme {
                expected: expected.scheme(),
                found: intact.scheme(),
            });
        }
        match expected {
            Expected::LocalKey { leaf } => check_leaf(&intact, leaf)?,
            Expected::AwsSigner { profile, roots } => check_aws(&intact, profile, roots)?,
        }
        Ok(Self { envelope, intact })
    }

    /// What the envelope says.
    pub fn intact(&self) -> &IntactEnvelope {
        &self.intact
    }

    /// The envelope as the signer returned it.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}

/// Stricter than the plugin specification ("Requirements"), which would let a signer use every member of an OCI
/// descriptor: the payload holds the members that [`Payload::new`] writes, and no other.
fn check_members(payload: &[u8]) -> Result<(), SealError> {
    const ASKED: [&str; 4] = ["mediaType", "digest", "size", "annotations"];
    let check = || {
        let document = json::read(payload, Bounds::ENVELOPE)?;
        let top = document.cursor().object()?;
        top.only(&["targetArtifact"])?;
        top.required("targetArtifact")?.object()?.only(&ASKED)
    };
    check().map_err(SealError::Members)
}

fn check_leaf(intact: &IntactEnvelope, expected: &Thumbprint) -> Result<(), SealError> {
    let found = intact.chain().leaf().thumbprint();
    if found == *expected {
        Ok(())
    } else {
        Err(SealError::Leaf {
            expected: expected.clone(),
            found,
        })
    }
}

/// AWS Signer's envelopes name the plugin, a version of the profile and the job, all critical, and end in its root.
fn check_aws(intact: &IntactEnvelope, profile: &ProfileArn, roots: &[Certificate]) -> Result<(), SealError> {
    check_attribute(
        intact,
        names::VERIFICATION_PLUGIN,
        AWS_PLUGIN.to_owned(),
        |found| found == AWS_PLUGIN,
    )?;
    check_attribute(
        intact,
        names::AWS_PROFILE_VERSION,
        format!("a version of {profile}"),
        |found| {
            found
                .parse::<ProfileVersionArn>()
                .is_ok_and(|version| version.profile() == profile)
        },
    )?;
    check_attribute(
        intact,
        names::AWS_JOB,
        "the ARN of a signing job".to_owned(),
        |found| {
            found
                .parse::<Arn>()
                .is_ok_and(|arn| arn.service == "signer" && arn.resource.starts_with("/signing-jobs/"))
        },
    )?;
    let known = [
        names::VERIFICATION_PLUGIN,
        names::AWS_PROFILE_VERSION,
        names::AWS_JOB,
    ];
    let mut unknown = intact
        .extended_attributes()
        .iter()
        .filter(|attribute| attribute.critical);
    if let Some(attribute) = unknown.find(|attribute| !known.contains(&attribute.key.as_str())) {
        return Err(SealError::UnknownCritical(Foreign::new(&attribute.key)));
    }
    let root = intact.chain().root();
    if roots.contains(root) {
        return Ok(());
    }
    Err(SealError::Root {
        roots: roots.len(),
        subject: Foreign::new(root.subject().to_string()),
    })
}

fn check_attribute(
    intact: &IntactEnvelope,
    name: &'static str,
    expected: String,
    matches: impl Fn(&str) -> bool,
) -> Result<(), SealError> {
    let found = match intact.attributes().find(name) {
        Some(ExtendedAttribute {
            value: Value::Text(text),
            critical: true,
            ..
        }) if matches(text) => return Ok(()),
        Some(ExtendedAttribute {
            value: Value::Text(text),
            ..
        }) => Foreign::new(text),
        Some(_) => Foreign::new("something else than text"),
        None => Foreign::new("nothing"),
    };
    Err(SealError::Attribute {
        attribute: name,
        expected,
        found,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::testing::{aws_header, envelope, payload, sign, x509_header};
    use super::*;
    use crate::domain::x509::testing::{Issued, chain};

    const PROFILE: &str = "arn:aws:signer:eu-west-1:111122223333:/signing-profiles/release";

    fn aws(issued: &Issued) -> Expected {
        Expected::AwsSigner {
            profile: PROFILE.parse().unwrap(),
            roots: vec![issued.certificates[2].clone()],
        }
    }

    fn local(issued: &Issued) -> Expected {
        Expected::LocalKey {
            leaf: issued.certificates[0].thumbprint(),
        }
    }

    /// Seals an envelope whose protected header is that of AWS Signer, changed.
    fn seal_aws(issued: &Issued, change: impl Fn(&mut Json)) -> Result<SealedEnvelope, SealError> {
        let mut header = aws_header();
        change(&mut header);
        let jws = sign(issued, &header.to_string(), payload().bytes());
        SealedEnvelope::seal(envelope(&jws), &payload(), &aws(issued))
    }

    /// Seals an envelope of a local key over other bytes than were asked for.
    fn seal_payload(signed: &str) -> Result<SealedEnvelope, SealError> {
        let issued = chain();
        let jws = sign(&issued, &x509_header().to_string(), signed.as_bytes());
        SealedEnvelope::seal(envelope(&jws), &payload(), &local(&issued))
    }

    fn asked() -> String {
        String::from_utf8(payload().bytes().to_vec()).unwrap()
    }

    #[test]
    fn what_was_asked_is_sealed_unchanged() {
        let issued = chain();
        let jws = sign(&issued, &x509_header().to_string(), payload().bytes());
        let sealed = SealedEnvelope::seal(envelope(&jws), &payload(), &local(&issued)).unwrap();
        assert_eq!(sealed.envelope(), &envelope(&jws));
        assert!(seal_aws(&issued, |_| {}).is_ok());
        let reordered: Json = serde_json::from_str(&asked()).unwrap();
        assert!(seal_payload(&serde_json::to_string_pretty(&reordered).unwrap()).is_ok());
    }

    #[test]
    fn another_payload_is_refused() {
        let digest = payload().target().digest.hex().to_owned();
        let changed = [
            asked().replace(&digest, &"0".repeat(64)),
            asked().replace("\"size\":88", "\"size\":89"),
            asked().replace("image.index", "image.manifest"),
            asked().replace("\"123\"", "\"124\""),
            asked().replace("\"build\"", "\"built\""),
        ];
        for signed in changed {
            assert_ne!(signed, asked());
            assert!(
                matches!(seal_payload(&signed), Err(SealError::Payload(_))),
                "{signed}"
            );
        }
        let added = [
            asked().replacen('{', "{\"more\":1,", 1),
            asked().replace("\"size\"", "\"more\":1,\"size\""),
            asked().replace("\"size\"", "\"artifactType\":\"a/b\",\"size\""),
            asked().replace("\"size\"", "\"data\":\"\",\"size\""),
            asked().replace("\"size\"", "\"platform\":{},\"size\""),
            asked().replace("\"size\"", "\"urls\":[],\"size\""),
        ];
        for signed in added {
            assert!(
                matches!(seal_payload(&signed), Err(SealError::Members(_))),
                "{signed}"
            );
        }
    }

    #[test]
    fn metadata_that_nobody_asked_for_is_refused() {
        let promoted = asked().replace("\"123\"", "\"123\",\"promoted\":\"true\"");
        assert_ne!(promoted, asked());
        assert_eq!(
            seal_payload(&promoted),
            Err(SealError::AddedMetadata(Foreign::new("promoted")))
        );
    }

    #[test]
    fn another_signer_is_refused() {
        let (issued, other) = (chain(), chain());
        let jws = sign(&other, &x509_header().to_string(), payload().bytes());
        assert_eq!(
            SealedEnvelope::seal(envelope(&jws), &payload(), &local(&issued)),
            Err(SealError::Leaf {
                expected: issued.certificates[0].thumbprint(),
                found: other.certificates[0].thumbprint(),
            })
        );
        assert_eq!(
            SealedEnvelope::seal(envelope(&jws), &payload(), &aws(&other)),
            Err(SealError::Scheme {
                expected: SigningScheme::SigningAuthority,
                found: SigningScheme::X509,
            })
        );
        let jws = sign(&other, &aws_header().to_string(), payload().bytes());
        assert_eq!(
            SealedEnvelope::seal(envelope(&jws), &payload(), &aws(&issued)),
            Err(SealError::Root {
                roots: 1,
                subject: Foreign::new("CN=Test Root CA,O=Test,ST=WA,C=US"),
            })
        );
    }

    #[test]
    fn another_profile_plugin_or_job_is_refused() {
        let issued = chain();
        let changes = [
            (names::AWS_PROFILE_VERSION, format!("{PROFILE}X/OF8IVUsPJq")),
            (names::AWS_PROFILE_VERSION, PROFILE.to_owned()),
            (
                names::AWS_PROFILE_VERSION,
                PROFILE.replace("eu-west-1", "us-west-2") + "/OF8IVUsPJq",
            ),
            (names::VERIFICATION_PLUGIN, "com.example.plugin".to_owned()),
            (names::AWS_JOB, "97af3947".to_owned()),
        ];
        for (name, value) in changes {
            let result = seal_aws(&issued, |header| header[name] = json!(value));
            let Err(SealError::Attribute { attribute, found, .. }) = result else {
                panic!("{name}: {result:?}")
            };
            assert_eq!((attribute, found.raw()), (name, value.as_str()));
        }
    }

    #[test]
    fn the_attributes_of_aws_signer_are_critical_and_alone() {
        let issued = chain();
        for name in [
            names::VERIFICATION_PLUGIN,
            names::AWS_PROFILE_VERSION,
            names::AWS_JOB,
        ] {
            let result = seal_aws(&issued, |header| {
                header["crit"]
                    .as_array_mut()
                    .unwrap()
                    .retain(|entry| entry != name);
            });
            assert!(
                matches!(result, Err(SealError::Attribute { attribute, .. }) if attribute == name),
                "{name}"
            );
        }
        let unknown = seal_aws(&issued, |header| {
            header[names::AWS_PROFILE_ALIAS] = json!("x");
            header["crit"]
                .as_array_mut()
                .unwrap()
                .push(json!(names::AWS_PROFILE_ALIAS));
        });
        assert_eq!(
            unknown,
            Err(SealError::UnknownCritical(Foreign::new(names::AWS_PROFILE_ALIAS)))
        );
        assert!(seal_aws(&issued, |header| header["com.amazonaws.more"] = json!(1)).is_ok());
    }

    #[test]
    fn every_refusal_is_tampering() {
        let error = seal_payload("{}").unwrap_err();
        assert_eq!(error.class(), Class::Tampered);
        let error = SealedEnvelope::seal(envelope(&json!({})), &payload(), &local(&chain())).unwrap_err();
        assert!(matches!(error, SealError::Envelope(_)));
    }
}
