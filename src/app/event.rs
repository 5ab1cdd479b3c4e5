//! Whether the event that runs us may sign, and what is said where it may not.

use super::publish::Finished;
use super::{Scene, images};
use crate::base::failure::{Cause, Class};
use crate::cli::{ProvenanceWish, RunSettings, Untrusted};
use crate::domain::report::{Finding, Rule, RunReport, TargetReport, TargetState, Verdict};
use crate::edge::ci::Standing;

/// None where the event may sign; else what is left behind instead.
pub(super) fn may_sign(settings: &RunSettings, scene: &Scene<'_>) -> Result<Option<Finished>, Cause> {
    match (scene.host.standing(scene.environment), settings.untrusted) {
        (Standing::Trusted, _) => Ok(None),
        (Standing::Refused(cause), _) => Err(cause),
        (Standing::Untrusted(why), Untrusted::Refuse) => Err(Cause {
            class: Class::Refused,
            message: format!("this event may not sign: {why}"),
            hint: Some("sign in a workflow that a push or a release starts".to_owned()),
        }),
        (Standing::Untrusted(why), Untrusted::Skip) => {
            scene.writer.warning(&format!("nothing is signed: {why}"));
            skipped(settings, why, scene).map(Some)
        }
    }
}

/// The images that would have been signed, and why none is.
fn skipped(settings: &RunSettings, why: &str, scene: &Scene<'_>) -> Result<Finished, Cause> {
    let asked = &settings.asked;
    let targets = images::asked(asked, scene)?;
    let mut finished = Finished::empty("run", Verdict::SkippedUntrusted);
    finished.report.targets = targets
        .into_iter()
        .map(|target| TargetReport {
            image: target.named,
            repository: target.image.place().to_string(),
            digest: None,
            platforms: Vec::new(),
            state: TargetState::Planned,
            plan: vec![format!("nothing: {why}")],
            signatures: Vec::new(),
            attestations: Vec::new(),
            tree: None,
        })
        .collect();
    Ok(finished)
}

/// Says so where this run made a provenance from the environment alone.
pub(super) fn say_unverified(report: &mut RunReport, settings: &RunSettings, scene: &Scene<'_>) {
    let from_host = settings.provenance
        == ProvenanceWish::Auto {
            builder: None,
            source: None,
        };
    let made = report
        .targets
        .iter()
        .flat_map(|target| &target.attestations)
        .any(|attestation| attestation.made_now && attestation.is_provenance());
    if from_host && made && scene.host.facts(scene.environment).is_some() {
        let mut finding = Finding::new(
            Rule::ProvenanceUnverifiedClaims,
            "every field of the provenance was taken from the environment, which any step of the job can change: \
             this version does not check the host's OIDC token",
        );
        finding.fix = Some(
            "Expect no more of this provenance than its builder id says. Nothing in the job is to be mended."
                .to_owned(),
        );
        report.findings.push(finding);
    }
}
