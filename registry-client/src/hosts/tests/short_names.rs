//! What names without a registry mean.

use tug_oci::{Digest, Reference};

use super::Etc;

fn full(etc: &Etc, text: &str) -> String {
    let reference: Reference = text.parse().unwrap();
    let shown = match etc.hosts().full_name(text, &reference) {
        Ok(found) => match found.origin {
            Some(origin) => format!("{} by {origin}", found.reference),
            None => found.reference.to_string(),
        },
        Err(error) => format!("error: {error}"),
    };
    etc.without_folder(&shown)
}

#[test]
fn without_files_a_name_means_what_docker_takes_it_for() {
    let etc = Etc::new();
    assert_eq!(full(&etc, "app"), "docker.io/library/app:latest");
    assert_eq!(full(&etc, "me/app:1"), "docker.io/me/app:1");
    assert_eq!(full(&etc, "localhost/app"), "localhost/app:latest");
}

#[test]
fn an_alias_gives_the_full_name() {
    let etc = Etc::conf("[aliases]\nfedora = 'registry.fedoraproject.org/fedora'\n'me/app' = 'quay.io/me/app'\ndebian = 'docker.io/library/debian'\n")
        .with("user/registries.conf.d/mine.conf", "[aliases]\nfedora = 'quay.io/fedora/fedora'\n");
    let digest = Digest::of(b"");
    assert_eq!(full(&etc, "fedora:42"), "quay.io/fedora/fedora:42 by `~/user/registries.conf.d/mine.conf`");
    assert_eq!(
        full(&etc, &format!("fedora@{digest}")),
        format!("quay.io/fedora/fedora@{digest} by `~/user/registries.conf.d/mine.conf`")
    );
    assert_eq!(full(&etc, "me/app"), "quay.io/me/app:latest by `~/etc/registries.conf`");
    assert_eq!(full(&etc, "debian"), "docker.io/library/debian:latest");
    assert_eq!(full(&etc, "docker.io/library/fedora"), "docker.io/library/fedora:latest");
    assert_eq!(full(&etc, "ghcr.io/fedora"), "ghcr.io/fedora:latest");
    let etc = etc.with("user/registries.conf.d/z.conf", "[aliases]\nfedora = ''\n");
    assert_eq!(full(&etc, "fedora"), "docker.io/library/fedora:latest");
}

#[test]
fn a_list_of_registries_without_docker_hub_means_its_first() {
    let list = |list: &str| Etc::conf(&format!("unqualified-search-registries = {list}"));
    assert_eq!(full(&list("['quay.io', 'docker.io']"), "app"), "docker.io/library/app:latest");
    assert_eq!(full(&list("[]"), "app"), "docker.io/library/app:latest");
    let etc = list("['registry.example.com:5000', 'quay.io']");
    assert_eq!(full(&etc, "app:1"), "registry.example.com:5000/app:1 by `~/etc/registries.conf`");
    assert_eq!(full(&etc, "me/app:1"), "registry.example.com:5000/me/app:1 by `~/etc/registries.conf`");
}

#[test]
fn an_alias_that_is_no_full_name_is_told() {
    for alias in ["other", "UPPER.io/X", "quay.io/a:tag"] {
        let etc = Etc::conf(&format!("[aliases]\napp = '{alias}'\n"));
        assert_eq!(
            full(&etc, "app"),
            format!(
                "error: `{alias}` is not the full name of a repository (this is about `~/etc/registries.conf`)"
            )
        );
    }
}
