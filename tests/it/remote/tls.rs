//! Keys from a provider whose certificate a private authority has signed, and which asks for a
//! certificate of its clients.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tower_jwt_auth::{ConfigError, error::FetchErrorKind};

use super::*;
use crate::{certificates, support::key};

/// `openssl s_server`, which serves the files of a folder.
struct TlsServer {
    child: Child,
    folder: PathBuf,
    url: String,
}

impl TlsServer {
    fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("jwks-tls-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        certificates::make(&folder);
        fs::write(folder.join("jwks"), json!({"keys": [key(Algorithm::ES256).jwk()]}).to_string())
            .unwrap();
        // One that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("openssl")
            .args(["s_server", "-accept", &format!("127.0.0.1:{port}"), "-WWW", "-Verify", "1"])
            .args(["-cert", "server.pem", "-key", "server.key", "-CAfile", "ca.pem"])
            .args(["-verify_return_error", "-quiet"])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        for _ in 0..100 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break;
            }
            std::thread::sleep(ms(50));
        }
        Self { child, folder, url: format!("https://localhost:{port}/jwks") }
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(name)).unwrap()
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test]
#[ignore = "needs openssl, which tests/run looks for"]
async fn a_private_authority_and_a_client_certificate_are_one_line_each() {
    let server = TlsServer::start();
    let (chain, private_key) = (server.read("client.pem"), server.read("client.key"));
    let keys = || RemoteKeys::at(&server.url).timeout(ms(5000));
    let good = keys().root_certificates(server.read("ca.pem"));
    let good = good.client_certificate(&chain, &private_key).build().await.unwrap();
    assert_eq!(good.status().ids, ["ES256"]);
    let unknown = keys().client_certificate(&chain, &private_key).build().await;
    let other = keys().root_certificates(server.read("other.pem"));
    let other = other.client_certificate(&chain, &private_key).build().await;
    let no_certificate = keys().root_certificates(server.read("ca.pem")).build().await;
    for wrong in [unknown, other, no_certificate] {
        let error = wrong.unwrap_err();
        let ConfigError::Fetch(fetch) = &error else { panic!("{error}") };
        assert!(matches!(fetch.kind(), FetchErrorKind::Transport(_)), "{error}");
        println!("{error}");
    }
}
