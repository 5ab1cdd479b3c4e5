//! Whose files are: what root makes in somebody else's directory is given to whom the directory belongs.
//!
//! For: the workspace of a CI job, where what stays root's is in the way of later steps and of the runner's clean-up.
//! Not for: permissions; a mode is whatever the process's umask says.
//! Speaks: POSIX `fchown`; `actions/runner`, issue 434 (files of container actions belong to root).
//!
//! ```
//! use countersign::edge::owner::Owner;
//! let directory = tempfile::tempdir()?;
//! let file = std::fs::File::create(directory.path().join("report.json"))?;
//! // In a directory of our own nothing is given away.
//! assert_eq!(Owner::of(directory.path(), &file.metadata()?), None);
//! # Ok::<(), std::io::Error>(())
//! ```

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Who else a file is to belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    user: u32,
    group: u32,
}

impl Owner {
    /// The owner of a directory, where what was made in it belongs to root and the directory does not.
    pub fn of(directory: &Path, made: &Metadata) -> Option<Self> {
        let around = fs::metadata(directory).ok()?;
        (made.uid() == 0 && around.uid() != 0).then(|| Self {
            user: around.uid(),
            group: around.gid(),
        })
    }

    /// Gives a file or directory away, by a descriptor of ours: what its name leads to may have changed.
    ///
    /// # Errors
    /// What the system says.
    pub fn give(self, opened: &File) -> io::Result<()> {
        std::os::unix::fs::fchown(opened, Some(self.user), Some(self.group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_in_somebody_elses_directory_gives_anything_away() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        let file = File::create(&path).unwrap();
        let made = file.metadata().unwrap();
        assert_eq!(Owner::of(root.path(), &made), None);
        assert_eq!(Owner::of(&root.path().join("none"), &made), None);
        if made.uid() != 0 {
            return; // Nobody but root can give files away.
        }
        std::os::unix::fs::chown(root.path(), Some(1001), Some(118)).unwrap();
        Owner::of(root.path(), &made).unwrap().give(&file).unwrap();
        let given = file.metadata().unwrap();
        assert_eq!((given.uid(), given.gid()), (1001, 118));
        assert_eq!(Owner::of(root.path(), &given), None);
    }
}
