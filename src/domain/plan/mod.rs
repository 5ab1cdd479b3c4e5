//! From what is wanted and what is there, decide what will be done, before anything is done.
//!
//! For: the plan of a run as a printable value, and the names of its steps.
//! Not for: doing any of it, or looking at a store; `job/` does both.
//! Speaks: nothing foreign.
//!
//! ```
//! use countersign::domain::oci::Digest;
//! use countersign::domain::plan::{Action, Found, Wanted, plan};
//!
//! let wanted = Wanted { resign: false, provenance: true };
//! let found = Found { digest: Digest::of(b"image"), signature: Some(Digest::of(b"signature")), provenance: None, older: vec![] };
//! let actions = plan(&found, wanted);
//! assert!(matches!(actions[0], Action::KeepSignature { .. }));
//! assert_eq!(actions[1], Action::Attest);
//! ```

mod allow;
mod step;

pub use allow::{AllowList, Glob, GlobError, NotAllowed};
pub use step::Step;

use crate::domain::oci::Digest;

/// What a run wants of every image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Sign even where a good signature stands.
    pub resign: bool,
    /// Attach a provenance.
    pub provenance: bool,
}

/// What was found on one image, already judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The image.
    pub digest: Digest,
    /// A signature by our signer that the policy accepts.
    pub signature: Option<Digest>,
    /// A provenance that claims what we would claim, signed by our signer.
    pub provenance: Option<Digest>,
    /// Other provenances that our signer signed and the policy accepts.
    pub older: Vec<Digest>,
}

/// One thing to do, or to leave, for one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Sign the image and store the signature.
    Sign,
    /// Sign although a good signature stands, because `resign` asks for it.
    SignAgain {
        /// The signature that stands.
        standing: Digest,
    },
    /// A good signature stands.
    KeepSignature {
        /// The signature.
        standing: Digest,
    },
    /// Attach a signed provenance.
    Attest,
    /// A provenance with the same claims stands.
    KeepProvenance {
        /// The attestation.
        standing: Digest,
    },
    /// Delete another provenance of ours, once the one that replaces it is there.
    Remove {
        /// The attestation.
        older: Digest,
    },
}

impl Action {
    /// Whether the action stores something that has to be read back.
    pub const fn writes(&self) -> bool {
        match self {
            Self::Sign | Self::SignAgain { .. } | Self::Attest => true,
            Self::KeepSignature { .. } | Self::KeepProvenance { .. } | Self::Remove { .. } => false,
        }
    }

    /// The action and its reason, in words.
    pub fn explain(&self) -> String {
        match self {
            Self::Sign => "sign: no acceptable signature by this signer is there".to_owned(),
            Self::SignAgain { standing } => {
                format!(
                    "sign again: resign was asked for, though {} is good",
                    standing.short()
                )
            }
            Self::KeepSignature { standing } => {
                format!(
                    "keep the signature {}: it is by this signer and still acceptable",
                    standing.short()
                )
            }
            Self::Attest => "attest: no provenance with these claims is there".to_owned(),
            Self::KeepProvenance { standing } => {
                format!(
                    "keep the provenance {}: it makes the same claims and its signature is good",
                    standing.short()
                )
            }
            Self::Remove { older } => {
                format!(
                    "delete the provenance {}: it is by this signer, and another takes its place",
                    older.short()
                )
            }
        }
    }
}

/// Decides what to do for one image; nothing that is there and good is made twice.
pub fn plan(found: &Found, wanted: Wanted) -> Vec<Action> {
    let signature = match &found.signature {
        None => Action::Sign,
        Some(standing) if wanted.resign => Action::SignAgain {
            standing: standing.clone(),
        },
        Some(standing) => Action::KeepSignature {
            standing: standing.clone(),
        },
    };
    let provenance = wanted.provenance.then(|| match &found.provenance {
        None => Action::Attest,
        Some(standing) => Action::KeepProvenance {
            standing: standing.clone(),
        },
    });
    let removed = found.older.iter().filter(|_| wanted.provenance).cloned();
    let removed = removed.map(|older| Action::Remove { older });
    std::iter::once(signature)
        .chain(provenance)
        .chain(removed)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(signature: bool, provenance: bool) -> Found {
        Found {
            digest: Digest::of(b"image"),
            signature: signature.then(|| Digest::of(b"signature")),
            provenance: provenance.then(|| Digest::of(b"provenance")),
            older: Vec::new(),
        }
    }

    #[test]
    fn a_second_run_plans_nothing() {
        let actions = plan(
            &found(true, true),
            Wanted {
                resign: false,
                provenance: true,
            },
        );
        assert!(!actions.iter().any(Action::writes), "{actions:?}");
    }

    #[test]
    fn a_first_run_signs_and_attests() {
        let wanted = Wanted {
            resign: false,
            provenance: true,
        };
        assert_eq!(plan(&found(false, false), wanted), [Action::Sign, Action::Attest]);
    }

    #[test]
    fn resign_signs_again_and_leaves_the_provenance() {
        let actions = plan(
            &found(true, true),
            Wanted {
                resign: true,
                provenance: true,
            },
        );
        assert!(matches!(
            actions.as_slice(),
            [Action::SignAgain { .. }, Action::KeepProvenance { .. }]
        ));
    }

    #[test]
    fn what_is_older_is_removed_only_where_something_takes_its_place() {
        let mut found = found(true, true);
        found.older = vec![Digest::of(b"older")];
        let mut wanted = Wanted {
            resign: false,
            provenance: true,
        };
        let actions = plan(&found, wanted);
        assert!(matches!(actions.last(), Some(Action::Remove { older }) if *older == Digest::of(b"older")));
        wanted.provenance = false;
        assert_eq!(plan(&found, wanted).len(), 1);
    }

    #[test]
    fn provenance_off_leaves_attestations_alone() {
        let wanted = Wanted {
            resign: false,
            provenance: false,
        };
        assert_eq!(plan(&found(false, true), wanted), [Action::Sign]);
    }
}
