//! The files about registries that count for a user.
//!
//! | what               | where, the first that has something counts                                                   |
//! | ------------------ | --------------------------------------------------------------------------------------------- |
//! | credentials        | `DOCKER_AUTH_CONFIG`; `REGISTRY_AUTH_FILE`, else `$XDG_RUNTIME_DIR/containers/auth.json` (or `/run/containers/UID/`), `$XDG_CONFIG_HOME/containers/auth.json`, `$DOCKER_CONFIG/config.json`, `~/.dockercfg` |
//! | registries.conf    | `CONTAINERS_REGISTRIES_CONF`, else that of the user, else that of the system                     |
//! | certs.d            | of podman, docker and containerd, first below the user's folders, then below `/etc`              |

use std::path::PathBuf;

use tug_registry_client::Secret;
use tug_registry_client::credentials::{CredentialOptions, HelperOptions, InlineAuth, NamedFile};
use tug_registry_client::hosts::RegistriesOptions;
use tug_registry_client::tls::TlsOptions;

use crate::environment::{self, Environment};

/// Where credentials are.
pub(super) fn credentials(environment: &Environment) -> CredentialOptions {
    let inline = environment.text(environment::DOCKER_AUTH_CONFIG).map(|text| InlineAuth {
        variable: environment::DOCKER_AUTH_CONFIG.to_owned(),
        text: Secret::new(text),
    });
    let only = environment
        .path(environment::REGISTRY_AUTH_FILE)
        .map(|path| NamedFile { path, named_by: environment::REGISTRY_AUTH_FILE.to_owned() });
    let config = |folder: PathBuf| folder.join("config.json");
    let named = environment.path(environment::DOCKER_CONFIG).map(config);
    let docker = named.clone().or_else(|| in_home(environment, ".docker").map(config));
    let of_podman = [Some(runtime_folder(environment)), config_home(environment)];
    let mut files: Vec<PathBuf> =
        of_podman.into_iter().flatten().map(|folder| folder.join("auth.json")).collect();
    files.extend(docker.clone());
    files.extend(in_home(environment, ".dockercfg"));
    CredentialOptions {
        given: Vec::new(),
        inline,
        only,
        files,
        named_files: named.into_iter().collect(),
        new_file: docker,
        registries: registries(environment),
        helpers: HelperOptions {
            path: environment.named(environment::PATH).unwrap_or_default().to_owned(),
            environment: environment.all().map(|(name, value)| (name.clone(), value.clone())).collect(),
            ..HelperOptions::default()
        },
    }
}

/// Where registries.conf is.
pub(super) fn registries(environment: &Environment) -> RegistriesOptions {
    let name = environment::CONTAINERS_REGISTRIES_CONF;
    RegistriesOptions {
        only: environment.path(name).map(|path| (path, name.to_owned())),
        user: config_home(environment),
        system: ["/usr/share/containers", "/etc/containers"].map(PathBuf::from).to_vec(),
    }
}

/// The folders with a folder for each host.
pub(super) fn certs_folders(environment: &Environment) -> Vec<PathBuf> {
    let of_user =
        [config_home(environment), in_config(environment, "docker"), in_home(environment, ".docker")];
    let of_system = ["/etc/containers", "/etc/docker", "/etc/containerd"].map(PathBuf::from);
    of_user.into_iter().flatten().chain(of_system).map(|folder| folder.join("certs.d")).collect()
}

/// The certificates that hold for every host.
pub(super) fn tls(environment: &Environment) -> TlsOptions {
    let folders = environment.named(environment::SSL_CERT_DIR).unwrap_or_default();
    TlsOptions {
        files: environment.path(environment::SSL_CERT_FILE).into_iter().collect(),
        folders: std::env::split_paths(folders).filter(|folder| folder.is_absolute()).collect(),
        ..TlsOptions::default()
    }
}

/// Where podman keeps what shall not survive a restart.
fn runtime_folder(environment: &Environment) -> PathBuf {
    let own = environment.path(environment::XDG_RUNTIME_DIR).filter(|path| path.is_absolute());
    match own {
        Some(folder) => folder.join("containers"),
        None => format!("/run/containers/{}", rustix::process::getuid().as_raw()).into(),
    }
}

/// The user's folder of podman and its kin.
fn config_home(environment: &Environment) -> Option<PathBuf> {
    in_config(environment, "containers")
}

fn in_config(environment: &Environment, name: &str) -> Option<PathBuf> {
    let own = environment.path(environment::XDG_CONFIG_HOME).filter(|path| path.is_absolute());
    Some(own.or_else(|| in_home(environment, ".config"))?.join(name))
}

fn in_home(environment: &Environment, name: &str) -> Option<PathBuf> {
    Some(environment.path(environment::HOME).filter(|path| path.is_absolute())?.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(environment: &Environment) -> Vec<String> {
        credentials(environment).files.iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn files_lie_where_podman_and_docker_put_them() {
        let environment: Environment = [("HOME", "/home/u"), ("XDG_RUNTIME_DIR", "/run/user/1")].into();
        let docker = "/home/u/.docker/config.json";
        assert_eq!(
            files(&environment),
            [
                "/run/user/1/containers/auth.json",
                "/home/u/.config/containers/auth.json",
                docker,
                "/home/u/.dockercfg"
            ]
        );
        assert_eq!(credentials(&environment).new_file, Some(docker.into()));
        assert_eq!(registries(&environment).user, Some("/home/u/.config/containers".into()));
        let folders: Vec<String> =
            certs_folders(&environment).iter().map(|folder| folder.display().to_string()).collect();
        assert_eq!(
            folders,
            [
                "/home/u/.config/containers/certs.d",
                "/home/u/.config/docker/certs.d",
                "/home/u/.docker/certs.d",
                "/etc/containers/certs.d",
                "/etc/docker/certs.d",
                "/etc/containerd/certs.d",
            ]
        );
    }

    #[test]
    fn variables_move_them() {
        let environment: Environment = [
            ("HOME", "/home/u"),
            ("XDG_RUNTIME_DIR", "/run/user/1"),
            ("XDG_CONFIG_HOME", "/conf"),
            ("DOCKER_CONFIG", "/docker"),
            ("CONTAINERS_REGISTRIES_CONF", "/r.conf"),
            ("SSL_CERT_FILE", "/ca.pem"),
            ("SSL_CERT_DIR", "/a:/b:"),
        ]
        .into();
        assert_eq!(
            files(&environment),
            [
                "/run/user/1/containers/auth.json",
                "/conf/containers/auth.json",
                "/docker/config.json",
                "/home/u/.dockercfg"
            ]
        );
        assert_eq!(credentials(&environment).named_files, [PathBuf::from("/docker/config.json")]);
        let registries = registries(&environment);
        assert_eq!(registries.only, Some(("/r.conf".into(), "CONTAINERS_REGISTRIES_CONF".to_owned())));
        let tls = tls(&environment);
        assert_eq!((tls.files, tls.folders), (vec!["/ca.pem".into()], vec!["/a".into(), "/b".into()]));
    }

    #[test]
    fn nobody_at_home_has_no_files_there() {
        let files = files(&Environment::default());
        let [own] = files.as_slice() else { panic!("{files:?}") };
        assert!(own.starts_with("/run/containers/") && own.ends_with("/auth.json"), "{own}");
        assert_eq!(credentials(&Environment::default()).new_file, None);
    }
}
