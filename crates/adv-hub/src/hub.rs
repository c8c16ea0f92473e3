//! From a place on the hub to files on this machine.

use super::cache::{Known, RepoCache};
use super::client::{Client, Listing, Metadata};
use super::model::{self, COMPANIONS, CONFIG, State, WEIGHTS};
use super::transfer::{Progress, Transfer};
use super::{HubError, HubFile, HubModel, HubSettings, Network};
use hf_hub::Repo;
use std::path::PathBuf;

/// The hub, with its cache on this machine.
pub struct Hub {
    settings: HubSettings,
    client: Client,
}

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched<P> {
    /// The folder of a model, or the file of a data set, in the cache. To be read only.
    pub path: PathBuf,
    /// The same place at the commit that it was: it gives the same files for ever, and asks no network while the cache has them.
    pub place: P,
}

/// Follows downloads.
type Follow<'a> = &'a mut dyn FnMut(Progress<'_>);

impl Hub {
    /// The hub of these settings. Nothing is asked yet.
    pub fn new(settings: HubSettings) -> Self {
        let client = Client::new(&settings);
        Self { settings, client }
    }

    /// The files of a model: `config.json`, the tokenizer's, and weights: `model.safetensors`, else its shards, else
    /// `pytorch_model.bin`.
    ///
    /// The cache alone is asked in offline mode, and for a commit of which it has all that a model needs, even where the hub may have
    /// more files of it (another program may have filled the cache). Where the hub cannot be reached, what the cache has is taken, with
    /// a warning.
    ///
    /// Errors: no such repository, revision or file; no network, and not in the cache; a download that broke off or is wrong; a
    /// cache that cannot be written.
    pub fn model(&self, place: &HubModel, progress: Follow<'_>) -> Result<Fetched<HubModel>, HubError> {
        let revision = place.revision().as_str();
        let cache = RepoCache::new(&self.settings.cache, place.repository(revision));
        let cached = match place.is_pinned() {
            true => Some(revision.to_string()),
            false => cache.commit_of(revision),
        };
        let state = match &cached {
            Some(commit) => model::state(&cache, commit),
            None => State::Lacking("the commit of this revision"),
        };
        let found = |commit: &str| Fetched {
            path: cache.snapshot(commit),
            place: place.at(commit),
        };
        match (&cached, state) {
            // A commit gives the same files for ever: with others, such as better weights, a resumed run would go on with another model.
            (Some(commit), State::Complete | State::Usable) if place.is_pinned() || self.is_offline() => {
                if state == State::Usable {
                    tracing::info!("{place}: the cache does not know whether the hub has more files of it");
                }
                return Ok(found(commit));
            }
            (_, State::Lacking(missing)) if self.is_offline() => {
                return Err(self.not_cached(place.to_string(), missing));
            }
            _ => {}
        }
        let listing = match (self.client.list(&place.repository(revision)), &cached) {
            (Err(error), Some(commit)) if error.is_unreachable() && !matches!(state, State::Lacking(_)) => {
                warn_of_cache(&place.to_string(), &error);
                return Ok(found(commit));
            }
            (listing, _) => listing?,
        };
        same_commit(place, place.is_pinned(), revision, &listing.commit)?;
        self.complete(place, &cache, &listing, progress)?;
        cache.set_commit(revision, &listing.commit)?;
        Ok(found(&listing.commit))
    }

    /// Downloads what the cache lacks of a listed commit, weights last.
    fn complete(
        &self,
        place: &HubModel,
        cache: &RepoCache,
        listing: &Listing,
        progress: Follow<'_>,
    ) -> Result<(), HubError> {
        let repository = place.repository(&listing.commit);
        let listed = |name: &str| listing.files.iter().any(|file| file == name);
        let lacking = |file: &str| HubError::NoFile {
            place: place.to_string(),
            file: file.into(),
            found: listing.files.clone(),
        };
        if !listed(CONFIG) {
            return Err(lacking(CONFIG));
        }
        let weights = model::weights(&listing.files).ok_or_else(|| lacking(&WEIGHTS.join(" or ")))?;
        let mut fetch = |name: &str| self.fetch(cache, &repository, &listing.commit, name, progress);
        for name in COMPANIONS {
            if listed(name) {
                fetch(name)?;
            } else {
                cache.mark_absent(&listing.commit, name)?;
            }
        }
        for better in WEIGHTS.iter().take_while(|name| **name != weights) {
            cache.mark_absent(&listing.commit, better)?;
        }
        let first = fetch(weights)?;
        for shard in model::shards(&first)? {
            if !listed(&shard) {
                return Err(lacking(&shard));
            }
            fetch(&shard)?;
        }
        Ok(())
    }

    /// A file of a commit, from the cache or downloaded.
    fn fetch(
        &self,
        cache: &RepoCache,
        repository: &Repo,
        commit: &str,
        name: &str,
        progress: Follow<'_>,
    ) -> Result<PathBuf, HubError> {
        if cache.known(commit, name) == Known::Here {
            return Ok(cache.snapshot(commit).join(name));
        }
        let metadata = self.client.metadata(repository, name)?;
        self.download(cache, repository, name, &metadata, commit, progress)
    }

    fn download(
        &self,
        cache: &RepoCache,
        repository: &Repo,
        name: &str,
        metadata: &Metadata,
        commit: &str,
        progress: Follow<'_>,
    ) -> Result<PathBuf, HubError> {
        let blob = cache.blob(&metadata.etag);
        let _lock = cache.lock(&metadata.etag)?;
        // Another commit may have the same content.
        if !blob.is_file() {
            let transfer = Transfer {
                client: &self.client,
                repository,
                name,
                metadata,
            };
            transfer.fetch(&blob, progress)?;
        }
        cache.link(commit, name, &metadata.etag)
    }

    /// One file of a data set. The cache is asked as for [`Hub::model`].
    ///
    /// Errors: the same.
    pub fn file(&self, place: &HubFile, progress: Follow<'_>) -> Result<Fetched<HubFile>, HubError> {
        let (revision, name) = (place.revision().as_str(), place.path());
        let repository = place.repository(revision);
        let cache = RepoCache::new(&self.settings.cache, repository.clone());
        let commit = match place.is_pinned() {
            true => Some(revision.to_string()),
            false => cache.commit_of(revision),
        };
        let cached = commit.filter(|commit| cache.known(commit, name) == Known::Here);
        let found = |commit: &str| Fetched {
            path: cache.snapshot(commit).join(name),
            place: place.at(commit),
        };
        match &cached {
            Some(commit) if place.is_pinned() || self.is_offline() => return Ok(found(commit)),
            None if self.is_offline() => return Err(self.not_cached(place.to_string(), name)),
            _ => {}
        }
        let metadata = match (self.client.metadata(&repository, name), &cached) {
            (Err(error), Some(commit)) if error.is_unreachable() => {
                warn_of_cache(&place.to_string(), &error);
                return Ok(found(commit));
            }
            (metadata, _) => metadata?,
        };
        let commit = &metadata.commit;
        same_commit(place, place.is_pinned(), revision, commit)?;
        if cache.known(commit, name) != Known::Here {
            // From the commit itself: the branch may have moved since.
            let repository = place.repository(commit);
            self.download(&cache, &repository, name, &metadata, commit, progress)?;
        }
        cache.set_commit(revision, commit)?;
        Ok(found(commit))
    }

    fn is_offline(&self) -> bool {
        self.settings.network == Network::Forbidden
    }

    fn not_cached(&self, place: String, missing: &str) -> HubError {
        HubError::NotCached {
            place,
            cache: self.settings.cache.clone(),
            missing: missing.into(),
        }
    }
}

/// A commit that was asked for must be the one that is given.
fn same_commit(place: &dyn ToString, is_pinned: bool, revision: &str, commit: &str) -> Result<(), HubError> {
    if !is_pinned || commit == revision {
        return Ok(());
    }
    Err(HubError::Answer {
        url: place.to_string(),
        reason: format!("the hub answers with another commit, {commit}"),
    })
}

fn warn_of_cache(place: &str, error: &HubError) {
    let reason = match error {
        HubError::Unreachable { url, reason } => format!("{url}: {reason}"),
        other => other.to_string(),
    };
    tracing::warn!("{place} is taken from the cache, it may have changed since: {reason}");
}
