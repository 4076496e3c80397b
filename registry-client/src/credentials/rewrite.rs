//! Changing one thing in a file with credentials, and leaving everything else as it is.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::config_error::{ConfigError, Origin};
use crate::document;

/// Changes the object in a file, which is made if it is not there. A lock on its folder keeps two of us apart; who reads
/// meanwhile sees the file before or after. Only its owner can read it then, whoever could before.
pub(super) fn change(
    path: &Path,
    edit: impl FnOnce(&mut Map<String, Value>) -> Result<(), ConfigError>,
) -> Result<(), ConfigError> {
    let failed = |source| ConfigError::Write { path: path.to_owned(), source };
    // A link stays one.
    let real = match fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(failed(error)),
    };
    let folder = match real.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
    let lock = File::open(&folder).map_err(failed)?;
    // Some file systems have no locks; then the last one wins.
    let _ = lock.lock();
    let origin = Origin::File(path.to_owned());
    let text = document::read(&real)?.unwrap_or_default();
    let Value::Object(mut top) = document::json(&text, &origin)? else {
        return Err(ConfigError::Malformed { origin, problem: "the file must be a table".to_owned() });
    };
    edit(&mut top)?;
    replace(&real, &folder, &pretty(&top)).map_err(failed)?;
    // The name of the file must survive a power failure as well.
    lock.sync_all().map_err(failed)
}

/// A table in an object, which is made if it is not there.
pub(super) fn table<'a>(
    top: &'a mut Map<String, Value>,
    name: &str,
    origin: &Origin,
) -> Result<&'a mut Map<String, Value>, ConfigError> {
    let value = top.entry(name).or_insert(Value::Null);
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().ok_or_else(|| ConfigError::Malformed {
        origin: origin.clone(),
        problem: format!("`{name}` must be a table"),
    })
}

fn replace(path: &Path, folder: &Path, text: &[u8]) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.{}", std::process::id()));
    // What a process with our number left when it was killed.
    let _ = fs::remove_file(&temporary);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// With tabs, as docker writes it.
fn pretty(top: &Map<String, Value>) -> Vec<u8> {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    top.serialize(&mut serializer).expect("values of JSON can be written to memory");
    text.push(b'\n');
    text
}
