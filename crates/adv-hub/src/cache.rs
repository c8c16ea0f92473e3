//! One repository in the cache that the tools of Hugging Face share: `blobs` by checksum, `snapshots` of links by commit, `refs`, and
//! `.no_exist` for files that a commit does not have.

use super::HubError;
use super::error::at;
use super::place::is_commit;
use hf_hub::{Cache, CacheRepo, Repo};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What the cache knows of a file of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// It is here.
    Here,
    /// The commit does not have it.
    Absent,
    /// Nothing.
    Unknown,
}

/// A repository in the cache.
pub(crate) struct RepoCache {
    root: PathBuf,
    folder: String,
    layout: CacheRepo,
}

impl RepoCache {
    pub(crate) fn new(root: &Path, repository: Repo) -> Self {
        Self {
            root: root.into(),
            folder: repository.folder_name(),
            layout: Cache::new(root.into()).repo(repository),
        }
    }

    /// The folder of a commit.
    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.layout.pointer_path(commit)
    }

    pub(crate) fn known(&self, commit: &str, name: &str) -> Known {
        // Follows the link: one to nowhere counts for nothing.
        if self.snapshot(commit).join(name).is_file() {
            Known::Here
        } else if self.absent(commit, name).exists() {
            Known::Absent
        } else {
            Known::Unknown
        }
    }

    fn absent(&self, commit: &str, name: &str) -> PathBuf {
        self.root
            .join(&self.folder)
            .join(".no_exist")
            .join(commit)
            .join(name)
    }

    /// Remembers that a commit does not have a file.
    pub(crate) fn mark_absent(&self, commit: &str, name: &str) -> Result<(), HubError> {
        let path = self.absent(commit, name);
        make_parent(&path)?;
        File::create(&path).map_err(at(path)).map(drop)
    }

    fn reference(&self, revision: &str) -> PathBuf {
        self.root.join(&self.folder).join("refs").join(revision)
    }

    /// The commit that a branch or tag was when it was last asked for.
    pub(crate) fn commit_of(&self, revision: &str) -> Option<String> {
        let text = fs::read_to_string(self.reference(revision)).ok()?;
        Some(text.trim().to_string()).filter(|text| is_commit(text))
    }

    /// Remembers what a branch or tag is.
    pub(crate) fn set_commit(&self, revision: &str, commit: &str) -> Result<(), HubError> {
        if is_commit(revision) || self.commit_of(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        let path = self.reference(revision);
        let folder = make_parent(&path)?;
        // With the usual permissions, not those of a secret: caches are shared.
        let new = tempfile::Builder::new().make_in(folder, |new| File::create_new(new));
        let mut file = new.map_err(at(folder))?;
        file.write_all(commit.as_bytes()).map_err(at(&path))?;
        file.as_file().sync_all().map_err(at(&path))?;
        file.persist(&path)
            .map_err(|error| at(&path)(error.error))
            .map(drop)
    }

    pub(crate) fn blob(&self, etag: &str) -> PathBuf {
        self.layout.blob_path(etag)
    }

    /// Lets a file of a commit be a blob that is complete.
    pub(crate) fn link(&self, commit: &str, name: &str, etag: &str) -> Result<PathBuf, HubError> {
        let path = self.snapshot(commit).join(name);
        let folder = make_parent(&path)?;
        // Up to the repository: from the folders within the snapshot, then from `snapshots/<commit>`.
        let up = "../".repeat(name.matches('/').count() + 2);
        let target = Path::new(&up).join("blobs").join(etag);
        let new = tempfile::Builder::new().make_in(folder, |new| point(&target, &self.blob(etag), new));
        let new = new.map_err(at(folder))?.into_temp_path();
        new.persist(&path).map_err(|error| at(&path)(error.error))?;
        Ok(path)
    }

    /// Waits for whoever else downloads the same blob. The lock is given up when the file is dropped.
    pub(crate) fn lock(&self, etag: &str) -> Result<File, HubError> {
        let path = self
            .root
            .join(".locks")
            .join(&self.folder)
            .join(format!("{etag}.lock"));
        make_parent(&path)?;
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).open(&path).map_err(at(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                tracing::warn!(
                    "waiting for another program that downloads the same file ({})",
                    path.display()
                );
                file.lock().map_err(at(&path))?;
            }
            // Some network file systems have no locks. The check of the content still holds.
            Err(TryLockError::Error(_)) => {}
        }
        Ok(file)
    }
}

/// Makes the folder of a file.
pub(crate) fn make_parent(path: &Path) -> Result<&Path, HubError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder).map_err(at(folder))?;
    Ok(folder)
}

#[cfg(unix)]
fn point(target: &Path, _blob: &Path, new: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, new)
}

/// Links need a privilege on some systems; one more name of the same file does not.
#[cfg(not(unix))]
fn point(_target: &Path, blob: &Path, new: &Path) -> std::io::Result<()> {
    fs::hard_link(blob, new)
}
