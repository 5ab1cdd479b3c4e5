//! What would be acted on, as a list: every image once, with everything that names it; asks no store unless told to.

use std::cell::Cell;

use serde_json::{Value, json};

use super::name::{NameError, Naming, name_images, target};
use super::progress::Progress;
use super::resolve::{self, Unit};
use super::{Concurrency, Recursive, Stop, Target, pool};
use crate::base::failure::Cause;
use crate::base::foreign::Foreign;
use crate::domain::handoff::NamedImage;
use crate::domain::oci::{Place, Tag};
use crate::domain::plan::Step;
use crate::seams::{Observer, ReadStore};

/// One image with everything that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedTarget {
    image: NamedImage,
    /// None where no store was asked.
    platforms: Option<Vec<Foreign>>,
}

/// Lists the images that texts name.
///
/// # Errors
/// As [`super::name_targets`].
pub fn list_targets(naming: Naming<'_>) -> Result<Vec<ListedTarget>, NameError> {
    let listed = |image| ListedTarget {
        image,
        platforms: None,
    };
    Ok(name_images(naming)?.into_iter().map(listed).collect())
}

/// Asks the store for the digest and the platforms of every image; names that turn out to mean one image become one.
///
/// # Errors
/// What is wrong with each image that cannot be resolved, or whose tags do not agree with its digest.
pub async fn resolve_targets(
    listed: Vec<ListedTarget>,
    limits: Concurrency,
    (store, observer): (&impl ReadStore, &impl Observer),
    stop: &Stop,
) -> Result<Vec<ListedTarget>, Vec<Cause>> {
    let targets: Vec<Target> = listed.iter().map(|listed| target(&listed.image)).collect();
    resolve::foresee(store, &targets, stop).await;
    let failed = Cell::new(false);
    let resolved = pool::each(
        targets.iter().enumerate(),
        limits.jobs,
        async |(index, target)| {
            if stop.signal().is_some() || (limits.fail_fast && failed.get()) {
                return Err(Vec::new());
            }
            let progress = Progress::new(observer, index);
            let work = async {
                progress.begin(Step::Resolve);
                let mut units = resolve::resolve(store, target, Recursive::Index, false).await?;
                progress.end("");
                Ok(units.pop())
            };
            let unit = progress.guard(limits.timeout, stop, work).await;
            let unit = agreeing(unit.map_err(|failure| failure.cause), target);
            failed.set(failed.get() || unit.is_err());
            unit
        },
    );
    let (mut resolved_targets, mut problems) = (Vec::new(), Vec::new());
    for (listed, unit) in listed.into_iter().zip(resolved.await) {
        match unit {
            Ok(unit) => join(&mut resolved_targets, listed, unit),
            Err(causes) => problems.extend(causes),
        }
    }
    match (problems.is_empty(), stop.signal()) {
        (true, None) => Ok(resolved_targets),
        (_, _) => Err(problems),
    }
}

/// The image, or everything that is wrong with it and where it was named.
fn agreeing(unit: Result<Option<Unit>, Cause>, target: &Target) -> Result<Option<Unit>, Vec<Cause>> {
    let causes = match unit {
        Ok(Some(unit)) if !unit.strays.is_empty() => {
            unit.strays.iter().map(|stray| stray.mismatch().1).collect()
        }
        Ok(unit) => return Ok(unit),
        Err(cause) => vec![cause],
    };
    let named = |cause: Cause| Cause {
        message: format!("{} (named at {})", cause.message, target.named_at),
        ..cause
    };
    Err(causes.into_iter().map(named).collect())
}

fn join(targets: &mut Vec<ListedTarget>, listed: ListedTarget, unit: Option<Unit>) {
    let Some(unit) = unit else { return };
    let digest = Some(unit.subject.digest().clone());
    let same =
        |other: &&mut ListedTarget| other.image.digest == digest && other.image.place == listed.image.place;
    let Some(other) = targets.iter_mut().find(same) else {
        targets.push(ListedTarget {
            image: NamedImage {
                digest,
                ..listed.image
            },
            platforms: Some(unit.platforms),
        });
        return;
    };
    for tag in listed.image.tags {
        if !other.image.tags.contains(&tag) {
            other.image.tags.push(tag);
        }
    }
    other.image.sources.extend(listed.image.sources);
}

impl ListedTarget {
    fn json(&self) -> Value {
        let (registry, repository) = match &self.image.place {
            Place::Repository(repository) => (Some(repository.host().as_str()), repository.path().to_owned()),
            Place::Layout(_) => (None, self.image.place.to_string()),
        };
        let sources = self.image.sources.iter().map(|source| {
            let (line, member) = (source.spot.at.map(|at| at.line), source.spot.member.as_ref());
            json!({ "where": source.place, "format": source.format, "line": line, "member": member })
        });
        let mut told = json!({
            "registry": registry,
            "repository": repository,
            "digest": self.image.digest.as_ref().map(ToString::to_string),
            "tags": self.image.tags.iter().map(Tag::as_str).collect::<Vec<_>>(),
            "sources": sources.collect::<Vec<_>>(),
        });
        if let (Some(platforms), Some(told)) = (&self.platforms, told.as_object_mut()) {
            let platforms = platforms.iter().map(Foreign::raw).collect::<Vec<_>>();
            told.insert("platforms".to_owned(), json!(platforms));
        }
        told
    }

    /// A line of a list; the platforms are a comment there.
    fn line(&self) -> String {
        let image = self.image.image();
        match &self.platforms {
            Some(platforms) if !platforms.is_empty() => {
                let names = platforms.iter().map(|name| name.quote().to_string());
                let names: Vec<String> = names.map(|name| name.trim_matches('"').to_owned()).collect();
                format!("{image}  # {}", names.join(", "))
            }
            Some(_) | None => image.to_string(),
        }
    }
}

/// One line each.
pub fn targets_text(targets: &[ListedTarget]) -> String {
    let lines: Vec<String> = targets.iter().map(ListedTarget::line).collect();
    lines.join("\n") + "\n"
}

/// Everything that is known of each.
pub fn targets_json(targets: &[ListedTarget]) -> String {
    let targets: Vec<Value> = targets.iter().map(ListedTarget::json).collect();
    format!("{:#}\n", json!({ "targets": targets }))
}

/// A build matrix on one line: without a digest, the image keeps its tag.
pub fn targets_matrix(targets: &[ListedTarget]) -> String {
    let rows = targets.iter().map(|target| match &target.image.digest {
        Some(digest) => json!({ "image": target.image.place.to_string(), "digest": digest.to_string() }),
        None => json!({ "image": target.image.image().to_string(), "digest": null }),
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
