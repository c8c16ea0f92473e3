//! What a request is told that is not answered.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A refusal, in the form of OpenAI's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The request is no good; the name of its bad part, and what is wrong.
    Bad(Option<&'static str>, String),
    /// No or another key.
    Key,
    /// Another model was asked for.
    Model(String),
    /// No such page.
    Page,
    /// More than the limit.
    TooLarge(String),
    /// Too many sentences wait.
    Busy,
    /// The server is about to end.
    Ending,
    /// It took too long.
    Late,
    /// A failure that is ours.
    Ours(String),
}

impl Refusal {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Refusal::Bad(..) => StatusCode::BAD_REQUEST,
            Refusal::Key => StatusCode::UNAUTHORIZED,
            Refusal::Model(_) | Refusal::Page => StatusCode::NOT_FOUND,
            Refusal::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Busy => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Ending => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Late => StatusCode::GATEWAY_TIMEOUT,
            Refusal::Ours(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let retries = matches!(self, Refusal::Busy | Refusal::Ending);
        let kind = match status.is_server_error() {
            true => "server_error",
            false => "invalid_request_error",
        };
        let (message, part, code) = match self {
            Refusal::Bad(part, message) => (message, part, None),
            Refusal::Key => (
                "this server asks for a key: send the header Authorization: Bearer KEY".into(),
                None,
                Some("invalid_api_key"),
            ),
            Refusal::Model(message) => (message, Some("model"), Some("model_not_found")),
            Refusal::Page => (
                "there is no such page: ask for POST /v1/embeddings, GET /v1/models, /health or /metrics"
                    .into(),
                None,
                None,
            ),
            Refusal::TooLarge(message) => (message, None, None),
            Refusal::Busy => (
                "too many sentences wait: try again later".into(),
                None,
                Some("rate_limit_exceeded"),
            ),
            Refusal::Ending => ("the server is about to end: ask another one".into(), None, None),
            Refusal::Late => (
                "the request took too long: send fewer sentences, or see --timeout-seconds".into(),
                None,
                None,
            ),
            Refusal::Ours(message) => (message, None, None),
        };
        let body = json!({"error": {"message": message, "type": kind, "param": part, "code": code}});
        let mut response = (status, Json(body)).into_response();
        if retries {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
