//! Reading manifests and blobs: every byte bounded, counted and hashed.

use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderValue};

use super::answer::{Answer, Trouble, foreign_type, over_limit};
use super::http::Ask;
use super::{Registry, repository};
use crate::base::failure::Cause;
use crate::base::foreign::quote;
use crate::base::limits::MANIFEST_BYTES;
use crate::domain::oci::{
    Algorithm, Descriptor, Digest, ImageRef, Manifest, ManifestError, ManifestView, MediaType, Place,
    Repository, Subject,
};
use crate::seams::{Logins, Resolved, StoreProblem};

/// Every manifest that can be read. The whole list is always sent: registries convert what is not on it, which
/// changes the digest (Amazon ECR user guide, "Container image manifest format support").
const MANIFEST_TYPES: HeaderValue = HeaderValue::from_static(
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.artifact.manifest.v1+json",
);

/// The header in which registries say the digest (distribution specification 1.1, "Pulling manifests").
const CONTENT_DIGEST: &str = "docker-content-digest";

impl<L: Logins> Registry<L> {
    /// Finds the manifest behind a name, by reading it: what a header says is never signed.
    pub(super) async fn find(&self, image: &ImageRef) -> Result<Resolved, Trouble> {
        let repository = repository(image.place())?;
        let algorithm = image.digest().map_or(Algorithm::Sha256, Digest::algorithm);
        if !algorithm.is_registered() {
            let found = format!(
                "expected a digest by sha256 or sha512, found one by {}",
                algorithm.name()
            );
            return Err(Trouble::usage(found).hint("name the image by its tag or its sha256 digest"));
        }
        let reference = match (image.digest(), image.tag()) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.to_string(),
            (None, None) => return Err(Trouble::usage("it has neither a tag nor a digest")),
        };
        let answer = self.get_manifest(repository, &reference, MANIFEST_BYTES).await?;
        if answer.cut {
            return Err(over_limit(MANIFEST_BYTES));
        }
        if let Some(digest) = image.digest().filter(|digest| !digest.matches(&answer.body)) {
            return Err(another(digest, None, &answer));
        }
        let media_type = manifest_type(&answer)?;
        let manifest = self.parse(repository, answer, &media_type)?.named_by(algorithm);
        Ok(Resolved {
            subject: Subject::of(image.place().clone(), &manifest),
            manifest,
        })
    }

    /// Reads a manifest whose digest and size are known.
    pub(super) async fn read_manifest(
        &self,
        place: &Place,
        descriptor: &Descriptor,
    ) -> Result<Manifest, Trouble> {
        let repository = repository(place)?;
        let limit = bounded(descriptor, MANIFEST_BYTES)?;
        let reference = descriptor.digest.to_string();
        let answer = self.get_manifest(repository, &reference, limit).await?;
        check_content(descriptor, &answer)?;
        let media_type = manifest_type(&answer)?;
        if media_type != descriptor.media_type {
            return Err(foreign_type(
                descriptor.media_type.as_str(),
                Some(media_type.as_str()),
            ));
        }
        let manifest = self.parse(repository, answer, &media_type)?;
        Ok(manifest.named_by(descriptor.digest.algorithm()))
    }

    /// Reads a blob whose digest and size are known.
    pub(super) async fn read_blob(
        &self,
        place: &Place,
        blob: &Descriptor,
        limit: usize,
    ) -> Result<Vec<u8>, Trouble> {
        let repository = repository(place)?;
        let limit = bounded(blob, limit)?;
        let url = self.url(repository, &format!("blobs/{}", blob.digest))?;
        let ask = Ask::new("GET blob", Method::GET, url).limit(limit);
        let answer = self.fetch(&ask, repository).await?;
        if answer.status != 200 {
            return Err(answer.trouble());
        }
        if answer.is_page() && !blob.digest.matches(&answer.body) {
            return Err(foreign_type("the blob", answer.content_type().as_deref()));
        }
        check_content(blob, &answer)?;
        self.note_blob(repository, &blob.digest);
        Ok(answer.body)
    }

    /// Asks for a manifest; the answer is 200 and no web page.
    async fn get_manifest(
        &self,
        repository: &Repository,
        reference: &str,
        limit: usize,
    ) -> Result<Answer, Trouble> {
        let answer = self.ask_manifest(repository, reference, limit).await?;
        if answer.status != 200 || answer.is_page() {
            return Err(answer.trouble());
        }
        Ok(answer)
    }

    /// Asks for a manifest, whatever the answer.
    pub(super) async fn ask_manifest(
        &self,
        repository: &Repository,
        reference: &str,
        limit: usize,
    ) -> Result<Answer, Trouble> {
        let url = self.url(repository, &format!("manifests/{reference}"))?;
        let ask = Ask::new("GET manifest", Method::GET, url)
            .header(ACCEPT, MANIFEST_TYPES)
            .limit(limit);
        self.fetch(&ask, repository).await
    }

    /// Parses a manifest and remembers which blobs must be there, since a registry takes a manifest only with them.
    pub(super) fn parse(
        &self,
        repository: &Repository,
        answer: Answer,
        media_type: &MediaType,
    ) -> Result<Manifest, Trouble> {
        let claimed = answer
            .header(CONTENT_DIGEST)
            .and_then(|text| text.parse::<Digest>().ok());
        if let Some(claimed) = claimed.filter(|claimed| !claimed.matches(&answer.body)) {
            return Err(another(&claimed, None, &answer));
        }
        let manifest = Manifest::parse(answer.body, media_type).map_err(|error| unreadable(&error))?;
        if let ManifestView::Image(image) = manifest.view() {
            for blob in image.layers.iter().chain(&image.config) {
                self.note_blob(repository, &blob.digest);
            }
        }
        Ok(manifest)
    }

    /// Remembers that a blob is stored.
    pub(super) fn note_blob(&self, repository: &Repository, digest: &Digest) {
        self.known
            .borrow_mut()
            .insert((repository.clone(), digest.clone()));
    }
}

/// The most bytes of described content that are read: its size, if that is allowed.
fn bounded(descriptor: &Descriptor, limit: usize) -> Result<usize, Trouble> {
    match usize::try_from(descriptor.size) {
        Ok(size) if size <= limit => Ok(size),
        _ => Err(Trouble::unavailable(format!(
            "it is {} bytes large, at most {limit} are read",
            descriptor.size
        ))),
    }
}

/// Holds content against its descriptor.
fn check_content(descriptor: &Descriptor, answer: &Answer) -> Result<(), Trouble> {
    let same_size = !answer.cut && answer.body.len() as u64 == descriptor.size;
    if same_size && descriptor.digest.matches(&answer.body) {
        return Ok(());
    }
    Err(another(&descriptor.digest, Some(descriptor.size), answer))
}

/// The trouble of content that is not what its digest says.
fn another(expected: &Digest, size: Option<u64>, answer: &Answer) -> Trouble {
    let size = size.map(|size| format!(" of {size} bytes")).unwrap_or_default();
    let found = if answer.cut {
        format!("more than {} bytes", answer.body.len())
    } else {
        let digest = Digest::by(expected.algorithm(), &answer.body);
        format!("{digest} of {} bytes", answer.body.len())
    };
    Trouble::tampered(format!("{expected}{size}"), found)
        .hint("the registry, or something between it and us, served other bytes than it announced; do not use the image before it is known why")
}

/// The media type a manifest was served as.
fn manifest_type(answer: &Answer) -> Result<MediaType, Trouble> {
    let found = answer.content_type();
    let parsed = found.as_deref().and_then(|found| found.parse::<MediaType>().ok());
    parsed.ok_or_else(|| foreign_type("a manifest", found.as_deref()))
}

/// A manifest that cannot be read, as trouble of the same class.
fn unreadable(error: &ManifestError) -> Trouble {
    match error {
        ManifestError::Unsupported(kind) if kind.as_str() == "application/json" => {
            Trouble::unavailable(format!(
                "expected a manifest, found the media type {}",
                quote(kind.as_str())
            ))
        }
        ManifestError::Unsupported(_) => Trouble::usage(Cause::of(error).message),
        ManifestError::Document(_) | ManifestError::MediaType { .. } => Trouble {
            problem: StoreProblem::Unavailable(Cause::of(error).message),
            hint: None,
        },
    }
}
