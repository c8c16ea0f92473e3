//! One file, downloaded and checked.

use super::HubError;
use super::cache::make_parent;
use super::client::{Client, Metadata, header};
use super::error::at;
use hf_hub::Repo;
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Requests for one file at most, each continuing the one before.
const REQUESTS: usize = 8;

/// How far a download is; given to the caller's function after each block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The file within its repository.
    pub file: &'a str,
    /// Bytes here, those of an earlier attempt included.
    pub received: u64,
    /// Bytes in all, if the hub says so.
    pub total: Option<u64>,
}

/// One file to download.
pub(crate) struct Transfer<'a> {
    pub(crate) client: &'a Client,
    pub(crate) repository: &'a Repo,
    pub(crate) name: &'a str,
    pub(crate) metadata: &'a Metadata,
}

/// What one request came to.
enum Received {
    /// The end of the file.
    All,
    /// Less, and why.
    Part(String),
}

impl Transfer<'_> {
    /// Downloads to `blob`. Until it is whole and checked, it has another name, and the next attempt continues it.
    pub(crate) fn fetch(&self, blob: &Path, progress: &mut dyn FnMut(Progress<'_>)) -> Result<(), HubError> {
        make_parent(blob)?;
        let part = part_of(blob);
        let url = self.client.file_url(self.repository, self.name);
        let mut last = HubError::BrokeOff {
            url: url.clone(),
            reason: "no byte came".into(),
        };
        for _ in 0..REQUESTS {
            let before = size(&part);
            match self.receive(&url, &part, progress)? {
                Received::All => match self.check(&url, &part)? {
                    None => return put_in_place(&part, blob),
                    Some(wrong) => {
                        fs::remove_file(&part).map_err(at(&part))?;
                        // Two halves of different files may have met; one more try from the start tells.
                        if before == 0 {
                            return Err(wrong);
                        }
                        last = wrong;
                    }
                },
                Received::Part(reason) => {
                    last = HubError::BrokeOff {
                        url: url.clone(),
                        reason,
                    };
                    if size(&part) <= before {
                        break;
                    }
                }
            }
        }
        Err(last)
    }

    /// One request: appends what is missing to `part`, or all of it if the server knows no ranges.
    fn receive(
        &self,
        url: &str,
        part: &Path,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Received, HubError> {
        let mut have = size(part);
        match self.metadata.size {
            Some(size) if have == size && size > 0 => return Ok(Received::All),
            Some(size) if have > size => have = 0,
            _ => {}
        }
        let response = match self.client.content(url, have) {
            // Bytes that are here make it worth while to say that they are kept.
            Err(HubError::Unreachable { reason, .. }) if have > 0 => return Ok(Received::Part(reason)),
            response => response?,
        };
        let mut received = match response.status().as_u16() {
            200 => 0,
            206 if range_start(&response) == Some(have) => have,
            206 => {
                return Ok(Received::Part(
                    "the server sent another range than asked for".into(),
                ));
            }
            // Nothing after what is here: complete, or the check will tell.
            416 if have > 0 => return Ok(Received::All),
            _ => {
                return Err(self
                    .client
                    .refusal(&response, url, self.repository, Some(self.name)));
            }
        };
        let announced = response.body().content_length().map(|rest| received + rest);
        let total = self.metadata.size.or(announced);
        let mut options = OpenOptions::new();
        let mut output = options.create(true).append(true).open(part).map_err(at(part))?;
        output.set_len(received).map_err(at(part))?;
        let mut body = response.into_body().into_reader();
        let mut block = vec![0; 64 * 1024];
        loop {
            let broken = |reason: &str| {
                Ok(Received::Part(format!(
                    "broke off after {received} bytes: {reason}"
                )))
            };
            match body.read(&mut block) {
                Ok(0) if announced.is_some_and(|announced| received < announced) => {
                    return broken("the connection was closed");
                }
                Ok(0) => {
                    output.sync_all().map_err(at(part))?;
                    return Ok(Received::All);
                }
                Ok(read) => {
                    output.write_all(&block[..read]).map_err(at(part))?;
                    received += read as u64;
                    // The check will say so; the disk is not filled with it.
                    if self.metadata.size.is_some_and(|size| received > size) {
                        return Ok(Received::All);
                    }
                    progress(Progress {
                        file: self.name,
                        received,
                        total,
                    });
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return broken(&error.to_string()),
            }
        }
    }

    /// What is wrong with a file that is all there: its length, or the sum that the hub gives of large files.
    fn check(&self, url: &str, part: &Path) -> Result<Option<HubError>, HubError> {
        let found = size(part);
        if let Some(expected) = self.metadata.size.filter(|size| *size != found) {
            return Ok(Some(HubError::Length {
                url: url.into(),
                expected,
                found,
            }));
        }
        let expected = &self.metadata.etag;
        // Shorter ones are git's own sums, of small files.
        if expected.len() != 64 {
            return Ok(None);
        }
        let found = sha256(part)?;
        Ok(
            (found != expected.to_ascii_lowercase()).then(|| HubError::Checksum {
                url: url.into(),
                expected: expected.clone(),
                found,
            }),
        )
    }
}

fn sha256(path: &Path) -> Result<String, HubError> {
    let mut file = File::open(path).map_err(at(path))?;
    let mut sum = Sha256::new();
    let mut block = vec![0; 64 * 1024];
    loop {
        match file.read(&mut block).map_err(at(path))? {
            0 => return Ok(sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => sum.update(&block[..read]),
        }
    }
}

/// The name that `huggingface_hub` gives to what is not whole.
fn part_of(blob: &Path) -> PathBuf {
    let mut name = blob.as_os_str().to_os_string();
    name.push(".incomplete");
    name.into()
}

/// Moves a file that is whole and on the disk to its name, and makes the move last.
fn put_in_place(from: &Path, to: &Path) -> Result<(), HubError> {
    fs::rename(from, to).map_err(at(to))?;
    // Only some systems let a folder be synced; without it a power failure may undo the move, no more.
    if let Some(Ok(folder)) = to.parent().map(File::open) {
        let _ = folder.sync_all();
    }
    Ok(())
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn range_start(response: &ureq::http::Response<ureq::Body>) -> Option<u64> {
    let range = header(response, "content-range")?.strip_prefix("bytes ")?;
    range.split('-').next()?.trim().parse().ok()
}
