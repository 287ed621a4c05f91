//! Logins of clients that prove something, and of those that must (RFC 9449 §5, RFC 8705 §4).

use std::{error::Error as _, net::SocketAddr};

use http::{HeaderMap, Request, request::Parts};
use http_body_util::BodyExt;
use serde_json::Value;
use tower_jwt_auth::{
    Error, ErrorKind,
    error::InvalidRequest,
    proof::{ClientCertificate, DPoP, MemoryReplayStore, MutualTls, ProxyHeader, Thumbprint},
    refresh::{MemoryRefreshStore, RefreshTokens},
    sessions::{Login, Sessions, SessionsBuilder},
    testing::TestProofKey,
};

use super::{Answer, ask};

const ORIGIN: &str = "https://api.example.com";
const JSON: (&str, &str) = ("accept", "application/json");
const BROWSER: (&str, &str) = ("sec-fetch-site", "same-origin");

/// Sessions by the clock of the system, as the keys of the test kit are.
fn builder() -> SessionsBuilder {
    let issuer = tower_jwt_auth::issue::TokenIssuer::builder().issuer(ORIGIN).audience("api").key(
        tower_jwt_auth::issue::SigningKey::generate(tower_jwt_auth::Algorithm::ES256).unwrap(),
    );
    Sessions::builder(issuer.build().unwrap())
}

fn dpop(required: bool) -> DPoP {
    let builder = if required { DPoP::required() } else { DPoP::optional() };
    builder.public_url(ORIGIN).replay_store(MemoryReplayStore::new()).build().unwrap()
}

fn mutual_tls(required: bool) -> MutualTls {
    let builder = if required { MutualTls::required() } else { MutualTls::optional() };
    builder.build().unwrap()
}

fn behind_proxy(required: bool) -> MutualTls {
    let builder = if required { MutualTls::required() } else { MutualTls::optional() };
    builder.proxy_header(ProxyHeader::client_cert()).trusted_proxy("10.0.0.1").build().unwrap()
}

fn request(headers: &[(&str, &str)]) -> Parts {
    let request = headers
        .iter()
        .fold(Request::post("/auth/login"), |request, (name, value)| request.header(*name, *value));
    request.body(()).unwrap().into_parts().0
}

/// An answer, and the reason of a refusal with its cause.
struct LoggedIn {
    status: u16,
    headers: HeaderMap,
    body: Value,
    reason: String,
}

impl LoggedIn {
    fn error(&self) -> (u16, &str) {
        (self.status, self.body["error"].as_str().unwrap_or("none"))
    }

    fn has_cookies(&self) -> bool {
        self.headers.contains_key("set-cookie")
    }
}

async fn log_in(sessions: &Sessions, request: &Parts) -> LoggedIn {
    log_in_as(sessions, request, Login::new("ada")).await
}

async fn log_in_as(sessions: &Sessions, request: &Parts, login: Login) -> LoggedIn {
    let (head, body) = sessions.login(request, login).await.into_parts();
    let reason = head.extensions.get::<Error>().map_or_else(String::new, |error| {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        format!("{error}: {cause}")
    });
    let body = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
    LoggedIn { status: head.status.as_u16(), headers: head.headers, body, reason }
}

fn proof(key: &TestProofKey) -> String {
    key.proof("POST", format!("{ORIGIN}/auth/login")).sign()
}

#[tokio::test]
async fn a05_a_proof_is_never_ignored_by_a_login() {
    let sessions = builder().dpop(dpop(false)).build().unwrap();
    let key = TestProofKey::new();
    // curl sends `*/*`, and many clients of HTTP send nothing.
    for accept in [&[][..], &[("accept", "*/*")], &[("accept", "text/html")], &[JSON]] {
        let with = |proof: &str| request(&[accept, &[("dpop", proof)]].concat());
        let bad = log_in(&sessions, &with("rubbish")).await;
        assert_eq!(bad.error(), (400, "invalid_dpop_proof"), "{accept:?}");
        assert!(!bad.has_cookies() && sessions.list("ada").await.unwrap().is_empty());

        let good = log_in(&sessions, &with(&proof(&key))).await;
        assert_eq!((good.status, &good.body["token_type"]), (200, &"DPoP".into()), "{accept:?}");
        assert!(!good.has_cookies() && good.body["refresh_token"].is_string());
        assert_eq!(sessions.list("ada").await.unwrap()[0].jkt(), Some(key.jkt()));
        sessions.end_all("ada").await.unwrap();
    }

    // A browser gets cookies, which are not bound: a proof would be worth nothing.
    for proof in ["rubbish", &*proof(&key)] {
        let refused = log_in(&sessions, &request(&[BROWSER, ("dpop", proof)])).await;
        assert_eq!(refused.error(), (400, "invalid_dpop_proof"));
        assert!(refused.reason.contains("`.dpop_in_browsers()`"), "{}", refused.reason);
        assert!(!refused.has_cookies() && sessions.list("ada").await.unwrap().is_empty());
    }
    // Without one, all is as before.
    let plain = log_in(&sessions, &request(&[BROWSER])).await;
    assert!(plain.status == 200 && plain.has_cookies());
    // A service without DPoP knows no such header.
    let without = builder().build().unwrap();
    let plain = log_in(&without, &request(&[BROWSER, ("dpop", "rubbish")])).await;
    assert!(plain.status == 200 && plain.has_cookies());
}

#[tokio::test]
async fn a05_a_session_that_must_be_bound_gets_no_cookies() {
    let with_dpop = builder().dpop(dpop(true)).build().unwrap();
    let with_tls = builder().mutual_tls(mutual_tls(true)).build().unwrap();
    for (sessions, code, hint) in [
        (&with_dpop, "invalid_dpop_proof", "`DPoP::required`"),
        (&with_tls, "invalid_request", "`MutualTls::required`"),
    ] {
        for headers in [&[][..], &[("accept", "*/*")], &[BROWSER], &[BROWSER, JSON]] {
            let refused = log_in(sessions, &request(headers)).await;
            assert_eq!(refused.error(), (400, code), "{headers:?}");
            assert!(refused.reason.contains(hint), "{}", refused.reason);
            assert!(refused.reason.contains("`Accept: application/json`"), "{}", refused.reason);
            assert!(!refused.has_cookies() && sessions.list("ada").await.unwrap().is_empty());
        }
    }
    // The application has bound it to the certificate of the connection itself.
    let certificate = Thumbprint::from([7; 32]);
    let login = Login::new("ada").x5t_s256(certificate);
    assert_eq!(log_in_as(&with_tls, &request(&[BROWSER]), login).await.status, 200);
}

#[tokio::test]
async fn a05_a_session_from_before_proofs_were_required_is_not_refreshed() {
    let store = MemoryRefreshStore::new();
    let tokens = || RefreshTokens::builder(store.clone()).build().unwrap();
    let before = builder().refresh_tokens(tokens()).build().unwrap();
    let opened = before.open(Login::new("ada")).await.unwrap();
    for now in [
        builder().dpop(dpop(true)).refresh_tokens(tokens()).build().unwrap(),
        builder().mutual_tls(mutual_tls(true)).refresh_tokens(tokens()).build().unwrap(),
    ] {
        let mut request = super::presenting(opened.refresh());
        let certificate = ClientCertificate::from_thumbprint([7; 32].into());
        request.extensions_mut().insert(certificate);
        let refused = ask(now.refresh_service(), request).await;
        assert_eq!(refused.status, 401, "{refused:?}");
        assert!(refused.body.contains("\"invalid_grant\""), "{refused:?}");
        assert_eq!(now.list("ada").await.unwrap().len(), 1, "it has not ended");
    }
    // It can still be ended.
    let now = builder().dpop(dpop(true)).refresh_tokens(tokens()).build().unwrap();
    let answer = ask(now.logout_service(), super::presenting(opened.refresh())).await;
    assert_eq!(answer.status, 204);
    assert!(now.list("ada").await.unwrap().is_empty());
}

#[tokio::test]
async fn b02_the_certificate_of_a_login_is_told_apart_from_a_token() {
    // The least that has the form of a certificate: two sequences and a bit string.
    let der = [0x30, 8, 0x30, 0, 0x30, 0, 3, 2, 0, 0];
    let peer = |address: &str| address.parse::<SocketAddr>().unwrap();
    let header = format!(":{}:", base64_simd::STANDARD.encode_to_string(der));
    let malformed = ":?:".to_owned();
    let from = |address: Option<&str>, header: Option<&str>| {
        let cert: Vec<_> = header.map(|header| ("client-cert", header)).into_iter().collect();
        let mut parts = request(&[&[JSON][..], &cert].concat());
        if let Some(address) = address {
            parts.extensions.insert(peer(address));
        }
        parts
    };
    let (proxy, other) = (Some("10.0.0.1:1"), Some("10.0.0.2:1"));
    let optional = builder().mutual_tls(behind_proxy(false)).build().unwrap();
    let required = builder().mutual_tls(behind_proxy(true)).build().unwrap();
    for (address, header, is_bound, is_fine) in [
        (proxy, Some(&*header), true, true),
        (proxy, None, false, true),
        // It says nothing: anybody can send it.
        (other, Some(&*header), false, true),
        (other, Some(&*malformed), false, true),
        (proxy, Some(&*malformed), false, false),
        (None, Some(&*header), false, false),
    ] {
        for (sessions, is_required) in [(&optional, false), (&required, true)] {
            let answer = log_in(sessions, &from(address, header)).await;
            if is_fine && (is_bound || !is_required) {
                assert_eq!(answer.status, 200, "{address:?} {header:?}: {}", answer.reason);
                let bound = sessions.list("ada").await.unwrap()[0].x5t_s256();
                assert_eq!(bound, is_bound.then(|| ClientCertificate::from_der(der).thumbprint()));
                sessions.end_all("ada").await.unwrap();
            } else {
                assert_eq!(answer.error(), (400, "invalid_request"), "{address:?} {header:?}");
                let detail = answer.body["detail"].as_str().unwrap();
                assert!(detail.contains("client certificate"), "{detail}");
                assert!(!answer.headers.contains_key("www-authenticate"));
                assert!(sessions.list("ada").await.unwrap().is_empty());
            }
        }
    }
    let error = required.open_for_request(Login::new("ada"), &from(proxy, None)).await.unwrap_err();
    let expected = ErrorKind::InvalidRequest(InvalidRequest::ClientCertificate);
    assert_eq!((error.kind(), error.status().as_u16()), (&expected, 400));
}

#[tokio::test]
async fn a16_a_session_whose_tokens_nobody_could_use_is_not_opened() {
    let jkt = || Login::new("ada").jkt([1; 32].into());
    let x5t = || Login::new("ada").x5t_s256([1; 32].into());
    let plain = || Login::new("ada");
    let none = builder().build().unwrap();
    let optional = builder().dpop(dpop(false)).mutual_tls(mutual_tls(false)).build().unwrap();
    let key = builder().dpop(dpop(true)).build().unwrap();
    let certificate = builder().mutual_tls(mutual_tls(true)).build().unwrap();
    let both = builder().dpop(dpop(true)).mutual_tls(mutual_tls(true)).build().unwrap();
    for (sessions, login, hint) in [
        (&none, jkt(), "set `.dpop(…)`"),
        (&none, x5t(), "set `.mutual_tls(…)`"),
        (&key, x5t().jkt([1; 32].into()), "set `.mutual_tls(…)`"),
        (&certificate, x5t().jkt([1; 32].into()), "set `.dpop(…)`"),
        (&key, plain(), "`open_for_request`"),
        (&certificate, plain(), "`open_for_request`"),
        (&both, jkt(), "`Login::x5t_s256`"),
        (&both, x5t(), "`Login::jkt`"),
    ] {
        let error = sessions.open(login).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Issue { .. }));
        assert!(error.to_string().contains(hint), "{error}");
        assert!(sessions.list("ada").await.unwrap().is_empty());
    }
    for (sessions, login) in [
        (&none, plain()),
        (&optional, plain()),
        (&optional, jkt()),
        (&optional, x5t()),
        (&optional, x5t().jkt([1; 32].into())),
        (&key, jkt()),
        (&certificate, x5t()),
        (&both, x5t().jkt([1; 32].into())),
    ] {
        assert!(sessions.open(login).await.is_ok());
    }
}

#[tokio::test]
async fn a16_refusals_have_the_challenges_of_the_layer() {
    let challenges = |answer: &Answer| -> Vec<String> {
        let values = answer.headers.get_all("www-authenticate").iter();
        values.map(|value| value.to_str().unwrap().to_owned()).collect()
    };
    let dpop_challenge = "DPoP algs=\"ES256 EdDSA\"";
    for (sessions, expected) in [
        (builder().build().unwrap(), &["Bearer"][..]),
        (builder().dpop(dpop(false)).build().unwrap(), &["Bearer", dpop_challenge]),
        (builder().dpop(dpop(true)).build().unwrap(), &[dpop_challenge]),
    ] {
        for service in [sessions.refresh_service(), sessions.logout_service()] {
            let missing = Request::post("/auth/x").body(String::new()).unwrap();
            let missing = ask(service, missing).await;
            assert_eq!(missing.status, 401);
            assert_eq!(challenges(&missing), expected);
        }
        let unknown = ask(sessions.refresh_service(), super::presenting("x")).await;
        assert_eq!(unknown.status, 401);
        assert_eq!(challenges(&unknown), expected);
        // The error is in the challenge of the scheme that was used (RFC 9449 §7.2).
        for scheme in ["Bearer", "DPoP"] {
            let request =
                Request::post("/auth/logout").header("authorization", format!("{scheme} x"));
            let refused =
                ask(sessions.logout_service(), request.body(String::new()).unwrap()).await;
            assert_eq!(refused.status, 401);
            let with_error = challenges(&refused);
            let [with_error] =
                &*with_error.iter().filter(|text| text.contains("error=")).collect::<Vec<_>>()
            else {
                // Without DPoP, its scheme has no token.
                assert_eq!((scheme, expected), ("DPoP", &["Bearer"][..]));
                continue;
            };
            let used = if expected.len() == 1 { expected[0] } else { scheme };
            assert!(with_error.starts_with(used.split(' ').next().unwrap()), "{with_error}");
        }
    }
}
