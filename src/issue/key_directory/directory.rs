//! The directory of the signing keys, and how often it is read.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::file::{KeyFile, check_directory, fault};
use crate::error::ConfigError;

/// A directory of private keys, one in a PEM file, each with the time from which it signs in its
/// name: `20261128T180000Z.pem` signs from 2026-11-28 18:00:00 UTC. Use it to rotate keys in
/// several processes at the same time, without a restart.
///
/// It is read by [`TokenIssuerBuilder::key_directory`](crate::issue::TokenIssuerBuilder::key_directory),
/// and again every minute. [`TokenIssuer::reread_keys`](crate::issue::TokenIssuer::reread_keys) reads it
/// at once.
///
/// # Rules
///
/// 1. A key is published from the moment its file is there. Put it there long before its time:
///    [`publish_ahead`](crate::issue::TokenIssuerBuilder::publish_ahead), and one interval. If it appears
///    later, it also signs from its time on, and an event of the level `warn` says that verifiers
///    may not know it yet.
///    A process that starts later knows only the names, and not when the files appeared: so give a
///    key no time that is long past, except for the first one.
/// 2. The key with the latest time that has come signs. The key before it is published until its
///    last token has expired; then its file can be removed.
/// 3. A file that is removed takes its key with it, at the next reading: tokens that the key has
///    signed become invalid. If somebody else may have the key that signs, first add a key whose
///    time has come, and then remove the stolen one.
/// 4. At the start, every fault is an error of `build()` that names the file. Later, no key is
///    added while there is a fault, and an event says why. Keys whose files were removed go all the
///    same, if that leaves one that signs; otherwise the event has the level `error`. A fault is: a file
///    that cannot be read, that has no private key, or that others can read; a name that is not
///    such a time; a key that is in two files; no key whose time has come.
/// 5. Names that begin with `.` are ignored. Write a new file under such a name, with the mode
///    0600, and then rename it: so it is never read half-written.
/// 6. On Unix, nobody but the owner may add files to the directory, unless it is sticky: its mode is
///    0755, 0750 or 0700, for example. The mode of a file must be 0600 or 0400, and its owner root or the owner of the
///    directory. Symbolic links are followed, and then the rule holds for the target. On other
///    systems, restrict the directory yourself.
///
/// RSA keys sign with `RS256`, other keys with the algorithm of their curve. The id of a key is its
/// thumbprint.
///
/// # Example
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth::{ConfigError, issue::{KeyDirectory, TokenIssuer}};
///
/// fn issuer() -> Result<TokenIssuer, ConfigError> {
///     TokenIssuer::builder()
///         .issuer("https://login.example.com")
///         .audience("https://api.example.com")
///         .key_directory("/etc/login/keys")
///         .build()
/// }
///
/// let every_ten_seconds =
///     KeyDirectory::new("/etc/login/keys").reread_interval(Duration::from_secs(10));
/// # _ = every_ten_seconds;
/// # assert!(issuer().is_err());
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct KeyDirectory {
    path: PathBuf,
    pub(super) interval: Duration,
    any_group: bool,
}

impl KeyDirectory {
    /// The directory at this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), interval: Duration::from_secs(60), any_group: false }
    }

    /// Sets the time from one reading to the next: at least a second, and at most half of the time
    /// for which a key is [published before it
    /// signs](crate::issue::TokenIssuerBuilder::publish_ahead). Default: a minute.
    pub fn reread_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Also accepts files that their group can read: the modes 0440 and 0640. Kubernetes sets the
    /// mode 0440 for a Pod with an `fsGroup`.
    ///
    /// # Security
    ///
    /// Everybody in the group of the file can issue tokens for every user. Use it only if no
    /// other program runs with that group.
    pub fn any_file_group(mut self) -> Self {
        self.any_group = true;
        self
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads all keys, those that sign first in front.
    pub(super) fn read(&self, known: &[KeyFile], now: i64) -> Result<Vec<KeyFile>, ConfigError> {
        let failed = |error: std::io::Error| {
            fault(&self.path, format!("the directory cannot be read: {error}"))
        };
        let metadata = fs::metadata(&self.path).map_err(failed)?;
        check_directory(&metadata).map_err(|reason| fault(&self.path, reason))?;
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if files.len() >= MAX_FILES {
                return Err(fault(&self.path, "it has more than 100 keys: remove the old ones"));
            }
            files.push(KeyFile::read(self.path.join(name), &metadata, self.any_group, known)?);
        }
        files.sort_unstable_by_key(|file| file.signs_from);
        for (at, file) in files.iter().enumerate() {
            let earlier = files.iter().take(at).find(|other| other.key.kid() == file.key.kid());
            if let Some(other) = earlier {
                let other = other.path.display();
                return Err(fault(&file.path, format!("{other} has the same key: remove one")));
            }
        }
        match files.first() {
            None => Err(fault(
                &self.path,
                "there is no key in it: put one there, such as `19700101T000000Z.pem`, which \
                 signs at once",
            )),
            Some(first) if first.signs_from > now => Err(fault(
                &self.path,
                "no key in it signs yet: put one there whose time has come, such as \
                 `19700101T000000Z.pem`",
            )),
            Some(_) => Ok(files),
        }
    }
}

impl From<&str> for KeyDirectory {
    fn from(path: &str) -> Self {
        Self::new(path)
    }
}

impl From<String> for KeyDirectory {
    fn from(path: String) -> Self {
        Self::new(path)
    }
}

impl From<&Path> for KeyDirectory {
    fn from(path: &Path) -> Self {
        Self::new(path)
    }
}

impl From<PathBuf> for KeyDirectory {
    fn from(path: PathBuf) -> Self {
        Self::new(path)
    }
}

/// Far more than anybody has whose keys rotate.
const MAX_FILES: usize = 100;
