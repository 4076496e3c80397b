//! Encryption: authorities and certificates made for a test.

use std::fmt;
use std::fs;
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::wire::Wire;

/// Somebody who signs certificates, known to nobody but the test.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, both as PEM.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl Certificate {
    /// Writes it and its key into a folder, and gives their paths.
    pub fn write_into(&self, folder: &Path) -> (PathBuf, PathBuf) {
        let (certificate, key) = (folder.join("server.crt"), folder.join("server.key"));
        fs::write(&certificate, &self.certificate).expect("a file can be written");
        fs::write(&key, &self.key).expect("a file can be written");
        (certificate, key)
    }
}

/// How a server is encrypted.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
}

/// When a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Now.
    Now,
    /// It did, long ago.
    Past,
}

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let name = format!("authority {} of a test", MADE.fetch_add(1, Ordering::Relaxed));
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key can be made");
        Self {
            issuer: CertifiedIssuer::self_signed(parameters, key).expect("its own certificate can be signed"),
        }
    }

    /// Its own certificate as PEM: what a client has to trust.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for these names and addresses.
    pub fn certificate(&self, names: &[&str], validity: Validity) -> Certificate {
        let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut parameters = CertificateParams::new(names).expect("they are names");
        if validity == Validity::Past {
            parameters.not_before = rcgen::date_time_ymd(2001, 1, 1);
            parameters.not_after = rcgen::date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().expect("a key can be made");
        let signed = parameters.signed_by(&key, &self.issuer).expect("a certificate can be signed");
        Certificate { certificate: signed.pem(), key: key.serialize_pem() }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Authority")
    }
}

impl Tls {
    /// A server with this certificate. With `clients`, only who has a certificate from there is let in.
    pub fn new(certificate: &Certificate, clients: Option<&Authority>) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the versions are known");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.issuer.der().clone()).expect("it is a certificate");
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.expect("there is a root"))
            }
        };
        let chain = vec![CertificateDer::from(der(&certificate.certificate))];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der(&certificate.key)));
        Self { config: Arc::new(builder.with_single_cert(chain, key).expect("the key fits")) }
    }

    pub(super) fn accept(&self, socket: TcpStream) -> io::Result<Box<dyn Wire>> {
        let connection = ServerConnection::new(Arc::clone(&self.config)).map_err(io::Error::other)?;
        Ok(Box::new(StreamOwned::new(connection, socket)))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tls")
    }
}

impl Wire for StreamOwned<ServerConnection, TcpStream> {
    fn socket(&self) -> &TcpStream {
        &self.sock
    }
}

fn der(pem: &str) -> Vec<u8> {
    use rustls::pki_types::pem::{PemObject, SectionKind};
    let (_, bytes) = <(SectionKind, Vec<u8>)>::from_pem_slice(pem.as_bytes()).expect("it is PEM");
    bytes
}
