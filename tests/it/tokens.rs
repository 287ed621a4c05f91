//! Every algorithm, by every form of its key.

use tower_jwt_auth::Verifier;

use crate::support::{KEYS, builder, claims};

#[tokio::test]
async fn every_algorithm_verifies() {
    let verifier: Verifier = builder().build().unwrap();
    for key in KEYS.iter() {
        let claims = verifier.verify(&key.token(&claims())).await.unwrap();
        assert_eq!(claims.subject(), Some("alice"), "{}", key.algorithm);
    }
}
