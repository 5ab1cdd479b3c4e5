//! Whole images: blobs as streams, and manifests that refer to nothing.

use std::time::Duration;

use futures_util::stream;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Body, Method, Response};

use super::answer::{Answer, ERROR_BYTES, Trouble};
use super::auth::{Access, Next};
use super::http::Ask;
use super::referrers::Version;
use super::write::check_stored;
use super::{Registry, repository, store_error};
use crate::domain::oci::{Descriptor, Digest, Manifest, Place, Repository, Tag};
use crate::seams::{BlobBytes, CopyStore, Logins, StoreError, StoreProblem};

/// Redirects followed to a blob (ours; ECR's need one).
const REDIRECTS: usize = 5;

impl<L: Logins> Registry<L> {
    /// Opens a blob; its bytes are neither bounded nor hashed here.
    async fn open(&self, place: &Place, blob: &Descriptor) -> Result<BlobBytes, Trouble> {
        let repository = repository(place)?;
        let url = self.url(repository, &format!("blobs/{}", blob.digest))?;
        let mut ask = Ask::new("GET blob", Method::GET, url);
        let mut response = self.first(&ask, repository).await?;
        for _ in 0..REDIRECTS {
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                break;
            }
            let target = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let target = target.unwrap_or_default().to_owned();
            ask.url = self.line.target(&ask.url, &target, "redirects").await?;
            ask.operation = "GET redirect";
            response = self.line.open(&ask, None).await?;
        }
        if response.status().as_u16() != 200 {
            return Err(read_error(ask.operation, response, self.line.timeout)
                .await
                .trouble());
        }
        Ok(pieces(response, self.line.timeout))
    }

    /// The registry's own answer, with the login it wants.
    async fn first(&self, ask: &Ask, repository: &Repository) -> Result<Response, Trouble> {
        let mut renewed = false;
        loop {
            let permit = self.auth.permit(&self.line, repository, Access::Pull).await?;
            let opened = self.line.open(ask, permit.header.as_ref()).await;
            let status = opened.as_ref().map_or(0, |response| response.status().as_u16());
            if renewed || !matches!(status, 401 | 403) {
                self.auth.answered(repository, &permit);
                return opened;
            }
            let answer = read_error(ask.operation, opened?, self.line.timeout).await;
            if !answer.wants_login() {
                self.auth.answered(repository, &permit);
                return Err(answer.trouble());
            }
            renewed = true;
            let request = (&ask.url, repository, Access::Pull);
            if let Next::Refused(trouble) = self.auth.asked(&self.line, request, permit, &answer).await? {
                return Err(trouble);
            }
        }
    }

    /// Sends a blob in one go, as it comes; it is stored only when every byte came.
    async fn send_stream(&self, place: &Place, blob: &Descriptor, bytes: BlobBytes) -> Result<(), Trouble> {
        let repository = repository(place)?;
        let mut session = self.session(repository).await?;
        session
            .query_pairs_mut()
            .append_pair("digest", &blob.digest.to_string());
        let at_home = session.origin() == self.base(repository.host())?.origin();
        let permit = self.auth.permit(&self.line, repository, Access::Push).await?;
        let ask = Ask::new("PUT blob", Method::PUT, session)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
            .header(CONTENT_LENGTH, HeaderValue::from(blob.size));
        // Logins go to the registry alone.
        let login = permit.header.as_ref().filter(|_| at_home);
        let sent = self.line.send_body(&ask, login, Body::wrap_stream(bytes)).await;
        self.auth.answered(repository, &permit);
        let answer = read_error(ask.operation, sent?, self.line.timeout).await;
        if !matches!(answer.status, 200..=204) {
            return Err(answer.trouble());
        }
        self.note_blob(repository, &blob.digest);
        Ok(())
    }

    /// Asks the registry to take a blob from another of its repositories (distribution specification 1.1, "Mounting a
    /// blob from another repository"); where it opens an upload instead, that is kept for the next blob.
    async fn link(&self, place: &Place, from: &Place, blob: &Descriptor) -> Result<bool, Trouble> {
        let (to, from) = (repository(place)?, repository(from)?);
        let mut url = self.url(to, "blobs/uploads/")?;
        url.query_pairs_mut()
            .append_pair("mount", &blob.digest.to_string())
            .append_pair("from", from.path());
        let ask = Ask::new("POST upload", Method::POST, url).body(&[]);
        let answer = self.send(&ask, to, Access::Push).await?;
        match answer.status {
            201 => {
                self.note_blob(to, &blob.digest);
                Ok(true)
            }
            202 => {
                self.keep_session(to, &ask.url, &answer).await;
                Ok(false)
            }
            // Registries that know nothing of it, or may not read there, are asked to take the bytes.
            _ => Ok(false),
        }
    }

    async fn put_image(&self, place: &Place, manifest: &Manifest, reference: &str) -> Result<(), Trouble> {
        let answer = self
            .put_manifest(repository(place)?, reference, manifest, &Version::Unknown)
            .await?;
        check_stored(manifest.digest(), &answer).map_err(|trouble| {
            if answer.is_of_immutable_tag() {
                trouble.hint(
                    "the tag names another image and the registry does not let it be moved; everything else is stored \
                     already, so copy again to another tag",
                )
            } else {
                trouble
            }
        })
    }
}

/// What came instead of the wanted answer, as far as it is read.
async fn read_error(operation: &'static str, mut response: Response, timeout: Duration) -> Answer {
    let mut answer = Answer {
        operation,
        status: response.status().as_u16(),
        headers: std::mem::take(response.headers_mut()),
        body: Vec::new(),
        cut: false,
    };
    while let Ok(Ok(Some(piece))) = tokio::time::timeout(timeout, response.chunk()).await {
        let room = ERROR_BYTES - answer.body.len();
        answer.cut = piece.len() > room;
        answer.body.extend_from_slice(piece.get(..room).unwrap_or(&piece));
        if answer.cut {
            break;
        }
    }
    answer
}

/// The pieces of a body, each within a request's time.
fn pieces(response: Response, timeout: Duration) -> BlobBytes {
    let next = move |(mut response, over): (Response, bool)| async move {
        if over {
            return None;
        }
        let problem = match tokio::time::timeout(timeout, response.chunk()).await {
            Ok(Ok(piece)) => return piece.map(|piece| (Ok(piece.to_vec()), (response, false))),
            Ok(Err(_)) => "the connection broke off".to_owned(),
            Err(_) => format!("nothing came within {} ms", timeout.as_millis()),
        };
        Some((Err(StoreProblem::Unavailable(problem)), (response, true)))
    };
    Box::pin(stream::unfold((response, false), next))
}

impl<L: Logins> CopyStore for Registry<L> {
    /// A registry says only when it is asked to whether a tag can be moved.
    async fn may_name(&self, _: &Place, _: &Digest, _: Option<&Tag>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn found(&self, _: &Place) -> Result<(), StoreError> {
        Ok(())
    }

    async fn open_blob(&self, place: &Place, blob: &Descriptor) -> Result<BlobBytes, StoreError> {
        let what = format!("the blob {place}@{}", blob.digest);
        self.open(place, blob).await.map_err(store_error("read", &what))
    }

    async fn holds_blob(&self, place: &Place, blob: &Descriptor) -> Result<bool, StoreError> {
        let what = format!("the blob {place}@{}", blob.digest);
        let held = async { self.has_blob(repository(place)?, &blob.digest).await };
        held.await.map_err(store_error("look for", &what))
    }

    async fn store_blob(&self, place: &Place, blob: &Descriptor, bytes: BlobBytes) -> Result<(), StoreError> {
        let what = format!("the blob {place}@{}", blob.digest);
        self.send_stream(place, blob, bytes)
            .await
            .map_err(store_error("store", &what))
    }

    async fn mount(&self, place: &Place, from: &Place, blob: &Descriptor) -> Result<bool, StoreError> {
        let what = format!("the blob {place}@{}", blob.digest);
        self.link(place, from, blob)
            .await
            .map_err(store_error("store", &what))
    }

    async fn store_manifest(&self, place: &Place, manifest: &Manifest) -> Result<(), StoreError> {
        let what = format!("{place}@{}", manifest.digest());
        let digest = manifest.digest().to_string();
        self.put_image(place, manifest, &digest)
            .await
            .map_err(store_error("store", &what))
    }

    async fn name_image(
        &self,
        place: &Place,
        manifest: &Manifest,
        tag: Option<&Tag>,
    ) -> Result<(), StoreError> {
        let Some(tag) = tag else { return Ok(()) };
        let what = format!("{place}:{tag}");
        self.put_image(place, manifest, tag.as_str())
            .await
            .map_err(store_error("store", &what))
    }
}
