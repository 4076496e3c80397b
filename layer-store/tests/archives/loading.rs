//! Every form of archive is loaded.

use std::io::Write;

use tug_layer_store::{LoadOptions, Names};
use tug_oci::{Digest, Index, Manifest, Raw, Reference, media_type};

use crate::making::*;

#[test]
fn an_old_docker_archive_is_loaded_through_the_links_in_it() {
    let (_folder, store) = store();
    let (base, top) = (layer("base"), layer("top"));
    let config = config(&[&base, &top, &base]);
    let name = format!("{}.json", config.digest().hex());
    let archive = Archive::new()
        .file("aaa/layer.tar", &base)
        .file("aaa/json", b"{}")
        .link("ccc/layer.tar", "../aaa/layer.tar")
        .file(&name, config.bytes())
        .file("bbb/layer.tar", &top)
        .file("manifest.json", &docker_manifest(&name, &["aaa/layer.tar", "bbb/layer.tar", "ccc/layer.tar"]))
        .file("repositories", b"{}")
        .finish();
    let loaded = load(&store, &archive).unwrap();
    assert_eq!(loaded[0].names, ["app:1".parse::<Reference>().unwrap()]);
    assert_eq!(diff_ids_of(&store, "app:1"), [&base, &top, &base].map(|layer| Digest::of(layer)));
    let image = store.find_image("app:1", &amd64()).unwrap().unwrap();
    assert_eq!(image.id(), config.digest());
    assert!(image.manifest.layers.iter().all(|layer| layer.media_type == media_type::OCI_LAYER));
}

#[test]
fn compressed_layers_of_a_docker_archive_are_held_against_their_diff_ids() {
    let (_folder, store) = store();
    let plain = layer("layer");
    let mut xz = liblzma_encoder();
    xz.write_all(&plain).unwrap();
    let files = [gzip(&plain), zstd(&plain), xz.finish().unwrap()];
    let config = config(&[&plain, &plain, &plain]);
    let archive = Archive::new()
        .file("manifest.json", &docker_manifest("c.json", &["0.tar.gz", "1", "2.tar"]))
        .file("c.json", config.bytes())
        .file("0.tar.gz", &files[0])
        .file("1", &files[1])
        .file("2.tar", &files[2])
        .finish();
    load(&store, &archive).unwrap();
    let image = store.find_image("app:1", &amd64()).unwrap().unwrap();
    let kinds: Vec<&str> = image.manifest.layers.iter().map(|layer| layer.media_type.as_str()).collect();
    assert_eq!(kinds, [media_type::OCI_LAYER_GZIP, media_type::OCI_LAYER_ZSTD, media_type::OCI_LAYER]);
    assert_eq!(image.manifest.layers[2].digest, Digest::of(&plain));

    let wrong = Archive::new()
        .file("manifest.json", &docker_manifest("c.json", &["0", "1", "2"]))
        .file("c.json", config.bytes())
        .file("0", &files[0])
        .file("1", &gzip(&layer("another")))
        .file("2", &files[2])
        .finish();
    let text = refusal(&wrong);
    assert!(text.starts_with("layer `1` should unpack to `sha256:"), "{text}");
}

fn liblzma_encoder() -> liblzma::write::XzEncoder<Vec<u8>> {
    liblzma::write::XzEncoder::new(Vec::new(), 1)
}

#[test]
fn an_oci_archive_is_loaded_in_any_order_and_compressed_with_anything() {
    let plain = layer("layer");
    let compressed = gzip(&plain);
    let config = config(&[&plain]);
    let manifest = manifest_of(&config, vec![describe(media_type::OCI_LAYER_GZIP, &compressed)]);
    let target = describe(media_type::OCI_MANIFEST, manifest.bytes());
    let forwards = Archive::new()
        .file("oci-layout", b"{}")
        .file("index.json", &index(&target))
        .blob(manifest.bytes())
        .blob(config.bytes())
        .blob(&compressed)
        .finish();
    let backwards = Archive::new()
        .blob(&compressed)
        .blob(config.bytes())
        .blob(manifest.bytes())
        .file("./index.json", &index(&target))
        .finish();
    for archive in [forwards.clone(), backwards, gzip(&forwards), zstd(&forwards)] {
        let (_folder, store) = store();
        let loaded = load(&store, &archive).unwrap();
        assert_eq!(loaded[0].target.digest, target.digest);
        assert_eq!(diff_ids_of(&store, "app:1"), [Digest::of(&plain)]);
        load(&store, &archive).unwrap();
        assert_eq!(store.refs().unwrap().len(), 1);
    }
}

#[test]
fn an_archive_of_both_forms_is_loaded_as_layout_with_the_names_of_both() {
    let (_folder, store) = store();
    let plain = layer("layer");
    let config = config(&[&plain]);
    let manifest = manifest_of(&config, vec![describe(media_type::OCI_LAYER, &plain)]);
    let target = describe(media_type::OCI_MANIFEST, manifest.bytes());
    let nameless = Raw::encode(Index::new(vec![target.clone()]));
    let blob = |content: &[u8]| format!("blobs/sha256/{}", Digest::of(content).hex());
    let archive = Archive::new()
        .file("index.json", nameless.bytes())
        .file("manifest.json", &docker_manifest(&blob(config.bytes()), &[&blob(&plain)]))
        .blob(&plain)
        .blob(config.bytes())
        .blob(manifest.bytes())
        .finish();
    let loaded = load(&store, &archive).unwrap();
    assert_eq!(loaded.len(), 1);
    assert_eq!(loaded[0].target.digest, target.digest, "the manifest of the layout is kept");
    assert_eq!(store.resolve(&"app:1".parse().unwrap()).unwrap().unwrap().digest, target.digest);
}

#[test]
fn of_an_index_only_the_images_that_are_there_are_needed() {
    let plain = layer("layer");
    let config = config(&[&plain]);
    let manifest = manifest_of(&config, vec![describe(media_type::OCI_LAYER, &plain)]);
    let child = |platform: &str, content: &[u8]| {
        let mut child = describe(media_type::OCI_MANIFEST, content);
        child.platform = Some(platform.parse().unwrap());
        child
    };
    let both = Raw::encode(Index::new(vec![
        child("linux/arm64", b"left out"),
        child("linux/amd64", manifest.bytes()),
    ]));
    let target = describe(media_type::OCI_INDEX, both.bytes());
    let documents =
        || Archive::new().file("index.json", &index(&target)).blob(both.bytes()).blob(config.bytes());

    let (_folder, store) = store();
    load(&store, &documents().blob(manifest.bytes()).blob(&plain).finish()).unwrap();
    assert_eq!(diff_ids_of(&store, "app:1"), [Digest::of(&plain)]);

    let text = refusal(&documents().blob(manifest.bytes()).finish());
    assert!(
        text.starts_with("layer 1 of 1, `blobs/sha256/") && text.ends_with("is missing from the archive"),
        "{text}"
    );
    let text = refusal(&documents().finish());
    assert!(text.starts_with("the manifest, `blobs/sha256/"), "{text}");
}

#[test]
fn what_is_no_image_is_left_out() {
    let plain = layer("layer");
    let config = config(&[&plain]);
    let manifest = manifest_of(&config, vec![describe(media_type::OCI_LAYER, &plain)]);
    let signature = Raw::encode(Manifest::new(describe("application/vnd.signature", b"{}"), Vec::new()));
    let entries = [
        describe("application/vnd.other", b"other"),
        describe(media_type::OCI_MANIFEST, signature.bytes()),
        describe(media_type::OCI_MANIFEST, manifest.bytes()),
    ];
    let archive = |count: usize| {
        let index = Raw::encode(Index::new(entries[..count].to_vec()));
        let archive = Archive::new().file("index.json", index.bytes()).blob(b"other").blob(b"{}");
        archive.blob(signature.bytes()).blob(manifest.bytes()).blob(config.bytes()).blob(&plain).finish()
    };
    let (_folder, store) = store();
    let loaded = load(&store, &archive(3)).unwrap();
    assert_eq!(loaded.len(), 1);
    assert!(!store.has_blob(signature.digest()).unwrap());
    assert_eq!(refusal(&archive(2)), "the archive holds no images");
}

#[test]
fn one_image_of_many_is_loaded_and_no_name_is_touched() {
    let (folder, store) = store();
    let (one, two) = (layer("one"), layer("two"));
    let layout = folder.path().join("layout");
    let entries = [&one, &two].map(|layer| {
        let config = config(&[layer]);
        let manifest = manifest_of(&config, vec![describe(media_type::OCI_LAYER, layer)]);
        (config.bytes().to_vec(), layer.clone(), manifest.bytes().to_vec())
    });
    std::fs::create_dir_all(layout.join("blobs/sha256")).unwrap();
    let mut targets = Vec::new();
    for ((config, layer, manifest), name) in entries.iter().zip(["app:1", "2"]) {
        for blob in [config, layer, manifest] {
            std::fs::write(layout.join("blobs/sha256").join(Digest::of(blob).hex()), blob).unwrap();
        }
        let mut target = describe(media_type::OCI_MANIFEST, manifest);
        target.annotations.insert(tug_oci::REF_NAME.to_owned(), name.to_owned());
        targets.push(target);
    }
    std::fs::write(layout.join("index.json"), Raw::encode(Index::new(targets)).bytes()).unwrap();
    let only = |name: &str| LoadOptions { only: Some(name.to_owned()), names: Names::Leave, ..options() };

    let loaded = store.load_path(&layout, &only("2")).unwrap();
    assert_eq!(loaded.len(), 1);
    let image = store.image(&loaded[0].target, &amd64()).unwrap();
    assert_eq!(image.diff_ids()[0].digest(), &Digest::of(&two));
    assert!(!store.has_blob(&Digest::of(&one)).unwrap(), "the other one was loaded too");
    assert!(store.refs().unwrap().is_empty());
    assert_eq!(store.images(&amd64()).unwrap(), [], "it is kept");

    let loaded = store.load_path(&layout, &only("docker.io/library/app:1")).unwrap();
    assert_eq!(loaded[0].names, ["app:1".parse::<Reference>().unwrap()]);
    let error = store.load_path(&layout, &only("3")).unwrap_err();
    assert_eq!(error.to_string(), "the archive holds no image `3`");
    assert_eq!(error.hint().unwrap(), "it has `app:1`, `2`");
}

#[test]
fn the_first_form_of_docker_is_loaded_with_the_chain_of_parents() {
    let (_folder, store) = store();
    let (low, high) = (layer("low"), layer("high"));
    let (a, b) = ("a".repeat(64), "b".repeat(64));
    let config = |id: &str, more: &str| {
        format!(
            r#"{{"id":"{id}",{more}"created":"2014-01-02T03:04:05Z","architecture":"amd64","os":"linux","Size":7,"config":{{"Cmd":["sh"]}},"container_config":{{"Cmd":["/bin/sh","-c","make"]}}}}"#
        )
    };
    let archive = Archive::new()
        .file(&format!("{b}/VERSION"), b"1.0")
        .file(&format!("{b}/json"), config(&b, &format!("\"parent\":\"{a}\",")).as_bytes())
        .file(&format!("{b}/layer.tar"), &high)
        .file(&format!("{a}/json"), config(&a, "").as_bytes())
        .file(&format!("{a}/layer.tar"), &gzip(&low))
        .file(
            "repositories",
            format!(r#"{{"app":{{"1":"{b}","latest":"{b}"}},"base":{{"1":"{a}"}}}}"#).as_bytes(),
        )
        .finish();
    let loaded = load(&store, &archive).unwrap();
    let names: Vec<String> =
        loaded.iter().flat_map(|image| image.names.iter().map(Reference::familiar)).collect();
    assert_eq!(names, ["base:1", "app:1", "app:latest"]);
    assert_eq!(diff_ids_of(&store, "app:1"), [&low, &high].map(|layer| Digest::of(layer)));
    let image = store.find_image("app:1", &amd64()).unwrap().unwrap();
    assert_eq!(image.config.config.cmd, Some(vec!["sh".to_owned()]));
    let history = &image.config.history;
    assert_eq!((history.len(), history[1].created_by.as_deref()), (2, Some("/bin/sh -c make")));
    assert!(image.config.other.keys().all(|key| key == "container_config"), "{:?}", image.config.other);
    assert_eq!(image.manifest.layers[0].media_type, media_type::OCI_LAYER_GZIP);
    let wanted = LoadOptions { only: Some("base:1".to_owned()), names: Names::Leave, ..options() };
    assert_eq!(store.load(&mut archive.as_slice(), &wanted).unwrap().len(), 1);
}

#[test]
fn what_is_loaded_is_ready_to_be_used_where_that_is_asked_for() {
    let (_folder, store) = store();
    let plain = layer("layer");
    let archive = |layer: &[u8]| {
        let config = config(&[layer]);
        Archive::new()
            .file("manifest.json", &docker_manifest("c.json", &["layer.tar"]))
            .file("c.json", config.bytes())
            .file("layer.tar", layer)
            .finish()
    };
    let unpacked = LoadOptions { unpacked: Some(tug_layer_store::Mountable::Later), ..options() };
    store.load(&mut archive(&plain).as_slice(), &unpacked).unwrap();
    let diff_id = tug_oci::DiffId::new(Digest::of(&plain));
    assert!(store.layer(&diff_id).unwrap().is_some(), "what is in it is known");
    // Its digest is right, but it is no layer.
    let error = store.load(&mut archive(b"no tar").as_slice(), &unpacked).unwrap_err();
    assert_eq!(error.to_string(), "the layers of `app:1` cannot be unpacked");
    assert_eq!(store.resolve(&"app:1".parse().unwrap()).unwrap().map(|_| ()), Some(()), "the name stays");
}
