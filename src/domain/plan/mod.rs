//! From what is wanted and what is there, decide what will be done, before anything is done.
//!
//! For: the plan of a run as a printable value, and the names of its steps.
//! Not for: doing any of it, or looking at a store; `job/` does both.
//! Speaks: nothing foreign.
//!
//! ```
//! use countersign::domain::oci::Digest;
//! use countersign::domain::plan::{Action, Found, FoundAttestation, Wanted, plan};
//!
//! let wanted = Wanted { sign: true, resign: false };
//! let provenance = FoundAttestation { what: "provenance".to_owned(), standing: None, older: vec![] };
//! let signature = Some(Digest::of(b"signature"));
//! let found = Found { digest: Digest::of(b"image"), signature, attestations: vec![provenance] };
//! let actions = plan(&found, wanted);
//! assert!(matches!(actions[0], Action::KeepSignature { .. }));
//! assert_eq!(actions[1], Action::Attest { what: "provenance".to_owned() });
//! ```

mod allow;
mod step;

pub use allow::{AllowList, Glob, GlobError, NotAllowed};
pub use step::Step;

use crate::domain::oci::Digest;

/// What a run wants of every image's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// A signature on the image itself.
    pub sign: bool,
    /// Sign even where a good signature stands.
    pub resign: bool,
}

/// What was found on one image, already judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The image.
    pub digest: Digest,
    /// A signature by our signer that the policy accepts.
    pub signature: Option<Digest>,
    /// For each attestation that is wanted, what is there of its kind.
    pub attestations: Vec<FoundAttestation>,
}

/// What is there of an attestation that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundAttestation {
    /// What people call it: `provenance`, `spdx`, …
    pub what: String,
    /// One that claims what we would claim, signed by our signer.
    pub standing: Option<Digest>,
    /// Others of the kind that our signer signed and the policy accepts.
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
    /// Attach a signed attestation.
    Attest {
        /// Which.
        what: String,
    },
    /// An attestation with the same claims stands.
    KeepAttestation {
        /// Which.
        what: String,
        /// The attestation.
        standing: Digest,
    },
    /// Delete another attestation of ours, once the one that replaces it is there.
    Remove {
        /// Which.
        what: String,
        /// The attestation.
        older: Digest,
    },
}

impl Action {
    /// Whether the action stores something that has to be read back.
    pub const fn writes(&self) -> bool {
        match self {
            Self::Sign | Self::SignAgain { .. } | Self::Attest { .. } => true,
            Self::KeepSignature { .. } | Self::KeepAttestation { .. } | Self::Remove { .. } => false,
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
            Self::Attest { what } => format!("attest: no {what} with these claims is there"),
            Self::KeepAttestation { what, standing } => {
                format!(
                    "keep the {what} {}: it makes the same claims and its signature is good",
                    standing.short()
                )
            }
            Self::Remove { what, older } => {
                format!(
                    "delete the {what} {}: it is by this signer, and another takes its place",
                    older.short()
                )
            }
        }
    }
}

/// Decides what to do for one image; nothing that is there and good is made twice.
pub fn plan(found: &Found, wanted: Wanted) -> Vec<Action> {
    let signature = wanted.sign.then(|| match &found.signature {
        None => Action::Sign,
        Some(standing) if wanted.resign => Action::SignAgain {
            standing: standing.clone(),
        },
        Some(standing) => Action::KeepSignature {
            standing: standing.clone(),
        },
    });
    let attested = found.attestations.iter().map(|found| match &found.standing {
        None => Action::Attest {
            what: found.what.clone(),
        },
        Some(standing) => Action::KeepAttestation {
            what: found.what.clone(),
            standing: standing.clone(),
        },
    });
    let kept = |digest: &Digest| {
        let mut standing = found.attestations.iter().map(|found| found.standing.as_ref());
        standing.any(|standing| standing == Some(digest))
    };
    let removed = found.attestations.iter().flat_map(|found| {
        let older = found.older.iter().filter(|older| !kept(older));
        older.map(|older| Action::Remove {
            what: found.what.clone(),
            older: older.clone(),
        })
    });
    signature.into_iter().chain(attested).chain(removed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted = Wanted {
        sign: true,
        resign: false,
    };

    fn found(signature: bool, provenance: bool) -> Found {
        Found {
            digest: Digest::of(b"image"),
            signature: signature.then(|| Digest::of(b"signature")),
            attestations: vec![FoundAttestation {
                what: "provenance".to_owned(),
                standing: provenance.then(|| Digest::of(b"provenance")),
                older: Vec::new(),
            }],
        }
    }

    #[test]
    fn a_second_run_plans_nothing() {
        let actions = plan(&found(true, true), WANTED);
        assert!(!actions.iter().any(Action::writes), "{actions:?}");
    }

    #[test]
    fn a_first_run_signs_and_attests() {
        let what = "provenance".to_owned();
        assert_eq!(
            plan(&found(false, false), WANTED),
            [Action::Sign, Action::Attest { what }]
        );
    }

    #[test]
    fn resign_signs_again_and_leaves_the_provenance() {
        let resign = Wanted {
            resign: true,
            ..WANTED
        };
        assert!(matches!(
            plan(&found(true, true), resign).as_slice(),
            [Action::SignAgain { .. }, Action::KeepAttestation { .. }]
        ));
    }

    #[test]
    fn what_is_older_is_removed_after_everything_else() {
        let mut found = found(true, false);
        let older = Digest::of(b"older");
        found.attestations[0].older = vec![older.clone()];
        let actions = plan(&found, WANTED);
        let what = "provenance".to_owned();
        assert_eq!(actions.last(), Some(&Action::Remove { what, older }));
    }

    #[test]
    fn what_is_not_wanted_is_left_alone() {
        let mut found = found(false, true);
        found.attestations.clear();
        assert_eq!(plan(&found, WANTED), [Action::Sign]);
        let unsigned = Wanted {
            sign: false,
            ..WANTED
        };
        assert_eq!(plan(&found, unsigned), []);
    }
}
