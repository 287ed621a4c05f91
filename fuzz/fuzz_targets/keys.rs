//! Any bytes as a key, in each of its forms.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_jwt_auth::{Key, KeySet};

fuzz_target!(|data: &[u8]| {
    let _ = Key::from_pem(data);
    let _ = Key::from_der(data);
    let _ = Key::from_private_jwk(data);
    for keys in [KeySet::from_jwks(data), KeySet::from_private_jwks(data)].into_iter().flatten() {
        for key in keys.iter() {
            assert!(key.algorithms().count() > 0);
        }
        for skipped in keys.skipped() {
            assert!(!skipped.to_string().is_empty());
        }
    }
});
