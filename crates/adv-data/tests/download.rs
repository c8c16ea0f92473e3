//! Downloads from a local server with the faults that real ones have.

mod common;

use std::fs;
use std::path::Path;
use std::time::Duration;

use adv_data::fetch::{Expected, Fetcher, RemoteFile};
use adv_data::{DataError, DatasetId, Download, Source, load};
use common::server::{Serve, Server};
use common::{cifar, gz, images, labels};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// About 90 KB that do not compress, so that a break falls into the middle.
fn content() -> Vec<u8> {
    (0..2800u32)
        .flat_map(|number| Sha256::digest(number.to_le_bytes()))
        .collect()
}

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// `data.gz` from the servers in order, expected to hold [`content`].
fn remote(servers: &[&Server]) -> RemoteFile {
    let urls = servers
        .iter()
        .map(|server| format!("{}/data.gz", server.base))
        .collect();
    let expected = Expected {
        len: Some(content().len() as u64),
        head: content()[..8].to_vec(),
        sha256: Some(sum(&content())),
    };
    RemoteFile {
        name: "data.gz".into(),
        urls,
        expected,
    }
}

fn fetch(file: &RemoteFile, folder: &Path) -> Result<Vec<u8>, DataError> {
    let path = Fetcher::new(Duration::from_secs(5)).fetch(file, folder, &mut |_| {})?;
    assert_eq!(path, folder.join("data.gz"));
    Ok(fs::read(path).expect("it is there"))
}

/// Names in a folder, without the lock.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| {
        entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    names.filter(|name| name != ".lock").collect()
}

#[test]
fn every_fault_is_survived() {
    let packed = gz(&content());
    let other = gz(&images());
    let check = |what: &str, served: Vec<Serve>, requests: &[&str]| {
        let servers: Vec<_> = served
            .into_iter()
            .map(|serve| Server::start(vec![("data.gz", serve)]))
            .collect();
        let folder = TempDir::new().expect("a temporary folder");
        let bytes = fetch(&remote(&servers.iter().collect::<Vec<_>>()), folder.path());
        assert_eq!(
            bytes.unwrap_or_else(|error| panic!("{what}: {error}")),
            packed,
            "{what}"
        );
        assert_eq!(names(folder.path()), ["data.gz"], "{what}");
        let seen: Vec<_> = servers.iter().flat_map(Server::requests).collect();
        assert_eq!(seen, requests, "{what}");
    };
    let whole = || Serve::Whole(packed.clone());
    let third = packed.len() / 3 + 1;
    let resumed = [
        format!("data.gz from {third}"),
        format!("data.gz from {}", 2 * third),
    ];
    check("good", vec![whole()], &["data.gz"]);
    check(
        "not found, then good",
        vec![Serve::Status(404), whole()],
        &["data.gz"; 2],
    );
    check(
        "server error, then good",
        vec![Serve::Status(503), whole()],
        &["data.gz"; 2],
    );
    check(
        "continued twice",
        vec![Serve::BreaksAfter(third, packed.clone())],
        &["data.gz", &resumed[0], &resumed[1]],
    );
    check(
        "wrong content, then good",
        vec![Serve::Whole(other), whole()],
        &["data.gz"; 2],
    );
    check(
        "damaged, then good",
        vec![Serve::Whole(packed[..third].to_vec()), whole()],
        &["data.gz"; 2],
    );
}

#[test]
fn an_earlier_part_is_continued_or_replaced() {
    let packed = gz(&content());
    let half = packed.len() / 2;
    let from_half = format!("data.gz from {half}");
    let check = |what: &str, part: Vec<u8>, serve: Serve, requests: &[&str]| {
        let folder = TempDir::new().expect("a temporary folder");
        let server = Server::start(vec![("data.gz", serve)]);
        let file = remote(&[&server]);
        // An interrupted run leaves the part; its name is found by leaving one.
        let broken = Server::start(vec![("data.gz", Serve::Status(500))]);
        assert!(fetch(&remote(&[&broken]), folder.path()).is_err());
        let name = format!("data.gz.{}.part", &sum(file.urls[0].as_bytes())[..8]);
        fs::write(folder.path().join(name), part).expect("a file");
        assert_eq!(
            fetch(&file, folder.path()).unwrap_or_else(|error| panic!("{what}: {error}")),
            packed,
            "{what}"
        );
        assert_eq!(server.requests(), requests, "{what}");
        assert_eq!(names(folder.path()), ["data.gz"], "{what}");
    };
    let good = packed[..half].to_vec();
    check(
        "continued",
        good.clone(),
        Serve::Whole(packed.clone()),
        &[&from_half],
    );
    check(
        "no ranges: from the start",
        good,
        Serve::NoRanges(packed.clone()),
        &[&from_half],
    );
    check(
        "wrong part: once more",
        vec![1; half],
        Serve::Whole(packed.clone()),
        &[&from_half, "data.gz"],
    );
    let all = format!("data.gz from {}", packed.len());
    check(
        "complete part",
        packed.clone(),
        Serve::Whole(packed.clone()),
        &[&all],
    );
    let longer = format!("data.gz from {}", packed.len() + 7);
    let too_long = [packed.clone(), vec![1; 7]].concat();
    check(
        "part too long",
        too_long,
        Serve::Whole(packed.clone()),
        &[&longer, "data.gz"],
    );
}

#[test]
fn when_all_mirrors_fail_each_reason_is_told() {
    let packed = gz(&content());
    let wrong = [content()[..8].to_vec(), vec![0; content().len() - 8]].concat();
    let gone = Server::start(vec![]);
    let differs = Server::start(vec![("data.gz", Serve::Whole(gz(&wrong)))]);
    let page = Server::start(vec![(
        "data.gz",
        Serve::Whole(b"<html>please log in</html>".to_vec()),
    )]);
    let breaks = Server::start(vec![("data.gz", Serve::BreaksAfter(1000, packed.clone()))]);
    let stalls = Server::start(vec![("data.gz", Serve::Stalls(packed, Duration::from_secs(20)))]);
    let folder = TempDir::new().expect("a temporary folder");
    let mut file = remote(&[&gone, &differs, &page, &breaks, &stalls]);
    // Port 9 of this machine (discard) is closed.
    file.urls.push("http://127.0.0.1:9/data.gz".into());
    let error = Fetcher::new(Duration::from_millis(300)).fetch(&file, folder.path(), &mut |_| {});
    let error = error.expect_err("no mirror is good");
    let DataError::Download { failures, .. } = &error else {
        panic!("{error}")
    };
    let wrong_sum = format!(
        "sha256 of the uncompressed bytes is {}, {} expected",
        sum(&wrong),
        sum(&content())
    );
    let says = [
        "HTTP status 404",
        &wrong_sum,
        "26 uncompressed bytes, 89600 expected",
        "broke off after 8000 bytes",
        "timeout",
        "",
    ];
    for (failure, says) in failures.iter().zip(says) {
        assert!(failure.reason.contains(says), "{failure} does not say {says:?}");
        assert!(error.to_string().contains(&failure.to_string()), "{error}");
    }
    assert_eq!(failures.len(), says.len());
    assert!(
        error.to_string().contains(&folder.path().display().to_string()),
        "{error}"
    );
    // Only what can be continued is kept: the parts of the mirrors that broke off.
    assert!(names(folder.path()).iter().all(|name| name.ends_with(".part")));
    assert_eq!(names(folder.path()).len(), 2);
}

#[test]
fn progress_ends_at_the_whole() {
    let packed = gz(&content());
    let server = Server::start(vec![("data.gz", Serve::BreaksAfter(70_000, packed.clone()))]);
    let folder = TempDir::new().expect("a temporary folder");
    let mut seen = Vec::new();
    let fetched = Fetcher::default().fetch(&remote(&[&server]), folder.path(), &mut |progress| {
        assert_eq!(progress.file, "data.gz");
        seen.push((progress.received, progress.total));
    });
    fetched.expect("continued");
    let len = packed.len() as u64;
    assert!(seen.is_sorted() && seen.iter().all(|(_, total)| *total == Some(len)));
    assert_eq!(seen.last(), Some(&(len, Some(len))));
}

#[test]
fn two_at_once_download_once() {
    let server = Server::start(vec![("data.gz", Serve::Whole(gz(&content())))]);
    let folder = TempDir::new().expect("a temporary folder");
    std::thread::scope(|scope| {
        let run = || fetch(&remote(&[&server]), folder.path()).expect("good");
        let both = [scope.spawn(run), scope.spawn(run)];
        for thread in both {
            assert_eq!(thread.join().expect("no panic"), gz(&content()));
        }
    });
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn mnist_is_checked_against_its_sums() {
    // Well-formed files that are not MNIST.
    let names = ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"];
    let server = Server::start(vec![
        (names[0], Serve::Whole(gz(&images()))),
        (names[1], Serve::Whole(gz(&labels()))),
    ]);
    let cache = TempDir::new().expect("a temporary folder");
    let source = |base: &str| Source {
        cache: Some(cache.path().to_path_buf()),
        download: Download::From(vec![base.to_string()]),
        ..Source::default()
    };
    let error = load(DatasetId::Mnist, &source(&server.base), &mut |_| {})
        .map(|_| ())
        .expect_err("not MNIST");
    assert!(
        error
            .to_string()
            .contains("28 uncompressed bytes, 47040016 expected"),
        "{error}"
    );

    let Some(data) = common::data_dir() else { return };
    let files = [
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
    ];
    let file = |name: &'static str| {
        (
            name,
            Serve::Whole(fs::read(data.join("mnist").join(name)).expect("real MNIST")),
        )
    };
    let server = Server::start(files.map(file).into());
    let loaded = load(DatasetId::Mnist, &source(&server.base), &mut |_| {}).expect("the real files");
    assert_eq!((loaded.train.len(), loaded.test.len()), (60_000, 10_000));
    assert_eq!(server.requests(), files);
    load(DatasetId::Mnist, &source(&server.base), &mut |_| {}).expect("cached");
    assert_eq!(server.requests().len(), 4, "the second time nothing is asked for");
    // Fashion-MNIST's files have the same headers and lengths, and no sum.
    load(DatasetId::FashionMnist, &source(&server.base), &mut |_| {}).expect("the right layout");
    assert_eq!(server.requests().len(), 8);
}

#[test]
fn cifar_is_unpacked_from_its_archive() {
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, format!("cifar-10-batches-bin/{name}"), bytes)
            .expect("in memory");
    };
    for number in 1..=5 {
        add(&format!("data_batch_{number}.bin"), &cifar(&[number; 3]));
    }
    add("test_batch.bin", &cifar(&[9]));
    add("readme.html", b"not wanted");
    let archive = gz(&archive.into_inner().expect("in memory"));
    let cache = TempDir::new().expect("a temporary folder");
    let load_from = |served: Vec<u8>| {
        let server = Server::start(vec![("cifar-10-binary.tar.gz", Serve::Whole(served))]);
        let source = Source {
            cache: Some(cache.path().to_path_buf()),
            download: Download::From(vec![format!("{}/", server.base)]),
            ..Source::default()
        };
        load(DatasetId::Cifar10, &source, &mut |_| {})
    };
    load_from(b"<html>please log in</html>".to_vec())
        .map(|_| ())
        .expect_err("no archive");
    let loaded = load_from(archive).expect("the bad archive is out of the way");
    assert_eq!((loaded.train.len(), loaded.test.len()), (15, 1));
    assert_eq!(loaded.train.labels(&[0, 14]), [1, 5]);
    let mut kept = names(&cache.path().join("cifar10"));
    kept.sort();
    let batches = [1, 2, 3, 4, 5].map(|number| format!("data_batch_{number}.bin"));
    assert_eq!(kept, [&batches[..], &["test_batch.bin".to_string()]].concat());
}
