//! Pulling.

use std::sync::Arc;

use tug_layer_store::{Fetcher, Mountable};
use tug_oci::{Descriptor, Digest, Platform};
use tug_testdata::registry_peer::{Answer, Behaviour, End, Peer, Rule};
use tug_transfer::{Error, Event, Layers, PullOptions, Status};

use crate::support::{World, add_image, add_index, layer, name, open, platform, remote, tag, world};

fn files(folder: &std::path::Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn an_image_comes_once_ready_to_run_and_its_name_last() {
    let World { folder: _folder, store, remote, seen, .. } = world();
    let peer = Peer::start(Behaviour::default());
    let layers = [layer("one", 300_000, 1), layer("two", 1_200_000, 2)];
    let made = add_image(&peer, "app", "linux/amd64", &layers);
    tag(&peer, "app", "1", &made.manifest);
    let app = name(&peer, "app:1");
    let options = PullOptions::new(platform());

    let pulled = remote.pull(&store, &app, &options).unwrap();
    assert_eq!((pulled.status, &pulled.target.digest), (Status::New, &made.manifest.digest));
    let image = pulled.image.unwrap();
    assert_eq!(store.lower(image.diff_ids()).unwrap().len(), 2);
    assert_eq!(store.resolve(&app).unwrap().unwrap().digest, made.manifest.digest);
    let bytes: u64 = made.layers.iter().map(|layer| layer.size).sum();
    for layer in &made.layers {
        assert_eq!(peer.sent("GET", &layer.digest.to_string()), layer.size, "each byte once");
        assert_eq!(store.origins(&layer.digest).unwrap(), [format!("{}/app", peer.address())]);
    }
    assert!(bytes > 1_500_000);
    assert_eq!(seen.count(|event| matches!(event, Event::Done { .. })), 2);
    assert_eq!(files(&store.root().join("ingest")), 0);

    let before = peer.exchanges().len();
    let again = remote.pull(&store, &app, &options).unwrap();
    assert_eq!(again.status, Status::UpToDate);
    let asked: Vec<_> = peer.lines().split_off(before);
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].starts_with("HEAD /v2/app/manifests/1"), "{asked:?}");
}

#[test]
fn a_tag_that_moved_brings_only_what_is_new() {
    let World { folder: _folder, store, remote, seen, .. } = world();
    let peer = Peer::start(Behaviour::default());
    let shared = layer("base", 200_000, 1);
    let first = add_image(&peer, "app", "linux/amd64", std::slice::from_ref(&shared));
    tag(&peer, "app", "1", &first.manifest);
    let (app, options) = (name(&peer, "app:1"), PullOptions::new(platform()));
    remote.pull(&store, &app, &options).unwrap();
    let second = add_image(&peer, "app", "linux/amd64", &[shared, layer("own", 1000, 2)]);
    tag(&peer, "app", "1", &second.manifest);
    let pulled = remote.pull(&store, &app, &options).unwrap();
    assert_eq!((pulled.status, pulled.target.digest), (Status::Newer, second.manifest.digest));
    assert_eq!(peer.asked("GET", &second.layers[0].digest.to_string()).len(), 1);
    assert_eq!(seen.count(|event| matches!(event, Event::Present { .. })), 1);
}

#[test]
fn of_an_index_the_image_for_the_platform_comes_or_all() {
    let World { folder: _folder, store, remote, .. } = world();
    let peer = Peer::start(Behaviour::default());
    let amd = add_image(&peer, "app", "linux/amd64", &[layer("amd", 1000, 1)]);
    let arm = add_image(&peer, "app", "linux/arm64", &[layer("arm", 1000, 2)]);
    let unknown = {
        let mut child = arm.manifest.clone();
        child.platform = Some(Platform { os: "unknown".to_owned(), ..Platform::linux("unknown") });
        child
    };
    let inner = add_index(&peer, "app", vec![amd.manifest.clone(), arm.manifest.clone()]);
    let top = add_index(&peer, "app", vec![unknown, inner]);
    tag(&peer, "app", "1", &top);
    let app = name(&peer, "app:1");

    let pulled = remote.pull(&store, &app, &PullOptions::new(platform())).unwrap();
    assert_eq!(pulled.target.digest, top.digest);
    assert_eq!(pulled.image.unwrap().descriptor.digest, amd.manifest.digest);
    assert!(peer.asked("GET", &arm.layers[0].digest.to_string()).is_empty());

    let wanted: Platform = "linux/s390x".parse().unwrap();
    let error = remote.pull(&store, &app, &PullOptions::new(wanted)).unwrap_err();
    assert!(matches!(&error, Error::NoSuchPlatform { .. }), "{error}");
    assert_eq!(error.hint().unwrap(), "it has images for `linux/amd64`, `linux/arm64`");

    let all = PullOptions { all_platforms: true, ..PullOptions::new(platform()) };
    remote.pull(&store, &app, &all).unwrap();
    assert!(store.has_blob(&arm.layers[0].digest).unwrap());
    assert_eq!(peer.asked("GET", &amd.layers[0].digest.to_string()).len(), 1);
}

#[test]
fn a_download_that_broke_off_goes_on_in_a_later_process() {
    let World { folder, store, remote, .. } = world();
    let peer = Peer::start(Behaviour::default());
    let made = add_image(&peer, "app", "linux/amd64", &[layer("large", 900_000, 1)]);
    tag(&peer, "app", "1", &made.manifest);
    let (app, options) = (name(&peer, "app:1"), PullOptions::new(platform()));
    let blob = made.layers[0].digest.to_string();
    // The first part is cut, and nothing comes afterwards.
    peer.add(Rule::on("GET", &blob).once().cut(100_000, End::Reset));
    peer.add(Rule::on("GET", &blob).answer(Answer::status(503)));
    let error = remote.pull(&store, &app, &options).unwrap_err();
    assert!(matches!(error, Error::Registry { .. }), "{error}");
    assert!(store.resolve(&app).unwrap().is_none(), "half an image has no name");
    assert_eq!(files(&store.root().join("layers")), 0);
    drop((store, remote));

    peer.clear_rules();
    let sent = peer.sent("GET", &blob);
    let (later, (remote, _)) = (open(&folder.path().join("store")), remote_again());
    remote.pull(&later, &app, &options).unwrap();
    let rest = peer.sent("GET", &blob) - sent;
    assert!(rest < made.layers[0].size, "{rest} of {} bytes came again", made.layers[0].size);
    assert!(later.has_blob(&made.layers[0].digest).unwrap());
}

fn remote_again() -> (tug_transfer::Remote, Arc<crate::support::Recording>) {
    remote()
}

#[test]
fn damaged_bytes_are_fetched_once_more_and_then_refused() {
    let World { folder: _folder, store, remote, seen, .. } = world();
    let peer = Peer::start(Behaviour::default());
    let made = add_image(&peer, "app", "linux/amd64", &[layer("large", 600_000, 1)]);
    tag(&peer, "app", "1", &made.manifest);
    let (app, options) = (name(&peer, "app:1"), PullOptions::new(platform()));
    let blob = made.layers[0].digest.to_string();
    peer.add(Rule::on("GET", &blob).corrupt(1000));
    let error = remote.pull(&store, &app, &options).unwrap_err();
    assert!(matches!(&error, Error::Damaged { .. }), "{error}");
    assert_eq!(seen.count(|event| matches!(event, Event::Again { .. })), 1);
    assert!(store.resolve(&app).unwrap().is_none() && !store.has_blob(&made.layers[0].digest).unwrap());
    assert_eq!(files(&store.root().join("ingest")), 0, "nothing of it is kept");

    peer.clear_rules();
    peer.add(Rule::on("GET", &blob).once().corrupt(1000));
    remote.pull(&store, &app, &options).unwrap();
}

#[test]
fn a_layer_that_is_none_ends_the_pull_and_says_why() {
    let World { folder: _folder, store, remote, .. } = world();
    let peer = Peer::start(Behaviour::default());
    let (blob, diff_id) = layer("large", 1000, 1);
    let other = layer("other", 1000, 2).1;
    let made = add_image(&peer, "app", "linux/amd64", &[(blob, other)]);
    tag(&peer, "app", "1", &made.manifest);
    let error = remote.pull(&store, &name(&peer, "app:1"), &PullOptions::new(platform())).unwrap_err();
    assert!(error.to_string().contains(diff_id.short()), "{error}");
    assert!(!store.has_blob(&made.layers[0].digest).unwrap());
}

#[test]
fn two_who_pull_one_image_fetch_it_once() {
    let World { folder, store, .. } = world();
    let peer = Peer::start(Behaviour::default());
    let made = add_image(&peer, "app", "linux/amd64", &[layer("one", 500_000, 1), layer("two", 400_000, 2)]);
    tag(&peer, "app", "1", &made.manifest);
    let (app, options) = (name(&peer, "app:1"), PullOptions::new(platform()));
    let stores = [store, open(&folder.path().join("store"))];
    std::thread::scope(|scope| {
        for store in &stores {
            let (app, options) = (&app, &options);
            scope.spawn(move || remote().0.pull(store, app, options).unwrap());
        }
    });
    for layer in &made.layers {
        assert_eq!(peer.sent("GET", &layer.digest.to_string()), layer.size);
    }
}

#[test]
fn a_lazy_pull_brings_layers_when_somebody_needs_them() {
    let World { folder: _folder, store, remote, .. } = world();
    let peer = Peer::start(Behaviour::default());
    let made = add_image(&peer, "app", "linux/amd64", &[layer("one", 1000, 1), layer("two", 1000, 2)]);
    tag(&peer, "app", "1", &made.manifest);
    let app = name(&peer, "app:1");
    let options = PullOptions { layers: Layers::Lazy, ..PullOptions::new(platform()) };
    let image = remote.pull(&store, &app, &options).unwrap().image.unwrap();
    assert!(peer.asked("GET", &made.layers[0].digest.to_string()).is_empty());
    assert!(peer.asked("GET", &made.config.to_string()).len() == 1);
    let error = store.ensure_layers(image.layers(), Mountable::Now).unwrap_err();
    assert!(error.hint().unwrap().contains("pull the image again"), "{error}");
    let store = store.with_fetcher(Arc::new(remote) as Arc<dyn Fetcher>);
    store.ensure_layers(image.layers(), Mountable::Now).unwrap();
    assert_eq!(store.lower(image.diff_ids()).unwrap().len(), 2);
    drop(peer);
    let gone = Descriptor::new("text/plain", Digest::of(b"gone"), 4);
    store.note_origin(&gone.digest, "127.0.0.1:1/app").unwrap();
    let error = store.ensure_layers([(&image.diff_ids()[0], &gone)], Mountable::Later);
    assert!(error.is_ok(), "the layer is known, so nobody is asked");
}

#[test]
fn what_is_no_image_is_said_to_be_none() {
    let World { folder: _folder, store, remote, .. } = world();
    let peer = Peer::start(Behaviour::default());
    peer.contents(|contents| {
        let repository = contents.repository("chart");
        let config = repository.add_blob(b"{}");
        let text = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":"{config}","size":2}},"layers":[]}}"#
        );
        let digest = repository.add_manifest(tug_oci::media_type::OCI_MANIFEST, text.as_bytes());
        repository.tags.insert("1".to_owned(), digest);
    });
    let error = remote.pull(&store, &name(&peer, "chart:1"), &PullOptions::new(platform())).unwrap_err();
    assert!(error.to_string().contains("application/vnd.cncf.helm.config.v1+json"), "{error}");
    let error = remote.pull(&store, &name(&peer, "chart:2"), &PullOptions::new(platform())).unwrap_err();
    assert!(matches!(error, Error::Registry { .. }), "{error}");
}

#[test]
fn a_pull_that_is_given_up_ends_and_keeps_what_came() {
    let World { folder: _folder, store, remote, .. } = world();
    let peer = Peer::start(Behaviour::default());
    let made = add_image(&peer, "app", "linux/amd64", &[layer("large", 900_000, 1)]);
    tag(&peer, "app", "1", &made.manifest);
    let blob = made.layers[0].digest.to_string();
    peer.add(Rule::on("GET", &blob).hold());
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    let stopping = remote.stopping_when(move || asked.load(std::sync::atomic::Ordering::SeqCst));
    let pulling = std::thread::spawn({
        let (store, app) = (store.clone(), name(&peer, "app:1"));
        move || stopping.pull(&store, &app, &PullOptions::new(platform()))
    });
    peer.wait_until("the layer was not asked for", |exchanges| {
        exchanges.iter().any(|exchange| exchange.is("GET", &blob))
    });
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(matches!(pulling.join().unwrap(), Err(Error::Stopped)));
    peer.release();
    peer.clear_rules();
    remote.pull(&store, &name(&peer, "app:1"), &PullOptions::new(platform())).unwrap();
}
