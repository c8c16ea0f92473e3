//! Places on the hub, in the spelling of Hugging Face's own tools.

use super::HubError;
use hf_hub::{Repo, RepoType};
use std::fmt;
use std::str::FromStr;

/// What every place on the hub begins with.
pub(crate) const SCHEME: &str = "hf://";
const DATASETS: &str = "datasets/";

/// A model: `hf://OWNER/NAME[@REVISION]`. Old models without an owner are `hf://NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HubModel {
    id: String,
    revision: Revision,
}

/// A file of a data set: `hf://datasets/OWNER/NAME[@REVISION]/PATH`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HubFile {
    id: String,
    revision: Revision,
    path: String,
}

/// A branch, a tag, a reference such as `refs/pr/1`, or a commit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Revision(String);

impl HubModel {
    /// The last part of the name.
    pub fn name(&self) -> &str {
        self.id.rsplit('/').next().unwrap_or(&self.id)
    }

    /// Whether the place names a commit, so that it is the same files for ever.
    pub fn is_pinned(&self) -> bool {
        self.revision.is_commit()
    }

    /// The same model at a commit.
    pub(crate) fn at(&self, commit: &str) -> Self {
        Self {
            id: self.id.clone(),
            revision: Revision(commit.into()),
        }
    }

    pub(crate) fn revision(&self) -> &Revision {
        &self.revision
    }

    pub(crate) fn repository(&self, revision: &str) -> Repo {
        Repo::with_revision(self.id.clone(), RepoType::Model, revision.into())
    }
}

impl HubFile {
    /// The last part of the data set's name.
    pub fn name(&self) -> &str {
        self.id.rsplit('/').next().unwrap_or(&self.id)
    }

    /// The path of the file within the data set.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the place names a commit, so that it is the same file for ever.
    pub fn is_pinned(&self) -> bool {
        self.revision.is_commit()
    }

    /// The same file at a commit.
    pub(crate) fn at(&self, commit: &str) -> Self {
        Self {
            revision: Revision(commit.into()),
            ..self.clone()
        }
    }

    pub(crate) fn revision(&self) -> &Revision {
        &self.revision
    }

    pub(crate) fn repository(&self, revision: &str) -> Repo {
        Repo::with_revision(self.id.clone(), RepoType::Dataset, revision.into())
    }
}

impl Revision {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_commit(&self) -> bool {
        is_commit(&self.0)
    }

    /// As it stands behind `@`; nothing for the usual branch.
    fn shown(&self) -> String {
        match self.0.as_str() {
            "main" => String::new(),
            // Written as they stand, as the tools of Hugging Face do.
            special if special.starts_with("refs/") => format!("@{special}"),
            other => format!("@{}", other.replace('/', "%2F")),
        }
    }

    fn checked(text: &str) -> Result<Self, &'static str> {
        let name = match text {
            "~parquet" => "refs/convert/parquet".into(),
            other => other.replace("%2F", "/").replace("%2f", "/"),
        };
        let part = |part: &str| {
            !part.starts_with('.') && !part.is_empty() && part.chars().all(|c| is_plain(c) || c == '+')
        };
        if name.split('/').all(part) {
            Ok(Self(name))
        } else {
            Err("behind @ stands a branch, a tag or a commit")
        }
    }
}

/// Whether these are the 40 digits of a commit.
pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// A part of a name that can stand in a name of a folder of the cache, where `--` separates.
fn is_name(text: &str) -> bool {
    let ends = |c: char| c == '.' || c == '-';
    !text.is_empty()
        && text.chars().all(is_plain)
        && !text.starts_with(ends)
        && !text.ends_with(ends)
        && !text.contains("--")
        && !text.contains("..")
}

/// Whether a path stays within its folder, on every system.
pub(crate) fn is_inner_path(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && !path.contains(|c: char| c.is_control() || matches!(c, '\\' | ':'))
}

fn without_scheme(text: &str) -> Result<&str, &'static str> {
    text.strip_prefix(SCHEME).ok_or("it begins with hf://")
}

fn model(text: &str) -> Result<HubModel, &'static str> {
    const FORM: &str = "a model is hf://OWNER/NAME or hf://OWNER/NAME@REVISION";
    let rest = without_scheme(text)?;
    if rest.starts_with(DATASETS) {
        return Err("this is a data set; a model is hf://OWNER/NAME");
    }
    let (id, revision) = rest.split_once('@').unwrap_or((rest, "main"));
    let parts: Vec<&str> = id.split('/').collect();
    if parts.len() > 2 || !parts.iter().all(|part| is_name(part)) {
        return Err(FORM);
    }
    Ok(HubModel {
        id: id.into(),
        revision: Revision::checked(revision)?,
    })
}

fn file(text: &str) -> Result<HubFile, &'static str> {
    const FORM: &str =
        "a file of a data set is hf://datasets/OWNER/NAME/PATH or hf://datasets/OWNER/NAME@REVISION/PATH";
    let rest = without_scheme(text)?.strip_prefix(DATASETS).ok_or(FORM)?;
    let (owner, rest) = rest.split_once('/').ok_or(FORM)?;
    let (name, rest) = rest
        .split_once(['/', '@'])
        .map(|(name, _)| (name, &rest[name.len()..]))
        .ok_or(FORM)?;
    let (revision, path) = match rest.strip_prefix('@') {
        None => ("main", &rest[1..]),
        Some(rest) => {
            // `refs/pr/1` and `refs/convert/parquet` have slashes of their own.
            let parts = if rest.starts_with("refs/") { 3 } else { 1 };
            let end = rest.match_indices('/').nth(parts - 1).ok_or(FORM)?.0;
            (&rest[..end], &rest[end + 1..])
        }
    };
    if !is_name(owner) || !is_name(name) || !is_inner_path(path) {
        return Err(FORM);
    }
    Ok(HubFile {
        id: format!("{owner}/{name}"),
        revision: Revision::checked(revision)?,
        path: path.into(),
    })
}

fn refused(text: &str) -> impl FnOnce(&'static str) -> HubError {
    move |reason| HubError::Place {
        text: text.into(),
        reason,
    }
}

impl FromStr for HubModel {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        model(text).map_err(refused(text))
    }
}

impl FromStr for HubFile {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        file(text).map_err(refused(text))
    }
}

impl fmt::Display for HubModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}{}", self.id, self.revision.shown())
    }
}

impl fmt::Display for HubFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, revision, path } = self;
        write!(f, "{SCHEME}{DATASETS}{id}{}/{path}", revision.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn models_are_read_and_written_back() {
        for (text, name, revision) in [
            ("hf://owner/name", "name", "main"),
            ("hf://gpt2", "gpt2", "main"),
            ("hf://owner/name.v-1@v2.0", "name.v-1", "v2.0"),
            ("hf://owner/name@refs/pr/7", "name", "refs/pr/7"),
            ("hf://owner/name@a%2Fb", "name", "a/b"),
        ] {
            let place: HubModel = text.parse().expect("a place");
            assert_eq!(
                (place.name(), place.revision().as_str()),
                (name, revision),
                "{text}"
            );
            assert_eq!(place.to_string(), text);
        }
        let place: HubModel = "hf://owner/name@main".parse().expect("a place");
        assert_eq!(place.to_string(), "hf://owner/name");
        assert!(!place.is_pinned() && place.at(COMMIT).is_pinned());
        assert_eq!(place.at(COMMIT).to_string(), format!("hf://owner/name@{COMMIT}"));
    }

    #[test]
    fn files_are_read_and_written_back() {
        for (text, revision, path) in [
            ("hf://datasets/o/n/train.parquet", "main", "train.parquet"),
            ("hf://datasets/o/n/a b/c@d.tsv", "main", "a b/c@d.tsv"),
            ("hf://datasets/o/n@v1/a/b.tsv", "v1", "a/b.tsv"),
            (
                "hf://datasets/o/n@refs/convert/parquet/sst2/train/0000.parquet",
                "refs/convert/parquet",
                "sst2/train/0000.parquet",
            ),
        ] {
            let place: HubFile = text.parse().expect("a place");
            assert_eq!(
                (place.revision().as_str(), place.path()),
                (revision, path),
                "{text}"
            );
            assert_eq!(place.to_string(), text);
        }
        let short: HubFile = "hf://datasets/o/n@~parquet/x".parse().expect("a place");
        assert_eq!(short.revision().as_str(), "refs/convert/parquet");
        assert_eq!(
            short.at(COMMIT).to_string(),
            format!("hf://datasets/o/n@{COMMIT}/x")
        );
    }

    #[test]
    fn what_is_no_place_is_refused() {
        let long = "hf://o/n/path";
        for text in [
            "o/n",
            "hf://",
            "hf:///n",
            "hf://o/",
            "hf://o/../n",
            "hf://o/n@",
            "hf://o/n@../x",
            "hf://o/a--b",
            "hf://datasets/o/n",
            "hf://o/n?x",
            long,
        ] {
            let error = text.parse::<HubModel>().expect_err(text).to_string();
            assert!(error.contains(text), "{error}");
        }
        for text in [
            long,
            "hf://datasets/o/n",
            "hf://datasets/o/n/",
            "hf://datasets/o/n@v1",
            "hf://datasets/n/",
            "hf://datasets/o/n/../x",
            "hf://datasets/o/n//x",
            "hf://datasets/o/n/a\\b",
            "hf://datasets/o/n@/x",
        ] {
            let error = text.parse::<HubFile>().expect_err(text).to_string();
            assert!(error.contains(text), "{error}");
        }
    }
}
