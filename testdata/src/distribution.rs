//! Debian's docker-registry on this machine: distribution 2.8, a registry that others have written.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::registry_peer::{Account, Certificate};

/// A registry that runs until it is dropped.
#[derive(Debug)]
pub struct Distribution {
    process: Child,
    address: String,
    data: PathBuf,
}

impl Distribution {
    /// Starts an empty one, without accounts and without TLS, on a free port of 127.0.0.1. It keeps everything in
    /// `folder`. `more` is put at the end of its configuration.
    ///
    /// # Panics
    ///
    /// When there is no `docker-registry`, or it does not start.
    pub fn start(folder: &Path, more: &str) -> Self {
        Self::run(folder, "", more)
    }

    /// Starts one that lets in one user with a password, and is encrypted.
    ///
    /// # Panics
    ///
    /// When there is no `docker-registry` or no `htpasswd`, or it does not start.
    pub fn start_secured(folder: &Path, account: &Account, certificate: &Certificate) -> Self {
        let output = Command::new("htpasswd").args(["-Bbn", &account.0, &account.1]).output();
        let accounts = folder.join("htpasswd");
        fs::write(&accounts, output.expect("htpasswd is here").stdout).expect("a file can be written");
        let (certificate, key) = certificate.write_into(folder);
        let tls = format!(", tls: {{ certificate: '{}', key: '{}' }}", certificate.display(), key.display());
        let access = format!("auth: {{ htpasswd: {{ realm: test, path: '{}' }} }}\n", accounts.display());
        Self::run(folder, &tls, &access)
    }

    fn run(folder: &Path, of_http: &str, more: &str) -> Self {
        let (data, config) = (folder.join("data"), folder.join("config.yml"));
        let text = format!(
            "version: 0.1\nlog: {{ level: info }}\nhttp: {{ addr: '127.0.0.1:0'{of_http} }}\nstorage:\n  \
             filesystem: {{ rootdirectory: '{}' }}\n  delete: {{ enabled: true }}\n{more}",
            data.display()
        );
        fs::write(&config, text).expect("the configuration can be written");
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("docker-registry is here");
        let mut lines = BufReader::new(process.stderr.take().expect("it is a pipe")).lines();
        let mut said = Vec::new();
        let address = loop {
            let Some(Ok(line)) = lines.next() else {
                let _ = process.kill();
                panic!("docker-registry did not start; it said:\n{}", said.join("\n"));
            };
            match line.split_once("listening on ").and_then(|(_, rest)| rest.split(['"', ',', ' ']).next()) {
                Some(address) => break address.to_owned(),
                None => said.push(line),
            }
        };
        // A full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address, data }
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How many uploads into a repository are open. It keeps the folders of those that are not.
    pub fn open_sessions(&self, name: &str) -> usize {
        let folder = self.data.join("docker/registry/v2/repositories").join(name).join("_uploads");
        let all = fs::read_dir(folder).into_iter().flatten().flatten();
        all.filter(|session| session.path().join("startedat").exists()).count()
    }
}

impl Drop for Distribution {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
