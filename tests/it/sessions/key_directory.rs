//! Signing keys from files that come and go while the process runs.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use tower_jwt_auth::{
    Algorithm, ConfigError, Verifier,
    issue::{Grant, KeyDirectory, SigningKey, TokenIssuer, TokenIssuerBuilder},
};

use super::{
    issue::{kids as published, part},
    set,
};
use crate::fixed::{AUDIENCE, FixedClock, ISSUER};

/// The names of files that sign from these times on: always, `NOW`, one hour and two hours later.
const ALWAYS: &str = "19700101T000000Z.pem";
const NOW: &str = "20270115T080000Z.pem";
const HOUR_1: &str = "20270115T090000Z.pem";
const HOUR_2: &str = "20270115T100000Z.pem";
/// And a day later.
const AFTER: &str = "20270116T080000Z.pem";

/// A new directory, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("signing-keys-{}-{count}", process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Adds a new key, and says its id.
    fn add(&self, name: &str) -> String {
        let key = SigningKey::generate(Algorithm::EdDSA).unwrap();
        self.write(name, key.to_pkcs8_pem().unwrap().as_str(), 0o600);
        key.kid().to_owned()
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let (path, hidden) = (self.0.join(name), self.0.join(".new"));
        fs::write(&hidden, text).unwrap();
        fs::set_permissions(&hidden, fs::Permissions::from_mode(mode)).unwrap();
        fs::rename(hidden, path).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.0.join(name)).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn builder(clock: &FixedClock) -> TokenIssuerBuilder {
    TokenIssuer::builder().issuer(ISSUER).audience(AUDIENCE).clock(clock.clone())
}

fn issuer(folder: &Folder, clock: &FixedClock) -> TokenIssuer {
    builder(clock).key_directory(&*folder.0).build().unwrap()
}

fn verifier(issuer: &TokenIssuer, clock: &FixedClock) -> Verifier {
    let builder = Verifier::builder().audience(AUDIENCE).keys(issuer.key_source());
    builder.clock(clock.clone()).build().unwrap()
}

/// The id of the key that signs, and a token of it.
fn signs(issuer: &TokenIssuer) -> (String, String) {
    let token = issuer.issue(Grant::new("ada")).unwrap().as_str().to_owned();
    (part(&token, 0)["kid"].as_str().unwrap().to_owned(), token)
}

#[tokio::test]
async fn two_processes_switch_together_without_a_restart() {
    let (folder, clock) = (Folder::new(), FixedClock::default());
    let old = folder.add(ALWAYS);
    let (one, two) = (issuer(&folder, &clock), issuer(&folder, &clock));
    // One issuer that only verifies, and whose own handle is gone.
    let verifiers = [verifier(&one, &clock), verifier(&two, &clock)];
    let next = folder.add(HOUR_1);
    assert_eq!(published(&one), [&*old], "it was not read yet");
    one.reread_keys().unwrap();
    two.reread_keys().unwrap();
    set(&clock, 3599);
    let (kid, last) = signs(&one);
    assert_eq!((&kid, signs(&two).0), (&old, old.clone()));
    for issuer in [&one, &two] {
        assert_eq!(published(issuer), [&*old, &next]);
    }
    set(&clock, 3600);
    let (kid, first) = signs(&one);
    assert_eq!((&kid, signs(&two).0), (&next, next.clone()));
    for verifier in &verifiers {
        for token in [&last, &first] {
            assert!(verifier.verify(token).await.is_ok());
        }
    }
    // The last token of the old key expires after 15 min; clocks may differ by 5 min. Its file
    // may stay.
    set(&clock, 3600 + 900 + 299);
    assert_eq!(published(&one), [&*old, &next]);
    set(&clock, 3600 + 900 + 300);
    for issuer in [&one, &two] {
        assert_eq!(signs(issuer).0, next);
        assert_eq!(published(issuer), [&*next]);
    }
    // Who starts now sees the same.
    let three = self::issuer(&folder, &clock);
    assert_eq!((signs(&three).0, published(&three)), (next.clone(), vec![next.clone()]));
    one.reread_keys().unwrap();
    assert_eq!(published(&one), [&*next]);
    // The clock goes back: somebody signs all the same.
    set(&clock, 0);
    assert_eq!(signs(&three).0, next);
}

#[tokio::test]
async fn who_only_verifies_follows_by_itself() {
    let (folder, clock) = (Folder::new(), FixedClock::default());
    folder.add(ALWAYS);
    let directory = KeyDirectory::new(&folder.0).reread_interval(Duration::from_secs(1));
    let verifying = builder(&clock).key_directory(directory).build().unwrap();
    let verifier = verifier(&verifying, &clock);
    drop(verifying);
    let next = folder.add(NOW);
    let (kid, token) = signs(&issuer(&folder, &clock));
    assert_eq!(kid, next);
    let begin = Instant::now();
    while let Err(error) = verifier.verify(&token).await {
        assert!(begin.elapsed() < Duration::from_secs(20), "{error}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The error of a start, and of a second reading after a good start; the keys remain.
fn refused(fault: impl Fn(&Folder), part: &str) {
    let clock = FixedClock::default();
    let check = |folder: &Folder, error: ConfigError| {
        let text = error.to_string();
        assert!(matches!(error, ConfigError::KeyFile { .. }), "{text}");
        assert!(text.contains(part) && text.contains(folder.0.to_str().unwrap()), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    };
    let folder = Folder::new();
    fault(&folder);
    check(&folder, builder(&clock).key_directory(&*folder.0).build().unwrap_err());

    let folder = Folder::new();
    let kid = folder.add(ALWAYS);
    let issuer = issuer(&folder, &clock);
    folder.remove(ALWAYS);
    fault(&folder);
    for _ in 0..2 {
        check(&folder, issuer.reread_keys().unwrap_err());
        assert_eq!((signs(&issuer).0, published(&issuer)), (kid.clone(), vec![kid.clone()]));
    }
}

#[test]
fn a_fault_names_the_file_and_leaves_the_keys_as_they_are() {
    let pem = SigningKey::generate(Algorithm::EdDSA).unwrap().to_pkcs8_pem().unwrap();
    let pem = pem.as_str();
    refused(|_| {}, "no key in it");
    refused(|folder| folder.write(".hidden", pem, 0o600), "no key in it");
    refused(|folder| folder.write(HOUR_1, pem, 0o600), "no key in it signs yet");
    refused(
        |folder| folder.write("signing.pem", pem, 0o600),
        "signing.pem cannot be used: its name",
    );
    refused(|folder| folder.write("20270229T000000Z.pem", pem, 0o600), "its name");
    refused(|folder| folder.write("20270115T080000Z.pem.bak", pem, 0o600), "its name");
    refused(|folder| folder.write(NOW, "hunter2", 0o600), "no `-----BEGIN PRIVATE KEY-----`");
    refused(|folder| folder.write(NOW, &pem[..60], 0o600), NOW);
    refused(|folder| folder.write(NOW, &"a".repeat(16 * 1024 + 1), 0o600), "16 KiB");
    refused(|folder| fs::create_dir(folder.0.join(NOW)).unwrap(), "not a file");
    refused(|folder| symlink("nowhere", folder.0.join(NOW)).unwrap(), "cannot be read");
    for mode in [0o644, 0o640, 0o604, 0o660, 0o610, 0o440] {
        refused(|folder| folder.write(NOW, pem, mode), &format!("its mode is {mode:04o}"));
    }
    for mode in [0o640, 0o440] {
        refused(|folder| folder.write(NOW, pem, mode), "0400 or 0600, or call `.any_file_group()`");
    }
    refused(|folder| folder.write(NOW, pem, 0o644), "0400 or 0600, and replace the key");
    let twice = |folder: &Folder| {
        folder.write(ALWAYS, pem, 0o600);
        folder.write(HOUR_1, pem, 0o600);
    };
    refused(twice, "has the same key");
    let many = |folder: &Folder| {
        for second in 0..101 {
            let name = format!("20260101T00{:02}{:02}Z.pem", second / 60, second % 60);
            folder.add(&name);
        }
    };
    refused(many, "more than 100");
    let missing = builder(&FixedClock::default()).key_directory("/nowhere/keys").build();
    let error = missing.unwrap_err().to_string();
    assert!(error.contains("/nowhere/keys") && error.contains("cannot be read"), "{error}");
}

#[test]
fn owners_and_groups_that_may_read() {
    let clock = FixedClock::default();
    for (mode, any_group) in [(0o400, false), (0o600, false), (0o440, true), (0o640, true)] {
        let folder = Folder::new();
        let key = SigningKey::generate(Algorithm::ES256).unwrap();
        folder.write(ALWAYS, key.to_pkcs8_pem().unwrap().as_str(), mode);
        let mut directory = KeyDirectory::new(&folder.0);
        if any_group {
            assert!(builder(&clock).key_directory(directory.clone()).build().is_err());
            directory = directory.any_file_group();
        }
        let issuer = builder(&clock).key_directory(directory).build().unwrap();
        assert_eq!(signs(&issuer).0, key.kid());
    }
    for mode in [0o644, 0o460, 0o450, 0o444] {
        let folder = Folder::new();
        folder.add(ALWAYS);
        let path = folder.0.join(ALWAYS);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let directory = KeyDirectory::new(&folder.0).any_file_group();
        assert!(builder(&clock).key_directory(directory).build().is_err(), "{mode:o}");
    }
}

#[test]
fn a_file_of_a_stranger_is_refused() {
    let (folder, clock) = (Folder::new(), FixedClock::default());
    folder.add(ALWAYS);
    // Only root may give a file away.
    if chown(folder.0.join(ALWAYS), Some(12_345), None).is_ok() {
        let error = builder(&clock).key_directory(&*folder.0).build().unwrap_err().to_string();
        assert!(error.contains(ALWAYS) && error.contains("its owner"), "{error}");
        chown(&folder.0, Some(12_345), None).unwrap();
        assert!(builder(&clock).key_directory(&*folder.0).build().is_ok());
    }
}

/// As Kubernetes mounts a secret: the names lead to a directory that is exchanged as a whole.
#[test]
fn a_volume_of_kubernetes() {
    let (folder, clock) = (Folder::new(), FixedClock::default());
    let version = |name: &str, files: &[&str]| {
        fs::create_dir(folder.0.join(name)).unwrap();
        for file in files {
            let key = SigningKey::generate(Algorithm::EdDSA).unwrap();
            folder.write(&format!("{name}/{file}"), key.to_pkcs8_pem().unwrap().as_str(), 0o400);
        }
    };
    let point = |to: &str| {
        symlink(to, folder.0.join("..data_tmp")).unwrap();
        fs::rename(folder.0.join("..data_tmp"), folder.0.join("..data")).unwrap();
    };
    let link = |name: &str| symlink(Path::new("..data").join(name), folder.0.join(name)).unwrap();
    version("..2027_01_14", &[ALWAYS]);
    point("..2027_01_14");
    link(ALWAYS);
    let issuer = issuer(&folder, &clock);
    let old = signs(&issuer).0;
    assert_eq!(published(&issuer), [old]);
    version("..2027_01_15", &[ALWAYS, HOUR_2]);
    point("..2027_01_15");
    link(HOUR_2);
    issuer.reread_keys().unwrap();
    assert_eq!(published(&issuer).len(), 2);
}

#[tokio::test]
async fn a_file_that_is_removed_takes_its_key_with_it() {
    let (folder, clock) = (Folder::new(), FixedClock::default());
    folder.add(ALWAYS);
    let issuer = issuer(&folder, &clock);
    let verifier = verifier(&issuer, &clock);
    let (_, stolen) = signs(&issuer);
    assert!(verifier.verify(&stolen).await.is_ok());
    // The key that signs is not taken away without another one.
    folder.remove(ALWAYS);
    issuer.reread_keys().unwrap_err();
    assert!(verifier.verify(&stolen).await.is_ok());
    let next = folder.add(NOW);
    issuer.reread_keys().unwrap();
    assert!(verifier.verify(&stolen).await.is_err());
    assert_eq!((signs(&issuer).0, published(&issuer)), (next.clone(), vec![next]));
}

#[tokio::test]
async fn a_stolen_key_goes_although_another_file_is_faulty() {
    let (folder, clock) = (Folder::new(), FixedClock::default());
    folder.add(ALWAYS);
    let issuer = issuer(&folder, &clock);
    let verifier = verifier(&issuer, &clock);
    let (_, stolen) = signs(&issuer);
    let next = folder.add(NOW);
    issuer.reread_keys().unwrap();
    assert!(verifier.verify(&stolen).await.is_ok());
    folder.write("notes.txt", "", 0o600);
    folder.remove(ALWAYS);
    let unused = folder.add(HOUR_1);
    issuer.reread_keys().unwrap_err();
    assert!(verifier.verify(&stolen).await.is_err());
    assert_eq!((signs(&issuer).0, published(&issuer)), (next.clone(), vec![next.clone()]));
    // Without the fault, the new file comes in.
    folder.remove("notes.txt");
    issuer.reread_keys().unwrap();
    assert_eq!(published(&issuer), [next, unused]);
}

#[test]
fn a_directory_that_others_can_change_is_refused() {
    let (folder, clock) = (Folder::new(), FixedClock::default());
    folder.add(ALWAYS);
    let build = |mode: u32| {
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(mode)).unwrap();
        builder(&clock).key_directory(&*folder.0).build()
    };
    for mode in [0o775, 0o757, 0o2770, 0o777] {
        let error = build(mode).unwrap_err().to_string();
        assert!(error.contains(&format!("{mode:04o}")) && error.contains("0700"), "{error}");
    }
    for mode in [0o700, 0o750, 0o755, 0o1777, 0o3777] {
        assert!(build(mode).is_ok(), "{mode:04o}");
    }
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o700)).unwrap();
}

#[tokio::test]
async fn a_successor_whose_time_is_past_ends_no_tokens() {
    let (folder, clock) = (Folder::new(), FixedClock::default());
    let old = folder.add(ALWAYS);
    let issuer = issuer(&folder, &clock);
    let verifier = verifier(&issuer, &clock);
    set(&clock, 7000);
    let (_, token) = signs(&issuer);
    let next = folder.add(HOUR_1);
    issuer.reread_keys().unwrap();
    assert_eq!(signs(&issuer).0, next);
    assert!(verifier.verify(&token).await.is_ok());
    set(&clock, 7000 + 900 + 299);
    // Another one, which comes in time, changes nothing of that.
    let third = folder.add(AFTER);
    issuer.reread_keys().unwrap();
    assert_eq!(published(&issuer), [&*old, &next, &third]);
    set(&clock, 7000 + 900 + 300);
    assert_eq!(published(&issuer), [&*next, &third]);
}

#[test]
fn what_contradicts_a_directory_is_refused() {
    let (folder, clock) = (Folder::new(), FixedClock::default());
    folder.add(ALWAYS);
    let key = || SigningKey::generate(Algorithm::EdDSA).unwrap();
    let conflict = |result: Result<(), ConfigError>| {
        assert!(matches!(result, Err(ConfigError::Conflict(_))), "{result:?}");
    };
    let both = builder(&clock).key(key()).key_directory(&*folder.0);
    conflict(both.build().map(drop));
    let with = issuer(&folder, &clock);
    conflict(with.rotate(key()));
    conflict(with.replace_keys(key()));
    conflict(builder(&clock).key(key()).build().unwrap().reread_keys());
    for millis in [0, 999, 1_801_000, 3_600_000] {
        let directory = KeyDirectory::new(&folder.0);
        let directory = directory.reread_interval(Duration::from_millis(millis));
        let error = builder(&clock).key_directory(directory).build().unwrap_err();
        assert!(matches!(error, ConfigError::OutOfRange(_)), "{error}");
    }
    // Tokens of an earlier key, before there was a directory.
    let old = key();
    let both = builder(&clock).published_key(old.clone()).key_directory(&*folder.0).build();
    let both = both.unwrap();
    assert_eq!(published(&both), [old.kid(), &signs(&both).0]);
    let text = format!("{both:?} {:?}", KeyDirectory::new(&folder.0));
    assert!(!text.contains("PRIVATE"), "{text}");
}

#[cfg(feature = "tracing")]
#[test]
fn the_operator_is_told_what_changes() {
    use crate::privacy::events;

    let (folder, clock) = (Folder::new(), FixedClock::default());
    let old = folder.add(ALWAYS);
    let issuer = issuer(&folder, &clock);
    let told = |reread: &dyn Fn()| events(reread);
    assert_eq!(told(&|| issuer.reread_keys().unwrap()), "");
    let in_time = folder.add(HOUR_1);
    let text = told(&|| issuer.reread_keys().unwrap());
    assert!(text.contains("INFO") && text.contains(&in_time) && !text.contains("WARN"), "{text}");
    // It appears half an hour before it signs, and should an hour before.
    set(&clock, 1800);
    folder.remove(HOUR_1);
    let late = folder.add(HOUR_1);
    let text = told(&|| issuer.reread_keys().unwrap());
    assert!(text.contains("WARN") && text.contains(&late) && text.contains("publish_ahead"));
    assert!(text.contains("was removed") && text.contains(&in_time) && !text.contains(&old));
    // One event, however often it is read; and one when it is over.
    folder.write(HOUR_2, "hunter2", 0o600);
    let text = told(&|| (0..3).for_each(|_| _ = issuer.reread_keys().unwrap_err()));
    assert_eq!(text.matches("cannot be reread").count(), 1, "{text}");
    assert!(text.contains(HOUR_2) && !text.contains("hunter2"), "{text}");
    assert!(text.contains("WARN") && !text.contains("ERROR"), "{text}");
    folder.remove(HOUR_2);
    let text = told(&|| issuer.reread_keys().unwrap());
    assert!(text.contains("can be reread") && text.contains("INFO"), "{text}");
}
