//! Whether a layer answers requests for its metadata (RFC 9728). It is part of the layer's type, since
//! only a body that is made of a text can have the document.

use std::marker::PhantomData;

use http::Response;

use super::JwtAuthLayer;
use crate::resource::ProtectedResource;

impl<C, R, M> JwtAuthLayer<C, R, M> {
    /// Publishes this metadata (RFC 9728): the layer answers requests for it, without a token, and
    /// names it in its challenges. See [`resource`](crate::resource).
    ///
    /// The layer answers a request whose path is exactly one of the
    /// [`paths`](ProtectedResource::paths), whatever its mode is. So it must see such requests: in axum,
    /// use `Router::layer`, because `Router::route_layer` is called only for known routes. The body of
    /// the service must be one that can be made of a `String`; for others, and for metadata that is
    /// served elsewhere, use [`resource_metadata`](Self::resource_metadata).
    ///
    /// # Example
    /// ```
    /// use axum::{Router, routing::get};
    /// use tower_jwt_auth::{ConfigError, JwtAuthLayer, Verifier, resource::ProtectedResource};
    ///
    /// fn app(verifier: Verifier) -> Result<Router, ConfigError> {
    ///     let resource = ProtectedResource::builder(&verifier)
    ///         .resource("https://api.example.com/mcp")
    ///         .build()?;
    ///     let layer = JwtAuthLayer::new(verifier).protected_resource(resource);
    ///     Ok(Router::new().route("/mcp", get(async || "tools")).layer(layer))
    /// }
    /// ```
    pub fn protected_resource(
        self,
        resource: ProtectedResource,
    ) -> JwtAuthLayer<C, R, ServeMetadata> {
        self.resource_metadata(resource).serve_metadata()
    }

    /// Names this metadata in the challenges of each 401 and 403: `resource_metadata` (RFC 9728 §5.1).
    /// The layer does not answer requests for it: something else does, such as the
    /// [`ProtectedResource`] as a service of its own.
    pub fn resource_metadata(self, resource: ProtectedResource) -> Self {
        self.with(|gate| {
            gate.parameters.resource_metadata = Some(resource.metadata_url().into());
            gate.resource = Some(resource);
        })
    }

    /// Answers requests for the metadata that was given to
    /// [`resource_metadata`](Self::resource_metadata), or that is in the settings of
    /// [`Settings`](crate#features). Without metadata, it changes nothing.
    pub fn serve_metadata(self) -> JwtAuthLayer<C, R, ServeMetadata> {
        let layer = self.with(|gate| gate.serves_metadata = true);
        JwtAuthLayer { gate: layer.gate, respond: layer.respond, metadata: PhantomData }
    }
}

/// The answers of a layer to requests for its metadata: [`NoMetadata`] or [`ServeMetadata`].
pub trait Metadata<B>: sealed::Sealed {
    /// An answer with this body, or `None` if the layer gives none.
    #[doc(hidden)]
    fn answer(response: Response<String>) -> Option<Response<B>>;
}

/// The layer answers no requests for metadata. It can be around a service with any body.
#[derive(Clone, Copy, Debug)]
pub enum NoMetadata {}

/// The layer answers requests for its metadata, if it has it. Its service has a body that can be made
/// of a `String`.
#[derive(Clone, Copy, Debug)]
pub enum ServeMetadata {}

impl<B> Metadata<B> for NoMetadata {
    fn answer(_: Response<String>) -> Option<Response<B>> {
        None
    }
}

impl<B: From<String>> Metadata<B> for ServeMetadata {
    fn answer(response: Response<String>) -> Option<Response<B>> {
        Some(response.map(B::from))
    }
}

mod sealed {
    #[expect(unnameable_types, reason = "it is sealed")]
    pub trait Sealed {}

    impl Sealed for super::NoMetadata {}
    impl Sealed for super::ServeMetadata {}
}
