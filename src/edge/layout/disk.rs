//! Every change this program makes to a layout, so that tests can let each of them fail.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use crate::edge::owner::Owner;

/// One kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A directory is made.
    CreateDirectory,
    /// An empty file is made.
    Create,
    /// Bytes are appended to it.
    Write,
    /// Its bytes reach the medium.
    Sync,
    /// It gets its final name, replacing what had it.
    Rename,
    /// A file is deleted.
    Remove,
}

/// Is asked before every change, and may let it fail.
type Watch = Box<dyn Fn(Change) -> io::Result<()>>;

/// The file system as something that is changed.
#[derive(Default)]
pub(super) struct Disk {
    watch: Option<Watch>,
}

impl Disk {
    /// A disk on which every change is put to a test first.
    #[cfg(test)]
    pub(super) fn watched(watch: impl Fn(Change) -> io::Result<()> + 'static) -> Self {
        Self {
            watch: Some(Box::new(watch)),
        }
    }

    fn about_to(&self, change: Change) -> io::Result<()> {
        self.watch.as_ref().map_or(Ok(()), |watch| watch(change))
    }

    /// Makes a directory; one that is there already is fine.
    pub(super) fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.about_to(Change::CreateDirectory)?;
        let missing = path.ancestors().take_while(|place| !place.exists());
        let missing: Vec<&Path> = missing.filter(|place| !place.as_os_str().is_empty()).collect();
        for place in missing.into_iter().rev() {
            match fs::create_dir(place) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => made
                    .and_then(|()| File::open(place))
                    .map(|made| give(&made, place))?,
            }
        }
        Ok(())
    }

    /// Deletes a file; one that is gone already is fine.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        self.about_to(Change::Remove)?;
        absent_is_fine(fs::remove_file(path))
    }

    /// Gives `target` these bytes, whole or not at all: they are written to `draft`, which must be on the same file
    /// system and is deleted again on failure, made durable, and renamed.
    pub(super) fn replace(&self, target: &Path, draft: &Path, bytes: &[u8]) -> io::Result<()> {
        // A draft that is there was left by a process that was killed; it may be anything, so it is not written to.
        if draft.symlink_metadata().is_ok() {
            self.remove(draft)?;
        }
        let written = self.draft(draft, bytes).and_then(|()| {
            self.about_to(Change::Rename)?;
            fs::rename(draft, target)
        });
        written.inspect_err(|_| {
            let _ = self.remove(draft);
        })
    }

    fn draft(&self, draft: &Path, bytes: &[u8]) -> io::Result<()> {
        self.about_to(Change::Create)?;
        let mut file = OpenOptions::new().write(true).create_new(true).open(draft)?;
        give(&file, draft);
        // In two halves, so that a test can stop between them.
        let (first, second) = bytes.split_at(bytes.len() / 2);
        for half in [first, second] {
            self.about_to(Change::Write)?;
            file.write_all(half)?;
        }
        self.about_to(Change::Sync)?;
        file.sync_all()
    }

    /// Makes the names in a directory durable.
    pub(super) fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.about_to(Change::Sync)?;
        match File::open(path)?.sync_all() {
            // Some network file systems cannot do it; their names are durable at once or never.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            done => done,
        }
    }
}

/// What root made belongs to whoever owns the directory around it. Where the system does not let root give it away, as
/// in some containers, the file is none the worse.
pub(super) fn give(made: &File, path: &Path) {
    let around = path.parent().filter(|around| !around.as_os_str().is_empty());
    let owner = made
        .metadata()
        .ok()
        .and_then(|made| Owner::of(around.unwrap_or(Path::new(".")), &made));
    let _ = owner.map(|owner| owner.give(made));
}

fn absent_is_fine(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}
