//! Where repositories are asked for, from files in a temporary folder.

mod addresses;
mod certificates;
mod hosts_toml;
mod registries_conf;
mod short_names;

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::{Endpoint, HostOptions, Hosts, Operation, RegistriesOptions, Schemes};
use crate::repository::Repository;

/// A folder with a configuration.
struct Etc {
    folder: TempDir,
}

impl Etc {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn with(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// With a registries.conf of the system.
    fn conf(text: &str) -> Self {
        Self::new().with("etc/registries.conf", text)
    }

    fn options(&self) -> HostOptions {
        HostOptions {
            registries: RegistriesOptions {
                only: None,
                user: Some(self.path("user")),
                system: vec![self.path("usr"), self.path("etc")],
            },
            certs_folders: vec![self.path("user/certs.d"), self.path("etc/certs.d")],
            ..HostOptions::default()
        }
    }

    fn hosts(&self) -> Hosts {
        Hosts::new(self.options())
    }

    fn without_folder(&self, text: &str) -> String {
        text.replace(&*self.folder.path().to_string_lossy(), "~")
    }

    /// What is asked, one line for each place: `mirror https://host/v2 name ns=… …`.
    fn lines(&self, hosts: &Hosts, name: &str, operation: Operation) -> Vec<String> {
        match hosts.endpoints(&repository(name), operation) {
            Ok(endpoints) => endpoints.iter().map(|endpoint| self.without_folder(&line(endpoint))).collect(),
            Err(error) => vec![self.without_folder(&format!("error: {error}"))],
        }
    }

    /// The same with the files as they are now.
    fn places(&self, name: &str, operation: Operation) -> Vec<String> {
        self.lines(&self.hosts(), name, operation)
    }

    /// The one message that comes of it.
    fn error(&self, name: &str) -> String {
        let lines = self.places(name, Operation::PullByTag);
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines[0].clone()
    }
}

fn repository(name: &str) -> Repository {
    let (registry, name) = name.split_once('/').unwrap();
    Repository { registry: registry.to_owned(), name: name.to_owned() }
}

fn line(endpoint: &Endpoint) -> String {
    let mut line = if endpoint.is_mirror { "mirror ".to_owned() } else { String::new() };
    let scheme = match endpoint.schemes {
        Schemes::Https => "https",
        Schemes::HttpsThenHttp => "https|http",
        Schemes::Http => "http",
    };
    line += &format!("{scheme}://{}{} {}", endpoint.address, endpoint.api_path, endpoint.repository);
    if let Some(ns) = &endpoint.ns {
        line += &format!(" ns={ns}");
    }
    if endpoint.tls.skip_verify {
        line += " unverified";
    }
    let own = format!("{}/{}", endpoint.address, endpoint.repository);
    if endpoint.uses_credentials_of.to_string() != own {
        line += &format!(" as {}", endpoint.uses_credentials_of);
    }
    line
}

const TAG: Operation = Operation::PullByTag;
const DIGEST: Operation = Operation::PullByDigest;
const PUSH: Operation = Operation::Push;
