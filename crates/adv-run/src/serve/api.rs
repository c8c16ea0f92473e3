//! The pages of the server.

use super::args::ServeArgs;
use super::batcher::{Answer, Batcher};
use super::metrics::Metrics;
use super::refusal::Refusal;
use adv_contrast::sentence::Encoding;
use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What all requests share.
#[derive(Clone)]
pub(super) struct App(Arc<Shared>);

struct Shared {
    batcher: Batcher,
    metrics: Arc<Metrics>,
    model: String,
    key: Option<String>,
    max_inputs: usize,
    max_body: usize,
    timeout: Duration,
    /// Whether vectors are scaled to length 1, also those that are cut.
    normalised: bool,
}

/// A request for vectors, as OpenAI's programs send it.
#[derive(Debug, Deserialize)]
struct Wanted {
    #[serde(default)]
    model: Option<String>,
    input: Input,
    #[serde(default)]
    encoding_format: Format,
    #[serde(default)]
    dimensions: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "`input` must be a text or a list of texts; lists of token ids are not taken"
)]
enum Input {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// Numbers.
    #[default]
    Float,
    /// The bytes of 32-bit floats, the lowest first, as base64: what OpenAI's Python client asks for.
    Base64,
}

impl App {
    pub(super) fn new(args: &ServeArgs, batcher: Batcher, metrics: Arc<Metrics>, normalised: bool) -> Self {
        Self(Arc::new(Shared {
            batcher,
            metrics,
            model: args
                .model_name
                .clone()
                .unwrap_or_else(|| args.encoder.model_dir.name()),
            key: args.api_key.clone().filter(|key| !key.is_empty()),
            max_inputs: args.max_inputs as usize,
            max_body: args.max_body_mib as usize * 1024 * 1024,
            timeout: Duration::from_secs(args.timeout_seconds.into()),
            normalised,
        }))
    }

    pub(super) fn model(&self) -> &str {
        &self.0.model
    }

    /// Nothing more is taken.
    pub(super) fn close(&self) {
        self.0.batcher.close();
    }

    pub(super) fn router(&self) -> Router {
        let guarded = Router::new()
            .route("/v1/embeddings", post(embeddings))
            .route("/v1/models", get(models))
            .route("/v1/models/{*name}", get(one_model))
            .route("/metrics", get(metrics))
            .layer(from_fn_with_state(self.clone(), keyed));
        Router::new()
            .route("/health", get(|| async { Json(json!({"status": "ok"})) }))
            .merge(guarded)
            .fallback(|| async { Refusal::Page })
            .layer(from_fn_with_state(self.clone(), timed))
            .with_state(self.clone())
    }
}

/// Bounds the time of a request, and counts those for vectors.
async fn timed(State(App(shared)): State<App>, request: Request, next: Next) -> Response {
    let counted = request.uri().path() == "/v1/embeddings";
    let begin = Instant::now();
    let answered = tokio::time::timeout(shared.timeout, next.run(request)).await;
    let response = answered.unwrap_or_else(|_| Refusal::Late.into_response());
    if counted {
        shared
            .metrics
            .answered(response.status().as_u16(), begin.elapsed().as_secs_f64());
    }
    response
}

/// Asks for the key.
async fn keyed(State(App(shared)): State<App>, request: Request, next: Next) -> Response {
    if let Some(key) = &shared.key {
        let given = request.headers().get(header::AUTHORIZATION);
        let given = given.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        if !given.is_some_and(|given| is_same(given, key)) {
            return Refusal::Key.into_response();
        }
    }
    next.run(request).await
}

/// In a time that does not tell how much of the key is right.
fn is_same(given: &str, key: &str) -> bool {
    let differs = given
        .bytes()
        .zip(key.bytes())
        .fold(0, |differs, (a, b)| differs | (a ^ b));
    given.len() == key.len() && differs == 0
}

/// How many times the limit is read, and thrown away, of a request that is too large: a client that still sends hears no answer.
const DRAINED: usize = 16;

/// The body of a request.
async fn whole(mut body: Body, limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut taken = Vec::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::Bad(None, format!("the request broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        seen += data.len();
        match seen <= limit {
            true => taken.extend_from_slice(&data),
            false => taken = Vec::new(),
        }
        if seen > DRAINED * limit {
            break;
        }
    }
    match seen <= limit {
        true => Ok(taken),
        false => Err(Refusal::TooLarge(format!(
            "the request is larger than {} MiB: send fewer sentences at a time, or see --max-body-mib",
            limit / 1024 / 1024
        ))),
    }
}

async fn embeddings(State(App(shared)): State<App>, body: Body) -> Result<Response, Refusal> {
    let body = whole(body, shared.max_body).await?;
    let wanted: Wanted =
        serde_json::from_slice(&body).map_err(|error| Refusal::Bad(None, format!("the request: {error}")))?;
    if let Some(asked) = wanted.model.filter(|asked| *asked != shared.model) {
        return Err(Refusal::Model(format!(
            "the model `{asked}` is not served here: `{}` is",
            shared.model
        )));
    }
    let texts = match wanted.input {
        Input::One(text) => vec![text],
        Input::Many(texts) => texts,
    };
    if texts.is_empty() {
        return Err(Refusal::Bad(Some("input"), "`input` has no text".into()));
    }
    if texts.len() > shared.max_inputs {
        return Err(Refusal::TooLarge(format!(
            "`input` has {} texts, at most {} are taken at a time: see --max-inputs",
            texts.len(),
            shared.max_inputs
        )));
    }
    let Answer { vectors, tokens } = shared.batcher.encode(texts).await?;
    let vectors = match wanted.dimensions {
        None => vectors,
        Some(wanted) if (1..=vectors.width()).contains(&wanted) => Encoding {
            width: Some(wanted),
            ..Encoding::default()
        }
        .finish(vectors, shared.normalised),
        Some(wanted) => {
            let width = vectors.width();
            let message = format!("`dimensions` is {wanted}: the model's vectors have 1 to {width}");
            return Err(Refusal::Bad(Some("dimensions"), message));
        }
    };
    let data: Vec<Value> = vectors
        .rows()
        .enumerate()
        .map(|(index, row)| {
            let embedding = match wanted.encoding_format {
                Format::Float => json!(row),
                Format::Base64 => {
                    let bytes: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
                    json!(base64::engine::general_purpose::STANDARD.encode(bytes))
                }
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let usage = json!({"prompt_tokens": tokens, "total_tokens": tokens});
    let body = json!({"object": "list", "model": shared.model, "data": data, "usage": usage});
    Ok(Json(body).into_response())
}

fn card(name: &str) -> Value {
    json!({"id": name, "object": "model", "created": 0, "owned_by": "adv"})
}

async fn models(State(App(shared)): State<App>) -> Json<Value> {
    Json(json!({"object": "list", "data": [card(&shared.model)]}))
}

async fn one_model(State(App(shared)): State<App>, Path(name): Path<String>) -> Result<Json<Value>, Refusal> {
    match name == shared.model {
        true => Ok(Json(card(&name))),
        false => Err(Refusal::Model(format!(
            "the model `{name}` is not served here: `{}` is",
            shared.model
        ))),
    }
}

async fn metrics(State(App(shared)): State<App>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], shared.metrics.page()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_or_refused() {
        let read = |text: &str| serde_json::from_str::<Wanted>(text);
        let one =
            read("{\"input\": \"a\", \"model\": \"m\", \"encoding_format\": \"base64\", \"user\": \"u\"}")
                .unwrap();
        assert!(matches!(one.input, Input::One(text) if text == "a"));
        assert_eq!((one.encoding_format, one.dimensions), (Format::Base64, None));
        let many = read("{\"input\": [\"a\", \"b\"], \"dimensions\": 2}").unwrap();
        assert!(matches!(many.input, Input::Many(texts) if texts.len() == 2));
        for (text, part) in [
            ("{}", "input"),
            ("{\"input\": [[1, 2]]}", "list of texts"),
            ("{\"input\": 3}", "list of texts"),
            ("{\"input\": \"a\", \"encoding_format\": \"hex\"}", "base64"),
            ("{\"input\": ", "EOF"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn keys_are_compared_whole() {
        for (given, key, same) in [
            ("abc", "abc", true),
            ("abd", "abc", false),
            ("ab", "abc", false),
            ("", "a", false),
        ] {
            assert_eq!(is_same(given, key), same, "{given} {key}");
        }
    }
}
