//! The server of vectors: a real one, asked by real clients, and told to end.

mod common;

use common::{adv, expect, model_dir};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A server that is ended when the test is over.
struct Server {
    child: Child,
    address: String,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Server {
    fn start(root: &TempDir, more: &str) -> Self {
        let mut child = adv(root.path(), &format!("serve --embed --port 0 {more}"))
            .env("ADV_API_KEY", "")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("adv starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("its stderr"));
        let mut line = String::new();
        stderr.read_line(&mut line).expect("a line");
        let address = line.split_whitespace().find(|word| word.starts_with("http://"));
        let address = address.unwrap_or_else(|| panic!("no address: {line}"));
        Self {
            address: address.trim_end_matches(',').into(),
            child,
            stderr,
        }
    }

    /// Tells it to end; gives its exit code and its last words.
    fn end(self) -> (Option<i32>, String) {
        self.tell();
        self.last_words()
    }

    fn last_words(mut self) -> (Option<i32>, String) {
        let mut words = String::new();
        self.stderr.read_to_string(&mut words).expect("its last words");
        (self.child.wait().expect("it ends").code(), words)
    }

    fn tell(&self) {
        let told = std::process::Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status();
        assert!(told.expect("kill").success());
    }

    fn post(&self, body: &Value) -> (u16, Value) {
        post(&agent(), &self.address, &body.to_string(), None)
    }

    fn get(&self, path: &str) -> (u16, String) {
        let mut answer = agent()
            .get(format!("{}{path}", self.address))
            .call()
            .expect("an answer");
        (
            answer.status().as_u16(),
            answer.body_mut().read_to_string().expect("text"),
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(120)));
    config.build().into()
}

fn post(agent: &ureq::Agent, address: &str, body: &str, key: Option<&str>) -> (u16, Value) {
    let mut request = agent
        .post(format!("{address}/v1/embeddings"))
        .header("content-type", "application/json");
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let mut answer = request.send(body).expect("an answer");
    let text = answer.body_mut().read_to_string().expect("text");
    let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    (answer.status().as_u16(), value)
}

fn numbers(value: &Value) -> Vec<f32> {
    let list = value.as_array().unwrap_or_else(|| panic!("no list: {value}"));
    list.iter()
        .map(|number| number.as_f64().expect("a number") as f32)
        .collect()
}

fn sentences() -> Vec<String> {
    let words = [
        "dog",
        "stock market",
        "guitar",
        "small town",
        "river",
        "old film",
        "teacher",
    ];
    (0..210)
        .map(|i| {
            let (one, other) = (words[i % 7], words[(i / 7) % 7]);
            let more = " and so on".repeat(i % 5);
            format!("The {one} number {i} is not a {other}{more}.")
        })
        .collect()
}

/// What `adv encode` makes of sentences.
fn encoded(root: &TempDir, more: &str, sentences: &[String]) -> HashMap<String, Vec<f32>> {
    std::fs::write(root.path().join("lines.txt"), sentences.join("\n")).expect("written");
    expect(
        0,
        root.path(),
        &format!("encode {more} --input lines.txt --out v.jsonl"),
    );
    let text = std::fs::read_to_string(root.path().join("v.jsonl")).expect("vectors");
    text.lines()
        .map(|line| {
            let value: Value = serde_json::from_str(line).expect("JSON");
            (
                value["sentence"].as_str().expect("a text").to_string(),
                numbers(&value["embedding"]),
            )
        })
        .collect()
}

fn far(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).fold(0.0, |most, (x, y)| most.max((x - y).abs()))
}

#[test]
fn a_thousand_requests_at_once_get_the_vectors_of_encode() {
    let Some(models) = model_dir() else { return };
    let root = TempDir::new().expect("a folder");
    let sentences = sentences();
    let model = format!("--model-dir {}", models.join("tiny-bert-mlm").display());
    for more in [model.clone(), format!("{model} --prompt [X]:[MASK]")] {
        let wanted = encoded(&root, &more, &sentences);
        let server = Server::start(&root, &more);
        let (next, right) = (AtomicUsize::new(0), AtomicUsize::new(0));
        const REQUESTS: usize = 1000;
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    let agent = agent();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= REQUESTS {
                            return;
                        }
                        // One sentence, or some of them.
                        let count = 1 + number % 3;
                        let asked: Vec<&String> =
                            (0..count).map(|i| &sentences[(number * 7 + i) % 210]).collect();
                        let input = if count == 1 { json!(asked[0]) } else { json!(asked) };
                        let body = json!({"model": "tiny-bert-mlm", "input": input}).to_string();
                        let (status, answer) = post(&agent, &server.address, &body, None);
                        assert_eq!(status, 200, "{answer}");
                        let data = answer["data"].as_array().expect("data");
                        assert_eq!(data.len(), count);
                        for (index, (one, text)) in data.iter().zip(&asked).enumerate() {
                            assert_eq!(one["index"], index);
                            let off = far(&numbers(&one["embedding"]), &wanted[*text]);
                            assert!(off < 1e-5, "{text}: {off}");
                        }
                        right.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(right.load(Ordering::Relaxed), REQUESTS);
        let (status, page) = server.get("/metrics");
        assert_eq!(status, 200);
        let metric = |name: &str| {
            let line = page.lines().find(|line| line.starts_with(name));
            let number = line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
            number.unwrap_or_else(|| panic!("no {name}: {page}"))
        };
        assert_eq!(metric("adv_embedding_requests_total{status=\"200\"}"), 1000.0);
        let passes = metric("adv_embedding_batch_texts_count");
        assert!(passes < 1000.0, "requests share passes: {passes}");
        assert_eq!(metric("adv_embedding_waiting_texts"), 0.0);
        let (code, words) = server.end();
        assert_eq!(code, Some(0), "{words}");
        assert!(words.contains("all requests were answered"), "{words}");
    }
}

#[test]
fn answers_have_the_forms_that_clients_ask_for() {
    let Some(models) = model_dir() else { return };
    let root = TempDir::new().expect("a folder");
    let folder = models.join("tiny-bert-mlm");
    let server = Server::start(
        &root,
        &format!(
            "--model-dir {} --model-name my-model --max-inputs 3 --max-body-mib 1",
            folder.display()
        ),
    );
    let (status, plain) = server.post(&json!({"model": "my-model", "input": "a dog"}));
    assert_eq!(status, 200, "{plain}");
    assert_eq!(
        (plain["object"].as_str(), plain["model"].as_str()),
        (Some("list"), Some("my-model"))
    );
    assert!(
        plain["usage"]["prompt_tokens"].as_u64().expect("a number") >= 3,
        "{plain}"
    );
    let vector = numbers(&plain["data"][0]["embedding"]);
    let (_, coded) = server.post(&json!({"input": ["a dog"], "encoding_format": "base64"}));
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(coded["data"][0]["embedding"].as_str().expect("a text"))
        .expect("base64");
    let decoded: Vec<f32> = bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    assert!(far(&decoded, &vector) < 1e-6);
    let (_, short) = server.post(&json!({"input": "a dog", "dimensions": 5}));
    assert!(far(&numbers(&short["data"][0]["embedding"]), &vector[..5]) < 1e-6);

    // Of a folder that asks for it, a cut vector has length 1, too.
    let unit = Server::start(
        &root,
        &format!("--model-dir {}", models.join("all-MiniLM-L6-v2").display()),
    );
    let (_, cut) = unit.post(&json!({"input": "a dog", "dimensions": 7}));
    let squares: f32 = numbers(&cut["data"][0]["embedding"])
        .iter()
        .map(|value| value * value)
        .sum();
    assert!((squares - 1.0).abs() < 1e-5, "{cut}");

    for (body, status, part) in [
        (json!({"input": []}), 400, "no text"),
        (json!({}), 400, "input"),
        (json!({"input": [[1, 2]]}), 400, "token ids"),
        (json!({"input": "a", "dimensions": 0}), 400, "dimensions"),
        (json!({"input": "a", "dimensions": 4096}), 400, "dimensions"),
        (json!({"input": "a", "model": "other"}), 404, "my-model"),
        (json!({"input": ["a", "b", "c", "d"]}), 413, "--max-inputs"),
        (json!({"input": "word ".repeat(400_000)}), 413, "--max-body-mib"),
    ] {
        let (found, answer) = server.post(&body);
        assert_eq!(found, status, "{answer}");
        let message = answer["error"]["message"].as_str().expect("a message");
        assert!(message.contains(part), "{message}");
    }
    let (status, answer) = post(&agent(), &server.address, "{\"input\": ", None);
    assert_eq!(status, 400, "{answer}");
    for (path, status, part) in [
        ("/health", 200, "ok"),
        ("/v1/models", 200, "my-model"),
        ("/v1/models/my-model", 200, "my-model"),
        ("/v1/models/other", 404, "not served"),
        ("/metrics", 200, "adv_embedding_seconds"),
        ("/nowhere", 404, "no such page"),
    ] {
        let (found, text) = server.get(path);
        assert_eq!(found, status, "{path}: {text}");
        assert!(text.contains(part), "{path}: {text}");
    }
}

#[test]
fn a_key_is_asked_for_where_one_is_set() {
    let Some(models) = model_dir() else { return };
    let root = TempDir::new().expect("a folder");
    let folder = models.join("tiny-bert-mlm");
    let server = Server::start(
        &root,
        &format!("--model-dir {} --api-key secret", folder.display()),
    );
    let body = json!({"input": "a dog"}).to_string();
    for (key, status) in [(None, 401), (Some("wrong"), 401), (Some("secret"), 200)] {
        let (found, answer) = post(&agent(), &server.address, &body, key);
        assert_eq!(found, status, "{answer}");
    }
    assert_eq!(server.get("/health").0, 200);
    assert_eq!(server.get("/metrics").0, 401);
}

/// More than may wait is sent away with a word when to come back; what is at work when the end comes is still answered.
#[test]
fn a_full_queue_and_an_end_lose_nothing_that_was_taken() {
    let Some(models) = model_dir() else { return };
    let root = TempDir::new().expect("a folder");
    let folder = models.join("tiny-bert-mlm");
    let server = Server::start(
        &root,
        &format!("--model-dir {} --max-queue 400 --batch 8", folder.display()),
    );
    let body = json!({"input": sentences()}).to_string();
    let found: Vec<(u16, Value)> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..12)
            .map(|_| scope.spawn(|| post(&agent(), &server.address, &body, None)))
            .collect();
        asked
            .into_iter()
            .map(|thread| thread.join().expect("an answer"))
            .collect()
    });
    let count = |status: u16| found.iter().filter(|(found, _)| *found == status).count();
    assert!(
        count(200) >= 1 && count(429) >= 1 && count(200) + count(429) == 12,
        "{} {}",
        count(200),
        count(429)
    );

    let begin = Instant::now();
    let (status, answer) = std::thread::scope(|scope| {
        let asked = scope.spawn(|| post(&agent(), &server.address, &body, None));
        std::thread::sleep(Duration::from_millis(20));
        server.tell();
        asked.join().expect("an answer")
    });
    assert!(
        status == 200 && answer["data"].as_array().expect("data").len() == 210,
        "{answer}"
    );
    let (code, words) = server.last_words();
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("all requests were answered"), "{words}");
    assert!(begin.elapsed() < Duration::from_secs(30));
}

#[test]
fn what_cannot_be_served_is_said() {
    let Some(models) = model_dir() else { return };
    let root = TempDir::new().expect("a folder");
    let folder = models.join("tiny-bert-mlm");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let model = folder.display();
    for (line, code, part) in [
        (format!("serve --model-dir {model}"), 2, "--embed"),
        ("serve --embed --model-dir nowhere".to_string(), 2, "nowhere"),
        (
            format!("serve --embed --model-dir {model} --prompt [X]"),
            2,
            "no mask",
        ),
        (
            format!("serve --embed --model-dir {model} --port {port}"),
            1,
            "cannot listen",
        ),
    ] {
        let (_, stderr) = expect(code, root.path(), &line);
        assert!(stderr.contains(part), "{line}: {stderr}");
    }
}
