//! Many images of one ECR repository at once, by the API instead of one request each; and when one was pushed.
//!
//! Source: Amazon ECR API reference, `BatchGetImage` (up to 100 identifiers a call; the permission is the one that
//! pulling needs) and `DescribeImages` (`imagePushedAt`). What it does not give is left to the registry itself, whose answers say why
//! (docs/decisions/0024-many-images-at-once.md).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{Image, ImageIdentifier};
use futures_util::stream::{self, StreamExt as _};

use super::Aws;
use super::answer::{Kind, ServiceError};
use super::ecr::{EcrHost, PrivateRegistry, chain};
use super::json_service::JsonOperation;
use super::regions::Region;
use crate::base::failure::in_full;
use crate::base::json;
use crate::base::limits::Bounds;
use crate::base::time::Timestamp;
use crate::base::tree::DocumentError;
use crate::domain::oci::{Digest, ImageRef, Manifest, MediaType, Place, Repository, Subject};
use crate::seams::{Resolved, StoreError, StoreProblem};

/// Identifiers of one call (Amazon ECR API reference, `BatchGetImage`, `imageIds`: 1 to 100).
const AT_ONCE: usize = 100;

/// Calls under way at once (ours).
const CALLS: usize = 8;

/// The operation (Amazon ECR API, service model).
const DESCRIBE_IMAGES: JsonOperation = JsonOperation {
    service: "Amazon ECR",
    signed_as: "ecr",
    name: "DescribeImages",
    target: "AmazonEC2ContainerRegistry_V20150921.DescribeImages",
    address,
};

/// The images that one call asks for.
struct Batch {
    registry: PrivateRegistry,
    repository: Repository,
    images: Vec<ImageRef>,
}

/// Images that were read ahead; each is handed out once, so that whoever reads a tag again reads it anew.
#[derive(Clone, Debug)]
pub struct EcrImages {
    aws: Aws,
    read: Rc<RefCell<HashMap<ImageRef, Result<Resolved, StoreError>>>>,
}

impl EcrImages {
    pub(super) fn new(aws: Aws) -> Self {
        Self {
            aws,
            read: Rc::default(),
        }
    }

    /// Reads the images of every ECR repository of which several are asked for. It cannot fail: what it does not
    /// give has to be asked of the registry.
    pub async fn read_ahead(&self, images: &[ImageRef]) {
        let calls = batches(images).into_iter().map(|batch| self.call(batch));
        let mut answers = stream::iter(calls).buffer_unordered(CALLS);
        while let Some(answers) = answers.next().await {
            self.read.borrow_mut().extend(answers);
        }
    }

    /// An image that was read ahead.
    pub fn take(&self, image: &ImageRef) -> Option<Result<Resolved, StoreError>> {
        self.read.borrow_mut().remove(&bare(image)?)
    }

    /// When an image was pushed to its repository of ECR, in whole seconds; none for any other place, and where the role
    /// may not ask: then nobody says.
    ///
    /// # Errors
    /// [`StoreError`] where the service does not answer well.
    pub async fn pushed_at(&self, place: &Place, digest: &Digest) -> Result<Option<Timestamp>, StoreError> {
        let Place::Repository(repository) = place else {
            return Ok(None);
        };
        let Some(EcrHost::Private(registry)) = EcrHost::of(repository.host()) else {
            return Ok(None);
        };
        let digest_text = digest.to_string();
        let body = serde_json::json!({
            "registryId": registry.account(),
            "repositoryName": repository.path(),
            "imageIds": [{ "imageDigest": digest_text }],
        });
        let line = registry.line(&self.aws.dial);
        let answer = self.aws.ask(DESCRIBE_IMAGES, &line, &body).await;
        let pushed = answer.and_then(|answer| {
            pushed(&answer, &digest_text).map_err(|error| {
                let what = format!("time of the push that can be read ({})", in_full(&error));
                ServiceError::lacking(DESCRIBE_IMAGES.service, DESCRIBE_IMAGES.name, &what)
            })
        });
        pushed.or_else(|error| unpushed(place, digest, &error))
    }

    async fn call(&self, batch: Batch) -> Vec<(ImageRef, Result<Resolved, StoreError>)> {
        let client: Client = self.aws.ecr(&batch.registry);
        let types = MediaType::MANIFESTS.iter().map(|kind| kind.as_str().to_owned());
        let answer = client
            .batch_get_image()
            .registry_id(batch.registry.account())
            .repository_name(batch.repository.path())
            .set_image_ids(Some(batch.images.iter().map(identifier).collect()))
            .set_accepted_media_types(Some(types.collect()))
            .send()
            .await;
        let found = answer.ok().and_then(|answer| answer.images).unwrap_or_default();
        let place = Place::Repository(batch.repository);
        let asked: BTreeSet<ImageRef> = batch.images.into_iter().collect();
        let read = found.iter().flat_map(|image| of_answer(image, &place));
        read.filter(|(image, _)| asked.contains(image)).collect()
    }
}

/// The time that an answer of `DescribeImages` gives for an image.
fn pushed(answer: &[u8], digest: &str) -> Result<Option<Timestamp>, DocumentError> {
    let document = json::read(answer, Bounds::MANIFEST)?;
    let Some(images) = document.cursor().pointer("/imageDetails") else {
        return Ok(None);
    };
    for image in images.array()? {
        let image = image.object()?;
        let named = image
            .optional("imageDigest")
            .map(|named| named.string())
            .transpose()?;
        if named == Some(digest) {
            let pushed = image.optional("imagePushedAt");
            return pushed.map(|time| time.epoch_seconds()).transpose();
        }
    }
    Ok(None)
}

/// The public address of the ECR API (the service's endpoint rules in the AWS SDKs).
fn address(region: &Region, fips: bool, dual_stack: bool) -> String {
    let domain = region.partition().domain(dual_stack);
    let api = if dual_stack { "" } else { "api." };
    let fips = if fips { "-fips" } else { "" };
    format!("https://{api}ecr{fips}.{region}.{domain}")
}

/// The image by its digest alone, or by its tag alone: what one identifier can say.
fn bare(image: &ImageRef) -> Option<ImageRef> {
    let by = |tag, digest| ImageRef::new(image.place().clone(), tag, digest);
    match (image.digest(), image.tag()) {
        (Some(digest), _) => Some(by(None, Some(digest.clone()))),
        (None, Some(tag)) => Some(by(Some(tag.clone()), None)),
        (None, None) => None,
    }
}

fn batches(images: &[ImageRef]) -> Vec<Batch> {
    let mut wanted: BTreeMap<&Repository, BTreeSet<ImageRef>> = BTreeMap::new();
    for image in images {
        if let (Place::Repository(repository), Some(image)) = (image.place(), bare(image)) {
            wanted.entry(repository).or_default().insert(image);
        }
    }
    let several = wanted.into_iter().filter(|(_, images)| images.len() > 1);
    let mut batches = Vec::new();
    for (repository, images) in several {
        let Some(EcrHost::Private(registry)) = EcrHost::of(repository.host()) else {
            continue;
        };
        let images: Vec<ImageRef> = images.into_iter().collect();
        batches.extend(images.chunks(AT_ONCE).map(|images| Batch {
            registry: registry.clone(),
            repository: repository.clone(),
            images: images.to_vec(),
        }));
    }
    batches
}

fn identifier(image: &ImageRef) -> ImageIdentifier {
    ImageIdentifier::builder()
        .set_image_digest(image.digest().map(ToString::to_string))
        .set_image_tag(image.tag().map(ToString::to_string))
        .build()
}

/// One image of an answer under every name it may have been asked by; one that cannot be used has none.
fn of_answer(image: &Image, place: &Place) -> Vec<(ImageRef, Result<Resolved, StoreError>)> {
    let Some(text) = &image.image_manifest else {
        return Vec::new();
    };
    let id = image.image_id.as_ref();
    let said: Option<Digest> = id.and_then(|id| id.image_digest.as_deref()?.parse().ok());
    let tag = id.and_then(|id| id.image_tag.as_deref()?.parse().ok());
    let digest = said.clone().unwrap_or_else(|| Digest::of(text.as_bytes()));
    let names = [
        Some(ImageRef::new(place.clone(), None, Some(digest.clone()))),
        tag.map(|tag| ImageRef::new(place.clone(), Some(tag), None)),
    ];
    let read = if digest.matches(text.as_bytes()) {
        let kind = image.image_manifest_media_type.as_deref();
        let kind = kind.and_then(|kind| kind.parse::<MediaType>().ok());
        let parsed = kind.and_then(|kind| Manifest::parse(text.clone().into_bytes(), &kind).ok());
        let Some(manifest) = parsed else {
            return Vec::new();
        };
        Ok(Resolved {
            subject: Subject::of(place.clone(), &manifest),
            manifest,
        })
    } else {
        Err(lying(place, &digest, text))
    };
    let names = names.into_iter().flatten();
    names.map(|name| (name, read.clone())).collect()
}

/// What follows where the service gives no time: nobody says, or something is wrong.
fn unpushed(place: &Place, digest: &Digest, error: &ServiceError) -> Result<Option<Timestamp>, StoreError> {
    let problem = match error.problem.kind() {
        Kind::Refused => return Ok(None),
        Kind::Missing => StoreProblem::Missing(chain(error)),
        Kind::Expired => StoreProblem::Refused(chain(error)),
        Kind::Invalid | Kind::Throttled | Kind::Unavailable => StoreProblem::Unavailable(chain(error)),
    };
    Err(StoreError {
        verb: "learn the time of the push of",
        what: format!("{place}@{digest}"),
        problem,
        hint: None,
    })
}

fn lying(place: &Place, digest: &Digest, text: &str) -> StoreError {
    StoreError {
        verb: "resolve",
        what: format!("{place}@{digest}"),
        problem: StoreProblem::Tampered {
            expected: digest.to_string(),
            found: format!(
                "{} of {} bytes from BatchGetImage",
                Digest::by(digest.algorithm(), text.as_bytes()),
                text.len()
            ),
        },
        hint: Some("do not use the image before it is known why".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";
    const MANIFEST: &str =
        r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

    fn images(repository: &str, count: usize) -> Vec<ImageRef> {
        let named = |n: usize| format!("{repository}@{}", Digest::of(&n.to_be_bytes())).parse();
        (0..count).map(|n| named(n).unwrap()).collect()
    }

    fn image(tag: Option<&str>, digest: &str, kind: &str) -> Image {
        let id = ImageIdentifier::builder()
            .image_digest(digest)
            .set_image_tag(tag.map(str::to_owned));
        Image::builder()
            .image_id(id.build())
            .image_manifest(MANIFEST)
            .image_manifest_media_type(kind)
            .build()
    }

    #[test]
    fn a_hundred_a_call_per_repository_of_ecr_and_none_for_one_image() {
        let mut asked = images(&format!("{HOST}/web"), 250);
        asked.extend(images(&format!("{HOST}/api"), 1));
        asked.extend(images("r.example/web", 5));
        asked.extend(images(&format!("{HOST}/web"), 3));
        let sizes: Vec<usize> = batches(&asked).iter().map(|batch| batch.images.len()).collect();
        assert_eq!(sizes, [100, 100, 50]);
    }

    #[test]
    fn the_api_is_where_the_sdk_looks_for_it() {
        use aws_sdk_ecr::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
        let resolver = DefaultResolver::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for name in [
            "eu-west-1",
            "us-gov-west-1",
            "cn-north-1",
            "us-iso-east-1",
            "us-isob-east-1",
            "eusc-de-east-1",
        ] {
            let region: Region = name.parse().unwrap();
            for (fips, dual) in [(false, false), (true, false), (false, true), (true, true)] {
                let params = Params::builder().region(name).use_fips(fips).use_dual_stack(dual);
                let params = params.build().unwrap();
                let resolved = runtime.block_on(resolver.resolve_endpoint(&params));
                // What the SDK refuses does not exist in that partition.
                if let Ok(endpoint) = resolved {
                    assert_eq!(
                        address(&region, fips, dual),
                        endpoint.url(),
                        "{name} {fips} {dual}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_time_of_a_push_is_that_of_the_image_asked_for() {
        let at = |answer: &str| {
            pushed(answer.as_bytes(), "sha256:a")
                .ok()
                .flatten()
                .map(|time| time.to_string())
        };
        let answer = r#"{"imageDetails":[{"imageDigest":"sha256:b","imagePushedAt":1.0},
            {"imageDigest":"sha256:a","imagePushedAt":1.7040672005E9}]}"#;
        assert_eq!(at(answer).as_deref(), Some("2024-01-01T00:00:00Z"));
        for other in [
            "{}",
            r#"{"imageDetails":[]}"#,
            r#"{"imageDetails":{}}"#,
            r#"{"imageDetails":[{"imageDigest":"sha256:a"}]}"#,
            r#"{"imageDetails":[{"imageDigest":"sha256:a","imagePushedAt":"now"}]}"#,
        ] {
            assert_eq!(at(other), None, "{other}");
        }
    }

    #[test]
    fn an_answer_serves_its_digest_and_its_tag_and_lies_are_told() {
        let place = Place::Repository(format!("{HOST}/web").parse().unwrap());
        let digest = Digest::of(MANIFEST.as_bytes()).to_string();
        let index = MediaType::OCI_INDEX.to_string();
        let told = of_answer(&image(Some("1"), &digest, &index), &place);
        let names: Vec<String> = told.iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(names, [format!("{HOST}/web@{digest}"), format!("{HOST}/web:1")]);
        assert!(told.iter().all(|(_, read)| read.is_ok()));
        let other = Digest::of(b"other").to_string();
        let lies = of_answer(&image(None, &other, &index), &place);
        assert!(matches!(&lies[0].1, Err(error) if matches!(error.problem, StoreProblem::Tampered { .. })));
        assert_eq!(of_answer(&image(None, &digest, "text/html"), &place), []);
        assert_eq!(of_answer(&Image::builder().build(), &place), []);
    }
}
