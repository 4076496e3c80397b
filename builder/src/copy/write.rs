//! Writes what a COPY came to as a layer.
//!
//! Only here is content read for good. Its digest must be the one that the key was made of; otherwise the layer would
//! be found later for content that it does not have.

use std::io::{self, Read};
use std::sync::Arc;

use tug_layer_store::{Layer, LayerError, LayerWriter, LayerWriterOptions, NewEntry};

use super::target::{Content, Planned, Target};
use super::{CopyContext, CopyError};
use crate::error::Error;
use crate::files::{Files, Item, changed, is_another_thing};

/// Writes the entries of `target` as a layer.
pub(crate) fn write(context: &CopyContext<'_>, target: Target) -> Result<Layer, CopyError> {
    let mut writer = context.store.layer_writer(&LayerWriterOptions { materialise: context.materialise })?;
    for Planned { mut entry, content } in target.into_entries() {
        if context.cancel.is_cancelled() {
            return Err(CopyError::Failed(Error::Cancelled));
        }
        entry.mtime = entry.mtime.whole_seconds(context.clamp);
        match content {
            Content::None => drop(writer.add(&entry, None)?),
            Content::Bytes(bytes) => drop(writer.add(&entry, Some(&mut bytes.as_slice()))?),
            Content::Member(archive, member) => {
                writer.add(&entry, Some(&mut archive.open(&member)?))?;
            }
            Content::Item(files, item) => add_item(&mut writer, &entry, &files, &item)?,
        }
    }
    Ok(writer.finish()?)
}

fn add_item(
    writer: &mut LayerWriter,
    entry: &NewEntry,
    files: &Arc<dyn Files>,
    item: &Item,
) -> Result<(), Error> {
    let mut content = Watched { reader: files.open(item)?, failure: None };
    let added = writer.add(entry, Some(&mut content));
    if let Some(source) = content.failure {
        if is_another_thing(&source) {
            return Err(changed(&**files, item));
        }
        return Err(Error::Io { action: "read", path: files.shown(&item.path), source });
    }
    match added {
        Ok(digest) if digest.as_ref() == item.digest.get() => Ok(()),
        Ok(_) | Err(tug_layer_store::Error::Layer(LayerError::ContentLength { .. })) => {
            Err(changed(&**files, item))
        }
        Err(error) => Err(error.into()),
    }
}

/// Keeps what went wrong with reading apart from what goes wrong with writing.
struct Watched {
    reader: Box<dyn Read + Send>,
    failure: Option<io::Error>,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer).map_err(|error| {
            let kind = error.kind();
            if kind != io::ErrorKind::Interrupted {
                self.failure = Some(error);
            }
            kind.into()
        })
    }
}
