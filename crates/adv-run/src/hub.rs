//! What a run takes from the hub: fetched before it begins, at a commit that its settings keep.

use crate::progress::DownloadBar;
use crate::spec::{FilePlace, ModelPlace, Place, RunSpec};
use crate::usage::UsageError;
use adv_hub::{Hub, HubError, HubSettings, Progress};
use anyhow::{Context, Result};
use std::path::PathBuf;

const MODEL: &str = "--model-dir";

/// The spec with each place on the hub at the commit that it is now, and its files in the cache.
pub fn pinned(spec: RunSpec) -> Result<RunSpec> {
    let mut s = spec.settings().clone();
    let before = s.clone();
    // Small files first: what is wrong with them is said before a model is downloaded.
    for (flag, place) in [
        ("--train-file", &mut s.train_file),
        ("--dev-file", &mut s.dev_file),
        ("--test-file", &mut s.test_file),
    ] {
        if let Some(Place::Hub(file)) = place {
            *file = fetch(flag, |hub, follow| hub.file(file, follow))?.place;
        }
    }
    if let Some(Place::Hub(model)) = &mut s.model_dir {
        *model = fetch(MODEL, |hub, follow| hub.model(model, follow))?.place;
    }
    match s == before {
        true => Ok(spec),
        false => Ok(RunSpec::resolve(s)?),
    }
}

/// The folder of a model on this machine. Of a commit that the cache has, no network is asked.
pub fn folder(place: &ModelPlace) -> Result<PathBuf> {
    match place {
        Place::Local(path) => Ok(path.clone()),
        Place::Hub(model) => Ok(fetch(MODEL, |hub, follow| hub.model(model, follow))?.path),
    }
}

/// A table on this machine, likewise.
pub fn file(place: &FilePlace) -> Result<PathBuf> {
    match place {
        Place::Local(path) => Ok(path.clone()),
        Place::Hub(file) => Ok(fetch("a table", |hub, follow| hub.file(file, follow))?.path),
    }
}

fn fetch<T>(
    flag: &str,
    get: impl FnOnce(&Hub, &mut dyn FnMut(Progress<'_>)) -> Result<T, HubError>,
) -> Result<T> {
    let mut bar = DownloadBar::default();
    let fetched = HubSettings::from_env().and_then(|settings| {
        get(&Hub::new(settings), &mut |progress| {
            bar.show(progress.file, progress.received, progress.total);
        })
    });
    bar.clear();
    match fetched {
        // As of a file of this machine that is not there.
        Err(error @ (HubError::NoFile { .. } | HubError::NoRevision { .. } | HubError::Refused { .. })) => {
            Err(UsageError(format!("{flag}: {error}")).into())
        }
        fetched => fetched.with_context(|| flag.to_string()),
    }
}
