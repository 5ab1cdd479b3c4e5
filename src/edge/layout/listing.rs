//! `index.json` as it stands, parsed again only when it changed, with what refers to what in it.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::files::Files;
use super::index::{Appended, Entries, fallback_tag, list_tag};
use super::referrers::Seen;
use super::resolve::children;
use crate::domain::oci::{ArtifactType, Descriptor, Digest};
use crate::seams::StoreError;

/// How long a file has to hold the same bytes before its times alone are believed: longer than the steps in which the
/// clocks of file systems run (FAT has the longest, two seconds).
const SETTLED: Duration = Duration::from_secs(3);

/// The lists of the layouts that were looked into, and what their manifests refer to.
#[derive(Debug, Default)]
pub(super) struct Listings {
    known: RefCell<BTreeMap<PathBuf, Listing>>,
    seen: Seen,
}

impl Listings {
    /// Looks into the list of a layout as it stands now.
    pub(super) fn look<T>(
        &self,
        files: Files<'_>,
        look: impl FnOnce(&Listing) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let listing = self.current(files)?;
        let found = look(&listing);
        self.keep(files.root(), listing);
        found
    }

    /// Lists what refers to a digest, in the order of `index.json`, each once.
    pub(super) fn referrers(&self, files: Files<'_>, of: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let mut listing = self.current(files)?;
        let learned = listing.learn(files, &self.seen);
        let found = learned.and_then(|()| listing.referrers(files, &self.seen, of));
        self.keep(files.root(), listing);
        found
    }

    /// Notes that the list was replaced by a longer one; whoever calls this holds the lock, and looked before.
    pub(super) fn extended(&self, files: Files<'_>, appended: Appended) {
        let known = self.known.borrow_mut().remove(files.root());
        // Somebody who holds no lock may have been there since; the next look compares the bytes.
        if let (Some(mut listing), Ok(file)) = (known, File::open(files.index_path())) {
            listing.stand = Stand::new(file);
            listing.digests.insert(appended.digest().clone());
            listing.entries.append(appended);
            self.keep(files.root(), listing);
        }
    }

    fn keep(&self, root: &Path, listing: Listing) {
        self.known.borrow_mut().insert(root.to_owned(), listing);
    }

    /// The list, from memory where the file still holds it.
    fn current(&self, files: Files<'_>) -> Result<Listing, StoreError> {
        let known = self.known.borrow_mut().remove(files.root());
        if let Some(known) = known {
            if known.stand.is_of(files) {
                return Ok(known);
            }
            let (file, bytes) = files.index_bytes()?;
            if known.entries.is(&bytes) {
                let stand = known.stand.again(file);
                return Ok(Listing { stand, ..known });
            }
            return Ok(Listing::new(Stand::new(file), files.entries(bytes)?));
        }
        let (file, bytes) = files.index_bytes()?;
        Ok(Listing::new(Stand::new(file), files.entries(bytes)?))
    }
}

/// The list of one layout.
#[derive(Debug)]
pub(super) struct Listing {
    stand: Stand,
    entries: Entries,
    digests: HashSet<Digest>,
    /// How many entries were asked what they refer to.
    learned: usize,
    /// Places of entries by what their manifests refer to.
    referrers: HashMap<Digest, Vec<(usize, Option<ArtifactType>)>>,
    /// Places of entries that may be lists of referrers, by their tags.
    lists: HashMap<String, Vec<usize>>,
}

impl Listing {
    fn new(stand: Stand, entries: Entries) -> Self {
        let digests = entries.descriptors().iter().map(|entry| entry.digest.clone());
        Self {
            stand,
            digests: digests.collect(),
            entries,
            learned: 0,
            referrers: HashMap::new(),
            lists: HashMap::new(),
        }
    }

    /// What is listed.
    pub(super) fn entries(&self) -> &Entries {
        &self.entries
    }

    /// Whether a digest is listed.
    pub(super) fn lists(&self, digest: &Digest) -> bool {
        self.digests.contains(digest)
    }

    /// Asks the entries that were not asked yet what they refer to.
    fn learn(&mut self, files: Files<'_>, seen: &Seen) -> Result<(), StoreError> {
        while let Some(entry) = self.entries.descriptors().get(self.learned) {
            let place = self.learned;
            if let Some(referrer) = seen.referrer(files, entry)? {
                let of = self.referrers.entry(referrer.subject).or_default();
                of.push((place, referrer.artifact_type));
            }
            if let Some(tag) = list_tag(entry) {
                self.lists.entry(tag.to_owned()).or_default().push(place);
            }
            self.learned += 1;
        }
        Ok(())
    }

    fn referrers(&self, files: Files<'_>, seen: &Seen, of: &Digest) -> Result<Vec<Descriptor>, StoreError> {
        let lists = self.lists.get(&fallback_tag(of)).map_or(&[][..], Vec::as_slice);
        let mut found: BTreeMap<(usize, usize), Descriptor> = BTreeMap::new();
        let mut add = |place, entry: &Descriptor, artifact_type| {
            let entry = entry.clone();
            found.insert(
                place,
                Descriptor {
                    artifact_type,
                    ..entry
                },
            );
        };
        for (place, artifact_type) in self.referrers.get(of).into_iter().flatten() {
            if let Some(entry) = self.entries.descriptors().get(*place)
                && !lists.contains(place)
            {
                add((*place, 0), entry, artifact_type.clone());
            }
        }
        for (place, list) in lists
            .iter()
            .filter_map(|place| Some((*place, self.entries.descriptors().get(*place)?)))
        {
            for (inside, child) in children(&files.manifest(list)?).iter().enumerate() {
                let referrer = seen.referrer(files, child)?;
                if let Some(referrer) = referrer.filter(|referrer| referrer.subject == *of) {
                    add((place, inside), child, referrer.artifact_type);
                }
            }
        }
        let mut once = HashSet::new();
        let mut found: Vec<Descriptor> = found.into_values().collect();
        found.retain(|entry| once.insert(entry.digest.clone()));
        Ok(found)
    }
}

/// How the file stood when its bytes were read.
#[derive(Debug)]
struct Stand {
    /// Open, so that no other file gets its number.
    _file: File,
    stamp: Option<Stamp>,
    since: Instant,
    /// Whether the stamp alone tells whether the bytes are the same.
    is_settled: bool,
}

/// What changes with a file's bytes, as far as clocks can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stand {
    fn new(file: File) -> Self {
        Self {
            stamp: file.metadata().ok().as_ref().map(Stamp::of),
            _file: file,
            since: Instant::now(),
            is_settled: false,
        }
    }

    /// The same bytes were read again, from this file.
    fn again(&self, file: File) -> Self {
        let now = Self::new(file);
        if now.stamp.is_none() || now.stamp != self.stamp {
            return now;
        }
        Self {
            since: self.since,
            is_settled: self.since.elapsed() >= SETTLED,
            ..now
        }
    }

    fn is_of(&self, files: Files<'_>) -> bool {
        let found = files.index_path().symlink_metadata();
        self.is_settled && found.is_ok_and(|found| Some(Stamp::of(&found)) == self.stamp)
    }
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        Self {
            file: (found.dev(), found.ino()),
            size: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::oci::{LayoutPath, Place};
    use crate::edge::layout::demo_image;
    use std::fs;

    fn listed(listings: &Listings, path: &LayoutPath) -> usize {
        let files = Files::open(path).unwrap();
        let count = |listing: &Listing| Ok(listing.entries().descriptors().len());
        listings.look(files, count).unwrap()
    }

    #[test]
    fn what_others_write_is_seen_however_they_write_it() {
        let directory = tempfile::TempDir::new().unwrap();
        let demo = demo_image::write(&directory.path().join("layout")).unwrap();
        let Place::Layout(path) = demo.image.place() else {
            panic!("a layout");
        };
        let (index, listings) = (path.as_path().join("index.json"), Listings::default());
        let whole = fs::read(&index).unwrap();
        let before = listed(&listings, path);
        assert!(before > 0);
        let empty = r#"{"schemaVersion":2,"manifests":[]}"#;
        let same_size = format!("{empty}{}", " ".repeat(whole.len() - empty.len()));
        // In place, of the same size, at the same moment.
        for _ in 0..50 {
            fs::write(&index, &same_size).unwrap();
            assert_eq!(listed(&listings, path), 0);
            fs::write(&index, &whole).unwrap();
            assert_eq!(listed(&listings, path), before);
        }
        // Another file under the name.
        let other = path.as_path().join("other");
        fs::write(&other, empty).unwrap();
        fs::rename(&other, &index).unwrap();
        assert_eq!(listed(&listings, path), 0);
    }

    #[test]
    fn a_file_that_stood_still_is_not_read_again() {
        let directory = tempfile::TempDir::new().unwrap();
        let demo = demo_image::write(&directory.path().join("layout")).unwrap();
        let Place::Layout(path) = demo.image.place() else {
            panic!("a layout");
        };
        let files = Files::open(path).unwrap();
        let long_ago = Instant::now().checked_sub(SETTLED).unwrap();
        let (file, _) = files.index_bytes().unwrap();
        let stand = Stand {
            since: long_ago,
            ..Stand::new(file)
        };
        assert!(
            !stand.is_of(files),
            "not before its bytes were compared once more"
        );
        let stand = stand.again(files.index_bytes().unwrap().0);
        assert!(stand.is_of(files));
        fs::write(files.index_path(), "{}").unwrap();
        assert!(!stand.is_of(files));
    }
}
