//! Files that earlier steps left behind, as texts that name images.

use std::ffi::OsStr;
use std::path::Path;

use super::Scene;
use crate::base::failure::{Cause, Class};
use crate::domain::handoff::{self, HANDOFF_BYTES, Hint, Trouble};
use crate::edge::ci::{Found, Room, read_input};
use crate::job::{ImageInput, Part};

/// The word for the list that GitHub Actions keeps.
const GITHUB_LIST: &str = "github-artifacts-list";

/// One file, directory, standard input or GitHub's list.
pub(super) fn read(name: &str, scene: &Scene<'_>) -> Result<Vec<ImageInput>, Cause> {
    if name == "-" {
        let bytes = read_input(HANDOFF_BYTES).map_err(|error| Cause::of(&error))?;
        return Ok(vec![input(name, None, bytes, false)]);
    }
    let path = match name {
        GITHUB_LIST => scene.environment.get("GITHUB_ARTIFACTS_LIST").ok_or_else(off)?,
        file => file,
    };
    let room = Room::of(scene.host, scene.environment);
    let path = Path::new(path);
    match room
        .read(path, HANDOFF_BYTES)
        .map_err(|error| Cause::of(&error))?
    {
        Found::File(bytes, _) if name == GITHUB_LIST && bytes.is_empty() => Err(off()),
        Found::File(bytes, in_layout) => Ok(vec![input(name, path.file_name(), bytes, in_layout)]),
        Found::Directory(names) => directory(path, &names, &room, scene),
    }
}

fn off() -> Cause {
    Cause {
        class: Class::Usage,
        message: "expected GITHUB_ARTIFACTS_LIST to name a list, found that no step declared an artifact"
            .to_owned(),
        hint: Some("name the images with images or another file".to_owned()),
    }
}

fn input(place: &str, file: Option<&OsStr>, bytes: Vec<u8>, in_layout: bool) -> ImageInput {
    let file = file.and_then(|name| name.to_str()).map(ToOwned::to_owned);
    ImageInput {
        place: place.to_owned(),
        bytes,
        part: Part::Images { file, in_layout },
    }
}

/// The files of known names; a layout is its index.
fn directory(
    path: &Path,
    names: &[String],
    room: &Room,
    scene: &Scene<'_>,
) -> Result<Vec<ImageInput>, Cause> {
    let is_layout = names.iter().any(|name| name == "oci-layout");
    let wanted = |name: &str| {
        if is_layout {
            name == "index.json"
        } else {
            handoff::is_known_file(name)
        }
    };
    let (mut inputs, mut results) = (Vec::new(), Vec::new());
    for name in names.iter().filter(|name| wanted(name)) {
        let file = path.join(name);
        let Found::File(bytes, in_layout) = room
            .read(&file, HANDOFF_BYTES)
            .map_err(|error| Cause::of(&error))?
        else {
            continue;
        };
        if let Some(line) = handoff::as_result(name, &bytes) {
            results.extend(line);
            continue;
        }
        let place = file.display().to_string();
        if is_goreleasers(name, &bytes) {
            scene.writer.note(&format!(
                "{place} is GoReleaser's own and names no image; it is skipped"
            ));
        } else {
            inputs.push(input(&place, file.file_name(), bytes, in_layout));
        }
    }
    if !results.is_empty() {
        inputs.push(ImageInput {
            place: path.display().to_string(),
            bytes: results,
            part: Part::Results,
        });
    }
    if inputs.is_empty() {
        return Err(Cause {
            class: Class::Usage,
            message: format!(
                "expected a file of a known name in {}, found none",
                path.display()
            ),
            hint: Some("name the file itself".to_owned()),
        });
    }
    Ok(inputs)
}

fn is_goreleasers(name: &str, bytes: &[u8]) -> bool {
    let hint = Hint {
        file: Some(name),
        in_layout: false,
    };
    let read = handoff::read(bytes, hint, None);
    name == "metadata.json"
        && read.is_err_and(|error| {
            error
                .problems
                .kept()
                .iter()
                .any(|problem| problem.trouble == Trouble::GoreleaserMetadata)
        })
}
