//! What one text names, with every problem found on the way.

use super::error::{HandoffError, Problem, Spot, Trouble};
use super::name::{self, Style};
use crate::base::foreign::Foreign;
use crate::base::tree::{Cursor, DocumentError};
use crate::domain::oci::{Digest, ImageRef, Tag};

/// What a text names, before it meets its companions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The format's name, as `buildx`, or `bare-digest`.
    pub format: &'static str,
    /// The rule that found the format, as `D06`; none where the format was forced or nothing else fitted.
    pub rule: Option<&'static str>,
    /// What is named, in the order written.
    pub items: Vec<Item>,
    /// Digests that are known to be configurations.
    pub configs: Vec<Digest>,
    /// Whether nothing named is an ordinary answer.
    pub may_be_empty: bool,
    /// What should be known besides.
    pub notes: Vec<String>,
    pub(super) problems: Vec<Problem>,
}

/// One thing that is named, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What.
    pub what: What,
    /// The words that name it.
    pub text: String,
    /// Where they stand.
    pub spot: Spot,
}

/// What can be named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// An image.
    Image(ImageRef),
    /// A digest whose name must come from a companion.
    Digest(Digest),
    /// A name whose digest must come from a companion.
    Name(ImageRef),
    /// A tag whose repository and digest must come from companions.
    Tag(Tag),
    /// An image of a layout, whose repository must be given.
    Kept {
        /// Its digest.
        digest: Digest,
        /// Its tag.
        tag: Option<Tag>,
    },
    /// An image in ECR, whose region must be given.
    Ecr {
        /// Twelve digits.
        account: String,
        /// The repository without host.
        path: String,
        /// Its tag.
        tag: Option<Tag>,
        /// Its digest.
        digest: Digest,
    },
}

impl Reading {
    pub(super) fn new(format: &'static str) -> Self {
        Self {
            format,
            rule: None,
            items: Vec::new(),
            configs: Vec::new(),
            may_be_empty: false,
            notes: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Notes a problem.
    pub(super) fn trouble(&mut self, spot: Spot, trouble: Trouble) {
        self.problems.push(Problem { spot, trouble });
    }

    /// Takes what is right and notes what is not.
    pub(super) fn take<T>(&mut self, read: Result<T, DocumentError>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(error) => {
                let at = match &error {
                    DocumentError::Shape { at, .. } => Some(*at),
                    _ => None,
                };
                self.trouble(Spot { at, member: None }, Trouble::Document(error));
                None
            }
        }
    }

    /// As [`Self::take`], for what has no place of its own.
    pub(super) fn sound<T>(&mut self, spot: &Spot, read: Result<T, Trouble>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(trouble) => {
                self.trouble(spot.clone(), trouble);
                None
            }
        }
    }

    /// Adds what is named.
    pub(super) fn push(&mut self, what: What, text: impl Into<String>, spot: Spot) {
        self.items.push(Item {
            what,
            text: text.into(),
            spot,
        });
    }

    /// Adds an image by its name and, if known, its digest, which then wins over one in the name.
    pub(super) fn image(&mut self, name: &str, digest: Option<&Digest>, style: Style, spot: Spot) {
        let Some(image) = self.sound(&spot, name::reference(name, style)) else {
            return;
        };
        if let (Some(said), Some(digest)) = (image.digest(), digest)
            && said != digest
        {
            return self.trouble(spot, Trouble::TwoDigests(Foreign::new(name)));
        }
        let digest = digest.or(image.digest()).cloned();
        let image = ImageRef::new(image.place().clone(), image.tag().cloned(), digest);
        self.push(What::Image(image), name, spot);
    }

    /// Reads the digest in a string member.
    pub(super) fn digest(&mut self, member: &Cursor<'_>) -> Option<Digest> {
        let text = self.take(member.string())?;
        self.sound(&spot(member), name::digest(text))
    }

    /// The reading, or its problems.
    pub(super) fn finished(mut self) -> Result<Self, HandoffError> {
        self.problems.sort_by_key(|problem| problem.spot.at);
        let problems = std::mem::take(&mut self.problems);
        if !problems.is_empty() {
            let named = (self.format != "list" && self.format != "bare-digest").then_some(self.format);
            return Err(HandoffError {
                format: named,
                problems,
            });
        }
        Ok(self)
    }
}

/// Where a member stands.
pub(super) fn spot(member: &Cursor<'_>) -> Spot {
    Spot {
        at: Some(member.position()),
        member: (!member.path().is_empty()).then(|| member.path().to_owned()),
    }
}
