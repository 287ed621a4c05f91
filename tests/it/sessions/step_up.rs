//! A stronger or a more recent login within a session (f.8).

use http::{Request, request::Parts};
use tower_jwt_auth::{
    Claims, ErrorKind,
    authorize::{Policy, StepUp},
    refresh::MemoryRefreshStore,
    sessions::{Login, SessionTokens, Sessions},
};

use super::{Answer, issuer, refresh::sessions, set, tokens::tokens};
use crate::fixed::{FixedClock, NOW};

fn now() -> i64 {
    i64::try_from(NOW).unwrap()
}

async fn claims(sessions: &Sessions, token: &str) -> Claims {
    sessions.verifier_builder().build().unwrap().verify(token).await.unwrap()
}

/// A request of a browser from the same origin, with these cookies.
fn from_browser(cookie: &str) -> Parts {
    let request = Request::post("/auth/step-up")
        .header("sec-fetch-site", "same-origin")
        .header("cookie", cookie);
    request.body(()).unwrap().into_parts().0
}

async fn answer(sessions: &Sessions, request: &Parts, login: Login) -> Answer {
    use http_body_util::BodyExt;

    let (parts, body) = sessions.step_up(request, login).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    let (status, headers) = (parts.status.as_u16(), parts.headers);
    Answer { status, headers, body: String::from_utf8(body).unwrap() }
}

async fn step_up(sessions: &Sessions, token: &str, login: Login) -> Result<SessionTokens, u16> {
    let request = Request::new(());
    let stepped = sessions.step_up_for_request(token, login, &request).await;
    stepped.map_err(|error| error.status().as_u16())
}

#[tokio::test]
async fn f08_a_refresh_does_not_renew_the_login() {
    let clock = FixedClock::default();
    let sessions = sessions(&clock);
    let login = Login::new("ada").acr("mfa").amr(["pwd", "otp"]);
    let mut given = sessions.open(login).await.unwrap();
    let policy = StepUp::acr(["mfa"]).max_age(std::time::Duration::from_secs(60));
    for (seconds, recent) in [(0, true), (60, true), (120, true), (180, false)] {
        set(&clock, seconds);
        if seconds > 0 {
            given = sessions.refresh(given.refresh()).await.unwrap();
        }
        let claims = claims(&sessions, given.access().as_str()).await;
        assert_eq!(claims.auth_time().unwrap().floor(), now(), "after {seconds} s");
        assert_eq!(claims.issued_at().unwrap().floor(), now() + i64::try_from(seconds).unwrap());
        assert_eq!(
            (claims.acr().unwrap(), claims.amr().unwrap()),
            ("mfa".into(), vec!["pwd".into(), "otp".into()])
        );
        assert_eq!(policy.authorize(&claims).is_ok(), recent, "after {seconds} s");
    }
    // A plain login has its time, and says no more.
    let plain = sessions.open(Login::new("ada")).await.unwrap();
    let claims = claims(&sessions, plain.access().as_str()).await;
    assert_eq!(claims.auth_time().unwrap().floor(), now() + 180);
    assert!(claims.acr().is_none() && claims.amr().is_none());
}

#[tokio::test]
async fn f08_a_login_elsewhere_has_its_own_time_and_none_is_in_the_future() {
    let sessions = sessions(&FixedClock::default());
    for (given, kept) in [
        (now() - 500, now() - 500),
        (now() + 500, now()),
        (-5, 0),
        (i64::MAX, now()),
        (i64::MIN, 0),
    ] {
        let opened = sessions.open(Login::new("ada").auth_time(given)).await.unwrap();
        assert_eq!(opened.session().auth_time(), kept);
        let claims = claims(&sessions, opened.access().as_str()).await;
        assert_eq!(claims.auth_time().unwrap().floor(), kept, "{given}");
    }
}

#[tokio::test]
async fn f08_a_grant_cannot_say_something_else_of_the_login() {
    use tower_jwt_auth::{issue::Grant, sessions::Session};

    let clock = FixedClock::default();
    let sessions = Sessions::builder(issuer(&clock).build().unwrap())
        .grant(|session: Session| async move { Ok(Grant::new(session.subject())) })
        .build()
        .unwrap();
    let opened = sessions.open(Login::new("ada").acr("mfa")).await.unwrap();
    let claims = claims(&sessions, opened.access().as_str()).await;
    assert_eq!(claims.acr().as_deref(), Some("mfa"));
    for name in ["acr", "amr", "auth_time", "cnf"] {
        let grant = Grant::new("ada").claims(&std::collections::BTreeMap::from([(name, "x")]));
        assert!(sessions.issuer().issue(grant).is_err(), "{name}");
    }
}

#[tokio::test]
async fn f08_a_step_up_is_in_the_same_session() {
    let clock = FixedClock::default();
    let sessions = sessions(&clock);
    let login = Login::new("ada").scope("read").label("Firefox").acr("pwd");
    let before = sessions.open(login).await.unwrap();
    set(&clock, 50);
    // Of the login, only what it says of itself counts.
    let login = Login::new("ada").acr("mfa").amr(["otp"]).scope("admin").label("x");
    let after = step_up(&sessions, before.refresh(), login).await.unwrap();
    let (old, new) = (before.session(), after.session());
    assert_eq!((new.id(), new.scope(), new.label()), (old.id(), Some("read"), Some("Firefox")));
    assert_eq!(new.absolute_expires_at(), old.absolute_expires_at());
    assert_eq!(new.created_at(), old.created_at());
    let claims_of = async |token: &SessionTokens| claims(&sessions, token.access().as_str()).await;
    let strong = claims_of(&after).await;
    assert_eq!(strong.session_id(), Some(old.id()));
    assert_eq!(
        (strong.acr().unwrap(), strong.amr().unwrap()),
        ("mfa".into(), vec!["otp".to_owned()])
    );
    assert_eq!(strong.auth_time().unwrap().floor(), now() + 50);
    assert!(strong.scopes().contains("read") && !strong.scopes().contains("admin"));
    // The access token from before is what it was.
    let weak = claims_of(&before).await;
    assert_eq!((weak.acr().as_deref(), weak.auth_time().unwrap().floor()), (Some("pwd"), now()));
    // It is kept, and only another login changes it.
    set(&clock, 100);
    let next = sessions.refresh(after.refresh()).await.unwrap();
    let next = claims_of(&next).await;
    assert_eq!(
        (next.acr().as_deref(), next.auth_time().unwrap().floor()),
        (Some("mfa"), now() + 50)
    );
    assert_eq!(sessions.list("ada").await.unwrap().len(), 1);
}

#[tokio::test]
async fn f08_a_stolen_token_does_not_gain_by_a_step_up() {
    let clock = FixedClock::default();
    let sessions = sessions(&clock);
    let mfa = || Login::new("ada").acr("mfa");
    let stolen = sessions.open(Login::new("ada")).await.unwrap();
    let strong = step_up(&sessions, stolen.refresh(), mfa()).await.unwrap();
    // Within the grace, a spent token usually gives its successor. This one gives nothing, and
    // another tab of the browser does not end the session.
    let error = sessions.refresh(stolen.refresh()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unavailable { .. }));
    assert_eq!(step_up(&sessions, stolen.refresh(), mfa()).await.unwrap_err(), 503);
    set(&clock, 9);
    let strong = sessions.refresh(strong.refresh()).await.unwrap();
    set(&clock, 11);
    let error = sessions.refresh(stolen.refresh()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::RefreshTokenReused { .. }));
    assert!(sessions.refresh(strong.refresh()).await.is_err(), "the session has ended");
    let verifier = sessions.verifier_builder().build().unwrap();
    assert!(verifier.verify(strong.access().as_str()).await.is_err(), "and its tokens");

    // The thief was faster: the token of the thief is spent, too.
    let first = sessions.open(Login::new("ada")).await.unwrap();
    let thief = sessions.refresh(first.refresh()).await.unwrap();
    let strong = step_up(&sessions, first.refresh(), mfa()).await.unwrap();
    assert_eq!(strong.session().acr(), Some("mfa"));
    let weak = claims(&sessions, thief.access().as_str()).await;
    assert!(weak.acr().is_none());
    for token in [thief.refresh(), first.refresh()] {
        let error = sessions.refresh(token).await;
        let error = error.unwrap_err();
        assert!(error.status() == 503 || error.code() == Some("invalid_grant"), "{error}");
    }
}

#[tokio::test]
async fn f08_a_step_up_is_of_the_subject_of_the_session() {
    let clock = FixedClock::default();
    let sessions = sessions(&clock);
    let opened = sessions.open(Login::new("ada")).await.unwrap();
    for other in ["mallory", "Ada", ""] {
        let login = Login::new(other).acr("mfa");
        assert_eq!(step_up(&sessions, opened.refresh(), login).await.unwrap_err(), 403);
    }
    for token in ["", "x", &"A".repeat(64)] {
        assert_eq!(step_up(&sessions, token, Login::new("ada")).await.unwrap_err(), 401);
    }
    let next = sessions.refresh(opened.refresh()).await.unwrap();
    assert_eq!(next.session().acr(), None, "nothing has changed");
    sessions.end(next.session().id()).await.unwrap();
    assert_eq!(step_up(&sessions, next.refresh(), Login::new("ada")).await.unwrap_err(), 401);
}

#[tokio::test]
async fn f08_of_step_ups_at_once_one_wins() {
    let clock = FixedClock::default();
    let sessions = sessions(&clock);
    let opened = sessions.open(Login::new("ada")).await.unwrap();
    let all = (0..20).map(|number: u32| {
        let (sessions, token) = (sessions.clone(), opened.refresh().to_owned());
        tokio::spawn(async move {
            let login = Login::new("ada").acr(format!("level-{number}"));
            step_up(&sessions, &token, login).await
        })
    });
    let mut won = Vec::new();
    for one in all.collect::<Vec<_>>() {
        match one.await.unwrap() {
            Ok(tokens) => won.push(tokens),
            Err(status) => assert_eq!(status, 503),
        }
    }
    let [won] = &won[..] else { panic!("{} step-ups have won", won.len()) };
    let kept = sessions.list("ada").await.unwrap();
    assert_eq!(kept[0].acr(), won.session().acr());
    let claims = claims(&sessions, won.access().as_str()).await;
    assert_eq!(claims.acr().as_deref(), kept[0].acr());
}

#[tokio::test]
async fn f08_a_browser_gets_new_cookies() {
    let clock = FixedClock::default();
    let refresh = tokens(MemoryRefreshStore::new(), &clock);
    let issuer = issuer(&clock).build().unwrap();
    let sessions = Sessions::builder(issuer).refresh_tokens(refresh).build().unwrap();
    let opened = sessions.open(Login::new("ada")).await.unwrap();
    let id = opened.session().id();
    let cookie = format!("__Host-sid={id}; __Secure-rt={}", opened.refresh());
    let mfa = || Login::new("ada").acr("mfa");

    // Not shown to come from the same origin, without the cookie, and of somebody else.
    let (mut foreign, _) = Request::post("/auth/step-up").body(()).unwrap().into_parts();
    foreign.headers.insert("cookie", cookie.parse().unwrap());
    foreign.headers.insert("sec-fetch-site", "cross-site".parse().unwrap());
    assert_eq!(answer(&sessions, &foreign, mfa()).await.status, 403);
    assert_eq!(answer(&sessions, &from_browser("a=b"), mfa()).await.status, 401);
    let refused = answer(&sessions, &from_browser(&cookie), Login::new("mallory")).await;
    assert_eq!((refused.status, refused.headers.get("set-cookie")), (403, None));

    let given = answer(&sessions, &from_browser(&cookie), mfa()).await;
    assert_eq!(
        (given.status, &given.headers["cache-control"]),
        (200, &"no-store".parse().unwrap())
    );
    let cookies: Vec<_> = given.headers.get_all("set-cookie").iter().collect();
    assert!(cookies.len() >= 2 && !given.body.contains("token"), "{given:?}");
    assert_eq!(sessions.list("ada").await.unwrap()[0].acr(), Some("mfa"));

    // The spent cookie, while another answer may be on its way, and later.
    let early = answer(&sessions, &from_browser(&cookie), mfa()).await;
    assert_eq!((early.status, early.headers.get("set-cookie")), (503, None));
    assert!(early.headers.contains_key("retry-after"));
    set(&clock, 10);
    let late = answer(&sessions, &from_browser(&cookie), mfa()).await;
    assert_eq!(late.status, 401);
    assert!(late.body.contains("invalid_grant") && late.headers.contains_key("set-cookie"));
    assert!(sessions.list("ada").await.unwrap().is_empty());
}
