//! From the issuer to its keys.

use tower_jwt_auth::{
    ConfigError,
    error::FetchErrorKind,
    keys::remote::{HttpClient, RemoteKeysBuilder},
};

use super::{
    provider::{Answer, Provider},
    *,
};
use crate::support::{AUDIENCE, FixedClock, key};

const OIDC: &str = "/.well-known/openid-configuration";

fn metadata(issuer: &str, jwks_uri: &str) -> Answer {
    let document = json!({"issuer": issuer, "jwks_uri": jwks_uri}).to_string();
    Answer::Body(document.into_bytes(), Vec::new())
}

/// Why the keys cannot be fetched.
fn cause(result: Result<RemoteKeys, ConfigError>) -> FetchErrorKind {
    match result {
        Err(ConfigError::Fetch(error)) => error.kind().clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_issuer_is_enough() {
    let good = key(Algorithm::ES256);
    let provider = Provider::new([good]);
    let keys = RemoteKeys::discover(provider.issuer()).build().await.unwrap();
    let verifier: Verifier = Verifier::builder()
        .audience(AUDIENCE)
        .keys(keys.clone())
        .clock(FixedClock::default())
        .build()
        .unwrap();
    let token = |iss: &str| good.token(&claims_with(json!({"iss": iss})));
    accepted(now(&verifier, &token(&provider.issuer())));
    refused(now(&verifier, &token("https://evil.example")), &ErrorKind::Issuer);
    assert_eq!((provider.hits(OIDC), provider.fetches()), (1, 1));

    // A token that is unknown does not make it be asked for again soon, a refresh does.
    let mut header = good.header();
    header["kid"] = json!("unknown");
    let claims = claims_with(json!({"iss": provider.issuer()}));
    let unknown = good.token_of(header.to_string(), claims.to_string());
    refused(verifier.verify(&unknown).await, &ErrorKind::UnknownKey);
    assert_eq!((provider.hits(OIDC), provider.fetches()), (1, 2));
    keys.refresh().await.unwrap();
    assert_eq!((provider.hits(OIDC), provider.fetches()), (2, 3));
    // Metadata that cannot be had does no harm, where there are keys.
    provider.answer_at(OIDC, Answer::Status(500));
    keys.refresh().await.unwrap();
    // Unless they have gone: perhaps they have moved.
    provider.answer(Answer::Status(410));
    keys.refresh().await.unwrap_err();
    provider.answer_at(OIDC, metadata(&provider.issuer(), &format!("{}/new", provider.issuer())));
    let document = json!({"keys": [key(Algorithm::EdDSA).jwk()]}).to_string();
    provider.answer_at("/new", Answer::Body(document.into_bytes(), Vec::new()));
    keys.refresh().await.unwrap();
    assert_eq!(keys.status().ids, ["EdDSA"]);

    let by_name =
        Verifier::<tower_jwt_auth::RegisteredClaims>::discover(provider.issuer(), AUDIENCE);
    assert_eq!(by_name.await.unwrap().remote_keys()[0].issuer(), Some(&*provider.issuer()));
}

#[tokio::test]
async fn j04_the_issuer_in_the_document_is_the_same_to_the_letter() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let with_slash = format!("{}/", provider.issuer());
    let result = RemoteKeys::discover(&with_slash).build().await;
    let found = |kind| match kind {
        FetchErrorKind::Issuer { found, .. } => found,
        other => panic!("{other}"),
    };
    assert_eq!(*found(cause(result)), provider.issuer());
    provider.answer_at(OIDC, metadata(&with_slash, &provider.jwks_url()));
    let result = RemoteKeys::discover(provider.issuer()).build().await;
    assert_eq!(*found(cause(result)), with_slash);
    assert_eq!(provider.fetches(), 0);
}

#[tokio::test]
async fn metadata_of_an_authorization_server_stands_before_its_path() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let issuer = format!("{}/tenant/one", provider.issuer());
    let place = "/.well-known/oauth-authorization-server/tenant/one";
    provider.answer_at(place, metadata(&issuer, &provider.jwks_url()));
    let keys = RemoteKeys::discover(&issuer).build().await.unwrap();
    assert_eq!(keys.status().ids, ["ES256"]);
    assert_eq!(provider.hits("/tenant/one/.well-known/openid-configuration"), 1);

    // A provider that fails is not asked twice.
    let first = "/tenant/one/.well-known/openid-configuration";
    provider.answer_at(first, Answer::Status(500));
    let result = RemoteKeys::discover(&issuer).build().await;
    assert_eq!(cause(result), FetchErrorKind::Status(500));
    assert_eq!(provider.hits(place), 1);
}

#[tokio::test]
async fn j02_metadata_that_is_bad_is_refused() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let issuer = provider.issuer();
    let other = Provider::new([]);
    for (answer, expected) in [
        (Answer::Redirect(other.issuer()), FetchErrorKind::Redirect),
        (metadata(&issuer, "http://keys.example.com/"), FetchErrorKind::KeysUrl("".into())),
        (metadata(&issuer, "file:///etc/passwd"), FetchErrorKind::KeysUrl("".into())),
        (metadata(&issuer, "https://a:b@keys.example.com/"), FetchErrorKind::KeysUrl("".into())),
        (Answer::Body(b"<html>".to_vec(), Vec::new()), FetchErrorKind::NotMetadata),
        (Answer::Status(401), FetchErrorKind::Status(401)),
        (Answer::Status(429), FetchErrorKind::Status(429)),
        (Answer::Endless, FetchErrorKind::TooLarge { limit: 512 * 1024 }),
    ] {
        provider.answer_at(OIDC, answer.clone());
        let found = cause(RemoteKeys::discover(&issuer).timeout(ms(2000)).build().await);
        match (&found, &expected) {
            (FetchErrorKind::KeysUrl(_), FetchErrorKind::KeysUrl(_)) => {}
            _ => assert_eq!(found, expected, "{answer:?}"),
        }
    }
    assert_eq!(other.hits("/"), 0);
    assert_eq!(provider.fetches(), 0);
}

#[tokio::test]
async fn keys_and_verifier_agree_on_the_issuer() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let keys = RemoteKeys::discover(provider.issuer()).lazy().unwrap();
    let builder =
        Verifier::builder().claims::<tower_jwt_auth::RegisteredClaims>().audience(AUDIENCE);
    let both = builder.keys(keys.clone()).issuer(provider.issuer()).issuer("https://other.example");
    let error = both.build().unwrap_err();
    assert!(error.to_string().contains("none of the keys is for"), "{error}");
    let error = trusting::<tower_jwt_auth::RegisteredClaims>(keys).build().unwrap_err();
    assert!(error.to_string().contains("to the last slash"), "{error}");
    let unbound = RemoteKeys::at(provider.jwks_url()).lazy().unwrap();
    let builder = Verifier::builder().claims::<tower_jwt_auth::RegisteredClaims>();
    let error = builder.audience(AUDIENCE).keys(unbound).build().unwrap_err();
    assert_eq!(error, ConfigError::NoIssuer);
    assert!(
        RemoteKeys::discover(provider.issuer()).issuer("https://other.example").lazy().is_err()
    );
}

#[tokio::test]
async fn a_client_of_ones_own_is_used() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let own = reqwest::Client::builder()
        .user_agent("mine/1")
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let client = move |request: http::Request<bytes::Bytes>| {
        let own = own.clone();
        async move {
            let response = own.execute(request.try_into()?).await?;
            Ok::<_, reqwest::Error>(http::Response::<reqwest::Body>::from(response))
        }
    };
    let keys =
        provider.remote().http_client(client.clone()).timeout(ms(300)).build().await.unwrap();
    assert!(provider.last_request().contains(&"user-agent: mine/1".into()));
    let other = Provider::new([key(Algorithm::EdDSA)]);
    provider.answer(Answer::Redirect(other.jwks_url()));
    assert_eq!(*keys.refresh().await.unwrap_err().kind(), FetchErrorKind::Redirect);
    assert_eq!(other.fetches(), 0);
    // What is limited is limited with every client.
    provider.answer(Answer::Endless);
    let error = keys.refresh().await.unwrap_err();
    assert!(matches!(error.kind(), FetchErrorKind::TooLarge { .. }), "{error}");
    provider.answer(Answer::Hang);
    assert_eq!(*keys.refresh().await.unwrap_err().kind(), FetchErrorKind::Timeout);
    assert_eq!(keys.status().ids, ["ES256"]);
}

#[tokio::test]
async fn a_proxy_is_one_line() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let target = provider.issuer().trim_start_matches("http://").to_owned();
    let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = proxy.local_addr().unwrap();
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        loop {
            let (mut from, _) = proxy.accept().await.unwrap();
            let mut to = tokio::net::TcpStream::connect(&target).await.unwrap();
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut from, &mut to).await });
        }
    });
    let keys =
        provider.remote().proxy(format!("http://user:pass@{address}")).build().await.unwrap();
    assert_eq!(keys.status().ids, ["ES256"]);
    assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), 1);
    let request = provider.last_request();
    assert!(request.contains(&"proxy-authorization: basic dxnlcjpwyxnz".into()), "{request:?}");
}

#[tokio::test]
async fn what_the_built_in_client_cannot_use_is_refused() {
    type Set = fn(RemoteKeysBuilder) -> RemoteKeysBuilder;
    let cleartext = RemoteKeys::at("http://localhost:1/").proxy("http://proxy.example.com:3128");
    assert!(cleartext.lazy().unwrap_err().to_string().contains("use `https`"));
    let wrong: [(Set, &str); 5] = [
        (|keys| keys.proxy("hunter2"), "`proxy` must be"),
        (|keys| keys.root_certificates(""), "`root_certificates`"),
        (|keys| keys.root_certificates("hunter2"), "`root_certificates`"),
        (|keys| keys.client_certificate("hunter2", "hunter2"), "`client_certificate`"),
        (
            |keys| {
                keys.proxy("http://127.0.0.1:1").http_client(|_| async {
                    Ok::<_, std::io::Error>(http::Response::new(http_body_util::Empty::new()))
                })
            },
            "replaces the built-in HTTP client",
        ),
    ];
    for (set, part) in wrong {
        let error = set(RemoteKeys::at("https://keys.example.com/")).lazy().unwrap_err();
        let error = error.to_string();
        assert!(error.contains(part) && !error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn b25_http_inside_a_cluster_takes_the_exact_host() {
    let of = |url: &str| RemoteKeys::at(url).issuer("https://sso.example.com/realms/p");
    let url = "http://keycloak:8080/realms/p/protocol/openid-connect/certs";
    let told = of(url).lazy().unwrap_err().to_string();
    assert!(told.contains("`.dangerous().http_host(\"keycloak\")`"), "{told}");
    assert!(told.contains("host `keycloak`") && told.contains("`http_hosts`"), "{told}");
    for host in ["keycloak.", "key", "other", "eycloak"] {
        assert!(of(url).dangerous().http_host(host).lazy().is_err(), "{host}");
    }
    for host in ["*", "", "http://keycloak", "keycloak:8080"] {
        let error = of(url).dangerous().http_host("keycloak").dangerous().http_host(host).lazy();
        assert!(error.unwrap_err().to_string().contains("exact host name"), "{host}");
    }
    let listed =
        |url: &str| of(url).dangerous().http_host("other").dangerous().http_host("keycloak");
    assert!(listed(url).lazy().is_ok());
    // A client of one's own is asked no more than the built-in one.
    let own = |_| async { Ok::<_, std::io::Error>(http::Response::new(String::new())) };
    assert!(of(url).http_client(own).lazy().is_err());
    assert!(listed(url).http_client(own).lazy().is_ok());
    // A proxy elsewhere would see the keys in the clear.
    assert!(listed(url).proxy("http://proxy.example.com:3128").lazy().is_err());
    assert!(listed(url).proxy("http://localhost:3128").lazy().is_ok());
    let discovered = RemoteKeys::discover("http://keycloak:8080/realms/p");
    assert!(discovered.lazy().unwrap_err().to_string().contains("http_host(\"keycloak\")"));
    let discovered = RemoteKeys::discover("http://keycloak:8080/realms/p").dangerous();
    assert!(discovered.http_host("keycloak").lazy().is_ok());
}

#[tokio::test]
async fn b24_b26_b27_each_message_names_a_way_out() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let base = provider.issuer();
    let told =
        async |issuer: &str| RemoteKeys::discover(issuer).build().await.unwrap_err().to_string();
    // Nextcloud: the metadata redirects, and where it leads names the issuer without the path.
    provider.answer_at(OIDC, Answer::Redirect(format!("{base}/index.php{OIDC}")));
    let there = metadata(&format!("{base}/"), &format!("{base}/index.php/jwks"));
    provider.answer_at(&format!("/index.php{OIDC}"), there);
    let error = told(&format!("{base}/")).await;
    assert!(error.contains("`RemoteKeys::at(jwks_uri).issuer(issuer)`"), "{error}");
    let error = told(&format!("{base}/index.php")).await;
    let way = format!("`RemoteKeys::at(\"{base}/index.php/jwks\").issuer(\"{base}/\")`");
    assert!(error.contains(&way), "{error}");
    // Azure AD B2C: the issuer in the document has no metadata.
    let policy = "/c.onmicrosoft.com/b2c_1_x/v2.0";
    let guid = format!("{base}/guid/v2.0/");
    provider.answer_at(&format!("{policy}{OIDC}"), metadata(&guid, &format!("{base}/keys")));
    let error = told(&format!("{base}{policy}")).await;
    let way = format!("`RemoteKeys::at(\"{base}/keys\").issuer(\"{guid}\")`");
    assert!(error.contains(&way), "{error}");
    let error = told(&guid).await;
    assert!(error.contains("404") && error.contains("RemoteKeys::at(jwks_uri).issuer("), "{error}");
    // Entra ID: the document of all tenants, and a query.
    let many = format!("{base}/{{tenantid}}/v2.0");
    provider.answer_at(&format!("/common/v2.0{OIDC}"), metadata(&many, &format!("{base}/keys")));
    let error = told(&format!("{base}/common/v2.0")).await;
    assert!(error.contains("Issuers::builder().resolve(") && error.contains(&many), "{error}");
    let error = told(&format!("{base}/TID/v2.0?appid=X")).await;
    assert!(error.contains("`RemoteKeys::at(…).issuer(…)`"), "{error}");
    for keys in [RemoteKeys::discover(&many), RemoteKeys::at(&base).issuer(&many)] {
        let error = keys.lazy().unwrap_err().to_string();
        assert!(error.contains("Issuers::builder().resolve("), "{error}");
    }
    // A page for everything, and the keys themselves.
    provider.answer_at(OIDC, Answer::Body(b"<html>".to_vec(), Vec::new()));
    assert!(told(&base).await.contains("RemoteKeys::at(jwks_uri).issuer("));
    provider.answer(Answer::Redirect(base.clone()));
    let error = provider.remote().build().await.unwrap_err().to_string();
    assert!(error.contains("configure the address it leads to"), "{error}");
}

#[tokio::test]
async fn b29_credentials_are_asked_for_at_each_fetch() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let token = std::sync::Arc::new(std::sync::Mutex::new(Ok("Bearer sa-1")));
    let given = token.clone();
    let authorization = move || {
        let value = given.lock().unwrap().map(http::HeaderValue::from_static);
        async move { value.map_err(|why: &str| std::io::Error::other(why)) }
    };
    let sent =
        || provider.last_request().into_iter().find(|line| line.starts_with("authorization"));
    let builder = provider.remote().authorization(authorization.clone());
    assert!(!format!("{builder:?}").contains("sa-1"));
    let keys = builder.build().await.unwrap();
    assert_eq!(sent().as_deref(), Some("authorization: bearer sa-1"));
    *token.lock().unwrap() = Ok("Bearer sa-2");
    keys.refresh().await.unwrap();
    assert_eq!(sent().as_deref(), Some("authorization: bearer sa-2"));
    let fetches = provider.fetches();
    *token.lock().unwrap() = Err("the token file is not there");
    let error = keys.refresh().await.unwrap_err();
    assert_eq!(*error.kind(), FetchErrorKind::Authorization("the token file is not there".into()));
    assert!(error.to_string().contains("`.authorization(…)` has failed: the token file"));
    assert_eq!(provider.fetches(), fetches);
    assert_eq!(keys.status().ids, ["ES256"], "the present keys stay");
    assert!(!format!("{keys:?} {:?}", keys.status()).contains("sa-"));
    // A client of one's own sees it, marked as sensitive.
    *token.lock().unwrap() = Ok("Bearer sa-3");
    let seen = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let own = {
        let seen = seen.clone();
        move |request: http::Request<bytes::Bytes>| {
            *seen.lock().unwrap() = format!("{request:?}");
            async { Ok::<_, std::io::Error>(http::Response::new(String::new())) }
        }
    };
    let failed = provider.remote().http_client(own).authorization(authorization).build().await;
    let seen = seen.lock().unwrap();
    assert!(failed.is_err() && seen.contains("authorization") && !seen.contains("sa-3"), "{seen}");
}

#[tokio::test]
async fn b29_credentials_go_to_the_configured_origin_only() {
    let (provider, other) = (Provider::new([key(Algorithm::ES256)]), Provider::new([]));
    other.answer_at("/keys", Answer::Status(401));
    let authorization =
        || async { Ok::<_, std::io::Error>(http::HeaderValue::from_static("Bearer sa")) };
    let has = |provider: &Provider| {
        provider.last_request().iter().any(|line| line.starts_with("authorization"))
    };
    let discover = || RemoteKeys::discover(provider.issuer()).authorization(authorization);
    discover().build().await.unwrap();
    assert!(has(&provider) && provider.fetches() == 1, "keys of the same origin");
    let keys_url = format!("{}/keys", other.issuer());
    provider.answer_at(OIDC, metadata(&provider.issuer(), &keys_url));
    let error = discover().build().await.unwrap_err().to_string();
    assert!(has(&provider) && !has(&other) && other.hits("/keys") == 1);
    assert!(error.contains("sends nothing to this origin"), "{error}");
    // In the clear, they stay on this machine.
    let keys = RemoteKeys::at("http://keycloak:8080/certs").dangerous().http_host("keycloak");
    let error = keys.authorization(authorization).lazy().unwrap_err();
    assert!(error.to_string().contains("over `http` to another machine"), "{error}");
}

/// Fetches as if the names of a cluster led to this provider.
fn cluster(provider: &Provider) -> impl HttpClient {
    let own = reqwest::Client::builder().no_proxy().build().unwrap();
    let issuer = provider.issuer();
    move |mut request: http::Request<bytes::Bytes>| {
        let path = request.uri().path_and_query().unwrap().to_string();
        *request.uri_mut() = format!("{issuer}{path}").parse().unwrap();
        let own = own.clone();
        async move {
            let response = own.execute(request.try_into()?).await?;
            Ok::<_, reqwest::Error>(http::Response::<reqwest::Body>::from(response))
        }
    }
}

#[tokio::test]
async fn b25_metadata_over_https_never_leads_to_a_listed_host_over_http() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let build = async |issuer: &str, jwks_uri: &str| {
        provider.answer_at(OIDC, metadata(issuer, jwks_uri));
        let keys = RemoteKeys::discover(issuer).http_client(cluster(&provider));
        keys.dangerous().http_host("keycloak").build().await
    };
    let good = build("http://keycloak:8080", "http://keycloak:8080/jwks").await.unwrap();
    assert_eq!(good.status().ids, ["ES256"]);
    assert!(build("http://keycloak:8080", "https://sso.example.com/jwks").await.is_ok());
    let fetches = provider.fetches();
    for (issuer, jwks_uri) in [
        ("https://keycloak", "http://keycloak:8080/jwks"),
        ("https://sso.example.com", "http://keycloak:8080/jwks"),
        ("http://keycloak:8080", "http://localhost/jwks"),
        ("http://keycloak:8080", "http://other/jwks"),
    ] {
        let found = cause(build(issuer, jwks_uri).await);
        assert!(matches!(found, FetchErrorKind::KeysUrl(_)), "{issuer} {jwks_uri}: {found}");
    }
    assert_eq!(provider.fetches(), fetches, "none of them was asked");
}

#[tokio::test]
async fn keys_that_have_moved_are_found_again() {
    let document = json!({"keys": [key(Algorithm::EdDSA).jwk()]}).to_string();
    for gone in [
        Answer::Status(404),
        Answer::Body(b"<html>we have moved".to_vec(), Vec::new()),
        Answer::Drip,
    ] {
        let provider = Provider::new([key(Algorithm::ES256)]);
        let keys = RemoteKeys::discover(provider.issuer());
        let keys = keys.timeout(ms(300)).build().await.unwrap();
        provider.answer_at("/jwks", gone.clone());
        keys.refresh().await.unwrap_err();
        assert_eq!(keys.status().ids, ["ES256"], "{gone:?}");
        let new = format!("{}/new", provider.issuer());
        provider.answer_at(OIDC, metadata(&provider.issuer(), &new));
        provider.answer_at("/new", Answer::Body(document.clone().into_bytes(), Vec::new()));
        keys.refresh().await.unwrap();
        assert_eq!(keys.status().ids, ["EdDSA"], "{gone:?}");
    }
}

#[tokio::test]
async fn keys_that_move_are_found_though_the_old_ones_stay() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    let keys = RemoteKeys::discover(provider.issuer()).refresh_interval(ms(100)..=ms(100));
    let keys = keys.build().await.unwrap();
    let new = format!("{}/new", provider.issuer());
    let document = json!({"keys": [key(Algorithm::EdDSA).jwk()]}).to_string();
    provider.answer_at("/new", Answer::Body(document.into_bytes(), Vec::new()));
    provider.answer_at(OIDC, metadata(&provider.issuer(), &new));
    until("the next fetch goes there", || keys.status().ids == ["EdDSA"]).await;
}

#[tokio::test]
async fn a_page_for_everything_is_no_metadata() {
    // The first place answers with a page of an application, the second one is right.
    let provider = Provider::new([key(Algorithm::ES256)]);
    provider.answer_at(OIDC, Answer::Body(b"<!doctype html>".to_vec(), Vec::new()));
    let place = "/.well-known/oauth-authorization-server";
    provider.answer_at(place, metadata(&provider.issuer(), &provider.jwks_url()));
    let keys = RemoteKeys::discover(provider.issuer()).build().await.unwrap();
    assert_eq!(keys.status().ids, ["ES256"]);
}

#[tokio::test]
async fn keys_are_found_that_have_moved_while_the_old_ones_are_still_there() {
    let (old, new) = (key(Algorithm::ES256), fresh(Algorithm::ES256, "new"));
    let provider = Provider::new([old]);
    let keys = RemoteKeys::discover(provider.issuer()).build().await.unwrap();
    let builder = Verifier::builder().audience(AUDIENCE).keys(keys);
    let verifier: Verifier = builder.clock(FixedClock::default()).build().unwrap();
    provider.answer_at(OIDC, metadata(&provider.issuer(), &format!("{}/new", provider.issuer())));
    let document = json!({"keys": [new.jwk()]}).to_string();
    provider.answer_at("/new", Answer::Body(document.into_bytes(), Vec::new()));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(60)).await;
    tokio::time::resume();
    let token = new.token(&claims_with(json!({"iss": provider.issuer()})));
    accepted(verifier.verify(&token).await);
}

#[tokio::test]
async fn an_error_of_the_fetch_says_what_to_configure() {
    let provider = Provider::new([key(Algorithm::ES256)]);
    for status in [401, 403] {
        provider.answer_at("/keys", Answer::Status(status));
        let keys = RemoteKeys::at(format!("{}/keys", provider.issuer()));
        let error = keys.build().await.unwrap_err().to_string();
        assert!(error.contains("`RemoteKeysBuilder::authorization`"), "{error}");
    }
    // The address of metadata in place of that of the keys.
    let error = RemoteKeys::at(format!("{}{OIDC}", provider.issuer())).build().await.unwrap_err();
    assert!(error.to_string().contains("`RemoteKeys::discover(issuer)`"), "{error}");
    // And in place of the issuer.
    let error = RemoteKeys::discover(format!("{}{OIDC}", provider.issuer())).lazy().unwrap_err();
    assert!(error.to_string().contains("without `/.well-known/…`"), "{error}");
    // `https` to a port without TLS.
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/keys", plain.local_addr().unwrap());
    let answer = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let mut client = plain.accept().unwrap().0;
        let _ = client.read(&mut [0; 4096]).unwrap();
        client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let error = RemoteKeys::at(url).build().await.unwrap_err().to_string();
    answer.join().unwrap();
    assert!(error.contains("does not speak TLS on this port"), "{error}");
}
