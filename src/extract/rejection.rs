//! A refusal as axum's response.

use axum_core::{body::Body, response::IntoResponse};
use http::Response;

use crate::response::{DefaultRespond, Rejection, without_format};

/// The body is empty. A [`JwtAuthLayer`](crate::JwtAuthLayer) around the handler gives it the
/// format of its [`respond_with`](crate::JwtAuthLayer::respond_with).
impl IntoResponse for Rejection {
    fn into_response(self) -> Response<Body> {
        without_format(self.answer_with(&DefaultRespond))
    }
}
