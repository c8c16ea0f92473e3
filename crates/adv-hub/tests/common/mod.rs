//! A hub on this machine, for the tests of this crate and of adv-run.
#![allow(dead_code)] // Each test program uses a part.

#[path = "../../../adv-data/tests/common/server.rs"]
pub mod server;

use server::{Serve, Server};
use sha2::{Digest, Sha256};
use std::path::Path;

/// The commit that all repositories are at, unless said otherwise.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A file of a repository.
#[derive(Clone)]
pub struct Entry {
    pub name: String,
    pub content: Vec<u8>,
    /// Whether it lies on another server, as large files do.
    pub large: bool,
}

/// The content is served whole, by the hub itself.
pub fn small(name: &str, content: impl Into<Vec<u8>>) -> Entry {
    Entry {
        name: name.into(),
        content: content.into(),
        large: false,
    }
}

/// The hub says where the content is.
pub fn large(name: &str, content: impl Into<Vec<u8>>) -> Entry {
    Entry {
        large: true,
        ..small(name, content)
    }
}

/// The files of a folder; weights are large.
pub fn folder(path: &Path) -> Vec<Entry> {
    let files = std::fs::read_dir(path).expect("a folder").map(|entry| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let content = std::fs::read(&path).expect("a file");
        match name.ends_with(".safetensors") || name.ends_with(".bin") {
            true => large(&name, content),
            false => small(&name, content),
        }
    });
    files.collect()
}

/// A sum as the hub writes it.
pub fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A repository that is served: `models/OWNER/NAME` or `datasets/OWNER/NAME`.
pub struct Repository {
    pub kind: &'static str,
    pub id: &'static str,
    pub commit: &'static str,
    pub files: Vec<Entry>,
}

impl Repository {
    /// A model at the usual commit.
    pub fn model(id: &'static str, files: Vec<Entry>) -> Self {
        Self {
            kind: "models",
            id,
            commit: COMMIT,
            files,
        }
    }

    /// A data set at the usual commit.
    pub fn data(id: &'static str, files: Vec<Entry>) -> Self {
        Self {
            kind: "datasets",
            ..Self::model(id, files)
        }
    }
}

/// A hub, and the other server that has its large files.
pub struct FakeHub {
    pub hub: Server,
    pub store: Server,
}

impl FakeHub {
    /// A hub of these repositories.
    pub fn start(repositories: &[Repository]) -> Self {
        Self::spoiled(repositories, |_, serve| serve, |_, serve| serve)
    }

    /// A hub where the answers of its own server, and the contents of the other one, are changed: the functions get the path.
    pub fn spoiled(
        repositories: &[Repository],
        change: impl Fn(&str, Serve) -> Serve,
        change_large: impl Fn(&str, Serve) -> Serve,
    ) -> Self {
        let mut stored = Vec::new();
        for repository in repositories {
            for file in repository.files.iter().filter(|file| file.large) {
                let name = format!("{}/{}", repository.id, file.name);
                let serve = change_large(&name, Serve::Whole(file.content.clone()));
                stored.push((name, serve));
            }
        }
        let store = serve(&stored);
        let mut paths: Vec<(String, Serve)> = Vec::new();
        for repository in repositories {
            let Repository {
                kind,
                id,
                commit,
                files,
            } = repository;
            let prefix = if *kind == "models" {
                String::new()
            } else {
                format!("{kind}/")
            };
            let names: Vec<String> = files
                .iter()
                .map(|file| format!("{{\"rfilename\": \"{}\"}}", file.name))
                .collect();
            let listing = format!("{{\"sha\": \"{commit}\", \"siblings\": [{}]}}", names.join(", "));
            for revision in ["main", commit] {
                let path = format!("api/{kind}/{id}/revision/{revision}");
                paths.push((path, Serve::Whole(listing.clone().into_bytes())));
                for file in files {
                    let path = format!("{prefix}{id}/resolve/{revision}/{}", file.name);
                    let serve = served(repository, file, &store);
                    paths.push((path, serve));
                }
            }
        }
        let paths = paths.into_iter().map(|(path, serve)| {
            let serve = change(&path, serve);
            (path, serve)
        });
        Self {
            hub: serve(&paths.collect::<Vec<_>>()),
            store,
        }
    }
}

fn serve(paths: &[(String, Serve)]) -> Server {
    let borrowed = paths.iter().map(|(path, serve)| (path.as_str(), serve.clone()));
    Server::start(borrowed.collect())
}

fn served(repository: &Repository, file: &Entry, store: &Server) -> Serve {
    let commit = format!("X-Repo-Commit: {}\r\n", repository.commit);
    let sum = sum(&file.content);
    if !file.large {
        // Git's own sums have 40 digits.
        let headers = format!("{commit}ETag: \"{}\"\r\n", &sum[..40]);
        return Serve::With(headers, Box::new(Serve::Whole(file.content.clone())));
    }
    let size = file.content.len();
    let headers =
        format!("{commit}X-Linked-Etag: \"{sum}\"\r\nX-Linked-Size: {size}\r\nETag: \"of the answer\"\r\n");
    let to = format!("{}/{}/{}", store.base, repository.id, file.name);
    Serve::With(headers, Box::new(Serve::Redirect(to)))
}
