//! Tags, held against digests: those that stand beside a digest before anything is done, and all of them afterwards.
//!
//! A tag is read as a manifest whose bytes are hashed; what a header says of it counts for nothing.

use super::pool;
use super::resolve::Unit;
use super::standing::Obstacle;
use super::{Target, named};
use crate::base::failure::{Cause, Class};
use crate::base::foreign::Foreign;
use crate::domain::oci::{Digest, ImageRef, Place, Tag};
use crate::domain::report::{Finding, Level, Rule, TargetReport, TargetState};
use crate::seams::{ReadStore, StoreProblem};

/// A tag that points elsewhere than at the digest it was held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stray {
    /// The image by its tag.
    image: ImageRef,
    expected: Digest,
    /// None where there is no such tag.
    found: Option<Digest>,
}

/// The image that a tag alone names.
pub(super) fn tagged(place: &Place, tag: &Tag) -> ImageRef {
    ImageRef::new(place.clone(), Some(tag.clone()), None)
}

/// Reads every tag, and returns those that do not point at the digest.
///
/// # Errors
/// The store's, where a tag cannot be read; one that is not there is astray.
pub(super) async fn astray(
    store: &impl ReadStore,
    place: &Place,
    tags: &[Tag],
    digest: &Digest,
) -> Result<Vec<Stray>, Cause> {
    let read = pool::each(tags, pool::PER_TARGET, async |tag| {
        let image = tagged(place, tag);
        let found = match store.resolve(&image).await {
            Ok(found) => Some(found.subject.digest().clone()),
            Err(error) if matches!(error.problem, StoreProblem::Missing(_)) => None,
            Err(error) => return Err(Cause::of(&error)),
        };
        Ok((found.as_ref() != Some(digest)).then(|| Stray {
            image,
            expected: digest.clone(),
            found,
        }))
    });
    let read: Vec<Option<Stray>> = read.await.into_iter().collect::<Result<_, _>>()?;
    Ok(read.into_iter().flatten().collect())
}

impl Stray {
    /// What is said of a tag that disagreed with the digest beside it from the beginning.
    pub(super) fn mismatch(&self) -> (Finding, Cause) {
        let message = format!(
            "the tag {} and the digest it was named with do not agree",
            self.image
        );
        let fix = "take the digest from the build that is meant, or name the image by that digest alone";
        self.told(Rule::TagDigestMismatch, message, fix)
    }

    /// The same as what stands in the way of an image that is judged.
    pub(super) fn obstacle(&self) -> Obstacle {
        let (finding, cause) = self.mismatch();
        Obstacle {
            class: cause.class,
            rule: finding.rule,
            message: finding.message,
            expected: finding.expected,
            found: finding.found,
            about: self.expected.clone(),
            fix: finding.fix,
        }
    }

    /// What is said of a tag that pointed at the digest when the run began.
    pub(super) fn moved(&self) -> (Finding, Cause) {
        let message = format!("the tag of {} moved while it was being signed", self.image);
        self.told(
            Rule::TagMoved,
            message,
            "name the image by digest, or make the tag immutable",
        )
    }

    fn told(&self, rule: Rule, message: String, fix: &str) -> (Finding, Cause) {
        let found = self
            .found
            .as_ref()
            .map_or("no such tag".to_owned(), Digest::to_string);
        let cause = Cause {
            class: Class::Rejected,
            message: format!("{message}: expected {}, found {found}", self.expected),
            hint: Some(fix.to_owned()),
        };
        let finding = Finding {
            level: Level::Error,
            digest: Some(self.expected.clone()),
            expected: Some(self.expected.to_string()),
            found: Some(Foreign::new(found)),
            fix: Some(fix.to_owned()),
            ..Finding::new(rule, message)
        };
        (finding, cause)
    }
}

/// The report about a target whose tags disagree with its digest: it is known and nothing is done about it.
pub(super) fn disagreeing(target: &Target, root: &Unit) -> TargetReport {
    TargetReport {
        platforms: root.platforms.clone(),
        ..named(target, TargetState::Rejected)
    }
}
