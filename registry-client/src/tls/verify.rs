//! The two decisions that rustls leaves to us: to take any certificate, and which of ours to show.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

/// Takes any certificate, if who shows it has its key.
#[derive(Debug)]
pub(super) struct AcceptAll {
    provider: Arc<CryptoProvider>,
}

impl AcceptAll {
    pub(super) fn new(provider: Arc<CryptoProvider>) -> Self {
        Self { provider }
    }
}

impl ServerCertVerifier for AcceptAll {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Shows the first certificate that comes from a CA the server names, else the first that it can read.
#[derive(Debug)]
pub(super) struct Clients {
    keys: Vec<Arc<CertifiedKey>>,
    had_none: Arc<AtomicBool>,
}

impl Clients {
    /// `had_none` is set once a server has asked and there was nothing to show.
    pub(super) fn new(keys: Vec<Arc<CertifiedKey>>, had_none: Arc<AtomicBool>) -> Self {
        Self { keys, had_none }
    }
}

impl ResolvesClientCert for Clients {
    fn resolve(&self, wanted: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        // The name of the CA stands in the certificate, byte for byte as the server sends it.
        let is_from = |key: &CertifiedKey| {
            let names = wanted.iter().filter(|name| !name.is_empty());
            key.cert.iter().any(|certificate| {
                names.clone().any(|name| certificate.windows(name.len()).any(|part| part == *name))
            })
        };
        let usable = || self.keys.iter().filter(|key| key.key.choose_scheme(schemes).is_some());
        let shown = usable().find(|key| is_from(key)).or_else(|| usable().next()).cloned();
        if shown.is_none() {
            self.had_none.store(true, Ordering::Relaxed);
        }
        shown
    }

    fn has_certs(&self) -> bool {
        !self.keys.is_empty()
    }
}
