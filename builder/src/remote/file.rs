//! Downloads: they become blobs of the store.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use tug_fetch::{HttpUrl, Known, Outcome, Sink};
use tug_layer_store::{BlobWriter, Durability, Error as StoreError, Store};
use tug_oci::Digest;

use super::Remotes;
use crate::error::Error;

/// A file that was fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RemoteFile {
    /// Its content, a blob of the store.
    pub digest: Digest,
    pub size: u64,
    /// `Last-Modified`, in seconds since 1970.
    pub modified: Option<i64>,
}

/// What is remembered of an address.
#[derive(Serialize, Deserialize)]
struct Record {
    file: RemoteFile,
    etag: Option<String>,
    last_modified: Option<String>,
}

impl Remotes {
    /// The file at `url` as it is now, which must be `expected` if that is given.
    pub(crate) fn file(&self, url: &HttpUrl, expected: Option<&Digest>) -> Result<RemoteFile, Error> {
        let asked = format!("{}\n{expected:?}", url.identity());
        let known = || self.files.lock().expect("nobody panics while holding it");
        if let Some(file) = known().get(&asked) {
            return Ok(file.clone());
        }
        let file = self.fetch_file(url, expected)?;
        Ok(known().entry(asked).or_insert(file).clone())
    }

    fn fetch_file(&self, url: &HttpUrl, expected: Option<&Digest>) -> Result<RemoteFile, Error> {
        let key = Digest::of(format!("tug download 1\n{}", url.identity()).as_bytes());
        let record = self.store.cache_record(&key)?;
        let record = record.and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok());
        let record = match record {
            Some(record) if self.store.has_blob(&record.file.digest)? => Some(record),
            _ => None,
        };
        if let (Some(record), Some(expected)) = (&record, expected)
            && record.file.digest == *expected
        {
            return Ok(record.file.clone());
        }
        // What is not what was promised may be something else by now.
        let known = record
            .as_ref()
            .filter(|_| expected.is_none())
            .map(|record| Known { etag: record.etag.clone(), last_modified: record.last_modified.clone() });
        let mut download = Download::start(&self.store)?;
        let outcome = self.client.get(url, &known.unwrap_or_default(), &mut download, &self.stop);
        let fetched = match (outcome, record) {
            (Ok(Outcome::Fetched(fetched)), _) => fetched,
            (Ok(Outcome::Unchanged), Some(record)) => return Ok(record.file),
            (Ok(Outcome::Unchanged), None) => {
                return Err(Error::Context(format!(
                    "`{url}` is said to be unchanged, but it was never here"
                )));
            }
            (Err(error), _) => return Err(download.failure.take().map_or_else(|| error.into(), Error::from)),
        };
        let (digest, size) = match expected {
            None => download.writer.finish()?,
            Some(expected) => match download.writer.finish_as(expected) {
                Ok(size) => (expected.clone(), size),
                Err(StoreError::DigestMismatch { expected, actual }) => {
                    return Err(Error::OtherContent { url: url.to_string(), expected, actual });
                }
                Err(error) => return Err(error.into()),
            },
        };
        let file = RemoteFile { digest, size, modified: fetched.modified };
        let Known { etag, last_modified } = fetched.known;
        let record = Record { file, etag, last_modified };
        let bytes = serde_json::to_vec(&record).expect("records have no failing parts");
        self.store.put_cache_record(&key, &bytes)?;
        Ok(record.file)
    }
}

/// A blob in the making.
struct Download<'a> {
    store: &'a Store,
    writer: BlobWriter,
    /// What went wrong with writing.
    failure: Option<StoreError>,
}

impl<'a> Download<'a> {
    fn start(store: &'a Store) -> Result<Self, Error> {
        Ok(Self { store, writer: store.blob_writer(Durability::Synced)?, failure: None })
    }
}

impl Write for Download<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes).map_err(|error| {
            let kind = error.kind();
            if kind != io::ErrorKind::Interrupted {
                self.failure = Some(self.writer.failure(error));
            }
            kind.into()
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Download<'_> {
    fn restart(&mut self) -> io::Result<()> {
        match self.store.blob_writer(Durability::Synced) {
            Ok(writer) => {
                self.writer = writer;
                Ok(())
            }
            Err(error) => {
                self.failure = Some(error);
                Err(io::ErrorKind::Other.into())
            }
        }
    }
}
