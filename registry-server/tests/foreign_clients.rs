//! Clients that others have written: what they push they get back, byte for byte.

mod support;

use std::process::Command;

use oci_client::client::{ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client as OciClient, Reference};
use serde_json::{Value, json};
use support::{Client, Registry, noise};
use tempfile::TempDir;
use tug_oci::{Digest, media_type};

/// Names the socket of the docker engine that the tests may use.
const DOCKER_HOST_VARIABLE: &str = "TUG_TEST_DOCKER_HOST";

const REPOSITORY: &str = "team/app";

/// A plain layer without files: the end of a tar.
const LAYER: [u8; 1024] = [0; 1024];

/// Pushes an image that every client can load.
fn push_image(client: Client) -> Value {
    let layer = client.push_blob(REPOSITORY, &LAYER);
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": { "Cmd": ["/none"] },
        "rootfs": { "type": "layers", "diff_ids": [layer.to_string()] },
    });
    let config = config.to_string();
    let config_digest = client.push_blob(REPOSITORY, config.as_bytes());
    let image = json!({
        "schemaVersion": 2, "mediaType": media_type::DOCKER_MANIFEST,
        "config": {
            "mediaType": media_type::DOCKER_CONFIG, "digest": config_digest.to_string(), "size": config.len(),
        },
        "layers": [{
            "mediaType": media_type::DOCKER_LAYER, "digest": layer.to_string(), "size": LAYER.len(),
        }],
    });
    assert_eq!(client.push_manifest(REPOSITORY, "v1", &image).status, 201);
    image
}

/// Whether an image has the config of the one that was pushed, and layers that are there.
fn check(client: Client, repository: &str, tag: &str, pushed: &Value) {
    let manifest = client.get(format!("/v2/{repository}/manifests/{tag}"));
    assert_eq!(manifest.status, 200, "{}", manifest.text());
    let manifest = manifest.json();
    assert_eq!(manifest["config"]["digest"], pushed["config"]["digest"]);
    let layers = manifest["layers"].as_array().expect("an image has layers");
    for blob in layers.iter().chain([&manifest["config"]]) {
        let digest = blob["digest"].as_str().expect("a descriptor has a digest");
        let got = client.get(format!("/v2/{repository}/blobs/{digest}"));
        assert_eq!(Digest::of(&got.body).to_string(), digest);
    }
}

fn must(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("could not start {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oci_client_crate_pushes_and_pulls() {
    // Its TLS wants to know who does the arithmetic, though there is none here.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let registry = Registry::start();
    for use_monolithic_push in [true, false] {
        let client = OciClient::new(ClientConfig {
            protocol: ClientProtocol::Http,
            use_monolithic_push,
            ..ClientConfig::default()
        });
        let image: Reference =
            format!("{}/{REPOSITORY}:v{use_monolithic_push}", registry.client.0).parse().unwrap();
        // More than one of its chunks.
        let layer = noise(1, 1_000_000).repeat(9);
        let layers = [
            ImageLayer::new(layer.clone(), media_type::OCI_LAYER.to_owned(), None),
            ImageLayer::new(noise(2, 10), media_type::OCI_LAYER.to_owned(), None),
        ];
        let config = Config::new(&b"{}"[..], media_type::OCI_CONFIG.to_owned(), None);
        client.push(&image, &layers, config, &RegistryAuth::Anonymous, None).await.expect("it pushes");
        let pulled = client
            .pull(&image, &RegistryAuth::Anonymous, vec![media_type::OCI_LAYER])
            .await
            .expect("it pulls");
        // They come in the order in which they have arrived.
        for bytes in [&layer, &noise(2, 10)] {
            assert!(
                pulled.layers.iter().any(|pulled| pulled.data == *bytes),
                "{} bytes are missing",
                bytes.len()
            );
        }
        let tags =
            client.list_tags(&image, &RegistryAuth::Anonymous, Some(10), None).await.expect("it lists");
        assert!(tags.tags.contains(&format!("v{use_monolithic_push}")));
        let digest = pulled.digest.expect("the registry says it");
        let attached = client.pull_referrers(&image.clone_with_digest(digest), None).await.expect("it asks");
        assert!(attached.manifests.is_empty());
    }
}

#[test]
#[ignore = "needs skopeo"]
fn skopeo_copies_between_repositories_and_registries_needs_skopeo() {
    let (registry, other) = (Registry::start(), Registry::start());
    let pushed = push_image(registry.client);
    let source = format!("docker://{}/{REPOSITORY}:v1", registry.client.0);
    for target in [registry.client, other.client] {
        must(
            Command::new("skopeo")
                .args(["--insecure-policy", "copy", "--preserve-digests", "--src-tls-verify=false"])
                .args([
                    "--dest-tls-verify=false",
                    &source,
                    &format!("docker://{}/copied/blobs:v2", target.0),
                ]),
        );
        check(target, "copied/blobs", "v2", &pushed);
        let copied = target.get("/v2/copied/blobs/manifests/v2");
        assert_eq!(copied.text(), pushed.to_string(), "bytes are never changed");
        let list = format!("docker://{}/copied/blobs", target.0);
        let tags = must(Command::new("skopeo").args(["list-tags", "--tls-verify=false", &list]));
        assert!(tags.contains("\"v2\""), "{tags}");
        let image = format!("{list}:v2");
        must(Command::new("skopeo").args(["delete", "--tls-verify=false", &image]));
        assert_eq!(target.get("/v2/copied/blobs/manifests/v2").status, 404);
    }
}

#[test]
#[ignore = "needs root, podman"]
fn podman_pulls_and_pushes_needs_root_needs_podman() {
    let registry = Registry::start();
    let pushed = push_image(registry.client);
    let folder = TempDir::new().expect("a temporary folder can be made");
    let podman = || {
        let mut command = Command::new("podman");
        command.arg("--root").arg(folder.path().join("root"));
        command.arg("--runroot").arg(folder.path().join("run")).args(["--storage-driver", "vfs"]);
        command
    };
    let image = format!("{}/{REPOSITORY}:v1", registry.client.0);
    let back = format!("{}/from/podman:v2", registry.client.0);
    must(podman().args(["pull", "--quiet", "--tls-verify=false", &image]));
    must(podman().args(["push", "--quiet", "--tls-verify=false", &image, &back]));
    check(registry.client, "from/podman", "v2", &pushed);
}

#[test]
#[ignore = "needs root, buildah"]
fn buildah_pulls_and_pushes_needs_root_needs_buildah() {
    let registry = Registry::start();
    let pushed = push_image(registry.client);
    let folder = TempDir::new().expect("a temporary folder can be made");
    let buildah = || {
        let mut command = Command::new("buildah");
        command.arg("--root").arg(folder.path().join("root"));
        command.arg("--runroot").arg(folder.path().join("run")).args(["--storage-driver", "vfs"]);
        command
    };
    let image = format!("{}/{REPOSITORY}:v1", registry.client.0);
    let back = format!("docker://{}/from/buildah:v2", registry.client.0);
    must(buildah().args(["pull", "--quiet", "--tls-verify=false", &image]));
    must(buildah().args(["push", "--quiet", "--tls-verify=false", &image, &back]));
    check(registry.client, "from/buildah", "v2", &pushed);
}

#[test]
#[ignore = "needs docker"]
fn docker_pulls_and_pushes_needs_docker() {
    let host = std::env::var(DOCKER_HOST_VARIABLE).expect("`./test` starts an engine and says where");
    let docker = |words: &[&str]| must(Command::new("docker").env("DOCKER_HOST", &host).args(words));
    let registry = Registry::start();
    let pushed = push_image(registry.client);
    let image = format!("{}/{REPOSITORY}:v1", registry.client.0);
    let back = format!("{}/from/docker:v2", registry.client.0);
    docker(&["pull", "--quiet", &image]);
    docker(&["tag", &image, &back]);
    docker(&["push", "--quiet", &back]);
    check(registry.client, "from/docker", "v2", &pushed);
    docker(&["rmi", &image, &back]);
    docker(&["pull", "--quiet", &back]);
    docker(&["rmi", &back]);
}
