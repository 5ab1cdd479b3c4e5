//! Whether the event that runs us may sign, and what is said where it may not.

use super::publish::Finished;
use super::{Scene, images};
use crate::base::failure::{Cause, Class};
use crate::cli::{RunSettings, Untrusted};
use crate::domain::report::{TargetReport, TargetState, Verdict};
use crate::edge::ci::Standing;

/// None where the event may sign; else what is left behind instead.
pub(super) fn may_sign(
    command: &'static str,
    settings: &RunSettings,
    scene: &Scene<'_>,
) -> Result<Option<Finished>, Cause> {
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
            skipped(command, settings, why, scene).map(Some)
        }
    }
}

/// The images that would have been signed, and why none is.
fn skipped(
    command: &'static str,
    settings: &RunSettings,
    why: &str,
    scene: &Scene<'_>,
) -> Result<Finished, Cause> {
    let asked = &settings.asked;
    let targets = images::asked(asked, scene)?;
    let mut finished = Finished::empty(command, Verdict::SkippedUntrusted);
    finished.report.targets = targets
        .into_iter()
        .map(|target| TargetReport {
            image: target.named,
            repository: target.image.place().to_string(),
            digest: None,
            platforms: Vec::new(),
            platform: None,
            state: TargetState::Planned,
            plan: vec![format!("nothing: {why}")],
            signatures: Vec::new(),
            attestations: Vec::new(),
            expectations: Vec::new(),
            binding: None,
            tree: None,
            attested_only: false,
        })
        .collect();
    Ok(finished)
}
