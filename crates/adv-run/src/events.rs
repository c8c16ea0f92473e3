//! Scalars as TensorBoard event files.
//!
//! A file is a row of records; a record is a length, its checksum, a protocol buffer message `Event` and its
//! checksum. Only the four fields that scalars need are encoded here, by hand. Each session of a run writes a file
//! of its own; a resumed one begins with a mark that makes TensorBoard forget what earlier files say from that step
//! on. Formats: TensorFlow's `record_writer.h`, `event.proto` and `summary.proto`.
//!
//! ```
//! use adv_run::events::EventWriter;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let mut events = EventWriter::create(folder.path())?;
//! events.scalars(1, &[("train/loss", 2.3), ("clean/accuracy", 0.1)])?;
//! events.sync()?;
//! # Ok(())
//! # }
//! ```

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The beginning of every event file's name; TensorBoard reads the files of a folder in the order of their names.
const PREFIX: &str = "events.out.tfevents.";

/// Why events could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}; check that the folder exists and has space", path.display())]
pub struct EventsError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// The event file of one session.
#[derive(Debug)]
pub struct EventWriter {
    file: File,
    path: PathBuf,
}

impl EventWriter {
    /// Begins the event file of a new run in `folder`.
    ///
    /// # Errors
    /// [`EventsError`] when the folder cannot be read or the file cannot be made.
    pub fn create(folder: &Path) -> Result<Self, EventsError> {
        let now = wall_time();
        // A file of the same second, or of a clock that ran ahead, must still come before this one.
        let newest = newest(folder).map_err(failed("list", folder))?;
        let stamp = newest.map_or(now as u64, |newest| (now as u64).max(newest + 1));
        let path = folder.join(format!("{PREFIX}{stamp:010}.adv"));
        let file = File::create_new(&path).map_err(failed("create", &path))?;
        let mut writer = Self { file, path };
        writer.record(&version_event(now))?;
        Ok(writer)
    }

    /// Begins the file of a run taken up after `step`: TensorBoard drops what earlier files hold of later steps.
    ///
    /// # Errors
    /// [`EventsError`], as for [`create`](Self::create).
    pub fn resume(folder: &Path, step: u64) -> Result<Self, EventsError> {
        let mut writer = Self::create(folder)?;
        // TensorBoard drops the steps from the mark's own step on.
        writer.record(&restart_event(wall_time(), step + 1))?;
        Ok(writer)
    }

    /// Writes scalars `(tag, value)` of one step; a slash in a tag groups charts. They are readable at once.
    ///
    /// # Errors
    /// [`EventsError`] when the file cannot be written.
    pub fn scalars(&mut self, step: u64, scalars: &[(&str, f32)]) -> Result<(), EventsError> {
        self.record(&scalar_event(wall_time(), step, scalars))
    }

    /// Waits until all events are on the disk.
    ///
    /// # Errors
    /// [`EventsError`] when the system refuses.
    pub fn sync(&mut self) -> Result<(), EventsError> {
        self.file.sync_all().map_err(failed("sync", &self.path))
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn record(&mut self, event: &[u8]) -> Result<(), EventsError> {
        // One write, no buffer: a reader sees whole records or, after a crash, one torn record at the end.
        self.file
            .write_all(&frame(event))
            .map_err(failed("write to", &self.path))
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EventsError {
    let path = path.to_path_buf();
    move |source| EventsError { action, path, source }
}

/// Seconds since 1970; a clock set before that counts as 1970.
fn wall_time() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

/// The largest time stamp among the event files of a folder.
fn newest(folder: &Path) -> io::Result<Option<u64>> {
    let mut newest = None;
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let stamp = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX))
            .and_then(|rest| rest.split('.').next());
        newest = newest.max(stamp.and_then(|stamp| stamp.parse().ok()));
    }
    Ok(newest)
}

/// `Event { wall_time = 1, file_version = 3 }`.
fn version_event(time: f64) -> Vec<u8> {
    let mut event = fixed64(1, time);
    event.extend(bytes(3, b"brain.Event:2"));
    event
}

/// `Event { wall_time = 1, step = 2, session_log = 7 { status = 1: START } }`.
fn restart_event(time: f64, step: u64) -> Vec<u8> {
    let mut event = fixed64(1, time);
    event.extend(integer(2, step));
    event.extend(bytes(7, &integer(1, 1)));
    event
}

/// `Event { wall_time = 1, step = 2, summary = 5 { value = 1 { tag = 1, simple_value = 2 } ... } }`.
fn scalar_event(time: f64, step: u64, scalars: &[(&str, f32)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, value) in scalars {
        let mut entry = bytes(1, tag.as_bytes());
        entry.push(2 << 3 | FIXED32);
        entry.extend(value.to_le_bytes());
        summary.extend(bytes(1, &entry));
    }
    let mut event = fixed64(1, time);
    event.extend(integer(2, step));
    event.extend(bytes(5, &summary));
    event
}

/// The wire types of protocol buffers that occur here; field numbers are all below 16, so a key is one byte.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;
const FIXED32: u8 = 5;

fn fixed64(field: u8, value: f64) -> Vec<u8> {
    let mut out = vec![field << 3 | FIXED64];
    out.extend(value.to_le_bytes());
    out
}

fn integer(field: u8, value: u64) -> Vec<u8> {
    let mut out = vec![field << 3 | VARINT];
    varint(&mut out, value);
    out
}

fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | BYTES];
    varint(&mut out, content.len() as u64);
    out.extend(content);
    out
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A record: length, masked checksum of the length, content, masked checksum of the content; little-endian.
fn frame(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(content.len() + 16);
    record.extend(length);
    record.extend(masked_crc(&length).to_le_bytes());
    record.extend(content);
    record.extend(masked_crc(content).to_le_bytes());
    record
}

/// The checksum is masked because records may hold records, and a CRC over data with its CRC is constant.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// CRC-32C (Castagnoli), reflected.
fn crc32c(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |crc, byte| {
        (crc >> 8) ^ CRC_TABLE[((crc ^ u32::from(*byte)) & 0xFF) as usize]
    })
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0x82F6_3B78
            } else {
                crc >> 1
            };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Check value of the CRC catalogue, and the test vectors of RFC 3720, B.4.
    #[test]
    fn crc_matches_published_vectors() {
        let rising: Vec<u8> = (0..32).collect();
        for (data, crc) in [
            (&b"123456789"[..], 0xE306_9283),
            (&[0; 32], 0x8A91_36AA),
            (&[0xFF; 32], 0x62A8_AB43),
            (&rising, 0x46DD_794E),
        ] {
            assert_eq!(crc32c(data), crc, "{data:?}");
        }
    }

    /// Made with the Python package tensorboard 2.21.0: `RecordWriter` over `Event(wall_time=1.5, ...)`.
    #[test]
    fn records_match_tensorboards_own() {
        for (event, record) in [
            (
                version_event(1.5),
                "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c",
            ),
            (
                restart_event(1.5, 300),
                "100000000000000095fbfe1809000000000000f83f10ac023a020801713b788a",
            ),
            (
                scalar_event(1.5, 300, &[("train/loss", 0.25), ("clean", -1.0)]),
                concat!(
                    "2f000000000000006d5d1d5009000000000000f83f10ac022a210a110a0a747261696e2f6c6f737315000080",
                    "3e0a0c0a05636c65616e15000080bf069507b0",
                ),
            ),
        ] {
            let hex: String = frame(&event).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, record);
        }
    }

    fn stamp(name: &Path) -> u64 {
        let name = name.file_name().and_then(|n| n.to_str()).expect("a name");
        name.split('.')
            .nth(3)
            .expect("a stamp")
            .parse()
            .expect("a number")
    }

    #[test]
    fn each_session_has_a_file_and_they_sort_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = EventWriter::create(folder.path()).expect("creates");
        let second = EventWriter::resume(folder.path(), 7).expect("resumes");
        assert!(stamp(second.path()) > stamp(first.path()));
        assert!(second.path() > first.path());
        let nowhere = EventWriter::create(&folder.path().join("missing")).expect_err("no such folder");
        assert!(nowhere.to_string().contains("missing"), "{nowhere}");
    }

    #[test]
    fn every_record_is_whole_on_the_disk_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer = EventWriter::resume(folder.path(), 200).expect("resumes");
        for step in 201..204 {
            writer.scalars(step, &[("train/loss", 0.5)]).expect("writes");
            let file = std::fs::read(writer.path()).expect("reads");
            let mut rest = file.as_slice();
            let mut records = 0;
            while !rest.is_empty() {
                let length = u64::from_le_bytes(rest[..8].try_into().expect("8 bytes")) as usize;
                assert_eq!(frame(&rest[12..12 + length]), rest[..length + 16]);
                rest = &rest[length + 16..];
                records += 1;
            }
            assert_eq!(records, step - 198, "version, restart and one record per step");
        }
    }
}
