//! Storing and deleting referrers, and keeping the list of registries that do not.

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use serde_json::{Value, json};

use super::answer::{Answer, Trouble};
use super::auth::Access;
use super::http::Ask;
use super::referrers::{Fallback, Version, entries, fallback_tag};
use super::{Registry, repository};
use crate::base::limits::MANIFEST_BYTES;
use crate::domain::oci::{Descriptor, Digest, Manifest, MediaType, Place, Repository, Subject};
use crate::seams::{Logins, StoreProblem};

/// The header in which a registry says that it keeps the list itself (distribution specification 1.1, "Pushing
/// manifests with subject").
const OCI_SUBJECT: &str = "oci-subject";

/// How often the list under the fallback tag is written before giving up against other writers.
const ROUNDS: u32 = 3;

/// What becomes of an entry of the list.
#[derive(Clone, Copy)]
enum Change<'a> {
    Add(&'a Descriptor),
    Remove(&'a Digest),
}

impl Change<'_> {
    fn is_done(self, list: &[Descriptor]) -> bool {
        match self {
            Self::Add(entry) => list.iter().any(|other| other.digest == entry.digest),
            Self::Remove(digest) => list.iter().all(|other| other.digest != *digest),
        }
    }
}

impl<L: Logins> Registry<L> {
    /// Stores a referrer, and lists it where the registry does not do so itself.
    pub(super) async fn push(&self, place: &Place, manifest: &Manifest) -> Result<Subject, Trouble> {
        let repository = repository(place)?;
        let Some(subject) = manifest.subject() else {
            return Err(Trouble::usage(
                "it refers to nothing, expected a manifest with a subject",
            ));
        };
        let reference = manifest.digest().to_string();
        let anyway = &Version::Unknown;
        let answer = self
            .put_manifest(repository, &reference, manifest, anyway)
            .await?;
        if answer.says("MANIFEST_BLOB_UNKNOWN") {
            // What we took for stored is not; the next upload sends it.
            self.known.borrow_mut().retain(|(of, _)| of != repository);
        }
        if let Err(trouble) = check_stored(manifest.digest(), &answer) {
            let absent = self.absent_subject(place, subject, &answer).await?;
            return Err(absent.unwrap_or(trouble));
        }
        // Some registries echo the header without keeping a list, and some keep one without it; only both will do.
        let echoed = answer.header(OCI_SUBJECT) == Some(subject.digest.to_string().as_str());
        if !echoed || !self.has_api(repository, &subject.digest).await? {
            let mut entry = manifest.descriptor();
            entry.artifact_type = manifest.artifact_type().cloned();
            entry.annotations = manifest.annotations().clone();
            self.change_fallback(repository, &subject.digest, Change::Add(&entry))
                .await?;
        }
        Ok(Subject::of(place.clone(), manifest))
    }

    /// Whether a referrer was refused for want of its subject. Registries must take such referrers (distribution
    /// specification 1.1, "Pushing manifests with subject"), and those that do not have no answer of their own for it,
    /// so the subject itself is asked for.
    async fn absent_subject(
        &self,
        place: &Place,
        subject: &Descriptor,
        answer: &Answer,
    ) -> Result<Option<Trouble>, Trouble> {
        if !may_want_subject(answer, &subject.digest) {
            return Ok(None);
        }
        match self.read_manifest(place, subject).await {
            Err(Trouble {
                problem: StoreProblem::Missing(_),
                ..
            }) => Ok(Some(Trouble {
                problem: StoreProblem::SubjectAbsent {
                    subject: subject.digest.clone(),
                    words: answer.trouble().problem.to_string(),
                },
                hint: None,
            })),
            Err(trouble) => Err(trouble),
            Ok(_) => Ok(None),
        }
    }

    /// Deletes a referrer; one that is not there is deleted.
    pub(super) async fn remove(&self, own: &Subject) -> Result<(), Trouble> {
        let repository = repository(own.place())?;
        let manifest = match self.read_manifest(own.place(), own.descriptor()).await {
            Ok(manifest) => manifest,
            Err(trouble) if matches!(trouble.problem, StoreProblem::Missing(_)) => {
                return Ok(());
            }
            Err(trouble) => return Err(trouble),
        };
        let url = self.url(repository, &format!("manifests/{}", own.digest()))?;
        let ask = Ask::new("DELETE manifest", Method::DELETE, url);
        let answer = self.send(&ask, repository, Access::Delete).await?;
        if !matches!(answer.status, 200 | 202 | 204 | 404) {
            return Err(answer.trouble());
        }
        if let Some(subject) = manifest.subject()
            && !self.has_api(repository, &subject.digest).await?
        {
            let change = Change::Remove(own.digest());
            self.change_fallback(repository, &subject.digest, change).await?;
        }
        Ok(())
    }

    /// Writes a manifest; under a tag only in place of the version that was seen there, where the registry knows
    /// conditions (RFC 9110, 13.1.1 and 13.1.2; one that does not ignores them).
    pub(super) async fn put_manifest(
        &self,
        repository: &Repository,
        reference: &str,
        manifest: &Manifest,
        instead_of: &Version,
    ) -> Result<Answer, Trouble> {
        let url = self.url(repository, &format!("manifests/{reference}"))?;
        let kind = HeaderValue::from_str(manifest.media_type().as_str());
        let kind = kind.map_err(|_| Trouble::usage("its media type cannot be sent"))?;
        let mut ask = Ask::new("PUT manifest", Method::PUT, url)
            .header(CONTENT_TYPE, kind)
            .body(manifest.bytes());
        match instead_of {
            Version::Absent => ask = ask.header(IF_NONE_MATCH, HeaderValue::from_static("*")),
            Version::Tagged(etag) => ask = ask.header(IF_MATCH, etag.clone()),
            Version::Unknown => {}
        }
        ask.bucket = self.bucket(repository.host());
        self.send(&ask, repository, Access::Push).await
    }

    /// Reads the list, changes it, writes it back and looks whether the change held; other processes may be doing
    /// the same, and the last one to write wins.
    async fn change_fallback(
        &self,
        repository: &Repository,
        of: &Digest,
        change: Change<'_>,
    ) -> Result<(), Trouble> {
        let lock = self.writers.of((repository.clone(), of.clone()));
        let _turn = lock.lock().await;
        let tag = fallback_tag(of);
        let mut now = self.read_fallback(repository, of).await?;
        for round in 0..ROUNDS {
            if change.is_done(&now.index.as_ref().map(entries).unwrap_or_default()) {
                return Ok(());
            }
            if round > 0 {
                // What was written may only not be visible yet.
                tokio::time::sleep(self.options.retry.wait(round, 1.0)).await;
            }
            let index = changed(&now, change, of)?;
            let answer = self.put_manifest(repository, &tag, &index, &now.version).await?;
            // 412: somebody else was faster.
            if answer.status != 412 {
                check_stored(index.digest(), &answer)?;
            }
            now = self.read_fallback(repository, of).await?;
        }
        if change.is_done(&now.index.as_ref().map(entries).unwrap_or_default()) {
            return Ok(());
        }
        Err(Trouble::unavailable(format!(
            "it is stored, but not listed: the tag {tag} was overwritten by somebody else {ROUNDS} times"
        ))
        .hint("registries without the referrers API lose entries when two jobs sign one image at once; run one job at a time"))
    }
}

/// The list with the change made; every other entry stays as it is written.
fn changed(now: &Fallback, change: Change<'_>, of: &Digest) -> Result<Manifest, Trouble> {
    let unreadable = || Trouble::unavailable("the list of referrers cannot be written");
    let empty = json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": [] });
    let mut list: Value = match &now.index {
        // The bytes were read within bounds and without duplicate keys before.
        Some(index) => serde_json::from_slice(index.bytes()).map_err(|_| unreadable())?,
        None => empty,
    };
    let manifests = list.get_mut("manifests").ok_or_else(unreadable)?;
    if manifests.is_null() {
        *manifests = json!([]);
    }
    let entries = manifests.as_array_mut().ok_or_else(unreadable)?;
    let digest_of = |entry: &Value| entry.get("digest").and_then(Value::as_str).map(str::to_owned);
    let mut seen = std::collections::HashSet::from([Some(of.to_string())]);
    if let Change::Remove(digest) = change {
        seen.insert(Some(digest.to_string()));
    }
    entries.retain(|entry| seen.insert(digest_of(entry)));
    if let Change::Add(entry) = change {
        entries.push(serde_json::to_value(entry).map_err(|_| unreadable())?);
    }
    let bytes = serde_json::to_vec(&list).map_err(|_| unreadable())?;
    if bytes.len() > MANIFEST_BYTES {
        return Err(Trouble::unavailable(format!(
            "the list of referrers would grow beyond {MANIFEST_BYTES} bytes"
        )));
    }
    Manifest::parse(bytes, &MediaType::OCI_INDEX).map_err(|_| unreadable())
}

/// Whether an answer to a push may mean that the subject has to be stored first: the manifest was refused as such, not
/// who pushes, where, or how often.
fn may_want_subject(answer: &Answer, subject: &Digest) -> bool {
    let refused = matches!(answer.status, 400 | 404 | 405 | 409 | 412 | 422);
    let blob = answer.says("MANIFEST_BLOB_UNKNOWN") || answer.says("BLOB_UNKNOWN");
    let names_subject = || {
        let errors = answer.errors();
        errors
            .iter()
            .any(|error| error.message.raw().contains(subject.hex()))
    };
    refused
        && !answer.is_page()
        && !answer.is_passing()
        && !answer.says("NAME_UNKNOWN")
        && (!blob || names_subject())
}

/// Whether a manifest was stored as it was sent.
pub(super) fn check_stored(digest: &Digest, answer: &Answer) -> Result<(), Trouble> {
    let said = answer
        .header("docker-content-digest")
        .and_then(|text| text.parse::<Digest>().ok());
    // 201 is what the specification demands; 200 is what anything answers to anything, so it has to name the digest.
    let is_stored = match answer.status {
        201 | 202 | 204 => true,
        200 => said.is_some(),
        _ => false,
    };
    if !is_stored {
        return Err(answer.trouble());
    }
    match said.filter(|said| said.algorithm() == digest.algorithm() && said != digest) {
        None => Ok(()),
        Some(other) => Err(Trouble::tampered(digest.to_string(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::failure::Classified as _;
    use crate::domain::oci::Blob;
    use crate::edge::net::{Addresses, Network, client};
    use crate::edge::registry::{Anonymous, Options, store_error};
    use crate::seams::{Event, Observer};
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::rc::Rc;
    use std::sync::{Arc, Mutex};

    struct Quiet;

    impl Observer for Quiet {
        fn on(&self, _: &Event) {}
    }

    /// Answers `METHOD path` with status, content type and body; what it was sent is written down.
    type Script = fn(&str, &Tables) -> (u16, String, String);

    /// What the server knows and hears.
    struct Tables {
        own: Manifest,
        list: Mutex<String>,
        heard: Mutex<Vec<String>>,
    }

    fn own() -> Manifest {
        let empty = Blob::empty();
        let subject = Manifest::parse(br#"{"manifests":[]}"#.to_vec(), &MediaType::OCI_INDEX).unwrap();
        let text = json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": empty.descriptor(),
            "layers": [empty.descriptor()], "subject": subject.descriptor(),
        });
        Manifest::parse(text.to_string().into_bytes(), &MediaType::OCI_MANIFEST).unwrap()
    }

    fn serve(script: Script) -> (Place, Arc<Tables>) {
        let list = json!({"schemaVersion": 2, "manifests": [own().descriptor(), Blob::empty().descriptor()]});
        let tables = Arc::new(Tables {
            own: own(),
            list: Mutex::new(list.to_string()),
            heard: Mutex::default(),
        });
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let place = Place::Repository(format!("{}/a", socket.local_addr().unwrap()).parse().unwrap());
        let shared = Arc::clone(&tables);
        std::thread::spawn(move || {
            for stream in socket.incoming() {
                let mut reader = BufReader::new(stream.unwrap());
                let (mut line, mut length) = (String::new(), 0);
                reader.read_line(&mut line).unwrap();
                loop {
                    let mut header = String::new();
                    reader.read_line(&mut header).unwrap();
                    if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    if header.trim().is_empty() {
                        break;
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let asked = line.rsplit_once(' ').unwrap().0.to_owned();
                if asked.starts_with("PUT") {
                    *shared.list.lock().unwrap() = String::from_utf8(body).unwrap();
                }
                let (status, kind, text) = script(&asked, &shared);
                shared.heard.lock().unwrap().push(asked);
                let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-type: {kind}\r\n");
                let _ = write!(
                    reader.get_mut(),
                    "{head}content-length: {}\r\n\r\n{text}",
                    text.len()
                );
            }
        });
        (place, tables)
    }

    /// A registry without the referrers API that deletes.
    fn old(asked: &str, tables: &Tables) -> (u16, String, String) {
        let own = tables.own.digest().to_string();
        let json = || "application/json".to_owned();
        match asked.split_once(' ').unwrap() {
            ("GET", path) if path.ends_with(&own) => {
                let text = String::from_utf8(tables.own.bytes().to_vec()).unwrap();
                (200, MediaType::OCI_MANIFEST.to_string(), text)
            }
            ("GET", path) if path.contains("/manifests/sha256-") => (
                200,
                MediaType::OCI_INDEX.to_string(),
                tables.list.lock().unwrap().clone(),
            ),
            ("DELETE", _) => (202, json(), String::new()),
            ("PUT", _) => (201, json(), String::new()),
            _ => (404, json(), "{}".to_owned()),
        }
    }

    async fn delete(script: Script) -> (Result<(), crate::base::failure::Class>, Arc<Tables>) {
        let (place, tables) = serve(script);
        let addresses = Addresses::default();
        let client = client(&Network::default(), &addresses).unwrap();
        let registry = Registry::new(client, addresses, Options::default(), Anonymous, Rc::new(Quiet));
        let own = Subject::of(place, &own());
        let result = registry.remove(&own).await.map_err(store_error("delete", &own));
        (result.map_err(|error| error.class()), tables)
    }

    #[tokio::test]
    async fn a_deleted_referrer_leaves_the_list_too() {
        let (result, tables) = delete(old).await;
        assert_eq!(result, Ok(()));
        let list = tables.list.lock().unwrap();
        assert!(
            !list.contains(tables.own.digest().hex())
                && list.contains(Blob::empty().descriptor().digest.hex())
        );
        let heard = tables.heard.lock().unwrap();
        let methods: Vec<&str> = heard.iter().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(methods, ["GET", "DELETE", "GET", "GET", "PUT", "GET"]);
    }

    #[tokio::test]
    async fn what_is_gone_is_deleted_and_what_cannot_be_is_refused() {
        let (result, tables) = delete(|_, _| (404, "application/json".to_owned(), "{}".to_owned())).await;
        assert_eq!((result, tables.heard.lock().unwrap().len()), (Ok(()), 1));
        let (result, _) = delete(|asked, tables| {
            if asked.starts_with("DELETE") {
                (405, "text/plain".to_owned(), String::new())
            } else {
                old(asked, tables)
            }
        })
        .await;
        assert_eq!(result, Err(crate::base::failure::Class::Refused));
    }
}
