//! A refusal as axum's response.

use axum_core::{body::Body, response::IntoResponse};
use http::Response;

use crate::{
    observe,
    response::{DefaultRespond, Rejection, without_format},
};

/// The body is empty. A [`JwtAuthLayer`](crate::JwtAuthLayer) around the handler gives it the
/// format of its [`respond_with`](crate::JwtAuthLayer::respond_with). If it was made from an
/// [`Error`](crate::Error), the layer also gives it its challenge, and it is one event.
impl IntoResponse for Rejection {
    fn into_response(self) -> Response<Body> {
        if self.is_by_hand() {
            observe::refused(self.error());
        }
        without_format(self.answer_with(&DefaultRespond))
    }
}
