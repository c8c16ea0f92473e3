//! A small HTTP server for the download tests, with the faults that real ones have.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How a path is served.
#[derive(Clone)]
pub enum Serve {
    /// All of it, or the range asked for.
    Whole(Vec<u8>),
    /// Whole, whatever range is asked for.
    NoRanges(Vec<u8>),
    /// Ranges are obeyed, but each connection ends after this many bytes of the body.
    BreaksAfter(usize, Vec<u8>),
    /// This status and no body.
    Status(u16),
    /// Half of the body, then silence for a while.
    Stalls(Vec<u8>, Duration),
}

/// A server on a port of its own; it lives as long as the test program.
pub struct Server {
    /// Its address, without a final slash.
    pub base: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves these paths (without the leading slash); everything else is 404.
    pub fn start(paths: Vec<(&str, Serve)>) -> Self {
        let paths: HashMap<String, Serve> = paths
            .into_iter()
            .map(|(path, serve)| (path.to_string(), serve))
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (paths, log) = (paths.clone(), log.clone());
                // A client that hangs up early is part of the tests.
                std::thread::spawn(move || answer(stream, &paths, &log).ok());
            }
        });
        Self { base, requests }
    }

    /// What was asked for so far: the path, and the range if one was asked for.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic while held").clone()
    }
}

fn answer(
    stream: TcpStream,
    paths: &HashMap<String, Serve>,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let path = lines.next().transpose()?.unwrap_or_default();
    let path = path
        .split(' ')
        .nth(1)
        .unwrap_or_default()
        .trim_start_matches('/')
        .to_string();
    let mut start = None;
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            start = range.trim_end_matches('-').parse::<usize>().ok();
        }
    }
    let range = start.map(|start| format!(" from {start}")).unwrap_or_default();
    log.lock()
        .expect("no panic while held")
        .push(format!("{path}{range}"));
    let (body, limit, obeys_ranges) = match paths.get(&path).cloned().unwrap_or(Serve::Status(404)) {
        Serve::Whole(body) => (body, usize::MAX, true),
        Serve::NoRanges(body) => (body, usize::MAX, false),
        Serve::BreaksAfter(limit, body) => (body, limit, true),
        Serve::Status(status) => return send(stream, &format!("{status} X"), "", &[], 0, Duration::ZERO),
        Serve::Stalls(body, pause) => return send(stream, "200 OK", "", &body, body.len() / 2, pause),
    };
    match start.filter(|_| obeys_ranges) {
        None => send(stream, "200 OK", "", &body, limit, Duration::ZERO),
        Some(start) if start >= body.len() => send(stream, "416 X", "", &[], 0, Duration::ZERO),
        Some(start) => {
            let range = format!(
                "Content-Range: bytes {start}-{}/{}\r\n",
                body.len() - 1,
                body.len()
            );
            send(
                stream,
                "206 Partial Content",
                &range,
                &body[start..],
                limit,
                Duration::ZERO,
            )
        }
    }
}

/// Announces the whole body and sends `limit` bytes of it; then the pause, then the connection ends.
fn send(
    mut stream: TcpStream,
    status: &str,
    headers: &str,
    body: &[u8],
    limit: usize,
    pause: Duration,
) -> std::io::Result<()> {
    let len = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {len}\r\nConnection: close\r\n{headers}\r\n"
    )?;
    stream.write_all(&body[..limit.min(len)])?;
    stream.flush()?;
    std::thread::sleep(pause);
    Ok(())
}
