//! Whether a signature is by someone trusted: an anchor for its chain, and the right signer (trust store and trust
//! policy specification, "Signature Evaluation", authenticity).

use super::identity::{Mismatch, TrustedIdentity};
use super::outcome::{Obstacle, Reason};
use super::policy::TrustPolicy;
use super::store_name::StoreType;
use super::trust_store::TrustStore;
use crate::base::failure::Cause;
use crate::base::foreign::{Foreign, quote};
use crate::domain::notary::SigningScheme;
use crate::domain::x509::{Certificate, Chain, Thumbprint};

/// Identities listed in a message (ours).
const IDENTITIES_SHOWN: usize = 5;

/// Which stores may anchor the chains of a scheme; never those of another, so that a holder of an ordinary certificate
/// cannot claim the believed time of a signing authority.
pub(super) const fn store_type(scheme: SigningScheme) -> StoreType {
    match scheme {
        SigningScheme::X509 => StoreType::Ca,
        SigningScheme::SigningAuthority => StoreType::SigningAuthority,
    }
}

/// Looks for a certificate of the chain, byte for byte, among the stores of the right type that the policy names. One
/// store of them that cannot be used makes all of them useless.
pub(super) fn check_anchor(
    chain: &Chain,
    scheme: SigningScheme,
    policy: &TrustPolicy,
    store: &TrustStore,
) -> Result<(), Obstacle> {
    let kind = store_type(scheme);
    let mut named = Vec::new();
    let mut anchored = false;
    for name in policy.stores_of(kind) {
        let certificates = store.certificates(name).map_err(|error| {
            let why = Cause::of(&error).message;
            Obstacle::new(
                Reason::UntrustedRoot,
                format!("the trust store {name} cannot be used: {why}"),
            )
        })?;
        anchored |= chain
            .certificates()
            .iter()
            .any(|certificate| certificates.contains(certificate));
        named.push(name.to_string());
    }
    let root = Foreign::new(chain.root().subject().to_string());
    if anchored {
        Ok(())
    } else if named.is_empty() {
        let message = format!(
            "the policy {} names no trust store of the type {kind}, which the signature's scheme needs",
            quote(policy.name())
        );
        Err(Obstacle::new(Reason::UntrustedRoot, message))
    } else {
        let message = format!(
            "its chain up to {} holds no certificate of the trust store {}",
            root.quote(),
            named.join(" or ")
        );
        Err(Obstacle::new(Reason::UntrustedRoot, message).expecting(
            format!("a certificate of the trust store {}", named.join(" or ")),
            root,
        ))
    }
}

/// Looks for an identity of the policy that the leaf's subject matches.
pub(super) fn check_subject(leaf: &Certificate, identities: &[TrustedIdentity]) -> Result<(), Obstacle> {
    let found = Foreign::new(leaf.subject().to_string());
    match TrustedIdentity::matching(identities, leaf.subject()) {
        Ok(_) => Ok(()),
        Err(Mismatch::None) => Err(not_trusted(found, identities)),
        Err(Mismatch::NoSubjects) => {
            let message = format!(
                "its signer {} cannot be matched: {}",
                found.quote(),
                Mismatch::NoSubjects
            );
            Err(Obstacle::new(Reason::UntrustedIdentity, message)
                .expecting("an identity x509.subject in the policy", found))
        }
        Err(Mismatch::Unnamed(error)) => {
            let message = format!(
                "its signer {} can be matched by no x509.subject: {error}",
                found.quote()
            );
            Err(Obstacle::new(Reason::UntrustedIdentity, message).expecting(listed(identities), found))
        }
    }
}

/// A signer that is none of the trusted identities.
pub(super) fn not_trusted(found: Foreign, identities: &[TrustedIdentity]) -> Obstacle {
    let message = format!(
        "its signer {} is none of the policy's trusted identities",
        found.quote()
    );
    Obstacle::new(Reason::UntrustedIdentity, message).expecting(listed(identities), found)
}

/// The identities of a policy for a message, the first few of them.
fn listed(identities: &[TrustedIdentity]) -> String {
    let shown: Vec<String> = identities
        .iter()
        .take(IDENTITIES_SHOWN)
        .map(|identity| quote(&identity.to_string()).to_string())
        .collect();
    let more = identities.len().saturating_sub(shown.len());
    let more = if more == 0 {
        String::new()
    } else {
        format!(" or {more} more")
    };
    format!("{}{more}", shown.join(" or "))
}

/// Holds the leaf to a certificate that a caller requires.
pub(super) fn check_signer(leaf: &Certificate, required: Option<&Thumbprint>) -> Result<(), Obstacle> {
    match required {
        Some(required) if leaf.thumbprint() != *required => {
            let found = Foreign::new(leaf.thumbprint().to_string());
            let message = format!("it was signed with another certificate than {required}");
            Err(Obstacle::new(Reason::UntrustedIdentity, message)
                .expecting(format!("the certificate {required}"), found))
        }
        _ => Ok(()),
    }
}
