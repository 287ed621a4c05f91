//! One file with a signing key: its name, who may read it, and what is in it.

use std::{
    fs::{self, File, Metadata},
    io::Read,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::{digest::sha256, error::ConfigError, issue::signing::SigningKey};

/// A file that was read.
#[derive(Clone)]
pub(super) struct KeyFile {
    /// In seconds since 1970.
    pub(super) signs_from: i64,
    pub(super) path: PathBuf,
    pub(super) key: SigningKey,
    digest: [u8; 32],
}

impl KeyFile {
    /// Reads a file of this directory. A key that is among the `known` ones is not parsed again.
    pub(super) fn read(
        path: PathBuf,
        directory: &Metadata,
        any_group: bool,
        known: &[Self],
    ) -> Result<Self, ConfigError> {
        let read = || -> Result<_, String> {
            let signs_from = path.file_name().and_then(|name| time_of(name.to_str()?));
            let signs_from = signs_from.ok_or(
                "its name is not the time from which the key signs, in UTC, such as \
                 `20261128T180000Z.pem`: rename it, move it, or let its name begin with `.`",
            )?;
            let bytes = contents(&path, directory, any_group)?;
            let digest = sha256(&[&bytes]);
            let same = known.iter().find(|file| file.path == path && file.digest == digest);
            let key = match same {
                Some(file) => file.key.clone(),
                None => SigningKey::from_pem(&*bytes).map_err(|error| error.to_string())?,
            };
            Ok((signs_from, key, digest))
        };
        match read() {
            Ok((signs_from, key, digest)) => Ok(Self { signs_from, path, key, digest }),
            Err(reason) => Err(fault(&path, reason)),
        }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.path == other.path && self.digest == other.digest
    }
}

/// An error that names a file.
pub(super) fn fault(path: &Path, reason: impl Into<String>) -> ConfigError {
    ConfigError::KeyFile { path: path.to_owned(), reason: reason.into() }
}

fn contents(
    path: &Path,
    directory: &Metadata,
    any_group: bool,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let failed = |error: std::io::Error| format!("it cannot be read: {error}");
    // To open a pipe would wait for its writer.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err("it is not a file".into());
    }
    let file = File::open(path).map_err(failed)?;
    check_access(&file.metadata().map_err(failed)?, directory, any_group)?;
    // All at once: a buffer that grows would leave a copy in the memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SIZE + 1));
    file.take(MAX_SIZE as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MAX_SIZE {
        return Err("it has more than 16 KiB".into());
    }
    Ok(bytes)
}

/// Whether only the owner, or with `any_group` also the group, may read the file.
#[cfg(unix)]
fn check_access(file: &Metadata, directory: &Metadata, any_group: bool) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;

    let mode = file.mode() & 0o7777;
    let (forbidden, instead) =
        if any_group { (0o037, "0440 or 0640") } else { (0o077, "0400 or 0600") };
    if mode & forbidden != 0 {
        let group = match !any_group && mode & 0o037 == 0 {
            true => {
                ", or call `.any_file_group()` if the group has only this service, as with \
                     `fsGroup` in Kubernetes"
            }
            false => "",
        };
        return Err(format!(
            "its mode is {mode:04o}, so that others have access to the private key: set it to \
             {instead}{group}, and replace the key if somebody may have read it"
        ));
    }
    if file.uid() != 0 && file.uid() != directory.uid() {
        return Err("its owner is neither root nor the owner of the directory".into());
    }
    Ok(())
}

/// Whether nobody but its owner may take files out of the directory, or put others in.
#[cfg(unix)]
pub(super) fn check_directory(directory: &Metadata) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;

    const STICKY: u32 = 0o1000;
    let mode = directory.mode() & 0o7777;
    if mode & 0o022 != 0 && mode & STICKY == 0 {
        return Err(format!(
            "the mode of the directory is {mode:04o}, so that others can remove keys and add theirs: \
             set it to 0755, 0750 or 0700"
        ));
    }
    Ok(())
}

/// Other systems have no modes.
#[cfg(not(unix))]
pub(super) fn check_directory(_: &Metadata) -> Result<(), String> {
    Ok(())
}

/// Other systems have no modes.
#[cfg(not(unix))]
fn check_access(_: &Metadata, _: &Metadata, _: bool) -> Result<(), String> {
    Ok(())
}

/// The time in a name such as `20261128T180000Z.pem`, in seconds since 1970. There is only one
/// spelling of each time.
fn time_of(name: &str) -> Option<i64> {
    let time = name.strip_suffix("Z.pem")?;
    let (date, time) = time.split_once('T')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if date.len() != 8 || time.len() != 6 || !digits(date) || !digits(time) {
        return None;
    }
    let number = |text: &str| text.parse::<i64>().ok();
    let (year, month, day) =
        (number(date.get(..4)?)?, number(date.get(4..6)?)?, number(date.get(6..)?)?);
    let (hour, minute, second) =
        (number(time.get(..2)?)?, number(time.get(2..4)?)?, number(time.get(4..)?)?);
    let leap_years_to = |year: i64| year / 4 - year / 100 + year / 400;
    let is_leap = leap_years_to(year) != leap_years_to(year.checked_sub(1)?);
    let february = if is_leap { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = usize::try_from(month.checked_sub(1)?).ok()?;
    let length = *lengths.get(before)?;
    if year < 1970 || !(1..=length).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let leap_days = leap_years_to(year - 1) - leap_years_to(1969);
    let days = 365 * (year - 1970) + leap_days + lengths.iter().take(before).sum::<i64>() + day - 1;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// Larger than every key that is accepted, with its certificate.
const MAX_SIZE: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_times_in_one_spelling() {
        for (name, time) in [
            ("19700101T000000Z.pem", 0),
            ("20000229T235959Z.pem", 951_868_799),
            ("20000301T000000Z.pem", 951_868_800),
            ("20261128T180000Z.pem", 1_795_888_800),
            ("20280229T000000Z.pem", 1_835_395_200),
            ("21000301T000000Z.pem", 4_107_542_400),
            ("99991231T235959Z.pem", 253_402_300_799),
        ] {
            assert_eq!(time_of(name), Some(time), "{name}");
        }
        for name in [
            "",
            "key.pem",
            "20261128T180000Z",
            "20261128T180000Z.PEM",
            "20261128t180000z.pem",
            "20261128T180000.pem",
            "20261128T180000+0000.pem",
            "2026-11-28T18:00:00Z.pem",
            "20261128T1800Z.pem",
            "20261128T180000Z.pem.bak",
            " 20261128T180000Z.pem",
            "+0261128T180000Z.pem",
            "19691231T235959Z.pem",
            "20261328T180000Z.pem",
            "20260028T180000Z.pem",
            "20260229T180000Z.pem",
            "21000229T180000Z.pem",
            "20261131T180000Z.pem",
            "20261100T180000Z.pem",
            "20261128T240000Z.pem",
            "20261128T186000Z.pem",
            "20261128T180060Z.pem",
        ] {
            assert_eq!(time_of(name), None, "{name}");
        }
    }
}
