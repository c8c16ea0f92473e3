//! Requests that come together share their passes.

use super::metrics::Metrics;
use super::refusal::Refusal;
use crate::sentences::SentenceEmbedder;
use adv_contrast::sentence::{Encoding, Vectors};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// What bounds the work.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Sentences of a pass.
    pub(super) batch: usize,
    /// How long a request waits for others.
    pub(super) wait: Duration,
    /// Sentences that may wait.
    pub(super) queue: usize,
}

/// The answer to a request.
pub(super) struct Answer {
    pub(super) vectors: Vectors,
    /// Tokens of all its sentences.
    pub(super) tokens: usize,
}

struct Job {
    texts: Vec<String>,
    reply: oneshot::Sender<Result<Answer, Refusal>>,
    _place: Place,
}

/// Places in the queue, given back when they are dropped: also where a request is given up.
struct Place {
    waiting: Arc<AtomicUsize>,
    count: usize,
    metrics: Arc<Metrics>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.count, Ordering::Relaxed);
        self.metrics.waiting.dec_by(self.count as i64);
    }
}

/// The way to the thread that encodes.
pub(super) struct Batcher {
    /// None once it is closed.
    jobs: Mutex<Option<Sender<Job>>>,
    waiting: Arc<AtomicUsize>,
    queue: usize,
    metrics: Arc<Metrics>,
}

impl Batcher {
    /// Starts the thread. It ends when the batcher is closed and all that waits is done.
    pub(super) fn start(
        embedder: SentenceEmbedder,
        limits: Limits,
        metrics: Arc<Metrics>,
    ) -> (Self, JoinHandle<()>) {
        let (jobs, inbox) = channel();
        let worker = Worker {
            embedder,
            limits,
            inbox,
            metrics: metrics.clone(),
        };
        let thread = std::thread::spawn(move || worker.run());
        let batcher = Self {
            jobs: Mutex::new(Some(jobs)),
            waiting: Arc::default(),
            queue: limits.queue,
            metrics,
        };
        (batcher, thread)
    }

    /// Nothing more is taken; what waits is still done.
    pub(super) fn close(&self) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// One vector a sentence.
    pub(super) async fn encode(&self, texts: Vec<String>) -> Result<Answer, Refusal> {
        let count = texts.len();
        let place = self.place(count)?;
        let (reply, answer) = oneshot::channel();
        let job = Job {
            texts,
            reply,
            _place: place,
        };
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        jobs.ok_or(Refusal::Ending)?
            .send(job)
            .map_err(|_| Refusal::Ending)?;
        answer
            .await
            .map_err(|_| Refusal::Ours("the encoder failed; the server's log says why".into()))?
    }

    fn place(&self, count: usize) -> Result<Place, Refusal> {
        let before = self.waiting.fetch_add(count, Ordering::Relaxed);
        self.metrics.waiting.inc_by(count as i64);
        let place = Place {
            waiting: self.waiting.clone(),
            count,
            metrics: self.metrics.clone(),
        };
        // One request alone is always taken.
        match before > 0 && before + count > self.queue {
            true => Err(Refusal::Busy),
            false => Ok(place),
        }
    }
}

struct Worker {
    embedder: SentenceEmbedder,
    limits: Limits,
    inbox: Receiver<Job>,
    metrics: Arc<Metrics>,
}

impl Worker {
    fn run(self) {
        while let Ok(first) = self.inbox.recv() {
            let mut jobs = vec![first];
            self.gather(&mut jobs);
            // Those whose client has gone.
            jobs.retain(|job| !job.reply.is_closed());
            if jobs.is_empty() {
                continue;
            }
            // A bug in a tensor library must not end the server.
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.answer(jobs)));
            if done.is_err() {
                tracing::error!("a pass panicked; its requests are answered with status 500");
            }
        }
    }

    /// Takes what comes within the time to wait, up to a pass full.
    fn gather(&self, jobs: &mut Vec<Job>) {
        let end = Instant::now() + self.limits.wait;
        let mut count = jobs[0].texts.len();
        while count < self.limits.batch {
            match self
                .inbox
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(job) => {
                    count += job.texts.len();
                    jobs.push(job);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
    }

    fn answer(&self, jobs: Vec<Job>) {
        let all: Vec<&str> = jobs
            .iter()
            .flat_map(|job| &job.texts)
            .map(String::as_str)
            .collect();
        self.metrics.together.observe(all.len() as f64);
        match self.encode(&all) {
            Ok((vectors, tokens)) => {
                let mut rest = vectors;
                let mut at = 0;
                for job in jobs {
                    let count = job.texts.len();
                    let (own, others) = rest.split_at(count);
                    rest = others;
                    let tokens = tokens[at..at + count].iter().sum();
                    at += count;
                    // A client that has gone is no error.
                    let _ = job.reply.send(Ok(Answer { vectors: own, tokens }));
                }
            }
            // One bad sentence must not spoil the requests of others.
            Err(_) if jobs.len() > 1 => jobs.into_iter().for_each(|job| self.answer(vec![job])),
            Err(error) => jobs.into_iter().for_each(|job| {
                let _ = job
                    .reply
                    .send(Err(Refusal::Bad(Some("input"), format!("{error:#}"))));
            }),
        }
    }

    fn encode(&self, texts: &[&str]) -> anyhow::Result<(Vectors, Vec<usize>)> {
        let tokens = self.embedder.count_tokens(texts)?;
        let encoding = Encoding {
            batch: self.limits.batch,
            ..Encoding::default()
        };
        let (vectors, overlong) = self
            .embedder
            .encode::<anyhow::Error>(texts, &encoding, |_| Ok(()))?;
        self.metrics.texts.inc_by(texts.len() as u64);
        let total: usize = tokens.iter().sum();
        self.metrics.tokens.inc_by(total as u64);
        self.metrics.cut.inc_by(overlong.cut as u64);
        Ok((vectors, tokens))
    }
}
