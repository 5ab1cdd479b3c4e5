//! What accepted attestations have to say: read from the file that was named.

use std::path::Path;

use super::trust::Loaded;
use crate::base::failure::{Cause, Classified as _};
use crate::base::foreign::quote;
use crate::cli::TrustFiles;
use crate::domain::trust::expectation::Expectations;
use crate::edge::ci::read_named;
use crate::job::Trust;

/// The same trust, with what was named to be expected.
pub(super) fn held(named: &TrustFiles, loaded: Option<Loaded>) -> Result<Option<Loaded>, Cause> {
    let expectations = named.expect.as_deref().map(read).transpose()?;
    Ok(loaded.map(|loaded| Loaded {
        trust: Trust {
            expectations,
            ..loaded.trust
        },
        ..loaded
    }))
}

/// Reads an expectations file.
fn read(path: &Path) -> Result<Expectations, Cause> {
    let bytes = read_named(path).map_err(|error| Cause::of(&error))?;
    Expectations::read(&bytes).map_err(|error| Cause {
        class: error.class(),
        message: format!(
            "could not use the expectations {}: {error}",
            quote(&path.to_string_lossy())
        ),
        hint: Some(
            "docs/guides/verifying.md shows the form, docs/schemas/expectations-1.json defines it".to_owned(),
        ),
    })
}
