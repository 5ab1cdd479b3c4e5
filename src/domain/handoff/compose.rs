//! Docker compose's configuration (F22), YAML or JSON.
//!
//! Source: Docker documentation, `docker compose config`, `--resolve-image-digests`, `--lock-image-digests`.

use super::input::Input;
use super::name::{self, Style};
use super::reading::{Reading, What};
use crate::base::tree::{Cursor, Document};
use crate::domain::oci::ImageRef;

pub(super) fn read(input: &Input<'_>, reading: &mut Reading) {
    let parsed;
    let document = match (&input.json, &input.yaml) {
        (Some(document), _) | (None, Some(document)) => document,
        (None, None) => match input.as_yaml() {
            Ok(document) => {
                parsed = document;
                &parsed
            }
            Err(error) => {
                reading.take::<()>(Err(error));
                return;
            }
        },
    };
    let top = document.cursor();
    let services = top.object().and_then(|top| top.required("services")?.object());
    let Some(services) = reading.take(services) else {
        return;
    };
    for (_, service) in services.members().filter(|(_, service)| !service.is_null()) {
        // A service that is only built, or was emptied by --lock-image-digests, has no image.
        let service = reading.take(service.object());
        if let Some(image) = service.and_then(|service| service.optional("image")) {
            one(image, reading);
        }
    }
}

/// Without tag and digest, `latest` is meant.
fn one(member: Cursor<'_>, reading: &mut Reading) {
    let Some(name) = reading.words(Ok(member)) else {
        return;
    };
    let Some(image) = reading.sound(&name.spot, name::reference(&name.text, Style::Tool)) else {
        return;
    };
    let tag = match (image.tag(), image.digest()) {
        (None, None) => "latest".parse().ok(),
        (tag, _) => tag.cloned(),
    };
    let image = ImageRef::new(image.place().clone(), tag, image.digest().cloned());
    reading.push(What::Image(image), name.text, name.spot);
}

/// D19.
pub(super) fn is(input: &Input<'_>) -> bool {
    let has_image = |document: &Document| {
        let services = document
            .cursor()
            .pointer("/services")
            .and_then(|services| services.object().ok());
        services.is_some_and(|services| {
            services.members().any(|(_, service)| {
                service
                    .object()
                    .is_ok_and(|service| service.optional("image").is_some())
            })
        })
    };
    [&input.json, &input.yaml].into_iter().flatten().any(has_image)
}
