//! What is asked about, and what it is judged by: the same for every command that reads what hangs on an image.

use std::path::PathBuf;

use crate::base::foreign::Foreign;
use crate::cli::args::{ExpectArgs, ImagesArgs, KeyArgs, ServiceArgs, SignerArgs, TrustArgs, WhoArgs};
use crate::cli::error::CliError;
use crate::cli::images::{ImageText, images};
use crate::cli::origin::{Naming, Origins};
use crate::cli::services::{ServiceSettings, services};
use crate::cli::words::SignerKind;
use crate::domain::oci::Repository;
use crate::job::BuildLevel;

/// What is asked about, and what it is judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The images.
    pub images: Vec<ImageText>,
    /// A layout's repository.
    pub repository: Option<Repository>,
    /// The local key; none where AWS Signer is meant, or what was given as trust.
    pub key: Option<KeyChoice>,
    /// AWS and registries.
    pub services: ServiceSettings,
    /// What is trusted.
    pub trust: TrustFiles,
}

impl Asked {
    /// The same, with what accepted attestations have to say.
    pub(in crate::cli) fn expecting(self, args: ExpectArgs) -> Self {
        let trust = TrustFiles {
            expect: args.expect,
            ..self.trust
        };
        Self { trust, ..self }
    }

    /// The same, with the build level that an accepted provenance has to support.
    pub(in crate::cli) fn at_least(self, minimum_build_level: Option<BuildLevel>) -> Self {
        let trust = TrustFiles {
            minimum_build_level,
            ..self.trust
        };
        Self { trust, ..self }
    }
}

/// The local key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyChoice {
    /// The CA made once on this machine.
    Made,
    /// Files; the key is none where only the chain is needed.
    Files {
        /// The private key, PEM.
        key: Option<PathBuf>,
        /// The chain, PEM.
        chain: PathBuf,
    },
}

/// The word that stands for what Notation's own configuration holds, in place of a path.
pub const NOTATION: &str = "notation";

/// Files that say what is trusted and expected; what is none is derived from the signer. A path [`NOTATION`] is no path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustFiles {
    /// Trust policy file.
    pub policy: Option<PathBuf>,
    /// PEM file or truststore directory.
    pub store: Option<PathBuf>,
    /// Expectations file; never derived.
    pub expect: Option<PathBuf>,
    /// The build level that an accepted provenance has to support.
    pub minimum_build_level: Option<BuildLevel>,
}

/// What a command does with the signer that is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Need {
    /// It signs.
    Signing,
    /// It judges, by a policy that is given or follows from the signer.
    Judging,
    /// It judges where there is something to judge by.
    Listing,
}

/// Checks what belongs together.
pub(in crate::cli) fn asked(
    named: ImagesArgs,
    who: WhoArgs,
    (service, trust): (ServiceArgs, TrustArgs),
    need: Need,
    origins: &Origins,
) -> Result<Asked, CliError> {
    let images = images(&named, origins)?;
    let key = signer_key(&who.signer, who.key, need == Need::Signing, origins)?;
    let no_signer = key.is_none() && who.signer.signing_profile.is_none();
    match need {
        Need::Signing if no_signer => {
            let local = origins.spell_with("signer", "local");
            let instead = format!("say {local} to sign with a key of your own");
            return Err(no_profile(origins, &instead));
        }
        Need::Judging if no_signer && trust.trust_policy.is_none() => {
            let (local, policy) = (
                origins.spell_with("signer", "local"),
                origins.spell("trust-policy"),
            );
            let instead = format!("say {local} to check against your own key, or give {policy}");
            return Err(no_profile(origins, &instead));
        }
        Need::Signing | Need::Judging | Need::Listing => {}
    }
    for (name, path) in [
        ("trust-policy", &trust.trust_policy),
        ("trust-store", &trust.trust_store),
    ] {
        if path.as_ref().is_some_and(|path| path.as_os_str() == NOTATION)
            && origins.naming() == Naming::Inputs
        {
            return Err(CliError::Value {
                argument: origins.spell(name),
                problem:
                    "expected the path of a file: as an action nothing is looked for in the configuration of \
                          Notation, since any earlier step can write it"
                        .to_owned(),
                value: Some(Foreign::new(NOTATION)),
            });
        }
    }
    Ok(Asked {
        images,
        repository: named.repository,
        key,
        services: services(&who.signer, service, origins)?,
        trust: TrustFiles {
            policy: trust.trust_policy,
            store: trust.trust_store,
            expect: None,
            minimum_build_level: None,
        },
    })
}

fn no_profile(origins: &Origins, instead: &str) -> CliError {
    CliError::Missing {
        argument: origins.spell("signing-profile"),
        why: format!("the signing profile of AWS Signer; or {instead}"),
    }
}

/// The local key, or none where AWS Signer is meant.
fn signer_key(
    signer: &SignerArgs,
    args: KeyArgs,
    signs: bool,
    origins: &Origins,
) -> Result<Option<KeyChoice>, CliError> {
    let stray = [("local-key", &args.local_key), ("local-chain", &args.local_chain)];
    match signer.signer {
        SignerKind::Local => key(args, signs, origins).map(Some),
        SignerKind::Aws => match stray.iter().find(|(_, file)| file.is_some()) {
            Some((name, _)) => Err(CliError::Together {
                first: origins.spell(name),
                second: format!("{} aws", origins.spell("signer")),
                why: "a key file is for the signer local",
            }),
            None => Ok(None),
        },
    }
}

/// The local key.
pub(in crate::cli) fn key(args: KeyArgs, signs: bool, origins: &Origins) -> Result<KeyChoice, CliError> {
    match (args.local_key, args.local_chain) {
        (None, None) => Ok(KeyChoice::Made),
        (Some(_), None) => Err(CliError::Missing {
            argument: origins.spell("local-chain"),
            why: "the certificates of the key".to_owned(),
        }),
        (None, Some(_)) if signs => Err(CliError::Missing {
            argument: origins.spell("local-key"),
            why: "the private key of the chain".to_owned(),
        }),
        (key, Some(chain)) => Ok(KeyChoice::Files { key, chain }),
    }
}
