//! The stores, against what every store must do.

#[path = "../../../tests/it/sessions/list.rs"]
mod list;
#[path = "../../../tests/it/sessions/model.rs"]
mod model;
#[path = "../../../tests/it/sessions/setup.rs"]
mod setup;

use std::{cell::Cell, env, fs, path::PathBuf, process};

use tower_jwt_auth::{
    RegisteredClaims,
    revocation::{Denylist, Revocation, TokenIds},
};

use self::{
    list::{check_list, now},
    model::{check_lifetimes, check_store},
    setup::{issuer, set},
};
use crate::{
    fixed::{FixedClock, ISSUER},
    store::SqliteStore,
};

#[test]
fn families_in_sqlite() {
    let folder = Folder::new("families");
    let number = Cell::new(0);
    check_store(24, async || {
        number.set(number.get() + 1);
        SqliteStore::open(&folder.file(number.get())).await.unwrap()
    });
}

#[test]
fn lifetimes_in_sqlite() {
    let folder = Folder::new("lifetimes");
    check_lifetimes(async || SqliteStore::open(&folder.file(1)).await.unwrap());
}

#[tokio::test]
async fn revocations_in_sqlite() {
    let folder = Folder::new("revocations");
    let store = SqliteStore::open(&folder.file(1)).await.unwrap();
    check_list(store.clone(), &FixedClock::default()).await;
    assert_eq!(store.sweep(now()).await.unwrap(), 0);
    assert!(store.sweep(i64::MAX).await.unwrap() > 0);
    // It is there for the next process.
    store.revoke(Revocation::token(ISSUER, "one", now())).await.unwrap();
    let claims: RegisteredClaims =
        serde_json::from_value(serde_json::json!({"iss": ISSUER, "jti": "one"})).unwrap();
    drop(store);
    let store = SqliteStore::open(&folder.file(1)).await.unwrap();
    assert!(store.is_revoked(TokenIds::new(&claims)).await.unwrap());
}

/// A folder for databases, which is removed when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("tower-jwt-auth-{name}-{}", process::id());
        let folder = env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
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
