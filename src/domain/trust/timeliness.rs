//! Whether a signature was made, and is judged, in time (trust store and trust policy specification, "Signature
//! Evaluation", expiry and authentic timestamp).

use super::level::VerifyTimestamp;
use super::outcome::{Obstacle, Reason};
use super::policy::TrustPolicy;
use super::store_name::StoreType;
use crate::base::failure::Cause;
use crate::base::foreign::Foreign;
use crate::base::time::Timestamp;
use crate::domain::notary::{IntactEnvelope, SigningScheme};
use crate::domain::x509::Chain;

/// A signature counts until the moment of its expiry, that moment not included.
pub(super) fn check_expiry(expiry: Option<Timestamp>, now: Timestamp) -> Result<(), Obstacle> {
    match expiry {
        Some(expiry) if now >= expiry => {
            let message = format!("it expired at {expiry}, and it is {now}");
            Err(Obstacle::new(Reason::Expired, message)
                .expecting(format!("an expiry after {now}"), Foreign::new(expiry.to_string())))
        }
        _ => Ok(()),
    }
}

/// A signing authority's time is believed: its certificates have to be valid then. Anyone else's certificates have to
/// be valid now, unless the policy wants a timestamp looked at.
pub(super) fn check_authentic_time(
    envelope: &IntactEnvelope,
    policy: &TrustPolicy,
    now: Timestamp,
) -> Result<(), Obstacle> {
    let chain = envelope.chain();
    match (envelope.scheme(), envelope.authentic_signing_time()) {
        (SigningScheme::SigningAuthority, Some(signed_at)) => {
            check_validity(chain, signed_at, "at the authentic signing time")
        }
        (SigningScheme::SigningAuthority, None) => Err(Obstacle::new(
            Reason::Malformed,
            "the signing authority states no authentic signing time",
        )),
        (SigningScheme::X509, _) => {
            refuse_timestamp(chain, policy, now)?;
            check_validity(chain, now, "now")
        }
    }
}

fn check_validity(chain: &Chain, moment: Timestamp, when: &str) -> Result<(), Obstacle> {
    chain.valid_at(moment).map_err(|error| {
        let why = Cause::of(&error).message;
        Obstacle::new(
            Reason::Expired,
            format!("a certificate of its chain is not valid {when}: {why}"),
        )
        .expecting(
            format!("certificates that are valid at {moment}"),
            Foreign::new(why),
        )
    })
}

/// Where the policy wants a timestamp countersignature (RFC 3161) looked at, nothing less will do.
fn refuse_timestamp(chain: &Chain, policy: &TrustPolicy, now: Timestamp) -> Result<(), Obstacle> {
    let Some(store) = policy.stores_of(StoreType::Tsa).next() else {
        return Ok(());
    };
    let expired = chain
        .certificates()
        .iter()
        .any(|certificate| certificate.not_after() < now);
    match policy.verification().verify_timestamp() {
        VerifyTimestamp::AfterCertExpiry if !expired => Ok(()),
        VerifyTimestamp::Always | VerifyTimestamp::AfterCertExpiry => Err(Obstacle::new(
            Reason::Unsupported,
            format!(
                "its timestamp would have to be verified against the trust store {store}: RFC 3161 timestamps \
                     are not supported yet"
            ),
        )),
    }
}
