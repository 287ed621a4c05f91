//! Signing keys from the files of a directory, which is read again while the process runs.

mod directory;
mod file;
mod watch;

pub use self::directory::KeyDirectory;
pub(super) use self::watch::{DirectoryWatch, Issuing};
