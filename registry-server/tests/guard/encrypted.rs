//! Encrypted connections: both versions of HTTP, other certificates without a restart, certificates of clients.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpStream;
use tug_registry_server::{Options, Server, StartError, TlsOptions};

use super::support::Registry;

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Issuer {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key, as PEM.
fn issue(issuer: &Issuer) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["registry.test".to_owned()]).unwrap();
    (params.signed_by(&key, issuer).unwrap().pem(), key.serialize_pem())
}

fn write(folder: &Path, issuer: &Issuer) -> TlsOptions {
    let (certificate, key) = issue(issuer);
    let options = TlsOptions {
        certificate: folder.join("cert.pem"),
        key: folder.join("key.pem"),
        client_authorities: None,
    };
    std::fs::write(&options.certificate, certificate).unwrap();
    std::fs::write(&options.key, key).unwrap();
    options
}

/// What the server says to somebody who trusts `issuer`, and which protocol it chose.
fn ask(
    registry: &Registry,
    issuer: &Issuer,
    protocol: &[u8],
    own: Option<(String, String)>,
) -> Result<(String, Option<Vec<u8>>), String> {
    let mut roots = RootCertStore::empty();
    roots.add(issuer.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    let name = ServerName::try_from("registry.test").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(registry.running.address()).unwrap();
    let mut stream = StreamOwned::new(connection, stream);
    let request: &[u8] = match protocol {
        b"h2" => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        _ => b"GET /v2/ HTTP/1.1\r\nhost: registry.test\r\nconnection: close\r\n\r\n",
    };
    stream.write_all(request).map_err(|error| error.to_string())?;
    let mut answer = vec![0; 9];
    stream.read_exact(&mut answer).map_err(|error| error.to_string())?;
    let chosen = stream.conn.alpn_protocol().map(<[u8]>::to_vec);
    Ok((String::from_utf8_lossy(&answer).into_owned(), chosen))
}

#[test]
fn both_versions_of_http_are_spoken_and_plain_text_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = authority();
    let tls = write(folder.path(), &issuer);
    let registry = Registry::with(|options| options.tls = Some(tls));
    let (answer, chosen) = ask(&registry, &issuer, b"http/1.1", None).unwrap();
    assert_eq!((answer.as_str(), chosen.as_deref()), ("HTTP/1.1 ", Some(&b"http/1.1"[..])));
    let (answer, chosen) = ask(&registry, &issuer, b"h2", None).unwrap();
    // The head of a frame with settings.
    assert_eq!((answer.as_bytes()[3], chosen.as_deref()), (4, Some(&b"h2"[..])));
    let mut plain = TcpStream::connect(registry.running.address()).unwrap();
    plain.write_all(b"GET /v2/ HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
}

#[test]
fn another_certificate_counts_without_a_restart_and_a_bad_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (authority(), authority());
    let tls = write(folder.path(), &first);
    let certificate = tls.certificate.clone();
    let registry = Registry::with(|options| options.tls = Some(tls));
    assert!(ask(&registry, &first, b"http/1.1", None).is_ok());
    assert!(ask(&registry, &second, b"http/1.1", None).is_err());
    write(folder.path(), &second);
    assert!(ask(&registry, &second, b"http/1.1", None).is_ok());
    assert!(ask(&registry, &first, b"http/1.1", None).is_err());
    std::fs::write(certificate, "no certificate").unwrap();
    assert!(ask(&registry, &second, b"http/1.1", None).is_ok(), "the good one stays");
}

#[test]
fn where_clients_must_have_certificates_others_are_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let (issuer, stranger) = (authority(), authority());
    let mut tls = write(folder.path(), &issuer);
    let authorities = folder.path().join("clients.pem");
    std::fs::write(&authorities, issuer.pem()).unwrap();
    tls.client_authorities = Some(authorities);
    let registry = Registry::with(|options| options.tls = Some(tls));
    assert!(ask(&registry, &issuer, b"http/1.1", None).is_err());
    assert!(ask(&registry, &issuer, b"http/1.1", Some(issue(&stranger))).is_err());
    assert!(ask(&registry, &issuer, b"http/1.1", Some(issue(&issuer))).is_ok());
}

#[test]
fn files_that_cannot_be_used_are_named_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let tls = write(folder.path(), &authority());
    let start = |tls: TlsOptions| {
        let options = Options { tls: Some(tls), ..Options::new(folder.path().join("root")) };
        match Server::start(options) {
            Err(StartError::Access(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    let (certificate, key) = (tls.certificate.display(), tls.key.display());
    let swapped = TlsOptions { key: tls.certificate.clone(), ..tls.clone() };
    assert_eq!(start(swapped), format!("there is no private key in PEM in `{certificate}`"));
    let swapped = TlsOptions { certificate: tls.key.clone(), ..tls.clone() };
    assert_eq!(start(swapped), format!("there is no certificate in PEM in `{key}`"));
    let missing = TlsOptions { certificate: folder.path().join("none"), ..tls.clone() };
    assert!(start(missing).starts_with("could not read `"));
    std::fs::write(&tls.key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let expected = format!("the key in `{key}` is not that of the certificate in `{certificate}`");
    assert_eq!(start(tls.clone()), expected);
}

#[test]
fn an_empty_blob_has_its_length_over_http2_too() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = authority();
    let tls = write(folder.path(), &issuer);
    let registry = Registry::with(|options| options.tls = Some(tls));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(issuer.pem().as_bytes()).unwrap()])
        .resolve("registry.test", registry.running.address())
        .no_proxy()
        .build()
        .unwrap();
    let base = format!("https://registry.test:{}/v2/app/blobs/", registry.running.address().port());
    let empty = tug_oci::Digest::of(b"");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pushed = client.post(format!("{base}uploads/?digest={empty}")).send().await.unwrap();
        assert_eq!((pushed.status().as_u16(), pushed.version()), (201, reqwest::Version::HTTP_2));
        for method in [reqwest::Method::HEAD, reqwest::Method::GET] {
            let answer = client.request(method.clone(), format!("{base}{empty}")).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.headers()["content-length"], "0", "{method}");
        }
    });
}
