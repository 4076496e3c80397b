//! Credentials from files and programs in a temporary folder.

mod explaining;
mod files;
mod helpers;
mod order;
mod saving;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use tempfile::TempDir;

use super::{CredentialKind, CredentialOptions, Credentials, HelperOptions, NamedFile};
use crate::hosts::RegistriesOptions;
use crate::repository::Repository;

/// A folder with everything that a user may have, and the options that point to it.
struct Home {
    folder: TempDir,
    time_limit: Duration,
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), time_limit: Duration::from_secs(600) }
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

    /// A program `docker-credential-NAME`; its script has the action in `$1` and can append to `$LOG`.
    fn helper(self, name: &str, script: &str) -> Self {
        let file = format!("bin/docker-credential-{name}");
        let made = self.with("bin/script", &format!("#!/bin/sh\n{script}\n"));
        // A program that we have open for writing cannot be started, and a child of another test may hold it open. So
        // another process writes it.
        let copied = Command::new("cp").arg(made.path("bin/script")).arg(made.path(&file)).status().unwrap();
        assert!(copied.success());
        fs::set_permissions(made.path(&file), fs::Permissions::from_mode(0o755)).unwrap();
        made
    }

    /// A helper that answers with a user and a password for one server, and with "not found" for others. It writes
    /// down what it was asked.
    fn good_helper(self, name: &str, server: &str, user: &str, password: &str) -> Self {
        let script = format!(
            r#"read -r server
echo "$1 $server" >> "$LOG"
if [ "$server" = "{server}" ]; then
    echo '{{"ServerURL":"{server}","Username":"{user}","Secret":"{password}"}}'
else
    echo "credentials not found in native keychain"
    exit 1
fi"#
        );
        self.helper(name, &script)
    }

    fn options(&self) -> CredentialOptions {
        let text = |path: PathBuf| path.into_os_string();
        CredentialOptions {
            files: ["run/auth.json", "containers/auth.json", ".docker/config.json", ".dockercfg"]
                .map(|name| self.path(name))
                .to_vec(),
            new_file: Some(self.path(".docker/config.json")),
            registries: RegistriesOptions {
                user: Some(self.path("containers")),
                ..RegistriesOptions::default()
            },
            helpers: HelperOptions {
                path: format!("{}:/usr/bin:/bin", self.path("bin").display()).into(),
                environment: vec![("LOG".into(), text(self.path("log")))],
                time_limit: self.time_limit,
            },
            ..CredentialOptions::default()
        }
    }

    fn credentials(&self) -> Credentials {
        Credentials::new(self.options())
    }

    /// With `--authfile`.
    fn with_authfile(&self, name: &str) -> Credentials {
        let only = NamedFile { path: self.path(name), named_by: "--authfile".to_owned() };
        Credentials::new(CredentialOptions { only: Some(only), ..self.options() })
    }

    /// What was asked of helpers.
    fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn without_home(&self, text: &str) -> String {
        text.replace(&*self.folder.path().to_string_lossy(), "~")
    }

    /// What is found for a repository, as text: user and password or token, and its source.
    fn found(&self, credentials: &Credentials, name: &str) -> String {
        let text = match credentials.for_repository(&repository(name)) {
            Ok(Some(found)) => format!("{} from {}", revealed(&found.kind), found.source),
            Ok(None) => "nobody".to_owned(),
            Err(error) => format!("error: {error}"),
        };
        self.without_home(&text)
    }
}

fn revealed(kind: &CredentialKind) -> String {
    match kind {
        CredentialKind::Basic { user, password } => format!("{user}:{}", password.reveal()),
        CredentialKind::Identity(token) => format!("identity {}", token.reveal()),
        CredentialKind::Registry(token) => format!("registry {}", token.reveal()),
    }
}

fn repository(name: &str) -> Repository {
    match name.split_once('/') {
        Some((registry, name)) => Repository { registry: registry.to_owned(), name: name.to_owned() },
        None => Repository::whole(name),
    }
}

/// A file whose `auths` has these keys with these pairs.
fn auths(entries: &[(&str, &str)]) -> String {
    let entries = entries.iter().map(|(key, pair)| {
        let auth = BASE64_STANDARD.encode(pair);
        ((*key).to_owned(), serde_json::json!({ "auth": auth }))
    });
    serde_json::json!({ "auths": entries.collect::<serde_json::Map<_, _>>() }).to_string()
}
