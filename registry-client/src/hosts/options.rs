//! Where it is written how registries are reached: plain values, filled in by whoever calls.

use std::path::PathBuf;

use crate::config_error::Origin;

/// Everything that decides where a repository is looked for.
#[derive(Clone, Debug, Default)]
pub struct HostOptions {
    /// Where registries.conf is.
    pub registries: RegistriesOptions,
    /// Folders that have a folder for each host, with certificates and `hosts.toml`: `certs.d` of podman, docker and
    /// containerd. The first that has a `hosts.toml` for a host counts; certificates count from all.
    pub certs_folders: Vec<PathBuf>,
    /// A folder of certificates for every registry of this run, instead of those for each host: `--cert-dir`.
    pub cert_folder: Option<PathBuf>,
    /// Mirrors of Docker Hub, as the daemon of docker takes them: `--registry-mirror`. Asked before all others.
    pub hub_mirrors: Vec<HubMirror>,
    /// `--tls-verify`. `Some(false)`: no certificate is checked, and plain http is used where https is not spoken.
    /// `Some(true)`: neither, whatever registries.conf says and on loopback too. `None`: as the files say, and plain http
    /// on loopback only.
    pub tls_verify: Option<bool>,
}

/// A mirror of Docker Hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubMirror {
    /// Its address, `https://mirror.example.com`; without a scheme, https is meant.
    pub address: String,
    /// What named it, for messages.
    pub origin: Origin,
}

/// Where registries.conf is.
#[derive(Clone, Debug, Default)]
pub struct RegistriesOptions {
    /// The one file that counts, if the user named one, and what named it.
    pub only: Option<(PathBuf, String)>,
    /// The user's folder (`~/.config/containers`). If it has a `registries.conf`, the folders of the system are not read.
    pub user: Option<PathBuf>,
    /// Those of the system (`/usr/share/containers`, `/etc/containers`); the later ones win.
    pub system: Vec<PathBuf>,
}
