//! Whom to trust: the certificates of the system, those that came with the program, and those of the user.
//!
//! The bundled ones are there so that the program works in an empty container; the system's, since companies put their
//! own there.

use std::fs;
use std::io::ErrorKind;
use std::sync::{Arc, OnceLock};

use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use super::options::HttpOptions;
use crate::error::Error;

/// Where distributions keep the certificates that they trust, in one file. The first that is there counts.
const SYSTEM: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

type Certificates = Arc<Vec<Certificate<'static>>>;

/// All that are trusted.
pub(super) fn trusted(options: &HttpOptions) -> Result<RootCerts, Error> {
    let common = common();
    if options.roots.is_empty() {
        return Ok(RootCerts::Specific(common));
    }
    let mut all = (*common).clone();
    for path in &options.roots {
        let text =
            fs::read(path).map_err(|source| Error::Io { action: "read", path: path.clone(), source })?;
        all.extend(certificates(&text));
    }
    Ok(RootCerts::Specific(Arc::new(all)))
}

/// Read once.
fn common() -> Certificates {
    static COMMON: OnceLock<Certificates> = OnceLock::new();
    let read = || {
        let bundled = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
        let mut all: Vec<Certificate<'static>> =
            bundled.map(|certificate| Certificate::from_der(certificate.as_ref())).collect();
        for path in SYSTEM {
            match fs::read(path) {
                Ok(text) => {
                    all.extend(certificates(&text));
                    break;
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                // What cannot be read does not count; the bundled ones are still there.
                Err(_) => {}
            }
        }
        Arc::new(all)
    };
    Arc::clone(COMMON.get_or_init(read))
}

/// The certificates in a PEM file. What else is in it is passed over.
fn certificates(text: &[u8]) -> impl Iterator<Item = Certificate<'static>> + '_ {
    parse_pem(text).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    })
}
