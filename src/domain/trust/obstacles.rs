//! What the errors of other rooms mean for a signature: the reason they rank as, and the words they are reported in.

use super::aws::AwsRefusal;
use super::outcome::{Obstacle, Reason};
use super::verifier::VerifierError;
use crate::base::failure::Cause;
use crate::base::foreign::Foreign;
use crate::domain::notary::{EnvelopeError, SignedPayloadError};

/// An envelope that is not intact.
pub(super) fn of_envelope(error: &EnvelopeError) -> Obstacle {
    let reason = match error {
        EnvelopeError::Unsupported(_) => Reason::Unsupported,
        EnvelopeError::Signature(_) => Reason::Integrity,
        EnvelopeError::Chain(_) | EnvelopeError::Key(_) | EnvelopeError::Certificate { .. } => Reason::Chain,
        EnvelopeError::Document { .. }
        | EnvelopeError::Encoding { .. }
        | EnvelopeError::Attributes(_)
        | EnvelopeError::Algorithm { .. } => Reason::Malformed,
    };
    Obstacle::new(reason, Cause::of(error).message)
}

/// A payload that is about something else, or says something else.
pub(super) fn of_payload(error: SignedPayloadError) -> Obstacle {
    let message = Cause::of(&error).message;
    match error {
        SignedPayloadError::Document(_) => Obstacle::new(Reason::Malformed, message),
        SignedPayloadError::Target { expected, found } => {
            Obstacle::new(Reason::OtherSubject, message).expecting(expected, found)
        }
        SignedPayloadError::Metadata { expected, found, .. } => {
            let obstacle = Obstacle::new(Reason::Metadata, message);
            match found {
                None => obstacle,
                Some(found) => obstacle.expecting(Foreign::new(expected).quote().to_string(), found),
            }
        }
    }
}

/// A verifier that is not there.
pub(super) fn of_verifier(error: &VerifierError) -> Obstacle {
    Obstacle::new(Reason::Unsupported, error.to_string())
}

/// A signature that AWS Signer's rules cannot judge.
pub(super) fn of_aws(refusal: &AwsRefusal) -> Obstacle {
    let reason = match refusal {
        AwsRefusal::Wildcard => Reason::UntrustedIdentity,
        AwsRefusal::Scheme | AwsRefusal::AuthenticTime | AwsRefusal::Attribute(_) => Reason::Unsupported,
    };
    Obstacle::new(reason, refusal.to_string())
}
