//! Logins that are shorter than others.

use std::time::Duration;

use serde_json::{Value, json};
use tower_jwt_auth::refresh::{Family, Login, MemoryRefreshStore, RefreshTokens, Session};

use super::set;
use crate::support::{FixedClock, NOW};

#[tokio::test]
async fn a_lifetime_is_never_beyond_the_configured_one() {
    let clock = FixedClock::default();
    let builder = || RefreshTokens::builder(MemoryRefreshStore::new()).clock(clock.clone());
    let seconds = Duration::from_secs;
    let tokens = builder().idle_lifetime(seconds(100)).absolute_lifetime(seconds(300));
    let tokens = tokens.browser_idle_lifetime(seconds(60)).build().unwrap();
    let ends = async |login: Login| {
        let opened = tokens.open(login).await.unwrap();
        let session = opened.session();
        let from_now = |time: i64| time - i64::try_from(NOW).unwrap();
        (from_now(session.expires_at()), from_now(session.absolute_expires_at()))
    };
    let ada = || Login::new("ada");
    assert_eq!(ends(ada()).await, (100, 300));
    assert_eq!(ends(ada().lifetime(seconds(200))).await, (100, 200));
    assert_eq!(ends(ada().lifetime(seconds(30))).await, (30, 30));
    assert_eq!(ends(ada().lifetime(seconds(9000))).await, (100, 300));
    assert_eq!(ends(ada().lifetime(Duration::MAX)).await, (100, 300));
    assert_eq!(ends(ada().lifetime(Duration::ZERO)).await, (1, 1));
    assert_eq!(ends(ada().until_browser_closes()).await, (60, 300));
    assert_eq!(ends(ada().until_browser_closes().lifetime(seconds(20))).await, (20, 20));
    // The idle lifetime of the others is the longest.
    let tokens = builder().idle_lifetime(seconds(100)).build().unwrap();
    let opened = tokens.open(ada().until_browser_closes()).await.unwrap();
    assert_eq!(opened.session().expires_at(), i64::try_from(NOW + 100).unwrap());
    // And by default, it is a day.
    let opened = builder().build().unwrap().open(ada().until_browser_closes()).await.unwrap();
    assert_eq!(opened.session().expires_at(), i64::try_from(NOW + 24 * 60 * 60).unwrap());
    assert!(builder().browser_idle_lifetime(seconds(59)).build().is_err());
    set(&clock, 0);
}

#[test]
fn families_of_older_versions_are_read() {
    let old = json!({
        "session": {
            "id": "i", "subject": "ada", "created_at": 1, "refreshed_at": 1, "idle_until": 9,
            "ends_at": 20,
        },
        "current": "A".repeat(43),
    });
    let family: Family = serde_json::from_value(old.clone()).unwrap();
    assert!(!family.session().ends_with_browser());
    // Older versions read what is written of a usual login, too.
    assert_eq!(serde_json::to_value(&family).unwrap(), old);
    let mut new: Value = old["session"].clone();
    new["browser_idle"] = json!(60);
    let session: Session = serde_json::from_value(new).unwrap();
    assert!(session.ends_with_browser());
    // They say nothing of the login: it was when the session was opened, and is bound to nothing.
    assert_eq!((session.auth_time(), session.acr(), session.jkt()), (1, None, None));
    assert!(session.amr().is_empty() && session.x5t_s256().is_none());
    // A session whose confirmation cannot be read is not one without.
    for cnf in [json!({}), json!({"jkt": "x"}), json!({"kid": "x"}), json!({"jkt": null})] {
        let mut bad: Value = old["session"].clone();
        bad["cnf"] = cnf.clone();
        assert!(serde_json::from_value::<Session>(bad).is_err(), "{cnf}");
    }
}
