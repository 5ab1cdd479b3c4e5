//! Step 2, name: texts become targets, in the order given, each with where it was named.

use super::Target;
use crate::base::failure::{Class, Classified};
use crate::domain::handoff::{
    self, CombineError, Companions, Format, Given, HandoffError, Hint, NamedImage, Reading, SourceOf,
};
use crate::domain::oci::Repository;

/// One text that names images, and where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageInput {
    /// `--images`, `INPUT_IMAGES`, a file as it was given, `-`, …
    pub place: String,
    /// The text.
    pub bytes: Vec<u8>,
    /// What it is for.
    pub part: Part,
}

/// What a text is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// It names images, in whatever format.
    Images {
        /// The file's name without directories.
        file: Option<String>,
        /// Whether an `oci-layout` stands beside it.
        in_layout: bool,
    },
    /// It holds Tekton results, each of a file of its own, as KEY=VALUE.
    Results,
    /// It is a bare digest.
    Digest,
    /// It holds names or tags.
    Names,
}

/// Everything that names images, and how it is to be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Naming<'a> {
    /// The texts.
    pub inputs: &'a [ImageInput],
    /// The format of all texts that name images.
    pub format: Option<&'static Format>,
    /// The repository of what has none.
    pub repository: Option<&'a Repository>,
    /// The region of ECR's own lists.
    pub region: Option<&'a str>,
}

/// Why texts do not name images.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// One text.
    #[error("could not read {place}")]
    Text {
        /// Where it stood.
        place: String,
        /// Why.
        #[source]
        problem: NameProblem,
    },
    /// All of them together.
    #[error(transparent)]
    Together(#[from] CombineError),
}

/// What is wrong with the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameProblem {
    /// It names nothing.
    #[error("expected an image, found nothing but blanks and comments")]
    Nothing,
    /// It is not what names images.
    #[error(transparent)]
    Unreadable(#[from] HandoffError),
}

impl Classified for NameError {
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Text {
                problem: NameProblem::Nothing,
                ..
            } => None,
            Self::Text {
                problem: NameProblem::Unreadable(problem),
                ..
            } => problem.hint(),
            Self::Together(problem) => problem.hint(),
        }
    }
}

/// Reads texts and joins what they name; an image that is named twice is one target.
///
/// # Errors
/// [`NameError`] for the first text that names nothing or cannot be read, or for texts that do not go together.
pub fn name_targets(naming: Naming<'_>) -> Result<Vec<Target>, NameError> {
    let images = name_images(naming)?;
    Ok(images.iter().map(target).collect())
}

/// The target that an image is.
pub(super) fn target(image: &NamedImage) -> Target {
    let mut places: Vec<String> = image.sources.iter().map(place).collect();
    // Several names of one member stand in one place.
    places.dedup();
    Target {
        image: image.image(),
        tags: image.tags.clone(),
        named: match image.sources.as_slice() {
            [only] if matches!(only.format, "list" | "names") && image.tags.len() < 2 => only.text.clone(),
            _ => image.image().to_string(),
        },
        named_at: places.join(", "),
    }
}

fn place(source: &SourceOf) -> String {
    let at = source
        .spot
        .at
        .map_or(source.place.clone(), |at| format!("{}:{}", source.place, at.line));
    match &source.spot.member {
        Some(member) => format!("{at} ({member})"),
        None => at,
    }
}

/// As [`name_targets`], with everything that is known.
pub(super) fn name_images(naming: Naming<'_>) -> Result<Vec<NamedImage>, NameError> {
    let mut given = Vec::new();
    for input in naming.inputs {
        let reading = read(input, naming.format)?;
        given.push(Given {
            place: input.place.clone(),
            reading,
        });
    }
    let companions = Companions {
        repository: naming.repository,
        region: naming.region,
    };
    Ok(handoff::combine(&given, companions)?)
}

/// Reads one text that must name something.
fn read(input: &ImageInput, format: Option<&'static Format>) -> Result<Reading, NameError> {
    let refused = |problem| NameError::Text {
        place: input.place.clone(),
        problem,
    };
    let reading = match &input.part {
        Part::Images { file, in_layout } => {
            let hint = Hint {
                file: file.as_deref(),
                in_layout: *in_layout,
            };
            handoff::read(&input.bytes, hint, format)
        }
        Part::Results => handoff::read_results(&input.bytes, format),
        Part::Digest => handoff::read_digest(&String::from_utf8_lossy(&input.bytes)),
        Part::Names => handoff::read_names(&String::from_utf8_lossy(&input.bytes)),
    };
    let reading = reading.map_err(|problem| refused(problem.into()))?;
    if reading.items.is_empty() && !reading.may_be_empty {
        return Err(refused(NameProblem::Nothing));
    }
    Ok(reading)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::failure::Cause;

    fn typed(place: &str, text: &str) -> ImageInput {
        ImageInput {
            place: place.to_owned(),
            bytes: text.as_bytes().to_vec(),
            part: Part::Images {
                file: None,
                in_layout: false,
            },
        }
    }

    fn named(inputs: &[ImageInput]) -> Result<Vec<Target>, NameError> {
        name_targets(Naming {
            inputs,
            ..Naming::default()
        })
    }

    const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    #[test]
    fn targets_keep_their_order_and_know_their_place() {
        let inputs = [
            typed("INPUT_IMAGES", "r.example/b\nr.example/a"),
            typed("--images", "oci:x:1"),
        ];
        let targets = named(&inputs).unwrap();
        let places: Vec<_> = targets
            .iter()
            .map(|target| (target.named.as_str(), target.named_at.as_str()))
            .collect();
        assert_eq!(
            places,
            [
                ("r.example/b", "INPUT_IMAGES:1"),
                ("r.example/a", "INPUT_IMAGES:2"),
                ("oci:x:1", "--images")
            ]
        );
    }

    #[test]
    fn a_digest_meets_its_names() {
        let part = |place: &str, text: &str, part| ImageInput {
            part,
            ..typed(place, text)
        };
        let inputs = [
            part("--digest", DIGEST, Part::Digest),
            part("--names", "r.example/web:1\nr.example/web:2", Part::Names),
        ];
        let targets = named(&inputs).unwrap();
        assert_eq!(targets.len(), 1);
        assert_eq!(targets[0].image.to_string(), format!("r.example/web:1@{DIGEST}"));
        assert_eq!(targets[0].named_at, "--names:1, --names:2");
        let empty = [part("--digest", "", Part::Digest), inputs[1].clone()];
        assert!(named(&empty).is_err());
    }

    #[test]
    fn errors_say_where_the_text_stood() {
        let message = |text: &str| Cause::of(&named(&[typed("IMAGE", text)]).unwrap_err()).message;
        assert_eq!(
            message("web:1"),
            "could not read IMAGE: expected a registry host in front of the repository, found \
             \"web:1\""
        );
        assert_eq!(
            message("# x"),
            "could not read IMAGE: expected an image, found nothing but blanks and comments"
        );
    }
}
