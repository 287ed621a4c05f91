//! A browser with a client certificate, through nginx. `CHROMIUM=chromium` names the browser, which takes
//! certificates from a database of NSS; `certutil` and `pk12util` are NSS's own tools, and `openssl` writes
//! the file that they read.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use axum::{response::Html, routing::get};
use tokio::task;
use tower_jwt_auth::{proof::ProxyHeader, testing::TestIssuer};

use crate::{
    proxies::{Proxy, program, serve, trusting},
    support::{Identity, Party, app, bound, to_pem},
};

/// Asks for `/` with each token behind `#`, and shows the answers.
const PAGE: &str = r#"<!DOCTYPE html>
<title>a page</title>
<p id="answers"></p>
<script>
  (async () => {
    const answers = [];
    for (const token of location.hash.slice(1).split(',')) {
      const response = await fetch('/', { headers: { authorization: `Bearer ${token}` } });
      answers.push(response.status);
    }
    document.getElementById('answers').textContent = `answers: ${answers.join(' ')}.`;
  })();
</script>
"#;

/// The home directory of somebody with a browser, which is removed with it.
struct Home(PathBuf);

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Home {
    /// With this certificate, if any. The browser does not ask which one to use.
    fn new(name: &str, identity: Option<&Identity>, server: SocketAddr) -> Self {
        let home = env::temp_dir().join(format!("mutual-tls-{name}-{}", std::process::id()));
        let (database, profile) = (home.join(".pki/nssdb"), home.join("profile/Default"));
        fs::create_dir_all(&database).unwrap();
        fs::create_dir_all(&profile).unwrap();
        let preferences = serde_json::json!({ "profile": { "content_settings": { "exceptions": {
            "auto_select_certificate": {
                format!("https://{server},*"): { "setting": { "filters": [{}] } },
            },
        } } } });
        fs::write(profile.join("Preferences"), preferences.to_string()).unwrap();
        if let Some(identity) = identity {
            import(identity, &home, &database);
        }
        Self(home)
    }

    /// What the page shows after its script has ended.
    fn answers(&self, url: &str) -> String {
        let output = Command::new(program("CHROMIUM"))
            .env("HOME", &self.0)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--disable-gpu",
                "--disable-background-networking",
                "--no-first-run",
                "--no-proxy-server",
                // The authority of the server is unknown to it. That says nothing of the client.
                "--ignore-certificate-errors",
                "--virtual-time-budget=20000",
                "--dump-dom",
            ])
            .arg(format!("--user-data-dir={}", self.0.join("profile").display()))
            .arg(url)
            .stderr(Stdio::null())
            .output()
            .unwrap();
        let page = String::from_utf8(output.stdout).unwrap();
        let answers = page.split_once("answers: ").and_then(|(_, rest)| rest.split_once('.'));
        answers.unwrap_or_else(|| panic!("the page has no answers: {page}")).0.to_owned()
    }
}

/// Puts a certificate and its key into a database.
fn import(identity: &Identity, folder: &Path, database: &Path) {
    let pem = format!("{}{}", to_pem(&identity.certificate), identity.key.serialize_pem());
    let (both, bundle) = (folder.join("both.pem"), folder.join("bundle.p12"));
    fs::write(&both, pem).unwrap();
    let database = format!("sql:{}", database.display());
    run(Command::new("openssl")
        .args(["pkcs12", "-export", "-passout", "pass:", "-name", "client", "-in"])
        .arg(&both)
        .arg("-out")
        .arg(&bundle));
    run(Command::new("certutil").args(["-N", "--empty-password", "-d", &database]));
    run(Command::new("pk12util").args(["-W", "", "-d", &database, "-i"]).arg(&bundle));
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nginx, Chromium and NSS's tools: NGINX_SERVER=nginx CHROMIUM=chromium"]
async fn d10_a_browser_with_a_certificate_through_nginx() {
    let (party, issuer) = (Party::new(), TestIssuer::new());
    let mutual_tls = trusting(ProxyHeader::nginx("x-ssl-client-cert"));
    let app = app(&issuer, mutual_tls).route("/page", get(async || Html(PAGE)));
    let proxy = Proxy::nginx(&party, "nginx-browser", serve(app).await).await;
    let address = proxy.address;

    // The token of the one, that of the other, and one that is bound to nobody.
    let tokens = [bound(&issuer, &party.client), bound(&issuer, &party.other)];
    let url = format!("https://{address}/page#{},{}", tokens.join(","), issuer.token().sign());
    for (name, identity, expected) in [
        ("client", Some(&party.client), "200 401 401"),
        ("other", Some(&party.other), "401 200 401"),
        ("nobody", None, "401 401 401"),
    ] {
        let (home, url) = (Home::new(name, identity, address), url.clone());
        let answers = task::spawn_blocking(move || home.answers(&url)).await.unwrap();
        assert_eq!(answers, expected, "{name}");
    }
}
