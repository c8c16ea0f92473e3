//! What can be wrong with a name, the hub, the network and the cache.

use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why a place on the hub gave no file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HubError {
    /// A text that is no place on the hub.
    #[error("{text}: {reason}")]
    Place {
        /// The text.
        text: String,
        /// What it should be.
        reason: &'static str,
    },
    /// The hub does not know the repository, or does not show it to everyone.
    #[error(
        "{repository}: {url} answers {status}: there is no such repository, or it is private or gated; then set HF_TOKEN to a token \
         that may read it (a token {}), and accept its terms on its page", if *.token { "was sent" } else { "was not sent" }
    )]
    Refused {
        /// The repository.
        repository: String,
        /// What was asked.
        url: String,
        /// The status of the answer.
        status: u16,
        /// Whether a token was sent.
        token: bool,
    },
    /// The repository has no such branch, tag or commit.
    #[error("{repository}: there is no revision `{revision}`")]
    NoRevision {
        /// The repository.
        repository: String,
        /// The revision.
        revision: String,
    },
    /// The repository has no such file.
    #[error("{place}: there is no file {file}{}", listed(.found))]
    NoFile {
        /// The model, or the data set's file.
        place: String,
        /// The file, or several that would do.
        file: String,
        /// Files that there are, where they are known.
        found: Vec<String>,
    },
    /// The network may not be used, and the cache does not have what is needed.
    #[error(
        "{place}: HF_HUB_OFFLINE is set, and the cache {} does not have it ({missing}): fetch it once without HF_HUB_OFFLINE, or set HF_HOME \
         to the cache that has it", cache.display()
    )]
    NotCached {
        /// The place.
        place: String,
        /// The cache.
        cache: PathBuf,
        /// What is missing.
        missing: String,
    },
    /// The hub cannot be reached, or is out of order, and the cache does not have what is needed.
    #[error(
        "{url}: {reason}; the cache does not have what is needed either: try again with a network, or set HF_ENDPOINT to a mirror"
    )]
    Unreachable {
        /// What was asked.
        url: String,
        /// Why there was no answer.
        reason: String,
    },
    /// An answer that the hub does not give.
    #[error("{url}: {reason}: is HF_ENDPOINT the address of a hub?")]
    Answer {
        /// What was asked.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// A download broke off, again and again.
    #[error("{url}: {reason}; what has arrived is kept, and the same command goes on with it")]
    BrokeOff {
        /// What was asked.
        url: String,
        /// How far it came, and why not further.
        reason: String,
    },
    /// A download is not as long as the hub says.
    #[error("{url}: {found} bytes instead of {expected}; they were thrown away: try again")]
    Length {
        /// What was asked.
        url: String,
        /// What the hub says.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// A download does not have the sha256 sum that the hub says.
    #[error("{url}: the sha256 sum is {found} instead of {expected}; the bytes were thrown away: try again")]
    Checksum {
        /// What was asked.
        url: String,
        /// What the hub says.
        expected: String,
        /// What came.
        found: String,
    },
    /// The cache cannot be read or written.
    #[error("{}: {source}{}", path.display(), mend(.source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// No folder for the cache is known.
    #[error("there is no home folder for the hub's cache: set HF_HOME")]
    NoHome,
}

impl HubError {
    /// Whether the hub cannot be asked now, so that the cache is the next to be asked.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(self, HubError::Unreachable { .. })
    }
}

fn listed(found: &[String]) -> String {
    /// More would hide the message.
    const SHOWN: usize = 20;
    if found.is_empty() {
        return String::new();
    }
    let more = if found.len() > SHOWN { ", ..." } else { "" };
    let shown: Vec<&str> = found.iter().take(SHOWN).map(String::as_str).collect();
    format!("; there are: {}{more}", shown.join(", "))
}

fn mend(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room, or set HF_HOME to a folder on another disk"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; set HF_HOME to a folder that you may write"
        }
        _ => "",
    }
}

/// Adds the path to an error of the system.
pub(crate) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> HubError {
    let path = path.into();
    move |source| HubError::Io { path, source }
}
