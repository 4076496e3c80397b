//! Requests that must be refused, and how.

use serde_json::json;
use tug_oci::{Digest, media_type};

use crate::content::{Content, Traits};
use crate::support::{Registry, Request, noise};

const REPOSITORY: &str = "conformance/repo1";

fn refused(registry: &Registry, request: &Request, status: u16, code: &str) {
    let answer = registry.client.send(request);
    assert_eq!((answer.status, &*answer.code()), (status, code), "{request:?}: {}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let message = answer.json()["errors"][0]["message"].as_str().map(str::len);
    assert!(message.is_some_and(|length| length > 10), "a sentence for people: {}", answer.text());
}

fn put_manifest(reference: &str, media_type: &str, bytes: impl Into<Vec<u8>>) -> Request {
    let put = Request::new("PUT", format!("/v2/{REPOSITORY}/manifests/{reference}"));
    put.header("content-type", media_type).body(bytes)
}

#[test]
fn manifests_that_are_not_there() {
    let registry = Registry::start();
    registry.client.push_blob(REPOSITORY, b"so that the repository is there");
    let by_digest = format!("/v2/{REPOSITORY}/manifests/{}", Digest::of(&noise(1, 1024)));
    let by_tag = format!("/v2/{REPOSITORY}/manifests/missing");
    for target in [by_digest, by_tag] {
        refused(&registry, &Request::new("GET", &*target), 404, "MANIFEST_UNKNOWN");
        refused(&registry, &Request::new("DELETE", &*target), 404, "MANIFEST_UNKNOWN");
        assert_eq!(registry.client.head(&*target).status, 404);
    }
    refused(&registry, &Request::new("GET", "/v2/none/manifests/latest"), 404, "NAME_UNKNOWN");
    // No tag can be called so, so there is none.
    let target = format!("/v2/{REPOSITORY}/manifests/.INVALID_MANIFEST_NAME");
    refused(&registry, &Request::new("GET", target), 404, "MANIFEST_UNKNOWN");
}

#[test]
fn digests_that_are_none() {
    let registry = Registry::start();
    let mut content = Content::new(tug_oci::Algorithm::Sha256);
    content.image(0, media_type::OCI_LAYER, &Traits::default());
    for bytes in content.blobs.values() {
        registry.client.push_blob(REPOSITORY, bytes);
    }
    let manifest = &content.manifests[0];
    let put = put_manifest("sha256:baddigeststring", &manifest.media_type, &*manifest.bytes);
    refused(&registry, &put, 400, "DIGEST_INVALID");
    for target in [
        format!("/v2/{REPOSITORY}/manifests/sha256:baddigeststring"),
        format!("/v2/{REPOSITORY}/manifests/md5:d41d8cd98f00b204e9800998ecf8427e"),
        format!("/v2/{REPOSITORY}/blobs/sha256:baddigeststring"),
        format!("/v2/{REPOSITORY}/referrers/sha256:baddigeststring"),
    ] {
        refused(&registry, &Request::new("GET", target), 400, "DIGEST_INVALID");
    }
    let uploads = format!("/v2/{REPOSITORY}/blobs/uploads/");
    for parameter in ["digest", "mount"] {
        let post = Request::new("POST", &*uploads).query(parameter, "sha256:no").body("x");
        refused(&registry, &post, 400, "DIGEST_INVALID");
    }
    let post = Request::new("POST", &*uploads).query("digest-algorithm", "md5");
    refused(&registry, &post, 400, "DIGEST_INVALID");
    let location = registry.client.begin(REPOSITORY);
    refused(&registry, &Request::new("PUT", &*location), 400, "DIGEST_INVALID");
    refused(&registry, &Request::new("PUT", &*location).query("digest", "sha512:no"), 400, "DIGEST_INVALID");
    assert_eq!(registry.client.get(location).status, 204, "the upload can go on");
}

#[test]
fn names_that_are_none() {
    let registry = Registry::start();
    let digest = Digest::of(b"");
    for name in ["Upper/case", "a//b", "_hidden", "a/..", "a%20b", "a%2Fb", &"a".repeat(256)] {
        refused(&registry, &Request::new("GET", format!("/v2/{name}/tags/list")), 400, "NAME_INVALID");
        let target = format!("/v2/{name}/blobs/{digest}");
        refused(&registry, &Request::new("GET", target), 400, "NAME_INVALID");
        let target = format!("/v2/{name}/blobs/uploads/");
        refused(&registry, &Request::new("POST", target), 400, "NAME_INVALID");
    }
    let put = put_manifest("-tag", media_type::OCI_INDEX, "{}");
    refused(&registry, &put, 400, "MANIFEST_INVALID");
    let put = put_manifest(&"t".repeat(129), media_type::OCI_INDEX, "{}");
    refused(&registry, &put, 400, "MANIFEST_INVALID");
}

#[test]
fn manifests_that_cannot_be_taken() {
    let registry = Registry::start();
    let missing =
        json!({ "mediaType": media_type::OCI_CONFIG, "digest": Digest::of(b"x").to_string(), "size": 1 });
    let image =
        json!({ "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": missing, "layers": [] });
    let put = put_manifest("tag", media_type::OCI_MANIFEST, image.to_string());
    refused(&registry, &put, 404, "MANIFEST_BLOB_UNKNOWN");
    let child =
        json!({ "mediaType": media_type::OCI_MANIFEST, "digest": Digest::of(b"y").to_string(), "size": 1 });
    let index = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [child] });
    let put = put_manifest("tag", media_type::OCI_INDEX, index.to_string());
    refused(&registry, &put, 404, "MANIFEST_BLOB_UNKNOWN");

    let empty =
        json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [] }).to_string();
    for (what, media_type, bytes) in [
        ("no JSON", media_type::OCI_INDEX, "{".to_owned()),
        ("no object", media_type::OCI_INDEX, "[]".to_owned()),
        ("nothing", media_type::OCI_INDEX, String::new()),
        ("another type", media_type::OCI_MANIFEST, empty.clone()),
        ("a digest that is none", media_type::OCI_INDEX, empty.replace("[]", "[{\"digest\":\"sha256:x\"}]")),
        ("both", media_type::OCI_INDEX, empty.replace("\"manifests\"", "\"layers\":[],\"manifests\"")),
        (
            "the first schema",
            "application/vnd.docker.distribution.manifest.v1+json",
            "{\"schemaVersion\":1}".to_owned(),
        ),
        ("no type at all", "", "{}".to_owned()),
    ] {
        let answer = registry.client.send(&put_manifest("tag", media_type, bytes));
        assert_eq!((answer.status, &*answer.code()), (400, "MANIFEST_INVALID"), "{what}: {}", answer.text());
    }
    let large = empty.replace("\"manifests\"", &format!("\"x\":\"{}\",\"manifests\"", "x".repeat(4 << 20)));
    refused(&registry, &put_manifest("tag", media_type::OCI_INDEX, large.clone()), 413, "SIZE_INVALID");
    let streamed = Request::new("PUT", format!("/v2/{REPOSITORY}/manifests/tag"));
    let streamed = streamed.header("content-type", media_type::OCI_INDEX).streamed(large);
    refused(&registry, &streamed, 413, "SIZE_INVALID");
    assert_eq!(registry.client.head(format!("/v2/{REPOSITORY}/manifests/tag")).status, 404);
}

#[test]
fn chunks_that_cannot_be_taken() {
    let registry = Registry::start();
    let location = registry.client.begin(REPOSITORY);
    let patch = |range: &str, body: &str| {
        Request::new("PATCH", &*location).header("content-range", range).body(body.to_owned())
    };
    refused(&registry, &patch("0-9", "short"), 400, "SIZE_INVALID");
    refused(&registry, &patch("everything", "bytes"), 400, "BLOB_UPLOAD_INVALID");
    refused(&registry, &patch("1-5", "bytes"), 416, "BLOB_UPLOAD_INVALID");
    let too_long =
        Request::new("PATCH", &*location).header("content-range", "0-4").streamed("bytes and more");
    refused(&registry, &too_long, 400, "SIZE_INVALID");
    let status = registry.client.get(&*location);
    assert_eq!(status.header("range"), Some("0-4"), "what the range said is there");
    let other = location.replace(REPOSITORY, "conformance/repo2");
    refused(&registry, &Request::new("GET", other), 404, "BLOB_UPLOAD_UNKNOWN");
}

#[test]
fn methods_that_there_are_not() {
    let registry = Registry::start();
    for (method, target, allowed) in [
        ("POST", "/v2/", "GET, HEAD"),
        ("DELETE", "/v2/a/tags/list", "GET, HEAD"),
        ("GET", "/v2/a/blobs/uploads/", "POST"),
        ("POST", "/v2/a/manifests/b", "GET, HEAD, PUT, DELETE"),
    ] {
        let answer = registry.client.send(&Request::new(method, target));
        assert_eq!((answer.status, &*answer.code()), (405, "UNSUPPORTED"));
        assert_eq!(answer.header("allow"), Some(allowed));
    }
    refused(&registry, &Request::new("GET", "/v3/a"), 404, "UNSUPPORTED");
}

#[test]
fn what_is_strange_but_possible_is_taken_with_a_warning() {
    let registry = Registry::start();
    let config = registry.client.push_blob(REPOSITORY, b"{}");
    let image = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "layers": [],
        "config": { "mediaType": media_type::OCI_CONFIG, "digest": config.to_string(), "size": 99 },
    });
    let answer = registry.client.push_manifest(REPOSITORY, "tag", &image);
    assert_eq!(answer.status, 201);
    let expected = format!("299 - \"{config} has 2 bytes, but the manifest says 99\"");
    assert_eq!(answer.header("warning"), Some(&*expected));
}

#[test]
fn two_clients_do_not_undo_each_others_change_of_a_tag() {
    let registry = Registry::start();
    let mut content = Content::new(tug_oci::Algorithm::Sha256);
    content.index(&[], &Traits::default());
    content.index(&[], &Traits { extra_fields: true, ..Traits::default() });
    let [first, second] = content.manifests.as_slice() else { panic!("there are two") };
    let put = |manifest: &crate::content::Manifest, header: &str, value: &str| {
        put_manifest("list", &manifest.media_type, &*manifest.bytes).header(header, value)
    };
    assert_eq!(registry.client.send(&put(first, "if-none-match", "*")).status, 201);
    refused(&registry, &put(second, "if-none-match", "*"), 412, "DENIED");
    let etag = registry.client.get(format!("/v2/{REPOSITORY}/manifests/list"));
    let etag = etag.header("etag").expect("manifests have one").to_owned();
    assert_eq!(registry.client.send(&put(second, "if-match", &etag)).status, 201);
    refused(&registry, &put(first, "if-match", &etag), 412, "DENIED");
    let known = Request::new("GET", format!("/v2/{REPOSITORY}/manifests/list"));
    let known = known.header("if-none-match", format!("\"{}\"", second.digest));
    assert_eq!(registry.client.send(&known).status, 304);
}
