//! The library's front door: whether one signature may count for one image is a pure function of the signature, the
//! image, a trust policy, a trust store and a moment. Nothing is fetched, no clock is read, no state is kept.
//!
//! ```sh
//! cargo run --example verify -- ENVELOPE.jws IMAGE-MANIFEST.json SCOPE TRUSTPOLICY.json ca:NAME ROOTS.pem
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write as _;

use countersign::base::time::Timestamp;
use countersign::domain::notary::{Envelope, EnvelopeFormat};
use countersign::domain::oci::{Digest, Manifest, MediaType};
use countersign::domain::trust::{
    Applicable, Evidence, Examination, Outcome, Requirements, TrustPolicyDocument, TrustStore, Verifier,
};
use countersign::domain::x509::read_certificates;
use countersign::seams::Clock;

/// Everything a judgement depends on, as bytes: what an admission controller has fetched, or keeps.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    /// The layer of the signature manifest, as the registry serves it.
    pub(crate) envelope: &'a [u8],
    /// The image's manifest, as the registry serves it.
    pub(crate) image: &'a [u8],
    /// The image's repository, `registry.example.com/team/web`.
    pub(crate) scope: &'a str,
    /// A trust policy document.
    pub(crate) policy: &'a [u8],
    /// The name of a trust store that the policy names, `ca:release`.
    pub(crate) store: &'a str,
    /// Its certificates, PEM or DER.
    pub(crate) roots: &'a [u8],
}

/// The judgement; `None` where the policy says not to look at this repository.
///
/// # Errors
/// Where a document cannot be read, or no policy speaks for the scope: that is a fault of the question, not a verdict.
pub(crate) fn judge(question: &Question<'_>, now: Timestamp) -> Result<Option<Outcome>, Box<dyn Error>> {
    let document = TrustPolicyDocument::parse(question.policy)?;
    let Applicable::Judge(policy) = document.applicable(question.scope)? else {
        return Ok(None);
    };
    let mut store = TrustStore::default();
    store.insert(question.store.parse()?, Ok(read_certificates(question.roots)?));
    let evidence = Evidence {
        manifest: Digest::of(question.envelope),
        envelope: Envelope::new(EnvelopeFormat::Jws, question.envelope.to_vec()),
    };
    let examination = Examination {
        evidence: &evidence,
        subject: &Manifest::parse(question.image.to_vec(), &MediaType::OCI_MANIFEST)?.descriptor(),
        policy,
        store: &store,
        requirements: &Requirements::default(),
        now,
        verifiers: &Verifier::built_in(),
    };
    // `questions()` says what AWS Signer has to be asked; without answers, revocation stays unknown.
    Ok(Some(examination.run().conclude(&BTreeMap::new())))
}

/// Judges files and says how every validation went.
///
/// # Errors
/// Where a file or a document cannot be read.
pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [envelope, image, scope, policy, store, roots] = arguments.as_slice() else {
        return Err("expected ENVELOPE IMAGE-MANIFEST SCOPE TRUSTPOLICY STORE-NAME ROOTS".into());
    };
    let read = |path: &String| std::fs::read(path);
    let (envelope, image, policy, roots) = (read(envelope)?, read(image)?, read(policy)?, read(roots)?);
    let question = Question {
        envelope: &envelope,
        image: &image,
        scope,
        policy: &policy,
        store,
        roots: &roots,
    };
    let mut out = std::io::stdout().lock();
    let Some(outcome) = judge(&question, Clock::System.now())? else {
        writeln!(out, "skipped by the policy")?;
        return Ok(());
    };
    for validation in outcome.validations() {
        let why = validation
            .result
            .why()
            .map(|why| format!(": {why}"))
            .unwrap_or_default();
        writeln!(
            out,
            "{} {} ({}){why}",
            validation.result.name(),
            validation.kind,
            validation.action
        )?;
    }
    match outcome {
        Outcome::Accepted(accepted) => {
            writeln!(out, "accepted: signed by {}", accepted.identity().quote())?;
            Ok(())
        }
        Outcome::Rejected(rejected) => Err(rejected.message().into()),
    }
}
