//! Several texts together: digests meet their names, images named twice become one, each knowing where it was named.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Spot;
use super::reading::{Item, Reading, What};
use crate::base::failure::{Class, Classified};
use crate::base::foreign::Foreign;
use crate::domain::oci::{Digest, ImageRef, Place, Repository, Tag};

/// Targets of one run (ours; the limit of GitHub's list of artifacts).
pub const TARGETS: usize = 500;

/// One text that was read, and where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The file as it was given, `-`, or the flag or variable.
    pub place: String,
    /// What it names.
    pub reading: Reading,
}

/// What is said once for all texts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Companions<'a> {
    /// The repository of what has none.
    pub repository: Option<&'a Repository>,
    /// The region of ECR's own lists.
    pub region: Option<&'a str>,
}

/// One image with everything that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedImage {
    /// Where it is kept.
    pub place: Place,
    /// Its digest; without, there is one tag.
    pub digest: Option<Digest>,
    /// Its tags in the order named.
    pub tags: Vec<Tag>,
    /// Where it was named; never empty.
    pub sources: Vec<SourceOf>,
}

/// One place where an image was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceOf {
    /// The file as it was given, `-`, or the flag or variable.
    pub place: String,
    /// The format's name.
    pub format: &'static str,
    /// The words.
    pub text: String,
    /// Where in the text.
    pub spot: Spot,
}

impl NamedImage {
    /// The image with its first tag and its digest, as far as they are known.
    pub fn image(&self) -> ImageRef {
        ImageRef::new(
            self.place.clone(),
            self.tags.first().cloned(),
            self.digest.clone(),
        )
    }
}

/// Why texts do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CombineError {
    /// A digest, and nothing says of what.
    #[error("expected a name for the digest {digest} of {place}, found none")]
    DigestWithoutName {
        /// Which.
        digest: Digest,
        /// Where it stood.
        place: String,
    },
    /// Names, and nothing says of which bytes.
    #[error("expected a digest for the names of {place}, found none")]
    NamesWithoutDigest {
        /// Where they stood.
        place: String,
    },
    /// Names and more than one digest.
    #[error("expected one digest for the names of {place}, found {count}")]
    SeveralDigests {
        /// Where the names stood.
        place: String,
        /// How many.
        count: usize,
    },
    /// A tag, and nothing says of which repository.
    #[error("expected a repository for the tag {} of {place}, found none", tag.quote())]
    TagWithoutRepository {
        /// Which.
        tag: Foreign,
        /// Where it stood.
        place: String,
    },
    /// A layout, and nothing says to which repository it belongs.
    #[error("expected a repository for the OCI layout {place}, found none")]
    LayoutWithoutRepository {
        /// Where it stood.
        place: String,
    },
    /// A list of ECR, and nothing says of which region.
    #[error("expected a region for the images of {place}, found none")]
    EcrWithoutRegion {
        /// Where it stood.
        place: String,
    },
    /// A repository of ECR that is none.
    #[error("expected a repository of ECR in {place}, found {}", found.quote())]
    EcrRepository {
        /// Where it stood.
        place: String,
        /// What stands there.
        found: Foreign,
    },
    /// A digest that another text calls a configuration.
    #[error(
        "expected the digest of a manifest in {place}, found {digest}, which another input calls a configuration"
    )]
    ConfigDigest {
        /// Which.
        digest: Digest,
        /// Where it stood.
        place: String,
    },
    /// More than is acted on.
    #[error("expected at most {TARGETS} images, found {found}")]
    TooMany {
        /// How many.
        found: usize,
    },
}

impl Classified for CombineError {
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::DigestWithoutName { .. } => {
                "say with names under which names it was pushed, or give repository"
            }
            Self::NamesWithoutDigest { .. } => "give the digest that the push reported, with digest",
            Self::SeveralDigests { .. } => "give each digest with its own names, in a run of its own",
            Self::TagWithoutRepository { .. } | Self::LayoutWithoutRepository { .. } => {
                "give repository, as registry.example.com/team/web"
            }
            Self::EcrWithoutRegion { .. } => "give region or AWS_REGION",
            Self::EcrRepository { .. } => return None,
            Self::ConfigDigest { .. } => {
                "take the digest that the push reported; docker calls the other one image id"
            }
            Self::TooMany { .. } => "split them over several runs",
        };
        Some(text.to_owned())
    }
}

/// An item with the text that it is from.
#[derive(Clone, Copy)]
struct From<'a> {
    given: &'a Given,
    item: &'a Item,
}

impl From<'_> {
    fn place(self) -> String {
        self.given.place.clone()
    }

    fn source(self) -> SourceOf {
        SourceOf {
            place: self.given.place.clone(),
            format: self.given.reading.format,
            text: self.item.text.clone(),
            spot: self.item.spot.clone(),
        }
    }
}

/// Joins what several texts name.
///
/// # Errors
/// [`CombineError`].
pub fn combine(given: &[Given], companions: Companions<'_>) -> Result<Vec<NamedImage>, CombineError> {
    let mut sorted = Sorted::default();
    for from in given
        .iter()
        .flat_map(|given| given.reading.items.iter().map(move |item| From { given, item }))
    {
        sorted.add(from, companions)?;
    }
    let known: BTreeSet<&Digest> = sorted
        .images
        .iter()
        .filter_map(|(image, _)| image.digest())
        .collect();
    // A bare digest that another text names is its companion, no second target.
    sorted.digests.retain(|digest, _| !known.contains(digest));
    let configs: BTreeSet<&Digest> = given.iter().flat_map(|given| &given.reading.configs).collect();
    if let Some((digest, from)) = sorted
        .digests
        .iter()
        .find(|(digest, _)| configs.contains(**digest))
    {
        return Err(CombineError::ConfigDigest {
            digest: (*digest).clone(),
            place: from.place(),
        });
    }
    sorted.join(companions)?;
    merged(sorted.images)
}

/// Items by what they still need.
#[derive(Default)]
struct Sorted<'a> {
    images: Vec<(ImageRef, From<'a>)>,
    names: Vec<(ImageRef, From<'a>)>,
    digests: BTreeMap<&'a Digest, From<'a>>,
}

impl<'a> Sorted<'a> {
    fn add(&mut self, from: From<'a>, companions: Companions<'_>) -> Result<(), CombineError> {
        let home = companions.repository.cloned().map(Place::Repository);
        match &from.item.what {
            What::Image(image) => self.images.push((image.clone(), from)),
            What::Name(image) => self.names.push((image.clone(), from)),
            What::Digest(digest) => {
                self.digests.entry(digest).or_insert(from);
            }
            What::Tag(tag) => {
                let tagged = |home| ImageRef::new(home, Some(tag.clone()), None);
                let missing = || CombineError::TagWithoutRepository {
                    tag: Foreign::new(tag.as_str()),
                    place: from.place(),
                };
                self.names.push((home.map(tagged).ok_or_else(missing)?, from));
            }
            What::Kept { digest, tag } => {
                let home =
                    home.ok_or_else(|| CombineError::LayoutWithoutRepository { place: from.place() })?;
                self.images
                    .push((ImageRef::new(home, tag.clone(), Some(digest.clone())), from));
            }
            What::Ecr {
                account,
                path,
                tag,
                digest,
            } => {
                let home = match home {
                    Some(home) => home,
                    None => ecr_home(account, path, companions.region, from)?,
                };
                self.images
                    .push((ImageRef::new(home, tag.clone(), Some(digest.clone())), from));
            }
        }
        Ok(())
    }

    /// Gives names their digest, and digests their name.
    fn join(&mut self, companions: Companions<'_>) -> Result<(), CombineError> {
        let names = std::mem::take(&mut self.names);
        if names.is_empty() {
            return self.place_digests(companions);
        }
        let mut waiting = self.digests.iter();
        let (first, more) = (waiting.next(), waiting.next());
        for (name, from) in names {
            let digest = match (first, more) {
                (Some(_), Some(_)) => {
                    return Err(CombineError::SeveralDigests {
                        place: from.place(),
                        count: self.digests.len(),
                    });
                }
                (Some((digest, _)), None) => (*digest).clone(),
                (None, _) => self.pushed_to(name.place(), from)?,
            };
            let image = ImageRef::new(name.place().clone(), name.tag().cloned(), Some(digest));
            self.images.push((image, from));
        }
        Ok(())
    }

    /// The one digest that another text names in that repository.
    fn pushed_to(&self, place: &Place, from: From<'a>) -> Result<Digest, CombineError> {
        let there = self.images.iter().filter(|(image, _)| image.place() == place);
        let digests: BTreeSet<&Digest> = there.filter_map(|(image, _)| image.digest()).collect();
        match (digests.first(), digests.len()) {
            (Some(digest), 1) => Ok((*digest).clone()),
            (Some(_), count) => Err(CombineError::SeveralDigests {
                place: from.place(),
                count,
            }),
            (None, _) => Err(CombineError::NamesWithoutDigest { place: from.place() }),
        }
    }

    fn place_digests(&mut self, companions: Companions<'_>) -> Result<(), CombineError> {
        for (digest, from) in &self.digests {
            let Some(home) = companions.repository else {
                return Err(CombineError::DigestWithoutName {
                    digest: (*digest).clone(),
                    place: from.place(),
                });
            };
            let image = ImageRef::new(Place::Repository(home.clone()), None, Some((*digest).clone()));
            self.images.push((image, *from));
        }
        Ok(())
    }
}

fn ecr_home(account: &str, path: &str, region: Option<&str>, from: From<'_>) -> Result<Place, CombineError> {
    let region = region.ok_or_else(|| CombineError::EcrWithoutRegion { place: from.place() })?;
    let full = format!("{}/{path}", super::ecr::host(account, region));
    let repository = full.parse().map_err(|_| CombineError::EcrRepository {
        place: from.place(),
        found: Foreign::new(path),
    })?;
    Ok(Place::Repository(repository))
}

/// Images are the same where place and digest are; without a digest, where place and tag are.
fn merged(images: Vec<(ImageRef, From<'_>)>) -> Result<Vec<NamedImage>, CombineError> {
    let mut known: BTreeMap<(Place, Option<Digest>, Option<Tag>), usize> = BTreeMap::new();
    let mut merged: Vec<NamedImage> = Vec::new();
    for (image, from) in images {
        let tag = image.tag().filter(|_| image.digest().is_none()).cloned();
        let next = merged.len();
        let index = *known
            .entry((image.place().clone(), image.digest().cloned(), tag))
            .or_insert(next);
        match merged.get_mut(index) {
            Some(other) => {
                let new = image.tag().filter(|tag| !other.tags.contains(tag)).cloned();
                other.tags.extend(new);
                other.sources.push(from.source());
            }
            None => merged.push(NamedImage {
                place: image.place().clone(),
                digest: image.digest().cloned(),
                tags: image.tag().cloned().into_iter().collect(),
                sources: vec![from.source()],
            }),
        }
    }
    if merged.len() > TARGETS {
        return Err(CombineError::TooMany { found: merged.len() });
    }
    Ok(merged)
}
