//! Lists of tags and referrers when there is nothing, and page by page.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tug_oci::{Digest, media_type};

use crate::content::{Content, EXAMPLE_1, Traits};
use crate::support::{Answer, Registry, Request};

fn push(registry: &Registry, repository: &str, content: &Content) {
    for bytes in content.blobs.values() {
        registry.client.push_blob(repository, bytes);
    }
    for manifest in &content.manifests {
        let put = Request::new("PUT", format!("/v2/{repository}/manifests/{}", manifest.digest));
        let put = content
            .tags
            .iter()
            .filter(|(_, named)| *named == manifest.digest)
            .fold(put, |put, (tag, _)| put.query("tag", tag));
        let answer =
            registry.client.send(&put.header("content-type", &manifest.media_type).body(&*manifest.bytes));
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
}

/// The entries of all pages, by following the links, and how many pages there were.
fn follow(
    registry: &Registry,
    first: &str,
    entries: impl Fn(&Answer) -> Vec<String>,
) -> (Vec<String>, usize) {
    let (mut all, mut pages, mut next) = (Vec::new(), 0, Some(first.to_owned()));
    while let Some(target) = next {
        let answer = registry.client.get(target);
        assert_eq!(answer.status, 200, "{}", answer.text());
        all.extend(entries(&answer));
        pages += 1;
        next = answer.header("link").map(|link| {
            let target = link.strip_prefix('<').and_then(|rest| rest.strip_suffix(">; rel=\"next\""));
            target.expect("a link to the next page").to_owned()
        });
    }
    (all, pages)
}

fn names(value: &Value) -> Vec<String> {
    serde_json::from_value(value.clone()).expect("a list of names")
}

#[test]
fn the_registry_says_that_it_is_one() {
    let registry = Registry::start();
    for path in ["/v2/", "/v2"] {
        let answer = registry.client.get(path);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("docker-distribution-api-version"), Some("registry/2.0"));
    }
}

#[test]
fn where_there_is_nothing_lists_are_empty_or_say_that_the_repository_is_unknown() {
    let registry = Registry::start();
    let answer = registry.client.get("/v2/conformance/repo1/tags/list");
    assert_eq!((answer.status, &*answer.code()), (404, "NAME_UNKNOWN"));
    let answer = registry.client.get(format!("/v2/conformance/repo1/referrers/{}", Digest::of(b"")));
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [] })
    );
    assert_eq!(registry.client.get("/v2/_catalog").json(), json!({ "repositories": [] }));
}

#[test]
fn tags_come_in_pages() {
    let registry = Registry::start();
    let mut content = Content::new(tug_oci::Algorithm::Sha256);
    content.image(0, media_type::OCI_LAYER, &Traits::default());
    let manifest = content.manifests[0].digest.clone();
    for tag in ["b", "B", "a.1", "a-1", "a_1", "a", "10", "9"] {
        content.tags.push((tag.to_owned(), manifest.clone()));
    }
    push(&registry, "many/tags", &content);
    let sorted = ["10", "9", "B", "a", "a-1", "a.1", "a_1", "b"];

    let tags = |answer: &Answer| names(&answer.json()["tags"]);
    let list = "/v2/many/tags/tags/list";
    assert_eq!(follow(&registry, list, tags), (sorted.map(str::to_owned).to_vec(), 1));
    assert_eq!(follow(&registry, &format!("{list}?n=3"), tags), (sorted.map(str::to_owned).to_vec(), 3));
    assert_eq!(follow(&registry, &format!("{list}?n=8"), tags), (sorted.map(str::to_owned).to_vec(), 1));
    assert_eq!(follow(&registry, &format!("{list}?n=0"), tags), (vec![], 1));
    assert_eq!(follow(&registry, &format!("{list}?last=C&n=9"), tags).0, sorted[3..]);
    assert_eq!(follow(&registry, &format!("{list}?last=zzz"), tags).0, Vec::<String>::new());
    for wrong in ["-1", "many", "99999999999999999999999"] {
        let answer = registry.client.get(format!("{list}?n={wrong}"));
        assert_eq!((answer.status, &*answer.code()), (400, "PAGINATION_NUMBER_INVALID"));
    }
}

#[test]
fn repositories_come_in_pages_and_only_with_manifests() {
    let registry = Registry::with(|options| options.max_page = 3);
    let mut content = Content::new(tug_oci::Algorithm::Sha256);
    content.image(0, media_type::OCI_LAYER, &Traits::default());
    let repositories = ["a", "a-b", "a/b", "a/blobs", "b/index.json", "blobs", "library/busybox"];
    for repository in repositories {
        push(&registry, repository, &content);
    }
    registry.client.push_blob("blob/only", b"blob");
    let list = |answer: &Answer| names(&answer.json()["repositories"]);
    let all = repositories.map(str::to_owned).to_vec();
    assert_eq!(follow(&registry, "/v2/_catalog", list), (all.clone(), 3));
    assert_eq!(follow(&registry, "/v2/_catalog?n=2", list), (all.clone(), 4));
    assert_eq!(follow(&registry, "/v2/_catalog?last=a-b", list).0, all[2..]);
}

#[test]
fn referrers_come_in_pages() {
    let registry = Registry::start();
    let mut content = Content::new(tug_oci::Algorithm::Sha256);
    let subject = content.image(1, media_type::OCI_LAYER, &Traits::default());
    for number in 0..7 {
        content.artifact(EXAMPLE_1, &Traits::attached(EXAMPLE_1, &subject, number));
    }
    push(&registry, "attached", &content);
    let expected: BTreeSet<String> = content
        .referrers
        .iter()
        .filter_map(|(_, listed)| listed["digest"].as_str().map(str::to_owned))
        .collect();
    let subject = subject["digest"].as_str().expect("a digest");
    let digests = |answer: &Answer| {
        let index = answer.json();
        let entries = index["manifests"].as_array().expect("a list");
        entries.iter().filter_map(|entry| entry["digest"].as_str().map(str::to_owned)).collect()
    };
    for query in ["n=3".to_owned(), format!("n=3&artifactType={EXAMPLE_1}")] {
        let (found, pages) = follow(&registry, &format!("/v2/attached/referrers/{subject}?{query}"), digests);
        assert_eq!(pages, 3);
        assert_eq!(found.len(), 7);
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    }
}

/// A list of referrers is a manifest to its readers, who take 4 MiB.
#[test]
fn a_page_of_referrers_is_never_larger_than_a_manifest_may_be() {
    let registry = Registry::start();
    let mut content = Content::new(tug_oci::Algorithm::Sha256);
    let subject = content.image(1, media_type::OCI_LAYER, &Traits::default());
    for number in 0..3 {
        let mut traits = Traits::attached(EXAMPLE_1, &subject, number);
        traits.annotations.insert("long".to_owned(), json!("x".repeat(1_500_000)));
        content.artifact(EXAMPLE_1, &traits);
    }
    push(&registry, "attached", &content);
    let subject = subject["digest"].as_str().expect("a digest");
    let sizes = |answer: &Answer| vec![answer.body.len().to_string()];
    let (sizes, pages) = follow(&registry, &format!("/v2/attached/referrers/{subject}"), sizes);
    assert_eq!(pages, 3);
    assert!(sizes.iter().all(|size| size.parse::<usize>().is_ok_and(|size| size <= 4 << 20)), "{sizes:?}");
}

#[test]
fn what_older_clients_wrote_under_a_tag_is_listed_too() {
    let registry = Registry::start();
    let mut content = Content::new(tug_oci::Algorithm::Sha256);
    let subject = content.image(1, media_type::OCI_LAYER, &Traits::default());
    let attached = content.artifact(EXAMPLE_1, &Traits::attached(EXAMPLE_1, &subject, 1));
    let mut older =
        content.artifact(EXAMPLE_1, &Traits { artifact_type: Some(EXAMPLE_1), ..Traits::default() });
    older["artifactType"] = json!(EXAMPLE_1);
    older["annotations"] = json!({ "from": "before" });
    content.index(&[attached.clone(), older.clone()], &Traits::default());
    let index = content.manifests.last().expect("the index").digest.clone();
    let subject = subject["digest"].as_str().expect("a digest");
    content.tags.push((subject.replace(':', "-"), index));
    push(&registry, "old", &content);
    let listed = registry.client.get(format!("/v2/old/referrers/{subject}")).json();
    let listed = listed["manifests"].as_array().expect("a list");
    assert_eq!(listed.len(), 2, "each once: {listed:?}");
    assert!(listed.contains(&older), "as it stood there: {listed:?}");
}
