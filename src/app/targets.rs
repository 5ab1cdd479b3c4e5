//! `countersign targets`: list what would be acted on.

use super::{Scene, said};
use crate::base::failure::Cause;
use crate::cli::{TargetsFormat, TargetsSettings};
use crate::job::{list_targets, targets_json, targets_matrix, targets_text};

pub(super) fn targets(settings: &TargetsSettings, scene: &Scene<'_>) -> Result<u8, Cause> {
    let texts = settings
        .images
        .iter()
        .map(|text| (text.place.as_str(), text.text.as_str()));
    let targets = list_targets(texts).map_err(|error| Cause::of(&error))?;
    let printed = match settings.format {
        TargetsFormat::Text => scene.writer.text(&targets_text(&targets)),
        TargetsFormat::Json => scene.writer.json(&targets_json(&targets)),
        TargetsFormat::Matrix => scene.writer.json(&targets_matrix(&targets)),
    };
    Ok(said(scene.writer, printed, 0))
}
