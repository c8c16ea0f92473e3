//! The known data sets, and where a data set is looked for.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::{DataError, Result};
use crate::fetch::{Fetcher, Progress};
use crate::folder;
use crate::image_set::ImageSet;
use crate::remote;
use crate::{digits, unpack};

/// A data set this crate knows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DatasetId {
    /// 1797 handwritten digits of 8×8 pixels, part of the program ([`digits`]).
    Digits,
    /// 70 000 handwritten digits of 28×28 pixels (LeCun, Cortes, Burges).
    Mnist,
    /// 70 000 pieces of clothing of 28×28 pixels (Xiao, Rasul, Vollgraf 2017, <https://arxiv.org/abs/1708.07747>).
    FashionMnist,
    /// 60 000 colour photographs of 32×32 pixels (Krizhevsky 2009).
    Cifar10,
}

impl DatasetId {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Digits, Self::Mnist, Self::FashionMnist, Self::Cifar10];

    /// The name on the command line, and of the folder in a folder of data sets.
    pub fn name(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
            Self::Cifar10 => "cifar10",
        }
    }
}

impl fmt::Display for DatasetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for DatasetId {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self> {
        let unknown = || DataError::UnknownDataset {
            name: name.to_string(),
            known: Self::ALL.map(Self::name).join(", "),
        };
        Self::ALL
            .into_iter()
            .find(|id| id.name() == name)
            .ok_or_else(unknown)
    }
}

/// Where [`load`] looks for a data set: the four places in the order of the fields.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// The data set's own folder. If given, nothing else is looked at.
    pub folder: Option<PathBuf>,
    /// A folder with a folder for each data set, named as [`DatasetId::name`] says.
    pub root: Option<PathBuf>,
    /// Likewise, and where downloaded files are kept; see [`user_cache`].
    pub cache: Option<PathBuf>,
    /// Whether missing files may be downloaded into `cache`.
    pub download: Download,
}

/// Whether and from where files may be downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Download {
    /// Not at all.
    #[default]
    Never,
    /// From the public mirrors ([`public_mirrors`](crate::public_mirrors)).
    Public,
    /// From these addresses of folders, in order.
    From(Vec<String>),
}

/// A data set in memory, in its published parts.
#[derive(Debug, Clone)]
pub struct Splits {
    /// Images to train on.
    pub train: ImageSet,
    /// Images to test on, of the same shape and classes.
    pub test: ImageSet,
    /// Where they were read from.
    pub origin: Origin,
}

/// Where a data set was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The program itself.
    Bundled,
    /// The files in this folder.
    Folder(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bundled => f.write_str("bundled"),
            Self::Folder(path) => path.display().fmt(f),
        }
    }
}

/// The user's cache folder for data sets (on Linux `~/.cache/adv`), if the system names one.
pub fn user_cache() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "adv").map(|project| project.cache_dir().to_path_buf())
}

/// Loads a data set from the first place of `source` that has all its files; `progress` follows downloads.
///
/// The digits are part of the program and come from there unless `source.folder` is given. A place with some files missing
/// counts as without; a file that is there and wrong is an error.
///
/// # Errors
///
/// [`DataError::MissingFiles`] with the names looked for, [`DataError::Download`], or what is wrong with a file.
pub fn load(id: DatasetId, source: &Source, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Splits> {
    if let Some(folder) = &source.folder {
        let hint = "put the files there, or leave out --data-dir to have them looked for elsewhere";
        return read(id, folder)?.ok_or_else(|| missing(id, vec![folder.clone()], hint));
    }
    if id == DatasetId::Digits {
        let (train, test) = digits::bundled()?;
        return Ok(Splits {
            train,
            test,
            origin: Origin::Bundled,
        });
    }
    let places: Vec<PathBuf> = [&source.root, &source.cache]
        .into_iter()
        .flatten()
        .map(|at| at.join(id.name()))
        .collect();
    for place in &places {
        if let Some(splits) = read(id, place)? {
            return Ok(splits);
        }
    }
    let mirrors: Vec<String> = match &source.download {
        Download::Never => Vec::new(),
        Download::Public => remote::public_mirrors(id)
            .iter()
            .map(|base| base.to_string())
            .collect(),
        Download::From(bases) => bases.clone(),
    };
    let hint = "give the folder that holds them with --data-dir, or a folder of data sets with ADV_DATA_DIR, \
                or let them be downloaded";
    let Some(cache) = source.cache.as_ref().filter(|_| !mirrors.is_empty()) else {
        return Err(missing(id, places, hint));
    };
    let place = cache.join(id.name());
    let fetcher = Fetcher::default();
    for file in remote::files(id, &mirrors) {
        let path = fetcher.fetch(&file, &place, progress)?;
        if file.name == remote::CIFAR_ARCHIVE {
            unpack::records(&path, &place)?;
        }
    }
    read(id, &place)?.ok_or_else(|| missing(id, places, hint))
}

fn read(id: DatasetId, folder: &Path) -> Result<Option<Splits>> {
    let parts = folder::read(id, folder)?;
    Ok(parts.map(|(train, test)| Splits {
        train,
        test,
        origin: Origin::Folder(folder.to_path_buf()),
    }))
}

fn missing(id: DatasetId, searched: Vec<PathBuf>, hint: &str) -> DataError {
    DataError::MissingFiles {
        dataset: id,
        wanted: folder::wanted(id),
        searched,
        hint: hint.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for id in DatasetId::ALL {
            assert_eq!(id.to_string().parse::<DatasetId>().expect("its own name"), id);
        }
        let error = "imagenet".parse::<DatasetId>().expect_err("unknown").to_string();
        assert_eq!(
            error,
            "unknown data set `imagenet`; known: digits, mnist, fashion-mnist, cifar10"
        );
    }
}
