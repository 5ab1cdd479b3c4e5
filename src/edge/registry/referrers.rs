//! Listing what refers to a manifest: the referrers API, and the tag where registries without it keep the list
//! (distribution specification 1.1, "Listing Referrers" and "Referrers Tag Schema").

use std::collections::HashSet;

use reqwest::Method;
use reqwest::header::{ACCEPT, ETAG, HeaderValue, LINK};
use url::Url;

use super::answer::{Answer, Trouble, foreign_type, over_limit};
use super::http::Ask;
use super::link::next_page;
use super::{Registry, repository};
use crate::base::failure::Cause;
use crate::base::limits::{MANIFEST_BYTES, REFERRER_PAGES};
use crate::domain::oci::{Descriptor, Digest, Manifest, ManifestView, MediaType, Place, Repository};
use crate::seams::Logins;

/// What the referrers API is asked for.
const INDEX_TYPE: HeaderValue = HeaderValue::from_static("application/vnd.oci.image.index.v1+json");

/// The tag under which registries without the API keep the list (distribution specification 1.1, "Referrers Tag
/// Schema": at most 32 characters of the algorithm and 64 of the digest).
pub(super) fn fallback_tag(of: &Digest) -> String {
    let hex = of.hex().get(..64).unwrap_or(of.hex());
    format!("{}-{hex}", of.algorithm().name())
}

/// What the fallback tag holds.
pub(super) struct Fallback {
    /// The index's bytes and what they say; nothing where the tag is not there.
    pub(super) index: Option<Manifest>,
    /// Which version of it this is, so that nobody else's is written over.
    pub(super) version: Version,
}

/// A version of what is under a tag.
pub(super) enum Version {
    /// Nothing is there.
    Absent,
    /// The registry calls it so (RFC 9110, 8.8.3).
    Tagged(HeaderValue),
    /// Something is there, and the registry has no name for its versions.
    Unknown,
}

impl Version {
    fn of(answer: &Answer) -> Self {
        let etag = answer.headers.get(ETAG).cloned();
        etag.map_or(Self::Unknown, Self::Tagged)
    }
}

impl<L: Logins> Registry<L> {
    /// Lists what refers to a manifest, each entry once.
    pub(super) async fn list(&self, place: &Place, of: &Digest) -> Result<Vec<Descriptor>, Trouble> {
        let repository = repository(place)?;
        let known = self.api.borrow().get(repository).copied();
        if known != Some(false)
            && let Some(found) = self.ask_api(repository, of).await?
        {
            return Ok(once_each(found, of));
        }
        let fallback = self.read_fallback(repository, of).await?;
        let found = fallback.index.as_ref().map(entries).unwrap_or_default();
        Ok(once_each(found, of))
    }

    /// Whether the repository's registry has the referrers API, asked if not known.
    pub(super) async fn has_api(&self, repository: &Repository, of: &Digest) -> Result<bool, Trouble> {
        let known = self.api.borrow().get(repository).copied();
        match known {
            Some(known) => Ok(known),
            None => Ok(self.ask_api(repository, of).await?.is_some()),
        }
    }

    /// Asks the API; nothing where there is none: 404 that does not say the repository is missing, or 200 with
    /// another document than an index.
    async fn ask_api(
        &self,
        repository: &Repository,
        of: &Digest,
    ) -> Result<Option<Vec<Descriptor>>, Trouble> {
        let home = self.url(repository, &format!("referrers/{of}"))?;
        let mut url = home.clone();
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        for page in 0..REFERRER_PAGES {
            seen.insert(url.clone());
            let ask = Ask::new("GET referrers", Method::GET, url.clone())
                .header(ACCEPT, INDEX_TYPE)
                .limit(MANIFEST_BYTES);
            let answer = self.fetch(&ask, repository).await?;
            let is_index = answer.content_type().as_deref() == Some(MediaType::OCI_INDEX.as_str());
            // A web page is somebody else's answer and says nothing about the API.
            let another = answer.status == 200 && !is_index && !answer.is_page();
            let absent = another || (answer.status == 404 && !answer.says("NAME_UNKNOWN"));
            if absent && page == 0 {
                self.api.borrow_mut().insert(repository.clone(), false);
                return Ok(None);
            }
            if answer.status != 200 || !is_index {
                return Err(answer.trouble());
            }
            self.api.borrow_mut().insert(repository.clone(), true);
            let next = next_url(&home, &url, &answer)?;
            let filtered = says_filtered(&answer);
            let page = entries(&index(answer)?).into_iter();
            found.extend(page.map(|entry| if filtered { untyped(entry) } else { entry }));
            match next {
                None => return Ok(Some(found)),
                Some(next) if seen.contains(&next) => {
                    return Err(Trouble::unavailable("the pages of the list go round in circles"));
                }
                Some(next) => url = next,
            }
        }
        Err(Trouble::unavailable(format!(
            "the list has more than {REFERRER_PAGES} pages"
        )))
    }

    /// Reads the fallback tag.
    pub(super) async fn read_fallback(
        &self,
        repository: &Repository,
        of: &Digest,
    ) -> Result<Fallback, Trouble> {
        let tag = fallback_tag(of);
        let nothing = |version| Fallback { index: None, version };
        let answer = self.ask_manifest(repository, &tag, MANIFEST_BYTES).await?;
        if answer.status == 404 && !answer.says("NAME_UNKNOWN") && !answer.is_page() {
            return Ok(nothing(Version::Absent));
        }
        if answer.status != 200 || answer.is_page() {
            return Err(answer.trouble());
        }
        if answer.cut {
            return Err(over_limit(MANIFEST_BYTES));
        }
        // Some registries resolve the tag to the subject itself; that is no list.
        if of.matches(&answer.body) {
            return Ok(nothing(Version::of(&answer)));
        }
        if answer.content_type().as_deref() != Some(MediaType::OCI_INDEX.as_str()) {
            let trouble = foreign_type(
                &format!("an index of referrers under the tag {tag}"),
                answer.content_type().as_deref(),
            );
            return Err(trouble.hint(
                "another tool overwrote the tag that lists this image's referrers; push it again from where they are \
                 whole, with a tool that keeps them",
            ));
        }
        let version = Version::of(&answer);
        Ok(Fallback {
            index: Some(self.parse(repository, answer, &MediaType::OCI_INDEX)?),
            version,
        })
    }
}

/// Whether the registry says that it left out entries of other artifact types (distribution specification 1.1,
/// "Listing Referrers", `OCI-Filters-Applied`), though it was not asked to.
fn says_filtered(answer: &Answer) -> bool {
    let applied = answer.headers.get_all("oci-filters-applied").into_iter();
    let mut texts = applied.filter_map(|value| value.to_str().ok());
    texts.any(|text| text.split(',').any(|filter| filter.trim() == "artifactType"))
}

/// An entry of such a list: its type is then no reason to leave it out once more, so its manifest has to say.
fn untyped(entry: Descriptor) -> Descriptor {
    Descriptor {
        artifact_type: None,
        ..entry
    }
}

/// The next page, if there is one; only ever of the same list on the same registry.
fn next_url(home: &Url, here: &Url, answer: &Answer) -> Result<Option<Url>, Trouble> {
    let headers = answer.headers.get_all(LINK).into_iter();
    let mut texts = headers.filter_map(|header| header.to_str().ok());
    let Some(next) = texts.find_map(next_page) else {
        return Ok(None);
    };
    match here.join(next) {
        Ok(next) if next.origin() == home.origin() && next.path() == home.path() => Ok(Some(next)),
        _ => Err(Trouble::unavailable(
            "the next page of the list is not the registry's own",
        )),
    }
}

/// A page of the list.
fn index(answer: Answer) -> Result<Manifest, Trouble> {
    if answer.cut {
        return Err(over_limit(MANIFEST_BYTES));
    }
    Manifest::parse(answer.body, &MediaType::OCI_INDEX)
        .map_err(|error| Trouble::unavailable(Cause::of(&error).message))
}

/// The entries of an index.
pub(super) fn entries(index: &Manifest) -> Vec<Descriptor> {
    match index.view() {
        ManifestView::Index(index) => index.manifests.clone(),
        ManifestView::Image(_) => Vec::new(),
    }
}

/// Each entry once, in order, the subject itself left out.
fn once_each(mut found: Vec<Descriptor>, of: &Digest) -> Vec<Descriptor> {
    let mut seen = HashSet::from([of.clone()]);
    found.retain(|entry| seen.insert(entry.digest.clone()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::oci::Algorithm;

    #[test]
    fn the_tag_follows_the_schema() {
        let of = Digest::of(b"{}");
        assert_eq!(
            fallback_tag(&of),
            "sha256-44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
        let long = Digest::by(Algorithm::Sha512, b"{}");
        assert_eq!(fallback_tag(&long).len(), "sha512-".len() + 64);
    }
}
