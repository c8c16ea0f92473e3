//! Files of each format, good and bad: what is read, and what the error says.

mod common;

use std::fs;
use std::path::Path;

use adv_data::{DataError, DatasetId, Source, Splits, load};
use common::{cifar, gz, idx, images, labels};
use tempfile::TempDir;

/// Writes the files into a new folder and loads the data set from it.
fn load_files(id: DatasetId, files: &[(&str, Vec<u8>)]) -> (TempDir, Result<Splits, DataError>) {
    let folder = TempDir::new().expect("a temporary folder");
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).expect("a file");
    }
    let source = Source {
        folder: Some(folder.path().to_path_buf()),
        ..Source::default()
    };
    let loaded = load(id, &source, &mut |_| {});
    (folder, loaded)
}

/// Loads and expects an error whose text begins with the path of `file` and contains `says`.
fn check(id: DatasetId, files: &[(&str, Vec<u8>)], file: &str, says: &str) {
    let (folder, loaded) = load_files(id, files);
    let error = loaded.map(|_| ()).expect_err(says).to_string();
    let path = folder.path().join(file).display().to_string();
    assert!(
        error.starts_with(&format!("{path}: ")),
        "{error:?} does not begin with {path:?}"
    );
    assert!(error.contains(says), "{error:?} does not say {says:?}");
}

/// The four files of MNIST's layout with the training images and labels given.
fn mnist(train_images: Vec<u8>, train_labels: Vec<u8>) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("train-images-idx3-ubyte", train_images),
        ("train-labels-idx1-ubyte", train_labels),
        ("t10k-images-idx3-ubyte", images()),
        ("t10k-labels-idx1-ubyte", labels()),
    ]
}

#[test]
fn bad_idx_files_are_named_with_the_byte() {
    let check = |train_images: Vec<u8>, train_labels: Vec<u8>, file: &str, says: &str| {
        check(DatasetId::Mnist, &mnist(train_images, train_labels), file, says);
    };
    let (image_file, label_file) = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
    let cut = |bytes: &[u8], len: usize| bytes[..len].to_vec();
    check(
        cut(&images(), 0),
        labels(),
        image_file,
        "truncated at byte 0: 4 bytes are needed",
    );
    check(
        cut(&images(), 3),
        labels(),
        image_file,
        "truncated at byte 3: 4 bytes are needed",
    );
    check(
        cut(&images(), 15),
        labels(),
        image_file,
        "truncated at byte 15: 16 bytes are needed",
    );
    check(
        cut(&images(), 27),
        labels(),
        image_file,
        "truncated at byte 27: 28 bytes are needed",
    );
    check(
        images(),
        cut(&labels(), 10),
        label_file,
        "truncated at byte 10: 11 bytes are needed",
    );
    check(
        labels(),
        labels(),
        image_file,
        "wrong magic number 0x00000801 at byte 0: 0x00000803 starts IDX images",
    );
    check(
        images(),
        images(),
        label_file,
        "wrong magic number 0x00000803 at byte 0: 0x00000801 starts IDX labels",
    );
    check(
        [images(), vec![0; 5]].concat(),
        labels(),
        image_file,
        "5 bytes too many from byte 28 on",
    );
    check(
        images(),
        [labels(), vec![0]].concat(),
        label_file,
        "1 bytes too many from byte 11 on",
    );
    check(
        images(),
        idx(&[0x801, 2], &[7, 0]),
        label_file,
        "2 labels at byte 4, but ",
    );
    check(
        images(),
        idx(&[0x801, 3], &[7, 0, 10]),
        label_file,
        "label 10 at byte 10: only 0 to 9 are classes",
    );
    check(
        idx(&[0x803, 0, 2, 2], &[]),
        labels(),
        image_file,
        "holds no image",
    );
    check(
        idx(&[0x803, 3, 0, 2], &[]),
        labels(),
        image_file,
        "bad header at byte 8: images without pixels",
    );
    let huge = idx(&[0x803, u32::MAX, u32::MAX, u32::MAX], &[]);
    check(huge, labels(), image_file, "bad header at byte 4: the sizes");
    let large = idx(&[0x803, 60_000, 28, 28], &[1, 2, 3]);
    check(
        large,
        labels(),
        image_file,
        "truncated at byte 19: 47040016 bytes are needed",
    );
    let packed = gz(&images());
    check(
        cut(&packed, packed.len() - 9),
        labels(),
        image_file,
        "corrupt gzip stream after",
    );
    let mut flipped = packed.clone();
    flipped[packed.len() - 8] ^= 1;
    check(
        flipped,
        labels(),
        image_file,
        "corrupt gzip stream after 28 uncompressed bytes",
    );
    check(
        [packed, vec![9; 20]].concat(),
        labels(),
        image_file,
        "corrupt gzip stream after 28 uncompressed bytes",
    );
}

#[test]
fn bad_cifar_files_are_named_with_the_byte() {
    let check = |bytes: Vec<u8>, says: &str| {
        let files = [
            ("train_a.bin", cifar(&[1, 2])),
            ("train_b.bin", bytes),
            ("test.bin", cifar(&[0])),
        ];
        check(DatasetId::Cifar10, &files, "train_b.bin", says);
    };
    check(
        cifar(&[1, 2])[..6145].to_vec(),
        "6145 bytes are not a multiple of 3073: the record at byte 3073 is incomplete",
    );
    check(
        [cifar(&[1]), vec![0]].concat(),
        "the record at byte 3073 is incomplete",
    );
    check(cifar(&[1, 10]), "label 10 at byte 3073: only 0 to 9 are classes");
    check(Vec::new(), "holds no image");
    check(gz(&cifar(&[3]))[..30].to_vec(), "corrupt gzip stream after");
    let named = [
        ("train.bin", cifar(&[0])),
        ("test.bin", cifar(&[0])),
        ("batches.meta.txt", b"cat\ndog\n\n".to_vec()),
    ];
    self::check(
        DatasetId::Cifar10,
        &named,
        "batches.meta.txt",
        "2 class names, 10 expected",
    );
}

#[test]
fn bad_digits_are_named_with_line_and_byte() {
    let good = format!("{}3\n", "16,".repeat(64));
    let check = |line: &str, says: &str| {
        check(
            DatasetId::Digits,
            &[("digits.csv", format!("{good}{line}").into_bytes())],
            "digits.csv",
            says,
        );
    };
    check("1,2,3\n", "line 2 (byte 194): 3 fields instead of 65");
    check(
        &good.replace(",3", ",10"),
        "line 2 (byte 194): label 10: only 0 to 9",
    );
    check(
        &good.replacen("16", "17", 1),
        "line 2 (byte 194): pixel 17 is above 16",
    );
    check(
        &good.replacen("16", "x", 1),
        "line 2 (byte 194): `x` is not a number",
    );
    check("\n", "line 2 (byte 194): `` is not a number");
    self::check(
        DatasetId::Digits,
        &[("digits.csv", Vec::new())],
        "digits.csv",
        "holds no image",
    );
}

#[test]
fn parts_of_different_shape_are_refused() {
    let mut files = mnist(images(), labels());
    files[2].1 = idx(&[0x803, 3, 1, 4], &[0; 12]);
    check(
        DatasetId::Mnist,
        &files,
        "t10k-images-idx3-ubyte",
        "images of shape [1, 1, 4]",
    );
}

#[test]
fn every_usual_name_is_found() {
    let check = |id: DatasetId, files: &[(&str, Vec<u8>)], counts: [usize; 2]| {
        let (folder, loaded) = load_files(id, files);
        let loaded = loaded.unwrap_or_else(|error| panic!("{:?}: {error}", files[0].0));
        assert_eq!([loaded.train.len(), loaded.test.len()], counts);
        assert_eq!(loaded.origin.to_string(), folder.path().display().to_string());
    };
    check(DatasetId::Mnist, &mnist(images(), labels()), [3, 3]);
    let dotted = [
        "train-images.idx3-ubyte",
        "train-labels.idx1-ubyte.gz",
        "t10k-images.idx3-ubyte.gz",
    ];
    let dotted = [
        (dotted[0], images()),
        (dotted[1], gz(&labels())),
        (dotted[2], gz(&images())),
        // Content, not name, says whether it is compressed.
        ("t10k-labels-idx1-ubyte.gz", labels()),
    ];
    check(DatasetId::FashionMnist, &dotted, [3, 3]);
    let batch = |number: u8| {
        (
            [
                "a",
                "data_batch_1.bin",
                "data_batch_2.bin.gz",
                "data_batch_3.bin",
                "data_batch_4.bin",
                "data_batch_5.bin",
            ][number as usize],
            cifar(&[number]),
        )
    };
    let mut official: Vec<_> = (1..=5).map(batch).collect();
    official[1].1 = gz(&cifar(&[2]));
    official.extend([
        ("test_batch.bin", cifar(&[1, 2])),
        ("train_more.bin", cifar(&[0; 9])),
    ]);
    check(DatasetId::Cifar10, &official, [5, 2]);
    let free = [
        ("train_2.bin.gz", gz(&cifar(&[1]))),
        ("train_10.bin", cifar(&[2])),
        ("test_x.bin", cifar(&[3])),
    ];
    check(DatasetId::Cifar10, &free, [2, 1]);
    // A plain file and its compressed copy count once.
    let twice = [
        ("train.bin.gz", gz(&cifar(&[1]))),
        ("train.bin", cifar(&[1])),
        ("test.bin", cifar(&[3])),
    ];
    check(DatasetId::Cifar10, &twice, [1, 1]);
}

#[test]
fn values_arrive_unchanged() {
    let (_folder, loaded) = load_files(DatasetId::Mnist, &mnist(images(), labels()));
    let train = loaded.expect("good files").train;
    assert_eq!(train.shape(), [1, 2, 2]);
    assert_eq!(train.labels(&[2, 0, 1]), [9, 7, 0]);
    assert_eq!(train.pixels(&[1]), [204.0 / 255.0, 1.0, 1.0 / 255.0, 2.0 / 255.0]);
    let names = b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n".to_vec();
    let files = [
        ("train.bin", cifar(&[5, 6])),
        ("test.bin", cifar(&[0])),
        ("batches.meta.txt", names),
    ];
    let (_folder, loaded) = load_files(DatasetId::Cifar10, &files);
    let train = loaded.expect("good files").train;
    assert_eq!((train.shape(), train.classes()[5].as_str()), ([3, 32, 32], "f"));
    assert_eq!(train.pixels(&[1]), vec![6.0 / 255.0; 3072]);
}

#[test]
fn places_are_searched_in_order() {
    let root = TempDir::new().expect("a temporary folder");
    let cache = TempDir::new().expect("a temporary folder");
    let put = |base: &Path, files: &[(&str, Vec<u8>)]| {
        fs::create_dir_all(base.join("mnist")).expect("a folder");
        for (name, bytes) in files {
            fs::write(base.join("mnist").join(name), bytes).expect("a file");
        }
    };
    let paths = |base: &TempDir| Some(base.path().to_path_buf());
    let source = Source {
        root: paths(&root),
        cache: paths(&cache),
        ..Source::default()
    };
    let origin = || load(DatasetId::Mnist, &source, &mut |_| {}).map(|splits| splits.origin.to_string());

    let error = origin().expect_err("nothing there").to_string();
    for part in [
        "mnist: not found: train-images-idx3-ubyte[.gz], ",
        "--data-dir",
        "ADV_DATA_DIR",
    ] {
        assert!(error.contains(part), "{error:?} does not say {part:?}");
    }
    for base in [&root, &cache] {
        assert!(
            error.contains(&base.path().join("mnist").display().to_string()),
            "{error:?}"
        );
    }
    put(cache.path(), &mnist(images(), labels()));
    assert_eq!(
        origin().expect("cached"),
        cache.path().join("mnist").display().to_string()
    );
    put(root.path(), &mnist(images(), labels())[..2]);
    assert_eq!(
        origin().expect("the root is incomplete"),
        cache.path().join("mnist").display().to_string()
    );
    put(root.path(), &mnist(images(), labels()));
    assert_eq!(
        origin().expect("the root comes first"),
        root.path().join("mnist").display().to_string()
    );

    let empty = TempDir::new().expect("a temporary folder");
    let explicit = Source {
        folder: paths(&empty),
        ..source.clone()
    };
    let error = load(DatasetId::Mnist, &explicit, &mut |_| {})
        .map(|_| ())
        .expect_err("nothing else is looked at");
    assert!(matches!(error, DataError::MissingFiles { searched, .. } if searched == [empty.path()]));
}
