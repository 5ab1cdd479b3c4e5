//! Verifiers that are built in, in place of the verification plugins that signatures name (trust store and trust
//! policy specification, "Extended Validation").

use super::semver::{Version, VersionError};
use crate::base::foreign::Foreign;
use crate::base::time::Timestamp;
use crate::base::tree::Value;
use crate::domain::notary::names::{VERIFICATION_PLUGIN, VERIFICATION_PLUGIN_MIN_VERSION};
use crate::domain::notary::{AWS_PLUGIN, ExtendedAttribute, IntactEnvelope, SigningScheme, names};

/// What a verifier is told about a signature: the signed attributes, nothing from outside the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims<'a> {
    /// The scheme.
    pub scheme: SigningScheme,
    /// When a signing authority says it signed.
    pub authentic_signing_time: Option<Timestamp>,
    /// The attributes beyond those that the specification defines, those for plugins included.
    pub attributes: &'a [ExtendedAttribute],
}

impl<'a> Claims<'a> {
    /// What an intact envelope claims.
    pub fn of(envelope: &'a IntactEnvelope) -> Self {
        Self {
            scheme: envelope.scheme(),
            authentic_signing_time: envelope.authentic_signing_time(),
            attributes: envelope.extended_attributes(),
        }
    }

    /// The text of an attribute.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        text(self.attribute(name)?)
    }

    fn attribute(&self, name: &str) -> Option<&'a ExtendedAttribute> {
        self.attributes.iter().find(|attribute| attribute.key == name)
    }
}

fn text(attribute: &ExtendedAttribute) -> Option<&str> {
    match &attribute.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// A verifier that is built in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    name: &'static str,
    /// The release of the plugin that it equals.
    pub version: Version,
    /// The attributes it takes into account; a critical one that does not stand here is refused by name. Whoever wants
    /// to accept signatures made through aliases of signing profiles adds [`names::AWS_PROFILE_ALIAS`]: the profile
    /// version that the signature states still has to be trusted.
    pub processed: Vec<String>,
}

impl Verifier {
    /// Every verifier there is.
    pub fn built_in() -> Vec<Self> {
        vec![Self::aws_signer()]
    }

    /// The plugin of AWS Signer, as of release 1.0.350 (aws-signer-notation-plugin).
    pub fn aws_signer() -> Self {
        Self {
            name: AWS_PLUGIN,
            version: Version::release(1, 0, 350),
            processed: vec![names::AWS_PROFILE_VERSION.to_owned(), names::AWS_JOB.to_owned()],
        }
    }

    /// The plugin's name, as signatures state it.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// Why no built-in verifier can judge a signature that asks for one; no level of a policy excuses it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifierError {
    /// The plugin attributes have to be critical.
    #[error("expected the attribute {0} marked critical, found it optional")]
    NotCritical(&'static str),
    /// The plugin attributes have to be text.
    #[error("expected a text in the attribute {0}, found something else")]
    NotText(&'static str),
    /// A blank name.
    #[error("expected the name of a plugin in the attribute {VERIFICATION_PLUGIN}, found {}", .0.quote())]
    Blank(Foreign),
    /// A plugin that is not built in.
    #[error("the signature wants to be verified by the plugin {}, which is not supported", .0.quote())]
    Unknown(Foreign),
    /// A minimum version of nothing.
    #[error(
        "expected the attribute {VERIFICATION_PLUGIN} beside {VERIFICATION_PLUGIN_MIN_VERSION}, found none"
    )]
    NoPlugin,
    /// A minimum version that is none.
    #[error("the attribute {VERIFICATION_PLUGIN_MIN_VERSION}: {0}")]
    Version(VersionError),
    /// A minimum version above ours.
    #[error("the signature needs {name} {needed} or later; the built-in verifier equals {version}")]
    TooOld {
        /// The plugin.
        name: &'static str,
        /// The version that the built-in verifier equals.
        version: String,
        /// The version that the signature asks for.
        needed: String,
    },
    /// A critical attribute that nobody takes into account.
    #[error("the signature holds the critical attribute {}, which is not supported{}", .0.quote(), remark(.0))]
    Unprocessed(Foreign),
}

/// What an attribute that is known by name only would mean.
fn remark(attribute: &Foreign) -> &'static str {
    if attribute.raw() == names::AWS_PROFILE_ALIAS {
        " (it was signed through an alias of an AWS Signer profile)"
    } else {
        ""
    }
}

/// Finds the verifier that a signature asks for; none when the rules of the specification alone decide.
///
/// # Errors
/// [`VerifierError`] where a signature asks for what is not there.
pub fn wanted<'v>(
    claims: Claims<'_>,
    verifiers: &'v [Verifier],
) -> Result<Option<&'v Verifier>, VerifierError> {
    let name = critical_text(claims, VERIFICATION_PLUGIN)?;
    let minimum = critical_text(claims, VERIFICATION_PLUGIN_MIN_VERSION)?;
    let Some(name) = name else {
        return minimum.map_or(Ok(None), |_| Err(VerifierError::NoPlugin));
    };
    if name.trim().is_empty() {
        return Err(VerifierError::Blank(Foreign::new(name)));
    }
    let known = verifiers.iter().find(|verifier| verifier.name == name);
    let verifier = known.ok_or_else(|| VerifierError::Unknown(Foreign::new(name)))?;
    if let Some(minimum) = minimum {
        let needed: Version = minimum.parse().map_err(VerifierError::Version)?;
        if verifier.version < needed {
            return Err(VerifierError::TooOld {
                name: verifier.name,
                version: verifier.version.to_string(),
                needed: needed.to_string(),
            });
        }
    }
    Ok(Some(verifier))
}

fn critical_text<'c>(claims: Claims<'c>, name: &'static str) -> Result<Option<&'c str>, VerifierError> {
    let Some(attribute) = claims.attribute(name) else {
        return Ok(None);
    };
    if !attribute.critical {
        return Err(VerifierError::NotCritical(name));
    }
    text(attribute).map(Some).ok_or(VerifierError::NotText(name))
}

/// Refuses a critical attribute that neither the plugin rules nor the verifier take into account (signature
/// specification, "Extended attributes": an unknown critical attribute fails the verification).
///
/// # Errors
/// [`VerifierError::Unprocessed`] with the first one.
pub fn refuse_unprocessed(claims: Claims<'_>, verifier: Option<&Verifier>) -> Result<(), VerifierError> {
    let known = |name: &str| {
        name == VERIFICATION_PLUGIN
            || name == VERIFICATION_PLUGIN_MIN_VERSION
            || verifier.is_some_and(|verifier| verifier.processed.iter().any(|known| known == name))
    };
    let mut critical = claims.attributes.iter().filter(|attribute| attribute.critical);
    match critical.find(|attribute| !known(&attribute.key)) {
        None => Ok(()),
        Some(attribute) => Err(VerifierError::Unprocessed(Foreign::new(&attribute.key))),
    }
}
