//! Downloading one file: several mirrors, continued where it broke off, checked, and put in place in one step.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::error::{DataError, MirrorFailure, Result, at};
pub use crate::expected::Expected;
use crate::expected::hex;

/// Requests to one mirror at most, each continuing the one before.
const REQUESTS: usize = 8;

/// A file that can be downloaded.
#[derive(Debug, Clone)]
pub struct RemoteFile {
    /// The name it is kept under.
    pub name: String,
    /// Its addresses, the preferred one first.
    pub urls: Vec<String>,
    /// What its content must be.
    pub expected: Expected,
}

/// How far a download is; given to the caller's function after each block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Name of the file.
    pub file: &'a str,
    /// The address it comes from.
    pub url: &'a str,
    /// Bytes here, those of an earlier attempt included.
    pub received: u64,
    /// Bytes in all, if the server says so.
    pub total: Option<u64>,
}

/// Downloads files.
#[derive(Debug, Clone)]
pub struct Fetcher {
    agent: Agent,
}

/// Why a mirror was given up, or why nothing can go on.
enum Failure {
    Mirror(String),
    Local(DataError),
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Self::Local(error)
    }
}

impl Default for Fetcher {
    /// Waits 30 seconds at most for a connection, an answer or the next bytes.
    fn default() -> Self {
        Self::new(Duration::from_secs(30))
    }
}

impl Fetcher {
    /// A fetcher that gives up a connection after `silence`. A slow transfer may take as long as it needs.
    pub fn new(silence: Duration) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // Compression on the way would make byte ranges meaningless.
            .accept_encoding("identity")
            .timeout_resolve(Some(silence))
            .timeout_connect(Some(silence))
            .timeout_recv_response(Some(silence))
            .timeout_per_read(Some(silence))
            .build();
        Self { agent: config.into() }
    }

    /// The path of the file in `folder`; downloads it first if it is not there.
    ///
    /// Until it is complete and checked it is kept under another name that ends in `.part`, one for each mirror, and the
    /// next attempt continues it. Two processes that want the same folder wait for each other.
    ///
    /// # Errors
    ///
    /// [`DataError::Download`] with the reason of each mirror, or [`DataError::Io`] if the folder cannot be written.
    pub fn fetch(
        &self,
        file: &RemoteFile,
        folder: &Path,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<PathBuf> {
        fs::create_dir_all(folder).map_err(at(folder))?;
        let _lock = lock(&folder.join(".lock"))?;
        let target = folder.join(&file.name);
        if target.exists() {
            return Ok(target);
        }
        let mut failures = Vec::new();
        for url in &file.urls {
            let part = part_path(folder, &file.name, url);
            match self.try_mirror(file, url, &part, progress) {
                Ok(()) => {
                    put_in_place(&part, &target)?;
                    for url in &file.urls {
                        // What other mirrors left is of no more use; it may not exist.
                        let _ = fs::remove_file(part_path(folder, &file.name, url));
                    }
                    return Ok(target);
                }
                Err(Failure::Mirror(reason)) => failures.push(MirrorFailure {
                    url: url.clone(),
                    reason,
                }),
                Err(Failure::Local(error)) => return Err(error),
            }
        }
        Err(DataError::Download {
            file: file.name.clone(),
            failures,
            folder: folder.to_path_buf(),
        })
    }

    /// Completes `part` from one mirror and checks it. Goes on as long as each request brings bytes.
    fn try_mirror(
        &self,
        file: &RemoteFile,
        url: &str,
        part: &Path,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> std::result::Result<(), Failure> {
        let mut reason = String::new();
        for _ in 0..REQUESTS {
            let before = size(part);
            match self.receive(file, url, part, progress) {
                Ok(()) => match file.expected.check(part) {
                    Ok(()) => return Ok(()),
                    Err(wrong) => {
                        fs::remove_file(part).map_err(at(part))?;
                        reason = wrong;
                        // Two halves of different files may have met; one more try from the start tells.
                        if before == 0 {
                            break;
                        }
                    }
                },
                Err(Failure::Mirror(broken)) => {
                    reason = broken;
                    if size(part) <= before {
                        break;
                    }
                }
                Err(local) => return Err(local),
            }
        }
        Err(Failure::Mirror(reason))
    }

    /// One request: appends what is missing to `part`, or all of it if the server knows no ranges.
    fn receive(
        &self,
        file: &RemoteFile,
        url: &str,
        part: &Path,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> std::result::Result<(), Failure> {
        let have = size(part);
        let mut request = self.agent.get(url);
        if have > 0 {
            request = request.header("Range", format!("bytes={have}-"));
        }
        let response = request
            .call()
            .map_err(|error| Failure::Mirror(error.to_string()))?;
        let mut received = match response.status().as_u16() {
            200 => 0,
            206 if range_start(&response) == Some(have) => have,
            206 => {
                return Err(Failure::Mirror(
                    "the server sent another range than asked for".into(),
                ));
            }
            // Nothing after what is here: complete, or the check will tell.
            416 if have > 0 => return Ok(()),
            status => return Err(Failure::Mirror(format!("HTTP status {status}"))),
        };
        let total = response.body().content_length().map(|rest| received + rest);
        let mut output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(part)
            .map_err(at(part))?;
        output.set_len(received).map_err(at(part))?;
        let mut body = response.into_body().into_reader();
        let mut block = vec![0; 64 * 1024];
        loop {
            let broken =
                |reason: &str| Failure::Mirror(format!("broke off after {received} bytes: {reason}"));
            match body.read(&mut block) {
                Ok(0) if total.is_some_and(|total| received < total) => {
                    return Err(broken("the connection was closed"));
                }
                Ok(0) => return output.sync_all().map_err(at(part)).map_err(Failure::Local),
                Ok(read) => {
                    output.write_all(&block[..read]).map_err(at(part))?;
                    received += read as u64;
                    progress(Progress {
                        file: &file.name,
                        url,
                        received,
                        total,
                    });
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(&error.to_string())),
            }
        }
    }
}

/// Moves a file that is complete and on the disk to its name, and makes the move last.
pub(crate) fn put_in_place(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(at(to))?;
    // Only some systems let a folder be synced; without it a power failure may undo the move, no more.
    if let Some(Ok(folder)) = to.parent().map(File::open) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Waits for the folder's lock, which is given up when the file is dropped.
fn lock(path: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(at(path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => file.lock().map_err(at(path))?,
        // Some network file systems have no locks. The check of the content still holds.
        Err(TryLockError::Error(_)) => {}
    }
    Ok(file)
}

fn part_path(folder: &Path, name: &str, url: &str) -> PathBuf {
    folder.join(format!("{name}.{}.part", &hex(&Sha256::digest(url))[..8]))
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn range_start(response: &Response<Body>) -> Option<u64> {
    let value = response.headers().get("content-range")?.to_str().ok()?;
    value
        .strip_prefix("bytes ")?
        .split('-')
        .next()?
        .trim()
        .parse()
        .ok()
}
