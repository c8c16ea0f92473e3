//! Where a model or a table is: on this machine, or on the hub.

use adv_hub::{HubError, HubFile, HubModel};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A file or folder of this machine, or a place on the hub: whatever begins with `hf://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place<H> {
    /// On this machine.
    Local(PathBuf),
    /// On the hub.
    Hub(H),
}

/// Where a model is.
pub type ModelPlace = Place<HubModel>;

/// Where a table is.
pub type FilePlace = Place<HubFile>;

impl<H: Clone> Place<H> {
    /// The same place, from the root.
    pub(super) fn absolute(&self) -> Self {
        match self {
            Place::Local(path) => Place::Local(super::absolute(path)),
            Place::Hub(place) => Place::Hub(place.clone()),
        }
    }

    /// The path, if it is on this machine.
    pub fn local(&self) -> Option<&Path> {
        match self {
            Place::Local(path) => Some(path),
            Place::Hub(_) => None,
        }
    }
}

impl ModelPlace {
    /// The name in tables: of the folder, or of the model without its owner.
    pub fn name(&self) -> String {
        match self {
            Place::Local(folder) => folder
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            Place::Hub(model) => model.name().into(),
        }
    }
}

impl FilePlace {
    /// The name in tables: of the file without endings, or of the data set without its owner.
    pub fn name(&self) -> String {
        match self {
            Place::Local(path) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.split('.').next().unwrap_or("table").into()
            }
            Place::Hub(file) => file.name().into(),
        }
    }
}

impl<H> From<PathBuf> for Place<H> {
    fn from(path: PathBuf) -> Self {
        Place::Local(path)
    }
}

impl<H: FromStr<Err = HubError>> FromStr for Place<H> {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        if text.starts_with("hf://") {
            return text.parse().map(Place::Hub);
        }
        let path: Result<PathBuf, Infallible> = text.parse();
        Ok(Place::Local(path.unwrap_or_default()))
    }
}

impl<H: fmt::Display> fmt::Display for Place<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Local(path) => path.display().fmt(f),
            Place::Hub(place) => place.fmt(f),
        }
    }
}

impl<H: fmt::Display> Serialize for Place<H> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            // Refuses what is no text.
            Place::Local(path) => path.serialize(to),
            Place::Hub(place) => to.collect_str(place),
        }
    }
}

impl<'de, H: FromStr<Err = HubError>> Deserialize<'de> for Place<H> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_tables_are_short() {
        for (text, expected) in [
            ("models/all-MiniLM-L6-v2", "all-MiniLM-L6-v2"),
            ("hf://owner/name@v1", "name"),
        ] {
            let place: ModelPlace = text.parse().expect("a place");
            assert_eq!(
                (place.name().as_str(), place.to_string().as_str()),
                (expected, text)
            );
        }
        for (text, expected) in [
            ("data/own.tsv.gz", "own"),
            ("hf://datasets/owner/name/sub/train.parquet", "name"),
        ] {
            let place: FilePlace = text.parse().expect("a place");
            assert_eq!(
                (place.name().as_str(), place.to_string().as_str()),
                (expected, text)
            );
        }
        assert!("hf://datasets/a/b/c".parse::<ModelPlace>().is_err());
        assert!("hf://a/b".parse::<FilePlace>().is_err());
    }
}
