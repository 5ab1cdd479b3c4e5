//! What is expected of the build that a provenance tells of.

use super::{Lack, Pattern};
use crate::base::foreign::Foreign;
use crate::domain::provenance::{Attested, Member, Source};

/// What it is, in messages.
pub(super) const fn words(member: Member) -> &'static str {
    match member {
        Member::Builder => "its builder",
        Member::Source => "its source",
        Member::Ref => "its ref",
        Member::Commit => "its commit",
        Member::Workflow => "its workflow",
        Member::Event => "the event that started it",
        Member::RunnerEnvironment => "the runner it ran on",
    }
}

/// What is lacking where it is another.
pub(super) const fn lack(member: Member) -> Lack {
    match member {
        Member::Builder => Lack::Builder,
        Member::Source | Member::Ref | Member::Commit => Lack::Source,
        Member::Workflow | Member::Event | Member::RunnerEnvironment => Lack::Condition,
    }
}

/// Whether it fits.
///
/// # Errors
/// What is said instead; nothing where nothing is said.
pub(super) fn hold(member: Member, attested: &Attested, pattern: &Pattern) -> Result<(), Option<Foreign>> {
    match member.of(attested) {
        Some(text) if pattern.fits(text) => Ok(()),
        // A build by hand writes its commit behind the source's address.
        Some(text) if member == Member::Source && pattern.fits(without_commit(text)) => Ok(()),
        found => Err(found.map(Foreign::new)),
    }
}

/// A source's address without the commit that may stand behind it.
fn without_commit(text: &str) -> &str {
    let source: Option<Source> = text.parse().ok();
    let uri = source.as_ref().map_or(text.len(), |source| source.uri().len());
    text.get(..uri).unwrap_or(text)
}
