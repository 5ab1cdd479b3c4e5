//! Files that earlier steps left behind: regular ones only, inside the workspace, and never more than is asked for.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};

use super::files::{FileError, in_words};
use super::{Environment, Host};

/// Files of one directory that are looked at (ours).
const ENTRIES: usize = 10_000;

/// Directories whose files are the kernel's and not a step's.
const KERNEL: [&str; 3] = ["/proc", "/sys", "/dev"];

/// `O_NONBLOCK` (Linux, `fcntl.h`): opening what became a pipe meanwhile does not wait for a writer.
const NONBLOCK: i32 = 0o4000;

/// Where files may lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// In CI, the workspace and the runner's temporary directory; elsewhere the current directory.
    roots: Vec<PathBuf>,
    /// Whether nothing outside is read; otherwise only links may not lead outside.
    closed: bool,
}

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A file's bytes, and whether a file `oci-layout` stands beside it.
    File(Vec<u8>, bool),
    /// A directory's names of files, in order.
    Directory(Vec<String>),
}

impl Room {
    /// The places of a host.
    pub fn of(host: Host, environment: &Environment) -> Self {
        let names: &[&str] = match host {
            Host::GitHub => &["GITHUB_WORKSPACE", "RUNNER_TEMP"],
            Host::GitLab => &["CI_PROJECT_DIR"],
            Host::CodeBuild => &["CODEBUILD_SRC_DIR"],
            Host::Bitbucket => &["BITBUCKET_CLONE_DIR"],
            Host::Jenkins => &["WORKSPACE"],
            Host::Terminal => &[],
        };
        let named = names.iter().filter_map(|name| environment.get(name));
        let mut roots: Vec<PathBuf> = named.filter_map(|path| fs::canonicalize(path).ok()).collect();
        if roots.is_empty() {
            roots.extend(fs::canonicalize(".").ok());
        }
        Self {
            roots,
            closed: host != Host::Terminal,
        }
    }

    /// Whether a path, as it was written and as it really is, may be read.
    fn admits(&self, written: &Path, real: &Path) -> bool {
        let inside = |path: &Path| self.roots.iter().any(|root| path.starts_with(root));
        if KERNEL.iter().any(|root| real.starts_with(root)) {
            return false;
        }
        // A person at a terminal may name a file anywhere; a link that leads there was somebody else's idea.
        let climbs = written.components().any(|part| part == Component::ParentDir);
        let elsewhere = (written.is_absolute() && !inside(written)) || climbs;
        inside(real) || (!self.closed && elsewhere && !is_linked(written))
    }

    /// Reads what a path names.
    ///
    /// # Errors
    /// [`FileError`] where it is not there, not a regular file or directory, outside, or larger than `limit` bytes.
    pub fn read(&self, path: &Path, limit: usize) -> Result<Found, FileError> {
        let refused = |problem: String| FileError {
            path: path.display().to_string(),
            problem,
        };
        let failed = |error: io::Error| refused(in_words(&error));
        let real = fs::canonicalize(path).map_err(failed)?;
        if !self.admits(path, &real) {
            let where_to = if self.closed {
                "below the workspace"
            } else {
                "that no link leads to"
            };
            return Err(refused(format!("expected a file {where_to}")));
        }
        let named = fs::symlink_metadata(&real).map_err(failed)?;
        if named.is_dir() {
            return names(&real).map(Found::Directory).map_err(failed);
        }
        if !named.is_file() {
            return Err(refused("expected a regular file or a directory".to_owned()));
        }
        let file = File::options()
            .read(true)
            .custom_flags(NONBLOCK)
            .open(&real)
            .map_err(failed)?;
        let opened = file.metadata().map_err(failed)?;
        if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
            return Err(refused("it was replaced while it was read".to_owned()));
        }
        let bytes = bounded(file, limit).map_err(failed)?;
        let bytes = bytes.ok_or_else(|| refused(too_large(limit, &opened.len().to_string())))?;
        let beside = real.with_file_name("oci-layout").is_file();
        Ok(Found::File(bytes, beside))
    }
}

/// Reads standard input.
///
/// # Errors
/// [`FileError`] where it fails or holds more than `limit` bytes.
pub fn read_input(limit: usize) -> Result<Vec<u8>, FileError> {
    let refused = |problem: String| FileError {
        path: "-".to_owned(),
        problem,
    };
    let read = bounded(io::stdin().lock(), limit).map_err(|error| refused(error.to_string()))?;
    read.ok_or_else(|| refused(too_large(limit, "more")))
}

fn too_large(limit: usize, found: &str) -> String {
    format!("expected at most {limit} bytes, found {found}")
}

/// Everything, or none where there is more than the limit.
fn bounded(source: impl io::Read, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    source.take(most).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= limit).then_some(bytes))
}

fn is_linked(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink())
}

fn names(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)?.take(ENTRIES) {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    fn room(directory: &TempDir, closed: bool) -> Room {
        Room {
            roots: vec![fs::canonicalize(directory.path()).unwrap()],
            closed,
        }
    }

    #[test]
    fn regular_files_inside_are_read_within_the_limit() {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("metadata.json");
        fs::write(&file, "{}").unwrap();
        let room = room(&directory, true);
        assert_eq!(room.read(&file, 2), Ok(Found::File(b"{}".to_vec(), false)));
        assert!(
            room.read(&file, 1)
                .unwrap_err()
                .problem
                .contains("at most 1 bytes, found 2")
        );
        assert_eq!(
            room.read(directory.path(), 9),
            Ok(Found::Directory(vec!["metadata.json".to_owned()]))
        );
    }

    #[test]
    fn devices_links_outside_and_the_kernels_files_are_refused() {
        let (directory, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let outside = other.path().join("x");
        fs::write(&outside, "r.example/web:1").unwrap();
        let link = directory.path().join("link");
        symlink(&outside, &link).unwrap();
        for closed in [true, false] {
            let room = room(&directory, closed);
            for path in [&link, Path::new("/proc/self/environ"), Path::new("/dev/zero")] {
                assert!(room.read(path, 9).is_err(), "{} {closed}", path.display());
            }
            assert_eq!(room.read(&outside, 99).is_ok(), !closed);
        }
    }
}
