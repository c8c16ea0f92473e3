//! Small images as inline PNG: pictures as they are, signed maps in two colours over a transparent zero.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::ReportError;

/// The colour of positive and of negative values in a signed map; a pair that colour-blind readers tell apart.
const POSITIVE: [u8; 3] = [0xE6, 0x6A, 0x00];
const NEGATIVE: [u8; 3] = [0x2B, 0x78, 0xE4];

/// An image or a map of values, `[C, H, W]` row by row, with one channel (grey) or three (RGB).
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    shape: [usize; 3],
    values: Vec<f32>,
}

impl Image {
    /// An image of `shape` `[C, H, W]`; pixels are in `[0, 1]`, the values of a map are free.
    ///
    /// # Errors
    /// [`ReportError::Image`] when the shape is empty, has neither 1 nor 3 channels, or does not fit the values.
    pub fn new(shape: [usize; 3], values: Vec<f32>) -> Result<Self, ReportError> {
        let [channels, height, width] = shape;
        let fits = channels.checked_mul(height).and_then(|n| n.checked_mul(width)) == Some(values.len());
        if !matches!(channels, 1 | 3) || height == 0 || width == 0 || !fits {
            return Err(ReportError::Image {
                shape,
                len: values.len(),
            });
        }
        Ok(Self { shape, values })
    }

    /// The shape `[C, H, W]`.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// `self - other`, such as the perturbation of an adversarial image.
    ///
    /// # Errors
    /// [`ReportError::Image`] when the shapes differ.
    pub fn minus(&self, other: &Self) -> Result<Self, ReportError> {
        if self.shape != other.shape {
            return Err(ReportError::Image {
                shape: self.shape,
                len: other.values.len(),
            });
        }
        let values = self
            .values
            .iter()
            .zip(&other.values)
            .map(|(a, b)| a - b)
            .collect();
        Ok(Self {
            shape: self.shape,
            values,
        })
    }

    /// The largest absolute value; values that are not finite do not count.
    pub fn max_abs(&self) -> f32 {
        self.values
            .iter()
            .filter(|v| v.is_finite())
            .fold(0.0, |most, v| most.max(v.abs()))
    }

    /// The absolute value that 99 % of the values do not exceed: a few extreme pixels must not fade all others.
    pub(super) fn typical_max(&self) -> f32 {
        let mut sizes: Vec<f32> = self
            .values
            .iter()
            .map(|v| v.abs())
            .filter(|v| v.is_finite())
            .collect();
        sizes.sort_by(f32::total_cmp);
        let rank = (sizes.len() as f64 * 0.99).ceil() as usize;
        // A map that is zero almost everywhere still shows its few values.
        match sizes.get(rank.saturating_sub(1)) {
            Some(size) if *size > 0.0 => *size,
            _ => self.max_abs(),
        }
    }

    /// The picture as PNG: 8 bit grey or RGB, values clamped to `[0, 1]` (NaN shows as black).
    pub fn to_png(&self) -> Result<Vec<u8>, ReportError> {
        let [channels, height, width] = self.shape;
        let area = height * width;
        let pixels: Vec<u8> = (0..area)
            .flat_map(|at| (0..channels).map(move |c| c * area + at))
            .map(|index| to_byte(self.values[index]))
            .collect();
        let color = if channels == 1 {
            png::ColorType::Grayscale
        } else {
            png::ColorType::Rgb
        };
        encode(&pixels, width, height, color)
    }

    /// The signed map as RGBA PNG: orange above zero, blue below, opacity `|value| / scale`, so that zero is the
    /// page itself in light and dark. Of several channels the one with the largest magnitude shows.
    pub fn to_signed_png(&self, scale: f32) -> Result<Vec<u8>, ReportError> {
        let [channels, height, width] = self.shape;
        let area = height * width;
        let mut pixels = Vec::with_capacity(area * 4);
        for at in 0..area {
            let value = (0..channels)
                .map(|c| self.values[c * area + at])
                .filter(|v| v.is_finite())
                .fold(0.0_f32, |most, v| if v.abs() > most.abs() { v } else { most });
            let strength = if scale > 0.0 {
                to_byte(value.abs() / scale)
            } else {
                0
            };
            pixels.extend(if value < 0.0 { NEGATIVE } else { POSITIVE });
            pixels.push(strength);
        }
        encode(&pixels, width, height, png::ColorType::Rgba)
    }
}

/// A PNG file as a `data:` address.
pub(super) fn data_uri(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}

fn to_byte(value: f32) -> u8 {
    // A float-to-integer cast saturates and sends NaN to 0.
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}

fn encode(pixels: &[u8], width: usize, height: usize, color: png::ColorType) -> Result<Vec<u8>, ReportError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_color(color);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(file: &[u8]) -> (png::ColorType, u32, u32, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file))
            .read_info()
            .expect("a PNG header");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a small image")];
        let info = reader.next_frame(&mut pixels).expect("a PNG frame");
        (info.color_type, info.width, info.height, pixels)
    }

    #[test]
    fn pictures_decode_to_their_values() {
        let grey = Image::new([1, 2, 3], vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0]).expect("valid");
        let (color, width, height, pixels) = decode(&grey.to_png().expect("encodes"));
        assert_eq!((color, width, height), (png::ColorType::Grayscale, 3, 2));
        assert_eq!(pixels, [0, 51, 102, 153, 204, 255]);

        // Channels are planes in memory and neighbours in the file; values outside [0, 1] are clamped.
        let rgb = Image::new([3, 1, 2], vec![1.0, 0.0, 2.0, -1.0, 0.2, f32::NAN]).expect("valid");
        let (color, _, _, pixels) = decode(&rgb.to_png().expect("encodes"));
        assert_eq!(color, png::ColorType::Rgb);
        assert_eq!(pixels, [255, 255, 51, 0, 0, 0]);
    }

    #[test]
    fn signed_maps_have_a_transparent_zero() {
        let map = Image::new([1, 1, 4], vec![0.0, 0.1, -0.2, f32::NAN]).expect("valid");
        assert_eq!(map.max_abs(), 0.2);
        let (color, _, _, pixels) = decode(&map.to_signed_png(0.2).expect("encodes"));
        assert_eq!(color, png::ColorType::Rgba);
        let alpha: Vec<u8> = pixels.chunks(4).map(|p| p[3]).collect();
        assert_eq!(alpha, [0, 128, 255, 0]);
        assert_eq!(pixels[4..7], POSITIVE);
        assert_eq!(pixels[8..11], NEGATIVE);
        // A map that is zero everywhere has no scale and stays empty.
        let (_, _, _, pixels) = decode(&map.to_signed_png(0.0).expect("encodes"));
        assert!(pixels.chunks(4).all(|p| p[3] == 0));
    }

    #[test]
    fn one_extreme_pixel_does_not_set_the_scale() {
        let mut values: Vec<f32> = (1..=200).map(|i| i as f32).collect();
        values[7] = 1e6;
        assert_eq!(
            Image::new([1, 10, 20], values).expect("valid").typical_max(),
            199.0
        );
        let mut values = vec![0.0; 200];
        values[3] = -2.0;
        assert_eq!(Image::new([1, 10, 20], values).expect("valid").typical_max(), 2.0);
    }

    #[test]
    fn the_strongest_channel_shows() {
        let map = Image::new([3, 1, 1], vec![0.1, -0.4, 0.2]).expect("valid");
        let (.., pixels) = decode(&map.to_signed_png(0.8).expect("encodes"));
        assert_eq!(pixels, [NEGATIVE[0], NEGATIVE[1], NEGATIVE[2], 128]);
    }

    #[test]
    fn misshapen_images_are_refused() {
        for (shape, len) in [
            ([1, 2, 2], 3),
            ([2, 1, 1], 2),
            ([1, 0, 2], 0),
            ([3, usize::MAX, 2], 6),
        ] {
            assert!(
                matches!(Image::new(shape, vec![0.0; len]), Err(ReportError::Image { .. })),
                "{shape:?}"
            );
        }
        let a = Image::new([1, 1, 2], vec![0.0; 2]).expect("valid");
        let b = Image::new([1, 2, 1], vec![0.0; 2]).expect("valid");
        assert!(a.minus(&b).is_err());
    }
}
