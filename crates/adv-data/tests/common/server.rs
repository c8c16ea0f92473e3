//! A small HTTP server for the download tests, with the faults that real ones have. Those of adv-hub and adv-run include it by path.
#![allow(dead_code)] // Each test program uses a part.

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
    /// The same with these lines more among the headers, each with `\r\n` behind it.
    With(String, Box<Serve>),
    /// Found at another address.
    Redirect(String),
    /// The same for whoever sends this token, 401 for others.
    For(&'static str, Box<Serve>),
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

    /// What was asked for so far: the path, with `HEAD ` before it if only that was wanted, and the range if one was.
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
    let line = lines.next().transpose()?.unwrap_or_default();
    let mut words = line.split(' ');
    let head = words.next() == Some("HEAD");
    let path = words
        .next()
        .unwrap_or_default()
        .trim_start_matches('/')
        .to_string();
    let (mut start, mut token) = (None, None);
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
        match name.to_ascii_lowercase().as_str() {
            "range" => {
                let from = value.trim_start_matches("bytes=").trim_end_matches('-');
                start = from.parse::<usize>().ok();
            }
            "authorization" => token = value.strip_prefix("Bearer ").map(String::from),
            _ => {}
        }
    }
    let method = if head { "HEAD " } else { "" };
    let range = start.map(|start| format!(" from {start}")).unwrap_or_default();
    let secret = token.as_ref().map(|_| " with a token").unwrap_or_default();
    log.lock()
        .expect("no panic while held")
        .push(format!("{method}{path}{range}{secret}"));
    let mut served = paths.get(&path).cloned().unwrap_or(Serve::Status(404));
    let mut reply = Reply {
        stream,
        head,
        headers: String::new(),
    };
    let none = Duration::ZERO;
    let (body, limit, obeys_ranges) = loop {
        match served {
            Serve::With(headers, inner) => {
                reply.headers += &headers;
                served = *inner;
            }
            Serve::For(wanted, inner) if token.as_deref() == Some(wanted) => served = *inner,
            Serve::For(..) => served = Serve::Status(401),
            Serve::Redirect(to) => {
                reply.headers += &format!("Location: {to}\r\n");
                served = Serve::Status(302);
            }
            Serve::Whole(body) => break (body, usize::MAX, true),
            Serve::NoRanges(body) => break (body, usize::MAX, false),
            Serve::BreaksAfter(limit, body) => break (body, limit, true),
            Serve::Status(status) => return reply.send(&format!("{status} X"), &[], 0, none),
            Serve::Stalls(body, pause) => return reply.send("200 OK", &body, body.len() / 2, pause),
        }
    };
    match start.filter(|_| obeys_ranges) {
        None => reply.send("200 OK", &body, limit, none),
        Some(start) if start >= body.len() => reply.send("416 X", &[], 0, none),
        Some(start) => {
            let last = body.len() - 1;
            reply.headers += &format!("Content-Range: bytes {start}-{last}/{}\r\n", body.len());
            reply.send("206 Partial Content", &body[start..], limit, none)
        }
    }
}

struct Reply {
    stream: TcpStream,
    head: bool,
    headers: String,
}

impl Reply {
    /// Announces the whole body and sends `limit` bytes of it, none if only the head is wanted; then the pause, then the connection
    /// ends.
    fn send(mut self, status: &str, body: &[u8], limit: usize, pause: Duration) -> std::io::Result<()> {
        let (len, headers) = (body.len(), &self.headers);
        write!(
            self.stream,
            "HTTP/1.1 {status}\r\nContent-Length: {len}\r\nConnection: close\r\n{headers}\r\n"
        )?;
        if !self.head {
            self.stream.write_all(&body[..limit.min(len)])?;
        }
        self.stream.flush()?;
        std::thread::sleep(pause);
        Ok(())
    }
}
