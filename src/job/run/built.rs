//! When an image was built, by its configuration: what an attestation says of its own time where nobody gave one and the
//! image is not signed, so that the same document gives the same bytes however often it is attached.

use crate::base::failure::Cause;
use crate::base::json;
use crate::base::limits::{Bounds, MANIFEST_BYTES};
use crate::base::time::Timestamp;
use crate::domain::oci::{Descriptor, Manifest, ManifestView};
use crate::job::resolve::Unit;
use crate::seams::ReadStore;

/// The `created` of a unit's configuration (OCI image specification 1.1, `config.md`), of an index that of its first
/// platform; none where it says nothing that is a time.
///
/// # Errors
/// The store's: what cannot be read now can be read later, and would give other bytes then.
pub(super) async fn built(store: &impl ReadStore, unit: &Unit) -> Result<Option<Timestamp>, Cause> {
    let place = unit.subject.place();
    let first = match (unit.manifest.view(), unit.children.first()) {
        (ManifestView::Index(_), Some(child)) => {
            let read = store.manifest(place, child).await;
            Some(read.map_err(|error| Cause::of(&error))?)
        }
        _ => None,
    };
    let Some(config) = configuration(first.as_ref().unwrap_or(&unit.manifest)) else {
        return Ok(None);
    };
    let bytes = store.blob(place, config, MANIFEST_BYTES).await;
    Ok(created(&bytes.map_err(|error| Cause::of(&error))?))
}

fn configuration(manifest: &Manifest) -> Option<&Descriptor> {
    match manifest.view() {
        ManifestView::Image(image) => image.config.as_ref(),
        ManifestView::Index(_) => None,
    }
    .filter(|config| config.size <= MANIFEST_BYTES as u64)
}

fn created(config: &[u8]) -> Option<Timestamp> {
    let document = json::read(config, Bounds::MANIFEST).ok()?;
    let created = document.cursor().pointer("/created")?;
    created
        .string()
        .ok()?
        .parse::<Timestamp>()
        .ok()
        .map(Timestamp::whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_says_when_it_was_made_or_nothing() {
        let at = |text: &str| created(text.as_bytes()).map(|time| time.to_string());
        let made = r#"{"created":"2026-02-03T04:05:06.789Z","config":{}}"#;
        assert_eq!(at(made).as_deref(), Some("2026-02-03T04:05:06Z"));
        for other in ["{}", "[]", "", "<html>", r#"{"created":""}"#, r#"{"created":7}"#] {
            assert_eq!(at(other), None, "{other}");
        }
    }
}
