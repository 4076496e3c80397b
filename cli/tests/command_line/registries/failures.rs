//! One failure at a time.

use std::fs;

use tug_testdata::registry_peer::{Answer, Authority, Behaviour, End, Peer, Rule, Tls, Validity, sha256};

use super::{ends, keeps_nothing, layer, peer, private};
use crate::tug::Tug;

#[test]
fn a_pull_whose_connections_break_succeeds_with_each_byte_once() {
    let tug = Tug::new();
    let (peer, image, name) = peer(Behaviour::default());
    let (blob, bytes) = &image.layers[0];
    peer.add(Rule::on("GET", blob).times(3).cut(70_000, End::Close));
    ends(&tug, &["pull", "-q", &name], 0, &[&image.digest]);
    assert_eq!(peer.sent("GET", blob), bytes.len() as u64);
    let ranges: Vec<_> =
        peer.asked("GET", blob).iter().map(|one| one.request.headers.get("range").cloned()).collect();
    assert_eq!(ranges.len(), 4);
    assert!(ranges[1].as_deref().is_some_and(|range| range.starts_with("bytes=70000-")), "{ranges:?}");
}

#[test]
fn bytes_that_are_not_those_of_the_digest_are_refused_and_nothing_is_kept() {
    let tug = Tug::new();
    let (peer, image, name) = peer(Behaviour::default());
    let blob = &image.layers[0].0;
    peer.add(Rule::on("GET", blob).corrupt(100));
    ends(&tug, &["pull", &name], 1, &["error: ", blob]);
    assert_eq!(peer.asked("GET", blob).len(), 2, "once more, and no more");
    keeps_nothing(&tug, &image);
    let moved = format!("{}/app@{}", peer.address(), sha256(b"other"));
    ends(&tug, &["pull", &moved], 1, &["404 Not Found", "MANIFEST_UNKNOWN"]);
}

#[test]
fn a_manifest_that_is_not_that_of_its_digest_is_refused() {
    let tug = Tug::new();
    let (peer, image, _) = peer(Behaviour::default());
    peer.add(Rule::on("GET", "/manifests/").corrupt(30));
    let name = format!("{}/app@{}", peer.address(), image.digest);
    ends(&tug, &["pull", &name], 1, &["was answered with something else: its digest is `sha256:"]);
    keeps_nothing(&tug, &image);
}

#[test]
fn whoever_is_not_let_in_learns_as_whom_they_asked_and_what_to_do() {
    let tug = Tug::new();
    let (peer, image, name) = peer(private());
    ends(&tug, &["pull", &name], 3, &["401 Unauthorized", "asked without credentials", "tug login"]);
    let wrong =
        ends(&tug, &["pull", "--creds", "me:n0t-it", &name], 3, &["401 Unauthorized", "`me`", "`--creds`"]);
    assert!(!wrong.contains("n0t-it"), "{wrong}");
    peer.add(Rule::on("GET", "/manifests/").answer(Answer::error(403, "DENIED", "not for you")));
    ends(&tug, &["pull", &name], 3, &["403 Forbidden: DENIED: not for you"]);
    keeps_nothing(&tug, &image);
}

#[test]
fn a_registry_that_has_enough_says_when_it_may_be_asked_again() {
    let tug = Tug::new();
    let (peer, image, name) = peer(Behaviour::default());
    let enough =
        Answer::error(429, "TOOMANYREQUESTS", "pull rate limit reached").header("Retry-After", "3600");
    peer.add(Rule::on("GET", "/manifests/").answer(enough));
    ends(&tug, &["pull", &name], 3, &["429 Too Many Requests", "rate limit reached", "hint: ", "3600 s"]);
    assert_eq!(peer.asked("GET", "/manifests/").len(), 1);
    keeps_nothing(&tug, &image);
}

#[test]
fn a_registry_that_is_busy_for_a_moment_is_asked_again_and_that_is_told() {
    let tug = Tug::new();
    let (peer, image, name) = peer(Behaviour::default());
    peer.add(Rule::on("GET", "/manifests/").once().answer(Answer::status(503)));
    ends(&tug, &["pull", "--progress", "plain", &name], 0, &["503 Service Unavailable", &image.digest]);
    assert_eq!(peer.asked("GET", "/manifests/").len(), 2);
}

#[test]
fn what_is_no_image_of_today_is_named() {
    let tug = Tug::new();
    let peer = Peer::start(Behaviour::default());
    let old = r#"{"schemaVersion":1,"name":"app","tag":"1","fsLayers":[]}"#;
    let signed = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    peer.add(Rule::on("GET", "/manifests/").answer(Answer::body(old).header("Content-Type", signed)));
    let name = format!("{}/app:1", peer.address());
    ends(&tug, &["pull", &name], 1, &["docker's schema 1", "hint: "]);
}

#[test]
fn a_platform_that_is_not_there_is_told_with_those_that_are() {
    let tug = Tug::new();
    let (peer, image, _) = peer(Behaviour::default());
    let index = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": tug_testdata::registry_peer::INDEX,
        "manifests": [{
            "mediaType": tug_testdata::registry_peer::MANIFEST,
            "digest": image.digest,
            "size": image.manifest.len(),
            "platform": { "os": "linux", "architecture": "amd64" },
        }],
    });
    peer.contents(|contents| {
        let repository = contents.repository("app");
        let digest =
            repository.add_manifest(tug_testdata::registry_peer::INDEX, index.to_string().as_bytes());
        repository.tags.insert("many".to_owned(), digest);
    });
    let name = format!("{}/app:many", peer.address());
    ends(&tug, &["pull", "--platform", "linux/s390x", &name], 1, &["linux/s390x", "linux/amd64"]);
}

#[test]
fn a_certificate_that_is_not_to_be_trusted_is_told_with_the_way_out() {
    let tug = Tug::new();
    let (ours, theirs) = (Authority::new(), Authority::new());
    let folder = tug.path("certs");
    fs::create_dir(&folder).expect("a folder can be made");
    fs::write(folder.join("ca.crt"), ours.pem()).expect("a file can be written");
    let certs = folder.to_string_lossy().into_owned();
    for (authority, host, validity, words) in [
        (&theirs, "127.0.0.1", Validity::Now, "signed by somebody who is not trusted here"),
        (&ours, "elsewhere.example", Validity::Now, "its certificate is for another name"),
        (&ours, "127.0.0.1", Validity::Past, "its certificate has expired"),
    ] {
        let tls = Tls::new(&authority.certificate(&[host], validity), None);
        let (peer, image, name) = peer(Behaviour { tls: Some(tls), ..Behaviour::default() });
        ends(&tug, &["pull", "--cert-dir", &certs, &name], 3, &[words]);
        assert_eq!(peer.exchanges().len(), 0, "nothing was asked, encrypted or not");
        ends(&Tug::new(), &["pull", "-q", "--tls-verify=false", &name], 0, &[&image.digest]);
    }
    let tls = Tls::new(&ours.certificate(&["127.0.0.1"], Validity::Now), None);
    let (_peer, image, name) = peer(Behaviour { tls: Some(tls), ..Behaviour::default() });
    ends(&tug, &["pull", "-q", "--cert-dir", &certs, &name], 0, &[&image.digest]);
}

#[test]
fn a_push_that_is_refused_shows_the_registrys_own_reason() {
    let tug = Tug::new();
    let (source, _, name) = peer(Behaviour::default());
    tug.data(&["pull", "-q", &name]);
    let to = Peer::start(Behaviour::default());
    to.add(
        Rule::on("PUT", "/uploads/").answer_early(10, Answer::error(413, "SIZE_INVALID", "quota of 1 MB")),
    );
    to.add(
        Rule::on("PATCH", "/uploads/").answer_early(10, Answer::error(413, "SIZE_INVALID", "quota of 1 MB")),
    );
    let target = format!("{}/team/app:1", to.address());
    ends(&tug, &["tag", &name, &target], 0, &[]);
    let shown = ends(&tug, &["push", &target], 3, &["413 Payload Too Large", "quota of 1 MB"]);
    assert!(!shown.contains("reset"), "the reason counts, not how the connection ended: {shown}");
    to.contents(|contents| {
        assert!(contents.repository("team/app").manifests.is_empty());
        assert_eq!(contents.open_sessions(), 0, "what was begun is taken back");
    });
    drop(source);
}

#[test]
fn a_push_whose_connections_break_goes_on_in_its_session() {
    let tug = Tug::new();
    let (_source, _, name) = peer(Behaviour::default());
    tug.data(&["pull", "-q", &name]);
    let to = Peer::start(Behaviour::default());
    to.add(Rule::on("PATCH", "/uploads/").once().cut_request(100_000, End::Reset));
    let target = format!("{}/app:1", to.address());
    ends(&tug, &["tag", &name, &target], 0, &[]);
    ends(&tug, &["push", "-q", &target], 0, &["sha256:"]);
    assert!(to.contents(|contents| contents.repository("app").manifest("1")).is_some());
    // One session for the layer and one for the config: the layer's was asked where it is, and gone on with.
    assert!(!to.asked("GET", "/uploads/").is_empty(), "{:#?}", to.lines());
    assert_eq!(to.asked("POST", "/uploads/").len(), 2, "{:#?}", to.lines());
    assert!(to.received("*", "/uploads/") < 2 * layer(300_000, 1).len() as u64);
}

#[test]
fn a_copy_that_fails_leaves_no_name_behind() {
    let tug = Tug::new();
    let (from, image, name) = peer(Behaviour::default());
    from.add(Rule::on("GET", &image.layers[0].0).corrupt(5));
    let to = Peer::start(Behaviour::default());
    ends(&tug, &["copy", &name, &format!("{}/app:1", to.address())], 1, &["error: "]);
    to.contents(|contents| {
        assert!(contents.repository("app").tags.is_empty());
        assert!(!contents.repository("app").blobs.contains_key(&image.layers[0].0));
        assert_eq!(contents.open_sessions(), 0);
    });
}
