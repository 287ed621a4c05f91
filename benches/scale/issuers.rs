//! Many tenants, each with a key of its own.

use std::{
    cell::Cell,
    hint::black_box,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken as jwt;
use tower_jwt_auth::{Key, Verifier, verifier::Issuers};

use crate::table::{Table, each, numbers, resident};

const AUDIENCE: &str = "https://api.example.com";

pub(crate) fn measure(table: &mut Table) {
    let _ = jwt::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    let count = table.size(100, 100_000);
    let (alone, many) = (Issuers::new(), Issuers::new());
    alone.add(tenant(7)).unwrap();
    let begin = Instant::now();
    let verifiers: Vec<_> = (0..count).map(tenant).collect();
    let built = begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    verifiers.into_iter().for_each(|verifier| many.add(verifier).unwrap());
    let added = begin.elapsed().as_secs_f64();
    table.value(&format!("issuers: {count} built"), built, "s", None);
    table.value(&format!("issuers: {count} added"), added, "s", Some(5.0));

    let next = Cell::new(count);
    let new = || {
        let first = next.replace(next.get() + 100);
        (first..first + 100).map(|number| (tenant(number), issuer(number))).collect()
    };
    table.ratio(
        "issuers: one added and removed",
        None,
        || change(&alone, new()),
        || change(&many, new()),
    );

    let (one, all) = (alone.verifier(), many.verifier());
    let token = token(7);
    table.ratio(
        &format!("issuers: a known token, alone and beside {} others", count - 1),
        Some(1.2),
        || each(2_000, || (0..2_000).for_each(|_| verify(&one, &token))),
        || each(2_000, || (0..2_000).for_each(|_| verify(&all, &token))),
    );
    // The first token of each tenant makes its verifier learn the header.
    (0..count).for_each(|tenant| verify(&all, &self::token(tenant)));
    let batch = table.size(100, 4_000);
    for (what, tenants, bar) in
        [("1,000 of them", count.min(1_000), None), ("all", count, Some(1.5))]
    {
        let mut tenants = numbers(tenants);
        table.ratio(
            &format!("issuers: new HS256 tokens, of one and of {what}"),
            bar,
            || verify_new(&one, (0..batch).map(|_| self::token(7)).collect()),
            || verify_new(&all, tenants.by_ref().take(batch).map(self::token).collect()),
        );
    }
    drop((one, all, alone, many));
    let bytes = table.bytes_each("issuers", count);
    table.value(
        &format!("issuers: memory of {count} with an HS256 key, each"),
        bytes,
        "bytes",
        None,
    );
}

pub(crate) fn memory(count: usize) -> f64 {
    resident(count, || {
        let issuers = Issuers::new();
        (0..count).for_each(|number| issuers.add(tenant(number)).unwrap());
        issuers
    })
}

fn change(issuers: &Issuers, tenants: Vec<(Verifier, String)>) -> f64 {
    each(tenants.len(), || {
        for (verifier, name) in tenants {
            issuers.add(verifier).unwrap();
            assert!(issuers.remove(&name));
        }
    })
}

fn verify_new(verifier: &Verifier, tokens: Vec<String>) -> f64 {
    each(tokens.len(), || tokens.iter().for_each(|token| verify(verifier, token)))
}

fn verify(verifier: &Verifier, token: &str) {
    assert!(black_box(verifier.verify(token).now_or_never().unwrap()).is_ok());
}

fn tenant(number: usize) -> Verifier {
    let builder = Verifier::builder().issuer(issuer(number));
    builder.audience(AUDIENCE).keys(Key::hs256(secret(number))).build().unwrap()
}

fn issuer(number: usize) -> String {
    format!("https://login.example.com/{number:08}/v2.0")
}

fn secret(number: usize) -> [u8; 32] {
    let mut secret = [0x5a; 32];
    secret[..8].copy_from_slice(&number.to_le_bytes());
    secret
}

/// A token that nobody has seen yet.
fn token(tenant: usize) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = serde_json::json!({
        "iss": issuer(tenant),
        "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + 86_400,
        "jti": format!("3f1c9b7e-8f0e-4b6a-9f5a-{:012}", COUNT.fetch_add(1, Ordering::Relaxed)),
        "scope": "openid profile read:orders write:orders",
    });
    let key = jwt::EncodingKey::from_secret(&secret(tenant));
    jwt::encode(&jwt::Header::new(jwt::Algorithm::HS256), &claims, &key).unwrap()
}
