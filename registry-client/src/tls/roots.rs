//! The certificates that are trusted.

use std::path::Path;

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::{TlsOptions, files};
use crate::config_error::ConfigError;

/// Where distributions keep the certificates that they trust, in one file.
pub(super) const SYSTEM: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Those that hold for every host.
pub(super) fn common(options: &TlsOptions) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    // What is not there or cannot be read does not count; the bundled ones still do.
    if let Some(text) = options.system.iter().find_map(|path| files::read(path).ok()) {
        add_what_is_good(&mut roots, &text);
    }
    for path in &options.files {
        let text = files::read(path)?;
        if add_what_is_good(&mut roots, &text) == 0 {
            return Err(files::problem(path, "there is no certificate in PEM form in it"));
        }
    }
    for folder in &options.folders {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            // It is a list of places to look in.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(source) => return Err(ConfigError::Read { path: folder.clone(), source }),
        };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()) {
            // Such folders have all sorts of files, lists of revoked certificates among them.
            if let Ok(text) = files::read(&path) {
                add_what_is_good(&mut roots, &text);
            }
        }
    }
    Ok(roots)
}

/// Adds the CAs in a file that was named for one registry.
pub(super) fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), ConfigError> {
    for certificate in files::certificates(path)? {
        roots.add(certificate).map_err(|_| files::problem(path, "a certificate in it is damaged"))?;
    }
    Ok(())
}

/// Old bundles have certificates that no longer count as well-formed. How many were good is the result.
fn add_what_is_good(roots: &mut RootCertStore, text: &[u8]) -> usize {
    let certificates = CertificateDer::pem_slice_iter(text).filter_map(Result::ok);
    roots.add_parsable_certificates(certificates).0
}
