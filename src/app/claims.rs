//! What the attestation says: its claims, and when it was made.

use super::Scene;
use crate::base::failure::{Cause, Class};
use crate::base::time::Timestamp;
use crate::cli::{CliError, Origins, ProvenanceWish};
use crate::domain::provenance::BuildFacts;
use crate::job::Provenance;

/// What the provenance says: what was typed, else what the host's environment says, for which nobody vouches.
pub(super) fn provenance(
    wish: &ProvenanceWish,
    origins: &Origins,
    scene: &Scene<'_>,
) -> Result<Provenance, Cause> {
    let missing = |names: &[&str]| {
        let why = format!(
            "for provenance outside a known CI host; or give {} off",
            origins.spell("provenance")
        );
        let names: Vec<String> = names.iter().map(|name| origins.spell(name)).collect();
        let argument = names.join(" and ");
        Cause::of(&CliError::Missing { argument, why })
    };
    match wish {
        ProvenanceWish::Off => Ok(Provenance::Off),
        ProvenanceWish::Auto {
            builder: Some(builder),
            source: Some(source),
        } => {
            let facts = BuildFacts::manual(builder.clone(), source.clone());
            Ok(Provenance::Attach(Box::new(facts)))
        }
        ProvenanceWish::Auto {
            builder: None,
            source: None,
        } if let Some(host) = scene.host.facts(scene.environment) => {
            Ok(Provenance::Attach(Box::new(host.facts)))
        }
        ProvenanceWish::Auto { builder, source } => {
            let wanted = [("builder-id", builder.is_none()), ("source", source.is_none())];
            let names: Vec<&str> = wanted
                .iter()
                .filter_map(|(name, is_missing)| is_missing.then_some(*name))
                .collect();
            Err(missing(&names))
        }
    }
}

/// `SOURCE_DATE_EPOCH` (reproducible-builds.org): seconds since 1970.
pub(super) fn created(scene: &Scene<'_>) -> Result<Option<Timestamp>, Cause> {
    let text = scene.environment.get("SOURCE_DATE_EPOCH");
    let seconds = text.map(|text| text.parse::<u32>().map_err(|_| text)).transpose();
    let seconds = seconds.map_err(|text| Cause {
        class: Class::Usage,
        message: format!(
            "expected SOURCE_DATE_EPOCH to be seconds since 1970, found {}",
            crate::base::foreign::quote(text)
        ),
        hint: None,
    })?;
    Ok(seconds.map(|seconds| Timestamp::from_unix(i64::from(seconds))))
}
