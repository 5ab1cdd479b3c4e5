//! Small files that a person names on the command line.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::base::failure::{Class, Classified};
use crate::base::foreign::quote;
use crate::base::limits::MEBIBYTE;

/// Why a file that was named cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not read {}: {problem}", quote(path))]
pub struct FileError {
    /// The file.
    pub path: String,
    /// What the system says, or what is wrong with it.
    pub problem: String,
}

impl Classified for FileError {
    fn class(&self) -> Class {
        Class::Usage
    }
}

/// Reads a file that a person named, which may hold a key: a regular file of at most 1 MiB, wiped from memory later.
///
/// # Errors
/// [`FileError`].
pub fn read_named(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let refused = |problem: String| FileError {
        path: path.display().to_string(),
        problem,
    };
    let found = fs::metadata(path).map_err(|error| refused(in_words(&error)))?;
    if !found.is_file() {
        return Err(refused("expected a regular file".to_owned()));
    }
    // As large as it can get at once, since a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MEBIBYTE + 1));
    let most = MEBIBYTE as u64 + 1;
    let read = File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    read.map_err(|error| refused(in_words(&error)))?;
    if bytes.len() > MEBIBYTE {
        return Err(refused(format!(
            "expected at most {MEBIBYTE} bytes, found {}",
            found.len()
        )));
    }
    Ok(bytes)
}

/// Whether there is a file; one that cannot be looked at counts as none.
pub fn file_is_there(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file())
}

/// What the system says, without its number.
pub(super) fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "expected a file, found none".to_owned(),
        kind => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_a_bearable_size_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("cs.yml");
        fs::write(&file, "jobs: 4\n").unwrap();
        assert_eq!(*read_named(&file).unwrap(), b"jobs: 4\n");
        fs::write(&file, vec![b' '; MEBIBYTE + 1]).unwrap();
        assert!(
            read_named(&file)
                .unwrap_err()
                .problem
                .starts_with("expected at most")
        );
        assert_eq!(
            read_named(directory.path()).unwrap_err().problem,
            "expected a regular file"
        );
        assert!(read_named(Path::new("/dev/zero")).is_err());
        assert!(read_named(&directory.path().join("none")).is_err());
    }
}
