//! What would be acted on, as a list: every image once, with everything that names it. Asks no store.

use serde_json::{Value, json};

use super::name::{NameError, Naming, name_images};
use crate::domain::handoff::NamedImage;
use crate::domain::oci::{Place, Tag};

/// One image with everything that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedTarget(NamedImage);

/// Lists the images that texts name.
///
/// # Errors
/// As [`super::name_targets`].
pub fn list_targets(naming: Naming<'_>) -> Result<Vec<ListedTarget>, NameError> {
    Ok(name_images(naming)?.into_iter().map(ListedTarget).collect())
}

impl ListedTarget {
    fn json(&self) -> Value {
        let (registry, repository) = match &self.0.place {
            Place::Repository(repository) => (Some(repository.host().as_str()), repository.path().to_owned()),
            Place::Layout(_) => (None, self.0.place.to_string()),
        };
        let sources = self.0.sources.iter().map(|source| {
            let (line, member) = (source.spot.at.map(|at| at.line), source.spot.member.as_ref());
            json!({ "where": source.place, "format": source.format, "line": line, "member": member })
        });
        json!({
            "registry": registry,
            "repository": repository,
            "digest": self.0.digest.as_ref().map(ToString::to_string),
            "tags": self.0.tags.iter().map(Tag::as_str).collect::<Vec<_>>(),
            "sources": sources.collect::<Vec<_>>(),
        })
    }
}

/// One line each.
pub fn targets_text(targets: &[ListedTarget]) -> String {
    let lines: Vec<String> = targets
        .iter()
        .map(|target| target.0.image().to_string())
        .collect();
    lines.join("\n") + "\n"
}

/// Everything that is known of each.
pub fn targets_json(targets: &[ListedTarget]) -> String {
    let targets: Vec<Value> = targets.iter().map(ListedTarget::json).collect();
    format!("{:#}\n", json!({ "targets": targets }))
}

/// A build matrix on one line: without a digest, the image keeps its tag.
pub fn targets_matrix(targets: &[ListedTarget]) -> String {
    let rows = targets.iter().map(|target| match &target.0.digest {
        Some(digest) => json!({ "image": target.0.place.to_string(), "digest": digest.to_string() }),
        None => json!({ "image": target.0.image().to_string(), "digest": null }),
    });
    format!("{}\n", json!({ "include": rows.collect::<Vec<_>>() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::job::{ImageInput, Part};

    fn list(texts: &[(&str, &str)]) -> Vec<ListedTarget> {
        let input = |(place, text): &(&str, &str)| ImageInput {
            place: (*place).to_owned(),
            bytes: text.as_bytes().to_vec(),
            part: Part::Images {
                file: None,
                in_layout: false,
            },
        };
        let inputs: Vec<ImageInput> = texts.iter().map(input).collect();
        list_targets(Naming {
            inputs: &inputs,
            ..Naming::default()
        })
        .unwrap()
    }

    const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    #[test]
    fn an_image_named_twice_is_listed_once_with_both_places() {
        let text = format!("r.example/web:1@{DIGEST}\nr.example/api:2");
        let again = format!("r.example/web:latest@{DIGEST}");
        let listed = list(&[("INPUT_IMAGES", text.as_str()), ("--images", &again)]);
        assert_eq!(
            targets_json(&listed).parse::<Value>().unwrap(),
            json!({"targets": [
                {"registry": "r.example", "repository": "web", "digest": DIGEST, "tags": ["1", "latest"], "sources": [
                    {"where": "INPUT_IMAGES", "format": "list", "line": 1, "member": null},
                    {"where": "--images", "format": "list", "line": null, "member": null}]},
                {"registry": "r.example", "repository": "api", "digest": null, "tags": ["2"], "sources": [
                    {"where": "INPUT_IMAGES", "format": "list", "line": 2, "member": null}]},
            ]})
        );
        assert_eq!(
            targets_text(&listed),
            format!("r.example/web:1@{DIGEST}\nr.example/api:2\n")
        );
        assert_eq!(
            targets_matrix(&listed).parse::<Value>().unwrap(),
            json!({"include": [
                {"image": "r.example/web", "digest": DIGEST}, {"image": "r.example/api:2", "digest": null}]})
        );
    }

    #[test]
    fn a_layout_has_no_registry_and_two_tags_are_two_images() {
        let listed = list(&[("--images", "oci:a:1\noci:a:2\noci:a:1")]);
        assert_eq!(targets_text(&listed), "oci:a:1\noci:a:2\n");
        let json: Value = targets_json(&listed).parse().unwrap();
        assert_eq!(json.pointer("/targets/0/registry"), Some(&Value::Null));
        assert_eq!(json.pointer("/targets/0/repository"), Some(&json!("oci:a")));
    }
}
