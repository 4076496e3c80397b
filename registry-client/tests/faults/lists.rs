//! Lists that lead astray, and what registries say besides.

use serde_json::json;

use crate::support::{client, limits, repository, run};
use crate::{digest, tag};
use tug_oci::Descriptor;
use tug_registry_client::{Error, Event, Kind, Limits, Target};
use tug_testdata::registry_peer::{
    Access, Answer, Bearer, Behaviour, INDEX, Lists, MANIFEST, More, Peer, Referrers, Rule, sha256,
};

fn with_tags(lists: Lists, tags: &[&str]) -> Peer {
    let peer = Peer::start(Behaviour { lists, ..Behaviour::default() });
    peer.contents(|contents| {
        contents.repository("app").tags.extend(tags.iter().map(|tag| ((*tag).to_owned(), sha256(b""))));
    });
    peer
}

fn tags(peer: &Peer, limit: Option<usize>) -> Result<Vec<String>, Error> {
    run(client(limits()).0.tags(&repository(peer.address(), "app"), limit))
}

#[test]
fn pages_follow_their_links() {
    let peer = with_tags(Lists { page: 2, ..Lists::default() }, &["a", "b", "c", "d", "e"]);
    assert_eq!(tags(&peer, None).unwrap(), ["a", "b", "c", "d", "e"]);
    assert_eq!(peer.asked("GET", "/tags/list").len(), 3);
    assert_eq!(tags(&peer, Some(3)).unwrap(), ["a", "b", "c"]);
}

#[test]
fn a_full_page_without_a_link_is_followed_by_its_last_name() {
    let names: Vec<String> = (0..1500).map(|number| format!("v{number:04}")).collect();
    let lists = Lists { page: 1000, more: More::Silent, ..Lists::default() };
    let peer = with_tags(lists, &names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(tags(&peer, None).unwrap(), names);
    let asked = peer.asked("GET", "/tags/list");
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1].request.parameter("last").as_deref(), Some("v0999"));
}

#[test]
fn pages_that_lead_in_a_circle_end() {
    let peer = with_tags(Lists { page: 2, more: More::Loop, ..Lists::default() }, &["a", "b", "c"]);
    assert_eq!(tags(&peer, None).unwrap(), ["a", "b"]);
    assert_eq!(peer.asked("GET", "/tags/list").len(), 1);
}

#[test]
fn no_tags_at_all_may_be_said_in_many_ways() {
    let peer = with_tags(Lists { says_null: true, ..Lists::default() }, &[]);
    assert_eq!(tags(&peer, None).unwrap(), Vec::<String>::new());
    let unknown = Peer::start(Behaviour::default());
    assert_eq!(tags(&unknown, None).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn a_registry_that_gives_more_than_was_asked_for_is_cut_short() {
    let peer = with_tags(Lists { heeds_n: false, ..Lists::default() }, &["a", "b", "c"]);
    assert_eq!(tags(&peer, Some(2)).unwrap(), ["a", "b"]);
    assert_eq!(peer.asked("GET", "/tags/list")[0].request.parameter("n").as_deref(), Some("2"));
}

#[test]
fn a_link_to_another_server_is_not_followed() {
    let other = Peer::start(Behaviour::default());
    let peer =
        with_tags(Lists { page: 1, more: More::LinkAt(other.url("")), ..Lists::default() }, &["a", "b"]);
    let error = tags(&peer, None).unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
    assert!(error.to_string().contains("another server, which is not asked"), "{error}");
    assert_eq!(other.exchanges().len(), 0);
}

#[test]
fn a_registry_without_a_catalog_says_so() {
    let peer = Peer::start(Behaviour {
        lists: Lists { has_catalog: false, ..Lists::default() },
        ..Behaviour::default()
    });
    let error = run(client(limits()).0.catalog(peer.address(), None)).unwrap_err();
    assert_eq!((error.kind(), error.status()), (Kind::Unsupported, Some(404)));
    let message = format!("`{}` gives no list of its repositories: it answered 404", peer.address());
    assert_eq!(error.to_string(), message);

    let access = Access::Bearer(Bearer::default());
    let closed = Peer::start(Behaviour { access, ..Behaviour::default() });
    let error = run(client(limits()).0.catalog(closed.address(), None)).unwrap_err();
    assert_eq!((error.kind(), error.status()), (Kind::Unsupported, Some(401)));
    assert_eq!(
        closed.asked("GET", "/token")[0].request.parameter("scope").as_deref(),
        Some("registry:catalog:*")
    );
}

/// A registry with an image and two artifacts attached to it, of the kinds `x/a` and `x/b`.
fn attached(referrers: Referrers, page: usize) -> (Peer, String) {
    let lists = Lists { page, ..Lists::default() };
    let peer = Peer::start(Behaviour { referrers, lists, ..Behaviour::default() });
    let subject = peer.add_image("app", "latest", &[]).digest;
    let listed = peer.contents(|contents| {
        let repository = contents.repository("app");
        let mut listed = Vec::new();
        for kind in ["x/a", "x/b"] {
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "artifactType": kind,
                "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": sha256(b"{}"), "size": 2 },
                "layers": [],
                "subject": { "mediaType": MANIFEST, "digest": subject, "size": 1 },
            });
            let bytes = manifest.to_string();
            let digest = repository.add_manifest(MANIFEST, bytes.as_bytes());
            listed.push(json!({ "mediaType": MANIFEST, "digest": digest, "size": bytes.len(), "artifactType": kind }));
        }
        listed
    });
    // Who attached them kept the list under its tag as well.
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": listed }).to_string();
    peer.contents(|contents| {
        let repository = contents.repository("app");
        let digest = repository.add_manifest(INDEX, index.as_bytes());
        repository.tags.insert(subject.replace(':', "-"), digest);
    });
    (peer, subject)
}

fn kinds(peer: &Peer, subject: &str, wanted: Option<&str>) -> Vec<String> {
    let (client, app) = (client(limits()).0, repository(peer.address(), "app"));
    let found = run(client.referrers(&app, &digest(subject), wanted)).unwrap();
    let mut kinds: Vec<String> = found.into_iter().filter_map(|entry| entry.artifact_type).collect();
    kinds.sort();
    kinds
}

#[test]
fn what_is_attached_is_found_whoever_keeps_the_list() {
    for referrers in [Referrers::Listed, Referrers::Unfiltered, Referrers::Missing, Referrers::Html] {
        for page in [1, 1000] {
            let (peer, subject) = attached(referrers, page);
            assert_eq!(kinds(&peer, &subject, None), ["x/a", "x/b"], "{referrers:?} {page}");
            assert_eq!(kinds(&peer, &subject, Some("x/b")), ["x/b"], "{referrers:?} {page}");
            let by_tag = peer.asked("GET", &format!("/manifests/{}", subject.replace(':', "-"))).len();
            let is_by_tag = matches!(referrers, Referrers::Missing | Referrers::Html);
            assert_eq!(by_tag, if is_by_tag { 2 } else { 0 }, "{referrers:?}");
        }
    }
}

#[test]
fn nothing_attached_is_an_empty_list_where_the_registry_keeps_none() {
    let peer = Peer::start(Behaviour { referrers: Referrers::Missing, ..Behaviour::default() });
    let subject = peer.add_image("app", "latest", &[]).digest;
    assert_eq!(kinds(&peer, &subject, None), Vec::<String>::new());
}

#[test]
fn a_tag_of_the_list_that_is_something_else_is_named() {
    let peer = Peer::start(Behaviour { referrers: Referrers::Missing, ..Behaviour::default() });
    let subject = peer.add_image("app", "latest", &[]).digest;
    peer.add_image("app", &subject.replace(':', "-"), &[b"x".to_vec()]);
    let app = repository(peer.address(), "app");
    let error = run(client(limits()).0.referrers(&app, &digest(&subject), None)).unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
    assert!(error.to_string().contains("should be a list of what is attached"), "{error}");
}

#[test]
fn a_warning_is_told_once_each() {
    let warnings = vec!["this registry closes in May".to_owned(), "and  moves".to_owned()];
    let peer = Peer::start(Behaviour { warnings, ..Behaviour::default() });
    peer.add_image("app", "latest", &[]);
    let (client, heard) = client(limits());
    let app = repository(peer.address(), "app");
    run(async {
        for _ in 0..3 {
            client.manifest(&app, &tag("latest")).await.unwrap();
            client.tags(&app, None).await.unwrap();
        }
    });
    let told: Vec<String> = heard
        .all()
        .into_iter()
        .filter_map(|event| if let Event::Warning { text, .. } = event { Some(text) } else { None })
        .collect();
    assert_eq!(told, ["this registry closes in May", "and moves"]);
}

#[test]
fn a_registry_that_deletes_no_tags_is_believed() {
    let peer = Peer::start(Behaviour { deletes: false, ..Behaviour::default() });
    let image = peer.add_image("app", "latest", &[]);
    let (client, app) = (client(limits()).0, repository(peer.address(), "app"));
    let error = run(client.delete_manifest(&app, &tag("latest"))).unwrap_err();
    assert_eq!((error.kind(), error.status()), (Kind::Unsupported, Some(405)));
    assert!(error.to_string().ends_with("was answered 405: this registry deletes no tags"), "{error}");
    assert!(error.hint().unwrap().contains("tug delete NAME@DIGEST"));
    assert_eq!(peer.asked("DELETE", "").len(), 1, "by digest nothing was tried");
    let error = run(client.delete_manifest(&app, &Target::Digest(digest(&image.digest)))).unwrap_err();
    assert!(error.to_string().ends_with("was answered 405: deleting is switched off there"), "{error}");
}

#[test]
fn what_a_registry_says_of_a_failure_is_one_short_line() {
    let html =
        Answer::status(500).header("Content-Type", "text/html").with_body("<html><h1>Oops</h1></html>");
    let long = Answer::status(500).with_body("long ".repeat(2_000_000));
    let controls = Answer::error(500, "BAD\u{1b}[2J", "a\r\nb\u{7}\u{1b}]0;title\u{7} \u{202e}c");
    for (answer, end) in
        [(html, "500 Internal Server Error"), (long, "…"), (controls, ": BAD [2J: a b ]0;title c")]
    {
        let peer = Peer::start(Behaviour::default());
        peer.add(Rule::on("GET", "/manifests/").answer(answer));
        let (client, _) = client(Limits { attempts: 1, ..limits() });
        let error = run(client.manifest(&repository(peer.address(), "app"), &tag("latest"))).unwrap_err();
        let message = error.to_string();
        assert!(message.ends_with(end), "{message:?}");
        assert!(message.len() < 700 && !message.chars().any(char::is_control), "{message:?}");
        // The connection's buffers may be full of it; ten megabytes were not read.
        assert!(peer.sent("GET", "/manifests/") < 8 << 20, "{}", peer.sent("GET", "/manifests/"));
    }
}

#[test]
fn a_tag_whose_head_tells_nothing_is_fetched() {
    let peer = Peer::start(Behaviour::default());
    let image = peer.add_image("app", "latest", &[]);
    peer.add(Rule::on("HEAD", "/manifests/").answer(Answer::status(403)));
    let (client, app) = (client(limits()).0, repository(peer.address(), "app"));
    let found: Option<Descriptor> = run(client.head_manifest(&app, &tag("latest"))).unwrap();
    assert_eq!(found.unwrap().digest, digest(&image.digest));
    peer.add(Rule::on("GET", "/manifests/").answer(Answer::error(403, "DENIED", "pay first")));
    let error = run(client.head_manifest(&app, &tag("latest"))).unwrap_err();
    assert!(error.to_string().contains("DENIED: pay first"), "the answer to HEAD had no reason: {error}");
}
