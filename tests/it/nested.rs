//! Layers around each other.

use http::{HeaderName, Request, Response, header::AUTHORIZATION};
use serde::Deserialize;
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Claims, JwtAuthLayer, RegisteredClaims, RequireLayer, TokenSource, response::Rejection,
};

use crate::{
    requests::{bearer, challenge, get},
    support::builder,
};

#[derive(Deserialize)]
struct User {}

/// What is in the request when it gets to the service: claims of both types, and a rejection.
async fn left(request: Request<String>) -> Result<Response<String>, std::convert::Infallible> {
    let extensions = request.extensions();
    let is_there = [
        extensions.get::<Claims>().is_some(),
        extensions.get::<Claims<User>>().is_some(),
        extensions.get::<Rejection>().is_some(),
    ];
    Ok(Response::new(format!("{is_there:?}")))
}

/// The token for the layer inside.
fn inner_token() -> HeaderName {
    HeaderName::from_static("x-inner")
}

fn inside<C>(layer: JwtAuthLayer<C>) -> JwtAuthLayer<C> {
    layer.sources([TokenSource::header(inner_token())])
}

#[tokio::test]
async fn a_layer_that_finds_claims_removes_the_rejection_of_one_outside() {
    let registered = || JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap());
    let users = || JwtAuthLayer::new(builder::<User>().build().unwrap());
    let answer = async |outer: JwtAuthLayer, with: [bool; 2], inner_has_realm: bool| {
        let bearer = bearer("alice");
        let headers = [(AUTHORIZATION, &*bearer), (inner_token(), &*bearer)];
        let headers: Vec<_> =
            headers.into_iter().zip(with).filter(|(_, with)| *with).map(|(one, _)| one).collect();
        let realm = |layer: JwtAuthLayer| if inner_has_realm { layer.realm("in") } else { layer };
        let same = realm(inside(registered()).optional()).layer(service_fn(left));
        let same = outer.clone().layer(same).oneshot(get(&headers)).await.unwrap();
        let other = inside(users()).optional().layer(service_fn(left));
        let other = outer.layer(other).oneshot(get(&headers)).await.unwrap();
        [same.into_body(), other.into_body()]
    };
    for outer in [registered().optional(), registered().pass_through().realm("out")] {
        for inner_has_realm in [false, true] {
            for (with, same, other) in [
                ([false, false], "[false, false, true]", "[false, false, true]"),
                ([false, true], "[true, false, false]", "[false, true, false]"),
                // The claims of the layer outside are removed if they are of the same type.
                ([true, false], "[false, false, true]", "[true, false, true]"),
                ([true, true], "[true, false, false]", "[true, true, false]"),
            ] {
                let found = answer(outer.clone(), with, inner_has_realm).await;
                assert_eq!(found, [same, other], "{with:?} {inner_has_realm}");
            }
        }
    }
}

#[tokio::test]
async fn the_challenge_is_that_of_the_innermost_layer() {
    let layer = || JwtAuthLayer::new(builder::<RegisteredClaims>().build().unwrap());
    let bearer = bearer("alice");
    let both = [(AUTHORIZATION, &*bearer), (inner_token(), &*bearer)];
    for (outer, inner, expected) in [
        (layer().realm("out"), layer(), None),
        (layer().realm("out"), layer().realm("in"), Some("realm=\"in\"")),
        (layer(), layer().realm("in"), Some("realm=\"in\"")),
        (layer(), layer(), None),
    ] {
        let require = RequireLayer::scopes(["admin"]).layer(service_fn(left));
        let service = outer.optional().layer(inside(inner).optional().layer(require));
        for (headers, status) in
            [(&[][..], 401), (&both[..1], 401), (&both[1..], 403), (&both, 403)]
        {
            let response = service.clone().oneshot(get(headers)).await.unwrap();
            assert_eq!(response.status(), status, "{headers:?}");
            let parameters = challenge(&response).unwrap().trim_start_matches("Bearer").trim();
            let realm = parameters.split(", ").find(|one| one.starts_with("realm"));
            assert_eq!(realm, expected, "{headers:?}");
        }
    }
}
