//! Whom to trust, and who we are: the settings of TLS, from files.
//!
//! | trusted                                    | what is not right in it      | why                                     |
//! | ------------------------------------------ | ---------------------------- | --------------------------------------- |
//! | the bundled certificates                   | –                            | a static binary in an empty container   |
//! | the first file of the system that is there | passed over                  | companies put their own there           |
//! | files and folders that were named          | an error; a folder's: passed over | the user meant it                  |
//! | the CAs of a registry (certs.d)            | an error with the file       | without it nothing works anyway         |

mod files;
mod roots;
#[cfg(test)]
mod tests;
mod verify;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::{CryptoProvider, ring};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};

use crate::config_error::ConfigError;
use crate::hosts::{ClientPair, TlsSettings};
use verify::{AcceptAll, Clients};

/// Where the certificates are that hold for every registry.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    /// Files that may be there, of which the first counts.
    pub system: Vec<PathBuf>,
    /// Files that must be there: `SSL_CERT_FILE`.
    pub files: Vec<PathBuf>,
    /// Folders whose files all count, if they are there: `SSL_CERT_DIR`.
    pub folders: Vec<PathBuf>,
}

impl Default for TlsOptions {
    /// The usual places of distributions.
    fn default() -> Self {
        Self {
            system: roots::SYSTEM.iter().map(PathBuf::from).collect(),
            files: Vec::new(),
            folders: Vec::new(),
        }
    }
}

/// Settings of TLS for all hosts of a run.
#[derive(Debug)]
pub struct Tls {
    options: TlsOptions,
    provider: Arc<CryptoProvider>,
    common: Mutex<Option<Arc<RootCertStore>>>,
}

impl Tls {
    /// With these files. None is read yet.
    pub fn new(options: TlsOptions) -> Self {
        Self { options, provider: Arc::new(ring::default_provider()), common: Mutex::default() }
    }

    /// The settings for one host. What is offered as the protocol inside (ALPN) is left to the caller.
    ///
    /// `had_no_certificate` is set once a server wants to see a certificate of ours and there is none: with TLS 1.3 it says
    /// no only after we take the connection for good, and what is seen of that may be no more than a connection that ends.
    ///
    /// # Errors
    ///
    /// A file cannot be read, has no certificate or key, or they do not belong together.
    pub fn client_config(
        &self,
        settings: &TlsSettings,
        had_no_certificate: Arc<AtomicBool>,
    ) -> Result<ClientConfig, ConfigError> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .expect("the provider knows the usual versions");
        let builder = match settings.skip_verify {
            true => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AcceptAll::new(Arc::clone(&self.provider)))),
            false => builder.with_root_certificates(self.trusted(settings)?),
        };
        let keys =
            settings.clients.iter().map(|pair| self.key(pair).map(Arc::new)).collect::<Result<_, _>>()?;
        Ok(builder.with_client_cert_resolver(Arc::new(Clients::new(keys, had_no_certificate))))
    }

    fn trusted(&self, settings: &TlsSettings) -> Result<Arc<RootCertStore>, ConfigError> {
        let common = self.common()?;
        if settings.ca_files.is_empty() {
            return Ok(common);
        }
        let mut all = (*common).clone();
        for path in &settings.ca_files {
            roots::add_file(&mut all, path)?;
        }
        Ok(Arc::new(all))
    }

    /// What holds for every host. Read once.
    fn common(&self) -> Result<Arc<RootCertStore>, ConfigError> {
        let mut known = self.common.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(roots) = &*known {
            return Ok(Arc::clone(roots));
        }
        let read = Arc::new(roots::common(&self.options)?);
        *known = Some(Arc::clone(&read));
        Ok(read)
    }

    fn key(&self, pair: &ClientPair) -> Result<CertifiedKey, ConfigError> {
        let chain = files::certificates(&pair.certificate)?;
        let key = files::key(&pair.key)?;
        CertifiedKey::from_der(chain, key, &self.provider).map_err(|error| {
            let problem = match error {
                rustls::Error::InconsistentKeys(_) => {
                    format!("it is not the key of `{}`", pair.certificate.display())
                }
                _ => "the key is of a kind that TLS does not use".to_owned(),
            };
            ConfigError::Certificate { path: pair.key.clone(), problem }
        })
    }
}
