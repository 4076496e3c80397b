//! Certificates and keys in files of PEM blocks.

use std::io;
use std::path::Path;

use rustls_pki_types::pem::{Error as PemError, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config_error::ConfigError;

/// Bundles of all CAs of the world have 250 kB.
const LIMIT: u64 = 16 << 20;

/// The certificates in a file; there is at least one. Other blocks in it are passed over.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(problem(path, "there is no certificate in PEM form in it")),
        Err(_) => Err(problem(path, "a certificate in it is not in PEM form")),
    }
}

/// The key in a file.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, ConfigError> {
    let text = read(path)?;
    let has = |words: &str| String::from_utf8_lossy(&text).contains(words);
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        _ if has("BEGIN ENCRYPTED PRIVATE KEY") || has("Proc-Type: 4,ENCRYPTED") => {
            problem(path, "the key is encrypted, and nobody can be asked for its passphrase")
        }
        PemError::NoItemsFound => problem(path, "there is no private key in PEM form in it"),
        _ => problem(path, "the key in it is not in PEM form"),
    })
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, ConfigError> {
    use std::io::Read;
    let failed = |source: io::Error| ConfigError::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LIMIT {
        return Err(ConfigError::TooLarge { path: path.to_owned(), limit: LIMIT });
    }
    Ok(bytes)
}

pub(super) fn problem(path: &Path, problem: &str) -> ConfigError {
    ConfigError::Certificate { path: path.to_owned(), problem: problem.to_owned() }
}
