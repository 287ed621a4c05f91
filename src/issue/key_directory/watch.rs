//! The thread that reads the directory again.

use std::{
    fmt,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use super::{
    directory::KeyDirectory,
    file::{KeyFile, fault},
};
use crate::{
    clock::{Clock, unix_seconds},
    error::ConfigError,
    issue::{keys::KeyRing, signing::SigningKey},
    observe::{self, Outage},
    rules::seconds,
};

/// Reads the directory again until it is dropped.
///
/// A thread, because reading files blocks, and because an issuer is also built where there is no
/// runtime. Verifiers hold it as well as the issuer: one that only verifies needs the next keys,
/// too.
pub(in crate::issue) struct DirectoryWatch {
    reader: Arc<Reader>,
    /// The thread ends when this is dropped.
    _running: mpsc::Sender<()>,
}

/// The use of the keys. Times are in seconds.
pub(in crate::issue) struct Issuing<'a> {
    pub(in crate::issue) issuer: &'a str,
    /// Keys that are published and never sign.
    pub(in crate::issue) others: Vec<SigningKey>,
    pub(in crate::issue) publish_ahead: i64,
    /// How long a key is kept after its successor has begun to sign.
    pub(in crate::issue) kept_for: i64,
    pub(in crate::issue) clock: Arc<dyn Clock>,
}

struct Reader {
    directory: KeyDirectory,
    keys: Arc<KeyRing>,
    others: Vec<SigningKey>,
    publish_ahead: i64,
    kept_for: i64,
    clock: Arc<dyn Clock>,
    /// The files that were read last. Locked while the directory is read.
    known: Mutex<Vec<KeyFile>>,
    outage: Outage,
}

impl DirectoryWatch {
    /// Reads the directory, and starts the thread that reads it again.
    pub(in crate::issue) fn start(
        directory: KeyDirectory,
        of: Issuing<'_>,
    ) -> Result<(Arc<KeyRing>, Self), ConfigError> {
        let Issuing { issuer, others, publish_ahead, kept_for, clock } = of;
        let interval = directory.interval;
        // Verifiers may keep the published keys for half of that time.
        if interval < Duration::from_secs(1) || seconds(interval) > publish_ahead / 2 {
            return Err(ConfigError::OutOfRange(
                "`reread_interval` must be at least a second, and at most half of `publish_ahead`: \
                 otherwise a key signs before all verifiers have fetched it",
            ));
        }
        let now = unix_seconds(clock.now());
        let files = directory.read(&[], now)?;
        let scheduled = scheduled(&files);
        let keys = KeyRing::scheduled(issuer, &scheduled, &others, now, kept_for, clock.clone())?;
        let keys = Arc::new(keys);
        let reader = Arc::new(Reader {
            directory,
            keys: Arc::clone(&keys),
            others,
            publish_ahead,
            kept_for,
            clock,
            known: Mutex::new(files),
            outage: Outage::default(),
        });
        let (running, stopped) = mpsc::channel();
        let again = Arc::clone(&reader);
        let run = move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(interval) {
                // A fault was told, and nobody waits for it. The clock is the application's.
                let read = panic::catch_unwind(AssertUnwindSafe(|| again.read_and_tell()));
                if read.is_err() {
                    again.outage.signing_keys_not_reread(&"the clock has panicked", true);
                }
            }
        };
        let thread = thread::Builder::new().name("signing-keys".into()).spawn(run);
        thread.map_err(|error| {
            let reason = format!("no thread can be started that rereads the directory: {error}");
            fault(reader.directory.path(), reason)
        })?;
        Ok((keys, Self { reader, _running: running }))
    }

    /// Reads the directory now. After an error, no key is added. Keys whose files were
    /// removed go.
    pub(in crate::issue) fn reread(&self) -> Result<(), ConfigError> {
        self.reader.read_and_tell()
    }
}

impl fmt::Debug for DirectoryWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reader.directory.fmt(f)
    }
}

impl Reader {
    fn read_and_tell(&self) -> Result<(), ConfigError> {
        // A second time, because the files may have been exchanged between two of them.
        let read = self.read().or_else(|_| self.read());
        match &read {
            Ok(()) => self.outage.signing_keys_reread(self.directory.path()),
            Err(error) => {
                let is_done = self.drop_removed();
                self.outage.signing_keys_not_reread(error, !is_done);
            }
        }
        read
    }

    /// Drops the keys whose files are gone, although another file cannot be used: somebody may have
    /// stolen them. Gives `false` if that leaves no key that signs, so that they remain.
    fn drop_removed(&self) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_gone = |file: &&KeyFile| matches!(file.path.try_exists(), Ok(false));
        let (gone, left): (Vec<_>, Vec<_>) = known.iter().partition(is_gone);
        if gone.is_empty() {
            return true;
        }
        let now = unix_seconds(self.clock.now());
        let left: Vec<KeyFile> = left.into_iter().cloned().collect();
        if left.first().is_none_or(|first| first.signs_from > now)
            || self.keys.reschedule(&scheduled(&left), &self.others, now, self.kept_for).is_err()
        {
            return false;
        }
        for file in gone {
            observe::signing_key_removed(&file.path, file.key.kid());
        }
        *known = left;
        true
    }

    fn read(&self) -> Result<(), ConfigError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = unix_seconds(self.clock.now());
        let files = self.directory.read(&known, now)?;
        let is_known = |file: &KeyFile| known.iter().any(|other| other.is_same(file));
        if files.len() == known.len() && files.iter().all(is_known) {
            return Ok(());
        }
        self.keys.reschedule(&scheduled(&files), &self.others, now, self.kept_for)?;
        // It may have been there for one interval.
        let in_time = now.saturating_add(self.publish_ahead - seconds(self.directory.interval));
        for file in files.iter().filter(|file| !is_known(file)) {
            let late = file.signs_from < in_time;
            observe::signing_key_added(&file.path, file.key.kid(), late);
        }
        for file in known.iter().filter(|old| !files.iter().any(|file| file.is_same(old))) {
            observe::signing_key_removed(&file.path, file.key.kid());
        }
        *known = files;
        Ok(())
    }
}

fn scheduled(files: &[KeyFile]) -> Vec<(i64, SigningKey)> {
    files.iter().map(|file| (file.signs_from, file.key.clone())).collect()
}
