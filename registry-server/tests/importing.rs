//! Taking in what a registry of distribution has on its disk.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use support::{Client, Registry, Request, noise};
use tempfile::TempDir;
use tug_oci::{Digest, media_type};
use tug_registry_server::{Imported, Options, Server, StorageError, import};
use tug_testdata::distribution::Distribution;

/// The tree of distribution, made by hand.
struct Tree(TempDir);

impl Tree {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder can be made"))
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.0.path().join("docker/registry/v2").join(path);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("folders can be made");
        fs::write(path, content).expect("files can be written");
    }

    fn data(&self, digest: &Digest, content: &[u8]) {
        self.write(&format!("blobs/sha256/{}/{}/data", &digest.hex()[..2], digest.hex()), content);
    }

    fn blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        self.data(&digest, bytes);
        self.write(
            &format!("repositories/{repository}/_layers/sha256/{}/link", digest.hex()),
            digest.to_string(),
        );
        digest
    }

    fn manifest(&self, repository: &str, tag: Option<&str>, manifest: &Value) -> Digest {
        let bytes = manifest.to_string();
        let digest = Digest::of(bytes.as_bytes());
        self.data(&digest, bytes.as_bytes());
        let manifests = format!("repositories/{repository}/_manifests");
        self.write(&format!("{manifests}/revisions/sha256/{}/link", digest.hex()), digest.to_string());
        if let Some(tag) = tag {
            self.write(&format!("{manifests}/tags/{tag}/current/link"), digest.to_string());
            self.write(
                &format!("{manifests}/tags/{tag}/index/sha256/{}/link", digest.hex()),
                digest.to_string(),
            );
        }
        digest
    }

    fn image(&self, repository: &str, tag: Option<&str>, layer: &[u8]) -> Value {
        let (config, layer_digest) = (self.blob(repository, b"{}"), self.blob(repository, layer));
        let image = image(&config, &layer_digest, layer.len());
        self.manifest(repository, tag, &image);
        image
    }

    fn import(&self, root: &Path) -> Imported {
        import(root, self.0.path(), &mut |_| {}).expect("what can be imported is")
    }
}

fn image(config: &Digest, layer: &Digest, size: usize) -> Value {
    json!({
        "schemaVersion": 2, "mediaType": media_type::DOCKER_MANIFEST,
        "config": { "mediaType": media_type::DOCKER_CONFIG, "digest": config.to_string(), "size": 2 },
        "layers": [{ "mediaType": media_type::DOCKER_LAYER_GZIP, "digest": layer.to_string(), "size": size }],
    })
}

fn list(images: &[&Value]) -> Value {
    let entries: Vec<Value> = images
        .iter()
        .map(|image| {
            let bytes = image.to_string();
            json!({ "mediaType": media_type::DOCKER_MANIFEST, "size": bytes.len(),
                    "digest": Digest::of(bytes.as_bytes()).to_string() })
        })
        .collect();
    json!({ "schemaVersion": 2, "mediaType": media_type::DOCKER_LIST, "manifests": entries })
}

fn serve(root: &Path, check: impl FnOnce(Client)) {
    let running = Server::start(Options::new(root)).expect("what was imported is a registry");
    check(Client(running.address()));
    running.stop();
}

#[test]
fn repositories_tags_and_blobs_come_over_and_what_is_damaged_is_named() {
    let tree = Tree::new();
    let layer = noise(1, 300_000);
    let one = tree.image("team/app", Some("v1"), &layer);
    // An index that stands before its images in the order of digests or behind, whichever it is.
    let two = tree.image("team/app", None, &noise(2, 1000));
    tree.manifest("team/app", Some("all"), &list(&[&one, &two]));
    tree.image("team/app/blobs", Some("latest"), &layer);
    tree.write("repositories/team/app/_uploads/abc/data", "left over");
    tree.write("repositories/team/app/_manifests/revisions/sha256/deleted/other", "");

    let root = tempfile::tempdir().unwrap();
    let imported = tree.import(root.path());
    assert_eq!(imported.problems, Vec::<String>::new());
    assert_eq!((imported.repositories, imported.manifests, imported.tags), (2, 4, 3));
    assert_eq!((imported.blobs, imported.bytes), (3, 300_000 + 1000 + 2), "a shared blob is copied once");
    let again = tree.import(root.path());
    assert_eq!((again.blobs, again.manifests), (0, 4), "what is there is not copied again");

    serve(root.path(), |client| {
        let got = client.get("/v2/team/app/manifests/v1");
        assert_eq!((got.status, got.text()), (200, one.to_string()));
        assert_eq!(got.header("content-type"), Some(media_type::DOCKER_MANIFEST));
        let all = client.get("/v2/team/app/manifests/all");
        assert_eq!(all.header("content-type"), Some(media_type::DOCKER_LIST));
        for repository in ["team/app", "team/app/blobs"] {
            let blob = client.get(format!("/v2/{repository}/blobs/{}", Digest::of(&layer)));
            assert_eq!(blob.body, layer);
        }
        let other = client.head(format!("/v2/team/app/blobs/blobs/{}", Digest::of(&noise(2, 1000))));
        assert_eq!(other.status, 404, "blobs belong to their repositories");
    });
}

#[test]
fn what_is_damaged_is_left_out_and_named_and_the_rest_is_taken() {
    let tree = Tree::new();
    tree.image("app", Some("good"), &noise(1, 1000));
    let flipped = Digest::of(&noise(2, 1000));
    let broken = tree.image("app", Some("broken"), &noise(2, 1000));
    tree.data(&flipped, &noise(3, 1000));
    let lost = tree.manifest("app", Some("lost"), &list(&[]));
    tree.write(&format!("repositories/app/_manifests/revisions/sha256/{}/link", lost.hex()), "");
    let old = tree.manifest("app", None, &json!({ "schemaVersion": 1, "name": "app" }));
    tree.write("repositories/Upper/_layers/x", "");

    let root = tempfile::tempdir().unwrap();
    let mut problems = tree.import(root.path()).problems.join("\n");
    problems = problems.replace(&*tree.0.path().to_string_lossy(), "TREE");
    for (what, expected) in [
        ("blob", format!("{}/data` is damaged: its content has another digest", flipped.hex())),
        ("link", format!("{}/link` is damaged: it holds no digest", lost.hex())),
        ("tag", format!("the tag `app:lost` leads to {lost}, which the repository does not have")),
        ("old", format!("the manifest `app@{old}` cannot be taken: its schema version is 1")),
        (
            "broken",
            format!(
                "`app@{}`: the manifest names what is not in the repository: {flipped}",
                Digest::of(broken.to_string().as_bytes())
            ),
        ),
        ("name", "`Upper` is not the name of a repository".to_owned()),
    ] {
        assert!(problems.contains(&expected), "{what}: {problems}");
    }
    serve(root.path(), |client| {
        assert_eq!(client.get("/v2/app/manifests/good").status, 200);
        assert_eq!(client.get("/v2/app/manifests/broken").text(), broken.to_string(), "as it was there");
        assert_eq!(client.head(format!("/v2/app/blobs/{flipped}")).status, 404);
    });
}

#[test]
fn a_folder_that_is_no_tree_is_refused() {
    let (root, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let refused = import(root.path(), folder.path(), &mut |_| {});
    assert!(matches!(refused, Err(StorageError::NotATree { .. })), "{refused:?}");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "nothing was made");
}

/// It takes no whole blob with the POST.
fn push_blob(client: Client, repository: &str, bytes: &[u8]) -> Digest {
    let digest = Digest::of(bytes);
    let put = Request::new("PUT", client.begin(repository)).query("digest", &digest);
    assert_eq!(client.send(&put.body(bytes)).status, 201);
    digest
}

#[test]
#[ignore = "needs distribution"]
fn what_docker_registry_has_stored_is_served_as_it_was_needs_distribution() {
    let folder = tempfile::tempdir().unwrap();
    let distribution = Distribution::start(folder.path(), "");
    let client = Client(distribution.address().parse().unwrap());
    let layer = noise(1, 2_000_000);
    let mut images = Vec::new();
    for number in 0..2 {
        let config = push_blob(client, "team/app", format!("{{\"author\":\"{number}\"}}").as_bytes());
        let image = image(&config, &push_blob(client, "team/app", &layer), layer.len());
        let digest = Digest::of(image.to_string().as_bytes()).to_string();
        assert_eq!(client.push_manifest("team/app", &digest, &image).status, 201);
        images.push(image);
    }
    assert_eq!(client.push_manifest("team/app", "latest", &list(&[&images[0], &images[1]])).status, 201);
    // It would make another manifest of a list for clients that do not ask for lists.
    let get = Request::new("GET", "/v2/team/app/manifests/latest").header("accept", media_type::DOCKER_LIST);
    let pulled = client.send(&get);
    assert_eq!(pulled.status, 200);
    drop(distribution);

    let root = tempfile::tempdir().unwrap();
    let imported = import(root.path(), &folder.path().join("data"), &mut |_| {}).unwrap();
    assert_eq!(imported.problems, Vec::<String>::new());
    assert_eq!((imported.repositories, imported.manifests, imported.tags, imported.blobs), (1, 3, 1, 3));
    serve(root.path(), |client| {
        let again = client.get("/v2/team/app/manifests/latest");
        assert_eq!(again.body, pulled.body);
        assert_eq!(again.header("docker-content-digest"), pulled.header("docker-content-digest"));
        assert_eq!(client.get(format!("/v2/team/app/blobs/{}", Digest::of(&layer))).body, layer);
    });
}

#[test]
#[ignore = "needs skopeo"]
fn a_repository_is_read_in_place_by_skopeo_needs_skopeo() {
    let registry = Registry::start();
    let config = registry.client.push_blob("team/blobs", b"{\"architecture\":\"amd64\",\"os\":\"linux\"}");
    let image = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "layers": [],
        "config": { "mediaType": media_type::OCI_CONFIG, "digest": config.to_string(), "size": 37 },
    });
    assert_eq!(registry.client.push_manifest("team/blobs", "v1", &image).status, 201);
    registry.running.stop();
    let layout = format!("oci:{}:v1", registry.root.path().join("team/_blobs").display());
    let inspected = Command::new("skopeo").args(["inspect", "--raw", &layout]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&inspected.stdout).trim_end(), image.to_string(), "{inspected:?}");
    let copy = registry.root.path().join("copy");
    let copied = Command::new("skopeo")
        .args(["--insecure-policy", "copy", &layout, &format!("dir:{}", copy.display())])
        .output()
        .unwrap();
    assert!(copied.status.success(), "{copied:?}");
    assert!(copy.join(config.hex()).is_file());
}
