//! `countersign targets`: list what would be acted on.

use super::{Scene, images, said};
use crate::base::failure::Cause;
use crate::cli::{TargetsFormat, TargetsSettings};
use crate::job::{list_targets, targets_json, targets_matrix, targets_text};

pub(super) fn targets(settings: &TargetsSettings, scene: &Scene<'_>) -> Result<u8, Cause> {
    let named = images::read(&settings.images, settings.repository.as_ref(), scene)?;
    let targets = list_targets(named.naming()).map_err(|error| Cause::of(&error))?;
    let printed = match settings.format {
        TargetsFormat::Text => scene.writer.text(&targets_text(&targets)),
        TargetsFormat::Json => scene.writer.json(&targets_json(&targets)),
        TargetsFormat::Matrix => scene.writer.json(&targets_matrix(&targets)),
    };
    Ok(said(scene.writer, printed, 0))
}
