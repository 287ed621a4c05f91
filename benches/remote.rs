//! What a provider that hangs, and a flood of made-up key ids, cost the requests
//! whose key is known: their latency beside that of quiet times, in one run, round by
//! round.

mod shared;

use std::{
    hint::black_box,
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64_simd::URL_SAFE_NO_PAD;
use jsonwebtoken as jwt;
use serde_json::json;
use shared::{AUDIENCE, ISSUER, User};
use tower_jwt_auth::{ErrorKind, RemoteKeys, Verifier};

/// A provider that answers, or hangs, and counts.
#[derive(Default)]
struct Provider {
    hangs: AtomicBool,
    fetches: AtomicUsize,
}

impl Provider {
    fn start(document: String) -> (String, Arc<Self>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/jwks", listener.local_addr().expect("an address"));
        let provider = Arc::new(Self::default());
        let shared = Arc::clone(&provider);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (shared, document) = (Arc::clone(&shared), document.clone());
                thread::spawn(move || {
                    let _ = stream.read(&mut [0; 4096]);
                    shared.fetches.fetch_add(1, Ordering::SeqCst);
                    while shared.hangs.load(Ordering::SeqCst) {
                        thread::sleep(Duration::from_millis(1));
                    }
                    let length = document.len();
                    let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                    let _ = stream.write_all(document.as_bytes());
                });
            }
        });
        (url, provider)
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

struct Signer(EcdsaKeyPair);

impl Signer {
    fn token(&self, kid: &str) -> String {
        let mut header = jwt::Header::new(jwt::Algorithm::ES256);
        header.kid = Some(kid.into());
        let now = jwt::get_current_timestamp();
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 3600,
            "client_id": "app", "scope": "read",
        });
        let key = self.0.to_pkcs8v1().expect("PKCS #8");
        let key = jwt::EncodingKey::from_ec_der(key.as_ref());
        jwt::encode(&header, &claims, &key).expect("a token")
    }

    fn jwks(&self) -> String {
        let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|part| URL_SAFE_NO_PAD.encode_to_string(part));
        let key = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "known"});
        json!({ "keys": [key] }).to_string()
    }
}

#[tokio::main(worker_threads = 1)]
async fn main() {
    let test = std::env::args().any(|argument| argument == "--test");
    let (rounds, calls, flood) = if test { (1, 20, 100) } else { (40, 2_000, 10_000) };
    let _ = jwt::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    let signer = Signer(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"));
    let (url, provider) = Provider::start(signer.jwks());
    let known = signer.token("known");

    // With the defaults: what a flood costs the provider.
    let verifier = verifier(RemoteKeys::at(&url).build().await.expect("keys"));
    let begin = Instant::now();
    for n in 0..flood {
        let error = verifier.verify(&signer_less(&known, n)).await.expect_err("an unknown key");
        let pending = matches!(error.kind(), ErrorKind::KeyPending { .. });
        assert!(pending || error.is_invalid_token());
    }
    let (fetches, time) = (provider.fetches() - 1, begin.elapsed().as_secs_f64());
    println!("{flood} tokens with unknown ids in {time:.2} s: {fetches} fetches");

    // A fetch is always under way, since there is no cool-down.
    let long = Duration::from_secs(120);
    let keys = RemoteKeys::at(&url).cooldown(Duration::ZERO).timeout(long).max_wait(long);
    let verifier = self::verifier(keys.build().await.expect("keys"));
    let (mut quiet, mut hanging) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        latencies(&verifier, &known, calls, &mut quiet);
        provider.hangs.store(true, Ordering::SeqCst);
        let before = provider.fetches();
        let waiting: Vec<_> = (0..200)
            .map(|n| {
                let (verifier, token) = (verifier.clone(), signer_less(&known, round * 200 + n));
                tokio::spawn(async move { verifier.verify(&token).await.is_err() })
            })
            .collect();
        while provider.fetches() == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        latencies(&verifier, &known, calls, &mut hanging);
        assert!(!waiting.iter().any(tokio::task::JoinHandle::is_finished), "it hangs");
        provider.hangs.store(false, Ordering::SeqCst);
        for refused in waiting {
            assert!(refused.await.expect("no panic"));
        }
    }
    println!("| ES256, known key | p50 µs | p99 µs |");
    println!("|---|---|---|");
    let [quiet, hanging] = [quiet, hanging].map(|mut times| {
        times.sort_unstable();
        [times[times.len() / 2], times[times.len() * 99 / 100]].map(|time| time.as_secs_f64() * 1e6)
    });
    println!("| provider answers | {:.2} | {:.2} |", quiet[0], quiet[1]);
    println!("| provider hangs, 200 requests wait | {:.2} | {:.2} |", hanging[0], hanging[1]);
    println!("| ratio | {:.3} | {:.3} |", hanging[0] / quiet[0], hanging[1] / quiet[1]);
}

fn verifier(keys: RemoteKeys) -> Verifier<User> {
    let builder = Verifier::builder().claims::<User>().issuer(ISSUER).audience(AUDIENCE);
    builder.keys(keys).build().expect("a verifier")
}

/// The token with another key id, and so with a signature that is none.
fn signer_less(token: &str, n: usize) -> String {
    let (_, rest) = token.split_once('.').expect("a token");
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": format!("unknown {n}")}).to_string();
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode_to_string(header))
}

fn latencies(verifier: &Verifier<User>, token: &str, calls: usize, times: &mut Vec<Duration>) {
    for _ in 0..calls {
        let begin = Instant::now();
        let claims = verifier.verify(token).now_or_never().expect("a known key does not wait");
        times.push(begin.elapsed());
        black_box(claims.expect("a good token").sub.len());
    }
}
