//! The directory of a report: proved writable first, never followed through a link, each file whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::base::failure::{Class, Classified};
use crate::base::foreign::quote;
use crate::edge::owner::Owner;

/// Why a report cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not write to {}: {problem}", quote(path))]
pub struct OutputError {
    /// The directory or file.
    pub path: String,
    /// What the system says, or what is in the way.
    pub problem: String,
}

impl Classified for OutputError {
    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("name a directory that can be written, with output-dir, or with to for downloads".to_owned())
    }
}

/// A directory that was written to once, so that a report will not be lost at the end.
#[derive(Debug)]
pub struct OutputDir {
    path: PathBuf,
    owner: Option<Owner>,
}

impl OutputDir {
    /// Makes the directory if need be, and writes and removes a file in it.
    ///
    /// # Errors
    /// [`OutputError`] where it is a link, no directory, or cannot be written.
    pub fn prove(path: &Path) -> Result<Self, OutputError> {
        let refused = |problem: &str| OutputError {
            path: path.display().to_string(),
            problem: problem.to_owned(),
        };
        let found = fs::symlink_metadata(path);
        let made = found.is_err();
        match found {
            Ok(found) if found.is_symlink() => {
                return Err(refused("expected a directory, found a symbolic link"));
            }
            Ok(found) if !found.is_dir() => return Err(refused("expected a directory, found a file")),
            _ if led_elsewhere(path) => {
                return Err(refused("expected directories on the way, found a symbolic link"));
            }
            Ok(_) => {}
            Err(_) => fs::create_dir_all(path).map_err(|error| refused(&error.to_string()))?,
        }
        let mut dir = Self {
            path: path.to_owned(),
            owner: None,
        };
        let probe = dir.temporary("probe");
        create(&probe, b"", None).map_err(|error| refused(&error.to_string()))?;
        dir.owner = owner_of_the_place(path, &probe);
        fs::remove_file(&probe).map_err(|error| refused(&error.to_string()))?;
        if made {
            give(path, dir.owner).map_err(|error| refused(&error.to_string()))?;
        }
        Ok(dir)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one file: beside its place first, then moved there.
    ///
    /// # Errors
    /// [`OutputError`]; what stood there before stays.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), OutputError> {
        let temporary = self.temporary(name);
        let written =
            create(&temporary, bytes, self.owner).and_then(|()| fs::rename(&temporary, self.path.join(name)));
        written.map_err(|error| {
            let _ = fs::remove_file(&temporary);
            self.error(name, &error)
        })
    }

    /// Writes one file where none stands; what stands there stays, and has to be a file of these very bytes.
    ///
    /// # Errors
    /// [`OutputError`] where something else stands there, or it cannot be written.
    pub fn keep(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, OutputError> {
        let (temporary, place) = (self.temporary(name), self.path.join(name));
        let refused = |error: &io::Error| self.error(name, error);
        let linked = create(&temporary, bytes, self.owner).and_then(|()| fs::hard_link(&temporary, &place));
        let _ = fs::remove_file(&temporary);
        match linked {
            Ok(()) => Ok(place),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && holds(&place, bytes) => Ok(place),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(OutputError {
                path: place.display().to_string(),
                problem: "something else stands there, and nothing is overwritten".to_owned(),
            }),
            Err(error) => Err(refused(&error)),
        }
    }

    /// Writes a directory of files, replacing the one that stood there.
    ///
    /// # Errors
    /// [`OutputError`].
    pub fn write_tree(&self, name: &str, files: &[(PathBuf, Vec<u8>)]) -> Result<(), OutputError> {
        let (temporary, old) = (self.temporary(name), self.temporary(&format!("{name}-old")));
        let place = self.path.join(name);
        let written = fill(&temporary, files, self.owner).and_then(|()| {
            match fs::symlink_metadata(&place) {
                Ok(_) => fs::rename(&place, &old)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            fs::rename(&temporary, &place)
        });
        let removed = [&temporary, &old].map(|path| remove(path));
        written.map_err(|error| self.error(name, &error))?;
        removed
            .into_iter()
            .collect::<io::Result<()>>()
            .map_err(|error| self.error(name, &error))
    }

    /// A name nobody else uses: the process is in it, and creation is exclusive.
    fn temporary(&self, name: &str) -> PathBuf {
        self.path.join(format!(".{name}.{}.tmp", std::process::id()))
    }

    fn error(&self, name: &str, error: &io::Error) -> OutputError {
        OutputError {
            path: self.path.join(name).display().to_string(),
            problem: error.to_string(),
        }
    }
}

/// Whether a directory on the way, from where we run, is a link: any earlier step may have put one there.
fn led_elsewhere(path: &Path) -> bool {
    let here = fs::canonicalize(".").unwrap_or_default();
    let way = path.strip_prefix(&here).unwrap_or(path);
    let mut places = way.ancestors().skip(1);
    way.is_relative() && places.any(Path::is_symlink)
}

/// Whether a regular file, not a link to one, holds exactly these bytes.
fn holds(path: &Path, bytes: &[u8]) -> bool {
    let same_size = |found: fs::Metadata| found.is_file() && found.len() == bytes.len() as u64;
    fs::symlink_metadata(path).is_ok_and(same_size) && fs::read(path).is_ok_and(|found| found == bytes)
}

/// Creates a file that was not there and writes it to the disk.
fn create(path: &Path, bytes: &[u8], owner: Option<Owner>) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).open(path)?;
    owner.map_or(Ok(()), |owner| owner.give(&file))?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn fill(directory: &Path, files: &[(PathBuf, Vec<u8>)], owner: Option<Owner>) -> io::Result<()> {
    fs::create_dir(directory)?;
    give(directory, owner)?;
    for (path, bytes) in files {
        let mut parent = directory.to_owned();
        for part in path.parent().into_iter().flat_map(Path::components) {
            parent.push(part);
            if !parent.is_dir() {
                fs::create_dir(&parent)?;
                give(&parent, owner)?;
            }
        }
        create(&directory.join(path), bytes, owner)?;
    }
    Ok(())
}

/// The owner of the directory around, where what we create belongs to root and that does not.
fn owner_of_the_place(path: &Path, probe: &Path) -> Option<Owner> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    Owner::of(
        parent.unwrap_or(Path::new(".")),
        &fs::symlink_metadata(probe).ok()?,
    )
}

/// Gives a directory that we made to its owner.
fn give(directory: &Path, owner: Option<Owner>) -> io::Result<()> {
    match owner {
        Some(owner) => owner.give(&File::open(directory)?),
        None => Ok(()),
    }
}

/// Removes a directory or a link; absent is well.
fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_and_trees_replace_what_stood_there_and_leave_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let out = OutputDir::prove(&root.path().join("a/b")).unwrap();
        out.write("report.json", b"1").unwrap();
        out.write("report.json", b"2").unwrap();
        out.write_tree("trust", &[("x/old.pem".into(), b"o".to_vec())])
            .unwrap();
        out.write_tree("trust", &[("y/new.pem".into(), b"n".to_vec())])
            .unwrap();
        assert_eq!(names(out.path()), ["report.json", "trust"]);
        assert_eq!(names(&out.path().join("trust")), ["y"]);
        assert_eq!(fs::read(out.path().join("report.json")).unwrap(), b"2");
    }

    #[test]
    fn links_and_files_are_not_directories() {
        let root = tempfile::tempdir().unwrap();
        let link = root.path().join("link");
        std::os::unix::fs::symlink(root.path(), &link).unwrap();
        assert_eq!(
            OutputDir::prove(&link).unwrap_err().problem,
            "expected a directory, found a symbolic link"
        );
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(
            OutputDir::prove(&file).unwrap_err().problem,
            "expected a directory, found a file"
        );
        assert!(OutputDir::prove(&file.join("below")).is_err());
    }

    #[test]
    fn a_link_in_place_of_a_file_is_replaced_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let victim = root.path().join("victim");
        fs::write(&victim, "keep").unwrap();
        let out = OutputDir::prove(&root.path().join("out")).unwrap();
        std::os::unix::fs::symlink(&victim, out.path().join("report.json")).unwrap();
        out.write("report.json", b"new").unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"keep");
        assert_eq!(fs::read(out.path().join("report.json")).unwrap(), b"new");
    }

    #[test]
    fn what_root_writes_belongs_to_whoever_owns_the_place() {
        let root = tempfile::tempdir().unwrap();
        if fs::metadata(root.path()).unwrap().uid() != 0 {
            return; // Nobody but root can give files away.
        }
        std::os::unix::fs::chown(root.path(), Some(1001), Some(118)).unwrap();
        let out = OutputDir::prove(&root.path().join("out")).unwrap();
        out.write("report.json", b"x").unwrap();
        let tree = [(PathBuf::from("truststore/ca/x.pem"), vec![1])];
        out.write_tree("trust", &tree).unwrap();
        for name in [
            "",
            "report.json",
            "trust",
            "trust/truststore",
            "trust/truststore/ca",
            "trust/truststore/ca/x.pem",
        ] {
            let found = fs::metadata(out.path().join(name)).unwrap();
            assert_eq!((found.uid(), found.gid()), (1001, 118), "{name}");
        }
    }
}
