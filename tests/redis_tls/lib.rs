//! A Redis with TLS, by the feature `redis` alone:
//! `REDIS_SERVER=redis-server cargo test --manifest-path tests/redis_tls/Cargo.toml`.

#![cfg(test)]

#[path = "../it/certificates.rs"]
mod certificates;
#[allow(dead_code, reason = "a part of it is for other tests")]
#[path = "../it/redis/server.rs"]
mod server;

use std::{fs, net::TcpListener, path::PathBuf, time::Duration};

use server::Server;
use tower_jwt_auth::{
    redis::{Redis, RedisBuilder},
    refresh::{Login, RefreshTokens},
    revocation::{Denylist, Revocation},
};

/// Certificates of an authority that nobody else knows, and a server that has one.
struct Setup {
    server: Server,
    port: u16,
    folder: PathBuf,
}

impl Setup {
    /// With `clients`, the server wants a certificate of its clients, too.
    fn start(name: &str, clients: bool) -> Self {
        let folder = std::env::temp_dir().join(format!("redis-tls-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        certificates::make(&folder);
        // One that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let (number, cert, key, authority) =
            (port.to_string(), file("server.pem"), file("server.key"), file("ca.pem"));
        let mut arguments = vec!["--tls-port", &number, "--tls-cert-file", &cert];
        arguments.extend(["--tls-key-file", &key, "--tls-ca-cert-file", &authority]);
        arguments.extend(["--tls-auth-clients", if clients { "yes" } else { "no" }]);
        let server = Server::start_with(&arguments);
        server.establish("tower-jwt-auth");
        Self { server, port, folder }
    }

    fn builder(&self) -> RedisBuilder {
        Redis::builder(format!("rediss://localhost:{}", self.port))
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(name)).unwrap()
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

async fn works(redis: &Redis) {
    let refresh = RefreshTokens::builder(redis.refresh_store()).build().unwrap();
    let opened = refresh.open(Login::new("alice")).await.unwrap();
    refresh.rotate(opened.token().as_str()).await.unwrap();
    let (one, other) =
        (redis.denylist().build().await.unwrap(), redis.denylist().build().await.unwrap());
    one.revoke(Revocation::session("i", "s", i64::MAX)).await.unwrap();
    for _ in 0..200 {
        if other.len() == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the revocation is not seen");
}

async fn told(builder: RedisBuilder) -> String {
    builder.build().await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_private_authority_is_trusted_if_it_is_named() {
    let setup = Setup::start("authority", false);
    let redis = setup.builder().root_certificates(setup.read("ca.pem")).build().await.unwrap();
    works(&redis).await;

    // The connections end with the last handle.
    let clients = || setup.server.ask::<String>(&["CLIENT", "LIST"]).lines().count();
    drop(redis);
    for _ in 0..200 {
        if clients() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(clients(), 1, "but the one that asks");

    let error = told(setup.builder()).await;
    assert!(error.contains("certificate") && error.contains("UnknownIssuer"), "{error}");
    let error = told(setup.builder().root_certificates(setup.read("other.pem"))).await;
    assert!(error.contains("certificate"), "{error}");
    // By another name than the certificate's.
    let by_address = Redis::builder(format!("rediss://127.0.0.1:{}", setup.port));
    let error = told(by_address.root_certificates(setup.read("ca.pem"))).await;
    assert!(error.contains("certificate"), "{error}");
    // A server that speaks no TLS.
    let plain = Redis::builder(setup.server.url().replace("redis://", "rediss://"));
    let error = told(plain.root_certificates(setup.read("ca.pem"))).await;
    assert!(!error.contains("panic"), "{error}");
    println!("{error}");
}

#[tokio::test]
async fn a_client_shows_its_certificate() {
    let setup = Setup::start("client", true);
    let builder = || setup.builder().root_certificates(setup.read("ca.pem"));
    let error = told(builder()).await;
    println!("{error}");
    let (chain, key) = (setup.read("client.pem"), setup.read("client.key"));
    works(&builder().client_certificate(&*chain, &*key).build().await.unwrap()).await;
    let other = setup.read("other.key");
    let error = told(builder().client_certificate(&*chain, &*other)).await;
    assert!(error.contains("do not fit"), "{error}");
}

#[tokio::test]
async fn what_is_no_certificate_is_refused_when_it_is_configured() {
    let builder = || Redis::builder("rediss://:hunter2@localhost:1");
    for wrong in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"] {
        let error = told(builder().root_certificates(wrong)).await;
        assert!(error.contains("root certificate") && !error.contains("hunter2"), "{error}");
        let error = told(builder().client_certificate(wrong, wrong)).await;
        assert!(error.contains("for Redis") && !error.contains("hunter2"), "{error}");
    }
    let error = told(Redis::builder("redis://localhost:1").root_certificates("")).await;
    assert!(error.contains("rediss://"), "{error}");
    let error = told(Redis::builder("rediss://localhost:1#insecure")).await;
    assert!(error.contains("certificates are always checked"), "{error}");
    builder().lazy().unwrap();
}
