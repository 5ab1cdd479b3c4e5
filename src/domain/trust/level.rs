//! Verification levels and what they do with each validation (trust store and trust policy specification,
//! "Signature Verification details").

use std::fmt;

use crate::base::tree::{Cursor, DocumentError};

/// The five validations of a signature, named as the specification names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ValidationKind {
    /// The envelope is well-formed, its chain keeps the rules, its signature verifies.
    Integrity,
    /// The chain ends in a trusted certificate and the signer is a trusted identity.
    Authenticity,
    /// The signature was made while its certificates were valid.
    AuthenticTimestamp,
    /// The signature has not expired.
    Expiry,
    /// Nothing it rests on was revoked.
    Revocation,
}

impl ValidationKind {
    /// Every validation, in the order in which results are reported.
    pub const ALL: [Self; 5] = [
        Self::Integrity,
        Self::Authenticity,
        Self::Expiry,
        Self::AuthenticTimestamp,
        Self::Revocation,
    ];

    /// The name in policies and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Integrity => "integrity",
            Self::Authenticity => "authenticity",
            Self::AuthenticTimestamp => "authenticTimestamp",
            Self::Expiry => "expiry",
            Self::Revocation => "revocation",
        }
    }

    /// The actions that an `override` may give it; none for integrity.
    const fn overridable(self) -> &'static [Action] {
        match self {
            Self::Integrity => &[],
            Self::Authenticity | Self::AuthenticTimestamp | Self::Expiry => &[Action::Enforce, Action::Log],
            Self::Revocation => &[Action::Enforce, Action::Log, Action::Skip],
        }
    }
}

impl fmt::Display for ValidationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a policy does with the result of a validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A failure rejects the signature.
    Enforce,
    /// A failure is reported and nothing else.
    Log,
    /// The validation is not made.
    Skip,
}

impl Action {
    const ALL: [Self; 3] = [Self::Enforce, Self::Log, Self::Skip];

    /// The name in policies and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Log => "log",
            Self::Skip => "skip",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A named set of actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// Everything is enforced.
    Strict,
    /// Integrity and authenticity are enforced, the rest is logged.
    Permissive,
    /// Only integrity is enforced.
    Audit,
    /// Nothing is looked at.
    Skip,
}

impl Level {
    const ALL: [Self; 4] = [Self::Strict, Self::Permissive, Self::Audit, Self::Skip];

    /// The name in policies and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Permissive => "permissive",
            Self::Audit => "audit",
            Self::Skip => "skip",
        }
    }

    /// The specification's table of levels and actions.
    pub const fn action(self, kind: ValidationKind) -> Action {
        match (self, kind) {
            (Self::Skip, _) => Action::Skip,
            (Self::Strict, _)
            | (_, ValidationKind::Integrity)
            | (Self::Permissive, ValidationKind::Authenticity) => Action::Enforce,
            (Self::Permissive | Self::Audit, _) => Action::Log,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// When a timestamp countersignature is looked at, in a policy that names timestamping stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VerifyTimestamp {
    /// For every signature of the scheme `notary.x509`.
    #[default]
    Always,
    /// Only once a certificate of the chain has expired.
    AfterCertExpiry,
}

/// The member `signatureVerification` of a trust policy: its level, and the actions after its overrides.
///
/// ```
/// use countersign::base::{json, limits::Bounds};
/// use countersign::domain::trust::{Action, SignatureVerification, ValidationKind};
///
/// let text = br#"{"level": "strict", "override": {"expiry": "log"}}"#;
/// let document = json::read(text, Bounds::SMALL_DOCUMENT)?;
/// let verification = SignatureVerification::read(&document.cursor())?;
/// assert_eq!(verification.action(ValidationKind::Expiry), Action::Log);
/// assert_eq!(verification.action(ValidationKind::Revocation), Action::Enforce);
/// # Ok::<(), countersign::base::tree::DocumentError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureVerification {
    level: Level,
    overrides: Vec<(ValidationKind, Action)>,
    verify_timestamp: VerifyTimestamp,
}

impl SignatureVerification {
    /// Members that are known here; others are worth a warning.
    pub(super) const MEMBERS: [&'static str; 3] = ["level", "override", "verifyTimestamp"];

    /// Reads the member.
    ///
    /// # Errors
    /// [`DocumentError`] that names member and line, for an unknown level, validation or action, an action that the
    /// validation may not have, or an override of the level `skip`.
    pub fn read(cursor: &Cursor<'_>) -> Result<Self, DocumentError> {
        let object = cursor.object()?;
        let level = object.required("level")?;
        let level = named(&level, &Level::ALL, Level::name)?;
        let overrides = match object.optional("override").filter(|value| !value.is_null()) {
            None => Vec::new(),
            Some(overrides) => read_overrides(&overrides, level)?,
        };
        let verify_timestamp = match object.optional("verifyTimestamp") {
            None => VerifyTimestamp::Always,
            Some(value) => match value.string()? {
                "" | "always" => VerifyTimestamp::Always,
                "afterCertExpiry" => VerifyTimestamp::AfterCertExpiry,
                _ => return Err(value.error("\"always\" or \"afterCertExpiry\"")),
            },
        };
        Ok(Self {
            level,
            overrides,
            verify_timestamp,
        })
    }

    /// The named level.
    pub const fn level(&self) -> Level {
        self.level
    }

    /// What is done with the result of a validation.
    pub fn action(&self, kind: ValidationKind) -> Action {
        let overridden = self.overrides.iter().find(|(overridden, _)| *overridden == kind);
        overridden.map_or(self.level.action(kind), |(_, action)| *action)
    }

    /// When a timestamp countersignature is looked at.
    pub const fn verify_timestamp(&self) -> VerifyTimestamp {
        self.verify_timestamp
    }
}

fn read_overrides(cursor: &Cursor<'_>, level: Level) -> Result<Vec<(ValidationKind, Action)>, DocumentError> {
    let overrides = cursor.object()?;
    overrides
        .members()
        .map(|(key, value)| {
            if level == Level::Skip {
                return Err(cursor.error("no override beside the level \"skip\", which looks at nothing"));
            }
            let kind = ValidationKind::ALL
                .into_iter()
                .find(|kind| kind.name() == key && !kind.overridable().is_empty())
                .ok_or_else(|| {
                    value.error(
                        "an override of authenticity, authenticTimestamp, expiry or revocation (integrity is \
                         always enforced)",
                    )
                })?;
            let action = named(&value, &Action::ALL, Action::name)?;
            if kind.overridable().contains(&action) {
                Ok((kind, action))
            } else {
                Err(value.error(one_of(kind.overridable(), Action::name)))
            }
        })
        .collect()
}

/// Reads a string that is the exact name of one of some values.
fn named<T: Copy>(
    cursor: &Cursor<'_>,
    values: &[T],
    name: fn(T) -> &'static str,
) -> Result<T, DocumentError> {
    let text = cursor.string()?;
    let value = values.iter().copied().find(|value| name(*value) == text);
    value.ok_or_else(|| cursor.error(one_of(values, name)))
}

fn one_of<T: Copy>(values: &[T], name: fn(T) -> &'static str) -> String {
    let names: Vec<String> = values
        .iter()
        .map(|value| format!("\"{}\"", name(*value)))
        .collect();
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::json;
    use crate::base::limits::Bounds;

    fn read(text: &str) -> Result<SignatureVerification, DocumentError> {
        let document = json::read(text.as_bytes(), Bounds::SMALL_DOCUMENT)?;
        SignatureVerification::read(&document.cursor())
    }

    fn actions(text: &str) -> [Action; 5] {
        let verification = read(text).unwrap();
        ValidationKind::ALL.map(|kind| verification.action(kind))
    }

    fn refusal(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn levels_are_the_table_of_the_specification() {
        use Action::{Enforce, Log, Skip};
        assert_eq!(actions(r#"{"level":"strict"}"#), [Enforce; 5]);
        assert_eq!(
            actions(r#"{"level":"permissive"}"#),
            [Enforce, Enforce, Log, Log, Log]
        );
        assert_eq!(actions(r#"{"level":"audit"}"#), [Enforce, Log, Log, Log, Log]);
        assert_eq!(actions(r#"{"level":"skip"}"#), [Skip; 5]);
    }

    #[test]
    fn an_override_replaces_one_action() {
        use Action::{Enforce, Log, Skip};
        let text = r#"{"level":"audit","override":{"authenticity":"enforce","revocation":"skip"}}"#;
        assert_eq!(actions(text), [Enforce, Enforce, Log, Log, Skip]);
    }

    #[test]
    fn what_must_not_be_overridden_is_refused_by_name() {
        assert_eq!(
            refusal(r#"{"level":"strict","override":{"integrity":"log"}}"#),
            "override.integrity, line 1, column 43: expected an override of authenticity, authenticTimestamp, expiry \
             or revocation (integrity is always enforced), found \"log\""
        );
        assert_eq!(
            refusal(r#"{"level":"strict","override":{"expiry":"skip"}}"#),
            "override.expiry, line 1, column 40: expected \"enforce\" or \"log\", found \"skip\""
        );
        assert_eq!(
            refusal(r#"{"level":"skip","override":{"expiry":"log"}}"#),
            "override, line 1, column 28: expected no override beside the level \"skip\", which looks at nothing, \
             found an object"
        );
    }

    #[test]
    fn names_are_case_sensitive() {
        assert_eq!(
            refusal(r#"{"level":"Strict"}"#),
            "level, line 1, column 10: expected \"strict\", \"permissive\", \"audit\" or \"skip\", found \"Strict\""
        );
        assert!(read(r#"{"level":"strict","verifyTimestamp":"Always"}"#).is_err());
        assert_eq!(
            read(r#"{"level":"strict","verifyTimestamp":"afterCertExpiry"}"#)
                .unwrap()
                .verify_timestamp(),
            VerifyTimestamp::AfterCertExpiry
        );
    }
}
