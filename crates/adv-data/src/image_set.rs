//! Labelled images in memory, and views of them.

use std::sync::Arc;

use burn::data::dataset::{Dataset, DatasetError};

use crate::batch::HostBatch;
use crate::error::{DataError, Result};

/// What an [`ImageSet`] is made of; [`ImageSet::new`] checks it.
#[derive(Debug, Clone)]
pub struct RawImages {
    /// Name of the set, for messages.
    pub name: String,
    /// Channels, height and width of every image.
    pub shape: [usize; 3],
    /// Names of the classes; a label is an index into it. At most 256.
    pub classes: Vec<String>,
    /// All images one after another, each `[channels, height, width]`, from 0 to `white`.
    pub pixels: Vec<u8>,
    /// The stored value that means 1.0 (255 for eight-bit images, 16 for the digits).
    pub white: u8,
    /// The class of each image.
    pub labels: Vec<u8>,
}

/// Labelled images of one shape, held once in memory; a clone, a selection or a split shares them.
///
/// Pixels are handed out in `[0, 1]`, as `stored as f32 / white as f32`. Normalising them is the model's work.
#[derive(Debug, Clone)]
pub struct ImageSet {
    images: Arc<RawImages>,
    /// Which of the images belong to this view, in order.
    rows: Arc<[usize]>,
}

/// One image and its class, as Burn's [`Dataset`] yields it.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageItem {
    /// `channels * height * width` values in `[0, 1]`.
    pub pixels: Vec<f32>,
    /// The class.
    pub label: i64,
}

impl ImageSet {
    /// Checks the parts and makes a set of all images.
    ///
    /// # Errors
    ///
    /// [`DataError::InvalidImages`] if the shape has a zero, there are no or over 256 classes, the pixels do not
    /// make one image a label, or a pixel or label is out of range.
    pub fn new(images: RawImages) -> Result<Self> {
        let invalid = |reason: String| DataError::InvalidImages {
            name: images.name.clone(),
            reason,
        };
        let size: usize = images.shape.iter().product();
        if size == 0 {
            return Err(invalid(format!("a size in the shape {:?} is zero", images.shape)));
        }
        if images.classes.is_empty() || images.classes.len() > 256 {
            return Err(invalid(format!(
                "{} classes; 1 to 256 are possible",
                images.classes.len()
            )));
        }
        if images.pixels.len() != images.labels.len() * size {
            return Err(invalid(format!(
                "{} pixels for {} labels and {size} pixels an image",
                images.pixels.len(),
                images.labels.len()
            )));
        }
        if images.white == 0 || images.pixels.iter().any(|&pixel| pixel > images.white) {
            return Err(invalid(format!(
                "a pixel is above the white value {}",
                images.white
            )));
        }
        if let Some(label) = images
            .labels
            .iter()
            .find(|&&label| usize::from(label) >= images.classes.len())
        {
            return Err(invalid(format!(
                "label {label} with {} classes",
                images.classes.len()
            )));
        }
        let rows = (0..images.labels.len()).collect();
        Ok(Self {
            images: Arc::new(images),
            rows,
        })
    }

    /// Name of the set.
    pub fn name(&self) -> &str {
        &self.images.name
    }

    /// Channels, height and width of every image.
    pub fn shape(&self) -> [usize; 3] {
        self.images.shape
    }

    /// Names of the classes; a label is an index into it.
    pub fn classes(&self) -> &[String] {
        &self.images.classes
    }

    /// Number of images in this view.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True if this view holds no image.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The view of the images at `indices`, in that order; an image may occur more than once.
    ///
    /// # Errors
    ///
    /// [`DataError::NoSuchImage`] if an index is `len()` or more.
    pub fn select(&self, indices: &[usize]) -> Result<Self> {
        let missing = |&index: &usize| DataError::NoSuchImage {
            name: self.name().to_string(),
            index,
            len: self.len(),
        };
        let row = |index: &usize| self.rows.get(*index).copied().ok_or_else(|| missing(index));
        let rows = indices.iter().map(row).collect::<Result<_>>()?;
        Ok(Self {
            images: self.images.clone(),
            rows,
        })
    }

    /// The first `n` images, or all if there are fewer.
    pub fn take(&self, n: usize) -> Self {
        Self {
            images: self.images.clone(),
            rows: self.rows[..n.min(self.len())].into(),
        }
    }

    /// The first `n` images and the rest.
    ///
    /// # Errors
    ///
    /// [`DataError::TooFewImages`] if there are fewer than `n`.
    pub fn split(&self, n: usize) -> Result<(Self, Self)> {
        if n > self.len() {
            return Err(DataError::TooFewImages {
                name: self.name().to_string(),
                wanted: n,
                len: self.len(),
            });
        }
        let (first, rest) = self.rows.split_at(n);
        let view = |rows: &[usize]| Self {
            images: self.images.clone(),
            rows: rows.into(),
        };
        Ok((view(first), view(rest)))
    }

    /// Pixels of the images at `indices`, one after another, in `[0, 1]`: the data of a `[B, C, H, W]` tensor.
    ///
    /// # Panics
    ///
    /// If an index is `len()` or more, as indexing a slice does.
    pub fn pixels(&self, indices: &[usize]) -> Vec<f32> {
        let white = f32::from(self.images.white);
        let mut pixels = Vec::with_capacity(indices.len() * self.image_size());
        for &index in indices {
            pixels.extend(self.stored(index).iter().map(|&stored| f32::from(stored) / white));
        }
        pixels
    }

    /// Classes of the images at `indices`: the data of a `[B]` tensor.
    ///
    /// # Panics
    ///
    /// If an index is `len()` or more, as indexing a slice does.
    pub fn labels(&self, indices: &[usize]) -> Vec<i64> {
        indices
            .iter()
            .map(|&index| i64::from(self.images.labels[self.rows[index]]))
            .collect()
    }

    /// Pixels and classes of the images at `indices`, ready to become tensors.
    ///
    /// # Panics
    ///
    /// If an index is `len()` or more, as indexing a slice does.
    pub fn batch(&self, indices: Vec<usize>) -> HostBatch {
        HostBatch {
            pixels: self.pixels(&indices),
            labels: self.labels(&indices),
            shape: self.shape(),
            indices,
        }
    }

    /// Number of images of each class.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes().len()];
        for &row in self.rows.iter() {
            counts[usize::from(self.images.labels[row])] += 1;
        }
        counts
    }

    /// The images of each class, by their index in this view, in ascending order.
    pub(crate) fn indices_by_class(&self) -> Vec<Vec<usize>> {
        let mut classes = vec![Vec::new(); self.classes().len()];
        for (index, &row) in self.rows.iter().enumerate() {
            classes[usize::from(self.images.labels[row])].push(index);
        }
        classes
    }

    fn image_size(&self) -> usize {
        self.images.shape.iter().product()
    }

    fn stored(&self, index: usize) -> &[u8] {
        let start = self.rows[index] * self.image_size();
        &self.images.pixels[start..start + self.image_size()]
    }
}

impl Dataset<ImageItem> for ImageSet {
    fn get(&self, index: usize) -> std::result::Result<ImageItem, DatasetError> {
        Ok(ImageItem {
            pixels: self.pixels(&[index]),
            label: self.labels(&[index])[0],
        })
    }

    fn len(&self) -> usize {
        self.rows.len()
    }
}

/// Two images of three pixels and two classes.
#[cfg(test)]
pub(crate) fn sample() -> RawImages {
    RawImages {
        name: "sample".into(),
        shape: [1, 1, 3],
        classes: vec!["a".into(), "b".into()],
        pixels: vec![0, 51, 255, 1, 2, 3],
        white: 255,
        labels: vec![1, 0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_the_exact_quotients() {
        let all: Vec<u8> = (0..=255).collect();
        let set = ImageSet::new(RawImages {
            shape: [1, 16, 16],
            pixels: all.clone(),
            labels: vec![0],
            ..sample()
        });
        let quotients: Vec<f32> = all.iter().map(|&stored| stored as f32 / 255.0).collect();
        assert_eq!(set.expect("valid").pixels(&[0]), quotients);
    }

    #[test]
    fn views_share_the_images_and_keep_their_order() {
        let set = ImageSet::new(sample()).expect("valid");
        let turned = set.select(&[1, 0, 1]).expect("in range");
        assert_eq!(turned.labels(&[0, 1, 2]), [0, 1, 0]);
        assert_eq!(
            turned.select(&[1]).expect("in range").pixels(&[0]),
            [0.0, 0.2, 1.0]
        );
        assert_eq!(turned.take(2).len(), 2);
        assert_eq!(turned.take(9).len(), 3);
        let (first, rest) = turned.split(1).expect("enough");
        assert_eq!((first.len(), rest.labels(&[0, 1])), (1, vec![1, 0]));
        assert_eq!(turned.class_counts(), [2, 1]);
        assert!(Arc::ptr_eq(&rest.images, &set.images));
    }

    #[test]
    fn burn_reads_the_same_items() {
        let set = ImageSet::new(sample()).expect("valid");
        let items: Vec<_> = Dataset::iter(&set).map(|item| item.expect("in memory")).collect();
        assert_eq!(
            items[0],
            ImageItem {
                pixels: vec![0.0, 0.2, 1.0],
                label: 1
            }
        );
        assert_eq!(items.len(), 2);
    }

    #[test]
    fn wrong_parts_are_refused() {
        let check = |part: &str, images: RawImages| {
            let message = ImageSet::new(images).expect_err(part).to_string();
            assert!(message.contains(part), "{message:?} does not mention {part:?}");
        };
        check(
            "shape [1, 0, 3] is zero",
            RawImages {
                shape: [1, 0, 3],
                ..sample()
            },
        );
        check(
            "0 classes",
            RawImages {
                classes: vec![],
                ..sample()
            },
        );
        check(
            "5 pixels for 2 labels",
            RawImages {
                pixels: vec![0; 5],
                ..sample()
            },
        );
        check(
            "white value 16",
            RawImages {
                white: 16,
                ..sample()
            },
        );
        check(
            "label 2 with 2 classes",
            RawImages {
                labels: vec![0, 2],
                ..sample()
            },
        );
    }

    #[test]
    fn impossible_views_are_refused() {
        let set = ImageSet::new(sample()).expect("valid");
        assert_eq!(
            set.select(&[0, 2]).expect_err("2").to_string(),
            "image set `sample`: there is no image 2 among 2"
        );
        assert!(matches!(
            set.split(3),
            Err(DataError::TooFewImages {
                wanted: 3,
                len: 2,
                ..
            })
        ));
    }
}
