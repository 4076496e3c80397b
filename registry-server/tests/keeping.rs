//! That nothing is lost: cut connections, clients that come back early, restarts, damaged files, two at once.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use serde_json::json;
use support::{Answer, Client, Registry, Request, noise};
use tug_oci::{Digest, media_type};
use tug_registry_server::{Event, Observer};

const MANY: usize = 3_000_000;

/// Long enough for any machine; reached only when the test fails.
const AT_MOST: Duration = Duration::from_secs(60);

/// Waits until the upload has `offset` bytes: what a client sends takes a moment to arrive.
fn wait_for_offset(client: Client, location: &str, offset: usize) {
    let expected = format!("0-{}", offset - 1);
    for _ in 0..6000 {
        let answer = client.get(location);
        assert_eq!(answer.status, 204, "the upload is there");
        if answer.header("range") == Some(&*expected) {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("the upload never has {offset} bytes: {:?}", client.get(location).header("range"));
}

fn chunk(location: &str, bytes: &[u8], start: usize) -> Request {
    let range = format!("{start}-{}", bytes.len() - 1);
    Request::new("PATCH", location).header("content-range", range).body(&bytes[start..])
}

fn finish(client: Client, location: &str, digest: &Digest) -> Answer {
    client.send(&Request::new("PUT", location).query("digest", digest))
}

#[test]
fn an_upload_goes_on_where_it_was_cut() {
    let registry = Registry::start();
    let bytes = noise(1, MANY);
    let digest = Digest::of(&bytes);
    let blob = format!("/v2/app/blobs/{digest}");
    for cut in [1, 100_000, MANY / 2, MANY - 1] {
        for request in [
            |location: &str, bytes: &[u8], _: &Digest| Request::new("PATCH", location).body(bytes),
            |location: &str, bytes: &[u8], digest: &Digest| {
                Request::new("PUT", location).query("digest", digest).body(bytes)
            },
        ] {
            let location = registry.client.begin("app");
            registry.client.send_cut(&request(&location, &bytes, &digest), cut);
            wait_for_offset(registry.client, &location, cut);
            assert_eq!(registry.client.head(&*blob).status, 404, "half a blob is never visible");
            assert_eq!(registry.client.send(&chunk(&location, &bytes, cut)).status, 202);
            assert_eq!(finish(registry.client, &location, &digest).status, 201);
            assert_eq!(registry.client.get(&*blob).body, bytes);
            assert_eq!(registry.client.delete(&*blob).status, 202);
        }
    }
}

#[test]
fn the_rest_of_a_cut_upload_may_come_with_the_put() {
    let registry = Registry::start();
    let bytes = noise(1, MANY);
    let digest = Digest::of(&bytes);
    let location = registry.client.begin("app");
    registry.client.send_cut(&Request::new("PATCH", &*location).body(&*bytes), 1_000_000);
    wait_for_offset(registry.client, &location, 1_000_000);
    let put = Request::new("PUT", &*location).query("digest", &digest);
    let put = put.header("content-range", format!("1000000-{}", MANY - 1)).body(&bytes[1_000_000..]);
    assert_eq!(registry.client.send(&put).status, 201);
    assert_eq!(registry.client.get(format!("/v2/app/blobs/{digest}")).body, bytes);
}

/// The connection of the first request is still open: a client can know of a cut long before the server does.
#[test]
fn a_newer_request_takes_over_from_one_that_hangs() {
    let registry = Registry::start();
    let bytes = noise(1, MANY);
    let digest = Digest::of(&bytes);
    let location = registry.client.begin("app");
    let request = Request::new("PATCH", &*location).body(&*bytes);
    let mut hanging = registry.client.send_part(&request, 1_000_000);
    wait_for_offset(registry.client, &location, 1_000_000);
    assert_eq!(registry.client.send(&chunk(&location, &bytes, 1_000_000)).status, 202);
    let _ = hanging.write_all(b"too late");
    assert_eq!(finish(registry.client, &location, &digest).status, 201);
    assert_eq!(registry.client.get(format!("/v2/app/blobs/{digest}")).body, bytes);
}

#[test]
fn a_hanging_upload_can_be_cancelled() {
    let registry = Registry::start();
    let location = registry.client.begin("app");
    let request = Request::new("PATCH", &*location).body(noise(1, MANY));
    let _hanging = registry.client.send_part(&request, 1_000_000);
    wait_for_offset(registry.client, &location, 1_000_000);
    assert_eq!(registry.client.delete(&*location).status, 204);
    assert_eq!(registry.client.get(&*location).status, 404);
    let uploads = fs::read_dir(registry.root.path().join("_tug/uploads")).unwrap();
    assert_eq!(uploads.count(), 0, "its bytes are given back");
}

#[test]
fn an_upload_goes_on_under_the_next_server() {
    let registry = Registry::start();
    let bytes = noise(1, MANY);
    let digest = Digest::of(&bytes);
    let location = registry.client.begin("app");
    let first = Request::new("PATCH", &*location).body(&bytes[..1_000_000]);
    assert_eq!(registry.client.send(&first).status, 202);
    let registry = registry.restart();
    let status = registry.client.get(&*location);
    assert_eq!((status.status, status.header("range")), (204, Some("0-999999")));
    assert_eq!(registry.client.send(&chunk(&location, &bytes, 1_000_000)).status, 202);
    let registry = registry.restart();
    assert_eq!(finish(registry.client, &location, &digest).status, 201);
    assert_eq!(registry.client.get(format!("/v2/app/blobs/{digest}")).body, bytes);
}

#[test]
fn everything_is_there_under_the_next_server() {
    let registry = Registry::start();
    let config = registry.client.push_blob("app", b"{}");
    let image = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "layers": [],
        "config": { "mediaType": media_type::OCI_CONFIG, "digest": config.to_string(), "size": 2 },
        "subject": { "mediaType": media_type::OCI_MANIFEST, "digest": Digest::of(b"x").to_string(), "size": 1 },
    });
    assert_eq!(registry.client.push_manifest("app", "latest", &image).status, 201);
    let answers = |client: Client| {
        [
            "/v2/app/manifests/latest".to_owned(),
            format!("/v2/app/blobs/{config}"),
            format!("/v2/app/referrers/{}", Digest::of(b"x")),
            "/v2/app/tags/list".to_owned(),
            "/v2/_catalog".to_owned(),
        ]
        .map(|target| client.get(target).body)
    };
    let before = answers(registry.client);
    let registry = registry.restart();
    assert_eq!(answers(registry.client), before);
}

/// The answer to a PUT can be lost on its way; the client sends it again.
#[test]
fn an_upload_can_be_ended_twice() {
    let registry = Registry::start();
    let bytes = noise(1, 1000);
    let digest = Digest::of(&bytes);
    let location = registry.client.begin("app");
    let put = Request::new("PUT", &*location).query("digest", &digest).body(&*bytes);
    for _ in 0..2 {
        let answer = registry.client.send(&put);
        assert_eq!(answer.status, 201);
        assert_eq!(answer.location(), format!("/v2/app/blobs/{digest}"));
    }
    let other = Request::new("PUT", &*location).query("digest", Digest::of(b"other"));
    assert_eq!(registry.client.send(&other).code(), "BLOB_UPLOAD_UNKNOWN");
}

#[test]
fn many_clients_with_one_blob_and_one_tag_all_succeed() {
    let registry = Registry::start();
    let client = registry.client;
    let bytes = noise(1, MANY);
    let digests: Vec<String> = thread::scope(|scope| {
        let pushers: Vec<_> = (0..8)
            .map(|pusher| {
                let bytes = &bytes;
                scope.spawn(move || {
                    let layer = client.push_blob("app", bytes);
                    let config = client.push_blob("app", format!("{{\"author\":\"{pusher}\"}}").as_bytes());
                    let image = json!({
                        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
                        "config": { "mediaType": media_type::OCI_CONFIG, "digest": config.to_string() },
                        "layers": [{ "mediaType": media_type::OCI_LAYER, "digest": layer.to_string() }],
                    });
                    let answer = client.push_manifest("app", "latest", &image);
                    assert_eq!(answer.status, 201, "{}", answer.text());
                    answer.header("docker-content-digest").expect("it is always said").to_owned()
                })
            })
            .collect();
        pushers.into_iter().map(|pusher| pusher.join().expect("every push succeeds")).collect()
    });
    assert_eq!(client.get(format!("/v2/app/blobs/{}", Digest::of(&bytes))).body, bytes);
    for digest in &digests {
        assert_eq!(client.get(format!("/v2/app/manifests/{digest}")).status, 200);
    }
    let tagged = client.head("/v2/app/manifests/latest");
    let tagged = tagged.header("docker-content-digest").expect("it is always said");
    assert!(digests.iter().any(|digest| digest == tagged));
}

#[test]
fn a_manifest_that_is_deleted_meanwhile_is_unknown_and_never_damaged() {
    let registry = Registry::with(|options| options.sync = false);
    let client = registry.client;
    let index = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [] });
    let digest = Digest::of(index.to_string().as_bytes());
    let by_digest = format!("/v2/app/manifests/{digest}");
    thread::scope(|scope| {
        let changer = scope.spawn(|| {
            for _ in 0..200 {
                assert_eq!(client.push_manifest("app", "latest", &index).status, 201);
                assert_eq!(client.delete(&*by_digest).status, 202);
            }
        });
        while !changer.is_finished() {
            for target in ["/v2/app/manifests/latest", &*by_digest] {
                let answer = client.get(target);
                assert!(matches!(answer.status, 200 | 404), "{}", answer.text());
            }
        }
    });
}

#[test]
fn a_blob_is_read_to_its_end_though_it_is_deleted() {
    let registry = Registry::start();
    let bytes = noise(1, 1_000_000).repeat(20);
    let digest = registry.client.push_blob("app", &bytes);
    let target = format!("/v2/app/blobs/{digest}");
    let mut stream = TcpStream::connect(registry.client.0).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut first = [0; 1];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(registry.client.delete(&*target).status, 202);
    assert_eq!(registry.client.get(&*target).status, 404);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(&bytes), "{} bytes came", rest.len());
}

/// Keeps what it hears.
#[derive(Debug)]
struct Ear(Mutex<mpsc::Sender<String>>);

impl Observer for Ear {
    fn event(&self, event: Event) {
        if let Event::Problem { what } = event {
            let _ = self.0.lock().expect("nobody panics with it").send(what);
        }
    }
}

/// A registry with a tagged image, whose server is stopped, and the digest of the image.
fn pushed() -> (Registry, String) {
    let registry = Registry::start();
    let config = registry.client.push_blob("app", b"{}");
    let image = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "layers": [],
        "config": { "mediaType": media_type::OCI_CONFIG, "digest": config.to_string(), "size": 2 },
        "subject": { "mediaType": media_type::OCI_MANIFEST, "digest": Digest::of(b"x").to_string(), "size": 1 },
    });
    assert_eq!(registry.client.push_manifest("app", "latest", &image).status, 201);
    (registry.restart(), Digest::of(image.to_string().as_bytes()).to_string())
}

/// distribution#4489: a crash leaves files of no length.
#[test]
fn records_that_a_crash_has_cut_short_are_mended() {
    for (what, content) in [("empty", ""), ("cut", "{\"mediaTy")] {
        let (registry, digest) = pushed();
        let list = format!("/v2/app/referrers/{}", Digest::of(b"x"));
        let (manifest, attached) =
            (registry.client.get("/v2/app/manifests/latest"), registry.client.get(&*list));
        assert_eq!(manifest.status, 200);
        let hex = digest.replace("sha256:", "");
        let folder = registry.root.path().join("app");
        let subject = format!("sha256-{}", Digest::of(b"x").hex());
        for path in [
            format!("_manifests/sha256/{hex}"),
            format!("_referrers/{subject}/sha256-{hex}"),
            "index.json".to_owned(),
            "oci-layout".to_owned(),
        ] {
            fs::write(folder.join(path), content).unwrap();
        }
        let registry = registry.restart();
        assert_eq!(registry.client.get("/v2/app/manifests/latest").body, manifest.body, "{what}");
        assert_eq!(registry.client.get(&*list).body, attached.body, "{what}");
        registry.running.stop();
        let index = fs::read_to_string(folder.join("index.json")).unwrap();
        assert!(index.contains(&digest) && index.contains("\"latest\""), "{index}");
        assert_eq!(
            fs::read_to_string(folder.join("oci-layout")).unwrap(),
            "{\"imageLayoutVersion\":\"1.0.0\"}"
        );
    }
}

#[test]
fn a_tag_that_a_crash_has_cut_short_is_mended_from_the_view() {
    let (registry, digest) = pushed();
    let folder = registry.root.path().join("app");
    fs::write(folder.join("_tags/latest"), "sha256:").unwrap();
    // The view was written after the tag.
    let index = fs::read(folder.join("index.json")).unwrap();
    fs::write(folder.join("index.json"), index).unwrap();
    let answer = registry.client.head("/v2/app/manifests/latest");
    assert_eq!((answer.status, answer.header("docker-content-digest")), (200, Some(&*digest)));
    assert_eq!(fs::read_to_string(folder.join("_tags/latest")).unwrap(), format!("{digest}\n"));
}

#[test]
fn what_cannot_be_mended_is_named_at_the_start_and_never_taken_for_missing() {
    let (registry, digest) = pushed();
    let root = registry.root;
    registry.running.stop();
    let folder = root.path().join("app");
    let blob = folder.join("blobs").join(digest.replace(':', "/"));
    fs::remove_file(&blob).unwrap();
    fs::write(&blob, "").unwrap();
    fs::write(folder.join("index.json"), "{}").unwrap();
    fs::write(folder.join("_tags/broken"), "").unwrap();

    let (sender, heard) = mpsc::channel();
    let mut options = tug_registry_server::Options::new(root.path());
    options.observer = Arc::new(Ear(Mutex::new(sender)));
    let running = tug_registry_server::Server::start(options).unwrap();
    let client = Client(running.address());
    let named: BTreeSet<String> =
        [heard.recv_timeout(AT_MOST).unwrap(), heard.recv_timeout(AT_MOST).unwrap()].into();
    let expected = BTreeSet::from([
        format!("`{}` is damaged: its content has another digest", blob.display()),
        format!("`{}` is damaged: it holds no digest", folder.join("_tags/broken").display()),
    ]);
    assert_eq!(named, expected);
    for target in ["/v2/app/manifests/broken", "/v2/app/manifests/latest"] {
        let answer = client.get(target);
        assert_eq!((answer.status, &*answer.code()), (500, "UNKNOWN"));
        assert!(
            !answer.text().contains(&*root.path().to_string_lossy()),
            "no paths go out: {}",
            answer.text()
        );
    }
    // Pushing again is the way out.
    let empty = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [] });
    assert_eq!(client.push_manifest("app", "broken", &empty).status, 201);
    assert_eq!(client.get("/v2/app/manifests/broken").status, 200);
}

#[test]
fn a_session_that_a_crash_has_cut_short_is_unknown() {
    let registry = Registry::start();
    let location = registry.client.begin("app");
    let id = location.rsplit('/').next().unwrap();
    fs::write(registry.root.path().join("_tug/uploads").join(id).join("session"), "").unwrap();
    assert_eq!(registry.client.get(&*location).code(), "BLOB_UPLOAD_UNKNOWN");
}

#[test]
fn a_blob_of_the_wrong_size_is_replaced_by_the_next_push() {
    let registry = Registry::start();
    let bytes = noise(1, 1000);
    let digest = registry.client.push_blob("app", &bytes);
    for folder in ["_tug/blobs", "app/blobs"] {
        let path = registry.root.path().join(folder).join("sha256").join(digest.hex());
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
    }
    registry.client.push_blob("app", &bytes);
    assert_eq!(registry.client.get(format!("/v2/app/blobs/{digest}")).body, bytes);
}

/// A client sees a reset instead of the reason when the server closes while it is still sending.
#[test]
fn the_reason_of_a_refusal_arrives_though_the_body_is_still_being_sent() {
    let registry = Registry::start();
    let body = noise(1, 1_000_000).repeat(30);
    for (request, status, code) in [
        (Request::new("PUT", "/v2/app/manifests/latest"), 413, "SIZE_INVALID"),
        (
            Request::new("PATCH", format!("/v2/app/blobs/uploads/{}", "0".repeat(32))),
            404,
            "BLOB_UPLOAD_UNKNOWN",
        ),
        (Request::new("POST", "/v2/app/blobs/uploads/?digest=sha256:no"), 400, "DIGEST_INVALID"),
        (Request::new("PUT", "/v2/UPPER/manifests/latest"), 400, "NAME_INVALID"),
    ] {
        let request = request.body(&*body);
        let mut stream = TcpStream::connect(registry.client.0).unwrap();
        stream.write_all(&request.wire(registry.client.0)).expect("the server reads to the end");
        let answer = Answer::read(stream, false);
        assert_eq!((answer.status, &*answer.code()), (status, code));
    }
}

#[test]
fn a_client_that_waits_for_permission_sends_nothing_when_refused() {
    let registry = Registry::start();
    let ask = |target: &str| {
        let mut stream = TcpStream::connect(registry.client.0).unwrap();
        let head = "host: x\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";
        write!(stream, "PATCH {target} HTTP/1.1\r\n{head}").unwrap();
        stream
    };
    let mut refused = String::new();
    ask(&format!("/v2/app/blobs/uploads/{}", "0".repeat(32))).read_to_string(&mut refused).unwrap();
    assert!(refused.starts_with("HTTP/1.1 404"), "{refused}");
    let mut stream = ask(&registry.client.begin("app"));
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"bytes").unwrap();
    assert_eq!(Answer::read(stream, false).status, 202);
}

#[test]
fn slow_clients_do_not_hold_up_others() {
    let registry = Registry::start();
    let mut slow = Vec::new();
    // More than there are threads for the disk.
    for number in 0..200 {
        let mut stream = TcpStream::connect(registry.client.0).unwrap();
        if number % 4 == 0 {
            stream.write_all(b"GET /v2/ HT").unwrap();
            slow.push(stream);
        } else {
            let request = Request::new("PATCH", registry.client.begin("app")).body(vec![0; 100_000]);
            slow.push(registry.client.send_part(&request, 50_000));
        }
    }
    let bytes = noise(2, MANY);
    let digest = registry.client.push_blob("app", &bytes);
    assert_eq!(registry.client.get(format!("/v2/app/blobs/{digest}")).body, bytes);
    drop(slow);
}

#[test]
fn a_server_that_is_stopped_lets_an_upload_end() {
    let registry = Registry::start();
    let bytes = noise(1, MANY);
    let digest = Digest::of(&bytes);
    let location = registry.client.begin("app");
    let put = Request::new("PUT", &*location).query("digest", &digest).body(&*bytes);
    let mut stream = registry.client.send_part(&put, 1_000_000);
    wait_for_offset(registry.client, &location, 1_000_000);
    let (running, client) = (registry.running, registry.client);
    let stopping = thread::spawn(move || running.stop());
    // Until it listens no more, or for as long as that should take.
    for _ in 0..500 {
        if TcpStream::connect(client.0).is_err() {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    stream.write_all(&bytes[1_000_000..]).unwrap();
    assert_eq!(Answer::read(stream, false).status, 201);
    stopping.join().unwrap();
    let blob = registry.root.path().join("app/blobs/sha256").join(digest.hex());
    assert_eq!(fs::read(blob).unwrap(), bytes);
}

#[test]
fn a_server_that_is_stopped_does_not_wait_for_ever() {
    let registry = Registry::with(|options| options.stop_time = Duration::from_millis(200));
    let request = Request::new("PATCH", registry.client.begin("app")).body(noise(1, MANY));
    let _hanging = registry.client.send_part(&request, 1000);
    let mut idle = TcpStream::connect(registry.client.0).unwrap();
    registry.running.stop();
    assert_eq!(idle.read(&mut [0; 1]).unwrap_or(0), 0);
}
