//! Sets of many keys.

use std::{
    hint::black_box,
    time::{SystemTime, UNIX_EPOCH},
};

use jsonwebtoken as jwt;
use tower_jwt_auth::{Key, KeySet, Verifier, verifier::Cache};

use crate::table::{Table, each};

const ISSUER: &str = "https://login.example.com";
const AUDIENCE: &str = "https://api.example.com";
const SECRET: [u8; 32] = [0x5a; 32];

pub(crate) fn measure(table: &mut Table) {
    let _ = jwt::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    let count = 1_000;
    let named = || Key::hs256(SECRET).unwrap().with_kid("the-one");
    let nameless = || Key::hs256(SECRET).unwrap();
    let others = |make: fn(usize) -> Key| (1..count).map(make);
    let other = |number| Key::hs256([7; 32]).unwrap().with_kid(format!("key-{number}"));
    let other_algorithm = |number| Key::hs512([7; 64]).unwrap().with_kid(format!("key-{number}"));

    let mut row =
        |what: &str, kid: Option<&str>, good: bool, bar: f64, one: Key, others: Vec<Key>| {
            let token = token(kid);
            let small = verifier(KeySet::new([one.clone()]));
            let large = verifier(others.into_iter().chain([one]).collect());
            table.ratio(
                &format!("keys: 1 and {count}, {what}"),
                Some(bar),
                || verify(&small, &token, good),
                || verify(&large, &token, good),
            );
        };
    row(
        "the token has the id of one",
        Some("the-one"),
        true,
        1.2,
        named(),
        others(other).collect(),
    );
    row(
        "an unknown id, one key without",
        Some("no-one"),
        true,
        1.2,
        nameless(),
        others(other).collect(),
    );
    row(
        "no id, others of another algorithm",
        None,
        true,
        1.2,
        named(),
        others(other_algorithm).collect(),
    );
    // No signature is computed: what is left is the search and the rest of a refusal. An index
    // costs more than a look at one key, and the same with any number.
    row("an unknown id, refused", Some("no-one"), false, 2.0, named(), others(other).collect());
}

fn verifier(keys: KeySet) -> Verifier {
    let builder = Verifier::builder().issuer(ISSUER).audience(AUDIENCE);
    builder.keys(keys).cache(Cache::off()).build().unwrap()
}

fn verify(verifier: &Verifier, token: &str, good: bool) -> f64 {
    each(1_000, || {
        for _ in 0..1_000 {
            assert_eq!(black_box(verifier.verify(token).now_or_never().unwrap()).is_ok(), good);
        }
    })
}

fn token(kid: Option<&str>) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = serde_json::json!({
        "iss": ISSUER, "sub": "user-1", "aud": AUDIENCE, "iat": now, "exp": now + 86_400,
        "scope": "openid profile read:orders write:orders",
    });
    let header = jwt::Header { kid: kid.map(String::from), ..jwt::Header::default() };
    jwt::encode(&header, &claims, &jwt::EncodingKey::from_secret(&SECRET)).unwrap()
}
