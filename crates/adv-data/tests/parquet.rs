//! Parquet files: of this crate's own writer, and one of pyarrow's.

use adv_data::text::{
    Answer, Columns, Problem, SentenceColumn, TextDataError, TextSet, read_column, read_table,
};
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// Cells of a column; none: null.
#[derive(Clone)]
enum Cells {
    Text(Vec<Option<&'static [u8]>>),
    Bytes(Vec<&'static [u8]>),
    Long(Vec<Option<i64>>),
    Int(Vec<i32>),
    Bool(Vec<bool>),
    Double(Vec<f64>),
    Day(Vec<i32>),
}

use Cells::{Bool, Bytes, Day, Double, Int, Long, Text};

fn text(cells: &[&'static str]) -> Cells {
    Text(cells.iter().map(|cell| Some(cell.as_bytes())).collect())
}

fn long(cells: &[i64]) -> Cells {
    Long(cells.iter().copied().map(Some).collect())
}

/// A file: names of columns, then row groups.
struct Made<'a> {
    columns: &'a [&'a str],
    groups: Vec<Vec<Cells>>,
    compression: Compression,
    metadata: Option<&'a str>,
}

impl Made<'_> {
    fn write(&self, path: &Path) {
        let field = |(name, cells): (&&str, &Cells)| {
            let kind = match cells {
                Text(_) => "BYTE_ARRAY",
                Bytes(_) => "BYTE_ARRAY",
                Long(_) => "INT64",
                Int(_) | Day(_) => "INT32",
                Bool(_) => "BOOLEAN",
                Double(_) => "DOUBLE",
            };
            let meaning = match cells {
                Text(_) => "(UTF8)",
                Day(_) => "(DATE)",
                _ => "",
            };
            format!("OPTIONAL {kind} {name} {meaning};")
        };
        let fields: String = self.columns.iter().zip(&self.groups[0]).map(field).collect();
        let schema = parse_message_type(&format!("message rows {{ {fields} }}")).expect("a schema");
        let metadata = self
            .metadata
            .map(|text| vec![KeyValue::new("huggingface".to_string(), text.to_string())]);
        let properties = WriterProperties::builder()
            .set_compression(self.compression)
            .set_key_value_metadata(metadata)
            .build();
        let file = fs::File::create(path).expect("a file");
        let mut writer =
            SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).expect("a writer");
        for group in &self.groups {
            let mut out = writer.next_row_group().expect("a group");
            for cells in group {
                let mut column = out.next_column().expect("a column").expect("one more");
                let there = |n: usize| vec![1i16; n];
                match cells {
                    Text(cells) => {
                        let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
                        let values: Vec<ByteArray> = cells
                            .iter()
                            .flatten()
                            .map(|cell| ByteArray::from(*cell))
                            .collect();
                        column
                            .typed::<ByteArrayType>()
                            .write_batch(&values, Some(&levels), None)
                    }
                    Bytes(cells) => {
                        let values: Vec<ByteArray> =
                            cells.iter().map(|cell| ByteArray::from(*cell)).collect();
                        column
                            .typed::<ByteArrayType>()
                            .write_batch(&values, Some(&there(cells.len())), None)
                    }
                    Long(cells) => {
                        let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
                        let values: Vec<i64> = cells.iter().flatten().copied().collect();
                        column
                            .typed::<Int64Type>()
                            .write_batch(&values, Some(&levels), None)
                    }
                    Int(cells) | Day(cells) => {
                        column
                            .typed::<Int32Type>()
                            .write_batch(cells, Some(&there(cells.len())), None)
                    }
                    Bool(cells) => {
                        column
                            .typed::<BoolType>()
                            .write_batch(cells, Some(&there(cells.len())), None)
                    }
                    Double(cells) => {
                        column
                            .typed::<DoubleType>()
                            .write_batch(cells, Some(&there(cells.len())), None)
                    }
                }
                .expect("written");
                column.close().expect("closed");
            }
            out.close().expect("closed");
        }
        writer.close().expect("closed");
    }
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file of one group without metadata.
    fn write(&self, name: &str, columns: &[&str], cells: Vec<Cells>) -> PathBuf {
        self.with(name, columns, cells, None)
    }

    fn with(&self, name: &str, columns: &[&str], cells: Vec<Cells>, metadata: Option<&str>) -> PathBuf {
        let path = self.path(name);
        let made = Made {
            columns,
            groups: vec![cells],
            compression: Compression::SNAPPY,
            metadata,
        };
        made.write(&path);
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

fn single() -> Columns {
    Columns {
        first: "sentence".into(),
        second: None,
        answer: "label".into(),
    }
}

/// The metadata of a column `label` with these classes.
fn classes(names: &str) -> String {
    format!(r#"{{"info": {{"features": {{"label": {{"names": [{names}], "_type": "ClassLabel"}}}}}}}}"#)
}

fn answers(set: &TextSet) -> Vec<Answer> {
    set.rows().iter().map(|row| row.answer).collect()
}

fn refused(result: Result<TextSet, TextDataError>, words: &[&str]) {
    let text = result.expect_err("refused").to_string();
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
}

#[test]
fn a_parquet_file_holds_the_rows_of_a_table() {
    let folder = Folder::new();
    let table = folder.path("a.tsv");
    let rows = "0\tIt \"rains\", now.\tIt is dry.\n1\ta\tb\n1\tçà\td\n";
    fs::write(&table, format!("label\tpremise\tclaim\n{rows}")).expect("written");
    let expected = read_table(&table, &pairs(), None).expect("a table");
    for (index, compression) in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
    ]
    .into_iter()
    .enumerate()
    {
        let path = folder.path(&format!("{index}.parquet"));
        // Columns in another order, one that is not read, two groups.
        let group = |ids: Vec<i32>, claims: &[&'static str], labels: &[i64], premises: &[&'static str]| {
            vec![Int(ids), text(claims), long(labels), text(premises)]
        };
        let made = Made {
            columns: &["id", "claim", "label", "premise"],
            groups: vec![
                group(
                    vec![7, 8],
                    &["It is dry.", "b"],
                    &[0, 1],
                    &["It \"rains\", now.", "a"],
                ),
                group(vec![9], &["d"], &[1], &["çà"]),
            ],
            compression,
            metadata: None,
        };
        made.write(&path);
        let set = read_table(&path, &pairs(), None).expect("a table");
        assert_eq!(set, expected, "{compression}");
        // A table to evaluate on may have the other format.
        assert_eq!(
            read_table(&table, &pairs(), Some(set.problem())).expect("a table"),
            expected
        );
    }
}

/// Written by pyarrow 26.0.1 with
///
/// ```python
/// features = {
///     "sentence": {"dtype": "string", "_type": "Value"},
///     "label": {"names": ["negative", "positive"], "_type": "ClassLabel"},
///     "idx": {"dtype": "int32", "_type": "Value"},
/// }
/// table = pyarrow.table({
///     "sentence": ["a fine film .", "déjà vu , and dull", "a fine film .", "never again !", "a joy"],
///     "label": pyarrow.array([1, 0, 1, 0, 1], pyarrow.int64()),
///     "idx": pyarrow.array(range(5), pyarrow.int32()),
/// })
/// table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
/// pyarrow.parquet.write_table(table, "pyarrow.parquet", compression="snappy", row_group_size=2)
/// ```
#[test]
fn golden_a_file_of_pyarrow_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/pyarrow.parquet");
    let set = read_table(&path, &single(), None).expect("a table");
    assert_eq!(set.problem(), &Problem::classes(["negative", "positive"]));
    let [no, yes] = [0, 1].map(Answer::Class);
    assert_eq!(answers(&set), [yes, no, yes, no, yes]);
    let sentences: Vec<&str> = set.rows().iter().map(|row| row.first.as_str()).collect();
    assert_eq!(
        sentences,
        [
            "a fine film .",
            "déjà vu , and dull",
            "a fine film .",
            "never again !",
            "a joy"
        ]
    );
    let column = SentenceColumn::Named("sentence".into());
    let lines = read_column(&path, &column).expect("sentences");
    assert_eq!(lines.problem(), &Problem::Nothing);
    assert_eq!(lines.rows()[1].first, "déjà vu , and dull");
    assert_eq!(lines.len(), 5);
    let bytes = fs::read(&path).expect("a file");
    let folder = Folder::new();
    // On some of these damages the parser panics.
    for (at, bits) in [(12, 16), (965, 1), (1068, 1), (1587, 1), (1674, 128)] {
        let mut damaged = bytes.clone();
        damaged[at] ^= bits;
        let path = folder.path("damaged.parquet");
        fs::write(&path, damaged).expect("written");
        refused(read_table(&path, &single(), None), &["damaged.parquet"]);
    }
    // Every way of losing the end is noticed.
    for length in [0, 3, 4, 8, bytes.len() / 2, bytes.len() - 1] {
        let cut = folder.path("cut.parquet");
        fs::write(&cut, &bytes[..length]).expect("written");
        refused(
            read_table(&cut, &single(), None),
            &["cut.parquet", "no parquet file, or not all of it"],
        );
    }
}

#[test]
fn labels_may_be_of_any_plain_type() {
    let folder = Folder::new();
    let sentences = || text(&["a", "b", "c"]);
    let named = classes(r#""no", "maybe", "yes""#);
    let check = |labels: Cells, metadata: Option<&str>, names: &[&str], expected: [u32; 3]| {
        let path = folder.with(
            "a.parquet",
            &["sentence", "label"],
            vec![sentences(), labels],
            metadata,
        );
        let set = read_table(&path, &single(), None).expect("a table");
        assert_eq!(set.problem(), &Problem::classes(names.iter().copied()));
        assert_eq!(answers(&set), expected.map(Answer::Class));
    };
    check(long(&[2, 0, 2]), None, &["0", "2"], [1, 0, 1]);
    check(long(&[-1, 1, -1]), None, &["-1", "1"], [0, 1, 0]);
    check(
        Int(vec![2, 0, 2]),
        Some(&named),
        &["no", "maybe", "yes"],
        [2, 0, 2],
    );
    check(Bool(vec![true, false, true]), None, &["false", "true"], [1, 0, 1]);
    check(text(&["x", "y", "x"]), None, &["x", "y"], [0, 1, 0]);
    check(
        text(&["yes", "no", "yes"]),
        Some(&named),
        &["no", "maybe", "yes"],
        [2, 0, 2],
    );
    check(Bytes(vec![b"x", b"y", b"x"]), None, &["x", "y"], [0, 1, 0]);
    let blanks = classes(r#"" no", "yes\t""#);
    check(long(&[1, 0, 1]), Some(&blanks), &["no", "yes"], [1, 0, 1]);
    check(
        text(&["yes", " no ", "yes\t"]),
        Some(&blanks),
        &["no", "yes"],
        [1, 0, 1],
    );
    // Metadata of something else.
    check(long(&[1, 0, 1]), Some("{}"), &["0", "1"], [1, 0, 1]);
    check(long(&[1, 0, 1]), Some("no JSON"), &["0", "1"], [1, 0, 1]);

    let scores = vec![sentences(), Double(vec![2.5, 0.0, 5.0])];
    let path = folder.write("scores.parquet", &["sentence", "label"], scores);
    let set = read_table(&path, &single(), Some(&Problem::Score)).expect("a table");
    assert_eq!(answers(&set), [2.5, 0.0, 5.0].map(Answer::Score));
}

#[test]
fn nulls_are_left_out_where_no_answer_is_wanted() {
    let folder = Folder::new();
    let sentences = Text(vec![Some(b"a"), None, Some(b" "), Some(b"b")]);
    let path = folder.write("a.parquet", &["sentence"], vec![sentences]);
    let set = read_column(&path, &SentenceColumn::Named("sentence".into())).expect("sentences");
    let found: Vec<&str> = set.rows().iter().map(|row| row.first.as_str()).collect();
    assert_eq!(found, ["a", "b"]);
    let nulls = Text(vec![None, None]);
    let path = folder.write("nulls.parquet", &["sentence"], vec![nulls]);
    refused(
        read_column(&path, &SentenceColumn::Named("sentence".into())),
        &["nulls.parquet holds no sentence"],
    );
}

#[test]
fn broken_parquet_files_are_refused_with_file_and_row() {
    let folder = Folder::new();
    let known = Problem::classes(["no", "yes"]);
    let columns = ["sentence", "label"];
    let good = || text(&["a", "b"]);
    let null = || Text(vec![Some(b"a"), None]);
    let wrong_bytes = || Text(vec![Some(b"a"), Some(b"\xff\xfe")]);
    let named = classes(r#""no", "yes""#);
    for (name, cells, metadata, words) in [
        (
            "null.parquet",
            vec![null(), good()],
            None,
            &["null.parquet, row 2", "`sentence`", "no value"][..],
        ),
        (
            "label.parquet",
            vec![good(), Long(vec![None, Some(1)])],
            None,
            &["label.parquet, row 1", "`label`", "no value"],
        ),
        (
            "kind.parquet",
            vec![long(&[1, 2]), good()],
            None,
            &["kind.parquet", "`sentence`", "INT64", "text"],
        ),
        (
            "day.parquet",
            vec![good(), Day(vec![1, 2])],
            None,
            &["day.parquet", "`label`", "DATE"],
        ),
        (
            "bytes.parquet",
            vec![wrong_bytes(), good()],
            None,
            &["bytes.parquet, row"],
        ),
        (
            "raw.parquet",
            vec![Bytes(vec![b"a", b"\xff"]), good()],
            None,
            &["raw.parquet, row 2", "not UTF-8"],
        ),
        (
            "empty.parquet",
            vec![text(&["a", " "]), text(&["no", "no"])],
            None,
            &["empty.parquet, row 2", "empty"],
        ),
        (
            "other.parquet",
            vec![good(), text(&["no", "maybe"])],
            None,
            &["other.parquet, row 2", "`maybe`", "no, yes"],
        ),
        (
            "none.parquet",
            vec![text(&[]), text(&[])],
            None,
            &["none.parquet", "no sentence"],
        ),
        (
            "test.parquet",
            vec![good(), long(&[-1, -1])],
            None,
            &["test.parquet", "-1", "no labels"],
        ),
        (
            "some.parquet",
            vec![good(), long(&[1, -1])],
            Some(named.as_str()),
            &["some.parquet, row 2", "`-1`"],
        ),
        (
            "range.parquet",
            vec![good(), long(&[1, 2])],
            Some(&named),
            &["range.parquet, row 2", "`2`", "no, yes"],
        ),
    ] {
        let path = folder.with(name, &columns, cells, metadata);
        refused(read_table(&path, &single(), Some(&known)), words);
    }
    let path = folder.write("columns.parquet", &["text", "label"], vec![good(), good()]);
    refused(
        read_table(&path, &single(), None),
        &["columns.parquet: no column `sentence`; there are: text, label"],
    );
    refused(
        read_column(&path, &SentenceColumn::Numbered(1)),
        &["columns.parquet", "no column 1", "name"],
    );
    let path = folder.path("text.parquet");
    fs::write(&path, "sentence\tlabel\na\tno\n").expect("written");
    refused(
        read_table(&path, &single(), None),
        &["text.parquet", "no parquet file"],
    );
    refused(
        read_table(&folder.path("gone.parquet"), &single(), None),
        &["gone.parquet"],
    );
}
