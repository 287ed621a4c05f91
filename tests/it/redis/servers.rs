//! Two processes of the example application, which share a key and a Redis.

use std::{
    fs,
    path::PathBuf,
    process::id,
    time::{Duration, Instant},
};

use aws_lc_rs::signature::Ed25519KeyPair;

use super::Server;
use crate::sessions::app::{App, EMAIL, PASSWORD, tokens};

/// Two applications, as on two machines.
struct Two {
    one: App,
    other: App,
    key: PathBuf,
}

impl Two {
    fn start(server: &Server, name: &str) -> Self {
        let key = std::env::temp_dir().join(format!("signing-key-{}-{name}.pem", id()));
        let document = Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap();
        fs::write(&key, pem::encode(&pem::Pem::new("PRIVATE KEY", document.as_ref()))).unwrap();
        server.establish("auth_server");
        let url = server.url();
        let variables = [
            ("REDIS_URL", &*url),
            ("SIGNING_KEY", key.to_str().unwrap()),
            ("ISSUER", "https://app.example.com"),
            ("PUBLIC_URL", "https://app.example.com"),
        ];
        Self { one: App::start(&variables), other: App::start(&variables), key }
    }
}

impl Drop for Two {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.key);
    }
}

/// Asks until the status is this one, and says how long that took.
async fn until(app: &App, access: &str, status: u16, seconds: u64) -> Duration {
    let begin = Instant::now();
    loop {
        let answer = app.me(access).await.status;
        if answer == status {
            return begin.elapsed();
        }
        assert!(begin.elapsed() < Duration::from_secs(seconds), "still {answer}, not {status}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn a_logout_on_one_machine_holds_on_the_other_within_a_second() {
    let server = Server::start();
    let two = Two::start(&server, "logout");
    let (access, refresh) = two.one.logged_in().await;
    // Who has registered there is known here, and so is a session.
    let (elsewhere, _) = tokens(&two.other.login(EMAIL, PASSWORD).await);
    assert_eq!(two.other.me(&access).await.status, 200);
    let (access, refresh) = {
        let refreshed = two.other.refresh(&refresh).await;
        assert_eq!(refreshed.status, 200);
        let (newer, refresh) = tokens(&refreshed);
        assert_eq!(two.one.me(&access).await.status, 200);
        (newer, refresh)
    };
    let body = serde_json::json!({ "refresh_token": refresh });
    let logout = two.one.json("/auth/logout", &body).send().await.unwrap();
    assert_eq!(logout.status(), 204);
    assert_eq!(two.one.me(&access).await.status, 401, "at once where it was asked for");
    let took = until(&two.other, &access, 401, 1).await;
    println!("known elsewhere after {took:?}");
    assert_eq!(two.other.refresh(&refresh).await.status, 401);
    assert_eq!(two.other.me(&elsewhere).await.status, 200, "another session goes on");

    let all = two.one.post("/auth/logout-all").bearer_auth(&elsewhere).send().await.unwrap();
    assert_eq!(all.status(), 204);
    until(&two.other, &elsewhere, 401, 1).await;
}

#[tokio::test]
#[ignore = "needs REDIS_SERVER: the path of a redis-server or valkey-server"]
async fn a_redis_that_dies_and_comes_back_loses_nothing_and_lets_nobody_in() {
    let mut server = Server::start();
    let two = Two::start(&server, "crash");
    let (good, refresh) = two.one.logged_in().await;
    let (revoked, gone) = tokens(&two.one.login(EMAIL, PASSWORD).await);
    let body = serde_json::json!({ "refresh_token": gone });
    assert_eq!(two.one.json("/auth/logout", &body).send().await.unwrap().status(), 204);
    until(&two.other, &revoked, 401, 1).await;

    server.kill();
    let begin = Instant::now();
    // From memory at first; then nobody knows, and no one comes in.
    assert_eq!(two.other.me(&good).await.status, 200);
    while begin.elapsed() < Duration::from_secs(7) {
        for app in [&two.one, &two.other] {
            assert_eq!(app.me(&revoked).await.status, 401);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for app in [&two.one, &two.other] {
        assert_eq!(app.me(&good).await.status, 503);
        assert_eq!(app.refresh(&refresh).await.status, 503);
    }
    let body = serde_json::json!({ "refresh_token": refresh });
    let logout = two.one.json("/auth/logout", &body).send().await.unwrap();
    assert_eq!(logout.status(), 503, "no logout is promised that may not hold");

    server.restart();
    until(&two.other, &good, 200, 5).await;
    for app in [&two.one, &two.other] {
        assert_eq!(app.me(&revoked).await.status, 401);
    }
    // Each connection comes back when it is needed.
    let begin = Instant::now();
    let mut refreshed = two.other.refresh(&refresh).await;
    while refreshed.status == 503 && begin.elapsed() < Duration::from_secs(3) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        refreshed = two.other.refresh(&refresh).await;
    }
    assert_eq!(refreshed.status, 200, "the token was not spent");
    println!("refreshes again after {:?}", begin.elapsed());
    assert_eq!(two.one.me(&tokens(&refreshed).0).await.status, 200);
}
