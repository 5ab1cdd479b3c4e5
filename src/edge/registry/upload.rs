//! Storing blobs: one POST and one PUT (distribution specification 1.1, "Pushing a blob monolithically", POST then PUT).
//!
//! Never PATCH: Amazon ECR answers the last one as if it were the end. A blob is asked for first only where the
//! answer may save more than it costs.

use std::cell::RefCell;
use std::collections::HashMap;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use url::Url;

use super::answer::{Answer, Trouble};
use super::auth::Access;
use super::http::Ask;
use super::{Locks, Registry, repository};
use crate::domain::oci::{Blob, Digest, Place, Repository};
use crate::seams::Logins;

/// From this size on a blob is asked for before it is sent, in bytes (ours: a request costs about as much as this).
const ASKED_FIRST: usize = 262_144;

/// How often an upload starts over when its session is lost.
const ROUNDS: usize = 3;

/// Uploads in progress or opened ahead of need.
#[derive(Default)]
pub(super) struct Sessions {
    /// One upload per blob.
    uploads: Locks<(Repository, Digest)>,
    /// Sessions that are open and unused.
    open: RefCell<HashMap<Repository, Vec<Url>>>,
}

impl<L: Logins> Registry<L> {
    /// Opens sessions ahead of need; one that cannot be opened is opened, or complained about, when it is needed.
    pub(super) async fn open_sessions(&self, repository: &Repository, count: usize) {
        let sessions =
            futures_util::future::join_all((0..count).map(|_| self.open_session(repository))).await;
        let sessions = sessions.into_iter().filter_map(Result::ok);
        let mut open = self.sessions.open.borrow_mut();
        open.entry(repository.clone()).or_default().extend(sessions);
    }

    /// Stores a blob unless it is known to be there; at most one upload of it at a time.
    pub(super) async fn store_blob(&self, place: &Place, blob: &Blob) -> Result<(), Trouble> {
        let repository = repository(place)?;
        let digest = &blob.descriptor().digest;
        let key = (repository.clone(), digest.clone());
        let lock = self.sessions.uploads.of(key.clone());
        let _turn = lock.lock().await;
        if self.known.borrow().contains(&key) {
            return Ok(());
        }
        if blob.bytes().len() >= ASKED_FIRST && self.has_blob(repository, digest).await? {
            return Ok(());
        }
        let mut lost = None;
        for _ in 0..ROUNDS {
            match self.send_blob(repository, blob).await? {
                Sent::Stored => {
                    self.note_blob(repository, digest);
                    return Ok(());
                }
                Sent::SessionLost(answer) => {
                    // The session may be gone because an earlier attempt was taken and its answer lost.
                    if self.has_blob(repository, digest).await? {
                        return Ok(());
                    }
                    lost = Some(answer);
                }
            }
        }
        let words = lost.map_or_else(String::new, |answer| answer.words());
        Err(Trouble::unavailable(format!(
            "the registry lost the upload {ROUNDS} times and last answered {words}"
        )))
    }

    /// Asks whether a blob is stored.
    pub(super) async fn has_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool, Trouble> {
        let url = self.url(repository, &format!("blobs/{digest}"))?;
        let ask = Ask::new("HEAD blob", Method::HEAD, url);
        let answer = self.send(&ask, repository, Access::Push).await?;
        match answer.status {
            // A redirect leads to the blob.
            200 | 301 | 302 | 303 | 307 | 308 => {
                self.note_blob(repository, digest);
                Ok(true)
            }
            404 => Ok(false),
            _ => Err(answer.trouble()),
        }
    }

    async fn send_blob(&self, repository: &Repository, blob: &Blob) -> Result<Sent, Trouble> {
        let mut session = self.session(repository).await?;
        let digest = blob.descriptor().digest.to_string();
        session.query_pairs_mut().append_pair("digest", &digest);
        let home = self.base(repository.host())?;
        let at_home = session.origin() == home.origin();
        let ask = Ask::new("PUT blob", Method::PUT, session)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
            .body(blob.bytes());
        let answer = if at_home {
            self.send(&ask, repository, Access::Push).await?
        } else {
            // Logins go to the registry alone.
            self.line.exchange(&ask, None).await?
        };
        match answer.status {
            201 | 202 | 204 => Ok(Sent::Stored),
            404 | 416 if !answer.says("NAME_UNKNOWN") => Ok(Sent::SessionLost(answer)),
            _ if answer.says("BLOB_UPLOAD_UNKNOWN") || answer.says("BLOB_UPLOAD_INVALID") => {
                Ok(Sent::SessionLost(answer))
            }
            _ => Err(answer.trouble()),
        }
    }

    /// A session, one that was opened ahead of need where there is one.
    pub(super) async fn session(&self, repository: &Repository) -> Result<Url, Trouble> {
        let stocked = self
            .sessions
            .open
            .borrow_mut()
            .get_mut(repository)
            .and_then(Vec::pop);
        match stocked {
            Some(session) => Ok(session),
            None => self.open_session(repository).await,
        }
    }

    /// Keeps the session that an answer opened, for the next blob.
    pub(super) async fn keep_session(&self, repository: &Repository, asked: &Url, answer: &Answer) {
        if let Ok(session) = self.opened(asked, answer).await {
            let mut open = self.sessions.open.borrow_mut();
            open.entry(repository.clone()).or_default().push(session);
        }
    }

    /// Opens a session.
    async fn open_session(&self, repository: &Repository) -> Result<Url, Trouble> {
        let url = self.url(repository, "blobs/uploads/")?;
        let ask = Ask::new("POST upload", Method::POST, url).body(&[]);
        let answer = self.send(&ask, repository, Access::Push).await?;
        if answer.status != 202 {
            return Err(answer.trouble());
        }
        self.opened(&ask.url, &answer).await
    }

    async fn opened(&self, asked: &Url, answer: &Answer) -> Result<Url, Trouble> {
        let location = answer
            .headers
            .get(LOCATION)
            .and_then(|location| location.to_str().ok());
        let location =
            location.ok_or_else(|| Trouble::unavailable("the registry opened an upload without Location"))?;
        self.line.target(asked, location, "sends the upload").await
    }
}

/// How sending a blob ended.
enum Sent {
    /// It is stored.
    Stored,
    /// The session is not known any more.
    SessionLost(Answer),
}
