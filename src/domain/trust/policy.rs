//! The trust policy document (trust store and trust policy specification, "Trust Policy", version 1.0).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::identity::{IdentityError, TrustedIdentity};
use super::level::{Level, SignatureVerification};
use super::scope::{RegistryScope, ScopeError};
use super::store_name::{StoreName, StoreNameError, StoreType};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::{Foreign, quote};
use crate::base::json;
use crate::base::limits::Bounds;
use crate::base::tree::{Cursor, DocumentError, Object, Position};

/// Policies in one document (ours).
const POLICIES: usize = 1_000;

/// Entries in one list of a policy (ours; every pair of identities is compared).
const ENTRIES: usize = 1_000;

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

impl PolicyWarning {
    fn at(cursor: &Cursor<'_>, what: &'static str) -> Self {
        Self {
            path: cursor.path().to_owned(),
            at: cursor.position(),
            what,
        }
    }
}

/// One policy of the document that has something judged: whose signatures count, and what is done with failures.
///
/// Its level is never `skip`, and it names at least one trust store and one identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustPolicy {
    name: String,
    scopes: Vec<RegistryScope>,
    verification: SignatureVerification,
    stores: Vec<StoreName>,
    identities: Vec<TrustedIdentity>,
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
    name: String,
    scopes: Vec<RegistryScope>,
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

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
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
        let document = json::read(bytes, Bounds::SMALL_DOCUMENT)?;
        let top = document.cursor().object()?;
        let version = top.required("version")?;
        if version.string()? != "1.0" {
            return Err(version.error("the version \"1.0\"").into());
        }
        let mut reader = Reader::default();
        reader.unknown(&top, &["version", "trustPolicies"]);
        let list = top.required("trustPolicies")?;
        let policies = list.array()?;
        bounded(&list, policies.len(), POLICIES, "trust policy")?;
        let entries = policies
            .iter()
            .map(|policy| reader.entry(policy))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            entries,
            warnings: reader.warnings,
        })
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

/// Refuses empty lists and lists that are too long.
fn bounded(cursor: &Cursor<'_>, found: usize, limit: usize, what: &'static str) -> Result<(), PolicyError> {
    match found {
        0 => Err(broken(cursor, MemberError::Empty(what))),
        found if found > limit => Err(broken(cursor, MemberError::TooMany { limit, found })),
        _ => Ok(()),
    }
}

fn broken(cursor: &Cursor<'_>, problem: impl Into<MemberError>) -> PolicyError {
    PolicyError::Member {
        path: cursor.path().to_owned(),
        at: cursor.position(),
        problem: problem.into(),
    }
}

/// Reads policies one after the other, remembering what may stand only once.
#[derive(Default)]
struct Reader {
    warnings: Vec<PolicyWarning>,
    names: BTreeMap<String, String>,
    scopes: BTreeMap<RegistryScope, String>,
}

impl Reader {
    fn unknown(&mut self, object: &Object<'_>, known: &[&str]) {
        let unknown = object.members().filter(|(key, _)| !known.contains(key));
        let warnings = unknown.map(|(_, value)| {
            PolicyWarning::at(&value, "the specification knows no such member; it has no effect")
        });
        self.warnings.extend(warnings);
    }

    fn entry(&mut self, cursor: &Cursor<'_>) -> Result<Entry, PolicyError> {
        let object = cursor.object()?;
        self.unknown(
            &object,
            &[
                "name",
                "registryScopes",
                "signatureVerification",
                "trustStores",
                "trustedIdentities",
            ],
        );
        let name = self.name(&object.required("name")?)?;
        let member = object.required("signatureVerification")?;
        self.unknown(&member.object()?, &SignatureVerification::MEMBERS);
        let verification = SignatureVerification::read(&member)?;
        if verification.level() == Level::Skip {
            refuse_trust_beside_skip(&object)?;
            let scopes = self.scopes(&object)?;
            if scopes.contains(&RegistryScope::Every) {
                return Err(broken(&member, MemberError::SkipEverything));
            }
            return Ok(Entry::Skip(SkipPolicy { name, scopes }));
        }
        Ok(Entry::Judge(TrustPolicy {
            name,
            stores: self.stores(&object)?,
            identities: self.identities(&object)?,
            scopes: self.scopes(&object)?,
            verification,
        }))
    }

    fn name(&mut self, cursor: &Cursor<'_>) -> Result<String, PolicyError> {
        let name = cursor.string()?;
        if name.is_empty() {
            return Err(cursor.error("a name").into());
        }
        once(&mut self.names, name.to_owned(), cursor, "each policy name")?;
        Ok(name.to_owned())
    }

    fn scopes(&mut self, object: &Object<'_>) -> Result<Vec<RegistryScope>, PolicyError> {
        let entries = entries(object, "registryScopes", "registry scope")?;
        let mut scopes = Vec::with_capacity(entries.len());
        for entry in &entries {
            let scope: RegistryScope = entry
                .string()?
                .parse()
                .map_err(|error: ScopeError| broken(entry, error))?;
            if scope == RegistryScope::Every && entries.len() > 1 {
                return Err(broken(entry, MemberError::Wildcard(entries.len())));
            }
            once(&mut self.scopes, scope.clone(), entry, "each registry scope")?;
            scopes.push(scope);
        }
        Ok(scopes)
    }

    fn stores(&mut self, object: &Object<'_>) -> Result<Vec<StoreName>, PolicyError> {
        let entries = entries(object, "trustStores", "trust store")?;
        let stores: Vec<StoreName> = entries
            .iter()
            .map(|entry| {
                let store = entry.string()?.parse();
                store.map_err(|error: StoreNameError| broken(entry, error))
            })
            .collect::<Result<_, _>>()?;
        if stores.iter().all(|store| store.kind() == StoreType::Tsa)
            && let Some(first) = entries.first()
        {
            let what = "a policy with timestamping stores alone never accepts a signature";
            self.warnings.push(PolicyWarning::at(first, what));
        }
        Ok(stores)
    }

    fn identities(&mut self, object: &Object<'_>) -> Result<Vec<TrustedIdentity>, PolicyError> {
        let entries = entries(object, "trustedIdentities", "trusted identity")?;
        let mut identities: Vec<TrustedIdentity> = Vec::with_capacity(entries.len());
        for entry in &entries {
            let text = entry.string()?;
            let identity = TrustedIdentity::parse(text).map_err(|error| broken(entry, error))?;
            if identity == TrustedIdentity::Any && entries.len() > 1 {
                return Err(broken(entry, MemberError::Wildcard(entries.len())));
            }
            refuse_overlap(entry, &entries, &identity, &identities)?;
            if matches!(identity, TrustedIdentity::Other(_)) && !text.starts_with("arn:") {
                let what =
                    "no signature matches an identity of this prefix (x509.subject: and arn: are known)";
                self.warnings.push(PolicyWarning::at(entry, what));
            }
            identities.push(identity);
        }
        Ok(identities)
    }
}

/// The entries of a mandatory list; `null` is as absent as Go's writers mean it.
fn entries<'a>(
    object: &Object<'a>,
    name: &'static str,
    what: &'static str,
) -> Result<Vec<Cursor<'a>>, PolicyError> {
    let list = object.required(name)?;
    let entries = if list.is_null() { Vec::new() } else { list.array()? };
    bounded(&list, entries.len(), ENTRIES, what)?;
    Ok(entries)
}

/// Notes something that may stand once in a document.
fn once<K: Ord + std::fmt::Display>(
    seen: &mut BTreeMap<K, String>,
    key: K,
    cursor: &Cursor<'_>,
    what: &'static str,
) -> Result<(), PolicyError> {
    if let Some(first) = seen.get(&key) {
        let problem = MemberError::Repeated {
            what,
            found: Foreign::new(key.to_string()),
            first: first.clone(),
        };
        return Err(broken(cursor, problem));
    }
    seen.insert(key, cursor.path().to_owned());
    Ok(())
}

/// Refuses a subject that includes, or is included in, an earlier one.
fn refuse_overlap(
    entry: &Cursor<'_>,
    entries: &[Cursor<'_>],
    identity: &TrustedIdentity,
    earlier: &[TrustedIdentity],
) -> Result<(), PolicyError> {
    let Some(name) = identity.subject() else {
        return Ok(());
    };
    let overlaps = |other: &TrustedIdentity| {
        let other = other.subject();
        other.is_some_and(|other| name.is_subset_of(other) || other.is_subset_of(name))
    };
    match earlier.iter().position(overlaps) {
        None => Ok(()),
        Some(index) => {
            let other = entries.get(index).map(|other| other.path().to_owned());
            let other = other.unwrap_or_default();
            Err(broken(entry, MemberError::Overlap { other }))
        }
    }
}

fn refuse_trust_beside_skip(object: &Object<'_>) -> Result<(), PolicyError> {
    for (name, what) in [
        ("trustStores", "trust stores"),
        ("trustedIdentities", "trusted identities"),
    ] {
        if let Some(list) = object.optional(name).filter(|list| !list.is_null())
            && !list.array()?.is_empty()
        {
            return Err(broken(&list, MemberError::BesideSkip(what)));
        }
    }
    Ok(())
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
                "trustPolicies[0].name: expected a name, found \"\"",
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
        let many: Vec<String> = (0..=ENTRIES).map(|n| format!("example.com/r{n}")).collect();
        assert!(
            refusal("registryScopes", json!(many)).ends_with("expected at most 1000 entries, found 1001")
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
