//! What accepted attestations have to say: read from the file that was named.

use std::path::Path;

use crate::base::failure::{Cause, Class, Classified as _};
use crate::base::foreign::quote;
use crate::base::pages::address;
use crate::cli::TrustFiles;
use crate::domain::provenance::Kind;
use crate::domain::trust::expectation::Expectations;
use crate::edge::ci::read_named;

/// What was named to be expected; none where nothing was.
pub(super) fn named(named: &TrustFiles) -> Result<Option<Expectations>, Cause> {
    let file = named.expect.as_deref().map(read).transpose()?;
    Ok(Expectations::and_minimum(file, named.minimum_build_level))
}

/// Refuses to expect a summary of the very verification that it would sum up.
pub(super) fn refuse_summary(expectations: Option<&Expectations>) -> Result<(), Cause> {
    match expectations {
        Some(all) if all.name_kind(Kind::Vsa) => Err(Cause {
            class: Class::Usage,
            message: "the expectations ask for a summary (type vsa), which this run attaches only after it found all of \
                      them met"
                .to_owned(),
            hint: Some("expect the summary in the gate that comes later, and what it rests on here".to_owned()),
        }),
        _ => Ok(()),
    }
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
        hint: Some(format!(
            "{} shows the form",
            address("docs/guides/verifying.md#attestations-and-what-you-expect-of-them")
        )),
    })
}
