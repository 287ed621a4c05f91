//! Settings that the builder refuses.

use std::time::Duration;

use super::*;
use crate::error::ConfigError;

fn builder() -> DPoPBuilder {
    DPoP::required().public_url(URL).replay_store(Store::default())
}

fn refusal(builder: DPoPBuilder) -> String {
    builder.build().unwrap_err().to_string()
}

#[test]
fn modes() {
    let dpop = builder().build().unwrap();
    assert!(dpop.is_required() && !super::dpop().0.is_required());
    assert_eq!(dpop.algorithms(), "ES256 EdDSA");
}

#[test]
fn a_public_url_is_named() {
    let none = || DPoP::required().replay_store(Store::default());
    assert!(refusal(none()).contains(".public_url("));
    for url in [
        "http://localhost:3000",
        "http://127.0.0.2/",
        "http://[::1]:80",
        "HTTPS://API.example.com:443/a/../b",
        "https://[2001:db8::1]/api/",
        "https://xn--bcher-kva.example",
    ] {
        assert!(none().public_url(url).build().is_ok(), "{url}");
    }
    for url in [
        "",
        "api.example.com",
        "/api",
        "//api.example.com",
        "https:api.example.com",
        "http://api.example.com",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "wss://api.example.com",
        "https://",
        "https:///api",
        "https://user@api.example.com",
        "https://user:password@api.example.com",
        "https://api.example.com?",
        "https://api.example.com/?a=b",
        "https://api.example.com/#a",
        "https://api.example.com:99999",
        "https://api.example.com:+443",
        "https://api.example.com/%zz",
        "https://api.example.com\\api",
        "https://bücher.example",
        "https://[::1",
        "https://api.example.com/ ",
    ] {
        let error = none().public_url(url).build().unwrap_err();
        assert!(matches!(error, ConfigError::PublicUrl(_)), "{url}: {error}");
        // It is named, but no password is.
        assert_eq!(error.to_string().contains(&format!("{url:?}")), !url.contains('@'), "{error}");
        assert!(!error.to_string().contains("password@"), "{error}");
        // One good URL does not hide it.
        assert!(none().public_url(URL).public_url(url).build().is_err(), "{url}");
    }
}

#[test]
fn a_public_url_that_cannot_be_used_is_told_with_what_to_write() {
    for (url, hint) in [
        ("a.example", "begin with a scheme"),
        ("https://ä.example", "`xn--`"),
        ("https://ä.example/ä", "`xn--`"),
        ("https://a.example/ä", "percent-encoded"),
        ("https://a:b@a.example", "no user name"),
        ("https://a.example/?x", "no query"),
        ("ftp://a.example", "`https` URL"),
        ("http://a.example", "terminates TLS"),
        ("https://", "with a host"),
    ] {
        let told = refusal(DPoP::required().replay_store(Store::default()).public_url(url));
        assert!(told.contains(hint), "{url}: {told}");
    }
}

#[test]
fn a_setting_without_an_effect_is_refused() {
    let nonces = || Nonces::new([7; 32]).unwrap();
    let any_clock = || builder().nonces(nonces().any_client_clock());
    let age = Duration::from_secs(30);
    assert!(any_clock().build().is_ok());
    assert!(refusal(any_clock().max_age(age)).contains("leave out `.max_age(…)`"));
    assert!(any_clock().dangerous().any_max_age(age).build().is_err());
    assert!(builder().nonces(nonces()).max_age(age).build().is_ok());

    let named = |builder: DPoPBuilder| builder.service_name("orders");
    let bare = || DPoP::required().public_url(URL);
    assert!(named(builder()).build().is_ok());
    assert!(refusal(named(bare().nonces(nonces()))).contains("add `.replay_store(…)`"));
    assert!(named(bare().dangerous().replay_protection_elsewhere()).build().is_err());
}

#[test]
fn something_keeps_proofs_from_being_repeated() {
    let bare = || DPoP::required().public_url(URL);
    let told = refusal(bare());
    assert!(told.contains("replay_store") && told.contains("nonces"), "{told}");
    let nonces = || Nonces::new([7; 32]).unwrap();
    assert!(bare().nonces(nonces()).build().is_ok());
    assert!(builder().nonces(nonces()).build().is_ok());
    assert!(bare().dangerous().replay_protection_elsewhere().build().is_ok());
    assert!(builder().dangerous().replay_protection_elsewhere().build().is_err());
    assert!(refusal(builder().replay_store(Store::default())).contains("once"));
    assert!(refusal(builder().nonces(nonces()).nonces(nonces())).contains("once"));
}

#[test]
fn algorithms_are_asymmetric() {
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        assert!(builder().algorithms([Algorithm::ES256, algorithm]).build().is_err());
    }
    assert!(builder().algorithms([]).build().is_err());
    let twice = [Algorithm::EdDSA, Algorithm::ES256, Algorithm::EdDSA];
    assert_eq!(builder().algorithms(twice).build().unwrap().algorithms(), "EdDSA ES256");
    let is_there = cfg!(feature = "aws_lc_rs");
    assert_eq!(builder().algorithms([Algorithm::ES512]).build().is_ok(), is_there);
}

#[test]
fn times_are_in_their_range() {
    let seconds = Duration::from_secs;
    for (age, is_fine) in [(0, false), (1, true), (300, true), (301, false)] {
        assert_eq!(builder().max_age(seconds(age)).build().is_ok(), is_fine, "{age}");
    }
    for (age, is_fine) in [(0, false), (301, true), (86_400, true), (86_401, false)] {
        let built = builder().dangerous().any_max_age(seconds(age)).build();
        assert_eq!(built.is_ok(), is_fine, "{age}");
    }
    // The last call counts.
    let builder_of_both = builder().dangerous().any_max_age(seconds(600)).max_age(seconds(600));
    assert!(builder_of_both.build().is_err());
    for (time, is_fine) in [(0, true), (60, true), (61, false)] {
        assert_eq!(builder().max_ahead(seconds(time)).build().is_ok(), is_fine, "{time}");
    }
    for (period, is_fine) in [(0, false), (1, true), (300, true), (301, false), (u64::MAX, false)] {
        let nonces = Nonces::new([7; 32]).unwrap().period(seconds(period));
        assert_eq!(builder().nonces(nonces).build().is_ok(), is_fine, "{period}");
    }
    assert!(builder().service_name("").build().is_err());
}

#[test]
fn secrets_are_long() {
    for secret in [&[][..], b"short", &[7; 31], &[0; 32]] {
        assert!(Nonces::new(secret).is_err());
        assert!(Nonces::with_secrets([&[7; 32][..], secret]).is_err());
    }
    assert!(Nonces::with_secrets([[7; 32]; 0]).is_err());
    assert!(Nonces::new([7; 33]).is_ok());
}
