//! Every shape of data: pushed, listed, pulled, asked for its referrers, and deleted.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tug_oci::{Algorithm, Digest, media_type};

use crate::content::{Content, EMPTY_JSON, EXAMPLE_1, EXAMPLE_2, Manifest, Traits};
use crate::support::{Request, noise};
use crate::{Case, NEXT_VERSION, VERSION_1_1, checks};

checks! {
    image
    image_with_plain_layers
    image_with_a_large_manifest
    index
    nested_index
    empty_index
    artifact
    index_of_artifacts
    artifact_without_layers
    artifacts_with_a_subject
    index_with_a_subject
    artifact_with_a_missing_subject
    data_in_descriptors
    layers_that_may_not_be_distributed
    unknown_fields
    no_layers
}

const REPOSITORY: &str = "conformance/repo1";

/// Tags are pushed as the suite does: under the name, which makes a SHA-256 of it, or beside a digest as parameters.
fn run(case: &Case, content: &Content) {
    for (name, bytes) in &content.blobs {
        let post = Request::new("POST", format!("/v2/{REPOSITORY}/blobs/uploads/")).query("digest", name);
        assert_eq!(case.registry.client.send(&post.body(&**bytes)).status, 201);
    }
    for manifest in &content.manifests {
        let tags: Vec<&String> =
            content.tags.iter().filter(|(_, named)| *named == manifest.digest).map(|(tag, _)| tag).collect();
        push(case, manifest, &tags);
    }
    check_list(case, content);
    for manifest in &content.manifests {
        check_manifest(case, manifest, &manifest.digest.to_string());
    }
    for (tag, named) in &content.tags {
        let manifest = content.manifests.iter().find(|manifest| manifest.digest == *named);
        check_manifest(case, manifest.expect("tags name manifests"), tag);
    }
    check_referrers(case, content);
    delete(case, content);
}

fn push(case: &Case, manifest: &Manifest, tags: &[&String]) {
    let with_parameters = case.rules.digest_header || case.algorithm != Algorithm::Sha256;
    put(case, manifest, &manifest.digest.to_string(), if with_parameters { tags } else { &[] });
    if !with_parameters {
        tags.iter().for_each(|tag| put(case, manifest, tag, &[]));
    }
}

fn put(case: &Case, manifest: &Manifest, reference: &str, tags: &[&String]) {
    let mut request = Request::new("PUT", format!("/v2/{REPOSITORY}/manifests/{reference}"));
    for tag in tags {
        request = request.query("tag", tag);
    }
    let answer = case
        .registry
        .client
        .send(&request.header("content-type", &manifest.media_type).body(&*manifest.bytes));
    assert_eq!(answer.status, 201, "{}", answer.text());
    case.check_digest(&answer, &manifest.digest);
    assert_eq!(answer.all("oci-tag").collect::<Vec<_>>(), tags.iter().map(|tag| &***tag).collect::<Vec<_>>());
    let document: Value = serde_json::from_slice(&manifest.bytes).expect("manifests are JSON");
    assert_eq!(answer.header("oci-subject"), document["subject"]["digest"].as_str());
    let got = case.registry.client.get(answer.location());
    assert_eq!((got.status, &got.body), (200, &manifest.bytes), "the location leads to it");
    assert_eq!(got.header("content-type"), Some(&*manifest.media_type));
}

fn check_manifest(case: &Case, manifest: &Manifest, reference: &str) {
    let target = format!("/v2/{REPOSITORY}/manifests/{reference}");
    let get = Request::new("GET", &*target).header("accept", media_type::OCI_INDEX);
    let got = case.registry.client.send(&get.header("accept", media_type::OCI_MANIFEST));
    let head = case.registry.client.head(target);
    assert_eq!((got.status, &got.body), (200, &manifest.bytes), "bytes are never changed");
    assert_eq!((head.status, head.body.len()), (200, 0));
    for answer in [&got, &head] {
        assert_eq!(answer.header("content-type"), Some(&*manifest.media_type));
        assert_eq!(answer.header("content-length"), Some(&*manifest.bytes.len().to_string()));
        case.check_digest(answer, &manifest.digest);
    }
}

fn check_list(case: &Case, content: &Content) {
    let list = |query: &str| -> BTreeSet<String> {
        let answer = case.registry.client.get(format!("/v2/{REPOSITORY}/tags/list{query}"));
        assert_eq!(answer.status, 200);
        let tags: Vec<String> = serde_json::from_value(answer.json()["tags"].clone()).expect("a list");
        assert!(tags.is_sorted(), "{tags:?}");
        tags.into_iter().collect()
    };
    let pushed: BTreeSet<String> = content.tags.iter().map(|(tag, _)| tag.clone()).collect();
    assert_eq!(list(""), pushed);
    for last in &pushed {
        let behind = pushed.iter().filter(|tag| *tag > last).cloned().collect();
        assert_eq!(list(&format!("?last={last}")), behind);
    }
}

fn check_referrers(case: &Case, content: &Content) {
    let list = |subject: &Digest, filter: Option<&str>| -> Vec<Value> {
        let mut request = Request::new("GET", format!("/v2/{REPOSITORY}/referrers/{subject}"));
        if let Some(filter) = filter {
            request = request.query("artifactType", filter);
        }
        let answer = case.registry.client.send(&request);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some(media_type::OCI_INDEX));
        assert_eq!(answer.header("oci-filters-applied"), filter.map(|_| "artifactType"));
        let index = answer.json();
        assert_eq!(
            (&index["mediaType"], &index["schemaVersion"]),
            (&json!(media_type::OCI_INDEX), &json!(2))
        );
        index["manifests"].as_array().expect("a list").clone()
    };
    let sorted = |mut entries: Vec<Value>| {
        entries.sort_by_key(|entry| entry["digest"].as_str().map(str::to_owned));
        entries
    };
    let subjects: BTreeSet<&Digest> = content.referrers.iter().map(|(subject, _)| subject).collect();
    for subject in subjects {
        let expected: Vec<Value> = content
            .referrers
            .iter()
            .filter(|(of, _)| of == subject)
            .map(|(_, listed)| listed.clone())
            .collect();
        assert_eq!(sorted(list(subject, None)), sorted(expected.clone()));
        let types: BTreeSet<&str> =
            expected.iter().filter_map(|entry| entry["artifactType"].as_str()).collect();
        for wanted in types {
            let fitting = expected.iter().filter(|entry| entry["artifactType"] == wanted).cloned().collect();
            assert_eq!(sorted(list(subject, Some(wanted))), sorted(fitting));
        }
        assert_eq!(list(subject, Some("application/vnd.example.none")), Vec::<Value>::new());
    }
}

fn delete(case: &Case, content: &Content) {
    let gone = |target: String| {
        assert_eq!(case.registry.client.delete(&*target).status, 202, "{target}");
        assert_eq!(case.registry.client.head(&*target).status, 404, "{target}");
    };
    for (tag, named) in &content.tags {
        gone(format!("/v2/{REPOSITORY}/manifests/{tag}"));
        let by_digest = case.registry.client.head(format!("/v2/{REPOSITORY}/manifests/{named}"));
        assert_eq!(by_digest.status, 200, "only the tag is gone");
    }
    for manifest in content.manifests.iter().rev() {
        gone(format!("/v2/{REPOSITORY}/manifests/{}", manifest.digest));
    }
    for (subject, _) in &content.referrers {
        let answer = case.registry.client.get(format!("/v2/{REPOSITORY}/referrers/{subject}"));
        assert_eq!(answer.json()["manifests"], json!([]));
    }
    for name in content.blobs.keys() {
        gone(format!("/v2/{REPOSITORY}/blobs/{name}"));
    }
}

fn image(case: &Case) {
    let mut content = Content::new(case.algorithm);
    content.image(2, media_type::OCI_LAYER_GZIP, &Traits::tagged("image"));
    run(case, &content);
}

fn image_with_plain_layers(case: &Case) {
    let mut content = Content::new(case.algorithm);
    content.image(2, media_type::OCI_LAYER, &Traits::tagged("image-uncompressed"));
    run(case, &content);
}

fn image_with_a_large_manifest(case: &Case) {
    let mut content = Content::new(case.algorithm);
    let mut traits = Traits::tagged("large-manifest");
    for number in 0..390 {
        traits.annotations.insert(format!("large-annotation-{number}"), json!("A".repeat(10_000)));
    }
    content.image(2, media_type::OCI_LAYER_GZIP, &traits);
    run(case, &content);
}

fn index(case: &Case) {
    let mut content = Content::new(case.algorithm);
    content.index_of_two(&Traits::tagged("index"));
    run(case, &content);
}

fn nested_index(case: &Case) {
    let mut content = Content::new(case.algorithm);
    let indexes = [content.index_of_two(&Traits::default()), content.index_of_two(&Traits::default())];
    content.index(&indexes, &Traits::tagged("index-of-index"));
    run(case, &content);
}

fn empty_index(case: &Case) {
    let mut content = Content::new(case.algorithm);
    content.index(&[], &Traits::tagged("index"));
    run(case, &content);
}

fn artifact(case: &Case) {
    let mut content = Content::new(case.algorithm);
    let traits = Traits { artifact_type: Some(EXAMPLE_1), ..Traits::tagged("artifact") };
    content.artifact(EXAMPLE_1, &traits);
    run(case, &content);
}

fn index_of_artifacts(case: &Case) {
    let mut content = Content::new(case.algorithm);
    let of_type = Traits { artifact_type: Some(EXAMPLE_1), ..Traits::default() };
    let artifacts = [content.artifact(EXAMPLE_1, &of_type), content.artifact(EXAMPLE_1, &of_type)];
    content.index(&artifacts, &Traits { tag: Some("artifact-index"), ..of_type });
    run(case, &content);
}

fn artifact_without_layers(case: &Case) {
    let mut content = Content::new(case.algorithm);
    let empty = content.blob(EMPTY_JSON, b"{}");
    let traits = Traits { artifact_type: Some(EXAMPLE_1), ..Traits::tagged("artifact-without-layers") };
    content.manifest(empty.clone(), vec![empty], &traits);
    run(case, &content);
}

fn artifacts_with_a_subject(case: &Case) {
    let mut content = Content::new(case.algorithm);
    let subject = content.image(2, media_type::OCI_LAYER_GZIP, &Traits::tagged("image"));
    let plain = Traits { subject: Some(subject.clone()), ..Traits::default() };
    content.image(2, media_type::OCI_LAYER_GZIP, &plain);
    content.artifact(EXAMPLE_1, &Traits { tag: Some("one"), ..Traits::attached(EXAMPLE_1, &subject, 1) });
    content.artifact(EXAMPLE_2, &Traits { tag: Some("two"), ..Traits::attached(EXAMPLE_2, &subject, 2) });
    run(case, &content);
}

fn index_with_a_subject(case: &Case) {
    let mut content = Content::new(case.algorithm);
    let subject = content.index_of_two(&Traits::tagged("index"));
    let plain = Traits { subject: Some(subject.clone()), ..Traits::default() };
    content.index_of_two(&plain);
    content
        .index_of_two(&Traits { tag: Some("tagged-artifact"), ..Traits::attached(EXAMPLE_1, &subject, 1) });
    run(case, &content);
}

fn artifact_with_a_missing_subject(case: &Case) {
    let mut content = Content::new(case.algorithm);
    let missing = crate::support::digest(case.algorithm, b"missing content");
    let subject =
        json!({ "mediaType": media_type::OCI_MANIFEST, "digest": missing.to_string(), "size": 123 });
    content
        .artifact(EXAMPLE_1, &Traits { tag: Some("attached"), ..Traits::attached(EXAMPLE_1, &subject, 1) });
    run(case, &content);
}

fn data_in_descriptors(case: &Case) {
    let mut content = Content::new(case.algorithm);
    content.data_fields = true;
    content.image(2, media_type::OCI_LAYER_GZIP, &Traits::tagged("data-field"));
    run(case, &content);
}

fn layers_that_may_not_be_distributed(case: &Case) {
    let mut content = Content::new(case.algorithm);
    let elsewhere = |media_type: &str, seed: u64| {
        let name = crate::support::digest(case.algorithm, &noise(seed, 256));
        json!({
            "mediaType": media_type, "digest": name.to_string(), "size": 123_456,
            "urls": [format!("https://store.example.com/blobs/{name}")],
        })
    };
    let config = content.unique_blob(media_type::OCI_CONFIG);
    let layers = vec![
        elsewhere("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", 1),
        elsewhere("application/vnd.oci.image.layer.nondistributable.v1.tar", 2),
        content.unique_blob(media_type::OCI_LAYER_GZIP),
    ];
    content.manifest(config, layers, &Traits::tagged("non-distributable-image"));
    run(case, &content);
}

fn unknown_fields(case: &Case) {
    let mut content = Content::new(case.algorithm);
    content.index_of_two(&Traits { extra_fields: true, ..Traits::tagged("custom-fields") });
    run(case, &content);
}

fn no_layers(case: &Case) {
    let mut content = Content::new(case.algorithm);
    content.image(0, media_type::OCI_LAYER_GZIP, &Traits::tagged("no-layers"));
    run(case, &content);
}

#[test]
fn tags_beside_a_digest_at_least_ten_and_not_without_end() {
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let case = Case::new(NEXT_VERSION, algorithm);
        let mut content = Content::new(algorithm);
        content.index_of_two(&Traits::default());
        for manifest in content.manifests.clone() {
            for number in 0..10 {
                content
                    .tags
                    .push((format!("tag-{}-{number}", &manifest.digest.hex()[..8]), manifest.digest.clone()));
            }
        }
        run(&case, &content);

        let manifest = content.manifests.last().expect("there is an index");
        let target = format!("/v2/{REPOSITORY}/manifests/{}", manifest.digest);
        let request =
            (0..1000).fold(Request::new("PUT", target), |request, number| request.query("tag", number));
        let answer = case
            .registry
            .client
            .send(&request.header("content-type", &manifest.media_type).body(&*manifest.bytes));
        assert_eq!(answer.status, 414, "{}", answer.text());
    }
}

#[test]
fn a_manifest_under_the_digest_of_another_is_refused() {
    for rules in [VERSION_1_1, NEXT_VERSION] {
        let case = Case::new(rules, Algorithm::Sha256);
        let mut content = Content::new(Algorithm::Sha256);
        content.image(0, media_type::OCI_LAYER_GZIP, &Traits::default());
        for bytes in content.blobs.values() {
            case.registry.client.push_blob(REPOSITORY, bytes);
        }
        let manifest = &content.manifests[0];
        let mut bytes = manifest.bytes.clone();
        bytes.extend(b"  ");
        let target = format!("/v2/{REPOSITORY}/manifests/{}", manifest.digest);
        let put = Request::new("PUT", &*target).header("content-type", &manifest.media_type).body(bytes);
        let answer = case.registry.client.send(&put);
        assert_eq!((answer.status, &*answer.code()), (400, "DIGEST_INVALID"));
        assert_eq!(case.registry.client.head(target).status, 404);
    }
}
