//! The plain tar of a layer for those who only look: read from its blob, and nothing made of it in the store.

use std::fs::File;
use std::io::{self, Read, Seek};

use super::Layer;
use crate::error::{Error, Result, failed};

impl Layer {
    /// The plain tar from its beginning, decompressed on the way if need be.
    pub(crate) fn plain_stream(&self) -> Result<Box<dyn Read + Send>> {
        self.store.layer_tar(self.diff_id())
    }

    /// The plain tar as a file without a name, which is gone when it is closed.
    pub(crate) fn plain_file(&self) -> Result<File> {
        let folder = self.store.scratch("look")?.removed_at_once();
        let path = folder.path().join("tar");
        let mut options = File::options();
        let opened = options.read(true).write(true).create_new(true).open(&path);
        let mut file = opened.map_err(failed("create", &path))?;
        let mut plain = self.plain_stream()?;
        let broken = |source| Error::Stream { action: "read a layer", source };
        let mut buffer = vec![0; 256 * 1024];
        loop {
            self.store.go_on()?;
            let count = match plain.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(broken(error)),
            };
            io::Write::write_all(&mut file, &buffer[..count]).map_err(failed("write", &path))?;
        }
        file.rewind().map_err(failed("read", &path))?;
        Ok(file)
    }
}
