//! The stores, against what every store must do.

use std::{cell::Cell, env, fs, path::PathBuf, process};

use serde_json::json;
use tower_jwt_auth::{
    RegisteredClaims,
    revocation::{Denylist, Revocation, TokenIds},
    testing::{TestClock, conformance},
};

use crate::store::SqliteStore;

#[tokio::test(flavor = "multi_thread")]
async fn families_in_sqlite() {
    let folder = Folder::new("families");
    conformance::refresh_store(async |_| folder.store().await).await;
}

#[tokio::test]
async fn revocations_in_sqlite() {
    let folder = Folder::new("revocations");
    conformance::denylist(async |_| folder.store().await).await;
}

#[tokio::test]
async fn revocations_are_there_for_the_next_process_until_they_are_over() {
    let (folder, now) = (Folder::new("persistent"), TestClock::new().unix_seconds());
    let store = SqliteStore::open(&folder.file(1)).await.unwrap();
    store.revoke(Revocation::token("i", "one", now)).await.unwrap();
    let claims: RegisteredClaims =
        serde_json::from_value(json!({"iss": "i", "jti": "one"})).unwrap();
    drop(store);
    let store = SqliteStore::open(&folder.file(1)).await.unwrap();
    assert!(store.is_revoked(TokenIds::new(&claims)).await.unwrap());
    assert_eq!(store.sweep(now).await.unwrap(), 0);
    assert_eq!(store.sweep(i64::MAX).await.unwrap(), 1);
    assert!(!store.is_revoked(TokenIds::new(&claims)).await.unwrap());
}

/// A folder for databases, which is removed when this is dropped.
struct Folder(PathBuf, Cell<u32>);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("tower-jwt-auth-{name}-{}", process::id());
        let folder = env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder, Cell::new(0))
    }

    /// A store that is empty.
    async fn store(&self) -> SqliteStore {
        self.1.set(self.1.get() + 1);
        SqliteStore::open(&self.file(self.1.get())).await.unwrap()
    }

    fn file(&self, number: u32) -> String {
        self.0.join(format!("{number}.db")).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
