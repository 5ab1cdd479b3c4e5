//! What would be acted on, as a list: every image once, with everything that names it. Asks no store.

use serde_json::{Value, json};

use super::name::{NameError, read};
use crate::domain::handoff::Named;
use crate::domain::oci::{Digest, ImageRef, Place, Tag};

/// The name of the only format there is yet.
const FORMAT: &str = "list";

/// One image with everything that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedTarget {
    place: Place,
    digest: Option<Digest>,
    tags: Vec<Tag>,
    sources: Vec<TargetSource>,
}

/// One place where an image is named.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TargetSource {
    place: String,
    line: Option<u32>,
}

/// Lists the images that texts name, each text with the place where it stood.
///
/// # Errors
/// As [`super::name_targets`].
pub fn list_targets<'a>(
    texts: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<ListedTarget>, NameError> {
    let mut listed: Vec<ListedTarget> = Vec::new();
    for (place, text) in texts {
        let named = read(place, text)?;
        let several = named.len() > 1;
        for Named { image, line, .. } in named {
            let source = TargetSource {
                place: place.to_owned(),
                line: several.then_some(line),
            };
            add(&mut listed, &image, source);
        }
    }
    Ok(listed)
}

/// Images are the same where place and digest are; without a digest, where place and tag are.
fn add(listed: &mut Vec<ListedTarget>, image: &ImageRef, source: TargetSource) {
    let tag = image.tag();
    let same = listed.iter_mut().find(|other| {
        let known = image.digest().is_some() || other.tags.first() == tag;
        other.place == *image.place() && other.digest.as_ref() == image.digest() && known
    });
    match same {
        Some(other) => {
            other
                .tags
                .extend(tag.filter(|tag| !other.tags.contains(tag)).cloned());
            other.sources.push(source);
        }
        None => listed.push(ListedTarget {
            place: image.place().clone(),
            digest: image.digest().cloned(),
            tags: tag.cloned().into_iter().collect(),
            sources: vec![source],
        }),
    }
}

impl ListedTarget {
    /// The image with its first tag and its digest, as far as they are known.
    fn image(&self) -> ImageRef {
        ImageRef::new(
            self.place.clone(),
            self.tags.first().cloned(),
            self.digest.clone(),
        )
    }

    fn json(&self) -> Value {
        let (registry, repository) = match &self.place {
            Place::Repository(repository) => (Some(repository.host().as_str()), repository.path().to_owned()),
            Place::Layout(_) => (None, self.place.to_string()),
        };
        let sources = self.sources.iter().map(
            |source| json!({ "where": source.place, "format": FORMAT, "line": source.line, "member": null }),
        );
        json!({
            "registry": registry,
            "repository": repository,
            "digest": self.digest.as_ref().map(ToString::to_string),
            "tags": self.tags.iter().map(Tag::as_str).collect::<Vec<_>>(),
            "sources": sources.collect::<Vec<_>>(),
        })
    }
}

/// One line each.
pub fn targets_text(targets: &[ListedTarget]) -> String {
    let lines: Vec<String> = targets.iter().map(|target| target.image().to_string()).collect();
    lines.join("\n") + "\n"
}

/// Everything that is known of each.
pub fn targets_json(targets: &[ListedTarget]) -> String {
    let targets: Vec<Value> = targets.iter().map(ListedTarget::json).collect();
    format!("{:#}\n", json!({ "targets": targets }))
}

/// A build matrix on one line: without a digest, the image keeps its tag.
pub fn targets_matrix(targets: &[ListedTarget]) -> String {
    let rows = targets.iter().map(|target| match &target.digest {
        Some(digest) => json!({ "image": target.place.to_string(), "digest": digest.to_string() }),
        None => json!({ "image": target.image().to_string(), "digest": null }),
    });
    format!("{}\n", json!({ "include": rows.collect::<Vec<_>>() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    #[test]
    fn an_image_named_twice_is_listed_once_with_both_places() {
        let text = format!("r.example/web:1@{DIGEST}\nr.example/api:2");
        let again = format!("r.example/web:latest@{DIGEST}");
        let listed = list_targets([("INPUT_IMAGES", text.as_str()), ("--images", &again)]).unwrap();
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
        let listed = list_targets([("--images", "oci:a:1\noci:a:2\noci:a:1")]).unwrap();
        assert_eq!(targets_text(&listed), "oci:a:1\noci:a:2\n");
        let json: Value = targets_json(&listed).parse().unwrap();
        assert_eq!(json.pointer("/targets/0/registry"), Some(&Value::Null));
        assert_eq!(json.pointer("/targets/0/repository"), Some(&json!("oci:a")));
    }
}
