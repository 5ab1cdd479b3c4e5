//! What signatures are held against: read from the files that were named, derived from the signer where none was.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Scene;
use super::derive::Deriving;
use crate::base::failure::{Cause, Class, Classified};
use crate::base::foreign::Foreign;
use crate::cli::{NOTATION, TrustFiles};
use crate::domain::oci::{Digest, Place, Repository};
use crate::domain::trust::{Applicable, DerivedTrust, TrustPolicyDocument, TrustStore};
use crate::edge::ci::{notation_directory, read_named};
use crate::edge::trust_files::{self, read_policy, read_store};
use crate::job::{GivenPolicy, Target, Trust, default_store, notation_files, policy_file};

/// Trust, and the files that say the same to another verifier.
pub(super) struct Loaded {
    pub(super) trust: Trust,
    pub(super) files: Vec<(PathBuf, Vec<u8>)>,
}

/// Where what was named is: `notation` means what Notation's configuration directory holds.
pub(super) fn located(named: &TrustFiles, scene: &Scene<'_>) -> Result<TrustFiles, Cause> {
    let asked = |path: &Option<PathBuf>| path.as_ref().is_some_and(|path| path.as_os_str() == NOTATION);
    let mut files = named.clone();
    if asked(&files.policy) || asked(&files.store) {
        let config = notation_directory(scene.environment).ok_or_else(nowhere)?;
        if asked(&files.policy) {
            files.policy = Some(trust_files::notation_policy(&config).map_err(|error| cause(&error))?);
        }
        if asked(&files.store) {
            files.store = Some(trust_files::notation_store(&config));
        }
    }
    Ok(files)
}

fn nowhere() -> Cause {
    Cause {
        class: Class::Usage,
        message: "expected NOTATION_CONFIG, XDG_CONFIG_HOME or HOME to find Notation's configuration by, found none"
            .to_owned(),
        hint: Some("set one of them, or give the files by their paths".to_owned()),
    }
}

/// Joins the files that were named with what follows from the signer and what is expected; none where nobody says whom
/// to trust.
pub(super) fn load(deriving: &Deriving<'_>, derived: Option<&DerivedTrust>) -> Result<Option<Loaded>, Cause> {
    let mut loaded = signers(deriving.named, derived, deriving.scopes)?;
    if let Some(loaded) = &mut loaded {
        loaded.trust.expectations = deriving.expectations.cloned();
    }
    Ok(loaded)
}

/// Whose signatures count.
fn signers(
    named: &TrustFiles,
    derived: Option<&DerivedTrust>,
    scopes: &[String],
) -> Result<Option<Loaded>, Cause> {
    match (&named.policy, &named.store, derived) {
        (Some(policy), store, derived) => given(policy, store.as_deref(), derived, scopes).map(Some),
        (None, None, None) => Ok(None),
        (None, None, Some(derived)) => Ok(Some(Loaded {
            trust: Trust::derived(derived),
            files: notation_files(policy_file(derived), derived.store()),
        })),
        (None, Some(path), Some(derived)) => {
            let store = read_store(path, derived.document()).map_err(|error| cause(&error))?;
            usable(path, &store, derived.document(), scopes)?;
            Ok(Some(Loaded {
                files: notation_files(policy_file(derived), &store),
                trust: Trust {
                    store,
                    ..Trust::derived(derived)
                },
            }))
        }
        (None, Some(_), None) => Err(Cause {
            class: Class::Usage,
            message: "expected trust-policy beside trust-store, found none".to_owned(),
            hint: Some("give trust-policy, or the signer whose policy is to be derived".to_owned()),
        }),
    }
}

fn given(
    path: &Path,
    store_path: Option<&Path>,
    derived: Option<&DerivedTrust>,
    scopes: &[String],
) -> Result<Loaded, Cause> {
    let policy = read_policy(path).map_err(|error| cause(&error))?;
    let bytes = read_named(path).map_err(|error| cause(&error))?;
    if Digest::of(&bytes) != policy.digest {
        return Err(Cause {
            class: Class::Usage,
            message: format!("the trust policy {} changed while it was read", path.display()),
            hint: None,
        });
    }
    let store = match store_path {
        Some(path) => read_store(path, &policy.document).map_err(|error| cause(&error))?,
        None => default_store(&policy.document, derived),
    };
    usable(store_path.unwrap_or(path), &store, &policy.document, scopes)?;
    let policy = GivenPolicy {
        name: Foreign::new(path.to_string_lossy()),
        digest: policy.digest,
        policy: policy.document,
    };
    Ok(Loaded {
        files: notation_files(bytes.to_vec(), &store),
        trust: Trust::given(policy, store, derived),
    })
}

/// Refuses stores that the policy for these scopes names and that cannot be used.
fn usable(
    path: &Path,
    store: &TrustStore,
    policy: &TrustPolicyDocument,
    scopes: &[String],
) -> Result<(), Cause> {
    for scope in scopes {
        if let Applicable::Judge(policy) = policy.applicable(scope).map_err(|error| cause(&error))? {
            trust_files::refuse_unusable(path, store, policy).map_err(|error| cause(&error))?;
        }
    }
    Ok(())
}

/// The scopes that the targets are judged in: their repositories; for a layout the one it is said to belong to, or `*`.
pub(super) fn scopes(targets: &[Target], given: Option<&Repository>) -> Vec<String> {
    let scope = |target: &Target| match target.image.place() {
        Place::Repository(repository) => repository.to_string(),
        Place::Layout(_) => given.map_or_else(|| "*".to_owned(), ToString::to_string),
    };
    let scopes: BTreeSet<String> = targets.iter().map(scope).collect();
    scopes.into_iter().collect()
}

fn cause(error: &impl Classified) -> Cause {
    Cause::of(error)
}
