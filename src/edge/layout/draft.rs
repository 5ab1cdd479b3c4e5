//! Files that are being written, under a name that no other process writes under.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::disk::give;
use super::write::DRAFT;

/// Processes that may write the same blob into one layout at once (ours).
const WRITERS: usize = 64;

/// A file of our own beside `index.json`, deleted again unless it gets its final name.
///
/// While it is written its lock is held, so whoever finds one without can tell that its writer is dead, and takes it
/// away.
pub(super) struct Draft {
    path: PathBuf,
    file: File,
    done: bool,
}

impl Draft {
    /// Begins an empty one. What it is of is part of its name; that others write the same at this moment is no matter.
    pub(super) fn begin(root: &Path, of: &str) -> io::Result<Self> {
        for number in 0..WRITERS {
            let path = root.join(format!("{DRAFT}-{of}-{number}"));
            sweep(&path);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) if is_ours(&file, &path) => {
                    give(&file, &path);
                    let done = false;
                    return Ok(Self { path, file, done });
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other(format!(
            "{WRITERS} other processes are writing it"
        )))
    }

    /// Appends bytes.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Gives it its final name, replacing what has it; its bytes reach the medium first.
    pub(super) fn rename(mut self, target: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, target)?;
        self.done = true;
        Ok(())
    }

    /// Gives it its final name unless something has it, and says whether it did: who sees the name sees every byte.
    fn link(self, target: &Path) -> io::Result<bool> {
        self.file.sync_all()?;
        match fs::hard_link(&self.path, target) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.done {
            // What stays is swept by whoever writes the same next.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes a small file unless there is one, and says whether it did.
pub(super) fn make(root: &Path, name: &str, bytes: &[u8]) -> io::Result<bool> {
    let target = root.join(name);
    let mut draft = Draft::begin(root, name)?;
    draft.append(bytes)?;
    match draft.link(&target) {
        Ok(made) => Ok(made),
        // Some file systems know no second name.
        Err(_) => match File::create_new(&target) {
            Ok(mut file) => file.write_all(bytes).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        },
    }
}

/// Locks a new file; it is not ours where somebody took it for a dead one meanwhile. Where files cannot be locked,
/// nobody takes any away.
fn is_ours(file: &File, path: &Path) -> bool {
    !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) && is_at(file, path)
}

/// Whether a path leads to this very file.
fn is_at(file: &File, path: &Path) -> bool {
    let found = path.symlink_metadata().and_then(|named| {
        let opened = file.metadata()?;
        Ok((opened.dev(), opened.ino()) == (named.dev(), named.ino()))
    });
    found.unwrap_or(false)
}

/// Deletes a draft whose writer is dead.
fn sweep(path: &Path) {
    if !path.symlink_metadata().is_ok_and(|found| found.is_file()) {
        return;
    }
    let Ok(file) = File::open(path) else { return };
    if file.try_lock().is_ok() && is_at(&file, path) {
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn names(root: &Path) -> Vec<String> {
        let entries = fs::read_dir(root).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[test]
    fn two_that_write_the_same_do_not_meet_and_a_dead_one_is_swept() {
        let root = TempDir::new().unwrap();
        let target = root.path().join("blob");
        fs::write(root.path().join(format!("{DRAFT}-x-0")), "left by the dead").unwrap();
        let mut first = Draft::begin(root.path(), "x").unwrap();
        let mut second = Draft::begin(root.path(), "x").unwrap();
        first.append(b"wh").unwrap();
        second.append(b"whole").unwrap();
        second.rename(&target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"whole");
        first.append(b"ole").unwrap();
        first.rename(&target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"whole");
        drop(Draft::begin(root.path(), "x").unwrap());
        assert_eq!(names(root.path()), ["blob"]);
    }

    #[test]
    fn a_small_file_is_made_once_and_whole() {
        let root = TempDir::new().unwrap();
        assert!(make(root.path(), "index.json", b"first").unwrap());
        assert!(!make(root.path(), "index.json", b"second").unwrap());
        assert_eq!(fs::read(root.path().join("index.json")).unwrap(), b"first");
        assert_eq!(names(root.path()), ["index.json"]);
    }
}
