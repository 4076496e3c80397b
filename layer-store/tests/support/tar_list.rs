//! Archives of entries, and as lines of text.

use std::io::Read;

use tug_layer_store::tar::{Limits, TarError, TarReader, TarWriter};
use tug_layer_store::{NewEntry, NewEntryKind};

/// The archive of some entries with their content.
pub(crate) fn write(entries: &[(NewEntry, Vec<u8>)]) -> Vec<u8> {
    let mut writer = TarWriter::new(Vec::new());
    for (entry, content) in entries {
        writer.header(entry).unwrap();
        writer.content(content).unwrap();
        writer.pad().unwrap();
    }
    writer.finish().unwrap()
}

/// One line for each entry, with its content.
pub(crate) fn list(bytes: &[u8]) -> Result<Vec<String>, TarError> {
    let mut reader = TarReader::new(bytes, Limits::default());
    let mut lines = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        let mut content = Vec::new();
        reader.read_to_end(&mut content).map_err(|error| match error.downcast::<TarError>() {
            Ok(error) => error,
            Err(error) => TarError::Read(error),
        })?;
        lines.push(line(&entry, &content));
    }
    reader.finish()?;
    Ok(lines)
}

fn line(entry: &NewEntry, content: &[u8]) -> String {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let path = text(&entry.path);
    match &entry.kind {
        NewEntryKind::Directory => format!("{path}/"),
        NewEntryKind::File { size } if content.len() < 40 => format!("{path} {size} {}", text(content)),
        NewEntryKind::File { size } => format!("{path} {size}"),
        NewEntryKind::Symlink { target } => format!("{path} -> {}", text(target)),
        NewEntryKind::HardLink { target } => format!("{path} = {}", text(target)),
        NewEntryKind::CharDevice { major, minor } => format!("{path} c {major}:{minor}"),
        NewEntryKind::BlockDevice { major, minor } => format!("{path} b {major}:{minor}"),
        NewEntryKind::Fifo => format!("{path} p"),
        other => format!("{path} {other:?}"),
    }
}
