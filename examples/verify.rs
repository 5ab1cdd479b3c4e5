//! The library's front door: whether one signature may count for one image is a pure function of the signature, the
//! image, a trust policy, a trust store and a moment. Nothing is fetched, no clock is read, no state is kept.
//!
//! ```sh
//! cargo run --example verify -- DIGEST IMAGE-MANIFEST.json SCOPE ENVELOPE.jws TRUSTPOLICY.json ca:NAME ROOTS.pem
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{Write as _, stdout};

use countersign::base::time::Timestamp;
use countersign::domain::trust::{Outcome, Question};
use countersign::seams::Clock;

/// Who signed, where the signature is accepted; an error that says why, where it is refused.
pub(crate) fn judge(arguments: &[String], now: Timestamp) -> Result<String, Box<dyn Error>> {
    let [digest, image, scope, envelope, policy, store, roots] = arguments else {
        return Err("expected DIGEST IMAGE SCOPE ENVELOPE TRUSTPOLICY STORE ROOTS".into());
    };
    let (image, envelope) = (fs::read(image)?, fs::read(envelope)?);
    let (policy, roots) = (fs::read(policy)?, fs::read(roots)?);
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let question = Question {
        digest,
        media_type,
        image: &image,
        scope,
        envelope: &envelope,
        policy: &policy,
        store,
        roots: &roots,
    };
    let pending = question
        .examine(now)?
        .ok_or("the policy says to skip this repository")?;
    // `pending.questions()` says what AWS Signer has to be asked; without answers, revocation stays unknown.
    match pending.conclude(&BTreeMap::new()) {
        Outcome::Accepted(accepted) => Ok(format!("accepted: signed by {}", accepted.identity().quote())),
        Outcome::Rejected(rejected) => Err(rejected.message().into()),
    }
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    Ok(writeln!(stdout(), "{}", judge(&arguments, Clock::System.now())?)?)
}
