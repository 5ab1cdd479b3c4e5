//! The inputs that name images, in the order in which they count.

use super::args::ImagesArgs;
use super::error::CliError;
use super::origin::{Naming, Origins};
use crate::job::HandoffFormat;

/// Text that names images, or the file that holds it, and where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageText {
    /// The text, or the file as it was given.
    pub text: String,
    /// `IMAGE` for an argument, else `--images`, `INPUT_IMAGES`, …
    pub place: String,
    /// What the text is.
    pub kind: ImageKind,
    /// The format, where it was said.
    pub format: Option<&'static HandoffFormat>,
}

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageKind {
    /// It names images.
    Text,
    /// It names a file, `-` or `github-artifacts-list`.
    File,
    /// It is a digest.
    Digest,
    /// It holds names or tags.
    Names,
}

impl ImageText {
    /// A text that names images.
    pub fn new(text: impl Into<String>, place: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            place: place.into(),
            kind: ImageKind::Text,
            format: None,
        }
    }
}

/// Everything that names images.
pub(super) fn images(args: &ImagesArgs, origins: &Origins) -> Result<Vec<ImageText>, CliError> {
    let typed = args.positional.iter().map(|text| ImageText {
        format: args.images_format,
        ..ImageText::new(text, "IMAGE")
    });
    let all = args
        .images
        .iter()
        .map(|text| ("images", text, ImageKind::Text))
        .chain(
            args.images_from
                .iter()
                .map(|file| ("images-from", file, ImageKind::File)),
        )
        .chain(args.digest.iter().map(|text| ("digest", text, ImageKind::Digest)))
        .chain(args.names.iter().map(|text| ("names", text, ImageKind::Names)));
    let named = all.map(|(name, text, kind)| ImageText {
        text: text.clone(),
        place: origins.place(name),
        kind,
        format: args.images_format,
    });
    let images: Vec<ImageText> = typed.chain(named).collect();
    let says_something = |image: &ImageText| !image.text.trim().is_empty() && image.kind != ImageKind::Names;
    if images.iter().any(says_something) {
        return Ok(images);
    }
    Err(CliError::Missing {
        argument: "an image".to_owned(),
        why: match origins.naming() {
            Naming::Inputs => "in the input images".to_owned(),
            _ => "as argument or with --images".to_owned(),
        },
    })
}
