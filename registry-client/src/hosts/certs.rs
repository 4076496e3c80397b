//! `certs.d`: a folder for each host, with certificates. `*.crt` are CAs, `X.cert` with `X.key` is a certificate to show.
//!
//! A folder that we may not look into is passed over: it is for a daemon of root.
//!
//! Source: docker's "Verify repository client with certificates", containers-certs.d(5). The port counts as it is written.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::containerd::folder_names;
use super::endpoint::{ClientPair, TlsSettings};
use crate::config_error::ConfigError;

/// What all of `roots` have for a host.
pub(super) fn of_host(roots: &[PathBuf], host: &str) -> Result<TlsSettings, ConfigError> {
    let mut all = TlsSettings::default();
    for root in roots {
        for name in folder_names(host) {
            let found = in_folder(&root.join(name), Presence::Optional)?;
            all.ca_files.extend(found.ca_files);
            all.clients.extend(found.clients);
        }
    }
    Ok(all)
}

/// Whether a folder must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Optional,
    Required,
}

/// What one folder has. Other files in it are passed over.
pub(super) fn in_folder(folder: &Path, presence: Presence) -> Result<TlsSettings, ConfigError> {
    let failed = |source| ConfigError::Read { path: folder.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error)
            if presence == Presence::Optional
                && matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied
                ) =>
        {
            return Ok(TlsSettings::default());
        }
        Err(error) => return Err(failed(error)),
    };
    let names: BTreeSet<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(failed)?;
    let mut found = TlsSettings::default();
    for path in &names {
        let partner = |other: &str| {
            let partner = path.with_extension(other);
            match names.contains(&partner) {
                true => Ok(partner),
                false => Err(ConfigError::Certificate {
                    path: path.clone(),
                    problem: format!("its other half `{}` is not there", partner.display()),
                }),
            }
        };
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("crt") => found.ca_files.push(path.clone()),
            Some("cert") => {
                found.clients.push(ClientPair { certificate: path.clone(), key: partner("key")? });
            }
            Some("key") => drop(partner("cert")?),
            _ => {}
        }
    }
    Ok(found)
}
