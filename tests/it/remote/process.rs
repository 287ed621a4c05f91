//! The example server as a process of its own, and requests to it.

use std::{
    collections::HashMap,
    env,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tower_jwt_auth::Algorithm;

use super::{provider::Provider, until};
use crate::support::{AUDIENCE, TestKey, claims_with, key};

pub(crate) struct Server {
    process: Child,
    url: String,
    client: Client,
}

/// What the server is started with: nothing of this process's environment.
fn command(variables: &[(&str, &str)]) -> Command {
    // `cargo test` builds the examples beside the tests.
    let tests = env::current_exe().unwrap();
    let example = tests.parent().unwrap().with_file_name("examples").join("resource_server");
    assert!(example.exists(), "build it with `cargo build --examples --all-features`");
    let mut command = Command::new(example);
    command.env_clear().env("BIND", "127.0.0.1:0").env("ALLOW_HTTP", "1");
    // Where a test has an authority of its own.
    command.envs(env::var_os("SSL_CERT_FILE").map(|file| ("SSL_CERT_FILE", file)));
    // Of several values of one variable the last counts, and an empty one is none.
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    for (name, value) in variables {
        match value {
            "" => command.env_remove(name),
            value => command.env(name, value),
        };
    }
    command
}

/// Starts a server that is to end at once, and waits until it does.
pub(crate) fn refuses(variables: &[(&str, &str)]) -> Output {
    let mut process =
        command(variables).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for _ in 0..200 {
        if process.try_wait().unwrap().is_some() {
            return process.wait_with_output().unwrap();
        }
        thread::sleep(Duration::from_millis(50));
    }
    process.kill().unwrap();
    panic!("it serves: {variables:?}, {:?}", process.wait_with_output())
}

/// What the server says of its configuration, without serving.
fn checks(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    command(variables).args(arguments).output().unwrap()
}

impl Server {
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        Self::spawn(variables, Stdio::null())
    }

    fn spawn(variables: &[(&str, &str)], log: Stdio) -> Self {
        let mut process = command(variables).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.strip_prefix("listening on ").and_then(|rest| rest.split(',').next());
        let Some(url) = url.map(String::from) else {
            panic!("it does not listen: {line:?}, {:?}", process.wait())
        };
        Self { process, url, client: Client::builder().no_proxy().build().unwrap() }
    }

    /// One that takes the tokens of this provider.
    pub(crate) fn of(provider: &Provider, variables: &[(&str, &str)]) -> Self {
        let (issuer, keys) = (provider.issuer(), provider.jwks_url());
        let all = [("ISSUER", &*issuer), ("AUDIENCE", AUDIENCE), ("JWKS_URL", &*keys)];
        let all: Vec<_> = all.into_iter().chain(variables.iter().copied()).collect();
        Self::start(&all)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url))
    }

    /// The answer to a token at `/me`: the status, and the body.
    pub(crate) async fn me(&self, token: &str) -> (u16, Value) {
        self.asked(self.get("/me").bearer_auth(token)).await
    }

    pub(crate) async fn asked(&self, request: RequestBuilder) -> (u16, Value) {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.text().await.unwrap();
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    pub(crate) async fn health(&self) -> (u16, Value) {
        self.asked(self.get("/health")).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A token of this provider that is good by the real clock.
fn token(provider: &Provider, key: &TestKey, changes: Value) -> String {
    let mut all = json!({"iss": provider.issuer(), "exp": 4_000_000_000_u64, "iat": null});
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    key.token(&claims_with(all))
}

#[tokio::test]
async fn the_routes_answer_as_they_say() {
    let es = key(Algorithm::ES256);
    let provider = Provider::new([es]);
    let server = Server::of(&provider, &[("ALGORITHMS", "ES256, EdDSA")]);
    let good = token(&provider, es, json!({"client_id": "app"}));
    let me = json!({
        "sub": "alice", "iss": provider.issuer(), "aud": [AUDIENCE], "scope": "read write",
        "client_id": "app",
    });
    assert_eq!(server.me(&good).await, (200, me.clone()));
    assert_eq!(server.asked(server.post("/me").bearer_auth(&good)).await, (200, me));
    assert_eq!(server.asked(server.get("/")).await.0, 200);

    let response = server.get("/me").send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"resource_server\"");
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let bad = token(&provider, es, json!({"aud": "https://other.example.com"}));
    assert_eq!(server.me(&bad).await.1["error"], "invalid_token");

    let response = server.get("/admin").bearer_auth(&good).send().await.unwrap();
    assert_eq!(response.status(), 403);
    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("insufficient_scope") && challenge.contains("scope=\"admin\""));
    let admin = token(&provider, es, json!({"scope": "read admin"}));
    assert_eq!(server.asked(server.get("/admin").bearer_auth(admin)).await.0, 200);

    let (status, health) = server.health().await;
    assert_eq!((status, &health["keys"][0]["state"]), (200, &json!("healthy")));
    assert_eq!(health["keys"][0]["ids"], json!(["ES256"]));
}

#[tokio::test]
async fn c04_the_server_publishes_its_metadata() {
    let es = key(Algorithm::ES256);
    let provider = Provider::new([es]);
    let variables = [("PUBLIC_URL", "https://files.example.com/"), ("DPOP", "required")];
    let server = Server::of(&provider, &variables);
    let path = "/.well-known/oauth-protected-resource";
    let document = json!({
        "resource": "https://files.example.com",
        "authorization_servers": [provider.issuer()],
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA"],
        "dpop_bound_access_tokens_required": true,
    });
    for (path, host) in [(path.to_owned(), "evil.example"), (format!("{path}/"), "other:1")] {
        let request = server.get(&path).header("host", host).header("x-forwarded-host", host);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        let text = response.text().await.unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), document);
    }
    assert_eq!(server.asked(server.post(path)).await.0, 405);
    assert_eq!(server.asked(server.get(&format!("{path}/x"))).await.0, 404);
    let metadata = format!("resource_metadata=\"https://files.example.com{path}\"");
    let bearer = token(&provider, es, json!({}));
    for request in [server.get("/me"), server.get("/me").bearer_auth(&bearer), server.get("/admin")]
    {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401);
        let challenge = response.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("DPoP ") && challenge.contains(&metadata), "{challenge}");
    }
    let server = Server::of(&provider, &[("PUBLIC_URL", "http://127.0.0.1:3000")]);
    let response = server.get("/admin").bearer_auth(&bearer).send().await.unwrap();
    assert_eq!(response.status(), 403);
    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains(&format!("\"http://127.0.0.1:3000{path}\"")), "{challenge}");
    let without = Server::of(&provider, &[]);
    assert_eq!(without.asked(without.get(path)).await.0, 404);
}

#[cfg(feature = "test-util")]
#[tokio::test]
async fn bound_tokens_need_their_proofs() {
    use base64_simd::STANDARD;
    use tower_jwt_auth::{proof::ClientCertificate, testing::TestProofKey};

    let es = key(Algorithm::ES256);
    let provider = Provider::new([es]);
    let public = ("PUBLIC_URL", "https://api.example.com");
    let variables = [
        public,
        ("DPOP", "optional"),
        ("MTLS_HEADER", "client-cert"),
        ("MTLS_TRUSTED", "127.0.0.0/8, ::1"),
    ];
    let server = Server::of(&provider, &variables);
    let client = TestProofKey::new();
    let jkt = client.jkt().to_string();
    let bound = token(&provider, es, json!({"cnf": {"jkt": jkt}}));
    assert_eq!(server.me(&bound).await.0, 401, "as a bearer token");
    let proof = client.proof("GET", "https://api.example.com/me").token(&bound).sign();
    let ask = || {
        let request = server.get("/me").header("authorization", format!("DPoP {bound}"));
        request.header("dpop", &proof)
    };
    assert_eq!(server.asked(ask()).await.0, 200);
    let (status, problem) = server.asked(ask()).await;
    assert_eq!((status, &problem["error"]), (401, &json!("invalid_dpop_proof")));

    // As far as the header is read: three parts of a certificate.
    let der = [0x30, 7, 0x30, 0, 0x30, 0, 3, 1, 0];
    let thumbprint = ClientCertificate::from_der(der).thumbprint().to_string();
    let bound = token(&provider, es, json!({"cnf": {"x5t#S256": thumbprint}}));
    assert_eq!(server.me(&bound).await.0, 401, "without a certificate");
    let header = format!(":{}:", STANDARD.encode_to_string(der));
    let request = server.get("/me").bearer_auth(&bound).header("client-cert", &header);
    assert_eq!(server.asked(request).await.0, 200);
    let elsewhere = [public, ("MTLS_HEADER", "client-cert"), ("MTLS_TRUSTED", "10.0.0.0/8")];
    let server = Server::of(&provider, &elsewhere);
    let request = server.get("/me").bearer_auth(&bound).header("client-cert", &header);
    assert_eq!(server.asked(request).await.0, 401, "from a peer that is not trusted");

    let server = Server::of(&provider, &[public, ("DPOP", "required")]);
    let bearer = token(&provider, es, json!({}));
    let response = server.get("/me").bearer_auth(&bearer).send().await.unwrap();
    assert_eq!(response.status(), 401);
    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.starts_with("DPoP realm=\"resource_server\", algs="), "{challenge}");
}

#[tokio::test]
async fn keys_rotate_and_go() {
    let (old, new) = (key(Algorithm::ES256), key(Algorithm::EdDSA));
    let provider = Provider::new([old]);
    let ttl = [("JWKS_TTL_SECS", "1"), ("JWKS_COOLDOWN_SECS", "1"), ("JWKS_TIMEOUT_SECS", "1")];
    let server = Server::of(&provider, &ttl);
    let (first, second) = (token(&provider, old, json!({})), token(&provider, new, json!({})));
    assert_eq!(server.me(&first).await.0, 200);
    provider.publish([new]);
    assert_eq!(server.me(&second).await.0, 200, "in its own request");
    assert_eq!(server.me(&first).await.0, 401, "the whole set is replaced");
    provider.publish([old]);
    let removed = async || server.me(&second).await.0 == 401;
    for _ in 0..40 {
        if removed().await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(removed().await, "gone without a request for another key");
}

#[tokio::test]
async fn it_serves_while_the_provider_is_down_and_says_so() {
    let es = key(Algorithm::ES256);
    let provider = Provider::new([es]);
    let settings = [("JWKS_TTL_SECS", "1"), ("JWKS_MAX_STALE_SECS", "3"), ("LEEWAY_SECS", "0")];
    let server = Server::of(&provider, &settings);
    provider.stop();
    let good = token(&provider, es, json!({}));
    let mut degraded = false;
    for _ in 0..100 {
        let ((status, health), (answer, _)) = (server.health().await, server.me(&good).await);
        degraded |= health["keys"][0]["state"] == "degraded" && status == 200;
        if answer == 503 {
            break;
        }
        assert_eq!(answer, 200);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(degraded);
    assert_eq!(server.health().await.0, 503, "the keys are too old");
    let response = server.get("/me").bearer_auth(&good).send().await.unwrap();
    assert!(response.headers().contains_key("retry-after"));
    provider.start();
    for _ in 0..100 {
        if server.me(&good).await.0 == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it does not recover");
}

#[tokio::test]
async fn it_starts_without_the_provider_if_it_is_told_to() {
    let es = key(Algorithm::ES256);
    let provider = Provider::new([es]);
    provider.stop();
    let server = Server::of(&provider, &[("LAZY", "1"), ("JWKS_URL", "")]);
    let good = token(&provider, es, json!({}));
    assert_eq!(server.health().await.0, 503);
    assert_eq!(server.me(&good).await.0, 503);
    assert_eq!(server.me("x.y.z").await.0, 401);
    provider.start();
    for _ in 0..100 {
        if server.me(&good).await.0 == 200 {
            assert_eq!(server.health().await.0, 200);
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it does not recover");
}

#[tokio::test]
async fn the_cookie_counts_where_the_origin_is_its_own() {
    let es = key(Algorithm::ES256);
    let provider = Provider::new([es]);
    let server = Server::of(
        &provider,
        &[("TOKEN_COOKIE", "__Host-at"), ("PUBLIC_URL", "https://api.example.com")],
    );
    let good = token(&provider, es, json!({}));
    let cookie = format!("__Host-at={good}");
    let with = |request: RequestBuilder| request.header("cookie", &cookie);
    assert_eq!(server.asked(with(server.get("/me"))).await.0, 200);
    assert_eq!(server.asked(with(server.post("/me"))).await.0, 403);
    let own = with(server.post("/me")).header("origin", "https://api.example.com");
    assert_eq!(server.asked(own).await.0, 200);
    let host = with(server.post("/me")).header("origin", &server.url);
    assert_eq!(server.asked(host).await.0, 403, "the host has no say");
    // With a token in the header, the cookie is not read.
    let both = with(server.post("/me")).bearer_auth(&good);
    assert_eq!(server.asked(both).await.0, 200);
    let stale = server.get("/me").header("cookie", "__Host-at=deleted");
    assert_eq!(server.asked(stale.bearer_auth(&good)).await.0, 200);
    assert_eq!(server.asked(with(server.get("/me")).bearer_auth("x")).await.0, 401);
}

#[tokio::test]
async fn a_static_key_takes_the_place_of_fetched_ones() {
    let es = key(Algorithm::ES256);
    let provider = Provider::new([]);
    let file = env::temp_dir().join(format!("server-{}.pem", std::process::id()));
    std::fs::write(&file, es.pem().unwrap()).unwrap();
    let path = file.to_str().unwrap().to_owned();
    // Nothing is fetched, so the issuer is a name and no address.
    let server =
        Server::of(&provider, &[("JWKS_URL", ""), ("KEY_PEM_FILE", &path), ("ALLOW_HTTP", "")]);
    assert_eq!(server.me(&token(&provider, es, json!({}))).await.0, 200);
    assert_eq!(server.health().await, (200, json!({"usable": true, "keys": []})));
    std::fs::remove_file(&file).unwrap();

    let secret = crate::support::b64([0x5a; 32]);
    let server = Server::of(
        &provider,
        &[("JWKS_URL", ""), ("HMAC_SECRET", &secret), ("ALGORITHMS", "HS256")],
    );
    assert_eq!(server.me(&token(&provider, key(Algorithm::HS256), json!({}))).await.0, 200);
    assert_eq!(server.me(&token(&provider, es, json!({}))).await.0, 401);
    assert_eq!(provider.fetches(), 0);
}

#[tokio::test]
async fn loopback_needs_no_certificates() {
    let es = key(Algorithm::ES256);
    let provider = Provider::new([es]);
    let none = [("SSL_CERT_FILE", "/nowhere"), ("SSL_CERT_DIR", "/nowhere")];
    let server = Server::of(&provider, &none);
    assert_eq!(server.me(&token(&provider, es, json!({}))).await.0, 200);
    let elsewhere = [("ISSUER", "https://login.example.com"), ("AUDIENCE", AUDIENCE)];
    let output = refuses(&[elsewhere, none].concat());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("install the system's CA certificates"), "{text}");
}

#[test]
fn wrong_settings_are_told_in_one_line() {
    let es = key(Algorithm::ES256);
    let provider = Provider::new([es]);
    let (issuer, keys) = (provider.issuer(), provider.jwks_url());
    let short = crate::support::b64([1; 31]);
    let folder = env::temp_dir();
    let private = folder.join(format!("private-{}.pem", std::process::id()));
    let (label, der) = &es.private()[0];
    std::fs::write(&private, crate::support::pem(label, der)).unwrap();
    let private = private.to_str().unwrap();
    let base = [("ISSUER", &*issuer), ("AUDIENCE", AUDIENCE), ("JWKS_URL", &*keys)];
    for (changes, said) in [
        (vec![("ISSUER", "")], "set ISSUER"),
        (vec![("AUDIENCE", "")], "set AUDIENCE"),
        (vec![("BIND", "nonsense")], "BIND=nonsense"),
        (vec![("ALGORITHMS", "none")], "`algorithms`: \"none\": unknown algorithm"),
        (vec![("ALGORITHMS", "HS256")], "none of the keys"),
        (vec![("LEEWAY_SECS", "-1")], "LEEWAY_SECS is whole seconds"),
        (vec![("LEEWAY_SECS", "1000")], "300 s"),
        (vec![("JWKS_TTL_SECS", "0")], "10 ms"),
        (vec![("JWKS_URL", "http://keys.example.com")], "host `keys.example.com` is refused"),
        (vec![("JWKS_URL", ""), ("ISSUER", "http://login.example.com")], "http_hosts"),
        (vec![("ALLOW_HTTP", ""), ("HTTP_HOSTS", "keycloak")], "takes ALLOW_HTTP=1"),
        (
            vec![("JWKS_URL", "http://other/"), ("ALLOW_HTTP", ""), ("HTTP_HOSTS", "keycloak")],
            "its name in HTTP_HOSTS",
        ),
        (
            vec![("JWKS_URL", "http://other/"), ("HTTP_HOSTS", "keycloak")],
            "host `other` is refused",
        ),
        (vec![("HTTP_HOSTS", "*.svc")], "exact host name"),
        (vec![("ALLOW_HTTP", "0")], "takes ALLOW_HTTP=1"),
        (vec![("ALLOW_HTTP", "")], "takes ALLOW_HTTP=1"),
        (vec![("ALLOW_HTTP", ""), ("JWKS_URL", "")], "takes ALLOW_HTTP=1"),
        (vec![("LOG", "loud")], "LOG is"),
        (vec![("PUBLIC_URL", "ftp://api.example.com")], "the origin of a service"),
        (vec![("PUBLIC_URL", "http://api.example.com")], "for loopback only"),
        (vec![("JWKS_MAX_STALE_SECS", "0")], "from 1 s"),
        (vec![("ISSUER", " ")], "the issuer is empty"),
        (vec![("LAZY", "maybe")], "LAZY is 0 or 1"),
        (vec![("TOKEN_COOKIE", "a b")], "token_cookie"),
        (vec![("ALLOW_HTTP", "maybe"), ("JWKS_URL", ""), ("HMAC_SECRET", &short)], "is 0 or 1"),
        (vec![("DPOP_NONCE_SECRET", &short)], "`dpop_nonce_secret` is set, set `dpop`, too"),
        (
            vec![
                ("DPOP", "required"),
                ("PUBLIC_URL", "https://api.example.com"),
                ("DPOP_NONCE_SECRET", &short),
            ],
            "at least 32 random bytes",
        ),
        (
            vec![
                ("DPOP", "optional"),
                ("PUBLIC_URL", "https://api.example.com"),
                ("DPOP_NONCE_SECRET_FILE", "/nowhere.key"),
            ],
            "/nowhere.key",
        ),
        (vec![("DPOP", "yes")], "`dpop` is `optional` or `required`"),
        (vec![("MTLS_HEADER", "client-cert")], "`client_certificate_header` needs `trusted_proxy`"),
        (vec![("SHADOW_AUDIENCES", "a")], "there is no variable SHADOW_AUDIENCES"),
        (vec![("INTROSPECTION_URL", &keys)], "INTROSPECTION_URL is not supported"),
        (vec![("METRICS", "127.0.0.1")], "cannot listen on METRICS=127.0.0.1: "),
        (vec![("HMAC_SECRET", "AAAA")], "set at most one"),
        (vec![("JWKS_URL", ""), ("HMAC_SECRET", &short)], "31 bytes"),
        (vec![("JWKS_URL", ""), ("KEY_PEM_FILE", "/nowhere.pem")], "/nowhere.pem"),
        (vec![("JWKS_URL", ""), ("KEY_PEM_FILE", private)], "private key"),
        (vec![("JWKS_URL", ""), ("ISSUER", &format!("{issuer}/"))], "to the last slash"),
    ] {
        let variables: Vec<_> = base.into_iter().chain(changes.iter().copied()).collect();
        let output = refuses(&variables);
        let text = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert!(!output.status.success() && output.stdout.is_empty(), "{changes:?}");
        assert!(lines.len() == 1 && lines[0].starts_with("resource_server: "), "{text}");
        assert!(text.contains(said), "{changes:?}: {text}");
        assert!(!text.contains("panicked"), "{text}");
    }
    std::fs::remove_file(private).unwrap();
}

#[tokio::test]
async fn b30_a_proxy_of_the_environment_is_told_if_it_could_have_helped() {
    let base = [("ISSUER", "https://127.0.0.1:1/"), ("AUDIENCE", AUDIENCE)];
    for (name, is_told) in [("HTTPS_PROXY", true), ("all_proxy", true), ("HTTP_PROXY", false)] {
        let variables: Vec<_> =
            base.into_iter().chain([(name, "http://user:hunter2@127.0.0.1:1")]).collect();
        let text = String::from_utf8(refuses(&variables).stderr).unwrap();
        assert!(text.contains("cannot be reached") && !text.contains("hunter2"), "{text}");
        let told = format!("`{name}` is set in the environment and is not used");
        assert_eq!(text.contains(&told) && text.contains("::proxy`"), is_told, "{text}");
    }
    let text = String::from_utf8(refuses(&base).stderr).unwrap();
    assert!(text.contains("cannot be reached") && !text.contains("environment"), "{text}");
}

#[tokio::test]
async fn b25_http_from_another_host_takes_its_name() {
    let keys = "http://keycloak.invalid:8080/certs";
    let variables = [
        ("ISSUER", "https://sso.example.com"),
        ("AUDIENCE", AUDIENCE),
        ("JWKS_URL", keys),
        ("ALLOW_HTTP", ""),
        ("HTTP_HOSTS", "idp, keycloak.invalid"),
        ("LAZY", "1"),
    ];
    let server = Server::start(&variables);
    assert_eq!(server.asked(server.get("/health")).await.0, 503, "it starts, and has no keys");
}

#[tokio::test]
async fn a_log_that_nobody_reads_does_not_stop_it() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let (issuer, keys) = (provider.issuer(), provider.jwks_url());
    let all = [("ISSUER", &*issuer), ("AUDIENCE", AUDIENCE), ("JWKS_URL", &*keys)];
    let server = Server::spawn(&all, Stdio::piped());
    for _ in 0..1000 {
        assert_eq!(server.me("a.b.c").await.0, 401);
    }
}

/// An address of loopback that nobody listens at.
pub(crate) fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn metrics_are_served_at_an_address_of_their_own_also_under_load() {
    let es = key(Algorithm::ES256);
    let provider = Provider::new([es]);
    let address = free_address();
    let server = Server::of(&provider, &[("METRICS", &address)]);
    let good = token(&provider, es, json!({}));
    let scrape = async || {
        let response = server.client.get(format!("http://{address}/metrics")).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/plain;"));
        response.text().await.unwrap()
    };
    let load = async {
        for number in 0..200 {
            assert_eq!(server.me(&good).await.0, 200);
            let bad = token(&provider, es, json!({"exp": 1, "jti": number.to_string()}));
            assert_eq!(server.me(&bad).await.0, 401);
        }
    };
    let scrapes = async {
        for _ in 0..20 {
            scrape().await;
        }
    };
    tokio::join!(load, scrapes);
    assert_eq!(server.asked(server.get("/admin").bearer_auth(&good)).await.0, 403);
    let text = scrape().await;
    let issuer = provider.issuer();
    for line in [
        "# TYPE jwt_auth_requests_total counter".to_owned(),
        r#"jwt_auth_requests_total{outcome="accepted",reason="none",scheme="bearer"} 201"#.into(),
        r#"jwt_auth_requests_total{outcome="refused",reason="expired",scheme="bearer"} 200"#.into(),
        r#"jwt_auth_requests_total{outcome="refused",reason="insufficient_scope",scheme="within"} 1"#
            .into(),
        r#"jwt_auth_token_cache_total{result="hit"} 200"#.into(),
        "# HELP jwt_auth_keys Keys of an issuer.".into(),
        "# TYPE jwt_auth_keys gauge".into(),
        format!(r#"jwt_auth_keys_usable{{issuer="{issuer}"}} 1"#),
        format!(r#"jwt_auth_key_events_total{{issuer="{issuer}",event="removed_early"}} 0"#),
        format!(r#"jwt_auth_keys{{issuer="{issuer}"}} 1"#),
    ] {
        assert!(text.lines().any(|one| one == line), "{line}\n{text}");
    }
    // Each line is of the text format, and no series is there twice.
    let series: Vec<_> = text.lines().filter(|line| !line.starts_with("# ")).collect();
    let names: std::collections::BTreeSet<_> =
        series.iter().map(|line| line.rsplit_once(' ').unwrap().0).collect();
    assert_eq!(names.len(), series.len());
    assert!(series.iter().all(|line| line.rsplit(' ').next().unwrap().parse::<f64>().is_ok()));
    // Not where the service is.
    assert_eq!(server.asked(server.get("/metrics")).await.0, 404);
}

#[tokio::test]
async fn the_health_page_tells_of_a_rotation() {
    let (old, new) = (key(Algorithm::ES256), super::fresh(Algorithm::ES256, "new"));
    let provider = Provider::new([old]);
    let server = Server::of(&provider, &[("JWKS_COOLDOWN_SECS", "0")]);
    assert_eq!(server.me(&token(&provider, old, json!({}))).await.0, 200);
    provider.publish([&new]);
    assert_eq!(server.me(&token(&provider, &new, json!({}))).await.0, 200);
    assert_eq!(server.me(&token(&provider, old, json!({}))).await.0, 401);
    let (status, health) = server.health().await;
    assert_eq!(status, 200);
    let keys = &health["keys"][0];
    assert_eq!(keys["last_rotation"]["added"], json!(["new"]), "{health}");
    assert_eq!(keys["last_rotation"]["removed"], json!(["ES256"]));
    let removed = &keys["removed"][0];
    assert_eq!(removed["id"], "ES256");
    assert_eq!(removed["tokens_expire_at"], "2096-10-02T07:06:40Z");
    assert!(removed["last_used"].is_string() && keys["oldest_since"].is_string(), "{health}");
}

#[cfg(unix)]
#[tokio::test]
async fn it_stops_when_it_is_told_to() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let mut server = Server::of(&provider, &[]);
    // A connection that stays open does not keep it.
    assert_eq!(server.asked(server.get("/")).await.0, 200);
    let id = server.process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let mut ended = None;
    until("it ends", || {
        ended = server.process.try_wait().unwrap();
        ended.is_some()
    })
    .await;
    assert!(ended.unwrap().success());
    let _ = server.process.stdout.take().map(|mut out| out.read_to_string(&mut String::new()));
}

#[tokio::test]
async fn a_check_prints_what_is_unwise_and_the_self_test() {
    const SELF_TEST: &str = "self-test: ";
    let provider = Provider::new([key(Algorithm::ES256)]);
    let (issuer, keys) = (provider.issuer(), provider.jwks_url());
    let base = [("ISSUER", &*issuer), ("AUDIENCE", AUDIENCE), ("JWKS_URL", &keys)];
    for (changes, code, said) in [
        (vec![], 0, &["nothing found", SELF_TEST][..]),
        (vec![("TOKEN_COOKIE", "__Host-at")], 0, &["nothing found", SELF_TEST]),
        (
            vec![("TOKEN_COOKIE", "at"), ("LEEWAY_SECS", "200")],
            1,
            &[
                "long_leeway: an expired token",
                "  instead: set the clocks by NTP",
                "cookie_without_host_prefix (at): a sibling subdomain",
                "  instead: use a name that begins with `__Host-`",
                SELF_TEST,
            ],
        ),
        (
            vec![("JWKS_URL", "http://keycloak/"), ("HTTP_HOSTS", "keycloak"), ("LAZY", "1")],
            1,
            &[
                "plain_http_keys (keycloak): anybody between",
                "  instead: fetch the keys over `https`",
                SELF_TEST,
            ],
        ),
    ] {
        let variables: Vec<_> = base.into_iter().chain(changes.iter().copied()).collect();
        let output = checks(&["--check"], &variables);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{changes:?}: {text}");
        assert_eq!(text.lines().count(), said.len(), "{text}");
        for (line, said) in text.lines().zip(said) {
            assert!(line.starts_with(said), "{text}");
        }
        assert!(text.ends_with(" passed, 0 loosened by a setting, 0 failed\n"), "{text}");
        assert!(output.stderr.is_empty());
    }
    // The advice names the variable, and the shadow rules that are set are printed.
    let shadow = [("LEEWAY_SECS", "200"), ("SHADOW_AUDIENCE", "b"), ("SHADOW_LEEWAY_SECS", "5")];
    let output = checks(&["--check"], &[&base[..], &shadow].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[..2], ["shadow rule: SHADOW_AUDIENCE=b", "shadow rule: SHADOW_LEEWAY_SECS=5"]);
    assert!(lines[3].ends_with("(here: LEEWAY_SECS)"), "{text}");
    let file = env::temp_dir().join(format!("no-key-{}.pem", std::process::id()));
    std::fs::write(&file, "no key").unwrap();
    let file = file.to_str().unwrap();
    // A setting that is wrong is told as always.
    for (arguments, changes, said) in [
        (&["--check"][..], ("LEEWAY_SECS", "301"), "300 s"),
        (&["--check"], ("LEEWAY_SECS", "302"), "(here: LEEWAY_SECS)"),
        (&["--check"], ("KEY_PEM_FILE", file), file),
        (&["--check"], ("PUBLIC_URL", "nonsense"), "(here: PUBLIC_URL)"),
        (&["--check"], ("PUBLIC_URL", "http://api.example.com"), "(here: PUBLIC_URL)"),
        (&["--check"], ("HMAC_SECRET", "abc"), "(here: HMAC_SECRET)"),
        (&["--check"], ("JWKS_URL", "http://127.0.0.1:1/"), "(here: LAZY)"),
        (&["--check"], ("SHADOW_AUDIENCES", "b"), "there is no variable SHADOW_AUDIENCES"),
        (&["--check"], ("BIND", "nonsense"), "BIND=nonsense: "),
        (&["--check"], ("METRICS", "127.0.0.1"), "METRICS=127.0.0.1: "),
        (&["--checks"], ("LOG", ""), "there is no argument --checks"),
        (&["--check", "now"], ("LOG", ""), "there is no argument now"),
    ] {
        let is_static = matches!(changes.0, "KEY_PEM_FILE" | "HMAC_SECRET");
        let base = base.into_iter().filter(|(name, _)| !is_static || *name != "JWKS_URL");
        let variables: Vec<_> = base.chain([changes]).collect();
        let output = checks(arguments, &variables);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{text}");
        assert!(text.starts_with("resource_server: ") && text.contains(said), "{text}");
    }
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn rules_in_the_shadow_are_told_and_refuse_nothing() {
    let es = key(Algorithm::ES256);
    let provider = Provider::new([es]);
    let (issuer, keys) = (provider.issuer(), provider.jwks_url());
    let variables = [
        ("ISSUER", &*issuer),
        ("AUDIENCE", AUDIENCE),
        ("JWKS_URL", &keys),
        ("SHADOW_AUDIENCE", "https://new.example.com"),
        ("SHADOW_CLIENTS", "web,app"),
        ("SHADOW_ACCESS_TOKENS_ONLY", "1"),
        ("SHADOW_LEEWAY_SECS", "5"),
        ("SHADOW_MAX_AGE_SECS", "60"),
        ("LOG", "info"),
    ];
    let mut server = Server::spawn(&variables, Stdio::piped());
    let token = token(&provider, es, json!({"client_id": "other"}));
    for _ in 0..3 {
        assert_eq!(server.me(&token).await.0, 200);
    }
    server.process.kill().unwrap();
    let mut log = String::new();
    server.process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    let rule = |rule: &str| {
        let told = |line: &&str| line.contains("a shadow rule") && line.contains(rule);
        log.lines().filter(told).count()
    };
    for name in ["token_type", "audience", "client", "missing_claim", "too_old"] {
        assert_eq!(rule(&format!("rule=\"{name}\"")), 1, "{name}: {log}");
    }
    assert_eq!(rule("rule="), 5, "{log}");
}
