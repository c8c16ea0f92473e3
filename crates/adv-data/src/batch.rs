//! One batch on the host and its way to a device.

use burn::tensor::{Device, Int, Tensor, TensorData};

/// Pixels and labels of one batch in host memory.
#[derive(Debug, Clone, PartialEq)]
pub struct HostBatch {
    /// `[B, C, H, W]` values in `[0, 1]`, row by row.
    pub pixels: Vec<f32>,
    /// The `B` classes.
    pub labels: Vec<i64>,
    /// Where the images stand in the set they come from.
    pub indices: Vec<usize>,
    /// Channels, height and width.
    pub shape: [usize; 3],
}

impl HostBatch {
    /// Number of images, `B`.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True if there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The pixels `[B, C, H, W]` and the labels `[B]` on a device.
    pub fn into_tensors(self, device: &Device) -> (Tensor<4>, Tensor<1, Int>) {
        let [channels, height, width] = self.shape;
        let size = self.labels.len();
        let pixels = TensorData::new(self.pixels, [size, channels, height, width]);
        let labels = TensorData::new(self.labels, [size]);
        (
            Tensor::from_data(pixels, device),
            Tensor::from_data(labels, device),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_set::{ImageSet, sample};

    #[test]
    fn tensors_hold_the_batch() {
        let set = ImageSet::new(sample()).expect("valid");
        let (pixels, labels) = set.batch(vec![1, 0]).into_tensors(&Device::flex());
        assert_eq!(pixels.dims(), [2, 1, 1, 3]);
        let expected: Vec<f32> = [1.0, 2.0, 3.0, 0.0, 51.0, 255.0]
            .map(|stored: f32| stored / 255.0)
            .into();
        assert_eq!(pixels.into_data().try_to_vec::<f32>().expect("floats"), expected);
        assert_eq!(
            labels
                .into_data()
                .try_cast(burn::tensor::DType::I64)
                .expect("integers"),
            TensorData::from([0i64, 1])
        );
    }
}
