//! Tables in parquet, as the hub keeps them.

use super::TextDataError;
use super::table::{Cells, Found, Wanted};
use parquet::basic::{ConvertedType, Type as Physical};
use parquet::file::metadata::FileMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use parquet::schema::types::{Type, TypePtr};
use serde_json::Value;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Reads the wanted columns of all row groups. Errors count rows, from 1.
pub(super) fn read(path: &Path, wanted: &Wanted<'_>) -> Result<Found, TextDataError> {
    // The crate panics on some damaged files.
    let found = std::panic::catch_unwind(|| rows(path, wanted));
    found.unwrap_or_else(|_| {
        Err(TextDataError::NoParquet {
            path: path.to_path_buf(),
            detail: "it is damaged".into(),
        })
    })
}

fn rows(path: &Path, wanted: &Wanted<'_>) -> Result<Found, TextDataError> {
    let table = Table { path };
    let file = File::open(path).map_err(crate::error::at(path))?;
    let reader = SerializedFileReader::new(file).map_err(|error| table.broken(&error))?;
    let metadata = reader.metadata().file_metadata();
    let schema = metadata.schema();
    let mut fields = Vec::new();
    for name in &wanted.sentences {
        table.add(&mut fields, schema, name, "text", is_text)?;
    }
    let mut classes = None;
    if let Some(name) = wanted.answer {
        let what = "text, whole numbers, numbers or true and false";
        table.add(&mut fields, schema, name, what, |column| {
            is_text(column) || is_value(column)
        })?;
        classes = class_names(metadata, name);
    }
    let projection = Type::group_type_builder(schema.name())
        .with_fields(fields)
        .build();
    let projection = projection.map_err(|error| table.broken(&error))?;
    let rows = reader
        .get_row_iter(Some(projection))
        .map_err(|error| table.broken(&error))?;

    let mut found = Vec::new();
    let mut unlabelled = 0;
    for (index, row) in rows.enumerate() {
        let row = row.map_err(|error| table.malformed(index + 1, &error))?;
        let (cells, is_unlabelled) = table.cells(index + 1, &row, wanted, classes.as_deref())?;
        found.push(cells);
        unlabelled += usize::from(is_unlabelled);
    }
    match wanted.answer {
        Some(column) if unlabelled == found.len() && unlabelled > 0 => Err(TextDataError::Unlabelled {
            path: path.to_path_buf(),
            column: column.into(),
        }),
        _ => Ok(Found { rows: found, classes }),
    }
}

fn is_text(column: &Type) -> bool {
    use ConvertedType::{BSON, ENUM, JSON, NONE, UTF8};
    let kind = column.get_basic_info().converted_type();
    column.get_physical_type() == Physical::BYTE_ARRAY && matches!(kind, UTF8 | ENUM | JSON | BSON | NONE)
}

fn is_value(column: &Type) -> bool {
    use ConvertedType::{INT_8, INT_16, INT_32, INT_64, NONE, UINT_8, UINT_16, UINT_32, UINT_64};
    use Physical::{BOOLEAN, DOUBLE, FLOAT, INT32, INT64};
    let kind = column.get_basic_info().converted_type();
    // Dates, times and decimals are integers, too.
    let plain = matches!(
        kind,
        NONE | INT_8 | INT_16 | INT_32 | INT_64 | UINT_8 | UINT_16 | UINT_32 | UINT_64
    );
    matches!(
        column.get_physical_type(),
        BOOLEAN | INT32 | INT64 | FLOAT | DOUBLE
    ) && plain
}

/// The names of the classes of a column, which Hugging Face's `datasets` leaves in the metadata.
fn class_names(metadata: &FileMetaData, column: &str) -> Option<Vec<String>> {
    let entries = metadata.key_value_metadata()?;
    let entry = entries.iter().find(|entry| entry.key == "huggingface")?;
    let value: Value = serde_json::from_str(entry.value.as_deref()?).ok()?;
    let feature = &value["info"]["features"][column];
    if feature["_type"] != "ClassLabel" {
        return None;
    }
    let names = feature["names"].as_array()?.iter();
    // As cells are.
    names.map(|name| Some(name.as_str()?.trim().into())).collect()
}

/// What errors name.
struct Table<'a> {
    path: &'a Path,
}

impl Table<'_> {
    fn broken(&self, error: &parquet::errors::ParquetError) -> TextDataError {
        TextDataError::NoParquet {
            path: self.path.to_path_buf(),
            detail: error.to_string(),
        }
    }

    fn malformed(&self, row: usize, detail: &dyn ToString) -> TextDataError {
        TextDataError::Malformed {
            path: self.path.to_path_buf(),
            line: row,
            detail: detail.to_string(),
        }
    }

    /// Adds a column to those that are read.
    fn add(
        &self,
        fields: &mut Vec<TypePtr>,
        schema: &Type,
        name: &str,
        what: &'static str,
        fits: impl Fn(&Type) -> bool,
    ) -> Result<(), TextDataError> {
        let columns = schema.get_fields();
        let column = columns.iter().find(|column| column.name() == name);
        let column = column.ok_or_else(|| TextDataError::NoColumn {
            path: self.path.to_path_buf(),
            line: 0,
            column: name.into(),
            found: columns
                .iter()
                .map(|column| column.name())
                .collect::<Vec<_>>()
                .join(", "),
        })?;
        if !column.is_primitive() || !fits(column) {
            let basic = column.get_basic_info();
            return Err(TextDataError::WrongColumn {
                path: self.path.to_path_buf(),
                column: name.into(),
                found: match column.is_primitive() {
                    true => format!("{} {}", column.get_physical_type(), basic.converted_type()),
                    false => "a list or a group".into(),
                },
                wanted: what,
            });
        }
        if !fields.iter().any(|known| known.name() == name) {
            fields.push(Arc::clone(column));
        }
        Ok(())
    }

    /// The wanted cells of a row as text, and whether it has no label: -1, as in the hub's test files of GLUE.
    fn cells(
        &self,
        row: usize,
        content: &Row,
        wanted: &Wanted<'_>,
        classes: Option<&[String]>,
    ) -> Result<(Cells, bool), TextDataError> {
        let field = |name: &str| {
            let field = content.get_column_iter().find(|(column, _)| *column == name);
            field.map_or(&Field::Null, |(_, field)| field)
        };
        let mut cells = Vec::new();
        for name in &wanted.sentences {
            cells.push(self.text(row, name, field(name), wanted)?);
        }
        let Some(name) = wanted.answer else {
            return Ok(((row, cells), false));
        };
        let text = self.text(row, name, field(name), wanted)?;
        let is_text = matches!(field(name), Field::Str(_) | Field::Bytes(_));
        // Of a number, the name of its class, if it has one.
        let named = classes.filter(|_| !is_text);
        let named = named.and_then(|names| names.get(text.parse::<usize>().ok()?));
        let is_unlabelled = !is_text && text == "-1";
        cells.push(named.cloned().unwrap_or(text));
        Ok(((row, cells), is_unlabelled))
    }

    fn text(
        &self,
        row: usize,
        column: &str,
        field: &Field,
        wanted: &Wanted<'_>,
    ) -> Result<String, TextDataError> {
        Ok(match field {
            Field::Str(text) => text.clone(),
            Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
                Ok(text) => text.into(),
                Err(_) => {
                    return Err(TextDataError::NotUtf8 {
                        path: self.path.to_path_buf(),
                        line: row,
                    });
                }
            },
            Field::Bool(value) => value.to_string(),
            Field::Byte(value) => value.to_string(),
            Field::Short(value) => value.to_string(),
            Field::Int(value) => value.to_string(),
            Field::Long(value) => value.to_string(),
            Field::UByte(value) => value.to_string(),
            Field::UShort(value) => value.to_string(),
            Field::UInt(value) => value.to_string(),
            Field::ULong(value) => value.to_string(),
            Field::Float(value) => value.to_string(),
            Field::Double(value) => value.to_string(),
            Field::Null => wanted.null(self.path, row, column)?,
            // The schema was looked at before.
            _ => {
                return Err(self.malformed(
                    row,
                    &format!("column `{column}` holds something else than it says"),
                ));
            }
        })
    }
}
