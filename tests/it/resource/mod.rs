//! Protected resource metadata (RFC 9728), as clients see it.

mod answers;
mod challenges;
mod declaration;
mod document;
#[cfg(feature = "settings")]
mod settings;
mod urls;

use serde_json::Value;
use tower_jwt_auth::{
    Verifier,
    resource::{ProtectedResource, ProtectedResourceBuilder},
};

use crate::support::builder;

/// The path of the metadata of a resource without a path.
const ROOT: &str = "/.well-known/oauth-protected-resource";

/// Metadata of the usual verifier.
fn usual() -> ProtectedResourceBuilder {
    ProtectedResource::builder(&verifier())
}

fn verifier() -> Verifier {
    builder().build().unwrap()
}

fn document(resource: &ProtectedResource) -> Value {
    serde_json::from_str(resource.json()).unwrap()
}

/// The error of settings that no metadata can be made of.
fn error(builder: ProtectedResourceBuilder) -> String {
    builder.build().unwrap_err().to_string()
}
