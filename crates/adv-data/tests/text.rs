//! Sentences from files: the published tasks where they are there, tables of a user's own, and what is wrong with them.

use adv_data::text::{
    Answer, Columns, Problem, SentenceColumn, TaskId, TextDataError, TextSet, read_column, read_table,
};
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn classes(set: &TextSet) -> Vec<usize> {
    let Problem::Classes(names) = set.problem() else {
        return Vec::new();
    };
    let mut counts = vec![0; names.len()];
    for row in set.rows() {
        if let Answer::Class(class) = row.answer {
            counts[class as usize] += 1;
        }
    }
    counts
}

/// Rows of a task's parts; 0 for a part that is not there.
type Sizes = [usize; 3];

#[test]
fn published_tasks_have_their_published_sizes() {
    let Some(root) = std::env::var_os("ADV_DATA_DIR").map(PathBuf::from) else {
        println!("skipped: set ADV_DATA_DIR");
        return;
    };
    let table: [(TaskId, Sizes, &[usize]); 19] = [
        (TaskId::Sst2, [67349, 872, 1821], &[912, 909]),
        (TaskId::Sst2Sentences, [6920, 872, 1821], &[912, 909]),
        (TaskId::Sst5, [8544, 1101, 2210], &[]),
        (TaskId::Mrpc, [3576, 500, 1725], &[578, 1147]),
        (TaskId::Rte, [2490, 277, 0], &[]),
        (TaskId::Cola, [8551, 1043, 0], &[322, 721]),
        (TaskId::StsB, [5749, 1500, 1379], &[]),
        (TaskId::Wnli, [635, 71, 0], &[]),
        (TaskId::Qqp, [0, 10000, 10000], &[5000, 5000]),
        (TaskId::SickE, [4500, 500, 4927], &[1414, 2793, 720]),
        (TaskId::SickR, [4500, 500, 4927], &[]),
        (TaskId::Snli, [0, 9842, 9824], &[3368, 3219, 3237]),
        (TaskId::SciTail, [0, 1304, 2126], &[842, 1284]),
        (TaskId::Mr, [10662, 0, 0], &[5331, 5331]),
        (TaskId::MovieReviews, [1800, 0, 200], &[100, 100]),
        // Four of 3775 lines, and three of 10606, are empty.
        (TaskId::Cr, [3771, 0, 0], &[]),
        (TaskId::Subj, [10000, 0, 0], &[5000, 5000]),
        (TaskId::Mpqa, [10603, 0, 0], &[]),
        (TaskId::Trec, [5452, 0, 500], &[]),
    ];
    for (task, sizes, counts) in table {
        let splits = task
            .read(None, Some(&root))
            .unwrap_or_else(|error| panic!("{task}: {error}"));
        let parts = [&splits.train, &splits.dev, &splits.test];
        assert_eq!(
            parts.map(|part| part.as_ref().map_or(0, TextSet::len)),
            sizes,
            "{task}"
        );
        let last = parts.into_iter().rev().flatten().next().unwrap();
        if !counts.is_empty() {
            assert_eq!(classes(last), counts, "{task}");
        }
    }
    let rows = |task: TaskId| task.read(None, Some(&root)).unwrap().train.unwrap();
    assert_eq!(
        rows(TaskId::Mrpc).rows()[0].first,
        "Amrozi accused his brother, whom he called \"the witness\", of deliberately distorting his evidence."
    );
    assert_eq!(rows(TaskId::StsB).rows()[0].answer, Answer::Score(5.0));
    let documents = TaskId::MovieReviews.read(None, Some(&root)).unwrap();
    assert_eq!(documents.notes.len(), 1, "{:?}", documents.notes);
    assert!(
        documents.notes[0].contains("cv900 to cv999"),
        "{:?}",
        documents.notes
    );
    let (train, test) = (documents.train.unwrap(), documents.test.unwrap());
    assert_eq!(classes(&train), [900, 900]);
    // The begin of cv000_29416 and the end of cv999_13106.
    assert!(
        train.rows()[0]
            .first
            .starts_with("plot : two teen couples go to a church party , drink and then drive .")
    );
    assert!(test.rows()[199].first.split_whitespace().count() > 100);
    assert!(!train.rows()[0].first.contains('\n'));
    // Latin-1.
    assert!(rows(TaskId::Mr).rows().iter().any(|row| row.first.contains('é')));

    let file = root.join("advglue/dev.json");
    for (task, expected) in [
        (TaskId::Sst2, 148),
        (TaskId::Qqp, 78),
        (TaskId::SickE, 121),
        (TaskId::MnliMismatched, 162),
        (TaskId::Qnli, 148),
        (TaskId::Rte, 81),
    ] {
        assert_eq!(
            task.read_advglue(&file).unwrap().unwrap().len(),
            expected,
            "{task}"
        );
    }
    assert!(TaskId::Cola.read_advglue(&file).unwrap().is_none());
}

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        if name.ends_with(".gz") {
            let file = std::fs::File::create(&path).unwrap();
            let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::default());
            packed.write_all(bytes.as_ref()).unwrap();
            packed.finish().unwrap();
        } else {
            std::fs::write(&path, bytes).unwrap();
        }
        path
    }
}

fn pairs() -> Columns {
    Columns {
        first: "premise".into(),
        second: Some("claim".into()),
        answer: "label".into(),
    }
}

#[test]
fn tables_of_every_format_are_the_same_rows() {
    let files = Files::new();
    let tsv = "label\tid\tpremise\tclaim\nno\t1\tIt \"rains\", now.\tIt is dry.\nyes\t2\ta\tb\n";
    let csv = "label,id,premise,claim\nno,1,\"It \"\"rains\"\", now.\",It is dry.\nyes,2,a,b\n";
    let json = "{\"label\": \"no\", \"premise\": \"It \\\"rains\\\", now.\", \"claim\": \"It is dry.\"}\n\n\
                {\"claim\": \"b\", \"label\": \"yes\", \"premise\": \"a\"}\n";
    let windows = format!("\u{feff}{}", tsv.replace('\n', "\r\n"));
    let sets: Vec<TextSet> = [
        files.write("a.tsv", tsv),
        files.write("b.tsv.gz", tsv),
        files.write("c.tsv", windows),
        files.write("d.csv", csv),
        files.write("e.CSV.gz", csv),
        files.write("f.jsonl", json),
    ]
    .iter()
    .map(|path| read_table(path, &pairs(), None).unwrap())
    .collect();
    assert_eq!(sets[0].problem(), &Problem::classes(["no", "yes"]));
    let row = &sets[0].rows()[0];
    assert_eq!(
        (row.first.as_str(), row.second.as_deref()),
        ("It \"rains\", now.", Some("It is dry."))
    );
    assert_eq!(sets[0].rows()[1].answer, Answer::Class(1));
    for (index, set) in sets.iter().enumerate() {
        assert_eq!(set, &sets[0], "file {index}");
    }
    let scores = files.write(
        "scores.jsonl",
        "{\"premise\": \"a\", \"claim\": \"b\", \"label\": 2.5}\n",
    );
    let set = read_table(&scores, &pairs(), Some(&Problem::Score)).unwrap();
    assert_eq!(set.rows()[0].answer, Answer::Score(2.5));
}

fn refused(error: TextDataError, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
}

#[test]
fn broken_tables_are_refused_with_file_and_line() {
    let files = Files::new();
    let header = "label\tpremise\tclaim\n";
    let known = Problem::classes(["no", "yes"]);
    for (name, text, words) in [
        ("text.txt", "a".to_string(), &["text.txt", ".jsonl"][..]),
        (
            "column.tsv",
            "label\ttext\nno\ta\n".into(),
            &["column.tsv, line 1", "`premise`", "label, text"],
        ),
        (
            "short.tsv",
            format!("{header}no\ta\tb\n\nyes\ta\n"),
            &["short.tsv, line 4", "2 columns", "column 3"],
        ),
        (
            "label.tsv",
            format!("{header}no\ta\tb\nmaybe\ta\tb\n"),
            &["label.tsv, line 3", "`maybe`", "no, yes"],
        ),
        (
            "empty.tsv",
            format!("{header}no\ta\t \n"),
            &["empty.tsv, line 2", "empty"],
        ),
        ("rows.tsv", header.into(), &["rows.tsv", "no sentence"]),
        ("none.tsv", String::new(), &["none.tsv", "no sentence"]),
        (
            "bad.jsonl",
            "{\"label\": \"no\", \"premise\": \"a\", \"claim\": \"b\"}\n{oops\n".into(),
            &["bad.jsonl, line 2"],
        ),
        (
            "key.jsonl",
            "{\"label\": \"no\", \"premise\": \"a\"}\n".into(),
            &["key.jsonl, line 1", "`claim`", "label, premise"],
        ),
        (
            "null.jsonl",
            "{\"label\": \"no\", \"premise\": \"a\", \"claim\": null}\n".into(),
            &["null.jsonl, line 1: column `claim` has no value"],
        ),
        (
            "column.csv",
            "label,text\nno,a\n".into(),
            &["column.csv, line 1", "`premise`"],
        ),
    ] {
        let path = files.write(name, text);
        refused(read_table(&path, &pairs(), Some(&known)).unwrap_err(), words);
    }
    let path = files.write("bytes.tsv", b"label\tpremise\tclaim\nno\ta\tb\nno\t\xff\xfe\tb\n");
    refused(
        read_table(&path, &pairs(), None).unwrap_err(),
        &["bytes.tsv, line 3", "not UTF-8"],
    );
    let path = files.write("bytes.csv", b"label,premise,claim\nno,\xff,b\n");
    refused(
        read_table(&path, &pairs(), None).unwrap_err(),
        &["bytes.csv, line 2", "not UTF-8"],
    );
    let path = files.write("score.tsv", "label\tpremise\tclaim\nlots\ta\tb\n");
    refused(
        read_table(&path, &pairs(), Some(&Problem::Score)).unwrap_err(),
        &["score.tsv, line 2", "`lots`"],
    );
    let gone = files.0.path().join("gone.tsv");
    refused(read_table(&gone, &pairs(), None).unwrap_err(), &["gone.tsv"]);
}

#[test]
fn tasks_lie_in_folders_of_their_own_or_in_glues() {
    let files = Files::new();
    let rows = "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n1\tc\td\tnot_entailment\n";
    files.write("RTE/train.tsv", rows);
    files.write("RTE/dev.tsv.gz", rows);
    let root = files.0.path();
    for (folder, root) in [(None, Some(root)), (Some(root.join("RTE")), None)] {
        let splits = TaskId::Rte.read(folder.as_deref(), root).unwrap();
        assert_eq!(classes(&splits.train.unwrap()), [1, 1]);
        assert_eq!((splits.dev.unwrap().len(), splits.test), (2, None));
        assert!(splits.folder.ends_with("RTE"));
    }
    // GLUE's download, whose test file has no labels, whatever its folder is called.
    for folder in ["SST-2", "mine"] {
        let text = "sentence\tlabel\na\t1\nb\t0\n";
        for name in ["train.tsv", "dev.tsv"] {
            files.write(&format!("{folder}/{name}"), text);
        }
        files.write(&format!("{folder}/test.tsv"), "index\tsentence\n0\ta\n");
        let splits = TaskId::Sst2.read(Some(&root.join(folder)), None).unwrap();
        assert_eq!((splits.train.unwrap().len(), splits.test), (2, None), "{folder}");
    }
    std::fs::remove_dir_all(root.join("SST-2")).unwrap();
    let none: (Option<&Path>, Option<&Path>) = (None, Some(root));
    refused(
        TaskId::Sst2.read(none.0, none.1).unwrap_err(),
        &["sst2/glue/train.tsv", "SST-2/train.tsv"],
    );
    std::fs::remove_file(root.join("RTE/dev.tsv.gz")).unwrap();
    refused(TaskId::Rte.read(None, Some(root)).unwrap_err(), &["dev.tsv"]);
    refused("sst3".parse::<TaskId>().unwrap_err(), &["sst3", "sst2", "mnli"]);
    for (name, task) in TaskId::ALL {
        assert_eq!(
            (name.parse::<TaskId>().unwrap(), task.to_string().as_str()),
            (task, name)
        );
    }
}

#[test]
fn broken_rows_of_a_published_file_are_skipped_and_counted_there_alone() {
    let files = Files::new();
    let header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n";
    let train = "0\t1\t2\ta\tb\t1\n1\t3\t4\tbroken by a line\n end\t0\n2\t5\t6\tc\t\t0\n3\t7\t8\td\te\t0\n";
    files.write("QQP/train.tsv", format!("{header}{train}"));
    files.write("QQP/dev.tsv", format!("{header}0\t1\t2\ta\tb\t1\n"));
    let root = files.0.path();
    let splits = TaskId::Qqp.read(None, Some(root)).unwrap();
    assert_eq!(classes(&splits.train.unwrap()), [1, 1]);
    assert_eq!(
        splits.notes,
        [
            "2 rows of train.tsv were skipped: they have no column is_duplicate",
            "a row of train.tsv was skipped: it has an empty sentence"
        ]
    );
    // A label that is no class is still an error.
    files.write("QQP/dev.tsv", format!("{header}0\t1\t2\ta\tb\t7\n"));
    refused(
        TaskId::Qqp.read(None, Some(root)).unwrap_err(),
        &["dev.tsv, line 2", "`7`"],
    );
    // No other task has such rows.
    let rows = "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n1\tc\n";
    files.write("RTE/train.tsv", rows);
    files.write("RTE/dev.tsv", rows);
    refused(
        TaskId::Rte.read(None, Some(root)).unwrap_err(),
        &["train.tsv, line 3", "2 columns"],
    );
}

#[test]
fn mnli_is_tested_on_both_kinds_of_genres() {
    let files = Files::new();
    let header = "index\tsentence1\tsentence2\tgold_label\n";
    for (name, first) in [("train", "t"), ("dev_matched", "m"), ("dev_mismatched", "mm")] {
        files.write(
            &format!("MNLI/{name}.tsv"),
            format!("{header}0\t{first}\tb\tneutral\n"),
        );
    }
    let first = |part: Option<TextSet>| part.map(|set| set.rows()[0].first.clone());
    for (task, test) in [("mnli", None), ("mnli-mm", Some("mm"))] {
        let task: TaskId = task.parse().unwrap();
        let splits = task.read(None, Some(files.0.path())).unwrap();
        let found = [splits.train, splits.dev, splits.test].map(first);
        assert_eq!(
            found,
            [Some("t".into()), Some("m".into()), test.map(String::from)],
            "{task}"
        );
    }
}

#[test]
fn documents_come_from_an_archive() {
    let files = Files::new();
    let write = |entries: &[(&str, &[u8])]| {
        let mut out = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, content) in entries {
            out.start_file(*name, zip::write::SimpleFileOptions::default())
                .unwrap();
            out.write_all(content).unwrap();
        }
        files.write("textcls/movie_reviews.zip", out.finish().unwrap().into_inner());
    };
    let root = files.0.path();
    let good: [(&str, &[u8]); 5] = [
        ("movie_reviews/README", b"not a review"),
        ("movie_reviews/pos/cv899_1.txt", b"good \nindeed .\n"),
        ("movie_reviews/neg/cv000_2.txt", b"bad"),
        ("movie_reviews/pos/cv900_3.txt", b"better"),
        ("movie_reviews/neg/cv999_4.txt", b"worse"),
    ];
    write(&good);
    let splits = TaskId::MovieReviews.read(None, Some(root)).unwrap();
    let texts = |part: Option<TextSet>| {
        let rows = part.unwrap().rows().to_vec();
        rows.into_iter()
            .map(|row| (row.first, row.answer))
            .collect::<Vec<_>>()
    };
    let row = |text: &str, class: u32| (text.to_string(), Answer::Class(class));
    assert_eq!(texts(splits.train), [row("bad", 0), row("good indeed .", 1)]);
    assert_eq!(texts(splits.test), [row("worse", 0), row("better", 1)]);
    assert!(splits.notes[0].contains("2 documents"), "{:?}", splits.notes);

    let mut wrong = good;
    wrong[2].1 = b"\xff";
    write(&wrong);
    refused(
        TaskId::MovieReviews.read(None, Some(root)).unwrap_err(),
        &["movie_reviews.zip", "cv000_2.txt", "UTF-8"],
    );
    wrong[2].1 = b" \n";
    write(&wrong);
    refused(
        TaskId::MovieReviews.read(None, Some(root)).unwrap_err(),
        &["movie_reviews.zip, document 1: the sentence is empty"],
    );
    write(&good[..1]);
    refused(
        TaskId::MovieReviews.read(None, Some(root)).unwrap_err(),
        &["no sentence"],
    );
    files.write("textcls/movie_reviews.zip", "no archive");
    refused(
        TaskId::MovieReviews.read(None, Some(root)).unwrap_err(),
        &["movie_reviews.zip", "no zip archive"],
    );
}

#[test]
fn rows_of_advglue_have_no_lines() {
    let files = Files::new();
    let row = |sentence: &str, label: &str| format!("\n{{\"sentence\": \"{sentence}\", \"label\": {label}}}");
    for (rows, words) in [
        (
            row("a", "1") + "," + &row("b", "7"),
            &["dev.json, row 2: label `7`"][..],
        ),
        (
            row("a", "1") + "," + &row(" ", "0"),
            &["dev.json, row 2: the sentence is empty"],
        ),
        (
            "{\"sentence\": \"a\"}".into(),
            &["dev.json, row 1: no column `label`"],
        ),
        ("\n\n{oops}".into(), &["dev.json: ", "at line 3"]),
    ] {
        let file = files.write("dev.json", format!("{{\"sst2\": [{rows}]}}"));
        refused(TaskId::Sst2.read_advglue(&file).unwrap_err(), words);
    }
}

#[test]
fn sentences_without_answers_are_a_column() {
    let files = Files::new();
    let tsv = files.write("a.tsv.gz", "x\tone\n\ny\t\nz\ttwo \n");
    let csv = files.write("b.csv", "x,one\nz,\"two\"\n");
    let named = files.write("c.tsv", "id\ttext\nx\tone\nz\ttwo\n");
    let json = files.write(
        "d.jsonl",
        "{\"text\": \"one\"}\n{\"text\": null}\n{\"text\": \"two\"}\n{\"text\": \" \"}\n",
    );
    let name = SentenceColumn::Named("text".into());
    for (path, column) in [
        (&tsv, SentenceColumn::Numbered(2)),
        (&csv, SentenceColumn::Numbered(2)),
        (&named, name.clone()),
        (&json, name.clone()),
    ] {
        let set = read_column(path, &column).unwrap();
        let sentences: Vec<&str> = set.rows().iter().map(|row| row.first.as_str()).collect();
        assert_eq!(sentences, ["one", "two"], "{}", path.display());
        assert_eq!(set.problem(), &Problem::Nothing);
    }
    refused(
        read_column(&tsv, &SentenceColumn::Numbered(3)).unwrap_err(),
        &["a.tsv.gz, line 1", "2 columns", "column 3"],
    );
    refused(
        read_column(&tsv, &name).unwrap_err(),
        &["a.tsv.gz, line 1", "`text`"],
    );
    refused(
        read_column(&json, &SentenceColumn::Numbered(1)).unwrap_err(),
        &["no column 1"],
    );
    let text = files.write("e.txt", "one\n");
    refused(
        read_column(&text, &SentenceColumn::Numbered(1)).unwrap_err(),
        &["e.txt", ".tsv"],
    );
}

#[test]
fn a_split_loses_nothing_and_is_the_same_for_a_seed() {
    let files = Files::new();
    let text: String = (0..100)
        .map(|n| format!("{}\tsentence {n}\tx\n", n % 2))
        .collect();
    let path = files.write("a.tsv", format!("label\tpremise\tclaim\n{text}"));
    let set = read_table(&path, &pairs(), None).unwrap();
    let (most, few) = set.split(0.1, 7);
    assert_eq!((most.len(), few.len()), (90, 10));
    let mut all: Vec<_> = most
        .rows()
        .iter()
        .chain(few.rows())
        .map(|row| row.first.clone())
        .collect();
    all.sort();
    let mut own: Vec<_> = set.rows().iter().map(|row| row.first.clone()).collect();
    own.sort();
    assert_eq!(all, own);
    assert_eq!(set.split(0.1, 7).1, few);
    assert_ne!(set.split(0.1, 8).1, few);
    assert_eq!(set.take(3).len(), 3);
}
