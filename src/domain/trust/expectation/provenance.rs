//! What is expected of the build that a provenance tells of.

use super::{Lack, Pattern};
use crate::base::foreign::Foreign;
use crate::domain::provenance::{Attested, Member, Source, Statement};

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

/// The part of a builder's URI that says that everything in the provenance came from the job's environment
/// (`docs/decisions/0013-a-builder-id-for-the-environment.md`).
const FROM_ENVIRONMENT: &str = "#environment";

/// The SLSA build level that a signed provenance alone supports, and why not a higher one (SLSA 1.2,
/// `build-track-basics.md`).
///
/// Level 3 is never supported by a document alone: whether the signing credentials were out of reach for the build is
/// for whoever knows the builder to say.
pub fn supported_level(attested: &Attested) -> (u8, String) {
    let Some(builder) = attested.statement().and_then(Statement::builder) else {
        return (0, "it is no SLSA provenance that names its builder".to_owned());
    };
    if builder.ends_with(FROM_ENVIRONMENT) {
        let why = "the job's environment is all that it rests on, and any step can change that";
        return (1, why.to_owned());
    }
    match Member::RunnerEnvironment.of(attested) {
        Some("github-hosted" | "gitlab-hosted") => (
            2,
            "no document can show that the build could not reach the signing credentials".to_owned(),
        ),
        Some(_) => (1, "the build ran on a machine that is not the host's".to_owned()),
        None => (
            1,
            "it does not say that the build ran on a machine of the host".to_owned(),
        ),
    }
}
