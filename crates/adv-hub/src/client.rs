//! Questions to the hub.

use super::HubError;
use super::place::is_commit;
use super::settings::{HubSettings, Token};
use hf_hub::Repo;
use serde_json::Value;
use ureq::http::{Response, Uri};
use ureq::{Agent, Body};

/// An answer's header.
pub(crate) fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// The files of a commit.
pub(crate) struct Listing {
    pub(crate) commit: String,
    pub(crate) files: Vec<String>,
}

/// What the hub says of a file before it sends it.
pub(crate) struct Metadata {
    pub(crate) commit: String,
    /// The name of the content: its sha256 sum if it is stored apart (LFS), else git's own sum.
    pub(crate) etag: String,
    pub(crate) size: Option<u64>,
}

/// How a request ends at redirects.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follow {
    /// At one to another server: what the hub itself says of a file is wanted.
    OwnServer,
    /// At the end.
    Everywhere,
}

const REDIRECTS: usize = 10;

/// Asks the hub.
pub(crate) struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<Token>,
}

impl Client {
    pub(crate) fn new(settings: &HubSettings) -> Self {
        let silence = Some(settings.silence);
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // Followed here, so that the token goes to the hub alone.
            .max_redirects(0)
            // Compression on the way would make byte ranges meaningless.
            .accept_encoding("identity")
            .user_agent(concat!("adv-hub/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(silence)
            .timeout_connect(silence)
            .timeout_recv_response(silence)
            .timeout_per_read(silence)
            .build();
        Self {
            agent: config.into(),
            endpoint: settings.endpoint.clone(),
            token: settings.token.clone(),
        }
    }

    /// The address of a file.
    pub(crate) fn file_url(&self, repository: &Repo, name: &str) -> String {
        let (endpoint, url) = (&self.endpoint, repository.url());
        let revision = repository.url_revision();
        format!("{endpoint}/{url}/resolve/{revision}/{}", encoded(name))
    }

    /// The commit of a revision, and its files.
    pub(crate) fn list(&self, repository: &Repo) -> Result<Listing, HubError> {
        let url = format!("{}/api/{}", self.endpoint, repository.api_url());
        let mut response = self.send(Method::Get, &url, None, Follow::Everywhere)?;
        match response.status().as_u16() {
            200 => {}
            _ => return Err(self.refusal(&response, &url, repository, None)),
        }
        let wrong = |reason: &str| HubError::Answer {
            url: url.clone(),
            reason: reason.into(),
        };
        let body = response.body_mut().with_config().limit(1 << 28).read_to_vec();
        let body = body.map_err(|error| unreachable(&url, error.to_string()))?;
        let value: Value = serde_json::from_slice(&body).map_err(|_| wrong("the answer is no JSON"))?;
        let commit = value["sha"].as_str().filter(|sha| is_commit(sha));
        let commit = commit.ok_or_else(|| wrong("the answer names no commit"))?;
        let files = value["siblings"].as_array();
        let files = files.ok_or_else(|| wrong("the answer names no files"))?.iter();
        Ok(Listing {
            commit: commit.into(),
            files: files
                .filter_map(|file| Some(file["rfilename"].as_str()?.to_string()))
                .collect(),
        })
    }

    /// What the hub says of a file.
    pub(crate) fn metadata(&self, repository: &Repo, name: &str) -> Result<Metadata, HubError> {
        let url = self.file_url(repository, name);
        let response = self.send(Method::Head, &url, None, Follow::OwnServer)?;
        let moved = response.status().is_redirection();
        if !moved && response.status() != 200 {
            return Err(self.refusal(&response, &url, repository, Some(name)));
        }
        let wrong = |reason: &str| HubError::Answer {
            url: url.clone(),
            reason: reason.into(),
        };
        let commit = header(&response, "x-repo-commit").filter(|commit| is_commit(commit));
        let commit = commit.ok_or_else(|| wrong("the answer has no X-Repo-Commit"))?;
        let etag =
            header(&response, "x-linked-etag").or_else(|| header(&response, "etag").filter(|_| !moved));
        let etag = etag.map(|etag| etag.trim_start_matches("W/").trim_matches('"'));
        // It becomes the name of a file.
        let plain =
            |etag: &&str| !etag.is_empty() && etag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let etag = etag
            .filter(plain)
            .ok_or_else(|| wrong("the answer has no usable ETag"))?;
        let size = header(&response, "x-linked-size")
            .or_else(|| header(&response, "content-length").filter(|_| !moved))
            .and_then(|size| size.parse().ok());
        Ok(Metadata {
            commit: commit.into(),
            etag: etag.into(),
            size,
        })
    }

    /// A file from a byte on.
    pub(crate) fn content(&self, url: &str, from: u64) -> Result<Response<Body>, HubError> {
        self.send(Method::Get, url, (from > 0).then_some(from), Follow::Everywhere)
    }

    fn send(
        &self,
        method: Method,
        url: &str,
        from: Option<u64>,
        follow: Follow,
    ) -> Result<Response<Body>, HubError> {
        let home: Uri = url.parse().map_err(|_| HubError::Answer {
            url: url.into(),
            reason: "this is no address".into(),
        })?;
        let mut at = home.clone();
        for _ in 0..REDIRECTS {
            let mut request = match method {
                Method::Get => self.agent.get(&at),
                Method::Head => self.agent.head(&at),
            };
            if let Some(token) = self.token.as_ref().filter(|_| is_same_server(&at, &home)) {
                request = request.header("Authorization", token.header());
            }
            if let Some(from) = from {
                request = request.header("Range", format!("bytes={from}-"));
            }
            let response = request
                .call()
                .map_err(|error| unreachable(&at.to_string(), error.to_string()))?;
            let status = response.status();
            if status.is_server_error() || status == 429 {
                return Err(unreachable(&at.to_string(), format!("HTTP status {status}")));
            }
            let next = match header(&response, "location") {
                Some(location) if status.is_redirection() => resolved(&at, location),
                _ => None,
            };
            match next {
                Some(next) if follow == Follow::Everywhere || is_same_server(&next, &home) => at = next,
                _ => return Ok(response),
            }
        }
        Err(HubError::Answer {
            url: url.into(),
            reason: format!("more than {REDIRECTS} redirects"),
        })
    }

    /// What an answer without content means.
    pub(crate) fn refusal(
        &self,
        response: &Response<Body>,
        url: &str,
        repository: &Repo,
        file: Option<&str>,
    ) -> HubError {
        let status = response.status().as_u16();
        let name = repository.url();
        match (status, header(response, "x-error-code"), file) {
            (404, Some("RevisionNotFound"), _) => HubError::NoRevision {
                repository: name,
                revision: repository.revision().into(),
            },
            (404, Some("EntryNotFound"), Some(file)) | (404, None, Some(file)) => HubError::NoFile {
                place: name,
                file: file.into(),
                found: Vec::new(),
            },
            (401 | 403 | 404, ..) => HubError::Refused {
                repository: name,
                url: url.into(),
                status,
                token: self.token.is_some(),
            },
            _ => HubError::Answer {
                url: url.into(),
                reason: format!("HTTP status {status}"),
            },
        }
    }
}

#[derive(Clone, Copy)]
enum Method {
    Get,
    Head,
}

fn unreachable(url: &str, reason: String) -> HubError {
    HubError::Unreachable {
        url: url.into(),
        reason,
    }
}

fn is_same_server(one: &Uri, other: &Uri) -> bool {
    one.scheme() == other.scheme() && one.authority() == other.authority()
}

/// Where a redirect leads: an address of its own, or a path on the same server.
fn resolved(from: &Uri, location: &str) -> Option<Uri> {
    let uri: Uri = location.parse().ok()?;
    if uri.authority().is_some() {
        return Some(uri);
    }
    let mut parts = from.clone().into_parts();
    parts.path_and_query = uri.into_parts().path_and_query;
    Uri::from_parts(parts).ok()
}

/// A path with all that has another meaning in an address written as bytes.
fn encoded(path: &str) -> String {
    path.bytes().fold(String::new(), |text, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
            text + &char::from(byte).to_string()
        }
        _ => text + &format!("%{byte:02X}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_whole() {
        assert_eq!(encoded("a b/ü#?%.tsv"), "a%20b/%C3%BC%23%3F%25.tsv");
        let from: Uri = "http://hub:1/a?b".parse().expect("an address");
        for (location, expected) in [
            ("/c?d", Some("http://hub:1/c?d")),
            ("https://cdn/e", Some("https://cdn/e")),
            ("http://[", None),
        ] {
            let found = resolved(&from, location).map(|uri| uri.to_string());
            assert_eq!(found.as_deref(), expected, "{location}");
        }
    }
}
