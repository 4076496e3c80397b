//! Encrypted connections: a certificate and its key from files, read again when they change.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::observer::Observer;
use crate::watched::{Watched, why};

/// The files of encrypted connections, all in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    /// The certificate of the server, and those between it and its root.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Where this is given, only clients are served that have a certificate from one of these.
    pub client_authorities: Option<PathBuf>,
}

/// What new connections are encrypted with.
#[derive(Debug)]
pub(crate) struct Tls(Watched<Arc<ServerConfig>>);

impl Tls {
    /// Reads the files. The error is a sentence that names the file.
    pub(crate) fn open(options: &TlsOptions, observer: Arc<dyn Observer>) -> Result<Self, String> {
        let mut paths = vec![options.certificate.clone(), options.key.clone()];
        paths.extend(options.client_authorities.clone());
        let options = options.clone();
        Watched::new(paths, observer, move || configuration(&options).map(Arc::new)).map(Self)
    }

    /// What the next connection is encrypted with.
    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.current())
    }

    /// Whether the files can be used as they are now.
    pub(crate) fn reload(&self) -> bool {
        self.0.is_good()
    }
}

fn configuration(options: &TlsOptions) -> Result<ServerConfig, String> {
    let certificates = certificates(&options.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&read(&options.key)?)
        .map_err(|_| format!("there is no private key in PEM in `{}`", options.key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match &options.client_authorities {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in self::certificates(path)? {
                roots.add(certificate).map_err(|error| {
                    format!("a certificate in `{}` cannot be used: {error}", path.display())
                })?;
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().map_err(
                    |error| format!("the authorities in `{}` cannot be used: {error}", path.display()),
                )?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut configuration = builder.with_single_cert(certificates, key).map_err(|error| {
        let (certificate, key) = (options.certificate.display(), options.key.display());
        match error {
            rustls::Error::InconsistentKeys(_) => {
                format!("the key in `{key}` is not that of the certificate in `{certificate}`")
            }
            error => {
                format!("the certificate in `{certificate}` and the key in `{key}` cannot be used: {error}")
            }
        }
    })?;
    configuration.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(configuration)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(format!("there is no certificate in PEM in `{}`", path.display())),
        Err(error) => Err(format!("the certificates in `{}` cannot be read: {error}", path.display())),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("could not read `{}`: {}", path.display(), why(&error)))
}
