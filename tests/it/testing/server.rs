//! The identity provider on loopback, with keys that are fetched from it.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use tower_jwt_auth::{
    Algorithm, ConfigError, RemoteKeys, Verifier,
    error::FetchErrorKind,
    testing::{TestIssuer, TestServer, assert_accepted, assert_refused},
};

async fn verifier(server: &TestServer) -> Verifier {
    let keys = RemoteKeys::discover(server.url()).cooldown(Duration::from_millis(20));
    let keys = keys.max_wait(Duration::from_millis(500)).build().await.unwrap();
    Verifier::builder().audience(server.audience()).keys(keys).build().unwrap()
}

#[tokio::test]
async fn its_keys_are_discovered_and_follow_a_rotation() {
    for algorithm in [Algorithm::ES256, Algorithm::EdDSA, Algorithm::RS256] {
        let server = TestIssuer::new().with_algorithm(algorithm).serve();
        let verifier = verifier(&server).await;
        assert_eq!((server.fetches(), server.metadata_fetches()), (1, 1));
        let old = server.token().sign();
        for _ in 0..10 {
            assert_accepted(&verifier.verify(&old).await);
        }
        assert_eq!(server.fetches(), 1, "known keys cause no fetch");

        server.rotate();
        assert_accepted(&verifier.verify(&server.token().sign()).await);
        assert_eq!(server.fetches(), 2);
        assert_accepted(&verifier.verify(&old).await);

        tokio::time::sleep(Duration::from_millis(30)).await;
        server.withdraw_old();
        server.rotate();
        assert_accepted(&verifier.verify(&server.token().sign()).await);
        server.withdraw_old();
        assert_refused(&verifier.verify(&old).await, "unknown_key");
        // The issuer that it was made from is another one.
        assert_refused(&verifier.verify(&TestIssuer::new().token().sign()).await, "issuer");
        assert!(server.issuer().key_id() != TestIssuer::new().with_algorithm(algorithm).key_id());
    }
}

#[tokio::test]
async fn both_documents_of_metadata_name_its_keys() {
    let server = TestIssuer::new().serve();
    let get = |path: &str, method: &str| {
        let mut stream = TcpStream::connect(server.url().strip_prefix("http://").unwrap()).unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse::<u16>().unwrap(), body.to_owned())
    };
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        let (status, body) = get(path, "GET");
        let metadata: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &metadata["issuer"]), (200, &server.url().into()));
        assert_eq!(metadata["jwks_uri"], server.jwks_url());
        assert_eq!(metadata["id_token_signing_alg_values_supported"][0], "ES256");
        assert_eq!(get(path, "HEAD"), (200, String::new()));
        assert_eq!(get(path, "POST").0, 405);
    }
    assert_eq!(server.metadata_fetches(), 6);
    let path = "/.well-known/jwks.json?x=y";
    assert_eq!(get(path, "GET"), (200, server.issuer().jwks()));
    assert_eq!(get("/", "GET").0, 404);
    assert_eq!(server.fetches(), 1);
}

#[tokio::test]
async fn each_fault_is_what_it_says_until_it_recovers() {
    let server = TestIssuer::new().serve();
    let keys = async || RemoteKeys::at(server.jwks_url()).issuer(server.url()).build().await;
    let failure = async || match keys().await {
        Err(ConfigError::Fetch(error)) => error.kind().clone(),
        other => panic!("{other:?}"),
    };
    server.fail_keys(503);
    assert_eq!(failure().await, FetchErrorKind::Status(503));
    server.fail_keys(429);
    assert_eq!(failure().await, FetchErrorKind::Status(429));
    server.garbage();
    assert_eq!(failure().await, FetchErrorKind::NotKeySet);
    server.unreachable();
    assert!(matches!(failure().await, FetchErrorKind::Transport(_)));
    server.recover();
    assert!(keys().await.is_ok());

    server.delay(Duration::from_millis(300));
    let begin = Instant::now();
    assert!(keys().await.is_ok());
    assert!(begin.elapsed() >= Duration::from_millis(300), "{:?}", begin.elapsed());
    server.delay(Duration::from_secs(60));
    let late = RemoteKeys::at(server.jwks_url()).issuer(server.url());
    let late = late.timeout(Duration::from_millis(100)).build().await;
    let Err(ConfigError::Fetch(error)) = late else { panic!("{late:?}") };
    assert_eq!(*error.kind(), FetchErrorKind::Timeout);
}

#[tokio::test]
async fn keys_stay_good_while_it_fails_and_unknown_ones_are_not_decided() {
    let server = TestIssuer::new().serve();
    let verifier = verifier(&server).await;
    let known = server.token().sign();
    for fault in [|server: &TestServer| server.fail_keys(500), TestServer::unreachable] {
        fault(&server);
        assert_accepted(&verifier.verify(&known).await);
        server.rotate();
        let unknown = verifier.verify(&server.token().sign()).await;
        assert!(unknown.unwrap_err().is_server_fault());
        server.recover();
        let token = server.token().sign();
        let begin = Instant::now();
        while verifier.verify(&token).await.is_err() {
            assert!(begin.elapsed() < Duration::from_secs(20), "it has recovered");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn it_ends_when_it_is_dropped_also_in_the_middle_of_an_answer() {
    let server = TestIssuer::new().serve();
    let address = server.url().strip_prefix("http://").unwrap().to_owned();
    server.delay(Duration::from_secs(600));
    let mut waiting = TcpStream::connect(&address).unwrap();
    waiting.write_all(b"GET /.well-known/jwks.json HTTP/1.1\r\n\r\n").unwrap();
    while server.fetches() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let begin = Instant::now();
    drop(server);
    waiting.read_to_end(&mut Vec::new()).unwrap();
    while TcpStream::connect(&address).is_ok() {
        assert!(begin.elapsed() < Duration::from_secs(10), "it listens");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn it_needs_no_runtime() {
    // As a test that waits for a process.
    let server = TestIssuer::new().serve();
    let mut stream = TcpStream::connect(server.url().strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(b"GET /.well-known/jwks.json HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with(&server.issuer().jwks()), "{answer}");
}

#[tokio::test]
async fn a_self_test_fetches_no_keys() {
    let server = TestIssuer::new().serve();
    let verifier_of = |keys: RemoteKeys| {
        Verifier::builder().audience(server.audience()).keys(keys).build().unwrap()
    };
    let keys = || RemoteKeys::at(server.jwks_url()).issuer(server.url());
    // They are there, and tokens with unknown keys do not cause a fetch.
    let verifier = verifier_of(keys().build().await.unwrap());
    let report = verifier.self_test();
    assert!(report.is_passed(), "{report}");
    let nobody = report.iter().find(|case| case.name() == "a13_signature_of_nobody").unwrap();
    assert!(["signature", "unknown_key"].contains(&nobody.kind().unwrap()), "{nobody}");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.fetches(), 1);
    assert_accepted(&verifier.verify(&server.token().sign()).await);

    // They are not there yet.
    server.unreachable();
    let report = verifier_of(keys().lazy().unwrap()).self_test();
    assert!(report.is_passed(), "{report}");
}
