//! Places, numbers and schemes: of proofs, and of the tokens that they are for (RFC 9449 §4.3 check 1,
//! §7.1, §7.2).

use http::{
    HeaderName,
    header::{AUTHORIZATION, FORWARDED, HOST},
};

use super::{super::bearer, Attack, Client, Draft, Forge, Head, credentials, right};
use crate::attack::Check::{self, Binding, Bound, Proof, ProofAddress};

pub(super) fn attacks(client: &Client, forge: &Forge, unbound: &Forge) -> Vec<Attack> {
    let mut all = numbers(client, forge);
    all.extend(schemes(client, forge, unbound));
    all.extend(addresses(client, forge));
    all
}

/// Tokens that are not bound, where every token must be.
pub(super) fn unbound(client: &Client, forge: &Forge, unbound: &Forge) -> Vec<Attack> {
    let token = unbound.good();
    let head = || Head::default().header(AUTHORIZATION, bearer(&token));
    let plain = Attack::new(
        "d03_unbound_token",
        Bound,
        "a token that is not bound is behind `Bearer`, without a proof",
        head(),
    );
    let description = "a token that is not bound is behind `Bearer`, with a right proof";
    let proved = Attack::new("d03_unbound_token_with_proof", Bound, description, head());
    let proof = client.proof(&token, forge, right);
    vec![plain, Attack { proof: Some(proof), ..proved }]
}

/// No proof, or several.
fn numbers(client: &Client, forge: &Forge) -> Vec<Attack> {
    let good = forge.good();
    let attack = |name, description, make: fn(&Draft<'_>) -> Vec<String>| {
        client.attack((name, Proof, description), &good, forge, move |draft| Some(make(draft)))
    };
    vec![
        attack("d01_proof_missing", "the request has no proof", |_| Vec::new()),
        attack("d01_proof_empty", "the header `DPoP` is empty", |_| vec![String::new()]),
        attack("d01_two_proofs", "the request has two headers `DPoP` with right proofs", |draft| {
            vec![draft.right(), draft.other()]
        }),
        attack("d01_two_proofs_same", "the request has the same header `DPoP` twice", |draft| {
            let proof = draft.right();
            vec![proof.clone(), proof]
        }),
        attack("d01_good_then_bad", "a bad proof is in the second of two headers", |draft| {
            vec![draft.right(), "a.b.c".to_owned()]
        }),
        attack("d01_bad_then_good", "a bad proof is in the first of two headers", |draft| {
            vec!["a.b.c".to_owned(), draft.right()]
        }),
        attack("d01_list", "two right proofs are in one header `DPoP`", |draft| {
            vec![format!("{}, {}", draft.right(), draft.other())]
        }),
        attack("d01_list_of_bad", "a right and a bad proof are in one header `DPoP`", |draft| {
            vec![format!("{}, a.b.c", draft.right())]
        }),
        attack("d01_no_jws", "the proof is a word", |_| vec!["proof".to_owned()]),
        attack("d01_token_as_proof", "the token is in the header `DPoP`, too", |draft| {
            vec![draft.proof.token.clone().into()]
        }),
        attack("d01_htm_of_override", "`htm` is the method in `X-HTTP-Method-Override`", |draft| {
            let mut claims = draft.claims.clone();
            claims.set_text("htm", "DELETE");
            vec![draft.signed(&draft.header, &claims)]
        })
        .with_header(HeaderName::from_static("x-http-method-override"), "DELETE"),
    ]
}

/// A bound token that is sent as a bearer token, and the reverse.
fn schemes(client: &Client, forge: &Forge, unbound: &Forge) -> Vec<Attack> {
    let (good, bearer_token) = (&*forge.good(), &*unbound.good());
    let head = Head::default;
    let (as_bearer, as_dpop) = (bearer(good), credentials(good));
    let attack = |name: &'static str, description: &'static str, head: Head| {
        Attack::new(name, Binding, description, head)
    };
    let proved = |attack: Attack, token: &str| {
        let proof = client.proof(token, forge, right);
        Attack { proof: Some(proof), ..attack }
    };
    vec![
        attack(
            "d03_bound_token_without_proof",
            "a bound token is behind `Bearer`, without a proof",
            head().header(AUTHORIZATION, &as_bearer),
        ),
        proved(
            attack(
                "d03_bound_token_as_bearer",
                "a bound token is behind `Bearer`, with a right proof",
                head().header(AUTHORIZATION, &as_bearer),
            ),
            good,
        ),
        proved(
            attack(
                "d03_bearer_then_dpop",
                "a bound token is in two `Authorization`, first behind `Bearer`",
                head().header(AUTHORIZATION, &as_bearer).header(AUTHORIZATION, &as_dpop),
            ),
            good,
        ),
        proved(
            attack(
                "d03_dpop_then_bearer",
                "a bound token is in two `Authorization`, first behind `DPoP`",
                head().header(AUTHORIZATION, &as_dpop).header(AUTHORIZATION, &as_bearer),
            ),
            good,
        ),
        proved(
            attack(
                "d03_unbound_then_bound",
                "two tokens are in two `Authorization`, and only the second is bound",
                head().header(AUTHORIZATION, bearer(bearer_token)).header(AUTHORIZATION, &as_dpop),
            ),
            good,
        ),
        proved(
            attack(
                "d03_bound_token_in_query",
                "a bound token is in `access_token` of the query, with a right proof",
                head().query(format!("access_token={good}")),
            ),
            good,
        ),
        attack(
            "d03_bound_token_in_query_without_proof",
            "a bound token is in `access_token` of the query, without a proof",
            head().query(format!("access_token={good}")),
        ),
        attack(
            "d03_unbound_token_as_dpop",
            "a token that is not bound is behind `DPoP`, without a proof",
            head().header(AUTHORIZATION, credentials(bearer_token)),
        ),
        proved(
            attack(
                "d03_unbound_token_as_dpop_with_proof",
                "a token that is not bound is behind `DPoP`, with a right proof",
                head().header(AUTHORIZATION, credentials(bearer_token)),
            ),
            bearer_token,
        ),
    ]
}

/// Proofs for another address, which a header of the request names.
fn addresses(client: &Client, forge: &Forge) -> Vec<Attack> {
    let good = forge.good();
    let attack = |name, description, header: HeaderName, value: &'static str| {
        let about: (_, Check, _) = (name, ProofAddress, description);
        let attack = client.attack(about, &good, forge, |draft| {
            Some(vec![draft.with_address(&format!("{OTHER}{}", draft.sent.path))])
        });
        attack.with_header(header, value)
    };
    let named = HeaderName::from_static;
    let mut all = vec![
        attack(
            "d05_htu_of_host",
            "the host in the `htu` of the proof is that of `Host`",
            HOST,
            NAME,
        ),
        attack(
            "d05_htu_of_forwarded_host",
            "the host in the `htu` of the proof is that of `X-Forwarded-Host`",
            named("x-forwarded-host"),
            NAME,
        ),
        attack(
            "d05_htu_of_forwarded",
            "the host in the `htu` of the proof is that of `Forwarded`",
            FORWARDED,
            "host=attacker.test;proto=https",
        ),
    ];
    for (name, description, header) in [
        (
            "d05_htu_of_original_url",
            "the path in the `htu` of the proof is that of `X-Original-URL`",
            "x-original-url",
        ),
        (
            "d05_htu_of_forwarded_uri",
            "the path in the `htu` of the proof is that of `X-Forwarded-Uri`",
            "x-forwarded-uri",
        ),
    ] {
        let about = (name, ProofAddress, description);
        let attack = client.attack(about, &good, forge, |draft| {
            let other = format!("{}/attack", draft.proof.client.url());
            (draft.sent.path != "/attack").then(|| vec![draft.with_address(&other)])
        });
        all.push(attack.with_header(named(header), "/attack"));
    }
    all
}

const NAME: &str = "attacker.test";
const OTHER: &str = "https://attacker.test";
