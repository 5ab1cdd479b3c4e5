//! What one text names, with every problem found on the way.

use std::borrow::Cow;

use super::error::{HandoffError, Problem, Spot, Trouble};
use super::name::{self, Style};
use crate::base::foreign::Foreign;
use crate::base::json;
use crate::base::limits::Bounds;
use crate::base::problems::Problems;
use crate::base::tree::{Cursor, DocumentError, Position};
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
    pub(super) problems: Problems<Problem>,
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

/// Words and where they stand.
#[derive(Clone, Debug)]
pub(super) struct Words<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) spot: Spot,
}

/// What an entry has of what it may have; a problem with it is noted already.
pub(super) enum Sought<T> {
    /// It is not there, and need not be.
    Absent,
    /// It should be there, or be something else.
    Wrong,
    /// It is there.
    Sound(T),
}

impl<T> Sought<T> {
    /// What must be there.
    pub(super) fn required(found: Option<T>) -> Self {
        found.map_or(Self::Wrong, Self::Sound)
    }

    /// It, if it is there.
    pub(super) fn sound(self) -> Option<T> {
        match self {
            Self::Sound(found) => Some(found),
            Self::Absent | Self::Wrong => None,
        }
    }
}

/// How a text stands inside another.
pub(super) enum Frame {
    /// As it is, beginning at a place of one line.
    Verbatim(Spot),
    /// Escaped in a string, whose place is all that is known.
    Escaped(Spot),
}

impl Frame {
    /// Where something stands in the outer text.
    fn place(&self, inner: Spot) -> Spot {
        let (Self::Verbatim(outer) | Self::Escaped(outer)) = self;
        let at = match (self, outer.at, inner.at) {
            (Self::Verbatim(_), Some(outer), Some(Position { line: 1, column })) => Some(Position {
                line: outer.line,
                column: outer.column.saturating_add(column - 1),
            }),
            _ => outer.at,
        };
        let member = match (&outer.member, inner.member) {
            (Some(outer), Some(inner)) if inner.starts_with('[') => Some(format!("{outer}{inner}")),
            (Some(outer), Some(inner)) => Some(format!("{outer}.{inner}")),
            (outer, inner) => outer.clone().or(inner),
        };
        Spot { at, member }
    }

    /// A problem of the inner text as one of the outer.
    pub(super) fn problem(&self, inner: Problem) -> Problem {
        let spot = self.place(inner.spot);
        Problem { spot, ..inner }
    }
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
            problems: Problems::default(),
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
                self.problems.append(error.each(), Problem::from);
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

    /// Adds an image by its name and, if known, its digest, which then wins over one in the name. What is wrong with
    /// the name is noted whatever the digest is.
    pub(super) fn image(&mut self, name: &Words<'_>, digest: &Sought<Digest>, style: Style) {
        let image = self.sound(&name.spot, name::reference(&name.text, style));
        let digest = match digest {
            Sought::Wrong => return,
            Sought::Absent => None,
            Sought::Sound(digest) => Some(digest),
        };
        let Some(image) = image else { return };
        if let (Some(said), Some(digest)) = (image.digest(), digest)
            && said != digest
        {
            let trouble = Trouble::TwoDigests(Foreign::new(&name.text));
            return self.trouble(name.spot.clone(), trouble);
        }
        let digest = digest.or(image.digest()).cloned();
        let image = ImageRef::new(image.place().clone(), image.tag().cloned(), digest);
        self.push(What::Image(image), name.text.clone(), name.spot.clone());
    }

    /// Reads the string in a member.
    pub(super) fn words<'a>(&mut self, member: Result<Cursor<'a>, DocumentError>) -> Option<Words<'a>> {
        let member = self.take(member)?;
        let text = self.take(member.string())?;
        Some(Words {
            text: Cow::Borrowed(text),
            spot: spot(&member),
        })
    }

    /// Reads the digest in a member that must be there.
    pub(super) fn digest(&mut self, member: Result<Cursor<'_>, DocumentError>) -> Sought<Digest> {
        let words = self.words(member);
        Sought::required(words.and_then(|words| self.digest_in(&words)))
    }

    /// Reads the digest in a member that may be missing.
    pub(super) fn digest_if_any(&mut self, member: Option<Cursor<'_>>) -> Sought<Digest> {
        member.map_or(Sought::Absent, |member| self.digest(Ok(member)))
    }

    /// Reads the digest that words are.
    pub(super) fn digest_in(&mut self, words: &Words<'_>) -> Option<Digest> {
        self.sound(&words.spot, name::digest(&words.text))
    }

    /// Reads a JSON document that stands inside the text, and tells everything of it by its place in the text.
    pub(super) fn embedded(
        &mut self,
        (text, frame): (&str, &Frame),
        read: impl FnOnce(&Cursor<'_>, &mut Self),
    ) {
        let mut inner = Self::new(self.format);
        if let Some(document) = inner.take(json::read(text.as_bytes(), Bounds::SMALL_DOCUMENT)) {
            read(&document.cursor(), &mut inner);
        }
        self.absorb(inner, frame);
    }

    /// Takes over what was read of a text inside this one.
    pub(super) fn absorb(&mut self, inner: Self, frame: &Frame) {
        self.configs.extend(inner.configs);
        self.items.extend(inner.items.into_iter().map(|item| Item {
            spot: frame.place(item.spot),
            ..item
        }));
        self.problems
            .append(inner.problems, |problem| frame.problem(problem));
    }

    /// The reading, or its problems in the order in which they stand.
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
