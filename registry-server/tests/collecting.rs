//! The collector, beside clients that push: each test is one way in which registries have lost data.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use support::{Answer, Client, Registry, Request, noise};
use tug_oci::{Digest, media_type};
use tug_registry_server::{CollectOptions, Collected, Event, Observer, StorageError, Verdict, collect};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// As if it were two hours later: all that there is is out of its time of grace.
fn later() -> CollectOptions {
    CollectOptions { now: SystemTime::now() + 2 * HOUR, ..CollectOptions::default() }
}

fn untagged() -> CollectOptions {
    CollectOptions { untagged: true, ..later() }
}

fn run(registry: &Registry, options: &CollectOptions) -> (Collected, Vec<Verdict>) {
    let mut verdicts = Vec::new();
    let collected = collect(registry.root.path(), options, &mut |verdict| verdicts.push(verdict));
    (collected.expect("everything can be read"), verdicts)
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::of(bytes).to_string(), "size": bytes.len() })
}

/// An image over `layers`, which may be there or not.
fn image(layers: &[Vec<u8>]) -> Value {
    let layers: Vec<Value> = layers.iter().map(|layer| descriptor(media_type::OCI_LAYER, layer)).collect();
    json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
        "config": descriptor(media_type::OCI_CONFIG, b"{}"), "layers": layers,
    })
}

fn index(manifests: &[&Value]) -> Value {
    let entries: Vec<Value> = manifests
        .iter()
        .map(|manifest| {
            let media_type = manifest["mediaType"].as_str().expect("manifests say what they are");
            descriptor(media_type, manifest.to_string().as_bytes())
        })
        .collect();
    json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries })
}

fn digest_of(manifest: &Value) -> String {
    Digest::of(manifest.to_string().as_bytes()).to_string()
}

fn push_image(registry: &Registry, repository: &str, tag: Option<&str>, layers: &[Vec<u8>]) -> Value {
    registry.client.push_blob(repository, b"{}");
    layers.iter().for_each(|layer| drop(registry.client.push_blob(repository, layer)));
    let image = image(layers);
    push(registry, repository, tag, &image);
    image
}

fn push(registry: &Registry, repository: &str, tag: Option<&str>, manifest: &Value) {
    let digest = digest_of(manifest);
    let answer = registry.client.push_manifest(repository, tag.unwrap_or(&digest), manifest);
    assert_eq!(answer.status, 201, "{}", answer.text());
}

fn pull(client: Client, repository: &str, reference: &str) -> Answer {
    client.get(format!("/v2/{repository}/manifests/{reference}"))
}

/// Whether an image and all that it is made of can be had.
fn pulls(client: Client, repository: &str, reference: &str) -> bool {
    let manifest = pull(client, repository, reference);
    let document = manifest.json();
    let entries = |name: &str| document[name].as_array().cloned().unwrap_or_default();
    manifest.status == 200
        && entries("manifests")
            .iter()
            .all(|child| child["digest"].as_str().is_some_and(|digest| pulls(client, repository, digest)))
        && entries("layers").iter().chain([&document["config"]]).filter(|blob| !blob.is_null()).all(|blob| {
            let digest = blob["digest"].as_str().expect("a descriptor has a digest");
            let got = client.get(format!("/v2/{repository}/blobs/{digest}"));
            got.status == 200 && Digest::of(&got.body).to_string() == digest
        })
}

#[test]
fn what_a_manifest_refers_to_stays_and_the_rest_goes() {
    let registry = Registry::start();
    push_image(&registry, "app", Some("latest"), &[noise(1, 1000)]);
    let garbage = registry.client.push_blob("app", &noise(2, 2000));
    let (collected, verdicts) = run(&registry, &later());
    assert_eq!(collected, Collected { manifests: 0, blobs: 1, uploads: 0, bytes: 2000 });
    assert_eq!(verdicts.len(), 1);
    assert_eq!(verdicts[0].what, format!("blob {garbage}"));
    assert!(pulls(registry.client, "app", "latest"));
    assert_eq!(registry.client.head(format!("/v2/app/blobs/{garbage}")).status, 404);
    assert_eq!(run(&registry, &later()).0, Collected::default(), "a second run finds nothing");
}

#[test]
fn a_dry_run_tells_the_reasons_and_takes_nothing_away() {
    let registry = Registry::start();
    let app = push_image(&registry, "app", Some("latest"), &[noise(1, 1000)]);
    let garbage = registry.client.push_blob("app", &noise(2, 2000));
    let (collected, verdicts) = run(&registry, &CollectOptions { dry_run: true, ..later() });
    assert_eq!(collected, Collected { manifests: 0, blobs: 1, uploads: 0, bytes: 2000 });
    let reasons: BTreeMap<String, (bool, String)> =
        verdicts.into_iter().map(|verdict| (verdict.what, (verdict.stays, verdict.why))).collect();
    let layer = Digest::of(&noise(1, 1000));
    let app = digest_of(&app);
    assert_eq!(reasons[&format!("blob {garbage}")], (false, "no manifest refers to it".to_owned()));
    assert_eq!(reasons[&format!("blob {layer}")], (true, format!("the manifest {app} refers to it")));
    assert_eq!(reasons[&format!("manifest {app}")], (true, "the tag `latest` leads to it".to_owned()));
    assert_eq!(registry.client.head(format!("/v2/app/blobs/{garbage}")).status, 200);

    let (_, verdicts) = run(&registry, &CollectOptions { dry_run: true, ..CollectOptions::default() });
    let young = verdicts.iter().find(|verdict| verdict.what == format!("blob {garbage}"));
    assert!(young.is_some_and(|verdict| verdict.stays && verdict.why.contains("grace")), "{verdicts:?}");
}

/// distribution#3178, #4461: the images of an index have no tags of their own.
#[test]
fn the_images_of_an_index_stay() {
    let registry = Registry::start();
    let images = [
        push_image(&registry, "app", None, &[noise(1, 1000)]),
        push_image(&registry, "app", None, &[noise(2, 1000)]),
    ];
    push(&registry, "app", Some("latest"), &index(&[&images[0], &images[1]]));
    for options in [later(), untagged()] {
        assert_eq!(run(&registry, &options).0, Collected::default());
        assert!(pulls(registry.client, "app", "latest"));
    }
}

#[test]
fn untagged_manifests_go_only_when_asked_for() {
    let registry = Registry::start();
    let old = push_image(&registry, "app", Some("latest"), &[noise(1, 1000)]);
    push_image(&registry, "app", Some("latest"), &[noise(2, 1000)]);
    assert_eq!(run(&registry, &later()).0, Collected::default());
    assert!(pulls(registry.client, "app", &digest_of(&old)));
    let (collected, _) = run(&registry, &untagged());
    assert_eq!((collected.manifests, collected.blobs), (1, 1));
    assert_eq!(pull(registry.client, "app", &digest_of(&old)).status, 404);
    assert!(pulls(registry.client, "app", "latest"));
}

/// A client hears that a blob is there, leaves it out, and pushes the manifest after the collector has begun.
#[test]
fn a_blob_that_somebody_has_asked_for_stays() {
    let registry = Registry::start();
    let (asked, mounted, forgotten) = (noise(1, 1000), noise(2, 1000), noise(3, 1000));
    for blob in [&asked, &mounted, &forgotten] {
        registry.client.push_blob("app", blob);
    }
    // The signs are times of files, and those have steps; what is older than the grace must be so for sure.
    thread::sleep(Duration::from_millis(3100));
    let now = SystemTime::now();
    let options = CollectOptions { grace: Duration::from_secs(1), now, ..CollectOptions::default() };
    assert_eq!(registry.client.head(format!("/v2/app/blobs/{}", Digest::of(&asked))).status, 200);
    let mount = Request::new("POST", "/v2/other/blobs/uploads/").query("mount", Digest::of(&mounted));
    assert_eq!(registry.client.send(&mount.query("from", "app")).status, 201);
    let (collected, verdicts) = run(&registry, &options);
    assert_eq!(collected.blobs, 1, "{verdicts:?}");
    for (blob, status) in [(&asked, 200), (&mounted, 200), (&forgotten, 404)] {
        let head = registry.client.head(format!("/v2/app/blobs/{}", Digest::of(blob)));
        assert_eq!(head.status, status);
    }
}

/// distribution#3743 and others: something still says "it is there", so the client sends nothing.
#[test]
fn what_was_taken_away_can_be_pushed_again() {
    let registry = Registry::start();
    let layer = noise(1, 1000);
    registry.client.push_blob("app", &layer);
    assert_eq!(run(&registry, &later()).0.blobs, 1);
    let mount = Request::new("POST", "/v2/app/blobs/uploads/").query("mount", Digest::of(&layer));
    assert_eq!(registry.client.send(&mount).status, 202, "nobody has it any more");
    let image = image(std::slice::from_ref(&layer));
    registry.client.push_blob("app", b"{}");
    let answer = registry.client.push_manifest("app", "latest", &image);
    assert_eq!((answer.status, &*answer.code()), (404, "MANIFEST_BLOB_UNKNOWN"));
    registry.client.push_blob("app", &layer);
    push(&registry, "app", Some("latest"), &image);
    assert!(pulls(registry.client, "app", "latest"));
}

/// Harbor#15445, #19308: what cannot be read was taken for empty.
#[test]
fn whatever_cannot_be_read_ends_the_run_with_nothing_taken_away() {
    let app = image(&[noise(1, 1000)]);
    let digest = digest_of(&app).replace("sha256:", "");
    let manifest = format!("app/blobs/sha256/{digest}");
    let stranger = "app/_manifests/sha256/what-is-this".to_owned();
    let cases: [(&str, String, Option<&[u8]>); 6] = [
        ("a tag that is empty", "app/_tags/latest".to_owned(), Some(b"")),
        ("a tag that is cut short", "app/_tags/latest".to_owned(), Some(b"sha256:12")),
        ("a manifest that is cut short", manifest.clone(), Some(b"{\"schemaVersion\":2")),
        ("a manifest that is gone", manifest, None),
        ("a record that is gone", format!("app/_manifests/sha256/{digest}"), None),
        ("a file that is not ours", stranger, Some(b"")),
    ];
    for (what, path, content) in cases {
        let registry = Registry::start();
        push_image(&registry, "app", Some("latest"), &[noise(1, 1000)]);
        let garbage = registry.client.push_blob("aaa", &noise(2, 2000));
        let path = registry.root.path().join(path);
        // The blobs are hard links: what is written over one is written over all.
        let _ = fs::remove_file(&path);
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
            // Newer than the view of the tags, which might mend a tag otherwise.
            fs::write(registry.root.path().join("app/index.json"), "{}").unwrap();
        }
        for options in [later(), untagged()] {
            match collect(registry.root.path(), &options, &mut |_| {}) {
                Err(StorageError::Damaged { path: named, .. }) => {
                    assert!(
                        named.starts_with(registry.root.path().join("app")),
                        "{what}: {}",
                        named.display()
                    );
                }
                other => panic!("{what}: {other:?}"),
            }
        }
        assert_eq!(registry.client.head(format!("/v2/aaa/blobs/{garbage}")).status, 200, "{what}");
    }
}

/// zot#2625, #4201: the first copy of a blob held the bytes for all others.
#[test]
fn no_repository_holds_the_bytes_for_another() {
    let registry = Registry::start();
    let layer = noise(1, 1000);
    push_image(&registry, "first", Some("latest"), std::slice::from_ref(&layer));
    push_image(&registry, "second", Some("latest"), std::slice::from_ref(&layer));
    assert_eq!(registry.client.delete("/v2/first/manifests/latest").status, 202);
    let (collected, _) = run(&registry, &untagged());
    assert_eq!(collected, Collected { manifests: 1, blobs: 2, uploads: 0, bytes: 0 });
    assert_eq!(registry.client.head(format!("/v2/first/blobs/{}", Digest::of(&layer))).status, 404);
    assert!(pulls(registry.client, "second", "latest"));
    fs::remove_dir_all(registry.root.path().join("_tug/blobs")).unwrap();
    assert!(pulls(registry.client, "second", "latest"), "not even the content store does");
}

#[test]
fn what_the_last_repository_deletes_is_given_back() {
    let registry = Registry::start();
    let layer = noise(1, 1000);
    let blob = registry.client.push_blob("app", &layer);
    assert_eq!(registry.client.delete(format!("/v2/app/blobs/{blob}")).status, 202);
    assert_eq!(run(&registry, &later()).0.bytes, 1000);
    assert!(!registry.root.path().join("_tug/blobs/sha256").join(blob.hex()).exists());
}

/// zot#2598, Harbor#22302: hundreds of gigabytes of uploads that nobody ended.
#[test]
fn uploads_that_nobody_goes_on_with_are_given_up() {
    let registry = Registry::start();
    let location = registry.client.begin("app");
    assert_eq!(registry.client.send(&Request::new("PATCH", &*location).body(noise(1, 5000))).status, 202);
    assert_eq!(run(&registry, &later()).0.uploads, 0, "two hours are not long");
    assert_eq!(registry.client.get(&*location).status, 204);
    let unfinished = registry.root.path().join("_tug/ingest/left-by-a-crash");
    fs::write(&unfinished, "x").unwrap();
    let options = CollectOptions { now: SystemTime::now() + 25 * HOUR, ..CollectOptions::default() };
    let (collected, _) = run(&registry, &options);
    assert_eq!(collected.uploads, 1);
    assert!(collected.bytes > 5000, "{collected:?}");
    assert!(!unfinished.exists());
    let answer = registry.client.send(&Request::new("PATCH", &*location).body("more"));
    assert_eq!((answer.status, &*answer.code()), (404, "BLOB_UPLOAD_UNKNOWN"));
}

#[test]
fn what_is_attached_stays_with_its_subject_and_goes_with_it() {
    let registry = Registry::start();
    let subject = push_image(&registry, "app", Some("latest"), &[]);
    let mut signature = image(&[noise(1, 100)]);
    signature["subject"] = descriptor(media_type::OCI_MANIFEST, subject.to_string().as_bytes());
    registry.client.push_blob("app", &noise(1, 100));
    push(&registry, "app", None, &signature);
    let list = || -> usize {
        let answer = registry.client.get(format!("/v2/app/referrers/{}", digest_of(&subject)));
        answer.json()["manifests"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(run(&registry, &untagged()).0, Collected::default());
    assert_eq!(list(), 1);
    assert_eq!(registry.client.delete(format!("/v2/app/manifests/{}", digest_of(&subject))).status, 202);
    assert_eq!(run(&registry, &later()).0.manifests, 0, "a subject need not exist");
    assert_eq!(list(), 1);
    assert_eq!(run(&registry, &untagged()).0.manifests, 1);
    assert_eq!(list(), 0);
}

/// zot#4318: every level of an index of indexes was walked once for each way that leads there.
#[test]
fn an_index_of_indexes_is_walked_once() {
    let registry = Registry::start();
    let mut top = push_image(&registry, "app", None, &[]);
    for level in 0..40 {
        let mut above = index(&[&top, &top]);
        above["annotations"] = json!({ "level": level.to_string() });
        push(&registry, "app", None, &above);
        top = above;
    }
    push(&registry, "app", Some("deep"), &top);
    assert_eq!(run(&registry, &untagged()).0, Collected::default());
}

#[test]
fn a_folder_without_a_registry_is_not_made_into_one() {
    let folder = tempfile::tempdir().unwrap();
    let result = collect(&folder.path().join("none"), &later(), &mut |_| {});
    assert!(matches!(result, Err(StorageError::NotARoot { .. })), "{result:?}");
    assert!(!folder.path().join("none").exists());
}

/// Keeps what it hears.
#[derive(Debug)]
struct Ear(Mutex<mpsc::Sender<Event>>);

impl Observer for Ear {
    fn event(&self, event: Event) {
        let _ = self.0.lock().expect("nobody panics with it").send(event);
    }
}

#[test]
fn a_server_collects_by_itself_and_tells() {
    let (sender, heard) = mpsc::channel();
    let registry = Registry::with(|options| {
        let collect = CollectOptions { grace: Duration::ZERO, ..CollectOptions::default() };
        options.collect = Some((Duration::from_millis(50), collect));
        options.observer = Arc::new(Ear(Mutex::new(sender)));
    });
    push_as_a_client(registry.client, "app", "latest", &[noise(1, 1000)]);
    let garbage = registry.client.push_blob("app", &noise(2, 2000));
    let target = format!("/v2/app/blobs/{garbage}");
    let mut blobs = 0;
    for event in &heard {
        let Event::Collected(collected) = event else { continue };
        blobs += collected.blobs;
        // The blob goes before it is told.
        if blobs >= 1 && registry.client.get(&*target).status == 404 {
            break;
        }
    }
    assert!(pulls(registry.client, "app", "latest"));
}

/// How a careful client pushes: it asks before it sends, and looks again when the registry misses something.
fn push_as_a_client(client: Client, repository: &str, tag: &str, layers: &[Vec<u8>]) {
    let config = b"{}".to_vec();
    for _ in 0..50 {
        for blob in layers.iter().chain([&config]) {
            let digest = Digest::of(blob);
            if client.head(format!("/v2/{repository}/blobs/{digest}")).status == 200 {
                continue;
            }
            let post = Request::new("POST", format!("/v2/{repository}/blobs/uploads/"));
            let mounted = client.send(&post.query("mount", &digest));
            if mounted.status == 202 {
                let put = Request::new("PUT", mounted.location()).query("digest", &digest).body(&**blob);
                assert_eq!(client.send(&put).status, 201);
            }
        }
        let answer = client.push_manifest(repository, tag, &image(layers));
        match answer.status {
            201 => return,
            // The time of grace is short here, and the machine may be slow.
            404 => assert_eq!(answer.code(), "MANIFEST_BLOB_UNKNOWN"),
            other => panic!("{other}: {}", answer.text()),
        }
    }
    panic!("`{repository}:{tag}` could not be pushed");
}

/// The time of grace is nothing but what the clock of files needs, so that the collector bites whenever it may.
#[test]
fn a_hundred_pushes_while_the_collector_runs_all_pull() {
    let registry = Registry::with(|options| options.sync = false);
    let client = registry.client;
    let done = AtomicBool::new(false);
    let root: PathBuf = registry.root.path().to_owned();
    let mut runs = thread::scope(|scope| {
        let collector = scope.spawn(|| {
            let mut runs = Collected::default();
            while !done.load(Ordering::SeqCst) {
                let options =
                    CollectOptions { grace: Duration::ZERO, untagged: true, ..CollectOptions::default() };
                let one = collect(&root, &options, &mut |_| {}).expect("everything can be read");
                runs.blobs += one.blobs;
                runs.manifests += one.manifests;
            }
            runs
        });
        let pushers: Vec<_> = (0..5)
            .map(|pusher| {
                scope.spawn(move || {
                    for number in 0..20 {
                        // Some layers are shared by all, some by the images of one client, some are nobody else's.
                        let seed = 1000 * (pusher + 1) + number;
                        let layers = [noise(number % 3, 3000), noise(100 + pusher, 3000), noise(seed, 3000)];
                        let garbage = noise(seed + 500, 3000);
                        client.push_blob(&format!("team{}/app", pusher % 3), &garbage);
                        let tag = format!("v{pusher}-{number}");
                        push_as_a_client(client, &format!("team{}/app", pusher % 3), &tag, &layers);
                    }
                })
            })
            .collect();
        for pusher in pushers {
            pusher.join().expect("every push succeeds");
        }
        done.store(true, Ordering::SeqCst);
        collector.join().expect("the collector never fails")
    });
    // What was left behind is old enough to go, if it has not gone before.
    thread::sleep(Duration::from_millis(2100));
    let options = CollectOptions { grace: Duration::ZERO, untagged: true, ..CollectOptions::default() };
    runs.blobs += run(&registry, &options).0.blobs;
    for pusher in 0..5 {
        for number in 0..20 {
            let repository = format!("team{}/app", pusher % 3);
            assert!(pulls(client, &repository, &format!("v{pusher}-{number}")), "v{pusher}-{number}");
        }
    }
    assert!(runs.blobs > 0, "the collector had nothing to do: {runs:?}");
}
