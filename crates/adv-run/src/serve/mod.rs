//! `adv serve`: a sentence encoder behind HTTP, in the words of OpenAI's embeddings.

mod api;
mod args;
mod batcher;
mod metrics;
mod refusal;

pub use args::ServeArgs;

use crate::sentences::SentenceEmbedder;
use anyhow::{Context, Result};
use api::App;
use batcher::{Batcher, Limits};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often it is looked whether the user asked to stop.
const GLANCE: Duration = Duration::from_millis(50);

/// Serves until `stop` says so; then requests at hand are still answered, for at most `drain_seconds`.
///
/// Errors: an address that cannot be listened on.
pub(crate) fn serve(args: &ServeArgs, embedder: SentenceEmbedder, stop: &AtomicBool) -> Result<()> {
    let address = format!("{}:{}", args.host, args.port);
    let listener = TcpListener::bind(&address).with_context(|| {
        format!("cannot listen on {address}: is another program there? See --port, --host")
    })?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let metrics = Arc::new(metrics::Metrics::default());
    let limits = Limits {
        batch: args.encoder.batch as usize,
        wait: Duration::from_millis(args.max_wait_ms.into()),
        queue: args.max_queue as usize,
    };
    let normalised = embedder.is_normalised();
    let (batcher, worker) = Batcher::start(embedder, limits, metrics.clone());
    let app = App::new(args, batcher, metrics, normalised);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let drained = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let asked = async {
            while !stop.load(Ordering::Relaxed) {
                tokio::time::sleep(GLANCE).await;
            }
        };
        let (told, hears) = tokio::sync::oneshot::channel();
        let server = axum::serve(listener, app.router()).with_graceful_shutdown(async {
            // An end that is dropped ends the server, too.
            let _ = hears.await;
        });
        eprintln!("serving {} on http://{address}, Ctrl-C ends it", app.model());
        let server = tokio::spawn(server.into_future());
        asked.await;
        app.close();
        let _ = told.send(());
        let drain = Duration::from_secs(args.drain_seconds.into());
        anyhow::Ok(tokio::time::timeout(drain, server).await.is_ok())
    })?;
    runtime.shutdown_background();
    // The worker ends when nobody is left to send it anything.
    drop(app);
    if drained {
        // One that panicked has said so.
        let _ = worker.join();
        eprintln!("stopped; all requests were answered");
    } else {
        eprintln!(
            "stopped; some requests were not answered within {} s",
            args.drain_seconds
        );
    }
    Ok(())
}
