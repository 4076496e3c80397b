//! Handshakes in memory, with certificates of our own.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use tempfile::TempDir;

use super::{Tls, TlsOptions};
use crate::hosts::{ClientPair, TlsSettings};

struct Ca(CertifiedIssuer<'static, KeyPair>);

/// What a CA has signed: as PEM, certificate and key.
struct Signed {
    certificate: String,
    key: String,
}

impl Ca {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn sign(&self, name: &str) -> Signed {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Signed { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }
}

/// A folder with the files of a test.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn pair(&self, name: &str, signed: &Signed) -> ClientPair {
        ClientPair {
            certificate: self.write(&format!("{name}.cert"), &signed.certificate),
            key: self.write(&format!("{name}.key"), &signed.key),
        }
    }

    /// The message for these settings.
    fn error(&self, settings: &TlsSettings) -> String {
        let error = empty().client_config(settings, Arc::default()).unwrap_err();
        error.to_string().replace(&*self.0.path().to_string_lossy(), "~")
    }
}

/// Nothing but the bundled certificates.
fn empty() -> Tls {
    Tls::new(TlsOptions { system: Vec::new(), files: Vec::new(), folders: Vec::new() })
}

/// A server with a certificate for `registry.test`; with `client_ca`, it wants one from there.
fn server(signed: &Signed, client_ca: Option<&Ca>) -> Arc<ServerConfig> {
    use rustls_pki_types::pem::PemObject;
    let chain = vec![CertificateDer::from_pem_slice(signed.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            roots.add(ca.der()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    Arc::new(builder.with_single_cert(chain, key).unwrap())
}

/// Whether client and server agree; else what the first of them says that does not.
fn handshake(
    tls: &Tls,
    settings: &TlsSettings,
    server: &Arc<ServerConfig>,
    name: &str,
) -> Result<(), String> {
    let config = Arc::new(tls.client_config(settings, Arc::default()).map_err(|error| error.to_string())?);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(config, name).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    while client.is_handshaking() || server.is_handshaking() || client.wants_write() || server.wants_write() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        take(&mut server, &wire)?;
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        take(&mut client, &wire)?;
    }
    Ok(())
}

fn take<S>(
    side: &mut impl std::ops::DerefMut<Target = rustls::ConnectionCommon<S>>,
    mut wire: &[u8],
) -> Result<(), String>
where
    S: rustls::SideData,
{
    while !wire.is_empty() {
        side.read_tls(&mut wire).unwrap();
        side.process_new_packets().map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn trusting(paths: &[PathBuf]) -> TlsSettings {
    TlsSettings { ca_files: paths.to_vec(), ..TlsSettings::default() }
}

#[test]
fn a_server_is_trusted_by_its_ca_and_its_name() {
    let (ca, other, files) = (Ca::new("ca"), Ca::new("other"), Files::new());
    let server = server(&ca.sign("registry.test"), None);
    let (good, bad) = (files.write("ca.crt", &ca.pem()), files.write("other.crt", &other.pem()));
    let with = |settings: &TlsSettings, name| handshake(&empty(), settings, &server, name);
    assert_eq!(with(&trusting(&[bad.clone(), good.clone()]), "registry.test"), Ok(()));
    let refused = with(&trusting(&[good]), "elsewhere.test").unwrap_err();
    assert!(refused.contains("not valid for name"), "{refused}");
    for settings in [trusting(&[]), trusting(&[bad])] {
        let refused = with(&settings, "registry.test").unwrap_err();
        assert!(refused.contains("UnknownIssuer"), "{refused}");
    }
    let any = TlsSettings { skip_verify: true, ..TlsSettings::default() };
    assert_eq!(with(&any, "elsewhere.test"), Ok(()));
}

#[test]
fn certificates_for_every_host_come_from_system_files_and_folders() {
    let (ca, files) = (Ca::new("ca"), Files::new());
    let server = server(&ca.sign("registry.test"), None);
    let none = files.0.path().join("none");
    let with_junk =
        format!("# a comment\n{}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", ca.pem());
    let system = files.write("system.crt", &with_junk);
    files.write("folder/x.0", &ca.pem());
    files.write("folder/README", "nothing");
    let folder = files.0.path().join("folder");
    let options = |system: &[PathBuf], files: &[PathBuf], folders: &[PathBuf]| TlsOptions {
        system: system.to_vec(),
        files: files.to_vec(),
        folders: folders.to_vec(),
    };
    for options in [
        options(&[none.clone(), system.clone()], &[], &[]),
        options(&[], std::slice::from_ref(&system), &[]),
        options(&[], &[], std::slice::from_ref(&folder)),
    ] {
        let shown = format!("{options:?}");
        assert_eq!(
            handshake(&Tls::new(options), &trusting(&[]), &server, "registry.test"),
            Ok(()),
            "{shown}"
        );
    }
    // The first file of the system that is there is the only one.
    let other = files.write("other.crt", &Ca::new("other").pem());
    let tls = Tls::new(options(&[other, system], &[], &[]));
    assert!(handshake(&tls, &trusting(&[]), &server, "registry.test").is_err());
    let error = Tls::new(options(&[], std::slice::from_ref(&none), &[]))
        .client_config(&trusting(&[]), Arc::default());
    assert_eq!(error.unwrap_err().to_string(), format!("cannot read `{}`", none.display()));
    let tls = Tls::new(options(&[], &[], &[none, folder]));
    assert_eq!(handshake(&tls, &trusting(&[]), &server, "registry.test"), Ok(()));
    let text = files.write("text", "no certificate");
    let error = Tls::new(options(&[], std::slice::from_ref(&text), &[]))
        .client_config(&trusting(&[]), Arc::default())
        .unwrap_err();
    assert!(error.to_string().ends_with("there is no certificate in PEM form in it"), "{error}");
}

#[test]
fn the_bundled_certificates_are_always_there() {
    let config = empty().common().unwrap();
    assert_eq!(config.len(), webpki_root_certs::TLS_SERVER_ROOT_CERTS.len());
}

#[test]
fn a_server_that_asks_sees_the_certificate_of_its_ca() {
    let (ca, other, files) = (Ca::new("clients"), Ca::new("other"), Files::new());
    let server = server(&ca.sign("registry.test"), Some(&ca));
    let root = files.write("ca.crt", &ca.pem());
    let mine = files.pair("mine", &ca.sign("me"));
    let foreign = files.pair("foreign", &other.sign("me"));
    let with = |clients: &[ClientPair]| {
        let settings = TlsSettings { clients: clients.to_vec(), ..trusting(std::slice::from_ref(&root)) };
        handshake(&empty(), &settings, &server, "registry.test")
    };
    assert_eq!(with(std::slice::from_ref(&mine)), Ok(()));
    assert_eq!(with(&[foreign.clone(), mine.clone()]), Ok(()));
    assert!(with(&[foreign]).is_err());
    assert!(with(&[]).is_err());
    let both = fs::read_to_string(&mine.key).unwrap() + &fs::read_to_string(&mine.certificate).unwrap();
    let path = files.write("both.pem", &both);
    assert_eq!(with(&[ClientPair { certificate: path.clone(), key: path }]), Ok(()));
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let (ca, files) = (Ca::new("ca"), Files::new());
    let good = files.pair("good", &ca.sign("me"));
    let other = files.pair("other", &ca.sign("me"));
    let ca_file = |name: &str, text: &str| files.error(&trusting(&[files.write(name, text)]));
    assert_eq!(
        ca_file("empty.crt", ""),
        "`~/empty.crt` cannot be used: there is no certificate in PEM form in it"
    );
    assert_eq!(
        ca_file("broken.crt", "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n"),
        "`~/broken.crt` cannot be used: a certificate in it is not in PEM form"
    );
    assert_eq!(
        ca_file("cut.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n"),
        "`~/cut.crt` cannot be used: a certificate in it is not in PEM form"
    );
    assert_eq!(
        ca_file("damaged.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        "`~/damaged.crt` cannot be used: a certificate in it is damaged"
    );
    assert_eq!(files.error(&trusting(&[files.0.path().join("none.crt")])), "cannot read `~/none.crt`");
    let client = |certificate: &PathBuf, key: PathBuf| {
        let pair = ClientPair { certificate: certificate.clone(), key };
        files.error(&TlsSettings { clients: vec![pair], ..TlsSettings::default() })
    };
    assert_eq!(
        client(&good.certificate, other.key),
        "`~/other.key` cannot be used: it is not the key of `~/good.cert`"
    );
    assert_eq!(
        client(&good.certificate, good.certificate.clone()),
        "`~/good.cert` cannot be used: there is no private key in PEM form in it"
    );
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert_eq!(
        client(&good.certificate, files.write("locked.key", locked)),
        "`~/locked.key` cannot be used: the key is encrypted, and nobody can be asked for its passphrase"
    );
    let junk = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    assert_eq!(
        client(&good.certificate, files.write("junk.key", junk)),
        "`~/junk.key` cannot be used: the key is of a kind that TLS does not use"
    );
}
