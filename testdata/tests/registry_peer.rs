//! The registry that other tests put faults into: right without them, wrong in the one way that was asked for with them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use tug_testdata::registry_peer::{
    Access, AfterCut, Answer, Bearer, Behaviour, End, Lists, Peer, Rule, Uploads, base64, noise, sha256,
};

/// What came back, and whether it was all that was promised.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
    is_whole: bool,
}

impl Reply {
    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }
}

fn ask(peer: &Peer, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(peer.address()).expect("the peer listens");
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", peer.address());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat()).expect("the peer reads");
    let mut bytes = Vec::new();
    let ended_well = stream.read_to_end(&mut bytes).is_ok();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |place| place + 4);
    let body = bytes.split_off(end);
    let head = String::from_utf8(bytes).expect("a head is text");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let mut reply = Reply { status, head, body, is_whole: false };
    let promised = reply.header("content-length").parse().unwrap_or(reply.body.len());
    reply.is_whole = ended_well && reply.status != 0 && (promised == reply.body.len() || method == "HEAD");
    reply
}

#[test]
fn a_peer_takes_blobs_and_manifests_and_gives_them_back() {
    let peer = Peer::start(Behaviour::default());
    let blob = noise(10_000, 1);
    let digest = sha256(&blob);
    assert_eq!(ask(&peer, "HEAD", &format!("/v2/a/b/blobs/{digest}"), &[], b"").status, 404);
    let session = ask(&peer, "POST", "/v2/a/b/blobs/uploads/", &[], b"").header("location").to_owned();
    let first = ask(&peer, "PATCH", &session, &[("Content-Range", "0-5999")], &blob[..6000]);
    assert_eq!((first.status, first.header("range")), (202, "0-5999"));
    assert_eq!(ask(&peer, "PATCH", &session, &[("Content-Range", "5-6")], &blob[5..7]).status, 416);
    let last = ask(&peer, "PUT", &format!("{session}?digest={digest}"), &[], &blob[6000..]);
    assert_eq!(last.status, 201, "{last:?}");
    let part = ask(&peer, "GET", &format!("/v2/a/b/blobs/{digest}"), &[("Range", "bytes=9000-")], b"");
    assert_eq!((part.status, part.header("content-range")), (206, "bytes 9000-9999/10000"));
    assert_eq!(part.body, &blob[9000..]);

    let manifest = format!(r#"{{"schemaVersion":2,"layers":[{{"digest":"{digest}"}}]}}"#);
    assert_eq!(ask(&peer, "PUT", "/v2/a/b/manifests/1", &[], manifest.as_bytes()).status, 201);
    assert_eq!(ask(&peer, "PUT", "/v2/other/manifests/1", &[], manifest.as_bytes()).status, 404);
    assert_eq!(ask(&peer, "GET", "/v2/a/b/manifests/1", &[], b"").body, manifest.as_bytes());
    assert_eq!(ask(&peer, "GET", "/v2/a/b/tags/list", &[], b"").body, br#"{"name":"a/b","tags":["1"]}"#);
    assert_eq!(peer.received("*", "/uploads/"), 10_002);
}

#[test]
fn the_first_rule_that_meets_a_request_bends_its_answer() {
    let peer = Peer::start(Behaviour::default());
    let (blob, path) = {
        let blob = noise(10_000, 1);
        (blob.clone(), format!("/v2/a/blobs/{}", peer.add_blob("a", &blob)))
    };
    let get = |headers| ask(&peer, "GET", &path, headers, b"");
    for rule in [
        Rule::on("GET", "/blobs/").once().cut(100, End::Close),
        Rule::on("GET", "/blobs/").once().corrupt(7),
        Rule::on("GET", "/blobs/").once().resize(-1),
        Rule::on("GET", "/blobs/").with("range", "bytes=1-").once().shift_range(1, 5),
        Rule::on("GET", "/blobs/").once().ignore_range(),
        Rule::on("GET", "/blobs/").once().answer(Answer::status(429).header("Retry-After", "3")),
    ] {
        peer.add(rule);
    }
    let cut = get(&[]);
    assert_eq!((cut.is_whole, &cut.body[..]), (false, &blob[..100]));
    let corrupt = get(&[]).body;
    assert_eq!((corrupt.len(), corrupt[7]), (10_000, blob[7] ^ 0xff));
    assert_eq!(get(&[]).header("content-length"), "9999");
    assert_eq!(get(&[("Range", "bytes=1-2")]).header("content-range"), "bytes 2-3/10005");
    assert_eq!(get(&[("Range", "bytes=1-2")]).status, 200);
    assert_eq!(get(&[]).header("retry-after"), "3");
    assert_eq!(get(&[]).body, blob);
    assert_eq!(peer.asked("GET", "/blobs/")[0].sent, 100);
}

#[test]
fn a_cut_upload_is_kept_moved_or_dead_as_the_kind_of_registry_wants_it() {
    for (after_cut, status) in
        [(AfterCut::Keeps, 204), (AfterCut::Forgets, 204), (AfterCut::Moves, 204), (AfterCut::Dies, 404)]
    {
        let uploads = Uploads { after_cut, ..Uploads::default() };
        let peer = Peer::start(Behaviour { uploads, ..Behaviour::default() });
        peer.add(Rule::on("PATCH", "/uploads/").once().cut_request(300, End::Close));
        let session = ask(&peer, "POST", "/v2/a/blobs/uploads/", &[], b"").header("location").to_owned();
        assert_eq!(ask(&peer, "PATCH", &session, &[], &[7; 1000]).status, 0, "{after_cut:?}");
        let now = ask(&peer, "GET", &session, &[], b"");
        let kept = if after_cut == AfterCut::Forgets { "0-0" } else { "0-299" };
        assert_eq!(now.status, status, "{after_cut:?}");
        assert!(status == 404 || now.header("range") == kept, "{now:?}");
        let stale = ask(&peer, "PATCH", &session, &[], &[7; 700]).status;
        let expected = match after_cut {
            AfterCut::Moves => 416,
            AfterCut::Dies => 404,
            _ => 202,
        };
        assert_eq!(stale, expected, "{after_cut:?}");
    }
}

#[test]
fn tokens_are_asked_for_given_used_up_and_looked_at() {
    let bearer =
        Bearer { accounts: vec![("me".to_owned(), "secret".to_owned())], uses: Some(2), ..Bearer::default() };
    let peer = Peer::start(Behaviour { access: Access::Bearer(bearer), ..Behaviour::default() });
    let push = "/v2/app/blobs/uploads/";
    let refused = ask(&peer, "POST", push, &[], b"");
    assert!(
        refused.header("www-authenticate").ends_with(r#"scope="repository:app:pull,push""#),
        "{refused:?}"
    );
    let wrong = format!("Basic {}", base64(b"me:wrong"));
    let right = format!("Basic {}", base64(b"me:secret"));
    let target = "/token?service=peer&scope=repository:app:pull,push";
    assert_eq!(ask(&peer, "GET", target, &[("Authorization", &wrong)], b"").status, 401);
    let given = ask(&peer, "GET", target, &[("Authorization", &right)], b"");
    let token = String::from_utf8(given.body).expect("it is text").split('"').nth(3).map(str::to_owned);
    let token = format!("Bearer {}", token.expect("there is a token"));
    let statuses = [(); 3].map(|()| ask(&peer, "POST", push, &[("Authorization", &token)], b"").status);
    assert_eq!(statuses, [202, 202, 401]);
}

#[test]
fn lists_come_in_pages() {
    let lists = Lists { page: 2, ..Lists::default() };
    let peer = Peer::start(Behaviour { lists, ..Behaviour::default() });
    for tag in ["a", "b", "c"] {
        peer.add_image("app", tag, &[]);
    }
    let first = ask(&peer, "GET", "/v2/app/tags/list", &[], b"");
    assert_eq!(first.header("link"), "</v2/app/tags/list?last=b&n=2>; rel=\"next\"");
    let second = ask(&peer, "GET", "/v2/app/tags/list?last=b&n=2", &[], b"");
    assert_eq!((second.header("link"), &second.body[..]), ("", &br#"{"name":"app","tags":["c"]}"#[..]));
}

#[test]
#[ignore = "needs skopeo"]
fn needs_skopeo_it_copies_into_a_peer_and_out_of_it() {
    let peer = Peer::start(Behaviour::default());
    let image = peer.add_image("one", "v", &[noise(200_000, 1), noise(3_000, 2)]);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let layout = format!("oci:{}:v", folder.path().display());
    let copy = |from: &str, to: &str| {
        let flags = ["--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false"];
        let output = Command::new("skopeo").args(flags).args([from, to]).output().expect("skopeo is there");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    copy(&format!("docker://{}/one:v", peer.address()), &layout);
    copy(&layout, &format!("docker://{}/two:v", peer.address()));
    let there = peer.contents(|contents| contents.repository("two").manifest("v"));
    assert_eq!(there.expect("it was pushed").0, image.digest);
}
