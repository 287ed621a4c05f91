use super::*;
use crate::{
    authorize::{Amr, Policy, PolicyExt, Roles, Scopes, StepUp, authenticated, sender_constrained},
    claims::RegisteredClaims,
    verifier::Claims,
};

fn of(policy: impl Policy<RegisteredClaims>) -> PolicyDescription {
    policy.describe()
}

fn scopes(words: &str) -> Scopes {
    Scopes::all_of([words])
}

fn closure(_: &Claims) -> bool {
    true
}

/// The alternatives in short: `a+b`, with `^` for a bound sender and `?` for other conditions.
fn short(description: &PolicyDescription) -> Vec<String> {
    let short = |one: &PolicyAlternative| {
        let bound = if one.is_sender_constrained() { "^" } else { "" };
        let other = if one.has_other_conditions() { "?" } else { "" };
        format!("{}{bound}{other}", one.scopes().join("+"))
    };
    description.alternatives().iter().map(short).collect()
}

#[test]
fn each_policy_says_what_it_requires() {
    let minute = Duration::from_secs(60);
    let empty: [&str; 0] = [];
    for (description, text) in [
        (of(scopes("a")), "the scope a"),
        (of(scopes("a b")), "all of the scopes a b"),
        (of(Scopes::any_of(["a", "b"])), "one of the scopes a b"),
        (of(StepUp::acr(["x", "y"])), "a login of acr x or y"),
        (of(StepUp::login_within(minute)), "a login within 60 s"),
        (of(StepUp::acr(["x"]).max_age(minute)), "a login of acr x within 60 s"),
        (of(StepUp::acr_at_least("x", |_| Some(1))), "a login of acr x or a stronger one"),
        (of(sender_constrained()), "a token that is bound to its sender"),
        (of(authenticated()), "a valid token"),
        (of(Roles::at("a.b").any_of(["x"])), "the role x in `a.b`"),
        (of(Roles::at("r").any_of(["x", "y"])), "one of the roles x y in `r`"),
        (
            of(Roles::keys_of("r").all_of(["x", "y"])),
            "all of the roles x y among the members of `r`",
        ),
        (of(Amr::any_of(["otp", "hwk"])), "a login by one of the methods otp hwk"),
        (of(Amr::all_of(["otp"])), "a login by the method otp"),
        (of(closure), "a condition of the application"),
        (of(closure.described_as("a human being")), "a human being"),
        (of(scopes("a").not()), "not (the scope a)"),
        (of(scopes("a").not().not()), "the scope a"),
        (
            of(scopes("a").and(scopes("b")).and(closure)),
            "the scope a, and the scope b, and a condition of the application",
        ),
        (
            of(scopes("a").and(scopes("b").or(scopes("c")))),
            "the scope a, and (the scope b, or the scope c)",
        ),
        (of(scopes("a").described_as("readers")), "readers"),
        (of(Scopes::any_of(empty)), "no token (the policy names no scope, give it one)"),
        (of(Amr::any_of(empty)), "no token (the policy names no method, give it one)"),
        (of(Roles::at("r").any_of(empty)), "no token (the policy names no role, give it one)"),
        (of(StepUp::acr(empty)), "no token (the policy names no `acr`, give it one)"),
        (of(StepUp::acr(["x"]).not()), "no token (a step-up is under `not`)"),
        (of(scopes("a").and(StepUp::acr(["x"])).not()), "no token (a step-up is under `not`)"),
        (PolicyDescription::any([]), "no token (no alternative is given)"),
        ("a\r\nb\u{1b}".into(), "a\\r\\nb\\u{1b}"),
    ] {
        assert_eq!(description.to_string(), text);
    }
}

#[test]
fn alternatives_are_sets_of_scopes_of_which_one_is_enough() {
    for (description, alternatives) in [
        (of(scopes("a b")), &["a+b"][..]),
        (of(Scopes::any_of(["a", "b"])), &["a", "b"]),
        (of(scopes("a").and(Scopes::any_of(["b", "c"]))), &["a+b", "a+c"]),
        (of(scopes("a").and(scopes("a b"))), &["a+b"]),
        (of(scopes("a").and(closure)), &["a?"]),
        (of(scopes("a").or(closure)), &["a", "?"]),
        (of(scopes("a").and(StepUp::acr(["x"]))), &["a?"]),
        (of(scopes("a").and(sender_constrained()).or(scopes("b"))), &["a^", "b"]),
        (of(scopes("a").not()), &["?"]),
        (of(authenticated()), &[""]),
        (of(scopes("a").described_as("x")), &["a"]),
        // Those that another one covers are left out.
        (of(scopes("a b").or(scopes("a"))), &["a"]),
        (of(scopes("a").or(scopes("a b"))), &["a"]),
        (of(scopes("a").or(authenticated())), &[""]),
        (of(scopes("a").and(closure).or(scopes("a"))), &["a"]),
        (of(scopes("a").and(sender_constrained()).or(scopes("a b"))), &["a^", "a+b"]),
        (of(closure.or(closure)), &["?"]),
        // One with other conditions covers no other.
        (of(closure.or(scopes("a").and(closure))), &["?", "a?"]),
        // No list is empty, which would mean a public operation.
        (of(StepUp::acr(["x"]).not()), &["?"]),
        (of(scopes("a").and(scopes(""))), &["?"]),
        (of(scopes("a").or(scopes(""))), &["a"]),
    ] {
        assert_eq!(short(&description), alternatives, "{description}");
    }
}

#[test]
fn many_alternatives_do_not_multiply() {
    let part =
        |at: usize| PolicyDescription::of(&Scopes::any_of((0..10).map(|n| format!("{at}.{n}"))));
    let all = PolicyDescription::all((0..50).map(part));
    let alternatives = all.alternatives();
    assert_eq!(alternatives.len(), 10);
    assert!(alternatives.iter().all(PolicyAlternative::has_other_conditions));
    assert_eq!(all.scopes().len(), 500);
    let two = PolicyDescription::all([part(0), of(Scopes::any_of(["a", "b", "c"]))]);
    assert_eq!(two.alternatives().len(), 30);
    assert!(!two.alternatives().iter().any(PolicyAlternative::has_other_conditions));
}

#[test]
fn scopes_are_those_that_may_be_needed() {
    for (description, scopes) in [
        (of(scopes("a b").and(Scopes::any_of(["c", "a"]))), &["a", "b", "c"][..]),
        (of(scopes("a").or(scopes("b").not())), &["a"]),
        (of(scopes("a").not().not()), &["a"]),
        (of(scopes("a").described_as("x").or(closure)), &["a"]),
        (of(closure.described_as(of(scopes("a")))), &["a"]),
        (of(authenticated()), &[]),
    ] {
        assert_eq!(description.scopes(), scopes, "{description}");
    }
}

#[test]
fn the_login_is_that_of_a_challenge() {
    let minute = Duration::from_secs(60);
    let both = of(StepUp::acr(["x", "y"]).and(scopes("a").and(StepUp::login_within(minute))));
    assert_eq!((both.acr_values(), both.max_age()), (vec!["x".into(), "y".into()], Some(minute)));
    for none in [of(scopes("a")), of(StepUp::acr(["x"]).or(scopes("a"))), of(closure)] {
        assert_eq!((none.acr_values(), none.max_age()), (Vec::new(), None), "{none}");
    }
}

#[test]
fn a_bound_token_is_required_if_no_alternative_does_without() {
    for (description, is_required) in [
        (of(sender_constrained()), true),
        (of(sender_constrained().and(closure)), true),
        (of(sender_constrained().described_as("x")), true),
        (of(sender_constrained().or(closure)), false),
        (of(sender_constrained().or(sender_constrained().and(closure))), true),
        (of(sender_constrained().not()), false),
        (of(authenticated()), false),
    ] {
        assert_eq!(description.requires_sender_constrained(), is_required, "{description}");
    }
}

#[test]
fn a_text_changes_only_the_text() {
    let policy = || scopes("a").and(StepUp::acr(["x"]));
    let named = of(policy().described_as(PolicyDescription::from("strong readers")));
    assert_eq!(named.challenge(), of(policy()).challenge());
    assert_eq!(named.alternatives(), of(policy()).alternatives());
    assert_eq!(named.acr_values(), ["x"]);
    let claimed = of(scopes("a").described_as(of(scopes("b"))));
    assert_eq!((claimed.to_string(), claimed.scopes()), ("the scope b".into(), vec!["a"]));
}

#[test]
fn json_has_one_member_for_each_requirement() {
    let policy = scopes("a b")
        .and(Scopes::any_of(["c"]).or(closure.not()))
        .and(StepUp::acr_at_least("x", |_| Some(1)))
        .and(sender_constrained().described_as("bound"))
        .and(scopes(""));
    let expected = serde_json::json!({"all_of": [
        {"all_scopes": ["a", "b"]},
        {"any_of": [{"any_scope": ["c"]}, {"not": {"condition": "a condition of the application"}}]},
        {"login": {"acr_values": ["x"], "or_stronger": true}},
        {"text": "bound", "policy": {"sender_constrained": true}},
        {"no_token": "the policy names no scope, give it one"},
    ]});
    assert_eq!(serde_json::to_value(of(policy)).unwrap(), expected);
}
