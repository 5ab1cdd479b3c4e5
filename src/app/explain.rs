//! `countersign explain`: why an image counts as signed, or does not, decision by decision.

use super::asked::Named;
use super::watch::Watch;
use super::{Scene, said};
use crate::base::failure::{Cause, Class};
use crate::cli::{ExplainSettings, Format};
use crate::job::{self, ExplainJob};

pub(super) async fn explain(settings: &ExplainSettings, scene: &Scene<'_>) -> Result<u8, Cause> {
    let ExplainSettings { inspect, metadata } = settings;
    let named = Named::read(&inspect.asked, scene)?;
    let target = named.one()?.clone();
    let watch = Watch::new(scene);
    let services = named.open(&watch, scene)?;
    let loaded = named.trust(&services, scene).await?;
    let job = ExplainJob {
        target,
        trust: loaded.ok_or_else(nothing_to_judge_by)?.trust,
        metadata: metadata.clone(),
        repository: inspect.asked.repository.clone(),
        timeout: inspect.timeout,
    };
    let ended = watch
        .to_its_end(job::explain(&job, watch.backends(&services), scene.stop))
        .await?;
    let explanation = ended.map_err(|failure| failure.cause)?;
    let printed = match inspect.format {
        Format::Text => scene.writer.text(&explanation.text()),
        Format::Json => scene.writer.json(&explanation.json()),
    };
    let exit = explanation.conclusion().class.map_or(0, Class::exit_code);
    Ok(said(scene.writer, printed, exit))
}

fn nothing_to_judge_by() -> Cause {
    Cause {
        class: Class::Usage,
        message: "expected a trust policy to explain by, found none".to_owned(),
        hint: Some(
            "give --trust-policy and --trust-store, or the signer whose signatures are meant".to_owned(),
        ),
    }
}
