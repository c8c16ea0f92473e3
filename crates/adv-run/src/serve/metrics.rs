//! What is counted, in the text of Prometheus.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Counters of a server.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    /// Requests for vectors, by status.
    pub(super) requests: Family<Vec<(String, String)>, Counter>,
    /// Their seconds.
    pub(super) seconds: Histogram,
    /// Sentences that became vectors.
    pub(super) texts: Counter,
    /// Their tokens.
    pub(super) tokens: Counter,
    /// Sentences that were cut.
    pub(super) cut: Counter,
    /// Sentences that wait or are at work.
    pub(super) waiting: Gauge,
    /// Sentences of requests that shared a pass.
    pub(super) together: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("adv");
        let requests = Family::<Vec<(String, String)>, Counter>::default();
        let seconds = Histogram::new(exponential_buckets(0.001, 2.0, 16));
        let (texts, tokens, cut, waiting) = (
            Counter::default(),
            Counter::default(),
            Counter::default(),
            Gauge::default(),
        );
        let together = Histogram::new(exponential_buckets(1.0, 2.0, 12));
        registry.register(
            "embedding_requests",
            "Requests for vectors by status",
            requests.clone(),
        );
        registry.register(
            "embedding_seconds",
            "Seconds from a request's arrival to its answer",
            seconds.clone(),
        );
        registry.register("embedding_texts", "Sentences that became vectors", texts.clone());
        registry.register(
            "embedding_tokens",
            "Tokens of these, those of templates included",
            tokens.clone(),
        );
        registry.register(
            "embedding_cut_texts",
            "Sentences that were too long and were cut",
            cut.clone(),
        );
        registry.register(
            "embedding_waiting_texts",
            "Sentences that wait or are at work",
            waiting.clone(),
        );
        registry.register(
            "embedding_batch_texts",
            "Sentences that were encoded together",
            together.clone(),
        );
        Self {
            registry,
            requests,
            seconds,
            texts,
            tokens,
            cut,
            waiting,
            together,
        }
    }
}

impl Metrics {
    /// A request was answered so, after so many seconds.
    pub(super) fn answered(&self, status: u16, seconds: f64) {
        let label = vec![("status".to_string(), status.to_string())];
        self.requests.get_or_create(&label).inc();
        self.seconds.observe(seconds);
    }

    /// The page.
    pub(super) fn page(&self) -> String {
        let mut text = String::new();
        // A string takes all text.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
