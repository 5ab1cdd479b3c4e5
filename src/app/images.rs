//! What names images: texts as they were typed, and the files they name.

use super::{Scene, handed};
use crate::base::failure::Cause;
use crate::cli::{Asked, ImageKind, ImageText};
use crate::domain::handoff::Format;
use crate::domain::oci::Repository;
use crate::job::{self, ImageInput, Naming, Part, Target};

/// Texts, read.
pub(super) struct Read<'a> {
    inputs: Vec<ImageInput>,
    format: Option<&'static Format>,
    repository: Option<&'a Repository>,
    region: Option<String>,
}

impl Read<'_> {
    pub(super) fn naming(&self) -> Naming<'_> {
        Naming {
            inputs: &self.inputs,
            format: self.format,
            repository: self.repository,
            region: self.region.as_deref(),
        }
    }
}

/// Reads everything that names images, and says which they are.
pub(super) fn asked(asked: &Asked, scene: &Scene<'_>) -> Result<Vec<Target>, Cause> {
    let region = asked.services.aws.region.as_deref();
    let read = read(&asked.images, asked.repository.as_ref(), region, scene)?;
    job::name_targets(read.naming()).map_err(|error| Cause::of(&error))
}

/// Reads everything that names images.
pub(super) fn read<'a>(
    images: &[ImageText],
    repository: Option<&'a Repository>,
    region: Option<&str>,
    scene: &Scene<'_>,
) -> Result<Read<'a>, Cause> {
    let mut inputs = Vec::new();
    for image in images {
        match image.kind {
            ImageKind::File => {
                let read = handed::read(&image.text, scene);
                inputs.extend(read.map_err(|cause| cause.within(&image.place))?);
            }
            ImageKind::Text if image.text.trim().is_empty() => {}
            kind => inputs.push(ImageInput {
                place: image.place.clone(),
                bytes: image.text.clone().into_bytes(),
                part: part(kind),
            }),
        }
    }
    let variables = ["AWS_REGION", "AWS_DEFAULT_REGION"];
    let environment = variables.iter().find_map(|name| scene.environment.get(name));
    let format = images.iter().find_map(|image| image.format);
    Ok(Read {
        inputs,
        format,
        repository,
        region: region.or(environment).map(ToOwned::to_owned),
    })
}

fn part(kind: ImageKind) -> Part {
    match kind {
        ImageKind::Digest => Part::Digest,
        ImageKind::Names => Part::Names,
        ImageKind::Text | ImageKind::File => Part::Images {
            file: None,
            in_layout: false,
        },
    }
}
