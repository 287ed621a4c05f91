//! A refusal as axum's response.

use axum_core::{body::Body, response::IntoResponse};
use http::Response;

use crate::response::{DefaultRespond, Rejection};

impl IntoResponse for Rejection {
    fn into_response(self) -> Response<Body> {
        self.answer_with(&DefaultRespond)
    }
}
