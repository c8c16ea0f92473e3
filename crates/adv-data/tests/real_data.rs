//! The bundled digits, and real MNIST and CIFAR-10 where `ADV_DATA_DIR` says they are.

mod common;

use adv_data::{DatasetId, ImageSet, Origin, Source, Splits, load};
use burn::data::dataset::Dataset;

fn from_data_dir(id: DatasetId) -> Option<Splits> {
    let source = Source {
        root: Some(common::data_dir()?),
        ..Source::default()
    };
    Some(load(id, &source, &mut |_| {}).unwrap_or_else(|error| panic!("{error}")))
}

#[test]
fn the_bundled_digits_are_all_there() {
    let digits = load(DatasetId::Digits, &Source::default(), &mut |_| {}).expect("bundled");
    assert_eq!(digits.origin, Origin::Bundled);
    assert_eq!((digits.train.len(), digits.test.len()), (1437, 360));
    assert_eq!(
        (digits.train.shape(), digits.train.classes().len()),
        ([1, 8, 8], 10)
    );
    assert_eq!(
        digits.train.class_counts(),
        [142, 145, 142, 146, 145, 146, 145, 143, 139, 144]
    );
    assert_eq!(
        digits.test.class_counts(),
        [36, 37, 35, 37, 36, 36, 36, 36, 35, 36]
    );
    // Sixteenths, exactly.
    let all: Vec<usize> = (0..1437).collect();
    assert!(
        digits
            .train
            .pixels(&all)
            .iter()
            .all(|pixel| (pixel * 16.0).fract() == 0.0 && (0.0..=1.0).contains(pixel))
    );
}

/// Pinned by a program of its own in Python: first labels, and the stored pixels of each image times its place.
#[test]
fn the_digits_split_never_changes() {
    let digits = load(DatasetId::Digits, &Source::default(), &mut |_| {}).expect("bundled");
    let check = |set: &ImageSet, labels: [i64; 20], weighted: f64| {
        assert_eq!(set.labels(&(0..20).collect::<Vec<_>>()), labels);
        let image = |index: usize| {
            set.pixels(&[index])
                .iter()
                .map(|&pixel| f64::from(pixel) * 16.0)
                .sum::<f64>()
        };
        assert_eq!(
            (0..set.len())
                .map(|index| index as f64 * image(index))
                .sum::<f64>(),
            weighted
        );
    };
    check(
        &digits.train,
        [0, 1, 3, 4, 5, 6, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 2, 3],
        322_089_119.0,
    );
    check(
        &digits.test,
        [2, 7, 9, 1, 6, 7, 0, 9, 5, 5, 8, 8, 7, 0, 1, 6, 1, 0, 2, 1],
        20_091_935.0,
    );
}

#[test]
fn real_mnist_has_its_counts() {
    let Some(mnist) = from_data_dir(DatasetId::Mnist) else {
        return;
    };
    assert_eq!(
        (mnist.train.len(), mnist.test.len(), mnist.train.shape()),
        (60_000, 10_000, [1, 28, 28])
    );
    assert_eq!(
        mnist.train.class_counts(),
        [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    );
    assert_eq!(
        mnist.test.class_counts(),
        [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    );
    assert_eq!(mnist.train.labels(&[0, 1, 2, 3, 4]), [5, 0, 4, 1, 9]);
    assert_eq!(mnist.test.labels(&[0, 1, 2, 3, 4]), [7, 2, 1, 0, 4]);
    // The mean that MNIST is usually normalised with.
    let all: Vec<usize> = (0..60_000).collect();
    let mean = |set: &ImageSet, indices: &[usize]| {
        let pixels = set.pixels(indices);
        pixels.iter().map(|&pixel| f64::from(pixel)).sum::<f64>() / pixels.len() as f64
    };
    assert!((mean(&mnist.train, &all) - 0.1307).abs() < 5e-5);
    let item = mnist.test.get(0).expect("in memory");
    assert_eq!((item.label, item.pixels.len()), (7, 784));
}

#[test]
fn a_real_cifar_excerpt_is_read() {
    let Some(cifar) = from_data_dir(DatasetId::Cifar10) else {
        return;
    };
    assert_eq!(
        (cifar.train.len(), cifar.test.len(), cifar.train.shape()),
        (5000, 2000, [3, 32, 32])
    );
    assert_eq!(cifar.train.class_counts(), [500; 10]);
    assert_eq!(cifar.test.class_counts(), [200; 10]);
    assert_eq!(cifar.train.classes()[9], "truck");
}
