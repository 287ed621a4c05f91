//! huskarl-resource-server, with a key set at hand. It has neither a layer nor an
//! extractor, so here is one as its guide has it: `validate_request`, then `rejection`.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
    response::Response,
    routing::get,
};
use harness::{AUDIENCE, Algorithm, ISSUER, Input, KEY_ID, User};
use huskarl_crypto_native::{NativeVerifierPlatform, symmetric::SymmetricKey};
use huskarl_resource_server::{
    core::{
        EndpointUrl, Error,
        crypto::verifier::{
            JwsVerifier, JwsVerifierFactory, JwsVerifierPlatform, MultiKeyVerifier,
        },
        jwk::{Jwks, OctKey, SymmetricJwk},
        platform::MaybeSendBoxFuture,
    },
    validator::{custom::CustomValidator, metadata::ValidatorMetadata},
};
use serde::Deserialize;

struct Guard {
    validator: CustomValidator<Rest>,
    /// For challenges. Made once: it does not change.
    metadata: ValidatorMetadata,
}

/// Of `User`, what the validator does not read itself: it keeps `sub`.
#[derive(Clone, Deserialize)]
struct Rest {
    client_id: String,
    scope: String,
}

struct Claims(User);

impl FromRequestParts<Arc<Guard>> for Claims {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        guard: &Arc<Guard>,
    ) -> Result<Self, Self::Rejection> {
        let Parts { headers, method, uri, .. } = parts;
        let result = guard.validator.validate_request(headers, method, uri, None).await;
        if let Some(rejection) = result.rejection(&guard.metadata, None) {
            let response = rejection.apply(Response::builder()).body(Body::empty());
            return Err(response.expect("challenges are header values"));
        }
        let request = result.outcome.ok().flatten().expect("refused above otherwise");
        let Rest { client_id, scope } = request.claims;
        Ok(Self(User { sub: request.sub.expect("required by default"), client_id, scope }))
    }
}

/// What it asks for keys, other than an address to fetch them from.
struct AtHand(Arc<dyn JwsVerifier>);

impl JwsVerifierFactory for AtHand {
    fn build(
        &self,
        _: Option<&EndpointUrl>,
        _: Arc<dyn JwsVerifierPlatform>,
    ) -> MaybeSendBoxFuture<'static, Result<Arc<dyn JwsVerifier>, Error>> {
        let verifier = self.0.clone();
        Box::pin(async { Ok(verifier) })
    }
}

fn main() {
    harness::run(Router::new().route("/orders", get(|| async { StatusCode::OK })), app);
}

async fn app(input: &Input) -> Option<Router> {
    let verifier: Arc<dyn JwsVerifier> = match input.algorithm {
        // A key set gives it no secret.
        Algorithm::HS256 => {
            let key = OctKey::builder().k(input.secret.bytes()).build();
            let key = SymmetricJwk::builder().key(key).algorithm("HS256").kid(KEY_ID).build();
            Arc::new(SymmetricKey::from_jwk(key).expect("a key"))
        }
        _ => {
            let keys: Jwks = serde_json::from_str(&input.key_set).expect("a key set");
            let keys = MultiKeyVerifier::from_jwks(&keys.into(), &NativeVerifierPlatform).await;
            Arc::new(keys.expect("keys"))
        }
    };
    // Not `Rfc9068Validator`, for the tokens are no `at+jwt`.
    let validator = CustomValidator::builder()
        .with_claims::<Rest>()
        .iss(ISSUER)
        .aud(AUDIENCE)
        .jws_verifier_factory(AtHand(verifier))
        .build()
        .await
        .expect("a validator");
    let metadata = validator.validator_metadata(Some(AUDIENCE));
    let state = Arc::new(Guard { validator, metadata });
    Some(Router::new().route("/orders", get(orders)).with_state(state))
}

async fn orders(Claims(user): Claims) -> StatusCode {
    std::hint::black_box(&user.sub);
    StatusCode::OK
}
