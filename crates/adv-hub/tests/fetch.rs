//! Models and data sets from a hub on this machine, with the faults that a real one has.

mod common;

use adv_hub::{Fetched, Hub, HubError, HubFile, HubModel, HubSettings, Network, Token};
use common::server::Serve;
use common::{COMMIT, FakeHub, Repository, large, small, sum};
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const MODEL: &str = "hf://test/tiny";
const TABLE: &str = "hf://datasets/test/data/sub/train.parquet";

/// Some bytes that do not repeat.
fn weights() -> Vec<u8> {
    (0..6000u32).flat_map(u32::to_le_bytes).collect()
}

fn tiny() -> Repository {
    Repository::model(
        "test/tiny",
        vec![
            small("README.md", "not wanted"),
            small("config.json", "{}"),
            small("tokenizer.json", "{\"a\": 1}"),
            large("model.safetensors", weights()),
            large("pytorch_model.bin", "not wanted either"),
        ],
    )
}

fn data() -> Repository {
    Repository::data("test/data", vec![large("sub/train.parquet", weights())])
}

struct Cache(TempDir);

impl Cache {
    fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    fn settings(&self, endpoint: &str) -> HubSettings {
        HubSettings {
            endpoint: endpoint.into(),
            cache: self.0.path().join("hub"),
            token: None,
            network: Network::Allowed,
            silence: Duration::from_secs(5),
        }
    }

    fn offline(&self) -> Hub {
        Hub::new(HubSettings {
            network: Network::Forbidden,
            ..self.settings("http://127.0.0.1:1")
        })
    }

    fn online(&self, fake: &FakeHub) -> Hub {
        Hub::new(self.settings(&fake.hub.base))
    }

    /// A hub that cannot be reached: nothing listens on this port.
    fn cut_off(&self) -> Hub {
        Hub::new(self.settings("http://127.0.0.1:1"))
    }

    /// The blobs by name.
    fn blobs(&self, repository: &str) -> Vec<String> {
        let folder = self.0.path().join("hub").join(repository).join("blobs");
        let entries = fs::read_dir(folder).into_iter().flatten();
        let names = entries.map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

fn model(hub: &Hub, place: &str) -> Result<Fetched<HubModel>, HubError> {
    hub.model(&place.parse().expect("a place"), &mut |_| {})
}

fn file(hub: &Hub, place: &str) -> Result<Fetched<HubFile>, HubError> {
    hub.file(&place.parse().expect("a place"), &mut |_| {})
}

fn refused<T: std::fmt::Debug>(result: Result<T, HubError>, words: &[&str]) {
    let text = result.expect_err("refused").to_string();
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
}

/// Names and contents of a snapshot.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, fs::read(&path).expect("a file"))
    });
    let mut found: Vec<_> = entries.collect();
    found.sort();
    found
}

#[test]
fn a_model_is_downloaded_once_and_then_comes_from_the_cache() {
    let (cache, fake) = (Cache::new(), FakeHub::start(&[tiny()]));
    let mut seen = Vec::new();
    let place: HubModel = MODEL.parse().expect("a place");
    let first = cache
        .online(&fake)
        .model(&place, &mut |progress| {
            seen.push((progress.file.to_string(), progress.received, progress.total))
        })
        .expect("a model");
    assert_eq!(first.place.to_string(), format!("{MODEL}@{COMMIT}"));
    assert!(
        first
            .path
            .ends_with(format!("models--test--tiny/snapshots/{COMMIT}"))
    );
    let expected = [
        ("config.json".to_string(), b"{}".to_vec()),
        ("model.safetensors".to_string(), weights()),
        ("tokenizer.json".to_string(), b"{\"a\": 1}".to_vec()),
    ];
    assert_eq!(contents(&first.path), expected);
    // The blobs have the names that other tools look for, and the last to be whole are the weights.
    assert!(cache.blobs("models--test--tiny").contains(&sum(&weights())));
    assert_eq!(
        seen.last(),
        Some(&("model.safetensors".into(), 24000, Some(24000)))
    );
    assert_eq!(fake.store.requests(), ["test/tiny/model.safetensors"]);

    let before = fake.hub.requests().len();
    assert_eq!(model(&cache.online(&fake), MODEL).expect("a model"), first);
    assert_eq!(
        fake.hub.requests()[before..],
        ["api/models/test/tiny/revision/main"]
    );
    assert_eq!(fake.store.requests().len(), 1);

    // A commit that is there is not asked for, a branch is looked up in the cache.
    let pinned = first.place.to_string();
    for (hub, place) in [
        (cache.online(&fake), pinned.as_str()),
        (cache.cut_off(), &pinned),
        (cache.offline(), &pinned),
        (cache.offline(), MODEL),
        (cache.cut_off(), MODEL),
    ] {
        assert_eq!(model(&hub, place).expect("a model"), first, "{place}");
    }
    assert_eq!(fake.hub.requests().len(), before + 1);
}

#[test]
fn a_branch_that_has_moved_is_fetched_anew_and_old_blobs_are_used_again() {
    let cache = Cache::new();
    let old = FakeHub::start(&[tiny()]);
    let first = model(&cache.online(&old), MODEL).expect("a model");
    const NEW: &str = "ffffffffffffffffffffffffffffffffffffffff";
    let mut moved = tiny();
    moved.commit = NEW;
    moved.files[1] = small("config.json", "{\"new\": 1}");
    let fake = FakeHub::start(&[moved]);
    let second = model(&cache.online(&fake), MODEL).expect("a model");
    assert_eq!(second.place.to_string(), format!("{MODEL}@{NEW}"));
    assert_eq!(contents(&second.path)[0].1, b"{\"new\": 1}");
    assert!(fake.store.requests().is_empty(), "the weights are the same");
    assert_eq!(contents(&first.path)[0].1, b"{}");
    assert_eq!(model(&cache.offline(), MODEL).expect("a model"), second);
}

#[test]
fn weights_come_in_shards_or_as_a_pickle_too() {
    let index = "{\"weight_map\": {\"a\": \"x-1.safetensors\", \"b\": \"x-2.safetensors\", \"c\": \"x-1.safetensors\"}}";
    let sharded = vec![
        small("config.json", "{}"),
        small("vocab.txt", "a"),
        small("model.safetensors.index.json", index),
        large("x-1.safetensors", "one"),
        large("x-2.safetensors", "two"),
        large("x-3.safetensors", "not of the index"),
    ];
    let pickle = vec![
        small("config.json", "{}"),
        small("vocab.txt", "a"),
        large("pytorch_model.bin", "pickled"),
        large("tf_model.h5", "not wanted"),
    ];
    let fake = FakeHub::start(&[
        Repository::model("test/shards", sharded.clone()),
        Repository::model("pickle", pickle),
    ]);
    for (place, names) in [
        (
            "hf://test/shards",
            &[
                "config.json",
                "model.safetensors.index.json",
                "vocab.txt",
                "x-1.safetensors",
                "x-2.safetensors",
            ][..],
        ),
        ("hf://pickle", &["config.json", "pytorch_model.bin", "vocab.txt"]),
    ] {
        let cache = Cache::new();
        let fetched = model(&cache.online(&fake), place).expect("a model");
        let found: Vec<String> = contents(&fetched.path)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(found, names, "{place}");
        let again = model(&cache.cut_off(), &fetched.place.to_string());
        assert_eq!(again.expect("from the cache"), fetched);
        // A lost shard is noticed, and fetched again.
        let last = fetched.path.join(names[names.len() - 1]);
        if place.ends_with("shards") {
            fs::remove_file(&last).expect("removed");
            refused(
                model(&cache.offline(), place),
                &["HF_HUB_OFFLINE", "shards", place],
            );
            model(&cache.online(&fake), place).expect("a model");
            assert!(last.is_file());
        }
    }

    let mut outside = sharded;
    outside[2] = small(
        "model.safetensors.index.json",
        "{\"weight_map\": {\"a\": \"../../x\"}}",
    );
    let fake = FakeHub::start(&[Repository::model("test/shards", outside)]);
    refused(
        model(&Cache::new().online(&fake), "hf://test/shards"),
        &["weight_map"],
    );
}

#[test]
fn a_file_of_a_data_set_is_fetched_alone() {
    let (cache, fake) = (Cache::new(), FakeHub::start(&[data()]));
    let first = file(&cache.online(&fake), TABLE).expect("a file");
    assert_eq!(
        first.place.to_string(),
        format!("hf://datasets/test/data@{COMMIT}/sub/train.parquet")
    );
    assert!(first.path.ends_with(format!(
        "datasets--test--data/snapshots/{COMMIT}/sub/train.parquet"
    )));
    assert_eq!(fs::read(&first.path).expect("a file"), weights());
    let before = fake.hub.requests().len();
    assert_eq!(file(&cache.online(&fake), TABLE).expect("a file"), first);
    assert_eq!(
        fake.hub.requests()[before..],
        ["HEAD datasets/test/data/resolve/main/sub/train.parquet"]
    );
    let pinned = first.place.to_string();
    for (hub, place) in [
        (cache.online(&fake), pinned.as_str()),
        (cache.cut_off(), TABLE),
        (cache.offline(), TABLE),
    ] {
        assert_eq!(file(&hub, place).expect("a file"), first, "{place}");
    }
    assert_eq!(fake.hub.requests().len(), before + 1);
    assert_eq!(fake.store.requests().len(), 1);
}

#[test]
fn without_a_network_only_what_the_cache_has_is_given() {
    let cache = Cache::new();
    refused(
        model(&cache.offline(), MODEL),
        &[MODEL, "HF_HUB_OFFLINE", "HF_HOME"],
    );
    refused(file(&cache.offline(), TABLE), &[TABLE, "HF_HUB_OFFLINE"]);
    refused(
        model(&cache.cut_off(), MODEL),
        &["http://127.0.0.1:1", "HF_ENDPOINT"],
    );
    refused(file(&cache.cut_off(), TABLE), &["http://127.0.0.1:1"]);

    // A hub that is out of order is as good as none.
    let fake = FakeHub::start(&[tiny()]);
    let first = model(&cache.online(&fake), MODEL).expect("a model");
    let broken = FakeHub::spoiled(&[tiny()], |_, _| Serve::Status(503), |_, serve| serve);
    assert_eq!(
        model(&cache.online(&broken), MODEL).expect("from the cache"),
        first
    );
    refused(model(&Cache::new().online(&broken), MODEL), &["503"]);

    // A cache filled by another program does not say which files there are not; of a branch they are looked for.
    fs::remove_dir_all(cache.0.path().join("hub/models--test--tiny/.no_exist")).expect("removed");
    assert_eq!(model(&cache.offline(), MODEL).expect("usable"), first);
    assert_eq!(
        model(&cache.cut_off(), &first.place.to_string()).expect("usable"),
        first
    );
    fs::remove_file(first.path.join("model.safetensors")).expect("removed");
    refused(model(&cache.offline(), MODEL), &["model.safetensors"]);
}

/// What is not marked as absent may be on the hub; a run that began with these files must go on with them.
#[test]
fn a_commit_that_another_program_cached_stays_as_it_is() {
    let begun = vec![
        small("config.json", "{}"),
        small("vocab.txt", "a"),
        large("pytorch_model.bin", "pickled"),
    ];
    let cache = Cache::new();
    let fake = FakeHub::start(&[Repository::model("test/tiny", begun.clone())]);
    let first = model(&cache.online(&fake), MODEL).expect("a model");
    fs::remove_dir_all(cache.0.path().join("hub/models--test--tiny/.no_exist")).expect("removed");
    let before = contents(&first.path);
    let pinned = first.place.to_string();

    let gated = FakeHub::spoiled(&[tiny()], |_, _| Serve::Status(401), |_, serve| serve);
    let more = [
        begun,
        vec![
            small("tokenizer.json", "{\"a\": 1}"),
            large("model.safetensors", weights()),
        ],
    ];
    let more = FakeHub::start(&[Repository::model("test/tiny", more.concat())]);
    for fake in [&gated, &more] {
        assert_eq!(model(&cache.online(fake), &pinned).expect("a model"), first);
        assert!(fake.hub.requests().is_empty(), "{:?}", fake.hub.requests());
        assert_eq!(contents(&first.path), before);
    }
    // A branch is asked for, and gets what there is.
    refused(model(&cache.online(&gated), MODEL), &["401"]);
    model(&cache.online(&more), MODEL).expect("a model");
    assert_eq!(contents(&first.path).len(), 5);
    // What a model needs is fetched for a commit, too.
    fs::remove_file(first.path.join("config.json")).expect("removed");
    refused(model(&cache.online(&gated), &pinned), &["401"]);
    model(&cache.online(&more), &pinned).expect("a model");
}

#[test]
fn a_download_that_breaks_off_is_continued() {
    let breaks = |_: &str, serve: Serve| match serve {
        Serve::Whole(body) => Serve::BreaksAfter(9000, body),
        other => other,
    };
    let (cache, fake) = (
        Cache::new(),
        FakeHub::spoiled(&[data()], |_, serve| serve, breaks),
    );
    let fetched = file(&cache.online(&fake), TABLE).expect("a file");
    assert_eq!(fs::read(&fetched.path).expect("a file"), weights());
    let path = "test/data/sub/train.parquet";
    assert_eq!(
        fake.store.requests(),
        [
            path.to_string(),
            format!("{path} from 9000"),
            format!("{path} from 18000")
        ]
    );

    // Another process goes on with what is left of a killed one, whether the server knows ranges or not.
    for knows_ranges in [true, false] {
        let cache = Cache::new();
        let name = format!("{}.incomplete", sum(&weights()));
        let blobs = cache.0.path().join("hub/datasets--test--data/blobs");
        fs::create_dir_all(&blobs).expect("made");
        for kept in [&weights()[..10_000], &weights(), &[7; 100], &[7; 30_000]] {
            fs::write(blobs.join(&name), kept).expect("written");
            let change = |_: &str, serve: Serve| match serve {
                Serve::Whole(body) if !knows_ranges => Serve::NoRanges(body),
                other => other,
            };
            let fake = FakeHub::spoiled(&[data()], |_, serve| serve, change);
            let fetched = file(&cache.online(&fake), TABLE).expect("a file");
            assert_eq!(fs::read(&fetched.path).expect("a file"), weights());
            assert_eq!(cache.blobs("datasets--test--data"), [sum(&weights())]);
            if kept.len() == 10_000 {
                assert_eq!(fake.store.requests(), [format!("{path} from 10000")]);
            }
            if kept == weights() {
                assert!(fake.store.requests().is_empty(), "all was there");
            }
            fs::remove_dir_all(cache.0.path().join("hub/datasets--test--data/snapshots")).expect("removed");
            fs::remove_file(blobs.join(sum(&weights()))).expect("removed");
        }
    }
}

#[test]
fn what_is_not_whole_is_never_taken() {
    let short = weights()[..20_000].to_vec();
    let mut other = weights();
    other[17] ^= 1;
    let never = |_: &str, serve: Serve| match serve {
        Serve::Whole(body) => Serve::BreaksAfter(0, body),
        other => other,
    };
    let instead = |content: Vec<u8>| move |_: &str, _: Serve| Serve::Whole(content.clone());
    let same = |_: &str, serve: Serve| serve;
    let cases: [(&str, FakeHub, &[&str]); 4] = [
        (
            "short",
            FakeHub::spoiled(&[data()], same, instead(short)),
            &["20000 bytes", "24000"],
        ),
        (
            "long",
            FakeHub::spoiled(&[data()], same, instead([weights(), weights()].concat())),
            &["bytes instead of 24000"],
        ),
        (
            "changed",
            FakeHub::spoiled(&[data()], same, instead(other)),
            &["sha256", &sum(&weights())],
        ),
        (
            "cut",
            FakeHub::spoiled(&[data()], same, never),
            &["broke off after 0 bytes", "goes on"],
        ),
    ];
    for (what, fake, words) in cases {
        let cache = Cache::new();
        for _ in 0..2 {
            refused(file(&cache.online(&fake), TABLE), words);
            let blobs = cache.blobs("datasets--test--data");
            assert!(
                blobs.iter().all(|name| name.ends_with(".incomplete")),
                "{what}: {blobs:?}"
            );
        }
        refused(file(&cache.offline(), TABLE), &["HF_HUB_OFFLINE"]);
        // The same cache serves once the hub is well again.
        let fetched = file(&cache.online(&FakeHub::start(&[data()])), TABLE).expect(what);
        assert_eq!(fs::read(&fetched.path).expect("a file"), weights(), "{what}");
    }
    // A model whose weights did not come is none, with a network or without.
    let cache = Cache::new();
    let fake = FakeHub::spoiled(&[tiny()], same, never);
    refused(model(&cache.online(&fake), MODEL), &["model.safetensors"]);
    refused(model(&cache.offline(), MODEL), &["HF_HUB_OFFLINE"]);
    refused(
        model(&cache.offline(), &format!("{MODEL}@{COMMIT}")),
        &["model.safetensors"],
    );
}

#[test]
fn the_token_goes_to_the_hub_alone() {
    let secret = |_: &str, serve: Serve| Serve::For("secret", Box::new(serve));
    let fake = FakeHub::spoiled(&[tiny(), data()], secret, |_, serve| serve);
    let cache = Cache::new();
    let with = |token: &str| {
        Hub::new(HubSettings {
            token: Token::new(token),
            ..cache.settings(&fake.hub.base)
        })
    };
    for (hub, words) in [
        (cache.online(&fake), ["401", "HF_TOKEN", "was not sent"]),
        (with("other"), ["401", "HF_TOKEN", "was sent"]),
    ] {
        refused(model(&hub, MODEL), &words);
        refused(file(&hub, TABLE), &words);
    }
    model(&with("secret"), MODEL).expect("a model");
    file(&with("secret"), TABLE).expect("a file");
    let asked = fake.hub.requests();
    assert!(
        asked
            .iter()
            .skip(4)
            .all(|request| request.ends_with("with a token")),
        "{asked:?}"
    );
    let stored = fake.store.requests();
    assert_eq!(
        stored,
        ["test/tiny/model.safetensors", "test/data/sub/train.parquet"]
    );
}

#[test]
fn what_there_is_not_is_said_with_what_there_is() {
    let tensorflow = Repository::model(
        "test/tf",
        vec![small("config.json", "{}"), large("tf_model.h5", "x")],
    );
    let bare = Repository::model("test/bare", vec![large("model.safetensors", "x")]);
    let revision = |path: &str, serve: Serve| match path.contains("/data/") {
        true => Serve::With(
            "X-Error-Code: RevisionNotFound\r\n".into(),
            Box::new(Serve::Status(404)),
        ),
        false => serve,
    };
    let fake = FakeHub::start(&[tensorflow, bare, data()]);
    let cache = Cache::new();
    let hub = cache.online(&fake);
    refused(model(&hub, "hf://test/none"), &["test/none", "404", "HF_TOKEN"]);
    refused(
        model(&hub, "hf://test/tf"),
        &["model.safetensors or", "pytorch_model.bin", "tf_model.h5"],
    );
    refused(
        model(&hub, "hf://test/bare"),
        &["config.json", "model.safetensors"],
    );
    refused(
        file(&hub, "hf://datasets/test/data/no.tsv"),
        &["no.tsv", "test/data"],
    );
    let fake = FakeHub::spoiled(&[data()], revision, |_, serve| serve);
    refused(
        file(
            &cache.online(&fake),
            "hf://datasets/test/data@main/sub/train.parquet",
        ),
        &["revision `main`"],
    );
    // Something else than a hub.
    let page = |_: &str, _: Serve| Serve::Whole(b"<html>".to_vec());
    let fake = FakeHub::spoiled(&[tiny(), data()], page, |_, serve| serve);
    refused(model(&cache.online(&fake), MODEL), &["no JSON", "HF_ENDPOINT"]);
    refused(
        file(&cache.online(&fake), TABLE),
        &["X-Repo-Commit", "HF_ENDPOINT"],
    );
    // Another commit than the one asked for.
    const OTHER: &str = "ffffffffffffffffffffffffffffffffffffffff";
    let other = |path: &str, serve: Serve| match path.contains(OTHER) {
        true => Serve::With(
            format!("X-Repo-Commit: {COMMIT}\r\nETag: \"x\"\r\n"),
            Box::new(Serve::Whole(
                format!("{{\"sha\": \"{COMMIT}\", \"siblings\": []}}").into_bytes(),
            )),
        ),
        false => serve,
    };
    let [mut wrong_model, mut wrong_data] = [tiny(), data()];
    (wrong_model.commit, wrong_data.commit) = (OTHER, OTHER);
    let fake = FakeHub::spoiled(&[wrong_model, wrong_data], other, |_, serve| serve);
    let hub = cache.online(&fake);
    refused(
        model(&hub, &format!("{MODEL}@{OTHER}")),
        &["another commit", COMMIT],
    );
    let place = format!("hf://datasets/test/data@{OTHER}/sub/train.parquet");
    refused(file(&hub, &place), &["another commit", COMMIT]);
    // An answer must not choose a place outside the cache.
    let outside = |_: &str, serve: Serve| {
        Serve::With(
            format!("X-Repo-Commit: {COMMIT}\r\nX-Linked-Etag: \"../../x\"\r\n"),
            Box::new(match serve {
                Serve::With(_, inner) => *inner,
                other => other,
            }),
        )
    };
    let fake = FakeHub::spoiled(&[data()], outside, |_, serve| serve);
    refused(file(&cache.online(&fake), TABLE), &["ETag"]);
}

#[test]
fn a_renamed_repository_is_followed() {
    let renamed = |path: &str, serve: Serve| match path.split_once("test/data/") {
        Some((before, after)) if path.contains("main") => {
            Serve::Redirect(format!("/{before}new/data/{after}"))
        }
        _ => serve,
    };
    let mut new = data();
    new.id = "new/data";
    let fake = FakeHub::spoiled(&[data(), new], renamed, |_, serve| serve);
    let cache = Cache::new();
    let fetched = file(&cache.online(&fake), TABLE).expect("a file");
    assert_eq!(fs::read(&fetched.path).expect("a file"), weights());
}

#[test]
fn whoever_wants_the_same_file_at_the_same_time_downloads_it_once() {
    let (cache, fake) = (Cache::new(), FakeHub::start(&[data()]));
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| file(&cache.online(&fake), TABLE).expect("a file")))
            .collect();
        for one in all {
            let fetched = one.join().expect("no panic");
            assert_eq!(fs::read(&fetched.path).expect("a file"), weights());
        }
    });
    assert_eq!(fake.store.requests().len(), 1);
}

#[cfg(unix)]
#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let (cache, fake) = (Cache::new(), FakeHub::start(&[tiny()]));
    // A file where a folder should be: also root cannot write there.
    fs::write(cache.0.path().join("hub"), "").expect("written");
    refused(model(&cache.online(&fake), MODEL), &["models--test--tiny"]);
}
