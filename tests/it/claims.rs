//! The claims of a token with a good signature (RFC 7519 §4.1, RFC 8725
//! §3.8-3.9).

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, EnumAccess, Visitor},
};
use serde_json::{Value, json};
use tower::Layer;
use tower_jwt_auth::{
    Algorithm, ErrorKind, JwtAuthLayer, RegisteredClaims, RequireLayer, TokenSource,
    authorize::{PolicyExt, Roles},
};

use crate::{
    gate::{
        Gate, Inner, accepted, accepted_for, failed, gate, handler, insufficient_scope,
        invalid_token,
    },
    support::{AUDIENCE, FixedClock, ISSUER, NOW, builder, claims, claims_with, key},
};

/// The payload of the usual claims with this one instead, as it is written.
fn payload(name: &str, value: &str) -> String {
    let rest = claims_with(json!({name: null})).to_string();
    rest.replacen('{', &format!("{{\"{name}\":{value},"), 1)
}

fn send_to(gate: &Gate, payload: &str) -> crate::gate::Answer {
    let key = key(Algorithm::ES256);
    gate.bearer(&key.token_of(key.header().to_string(), payload))
}

fn send(name: &str, value: &str) -> crate::gate::Answer {
    send_to(gate(), &payload(name, value))
}

/// What is no date, whatever the claim.
const NO_DATES: [&str; 19] = [
    "true",
    "\"1900000000\"",
    "\"\"",
    "[]",
    "[1900000000]",
    "{}",
    "-1",
    "-0.5",
    "-1900000000",
    "1e400",
    "-1e400",
    "NaN",
    "Infinity",
    "1e308",
    "1e16",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "0x7fffffff",
];

#[test]
fn c01_exp_is_a_date_to_come() {
    assert_eq!(gate().claims(&claims_with(json!({"exp": null}))), invalid_token(), "missing");
    for value in NO_DATES {
        assert_eq!(send("exp", value), invalid_token(), "{value}");
    }
    // Over at `NOW`, with a leeway of 60 s: "on or after" it is too late.
    let at = |seconds: i64| (i64::try_from(NOW).unwrap() + seconds).to_string();
    for (value, good) in [
        (at(600), true),
        (at(0), true),
        (at(-59), true),
        (at(-60), false),
        (at(-61), false),
        (at(600) + ".5", true),
        (at(-59) + ".5", true),
        // Half a second in time, and rounded down.
        (at(-60) + ".9", false),
        (at(-60) + ".0", false),
        (at(-59) + ".000", true),
        ("1.8e9".into(), true),
        ("18000006e2".into(), true),
        ("0".into(), false),
        ("1".into(), false),
        ("-0".into(), false),
        ("0.0".into(), false),
        (i64::MAX.to_string(), true),
        ("9007199254740992.0".into(), true),
    ] {
        assert_eq!(send("exp", &value), if good { accepted() } else { invalid_token() }, "{value}");
    }
}

#[test]
fn a_null_is_the_absence_of_its_claim() {
    for name in ["nbf", "iat", "jti", "client_id", "sid", "scope", "scp", "events"] {
        assert_eq!(send(name, "null"), accepted(), "{name}");
        let twice = format!("null,\"{name}\":null");
        assert_eq!(send(name, &twice), invalid_token(), "{name}");
    }
    for name in ["exp", "iss", "aud", "sub", "cnf"] {
        assert_eq!(send(name, "null"), invalid_token(), "{name}");
    }
}

#[test]
fn b04_an_integer_is_a_subject_if_asked() {
    let asked = builder::<RegisteredClaims>().any_integer_subject().build().unwrap();
    let asked = Gate::new(JwtAuthLayer::new(asked));
    assert_eq!(send("sub", "42"), invalid_token());
    assert_eq!(send_to(&asked, &payload("sub", "42")), accepted_for("42"));
    assert_eq!(send_to(&asked, &payload("sub", "\"alice\"")), accepted());
    for value in ["-1", "4.2", "1e3", "true", "[42]", "\"\"", "null"] {
        assert_eq!(send_to(&asked, &payload("sub", value)), invalid_token(), "{value}");
    }
}

#[test]
fn without_expiry_a_token_has_a_maximum_age() {
    let builder =
        builder::<RegisteredClaims>().dangerous().without_expiry(Duration::from_secs(600));
    let gate = Gate::new(JwtAuthLayer::new(builder.build().unwrap()));
    let at = |exp: Value, iat: Value| gate.claims(&claims_with(json!({"exp": exp, "iat": iat})));
    // Twice: the second time, the token is known.
    for _ in 0..2 {
        assert_eq!(at(json!(null), json!(NOW - 600)), accepted());
        assert_eq!(at(json!(null), json!(NOW - 700)), invalid_token());
        assert_eq!(at(json!(null), json!(null)), invalid_token());
        assert_eq!(at(json!(NOW - 61), json!(NOW)), invalid_token());
        assert_eq!(at(json!(NOW + 60), json!(NOW)), accepted());
    }
}

#[test]
fn c02_nbf_is_a_date_that_has_come() {
    for value in NO_DATES {
        assert_eq!(send("nbf", value), invalid_token(), "{value}");
    }
    for (value, good) in [
        (NOW.to_string(), true),
        ("0".into(), true),
        (format!("{}", NOW + 60), true),
        (format!("{}.0", NOW + 60), true),
        (format!("{}.1", NOW + 60), false),
        (format!("{}", NOW + 61), false),
        (i64::MAX.to_string(), false),
    ] {
        assert_eq!(send("nbf", &value), if good { accepted() } else { invalid_token() }, "{value}");
    }
}

#[test]
fn c03_iat_is_not_to_come_and_not_too_old() {
    for value in NO_DATES {
        assert_eq!(send("iat", value), invalid_token(), "{value}");
    }
    for (ahead, good) in [(0, true), (60, true), (61, false), (1 << 40, false)] {
        let answer = gate().claims(&claims_with(json!({"iat": NOW + ahead})));
        assert_eq!(answer, if good { accepted() } else { invalid_token() }, "{ahead}");
    }
    let young = builder::<RegisteredClaims>().max_age(Duration::from_secs(100));
    let gate = Gate::of(young.leeway(Duration::from_secs(10)));
    for (age, good) in [(0, true), (100, true), (110, true), (111, false), (NOW, false)] {
        let answer = gate.claims(&claims_with(json!({"iat": NOW - age})));
        assert_eq!(answer, if good { accepted() } else { invalid_token() }, "{age}");
    }
    assert_eq!(gate.claims(&claims_with(json!({"iat": null}))), invalid_token(), "missing");
}

#[test]
fn c04_the_issuer_is_exact() {
    assert_eq!(gate().claims(&claims_with(json!({"iss": null}))), invalid_token(), "missing");
    for value in [
        json!("https://other.example.com"),
        json!(format!("{ISSUER}/")),
        json!(ISSUER.to_uppercase()),
        json!(ISSUER.replace("https", "HTTPS")),
        json!(ISSUER.replace("https", "http")),
        json!(ISSUER.replace("login", "lοgin")),
        json!(ISSUER.replace("login", "ｌogin")),
        json!(ISSUER.replace("example", "%65xample")),
        json!(ISSUER.replace(".com", ".com:443")),
        json!(ISSUER.replace("//", "//user@")),
        json!(ISSUER.replace(".com", ".com.")),
        json!(format!("{ISSUER}.evil.example")),
        json!(format!("{ISSUER}#")),
        json!(format!("{ISSUER}?")),
        json!(format!("{ISSUER}\0")),
        json!(format!(" {ISSUER}")),
        json!(format!("{ISSUER} ")),
        json!(&ISSUER[..ISSUER.len() - 1]),
        json!("login.example.com"),
        json!(""),
        json!([ISSUER]),
        json!([]),
        json!({"iss": ISSUER}),
        json!(7),
        json!(true),
    ] {
        assert_eq!(gate().claims(&claims_with(json!({"iss": value}))), invalid_token(), "{value}");
    }
    assert_eq!(send("iss", "null"), invalid_token());
    // Another way to write the same text.
    let escaped = format!("\"{}\"", ISSUER.replace('/', "\\/"));
    assert_eq!(send("iss", &escaped), accepted());
    let any = Gate::of(builder::<RegisteredClaims>().any_issuer());
    assert_eq!(any.claims(&claims_with(json!({"iss": null}))), accepted());
    assert_eq!(any.claims(&claims_with(json!({"iss": [ISSUER]}))), invalid_token());
}

#[test]
fn c05_the_audience_has_our_name() {
    assert_eq!(gate().claims(&claims_with(json!({"aud": null}))), invalid_token(), "missing");
    for value in [
        json!("https://other.example.com"),
        json!([]),
        json!([[]]),
        json!(""),
        json!([""]),
        json!(7),
        json!(true),
        json!({"aud": AUDIENCE}),
        json!({"0": AUDIENCE}),
        json!([AUDIENCE, 7]),
        json!([7, AUDIENCE]),
        json!([AUDIENCE, null]),
        json!([null]),
        json!([[AUDIENCE]]),
        json!([AUDIENCE, ["x"]]),
        json!([AUDIENCE, {}]),
        json!(format!("{AUDIENCE} x")),
        json!(format!("x,{AUDIENCE}")),
        json!(format!("{AUDIENCE}/")),
        json!(format!("{AUDIENCE}\0")),
        json!(format!("[\"{AUDIENCE}\"]")),
        json!(AUDIENCE.to_uppercase()),
        json!(AUDIENCE.replace('a', "а")),
        json!(&AUDIENCE[1..]),
        json!("*"),
    ] {
        assert_eq!(gate().claims(&claims_with(json!({"aud": value}))), invalid_token(), "{value}");
    }
    assert_eq!(send("aud", "null"), invalid_token());
    for value in [json!([AUDIENCE]), json!(["x", AUDIENCE, "y"]), json!([AUDIENCE, AUDIENCE])] {
        assert_eq!(gate().claims(&claims_with(json!({"aud": value}))), accepted(), "{value}");
    }
    let any = Gate::of(builder::<RegisteredClaims>().any_audience());
    for value in [json!(null), json!("x"), json!([])] {
        assert_eq!(any.claims(&claims_with(json!({"aud": value}))), accepted(), "{value}");
    }
    for value in [json!(7), json!([7])] {
        assert_eq!(any.claims(&claims_with(json!({"aud": value}))), invalid_token(), "{value}");
    }
}

#[test]
fn c06_a_required_claim_is_there() {
    let names = ["tenant", "jti", "scope", "scp", "sid", "client_id", "nbf", "realm_access.roles"];
    for name in names {
        let gate = Gate::of(builder::<RegisteredClaims>().required_claim(name));
        let without = claims_with(json!({name: null}));
        assert_eq!(gate.claims(&without), invalid_token(), "{name}");
        assert_eq!(send_to(&gate, &payload(name, "null")), invalid_token(), "{name}");
        let cased = claims_with(json!({name: null, name.to_uppercase(): "x"}));
        assert_eq!(gate.claims(&cased), invalid_token(), "{name}");
        let value = if name == "nbf" { json!(1) } else { json!("x") };
        assert_eq!(gate.claims(&claims_with(json!({name: value}))), accepted(), "{name}");
    }
    for value in ["false", "0", "\"\"", "[]", "{}"] {
        let gate = Gate::of(builder::<RegisteredClaims>().required_claim("tenant"));
        assert_eq!(send_to(&gate, &payload("tenant", value)), accepted(), "{value}");
        // Within something else it is another claim.
        let nested = claims_with(json!({"x": {"tenant": 1}}));
        assert_eq!(gate.claims(&nested), invalid_token());
    }
    let bound = builder::<RegisteredClaims>().dangerous().ignore_confirmation();
    let gate = Gate::of(bound.required_claim("cnf"));
    assert_eq!(send_to(&gate, &payload("cnf", "null")), invalid_token());
    assert_eq!(send_to(&gate, &payload("cnf", "{}")), accepted());
}

#[test]
fn c06_a_claim_that_is_required_twice_is_required_once() {
    let twice = builder::<RegisteredClaims>().required_claim("jti").required_claim("jti");
    let gate = Gate::of(twice);
    assert_eq!(gate.claims(&claims_with(json!({"jti": "x"}))), accepted());
    assert_eq!(gate.claims(&claims()), invalid_token());
}

#[test]
fn c06_a_subject_is_required_unless_it_is_not_asked_for() {
    for value in ["null", "\"\"", "7", "[\"alice\"]", "{}", "true"] {
        assert_eq!(send("sub", value), invalid_token(), "{value}");
    }
    assert_eq!(gate().claims(&claims_with(json!({"sub": null}))), invalid_token());
    let without = Gate::of(builder::<RegisteredClaims>().without_subject());
    assert_eq!(without.claims(&claims_with(json!({"sub": null}))), accepted_for("no subject"));
    assert_eq!(send_to(&without, &payload("sub", "7")), invalid_token());
    let named = builder::<RegisteredClaims>().without_subject().required_claim("sub");
    let named = Gate::of(named);
    for value in ["null", "\"\""] {
        assert_eq!(send_to(&named, &payload("sub", value)), invalid_token(), "{value}");
    }
    // The application is given it as it stands in the token.
    for subject in ["a\u{0}b", "a\r\nb", "e\u{301}", " alice ", "ａlice", "../..", "\u{202e}x"] {
        let answer = gate().claims(&claims_with(json!({"sub": subject})));
        assert_eq!(answer, accepted_for(subject), "{subject:?}");
    }
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only read by serde")]
struct User {
    level: u8,
    kind: Kind,
}

#[derive(Deserialize)]
enum Kind {
    Human,
    Robot,
}

#[test]
fn c07_claims_that_do_not_fit_are_a_bad_token() {
    let gate = Gate::of(builder::<User>());
    let good = claims_with(json!({"level": 1, "kind": "Human"}));
    assert_eq!(gate.claims(&good), accepted());
    for wrong in [
        json!({}),
        json!({"level": 1}),
        json!({"level": "1", "kind": "Human"}),
        json!({"level": 256, "kind": "Human"}),
        json!({"level": -1, "kind": "Human"}),
        json!({"level": 1.5, "kind": "Human"}),
        json!({"level": 1, "kind": "Admin"}),
        json!({"level": 1, "kind": {"Human": 1}}),
        json!({"level": {"$serde_json::private::Number": "1"}, "kind": "Human"}),
        json!({"level": [], "kind": {}}),
    ] {
        assert_eq!(gate.claims(&claims_with(wrong.clone())), invalid_token(), "{wrong}");
    }
    // Types that want no object at all.
    assert_eq!(Gate::of(builder::<Vec<Value>>()).claims(&good), invalid_token());
    assert_eq!(Gate::of(builder::<String>()).claims(&good), invalid_token());
    assert_eq!(Gate::of(builder::<()>()).claims(&good), invalid_token());
    assert_eq!(Gate::of(builder::<Value>()).claims(&good), accepted());
}

/// Asks for its variant as a number, and would take a string.
struct Odd;

impl<'de> Deserialize<'de> for Odd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_enum("Odd", &[], Self)
    }
}

impl<'de> DeserializeSeed<'de> for Odd {
    type Value = Self;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u64(self)
    }
}

impl<'de> Visitor<'de> for Odd {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Self, A::Error> {
        data.variant_seed(self).map(|(odd, _)| odd)
    }
}

#[test]
fn c07_a_type_gets_what_serde_json_gives_it() {
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Odder {
        kind: Odd,
    }
    let claims = claims_with(json!({"kind": "Human"}));
    assert!(serde_json::from_str::<Odder>(&claims.to_string()).is_err());
    assert_eq!(Gate::of(builder::<Odder>()).claims(&claims), invalid_token());
}

#[test]
fn c08_the_largest_durations_overflow_nothing() {
    let durations = [Duration::ZERO, Duration::from_secs(u64::MAX), Duration::MAX];
    for leeway in durations {
        for max_age in durations {
            let clock = FixedClock::default();
            let builder = builder::<RegisteredClaims>().dangerous().any_leeway(leeway);
            let gate = Gate::of(builder.max_age(max_age).clock(clock.clone()));
            for now in [0, 1, NOW, i64::MAX as u64] {
                let Some(time) = UNIX_EPOCH.checked_add(Duration::from_secs(now)) else {
                    continue;
                };
                clock.set(time);
                for date in [json!(0), json!(NOW), json!(i64::MAX)] {
                    let dates = json!({"exp": date, "nbf": date, "iat": date});
                    let answer = gate.claims(&claims_with(dates));
                    assert!([accepted(), invalid_token()].contains(&answer), "{answer:?}");
                    if leeway > Duration::ZERO && now < i64::MAX as u64 {
                        assert_eq!(answer, accepted(), "all the time there is");
                    }
                }
            }
        }
    }
    // Without the name that says what it does, no such leeway is taken.
    for leeway in [Duration::from_secs(301), Duration::MAX] {
        assert!(builder::<RegisteredClaims>().leeway(leeway).build().is_err());
    }
    assert!(builder::<RegisteredClaims>().max_age(Duration::MAX).build().is_ok());
}

#[test]
fn c09_scopes_are_read_from_both_claims() {
    let wanting = |scopes: [&'static str; 1]| {
        let inner = RequireLayer::scopes(scopes).layer(handler::<RegisteredClaims>());
        let layer = JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap());
        Gate::around(&layer, Inner::new(inner))
    };
    let admin = wanting(["admin"]);
    let with = |scopes: Value| admin.claims(&claims_with(scopes));
    for good in [
        json!({"scope": "admin"}),
        json!({"scope": "read admin"}),
        json!({"scope": "  admin  read"}),
        json!({"scope": null, "scp": "admin"}),
        json!({"scope": null, "scp": "read admin"}),
        json!({"scope": null, "scp": ["read", "admin"]}),
        json!({"scope": "read", "scp": ["admin"]}),
        json!({"scope": "admin", "scp": []}),
        // As Duende, Spring Authorization Server and UAA write it.
        json!({"scope": ["read", "admin"]}),
        json!({"scope": ["admin"], "scp": "read"}),
    ] {
        assert_eq!(with(good.clone()), accepted(), "{good}");
    }
    for less in [
        json!({"scope": null}),
        json!({"scope": ""}),
        json!({"scope": "read"}),
        json!({"scope": "Admin"}),
        json!({"scope": "administrator"}),
        json!({"scope": "admin,read"}),
        json!({"scope": "read\tadmin"}),
        json!({"scope": "read\u{a0}admin"}),
        json!({"scope": "read\nadmin"}),
        json!({"scope": "ad min"}),
        json!({"scope": null, "scp": []}),
        json!({"scope": null, "scp": ["read admin"]}),
        json!({"scope": null, "roles": ["admin"], "scopes": "admin"}),
    ] {
        assert_eq!(with(less.clone()), insufficient_scope("admin"), "{less}");
    }
    for wrong in [
        json!({"scope": ["admin", 7]}),
        json!({"scope": [["admin"]]}),
        json!({"scope": 7}),
        json!({"scope": true}),
        json!({"scope": {"admin": true}}),
        json!({"scp": 7}),
        json!({"scp": ["admin", 7]}),
        json!({"scp": [["admin"]]}),
        json!({"scope": "admin", "scp": {"admin": true}}),
        json!({"scope": ["admin"], "scp": ["admin", null]}),
    ] {
        assert_eq!(with(wrong.clone()), insufficient_scope("admin"), "{wrong}");
        // Where nobody asks for scopes, the token is as good as before.
        assert_eq!(gate().claims(&claims_with(wrong.clone())), accepted(), "{wrong}");
    }
    assert_eq!(send_to(&admin, &payload("scope", "null")), insufficient_scope("admin"));
    // The token comes first: no 403 to whom it is not for.
    assert_eq!(with(json!({"aud": "x"})), invalid_token());
    assert_eq!(admin.get::<&str>(&[]), crate::gate::bare());
}

/// The checks are in the order of the documentation: the client before the application's type.
#[test]
fn a_token_of_another_client_is_refused_before_it_is_read_as_a_type() {
    #[derive(Deserialize)]
    struct Strict {
        #[allow(dead_code, reason = "it is only read")]
        tenant: String,
    }
    let verifier = builder::<Strict>().client_id("app").build().unwrap();
    let kind = |changes| {
        let token = key(Algorithm::ES256).token(&claims_with(changes));
        verifier.verify(&token).now_or_never().unwrap().unwrap_err().kind().clone()
    };
    assert_eq!(kind(json!({"client_id": "other"})), ErrorKind::Client);
    assert!(matches!(kind(json!({"client_id": "app"})), ErrorKind::ClaimsType { .. }));
}

#[test]
fn c09_roles_of_a_wrong_type_are_none() {
    let policy = Roles::at("realm_access.roles").any_of(["admin"]);
    let inner = RequireLayer::new(policy).layer(handler::<RegisteredClaims>());
    let layer = JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap());
    let gate = Gate::around(&layer, Inner::new(inner));
    let with = |roles: Value| gate.claims(&claims_with(json!({"realm_access": {"roles": roles}})));
    assert_eq!(with(json!(["x", "admin"])), accepted());
    assert_eq!(with(json!("admin")), accepted());
    for roles in [json!(["admin", 7]), json!({"admin": 1}), json!("admin,x"), json!([]), json!(7)] {
        let answer = with(roles.clone());
        assert_eq!((answer.status, answer.reached), (403, false), "{roles}");
    }
    let dotted = claims_with(json!({"realm_access.roles": ["admin"]}));
    assert_eq!(gate.claims(&dotted).status, 403);
}

#[test]
fn b10_roles_are_the_member_names_of_an_object() {
    let at = "urn:zitadel:iam:org:project:roles";
    let gate = |policy: RequireLayer| {
        let layer = JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap());
        Gate::around(&layer, Inner::new(policy.layer(handler::<RegisteredClaims>())))
    };
    let any = gate(RequireLayer::new(Roles::keys_of(at).any_of(["admin", "owner"])));
    let all = gate(RequireLayer::new(Roles::keys_of(at).all_of(["admin", "owner"])));
    let plain = gate(RequireLayer::new(Roles::at(at).any_of(["admin"])));
    let absent = gate(RequireLayer::new(Roles::keys_of(at).any_of(["admin"]).not()));
    for (roles, statuses) in [
        (json!({"admin": {"2867": "auth.example"}}), [200, 403, 403, 403]),
        (json!({"admin": null, "owner": 1}), [200, 200, 403, 403]),
        (json!({"user": {"admin": {}}}), [403, 403, 403, 200]),
        (json!({}), [403, 403, 403, 200]),
        (json!(null), [403, 403, 403, 200]),
        // Of another form: neither the role nor its absence is known.
        (json!(["admin", "owner"]), [403, 403, 200, 403]),
        (json!("admin"), [403, 403, 200, 403]),
        (json!(7), [403, 403, 403, 403]),
    ] {
        let found = [&any, &all, &plain, &absent]
            .map(|gate| gate.claims(&claims_with(json!({at: roles}))).status);
        assert_eq!(found, statuses, "{roles}");
    }
}

#[test]
fn c10_a_clock_far_off_is_no_panic() {
    let far = [u64::MAX, i64::MAX as u64, 1 << 40].map(Duration::from_secs);
    let times = far.into_iter().filter_map(|far| UNIX_EPOCH.checked_add(far));
    for time in times {
        let gate = Gate::of(builder::<RegisteredClaims>().clock(FixedClock::at(time)));
        assert_eq!(gate.claims(&claims()), invalid_token());
    }
    let gate_at = |time| Gate::of(builder::<RegisteredClaims>().clock(FixedClock::at(time)));
    // Seconds after 1970: everything was issued in the future.
    assert_eq!(gate_at(UNIX_EPOCH).claims(&claims()), invalid_token());
    // Before it the machine is at fault, not the client.
    let early = [Duration::from_nanos(1), Duration::from_secs(1), far[1]];
    let early: Vec<SystemTime> =
        early.into_iter().filter_map(|before| UNIX_EPOCH.checked_sub(before)).collect();
    for time in early {
        assert_eq!(gate_at(time).claims(&claims()), failed());
        assert_eq!(gate_at(time).bearer("x"), invalid_token());
        assert_eq!(gate_at(time).claims(&claims_with(json!({"aud": "x"}))), invalid_token());
    }
}

#[test]
fn c11_a_bound_token_is_no_bearer_token() {
    let cookies = JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap())
        .source(TokenSource::cookie("at").build().unwrap());
    let cookies = Gate::new(cookies);
    let ignoring = Gate::of(builder::<RegisteredClaims>().dangerous().ignore_confirmation());
    for cnf in [
        json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
        json!({"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}),
        json!({"jwk": {}}),
        json!({"kid": "x"}),
        json!({"something": "new"}),
        json!({"jkt": 7}),
        json!({"jkt": ""}),
        json!({}),
        json!([]),
        json!("x"),
        json!(7),
        json!(false),
    ] {
        let bound = claims_with(json!({"cnf": cnf}));
        assert_eq!(gate().claims(&bound), invalid_token(), "{cnf}");
        let token = key(Algorithm::ES256).token(&bound);
        let cookie = cookies.get(&[("cookie", format!("at={token}"))]);
        assert_eq!(cookie, invalid_token(), "{cnf}");
        // A proof that nobody checks proves nothing.
        let proof = [("authorization", format!("Bearer {token}")), ("dpop", token.clone())];
        assert_eq!(gate().get(&proof), invalid_token(), "{cnf}");
        assert_eq!(ignoring.claims(&bound), accepted(), "{cnf}");
    }
    assert_eq!(send("cnf", "null"), invalid_token());
    for text in [r#"{"jkt":"a","jkt":"b"}"#, r#"{"jwk":{"kty":"EC","\u006bty":"EC"}}"#] {
        assert_eq!(send_to(&ignoring, &payload("cnf", text)), invalid_token(), "{text}");
    }
    // Elsewhere it is but a name.
    assert_eq!(gate().claims(&claims_with(json!({"x": {"cnf": {"jkt": "a"}}}))), accepted());
}

#[test]
fn what_is_empty_in_a_configuration_is_named_and_can_be_mended() {
    let usual = builder::<RegisteredClaims>;
    for (builder, message) in [
        (usual().issuer(""), "the issuer is empty, give it"),
        (usual().audience(""), "the audience is empty, give it"),
        (usual().required_claim(""), "the name of a required claim is empty, leave"),
        (usual().token_types([""; 0]), "the list of token types is empty, name one"),
    ] {
        let error = builder.build().unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}
