//! The key that is made once and kept in the user's state directory, so that a second run finds its own signature.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::{LocalKey, LocalKeyError, made};
use crate::base::failure::Class;
use crate::base::limits::MEBIBYTE;
use crate::seams::Clock;

/// How long to wait for another process that is making the key (ours; it takes milliseconds).
const PATIENCE: Duration = Duration::from_secs(10);

/// How often to look whether it is done (ours).
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The files of a kept key.
struct Kept {
    directory: PathBuf,
    key: PathBuf,
    chain: PathBuf,
}

impl LocalKey {
    /// Reads the key that is kept in a directory (`local-key.pem`, `local-chain.pem`), or makes one and keeps it there.
    ///
    /// Two processes that find none at once agree on one. The directory is created with mode 0700, the key with 0600.
    ///
    /// # Errors
    /// [`LocalKeyError`]; a key that others may read or change is refused.
    pub fn kept(directory: &Path, clock: Clock) -> Result<Self, LocalKeyError> {
        let kept = Kept {
            directory: directory.to_owned(),
            key: directory.join("local-key.pem"),
            chain: directory.join("local-chain.pem"),
        };
        if !kept.exists()? {
            kept.make(clock)?;
        }
        let (key, chain) = kept.read()?;
        Self::read(&key, &chain, clock)
    }
}

impl Kept {
    /// Whether there is a key; it is written last, so then everything is there.
    fn exists(&self) -> Result<bool, LocalKeyError> {
        self.key
            .try_exists()
            .map_err(|error| failed("read", &self.key, &error))
    }

    fn read(&self) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>), LocalKeyError> {
        let key = File::open(&self.key).map_err(|error| failed("read", &self.key, &error))?;
        let mode = key
            .metadata()
            .map_err(|error| failed("read", &self.key, &error))?
            .permissions()
            .mode()
            & 0o7777;
        if mode & 0o077 != 0 {
            return Err(LocalKeyError::Exposed {
                path: self.key.display().to_string(),
                mode,
            });
        }
        // As large as it can get at once, since a buffer that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MEBIBYTE));
        let read = key.take(MEBIBYTE as u64).read_to_end(&mut bytes);
        read.map_err(|error| failed("read", &self.key, &error))?;
        let chain = File::open(&self.chain).and_then(|chain| {
            let mut bytes = Vec::new();
            chain.take(MEBIBYTE as u64).read_to_end(&mut bytes)?;
            Ok(bytes)
        });
        match chain {
            Ok(chain) => Ok((bytes, chain)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(LocalKeyError::ChainLost {
                key: self.key.display().to_string(),
                chain: self.chain.display().to_string(),
            }),
            Err(error) => Err(failed("read", &self.chain, &error)),
        }
    }

    /// Makes a key unless another process made one meanwhile.
    fn make(&self, clock: Clock) -> Result<(), LocalKeyError> {
        let created = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory);
        created.map_err(|error| failed("create", &self.directory, &error))?;
        let _lock = self.lock()?;
        if self.exists()? {
            return Ok(());
        }
        let made = made::make(clock.now())?;
        write(&self.chain, made.chain_pem.as_bytes())?;
        write(&self.key, made.key_pem.as_bytes())
    }

    /// Locks a file of its own, since the others do not exist yet; the system lets go of it when a process dies.
    fn lock(&self) -> Result<File, LocalKeyError> {
        let path = self.directory.join("local-key.lock");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let lock = lock.map_err(|error| failed("lock", &path, &error))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(LOOK_AGAIN),
                Err(error) => return Err(failed("lock", &path, &error.into())),
            }
        }
    }
}

/// Writes a file that only its owner may read, whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<(), LocalKeyError> {
    let draft = path.with_extension("draft");
    let written = || {
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    written().map_err(|error| {
        let _ = fs::remove_file(&draft);
        failed("write", path, &error)
    })
}

fn failed(verb: &'static str, path: &Path, error: &io::Error) -> LocalKeyError {
    let class = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Class::Refused,
        _ => Class::Unavailable,
    };
    LocalKeyError::Files {
        class,
        verb,
        path: path.display().to_string(),
        reason: error.to_string(),
    }
}
