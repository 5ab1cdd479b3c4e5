//! Read what build tools leave behind, and what people type, as images with their digests and tags.
//!
//! For: telling 36 formats apart by their content, reading each as its tool means it, bringing digests and names
//! together, and remembering of every image where it was named.
//! Not for: reading files, or asking a store whether an image exists; that always decides in the end.
//! Speaks: each format as its tool documents it; the source stands at the head of its file, the list is [`FORMATS`].
//!
//! ```
//! use countersign::domain::handoff::{self, Companions, Given, Hint};
//! let digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
//! let metadata = format!(r#"{{"containerimage.digest":"{digest}","image.name":"r.example/web:1,r.example/web:2"}}"#);
//! let reading = handoff::read(metadata.as_bytes(), Hint::default(), None)?;
//! assert_eq!(reading.format, "buildx");
//! let given = [Given { place: "metadata.json".to_owned(), reading }];
//! let images = handoff::combine(&given, Companions::default())?;
//! assert_eq!(images[0].image().to_string(), format!("r.example/web:1@{digest}"));
//! assert_eq!((images.len(), images[0].tags.len()), (1, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod buildpacks;
mod buildx;
mod cloud_build;
mod codepipeline;
mod combine;
mod compose;
mod detect;
mod ecr;
mod error;
mod format;
mod generic;
mod github;
mod goreleaser;
mod input;
mod jib;
mod key_values;
mod layout;
mod literal;
mod metadata_action;
mod name;
mod oras;
mod push_output;
mod reading;
mod report;
mod skaffold;
mod tekton;
#[cfg(test)]
mod tests;
mod werf;

pub use combine::{CombineError, Companions, Given, NamedImage, SourceOf, TARGETS, combine};
pub use detect::Detected;
pub use error::{HandoffError, Problem, Spot, Trouble};
pub use format::{FORMATS, Format, UnknownFormat};
pub use input::{HANDOFF_BYTES, Hint};
pub use reading::{Item, Reading, What};

use self::input::Input;
use crate::base::problems::Problems;
use crate::base::tree::Object;

/// Says which format a text is in.
///
/// # Errors
/// [`HandoffError`] for bytes that are no text, too many, or broken JSON or YAML.
pub fn detect(bytes: &[u8], hint: Hint<'_>) -> Result<Detected, HandoffError> {
    Input::new(bytes, hint).map(|input| detect::detect(&input))
}

/// Reads a text in the format that it is in, or in one that is forced.
///
/// # Errors
/// [`HandoffError`] with every problem of the text.
pub fn read(bytes: &[u8], hint: Hint<'_>, forced: Option<&'static Format>) -> Result<Reading, HandoffError> {
    detect::read(&Input::new(bytes, hint)?, forced)
}

/// Reads Tekton results that stood in files of their own, each as [`as_result`] gives it: their lines are of no file.
///
/// # Errors
/// [`HandoffError`] with every problem of the results.
pub fn read_results(bytes: &[u8], forced: Option<&'static Format>) -> Result<Reading, HandoffError> {
    match read(bytes, Hint::default(), forced) {
        Ok(mut reading) => {
            reading.items.iter_mut().for_each(|item| item.spot.at = None);
            Ok(reading)
        }
        Err(error) => {
            let mut problems = Problems::default();
            problems.append(error.problems, |problem| Problem {
                spot: Spot {
                    at: None,
                    ..problem.spot
                },
                ..problem
            });
            Err(HandoffError { problems, ..error })
        }
    }
}

/// Reads the names or tags that a digest was pushed under, in lines or separated by commas.
///
/// # Errors
/// [`HandoffError`] with every problem of the text.
pub fn read_names(text: &str) -> Result<Reading, HandoffError> {
    named("names", text, literal::read_names)
}

/// Reads one bare digest.
///
/// # Errors
/// [`HandoffError`] where the text is something else, also where it is empty.
pub fn read_digest(text: &str) -> Result<Reading, HandoffError> {
    named("bare-digest", text, |input, reading| {
        if input.lines().count() == 1 {
            literal::read_digest(input, reading);
        } else {
            let found = crate::base::foreign::Foreign::new(text);
            reading.trouble(Spot::default(), Trouble::Digest(found));
        }
    })
}

/// Whether a file is read where its directory is named.
pub fn is_known_file(name: &str) -> bool {
    detect::is_known_file(name)
}

/// A Tekton result that stands in a file of its own, as KEY=VALUE; none for other files.
pub fn as_result(name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    detect::as_result(name, bytes)
}

fn named(
    format: &'static str,
    text: &str,
    read: impl FnOnce(&Input<'_>, &mut Reading),
) -> Result<Reading, HandoffError> {
    let input = Input::bare(text)?;
    let mut reading = Reading::new(format);
    read(&input, &mut reading);
    reading.finished()
}

/// The JSON document as an object, or a problem that says what was found.
fn json_object<'a>(input: &'a Input<'_>, reading: &mut Reading) -> Option<Object<'a>> {
    if let Some(top) = input.top() {
        return reading.take(top.object());
    }
    reading.trouble(Spot::default(), Trouble::Line("a JSON object"));
    None
}
