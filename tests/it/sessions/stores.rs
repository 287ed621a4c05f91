//! The stores in memory, against what every store must do.

use std::time::{SystemTime, UNIX_EPOCH};

use tower_jwt_auth::{
    refresh::MemoryRefreshStore, revocation::MemoryDenylist, testing::conformance,
};

#[tokio::test(flavor = "multi_thread")]
async fn r02_families_in_memory() {
    conformance::refresh_store(async |_| MemoryRefreshStore::new()).await;
}

/// Other sequences than those of the suite, each time.
#[tokio::test]
async fn more_families_in_memory() {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let begin = u64::from(time.subsec_nanos()) << 20;
    conformance::refresh_store_cases(begin..begin + 256, async |_| MemoryRefreshStore::new()).await;
}

#[tokio::test]
async fn v01_revocations_in_memory() {
    conformance::denylist(async |clock| {
        MemoryDenylist::builder().max_revocations(100).clock(clock).build().unwrap()
    })
    .await;
}
