//! The trust policy document (trust store and trust policy specification, "Trust Policy", version 1.0).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::identity::{IdentityError, TrustedIdentity};
use super::level::SignatureVerification;
use super::policy_reader;
use super::scope::{RegistryScope, ScopeError};
use super::store_name::{StoreName, StoreNameError, StoreType};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::{Foreign, quote};
use crate::base::tree::{DocumentError, Position};

/// Scopes shown where none fits (ours).
const SCOPES_SHOWN: usize = 5;

/// Why a trust policy document cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The bytes are not a document of the right shape.
    #[error("not a trust policy document")]
    Document(#[from] DocumentError),
    /// A member that breaks a rule of the specification.
    #[error("{path}, line {}, column {}", at.line, at.column)]
    Member {
        /// The member, as `trustPolicies[1].trustStores[0]`.
        path: String,
        /// Where it stands.
        at: Position,
        /// The rule it breaks.
        #[source]
        problem: MemberError,
    },
    /// A place that cannot be a scope, so that no policy can speak for it.
    #[error("no trust policy can speak for this place")]
    Scope(#[from] ScopeError),
    /// No policy speaks for a place.
    #[error(
        "expected a trust policy whose registryScopes hold {}, found policies for {known}",
        wanted(scope)
    )]
    NoneApplies {
        /// The scope that was looked for; `*` where an image belongs to no registry.
        scope: RegistryScope,
        /// The scopes there are, the first few of them.
        known: String,
    },
}

fn wanted(scope: &RegistryScope) -> String {
    match scope {
        RegistryScope::Every => "\"*\" (the image belongs to no registry)".to_owned(),
        RegistryScope::Repository(repository) => format!("{} or \"*\"", repository.as_str()),
    }
}

impl Classified for PolicyError {
    fn class(&self) -> Class {
        Class::Usage
    }
}

/// The rule that a member of a trust policy breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// A trust store that is no name of one.
    #[error(transparent)]
    Store(#[from] StoreNameError),
    /// A trusted identity that is none.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A registry scope that is none.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// Something that may stand once in the document and stands twice.
    #[error("expected {what} once in the document, found {} also at {first}", found.quote())]
    Repeated {
        /// `each policy name`, `each registry scope`.
        what: &'static str,
        /// The text.
        found: Foreign,
        /// The member that has it too.
        first: String,
    },
    /// A wildcard beside other entries.
    #[error("expected \"*\" as the only entry, found it among {0}")]
    Wildcard(usize),
    /// An identity whose attributes all stand in another one, so that one of them is useless or misleading.
    #[error("expected identities of which none includes another, found it overlapping with {other}")]
    Overlap {
        /// The member it overlaps with.
        other: String,
    },
    /// Nothing where something is needed.
    #[error("expected at least one {0}, found none")]
    Empty(&'static str),
    /// More entries than allowed.
    #[error("expected at most {limit} entries, found {found}")]
    TooMany {
        /// Entries allowed.
        limit: usize,
        /// Entries found.
        found: usize,
    },
    /// Trust beside the level `skip`, which looks at nothing.
    #[error("expected no {0} beside the level \"skip\", which looks at nothing")]
    BesideSkip(&'static str),
    /// The level `skip` for everything.
    #[error(
        "expected another level than \"skip\" for the scope \"*\", which would leave every artifact unverified"
    )]
    SkipEverything,
}

/// Something in a trust policy document that does not stop it from being used but is hardly meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}, line {}, column {}: {what}", at.line, at.column)]
pub struct PolicyWarning {
    /// The member, as `trustPolicies[0].trustedIdentities[1]`.
    pub path: String,
    /// Where it stands.
    pub at: Position,
    /// What is odd about it.
    pub what: &'static str,
}

/// One policy of the document that has something judged: whose signatures count, and what is done with failures.
///
/// Its level is never `skip`, and it names at least one trust store and one identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustPolicy {
    pub(super) name: String,
    pub(super) scopes: Vec<RegistryScope>,
    pub(super) verification: SignatureVerification,
    pub(super) stores: Vec<StoreName>,
    pub(super) identities: Vec<TrustedIdentity>,
}

impl TrustPolicy {
    /// Its name; neutral text, but written by someone else.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it speaks for.
    pub fn scopes(&self) -> &[RegistryScope] {
        &self.scopes
    }

    /// Level and actions.
    pub fn verification(&self) -> &SignatureVerification {
        &self.verification
    }

    /// Every trust store it names, in the order written.
    pub fn stores(&self) -> &[StoreName] {
        &self.stores
    }

    /// The trust stores of one type.
    pub fn stores_of(&self, kind: StoreType) -> impl Iterator<Item = &StoreName> {
        self.stores.iter().filter(move |store| store.kind() == kind)
    }

    /// Whom it trusts.
    pub fn identities(&self) -> &[TrustedIdentity] {
        &self.identities
    }
}

/// One policy of the document whose level is `skip`: artifacts in its scopes are not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkipPolicy {
    pub(super) name: String,
    pub(super) scopes: Vec<RegistryScope>,
}

impl SkipPolicy {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it speaks for; never `*`.
    pub fn scopes(&self) -> &[RegistryScope] {
        &self.scopes
    }
}

/// What a document says about an artifact.
///
/// `Skip` is not acceptance: nothing was looked at, nothing may be called verified, and [`super::examine`] cannot be
/// asked, because it takes a [`TrustPolicy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applicable<'a> {
    /// Signatures are to be judged by this policy.
    Judge(&'a TrustPolicy),
    /// The policy says not to look.
    Skip(&'a SkipPolicy),
}

impl<'a> Applicable<'a> {
    /// The policy's name.
    pub fn name(self) -> &'a str {
        match self {
            Self::Judge(policy) => policy.name(),
            Self::Skip(policy) => policy.name(),
        }
    }

    /// What the policy speaks for.
    pub fn scopes(self) -> &'a [RegistryScope] {
        match self {
            Self::Judge(policy) => policy.scopes(),
            Self::Skip(policy) => policy.scopes(),
        }
    }
}

/// One policy of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Judge(TrustPolicy),
    Skip(SkipPolicy),
}

impl Entry {
    fn applicable(&self) -> Applicable<'_> {
        match self {
            Self::Judge(policy) => Applicable::Judge(policy),
            Self::Skip(policy) => Applicable::Skip(policy),
        }
    }
}

/// A trust policy document for OCI artifacts that keeps the specification's rules.
///
/// ```
/// use countersign::domain::trust::{Applicable, TrustPolicyDocument};
///
/// let text = br#"{ "version": "1.0", "trustPolicies": [ {
///     "name": "release",
///     "registryScopes": [ "registry.example.com/team/web" ],
///     "signatureVerification": { "level": "strict" },
///     "trustStores": [ "ca:release" ],
///     "trustedIdentities": [ "x509.subject: C=US, ST=WA, O=Acme" ] } ] }"#;
/// let document = TrustPolicyDocument::parse(text)?;
/// let Applicable::Judge(policy) = document.applicable("registry.example.com/team/web")? else { panic!() };
/// assert_eq!(policy.name(), "release");
/// assert!(document.applicable("registry.example.com/team").is_err());
/// # Ok::<(), countersign::domain::trust::PolicyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustPolicyDocument {
    entries: Vec<Entry>,
    warnings: Vec<PolicyWarning>,
}

impl TrustPolicyDocument {
    /// Reads a document; one bad policy in it makes the whole of it unusable.
    ///
    /// # Errors
    /// [`PolicyError`] that names line and member, what was found and what was expected.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        let (entries, warnings) = policy_reader::read(bytes)?;
        Ok(Self { entries, warnings })
    }

    /// Finds the policy for `registry/repository`: the one that names it, else the one for `*`. Pass `*` for an image
    /// that belongs to no registry. Names are compared byte by byte, whole.
    ///
    /// # Errors
    /// [`PolicyError::Scope`] and [`PolicyError::NoneApplies`].
    pub fn applicable(&self, scope: &str) -> Result<Applicable<'_>, PolicyError> {
        let scope: RegistryScope = scope.parse()?;
        let holding = |scope: &RegistryScope| {
            let mut policies = self.policies();
            policies.find(|policy| policy.scopes().contains(scope))
        };
        holding(&scope)
            .or_else(|| holding(&RegistryScope::Every))
            .ok_or_else(|| PolicyError::NoneApplies {
                known: self.known_scopes(),
                scope,
            })
    }

    /// Every policy, in the order written.
    pub fn policies(&self) -> impl Iterator<Item = Applicable<'_>> {
        self.entries.iter().map(Entry::applicable)
    }

    /// Every trust store that some policy names.
    pub fn stores(&self) -> BTreeSet<&StoreName> {
        let judged = self.entries.iter().filter_map(|entry| match entry {
            Entry::Judge(policy) => Some(policy.stores()),
            Entry::Skip(_) => None,
        });
        judged.flatten().collect()
    }

    /// What is odd about the document without making it unusable.
    pub fn warnings(&self) -> &[PolicyWarning] {
        &self.warnings
    }

    fn known_scopes(&self) -> String {
        let all: Vec<String> = self
            .policies()
            .flat_map(Applicable::scopes)
            .map(|scope| quote(&scope.to_string()).to_string())
            .collect();
        let more = all.len().saturating_sub(SCOPES_SHOWN);
        let mut shown = all.into_iter().take(SCOPES_SHOWN).collect::<Vec<_>>().join(", ");
        if more > 0 {
            let _ = write!(shown, " and {more} more");
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::failure::Cause;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn entry() -> Value {
        json!({
            "name": "release",
            "registryScopes": ["registry.example.com/web"],
            "signatureVerification": {"level": "strict"},
            "trustStores": ["ca:release"],
            "trustedIdentities": ["x509.subject: C=US, ST=WA, O=Acme"],
        })
    }

    fn document(entries: &[Value]) -> String {
        json!({"version": "1.0", "trustPolicies": entries}).to_string()
    }

    fn parse(text: &str) -> Result<TrustPolicyDocument, PolicyError> {
        TrustPolicyDocument::parse(text.as_bytes())
    }

    /// The message for a document of one entry in which one member is replaced.
    fn refusal(member: &str, value: Value) -> String {
        let mut changed = entry();
        changed[member] = value;
        let message = Cause::of(&parse(&document(&[changed])).unwrap_err()).message;
        // Where the member stands depends on how the test's text is laid out.
        let (place, rest) = message.split_once(", line 1, column ").unwrap();
        let (_, rest) = rest.split_once(": ").unwrap();
        format!("{place}: {rest}")
    }

    #[test]
    fn every_refusal_names_member_found_and_expected() {
        let cases = [
            (
                refusal("name", json!("")),
                "trustPolicies[0].name: expected a name of visible characters, found \"\"",
            ),
            (
                refusal("trustStores", json!(["ca:a", "CA:b"])),
                "trustPolicies[0].trustStores[1]: expected the type ca, signingAuthority or tsa in front of the colon, \
                 found \"CA\"",
            ),
            (
                refusal("trustStores", json!([])),
                "trustPolicies[0].trustStores: expected at least one trust store, found none",
            ),
            (
                refusal("trustStores", json!(["ca:.."])),
                "trustPolicies[0].trustStores[0]: expected a name of letters, digits, _ . and - (neither \".\" nor \
                 \"..\"), found \"..\"",
            ),
            (
                refusal("trustedIdentities", json!(["x509.subject: C=US, ST=WA"])),
                "trustPolicies[0].trustedIdentities[0]: not a distinguished name: expected the attributes C, ST and O \
                 with values, found no O",
            ),
            (
                refusal("trustedIdentities", json!(["*", "arn:x"])),
                "trustPolicies[0].trustedIdentities[0]: expected \"*\" as the only entry, found it among 2",
            ),
            (
                refusal(
                    "trustedIdentities",
                    json!([
                        "x509.subject: C=US,ST=WA,O=a,CN=b",
                        "x509.subject: C=US,ST=WA,O=a"
                    ]),
                ),
                "trustPolicies[0].trustedIdentities[1]: expected identities of which none includes another, found it \
                 overlapping with trustPolicies[0].trustedIdentities[0]",
            ),
            (
                refusal("registryScopes", json!(["example.com/a:tag"])),
                "trustPolicies[0].registryScopes[0]: expected registry/repository without scheme, tag or digest, or \
                 \"*\" alone, found \"example.com/a:tag\"",
            ),
            (
                refusal("registryScopes", json!(["example.com/a", "example.com/a"])),
                "trustPolicies[0].registryScopes[1]: expected each registry scope once in the document, found \
                 \"example.com/a\" also at trustPolicies[0].registryScopes[0]",
            ),
            (
                refusal("signatureVerification", json!({"level": "skip"})),
                "trustPolicies[0].trustStores: expected no trust stores beside the level \"skip\", which looks at \
                 nothing",
            ),
        ];
        for (found, expected) in cases {
            assert_eq!(
                found.trim_start_matches("not a trust policy document: "),
                expected
            );
        }
    }

    #[test]
    fn line_and_column_are_those_of_the_member() {
        let text = "{\n \"version\": \"1.0\",\n \"trustPolicies\": [{\n  \"name\": \"a\",\n  \"registryScopes\": [\"*\"],\n  \
                    \"signatureVerification\": {\"level\": \"strict\"},\n  \"trustStores\": [\n    \"ca:a\",\n    \
                    \"b\"\n  ]}]}";
        assert_eq!(
            Cause::of(&parse(text).unwrap_err()).message,
            "trustPolicies[0].trustStores[1], line 9, column 5: expected TYPE:NAME (as ca:release), found \"b\""
        );
    }

    #[test]
    fn documents_are_read_strictly() {
        let good = document(&[entry()]);
        assert!(parse(&good).is_ok());
        assert!(parse(&format!("{good} x")).is_err(), "trailing data");
        assert!(parse(&good.replace("\"1.0\"", "\"1.1\"")).is_err());
        assert!(parse(&good.replace("\"1.0\"", "1.0")).is_err());
        assert!(
            parse(&good.replace("\"version\":\"1.0\"", "\"version\":\"1.0\",\"version\":\"1.0\"")).is_err()
        );
        assert!(parse(&document(&[])).is_err());
        assert!(
            parse(&document(&[entry(), entry()])).is_err(),
            "the same name twice"
        );
        let mut bad = entry();
        bad["name"] = json!("bad");
        bad["registryScopes"] = json!(["nothing"]);
        assert!(
            parse(&document(&[entry(), bad])).is_err(),
            "one bad policy spoils all"
        );
    }

    #[test]
    fn what_is_odd_is_told_and_does_no_harm() {
        let mut odd = entry();
        odd["color"] = json!("red");
        odd["signatureVerification"]["strictness"] = json!(11);
        odd["trustStores"] = json!(["tsa:clock"]);
        odd["trustedIdentities"] = json!(["X509.subject:C=US", "arn:aws:signer:x"]);
        let document = parse(&document(&[odd])).unwrap();
        let paths: Vec<&str> = document
            .warnings()
            .iter()
            .map(|warning| warning.path.as_str())
            .collect();
        assert_eq!(
            paths,
            [
                "trustPolicies[0].color",
                "trustPolicies[0].signatureVerification.strictness",
                "trustPolicies[0].trustStores[0]",
                "trustPolicies[0].trustedIdentities[0]"
            ]
        );
    }

    #[test]
    fn the_exact_scope_wins_over_the_wildcard_and_nothing_else_fits() {
        let mut every = entry();
        every["name"] = json!("every");
        every["registryScopes"] = json!(["*"]);
        let mut skipped = json!({"name": "skipped", "registryScopes": ["registry.example.com/skip"]});
        skipped["signatureVerification"] = json!({"level": "skip"});
        let both = parse(&document(&[every, entry(), skipped.clone()])).unwrap();
        let name = |scope| both.applicable(scope).unwrap().name();
        assert_eq!(name("registry.example.com/web"), "release");
        assert_eq!(name("registry.example.com/web/x"), "every");
        assert_eq!(name("Registry.example.com/web"), "every");
        assert_eq!(name("*"), "every");
        let skip = both.applicable("registry.example.com/skip").unwrap();
        assert!(matches!(skip, Applicable::Skip(policy) if policy.name() == "skipped"));

        let one = parse(&document(&[entry()])).unwrap();
        assert_eq!(
            Cause::of(&one.applicable("registry.example.com/other").unwrap_err()).message,
            "expected a trust policy whose registryScopes hold registry.example.com/other or \"*\", found policies \
             for \"registry.example.com/web\""
        );
        assert!(one.applicable("*").is_err());
        assert!(matches!(one.applicable("nothing"), Err(PolicyError::Scope(_))));

        skipped["registryScopes"] = json!(["*"]);
        assert!(matches!(
            parse(&document(&[skipped])),
            Err(PolicyError::Member {
                problem: MemberError::SkipEverything,
                ..
            })
        ));
    }

    #[test]
    fn lists_are_bounded() {
        let many =
            |count: usize, text: &str| -> Value { (0..count).map(|n| json!(format!("{text}{n}"))).collect() };
        let too_many = [
            (
                "registryScopes",
                many(1_001, "example.com/r"),
                "at most 1000 entries, found 1001",
            ),
            (
                "trustedIdentities",
                many(201, "arn:"),
                "at most 200 entries, found 201",
            ),
            ("trustStores", many(101, "ca:"), "at most 100 entries, found 101"),
        ];
        for (member, value, words) in too_many {
            let refusal = refusal(member, value);
            assert!(refusal.ends_with(words), "{refusal}");
        }
        let spread = (0..101).map(|n| {
            let mut entry = entry();
            entry["name"] = json!(n.to_string());
            entry["registryScopes"] = json!([format!("example.com/r{n}")]);
            entry["trustStores"] = json!([format!("ca:{n}")]);
            entry
        });
        let error = parse(&document(&spread.collect::<Vec<_>>())).unwrap_err();
        assert!(
            Cause::of(&error)
                .message
                .ends_with("at most 100 entries, found 101")
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = TrustPolicyDocument::parse(&bytes);
        }

        #[test]
        fn no_change_of_a_member_panics(text in "\\PC{0,30}", member in 0..5usize) {
            let members = ["name", "registryScopes", "signatureVerification", "trustStores", "trustedIdentities"];
            for value in [json!(text), json!([text]), json!({"level": text})] {
                let mut changed = entry();
                changed[members[member]] = value;
                let _ = parse(&document(&[changed]));
            }
        }
    }
}
