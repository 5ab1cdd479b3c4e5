//! Signed attributes: what an envelope claims besides its payload, whatever it is written in (Notary signature
//! specification, "Signed Attributes").

use std::collections::BTreeSet;
use std::fmt;

use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;
use crate::base::time::Timestamp;
use crate::base::tree::Value;
use crate::domain::oci::MediaType;

/// Names of signed attributes.
pub mod names {
    /// The signing scheme; critical.
    pub const SIGNING_SCHEME: &str = "io.cncf.notary.signingScheme";
    /// The claimed signing time of the scheme `notary.x509`; not critical.
    pub const SIGNING_TIME: &str = "io.cncf.notary.signingTime";
    /// The signing time that a signing authority vouches for; critical.
    pub const AUTHENTIC_SIGNING_TIME: &str = "io.cncf.notary.authenticSigningTime";
    /// When the signature ceases to count; critical.
    pub const EXPIRY: &str = "io.cncf.notary.expiry";
    /// The plugin whose judgement verification needs; critical.
    pub const VERIFICATION_PLUGIN: &str = "io.cncf.notary.verificationPlugin";
    /// The least version of that plugin; critical.
    pub const VERIFICATION_PLUGIN_MIN_VERSION: &str = "io.cncf.notary.verificationPluginMinVersion";
    /// The version of the AWS Signer profile that signed (aws-signer-notation-plugin); critical.
    pub const AWS_PROFILE_VERSION: &str = "com.amazonaws.signer.signingProfileVersion";
    /// The AWS Signer job that signed (aws-signer-notation-plugin); critical.
    pub const AWS_JOB: &str = "com.amazonaws.signer.signingJob";
    /// The alias of the AWS Signer profile, which newer services may write; critical and not supported.
    pub const AWS_PROFILE_ALIAS: &str = "com.amazonaws.signer.signingProfileAlias";
}

/// The verification plugin that signatures of AWS Signer name (AWS Signer Developer Guide, "Signing container images").
pub const AWS_PLUGIN: &str = "com.amazonaws.signer.notation.plugin";

/// Who vouches for the signing time (Notary signing scheme specification).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SigningScheme {
    /// `notary.x509`: nobody; the signer claims it.
    X509,
    /// `notary.x509.signingAuthority`: a service that signs for its users.
    SigningAuthority,
}

impl SigningScheme {
    /// The value of the attribute.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X509 => "notary.x509",
            Self::SigningAuthority => "notary.x509.signingAuthority",
        }
    }

    /// The attribute that holds the signing time, and the one that must not be there.
    const fn time_attributes(self) -> (&'static str, &'static str) {
        match self {
            Self::X509 => (names::SIGNING_TIME, names::AUTHENTIC_SIGNING_TIME),
            Self::SigningAuthority => (names::AUTHENTIC_SIGNING_TIME, names::SIGNING_TIME),
        }
    }
}

impl fmt::Display for SigningScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An attribute that the specification does not define, or leaves to a verification plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendedAttribute {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: Value,
    /// Whether a verifier that does not understand it must refuse the signature.
    pub critical: bool,
}

/// What the front end of an envelope format read from the protected header; nothing is compared yet.
#[derive(Clone, Debug)]
pub(super) struct Claims {
    pub(super) content_type: String,
    pub(super) critical: Vec<String>,
    pub(super) scheme: String,
    pub(super) signing_time: Option<Timestamp>,
    pub(super) authentic_signing_time: Option<Timestamp>,
    pub(super) expiry: Option<Timestamp>,
    pub(super) extended: Vec<(String, Value)>,
}

/// Signed attributes that agree with one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedAttributes {
    scheme: SigningScheme,
    time: Timestamp,
    expiry: Option<Timestamp>,
    extended: Vec<ExtendedAttribute>,
}

/// Why signed attributes do not agree with the specification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributeError {
    /// A payload of another type.
    #[error("expected the content type {}, found {}", MediaType::NOTARY_PAYLOAD, .0.quote())]
    ContentType(Foreign),
    /// A signing scheme that does not exist.
    #[error("expected the signing scheme notary.x509 or notary.x509.signingAuthority, found {}", .0.quote())]
    Scheme(Foreign),
    /// The signing time of the scheme is absent.
    #[error("expected the attribute {attribute} with the signing scheme {scheme}, found none")]
    TimeMissing {
        /// The scheme.
        scheme: SigningScheme,
        /// The attribute.
        attribute: &'static str,
    },
    /// The signing time of the other scheme is present.
    #[error("expected no attribute {attribute} with the signing scheme {scheme}, found one")]
    TimeForbidden {
        /// The scheme.
        scheme: SigningScheme,
        /// The attribute.
        attribute: &'static str,
    },
    /// An attribute that has to be critical is not.
    #[error("expected {attribute} among the critical attributes, found it is not")]
    NotCritical {
        /// The attribute.
        attribute: &'static str,
    },
    /// The list of critical attributes names one that is absent, cannot be critical, or stands twice.
    #[error("expected critical attributes that are present and stand once, found {}", .0.quote())]
    NotPresent(Foreign),
    /// The signature expires before it was made.
    #[error("expected an expiry after the signing time {signing_time}, found {expiry}")]
    Expiry {
        /// When the signature was made.
        signing_time: Timestamp,
        /// When it ceases to count.
        expiry: Timestamp,
    },
}

impl Classified for AttributeError {
    fn class(&self) -> Class {
        Class::Rejected
    }
}

impl SignedAttributes {
    /// Holds claims against the specification, "Signed Attributes" and "Signing Scheme".
    pub(super) fn check(claims: Claims) -> Result<Self, AttributeError> {
        if claims.content_type != MediaType::NOTARY_PAYLOAD.as_str() {
            return Err(AttributeError::ContentType(Foreign::new(claims.content_type)));
        }
        let scheme = match claims.scheme.as_str() {
            "notary.x509" => SigningScheme::X509,
            "notary.x509.signingAuthority" => SigningScheme::SigningAuthority,
            _ => return Err(AttributeError::Scheme(Foreign::new(claims.scheme))),
        };
        let time = signing_time(scheme, &claims)?;
        let critical = critical_extended(scheme, &claims)?;
        if let Some(expiry) = claims.expiry.filter(|expiry| *expiry <= time) {
            return Err(AttributeError::Expiry {
                signing_time: time,
                expiry,
            });
        }
        let extended = claims.extended.into_iter().map(|(key, value)| ExtendedAttribute {
            critical: critical.contains(&key),
            key,
            value,
        });
        Ok(Self {
            scheme,
            time,
            expiry: claims.expiry,
            extended: extended.collect(),
        })
    }

    /// The signing scheme.
    pub fn scheme(&self) -> SigningScheme {
        self.scheme
    }

    /// The signing time, claimed or vouched for as the scheme says.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// When the signature ceases to count.
    pub fn expiry(&self) -> Option<Timestamp> {
        self.expiry
    }

    /// The attributes that are not the specification's own, those that concern verification plugins included.
    pub fn extended(&self) -> &[ExtendedAttribute] {
        &self.extended
    }

    /// The extended attribute of that name.
    pub fn find(&self, key: &str) -> Option<&ExtendedAttribute> {
        self.extended.iter().find(|attribute| attribute.key == key)
    }
}

/// The time that the scheme demands; the other one is forbidden.
fn signing_time(scheme: SigningScheme, claims: &Claims) -> Result<Timestamp, AttributeError> {
    let (required, forbidden) = match scheme {
        SigningScheme::X509 => (claims.signing_time, claims.authentic_signing_time),
        SigningScheme::SigningAuthority => (claims.authentic_signing_time, claims.signing_time),
    };
    let (attribute, other) = scheme.time_attributes();
    if forbidden.is_some() {
        return Err(AttributeError::TimeForbidden {
            scheme,
            attribute: other,
        });
    }
    required.ok_or(AttributeError::TimeMissing { scheme, attribute })
}

/// The extended attributes that are critical. Every attribute that must be critical has to be listed, and everything
/// else that is listed has to be an extended attribute, once.
fn critical_extended(scheme: SigningScheme, claims: &Claims) -> Result<BTreeSet<String>, AttributeError> {
    let mut listed = BTreeSet::new();
    for name in &claims.critical {
        if !listed.insert(name.clone()) {
            return Err(AttributeError::NotPresent(Foreign::new(name)));
        }
    }
    let mut mandatory = vec![names::SIGNING_SCHEME];
    mandatory.extend(claims.expiry.map(|_| names::EXPIRY));
    if scheme == SigningScheme::SigningAuthority {
        mandatory.push(names::AUTHENTIC_SIGNING_TIME);
    }
    for attribute in mandatory {
        if !listed.remove(attribute) {
            return Err(AttributeError::NotCritical { attribute });
        }
    }
    let absent = listed
        .iter()
        .find(|name| !claims.extended.iter().any(|(key, _)| key == *name));
    match absent {
        None => Ok(listed),
        Some(name) => Err(AttributeError::NotPresent(Foreign::new(name))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(scheme: SigningScheme) -> Claims {
        let time: Timestamp = "2025-03-01T12:00:00Z".parse().unwrap();
        let authority = scheme == SigningScheme::SigningAuthority;
        let mut critical = vec![names::SIGNING_SCHEME.to_owned()];
        critical.extend(authority.then(|| names::AUTHENTIC_SIGNING_TIME.to_owned()));
        Claims {
            content_type: MediaType::NOTARY_PAYLOAD.to_string(),
            critical,
            scheme: scheme.to_string(),
            signing_time: (!authority).then_some(time),
            authentic_signing_time: authority.then_some(time),
            expiry: None,
            extended: vec![("com.example.a".to_owned(), Value::Text("x".to_owned()))],
        }
    }

    /// The result for good claims of the scheme `notary.x509`, changed.
    fn changed(change: impl Fn(&mut Claims)) -> Result<SignedAttributes, AttributeError> {
        let mut claims = claims(SigningScheme::X509);
        change(&mut claims);
        SignedAttributes::check(claims)
    }

    #[test]
    fn both_schemes_hold_with_their_own_time() {
        for scheme in [SigningScheme::X509, SigningScheme::SigningAuthority] {
            let attributes = SignedAttributes::check(claims(scheme)).unwrap();
            assert_eq!(attributes.scheme(), scheme);
            assert_eq!(attributes.time().to_string(), "2025-03-01T12:00:00Z");
            let (attribute, other) = scheme.time_attributes();
            let mut without = claims(scheme);
            (without.signing_time, without.authentic_signing_time) = (None, None);
            assert_eq!(
                SignedAttributes::check(without),
                Err(AttributeError::TimeMissing { scheme, attribute })
            );
            let mut both = claims(scheme);
            both.signing_time = both.signing_time.or(both.authentic_signing_time);
            both.authentic_signing_time = both.signing_time;
            assert_eq!(
                SignedAttributes::check(both),
                Err(AttributeError::TimeForbidden {
                    scheme,
                    attribute: other
                })
            );
        }
    }

    #[test]
    fn extended_attributes_are_critical_when_listed() {
        let attributes = changed(|claims| claims.critical.push("com.example.a".to_owned())).unwrap();
        assert!(attributes.find("com.example.a").unwrap().critical);
        assert!(!changed(|_| {}).unwrap().extended()[0].critical);
    }

    #[test]
    fn what_must_be_critical_has_to_be_listed() {
        let not = |attribute| Err(AttributeError::NotCritical { attribute });
        assert_eq!(
            changed(|claims| claims.critical.clear()),
            not(names::SIGNING_SCHEME)
        );
        let expiry: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        assert_eq!(changed(|claims| claims.expiry = Some(expiry)), not(names::EXPIRY));
        let mut authority = claims(SigningScheme::SigningAuthority);
        authority.critical.pop();
        assert_eq!(
            SignedAttributes::check(authority),
            not(names::AUTHENTIC_SIGNING_TIME)
        );
    }

    #[test]
    fn only_present_extended_attributes_may_be_listed_besides_and_once() {
        for name in [
            "alg",
            "cty",
            "crit",
            names::SIGNING_TIME,
            names::EXPIRY,
            "com.example.b",
            "",
        ] {
            let result = changed(|claims| claims.critical.push(name.to_owned()));
            assert_eq!(
                result,
                Err(AttributeError::NotPresent(Foreign::new(name))),
                "{name}"
            );
        }
        let twice = changed(|claims| claims.critical.push(names::SIGNING_SCHEME.to_owned()));
        assert_eq!(
            twice,
            Err(AttributeError::NotPresent(Foreign::new(names::SIGNING_SCHEME)))
        );
    }

    #[test]
    fn an_expiry_lies_after_the_signing_time() {
        for (text, holds) in [
            ("2025-03-01T12:00:00Z", false),
            ("2025-03-01T11:59:59Z", false),
            ("2025-03-01T12:00:01Z", true),
        ] {
            let result = changed(|claims| {
                claims.expiry = Some(text.parse().unwrap());
                claims.critical.push(names::EXPIRY.to_owned());
            });
            assert_eq!(result.is_ok(), holds, "{text}");
        }
    }

    #[test]
    fn content_type_and_scheme_are_compared_exactly() {
        let upper = MediaType::NOTARY_PAYLOAD.as_str().to_uppercase();
        assert_eq!(
            changed(|claims| claims.content_type.clone_from(&upper)),
            Err(AttributeError::ContentType(Foreign::new(&upper)))
        );
        for scheme in ["", "notary.X509", "notary.x509 ", "notary.x509.signingauthority"] {
            let result = changed(|claims| scheme.clone_into(&mut claims.scheme));
            assert_eq!(result, Err(AttributeError::Scheme(Foreign::new(scheme))));
        }
    }
}
