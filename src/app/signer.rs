//! Whoever signs, and whoever knows what was revoked: closed sets, by data.

use std::path::{Path, PathBuf};

use super::Scene;
use crate::base::failure::{Cause, Class};
use crate::cli::KeyChoice;
use crate::domain::notary::{Expected, Payload};
use crate::domain::trust::{RevocationAnswer, RevocationQuestion};
use crate::edge::aws::revocation::SignerRevocation;
use crate::edge::aws::signing::SigningProfile;
use crate::edge::ci::{read_named, state_directory};
use crate::edge::local_key::LocalKey;
use crate::seams::{Clock, NotChecked, Revocation, SignError, Signature, Signer, SignerIdentity};

/// Whoever signs.
pub(super) enum AnySigner {
    LocalKey(Box<LocalKey>),
    Profile(Box<SigningProfile>),
}

impl Signer for AnySigner {
    fn identity(&self) -> &SignerIdentity {
        match self {
            Self::LocalKey(key) => key.identity(),
            Self::Profile(profile) => profile.identity(),
        }
    }

    fn expected(&self) -> Expected {
        match self {
            Self::LocalKey(key) => key.expected(),
            Self::Profile(profile) => profile.expected(),
        }
    }

    async fn sign(&self, payload: &Payload) -> Result<Signature, SignError> {
        match self {
            Self::LocalKey(key) => key.sign(payload).await,
            Self::Profile(profile) => profile.sign(payload).await,
        }
    }
}

/// Whoever knows what was revoked.
pub(super) enum AnyRevocation {
    Aws(Box<SignerRevocation>),
    NotChecked(NotChecked),
}

impl Revocation for AnyRevocation {
    async fn answer(&self, question: &RevocationQuestion) -> RevocationAnswer {
        match self {
            Self::Aws(service) => service.answer(question).await,
            Self::NotChecked(nobody) => nobody.answer(question).await,
        }
    }
}

/// Reads the local key, or makes it.
pub(super) fn local_key(choice: &KeyChoice, scene: &Scene<'_>) -> Result<LocalKey, Cause> {
    let read = |name: &str, path: &Path| read_named(path).map_err(|error| Cause::of(&error).within(name));
    match choice {
        KeyChoice::Files {
            key: Some(key),
            chain,
        } => {
            let (pem, certificates) = (read("local-key", key)?, read("local-chain", chain)?);
            LocalKey::read(&pem, &certificates, Clock::System).map_err(|error| {
                let (cause, key, chain) = (Cause::of(&error), key.display(), chain.display());
                let message = format!("could not sign with {key} and {chain}: {}", cause.message);
                Cause { message, ..cause }
            })
        }
        KeyChoice::Files { key: None, .. } | KeyChoice::Made => {
            LocalKey::kept(&state(scene)?, Clock::System).map_err(|error| Cause::of(&error))
        }
    }
}

/// Where the CA that was made once is kept.
pub(super) fn state(scene: &Scene<'_>) -> Result<PathBuf, Cause> {
    state_directory(scene.environment).ok_or_else(|| Cause {
        class: Class::Usage,
        message: "expected HOME or XDG_STATE_HOME to keep the local CA in, found neither".to_owned(),
        hint: Some("set one of them, or give local-key and local-chain".to_owned()),
    })
}
