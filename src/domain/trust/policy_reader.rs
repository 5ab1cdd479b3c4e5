//! Reading trust policy documents, strictly and with the place of everything that is wrong.

use std::collections::{BTreeMap, BTreeSet};

use super::identity::TrustedIdentity;
use super::level::{Level, SignatureVerification};
use super::policy::{Entry, MemberError, PolicyError, PolicyWarning, SkipPolicy, TrustPolicy};
use super::scope::{RegistryScope, ScopeError};
use super::store_name::{StoreName, StoreNameError, StoreType};
use crate::base::foreign::{Foreign, obeyed};
use crate::base::json;
use crate::base::limits::Bounds;
use crate::base::tree::{Cursor, Object};

/// Policies in one document (ours).
const POLICIES: usize = 1_000;

/// Scopes of one policy (ours).
const SCOPES: usize = 1_000;

/// Trusted identities of one policy (ours; every pair of them is compared).
const IDENTITIES: usize = 200;

/// Trust stores that one document names (ours).
const STORES: usize = 100;

/// Reads the policies of a document, and what is odd about it.
pub(super) fn read(bytes: &[u8]) -> Result<(Vec<Entry>, Vec<PolicyWarning>), PolicyError> {
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
    let entries: Result<_, PolicyError> = policies.iter().map(|policy| reader.entry(policy)).collect();
    Ok((entries?, reader.warnings))
}

/// Refuses empty lists and lists that are too long.
fn bounded(cursor: &Cursor<'_>, found: usize, limit: usize, what: &'static str) -> Result<(), PolicyError> {
    match found {
        0 => Err(broken(cursor, MemberError::Empty(what))),
        found if found > limit => Err(broken(cursor, MemberError::TooMany { limit, found })),
        _ => Ok(()),
    }
}

fn warning(cursor: &Cursor<'_>, what: &'static str) -> PolicyWarning {
    PolicyWarning {
        path: cursor.path().to_owned(),
        at: cursor.position(),
        what,
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
    stores: BTreeSet<StoreName>,
}

impl Reader {
    fn unknown(&mut self, object: &Object<'_>, known: &[&str]) {
        let unknown = object.members().filter(|(key, _)| !known.contains(key));
        let warnings = unknown
            .map(|(_, value)| warning(&value, "the specification knows no such member; it has no effect"));
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
        if name.is_empty() || name.chars().any(obeyed) {
            return Err(cursor.error("a name of visible characters").into());
        }
        once(&mut self.names, name.to_owned(), cursor, "each policy name")?;
        Ok(name.to_owned())
    }

    fn scopes(&mut self, object: &Object<'_>) -> Result<Vec<RegistryScope>, PolicyError> {
        let entries = entries(object, "registryScopes", "registry scope", SCOPES)?;
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
        let entries = entries(object, "trustStores", "trust store", STORES)?;
        let mut stores: Vec<StoreName> = Vec::with_capacity(entries.len());
        for entry in &entries {
            let store: StoreName = entry
                .string()?
                .parse()
                .map_err(|error: StoreNameError| broken(entry, error))?;
            self.stores.insert(store.clone());
            if self.stores.len() > STORES {
                let (limit, found) = (STORES, self.stores.len());
                return Err(broken(entry, MemberError::TooMany { limit, found }));
            }
            stores.push(store);
        }
        if stores.iter().all(|store| store.kind() == StoreType::Tsa)
            && let Some(first) = entries.first()
        {
            let what = "a policy with timestamping stores alone never accepts a signature";
            self.warnings.push(warning(first, what));
        }
        Ok(stores)
    }

    fn identities(&mut self, object: &Object<'_>) -> Result<Vec<TrustedIdentity>, PolicyError> {
        let entries = entries(object, "trustedIdentities", "trusted identity", IDENTITIES)?;
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
                self.warnings.push(warning(entry, what));
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
    limit: usize,
) -> Result<Vec<Cursor<'a>>, PolicyError> {
    let list = object.required(name)?;
    let entries = if list.is_null() { Vec::new() } else { list.array()? };
    bounded(&list, entries.len(), limit, what)?;
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
