//! Sessions that are bound to a key or to a client certificate (RFC 9449 §5, RFC 8705 §4).

use std::sync::atomic::{AtomicU32, Ordering};

use http::{Request, Response, request::Builder};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm,
    proof::{
        ClientCertificate, DPoP, DPoPBuilder, MemoryReplayStore, MutualTls, Nonces, Thumbprint,
    },
    refresh::MemoryRefreshStore,
    sessions::{Login, SessionTokens, Sessions},
};

use super::{Answer, ask, issuer, set, tokens::tokens};
use crate::{
    fixed::{FixedClock, NOW},
    support::{TestKey, key},
};

fn dpop() -> DPoPBuilder {
    DPoP::optional().public_url("https://api.example.com").dangerous().replay_protection_elsewhere()
}

fn sessions_with(clock: &FixedClock, dpop: DPoPBuilder) -> Sessions {
    Sessions::builder(issuer(clock).build().unwrap())
        .refresh_tokens(tokens(MemoryRefreshStore::new(), clock))
        .dpop(dpop.build().unwrap())
        .mutual_tls(MutualTls::optional().build().unwrap())
        .build()
        .unwrap()
}

/// A proof by a key for a `POST` to a path, with these claims, too.
fn proof(key: &TestKey, path: &str, more: &Value) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut jwk = key.jwk();
    for name in ["alg", "kid"] {
        jwk.as_object_mut().unwrap().remove(name);
    }
    let header = json!({"typ": "dpop+jwt", "alg": key.algorithm.name(), "jwk": jwk});
    let mut claims = json!({
        "jti": format!("proof-{}", NEXT.fetch_add(1, Ordering::Relaxed)),
        "htm": "POST",
        "htu": format!("https://api.example.com{path}"),
        "iat": NOW,
    });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    key.token_of(header.to_string(), claims.to_string())
}

/// A request of a client that is not a browser.
fn post(path: &str, proof: Option<&str>) -> Builder {
    let request = Request::post(path).header("accept", "application/json");
    match proof {
        Some(proof) => request.header("dpop", proof),
        None => request,
    }
}

async fn log_in(sessions: &Sessions, proof: Option<&str>) -> Answer {
    use http_body_util::BodyExt;

    let (parts, ()) = post("/auth/login", proof).body(()).unwrap().into_parts();
    let (head, body) = sessions.login(&parts, Login::new("ada")).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    let (status, headers) = (head.status.as_u16(), head.headers);
    Answer { status, headers, body: String::from_utf8(body).unwrap() }
}

async fn refresh(sessions: &Sessions, token: &str, proof: Option<&str>) -> Answer {
    let form = format!("grant_type=refresh_token&refresh_token={token}");
    let request = post("/auth/refresh", proof)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    ask(sessions.refresh_service(), request.unwrap()).await
}

/// The status of a request with this access token.
async fn status(sessions: &Sessions, scheme: &str, token: &str, proof: Option<&str>) -> u16 {
    let inner = service_fn(|_: Request<()>| async {
        Ok::<_, std::convert::Infallible>(Response::new(String::new()))
    });
    let request = post("/orders", proof).header("authorization", format!("{scheme} {token}"));
    let service = sessions.layer().unwrap().layer(inner);
    service.oneshot(request.body(()).unwrap()).await.unwrap().status().as_u16()
}

fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

fn text<'v>(body: &'v Value, name: &str) -> &'v str {
    body[name].as_str().unwrap()
}

#[tokio::test]
async fn a16_a_login_with_a_proof_gives_bound_tokens() {
    let clock = FixedClock::default();
    let sessions = sessions_with(&clock, dpop());
    let own = key(Algorithm::ES256);
    let given = log_in(&sessions, Some(&proof(own, "/auth/login", &json!({})))).await;
    assert_eq!(given.status, 200, "{given:?}");
    let given = body(&given);
    assert_eq!(given["token_type"], "DPoP");
    let (access, token) = (text(&given, "access_token"), text(&given, "refresh_token"));
    let session = &sessions.list("ada").await.unwrap()[0];
    let jkt = session.jkt().unwrap().to_string();

    // The access token is good with a proof only (RFC 9449 §7).
    let ath = crate::support::b64(
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, access.as_bytes()).as_ref(),
    );
    let with = |key| proof(key, "/orders", &json!({"ath": ath}));
    assert_eq!(status(&sessions, "DPoP", access, Some(&with(own))).await, 200);
    assert_eq!(status(&sessions, "Bearer", access, None).await, 401);
    assert_eq!(status(&sessions, "DPoP", access, Some(&with(key(Algorithm::EdDSA)))).await, 401);

    // Whoever has only the refresh token can neither use nor end the session.
    let other = proof(key(Algorithm::EdDSA), "/auth/refresh", &json!({}));
    for _ in 0..2 {
        let missing = refresh(&sessions, token, None).await;
        assert_eq!((missing.status, text(&body(&missing), "error")), (400, "invalid_dpop_proof"));
        assert!(!missing.headers.contains_key("www-authenticate"));
        assert_eq!(body(&missing)["status"], 400);
        let stranger = refresh(&sessions, token, Some(&other)).await;
        assert_eq!((stranger.status, text(&body(&stranger), "error")), (401, "invalid_grant"));
        let elsewhere = proof(own, "/orders", &json!({}));
        let elsewhere = refresh(&sessions, token, Some(&elsewhere)).await;
        assert_eq!(elsewhere.status, 400);
        let logout = post("/auth/logout", None).header("content-type", "application/json");
        let logout = logout.body(json!({"refresh_token": token}).to_string()).unwrap();
        assert_eq!(ask(sessions.logout_service(), logout).await.status, 400);
    }
    assert!(sessions.refresh(token).await.is_err(), "without the request");
    let next = refresh(&sessions, token, Some(&proof(own, "/auth/refresh", &json!({})))).await;
    assert_eq!(next.status, 200, "{next:?}");
    let next = body(&next);
    assert_eq!(next["token_type"], "DPoP");
    assert_eq!(sessions.list("ada").await.unwrap()[0].jkt().unwrap().to_string(), jkt);

    // A spent token: a thief changes nothing, and the client itself ends its session.
    set(&clock, 30);
    let old = token;
    assert_eq!(refresh(&sessions, old, None).await.status, 400);
    assert_eq!(refresh(&sessions, old, Some(&other)).await.status, 401);
    assert_eq!(sessions.list("ada").await.unwrap().len(), 1);
    let later = proof(own, "/auth/refresh", &json!({"iat": NOW + 30}));
    assert_eq!(refresh(&sessions, old, Some(&later)).await.status, 401);
    assert!(sessions.list("ada").await.unwrap().is_empty());
    let _ = next;
}

/// Whoever has only the token learns nothing of the session, and takes no room in the store.
#[tokio::test]
async fn a16_only_a_proof_of_the_key_is_spent_or_told_of_the_scope() {
    let clock = FixedClock::default();
    let store = MemoryReplayStore::new();
    let url = "https://api.example.com";
    let sessions =
        sessions_with(&clock, DPoP::optional().public_url(url).replay_store(store.clone()));
    let (own, other) = (key(Algorithm::ES256), key(Algorithm::EdDSA));
    let opened = log_in(&sessions, Some(&proof(own, "/auth/login", &json!({})))).await;
    let opened = body(&opened);
    let token = text(&opened, "refresh_token");
    let spent = store.len();
    let stranger = proof(other, "/auth/refresh", &json!({}));
    let refused = refresh(&sessions, token, Some(&stranger)).await;
    assert_eq!((refused.status, text(&body(&refused), "error")), (401, "invalid_grant"));
    assert_eq!(store.len(), spent, "the proof of a stranger's key is not kept");
    let with_scope = format!("{token}&scope=root");
    for proof in [None, Some(&*proof(other, "/auth/refresh", &json!({})))] {
        let refused = refresh(&sessions, &with_scope, proof).await;
        assert_ne!(text(&body(&refused), "error"), "invalid_scope", "{proof:?}");
    }
    let good = proof(own, "/auth/refresh", &json!({}));
    let refused = refresh(&sessions, &with_scope, Some(&good)).await;
    assert_eq!(text(&body(&refused), "error"), "invalid_scope");
}

#[tokio::test]
async fn a16_the_client_itself_logs_out() {
    let sessions = sessions_with(&FixedClock::default(), dpop());
    let own = key(Algorithm::ES256);
    let given = body(&log_in(&sessions, Some(&proof(own, "/auth/login", &json!({})))).await);
    let token = text(&given, "refresh_token");
    let proof = proof(own, "/auth/logout", &json!({}));
    let request = post("/auth/logout", Some(&proof)).header("content-type", "application/json");
    let request = request.body(json!({"refresh_token": token}).to_string()).unwrap();
    assert_eq!(ask(sessions.logout_service(), request).await.status, 204);
    assert!(sessions.list("ada").await.unwrap().is_empty());
}

#[tokio::test]
async fn a16_without_a_proof_a_session_is_not_bound_unless_it_must_be() {
    let clock = FixedClock::default();
    let sessions = sessions_with(&clock, dpop());
    let given = log_in(&sessions, None).await;
    let given = body(&given);
    assert_eq!(given["token_type"], "Bearer");
    let (access, token) = (text(&given, "access_token"), text(&given, "refresh_token"));
    assert_eq!(status(&sessions, "Bearer", access, None).await, 200);
    assert_eq!(refresh(&sessions, token, None).await.status, 200);
    // A proof that is not good is never ignored.
    let bad = log_in(&sessions, Some("x")).await;
    assert_eq!((bad.status, text(&body(&bad), "error")), (400, "invalid_dpop_proof"));
    assert!(!bad.body.contains("token\":"));

    let required = DPoP::required().public_url("https://api.example.com");
    let sessions = sessions_with(&clock, required.dangerous().replay_protection_elsewhere());
    assert_eq!(log_in(&sessions, None).await.status, 400);
    assert!(sessions.list("ada").await.unwrap().is_empty());
    let own = proof(key(Algorithm::ES256), "/auth/login", &json!({}));
    assert_eq!(log_in(&sessions, Some(&own)).await.status, 200);
}

#[tokio::test]
async fn a16_a_proof_needs_a_nonce_if_the_service_says_so() {
    let nonces = Nonces::new([7; 32]).unwrap();
    let sessions = sessions_with(&FixedClock::default(), dpop().nonces(nonces));
    let own = key(Algorithm::ES256);
    let first = log_in(&sessions, Some(&proof(own, "/auth/login", &json!({})))).await;
    // RFC 9449 §8.
    assert_eq!((first.status, text(&body(&first), "error")), (400, "use_dpop_nonce"));
    let nonce = first.headers["dpop-nonce"].to_str().unwrap();
    let again = proof(own, "/auth/login", &json!({"nonce": nonce}));
    assert_eq!(log_in(&sessions, Some(&again)).await.status, 200);
}

#[tokio::test]
async fn a16_cookies_are_not_bound_to_a_key() {
    let sessions = sessions_with(&FixedClock::default(), dpop());
    let browser = || {
        let request = Request::post("/auth/login").header("sec-fetch-site", "same-origin");
        request.body(()).unwrap().into_parts().0
    };
    let given = sessions.login(&browser(), Login::new("ada")).await;
    assert_eq!(given.status(), 200);
    assert!(given.headers().contains_key("set-cookie"));
    assert_eq!(sessions.list("ada").await.unwrap()[0].jkt(), None);
    let bound = Login::new("grace").jkt(Thumbprint::from([1; 32]));
    assert_eq!(sessions.login(&browser(), bound).await.status(), 500, "no layer would accept it");
    assert!(sessions.list("grace").await.unwrap().is_empty());
}

#[tokio::test]
async fn a16_a_session_over_a_client_certificate_needs_it_again() {
    let clock = FixedClock::default();
    let sessions = sessions_with(&clock, dpop());
    let request = |byte: Option<u8>| {
        let mut request = Request::post("/auth/refresh").body(()).unwrap();
        if let Some(byte) = byte {
            request.extensions_mut().insert(ClientCertificate::from_thumbprint([byte; 32].into()));
        }
        request
    };
    let open = async |byte| -> SessionTokens {
        sessions.open_for_request(Login::new("ada"), &request(byte)).await.unwrap()
    };
    let bound = open(Some(7)).await;
    assert_eq!(bound.session().x5t_s256(), Some([7; 32].into()));
    // The token's type stays Bearer (RFC 8705 §3).
    let given: Value = serde_json::from_str(&bound.to_json().unwrap()).unwrap();
    assert_eq!(given["token_type"], "Bearer");
    let verifier = sessions.verifier_builder().build().unwrap();
    let access = bound.access().as_str();
    assert!(verifier.verify_request(access, &request(Some(7))).await.is_ok());
    for wrong in [None, Some(8)] {
        assert!(verifier.verify_request(access, &request(wrong)).await.is_err());
        let refused = sessions.refresh_for_request(bound.refresh(), &request(wrong)).await;
        assert_eq!(refused.unwrap_err().code(), Some("invalid_grant"));
        let login = Login::new("ada").acr("mfa");
        let refused = sessions.step_up_for_request(bound.refresh(), login, &request(wrong)).await;
        assert_eq!(refused.unwrap_err().code(), Some("invalid_grant"));
    }
    let next = sessions.refresh_for_request(bound.refresh(), &request(Some(7))).await.unwrap();
    let login = Login::new("ada").acr("mfa");
    let last =
        sessions.step_up_for_request(next.refresh(), login, &request(Some(7))).await.unwrap();
    assert_eq!(
        (last.session().acr(), last.session().x5t_s256()),
        (Some("mfa"), Some([7; 32].into()))
    );
    assert_eq!(open(None).await.session().x5t_s256(), None);
}
