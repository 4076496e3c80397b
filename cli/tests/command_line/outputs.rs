//! Where the result of a build goes: folders, tars, layouts, archives, the store.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use tug_oci::{Descriptor, Index, Manifest, media_type};

use crate::tug::Tug;

const DOCKERFILE: &str = "\
FROM scratch AS first
COPY one.txt /kept/one.txt
COPY two.txt /kept/two.txt
COPY --chmod=600 two.txt /kept/one.txt
FROM first
ARG TARGETARCH
COPY <<END /arch
$TARGETARCH
END
";

fn project() -> Tug {
    let tug = Tug::new().with("SOURCE_DATE_EPOCH", "1700000000");
    tug.write("app/Dockerfile", DOCKERFILE);
    tug.write("app/one.txt", "one\n");
    tug.write("app/two.txt", "two\n");
    tug
}

fn text(tug: &Tug, path: &str) -> String {
    fs::read_to_string(tug.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn parsed<T: serde::de::DeserializeOwned>(tug: &Tug, path: &str) -> T {
    serde_json::from_str(&text(tug, path)).expect("it is the document that it should be")
}

fn layout_blob<T: serde::de::DeserializeOwned>(tug: &Tug, layout: &str, descriptor: &Descriptor) -> T {
    parsed(tug, &format!("{layout}/blobs/sha256/{}", descriptor.digest.hex()))
}

fn layout_index(tug: &Tug, layout: &str) -> Index {
    parsed(tug, &format!("{layout}/index.json"))
}

#[test]
fn files_of_the_image_land_in_a_folder() {
    let tug = project();
    for words in [&["-o", "out"][..], &["--output", "type=local,dest=out"]] {
        let shown = tug.run_timeless(&[&["build"], words, &["-t", "app", "app"]].concat());
        assert!(shown.starts_with("exit code 0\n--- stderr\n"), "{shown}");
        assert!(shown.contains("\nBuilt in N.Ns (4 steps, "), "{shown}");
        assert_eq!(text(&tug, "out/kept/one.txt"), "two\n");
        let mode = fs::metadata(tug.path("out/kept/one.txt")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }
    assert_eq!(tug.data(&["images", "-q"]), "", "files only, so there is no image");
    tug.write("out/other", "other");
    tug.data(&["build", "-o", "type=local,dest=out", "app"]);
    assert_eq!(text(&tug, "out/other"), "other");
    tug.data(&["build", "-o", "type=local,dest=out,mode=delete", "app"]);
    assert!(!tug.path("out/other").exists() && tug.path("out/kept/two.txt").exists());
}

#[test]
fn a_folder_that_holds_more_than_outputs_is_not_emptied() {
    let tug = project();
    for dest in [".", "app"] {
        let shown = tug.run(&["build", "-o", &format!("type=local,dest={dest},mode=delete"), "app"]);
        assert!(shown.starts_with("exit code 2\n"), "{shown}");
        assert!(shown.contains("`mode=delete` would empty"), "{shown}");
    }
    // An image without files, should this ever fail.
    tug.write("empty/Dockerfile", "FROM scratch\nENV A=1\n");
    for output in ["/", "type=local,dest=/", "type=local,dest=//,mode=delete"] {
        let shown = tug.run(&["build", "-o", output, "empty"]);
        assert!(shown.starts_with("exit code 2\n") && shown.contains("`/` cannot be an output"), "{shown}");
    }
    assert_eq!(text(&tug, "app/one.txt"), "one\n");
}

#[test]
fn files_come_out_as_a_tar_in_a_file_or_on_standard_output() {
    let tug = project();
    let piped = tug.command(&["build", "-q", "-o", "-", "app"]).output().unwrap().stdout;
    tug.data(&["build", "-o", "out.tar", "app"]);
    tug.data(&["build", "-o", "type=tar,dest=other.tar", "app"]);
    assert!(!piped.is_empty());
    assert!(fs::read(tug.path("out.tar")).unwrap() == piped);
    assert!(fs::read(tug.path("other.tar")).unwrap() == piped);
    tug.data(&["build", "-q", "-t", "app", "app"]);
    tug.data(&["export", "app", "-o", "exported.tar"]);
    assert!(fs::read(tug.path("exported.tar")).unwrap() == piped);
}

#[test]
fn archives_and_layouts_have_the_image_with_its_names() {
    let tug = project();
    let outputs = [
        "type=docker,dest=docker.tar",
        "type=oci,dest=oci.tar",
        "type=oci,dest=layout,tar=false,name=other:1",
        "type=image",
    ];
    let words = outputs.iter().flat_map(|output| ["-o", output]);
    let words: Vec<&str> = ["build", "-t", "app"].into_iter().chain(words).chain(["app"]).collect();
    let digest = tug.data(&words);
    for (file, loaded) in [
        ("docker.tar", "Loaded image: app:latest\n"),
        ("oci.tar", "Loaded image: app:latest\n"),
        ("layout", "Loaded image: app:latest\nLoaded image: other:1\n"),
    ] {
        let store = format!("store-of-{file}");
        assert_eq!(tug.data(&["load", "--store", &store, "-i", file]), loaded, "{file}");
        assert_eq!(tug.data(&["inspect", "--store", &store, "-f", "{{.Digest}}", "app"]), digest);
    }
    assert_eq!(tug.data(&["inspect", "-f", "{{.Digest}}", "app"]), digest);
    assert_eq!(tug.data(&["images", "--format", "{{.Repository}}"]), "app\n");
}

#[test]
fn layers_can_be_compressed_and_the_store_has_the_image_in_that_form() {
    let tug = project();
    for (compression, kind) in [("gzip", media_type::OCI_LAYER_GZIP), ("zstd", media_type::OCI_LAYER_ZSTD)] {
        let name = format!("app:{compression}");
        let output = format!("type=image,name={name},compression={compression}");
        tug.data(&["build", "-o", &output, "app"]);
        tug.data(&["save", "--format", "oci-dir", "-o", compression, &name]);
        let index = layout_index(&tug, compression);
        let manifest: Manifest = layout_blob(&tug, compression, &index.manifests[0]);
        assert!(manifest.layers.iter().all(|layer| layer.media_type == kind), "{manifest:?}");
        // Whoever gets it sees the same files.
        let other = format!("store-{compression}");
        tug.data(&["load", "--store", &other, "-i", compression]);
        assert_eq!(tug.data(&["export", "--store", &other, &name]), tug.data(&["export", &name]));
    }
    let output = "type=oci,dest=docker,tar=false,oci-mediatypes=false";
    tug.data(&["build", "-t", "app", "-o", output, "app"]);
    assert_eq!(layout_index(&tug, "docker").manifests[0].media_type, media_type::DOCKER_MANIFEST);
}

#[test]
fn several_platforms_become_an_index() {
    let tug = project();
    let both = ["build", "--platform", "linux/arm64,linux/amd64"];
    let files = ["-t", "app", "--metadata-file", "metadata", "--iidfile", "id", "app"];
    let digest = tug.data(&[&both[..], &files].concat());
    tug.data(&["save", "--format", "oci-dir", "-o", "layout", "app"]);
    let top = layout_index(&tug, "layout").manifests.remove(0);
    assert_eq!(top.digest.to_string(), digest.trim());
    assert_eq!(top.media_type, media_type::OCI_INDEX);
    let index: Index = layout_blob(&tug, "layout", &top);
    let platforms: Vec<String> =
        index.manifests.iter().map(|child| child.platform.as_ref().unwrap().to_string()).collect();
    assert_eq!(platforms, ["linux/arm64", "linux/amd64"]);
    assert_eq!(text(&tug, "id"), digest.trim());
    let metadata: Value = serde_json::from_str(&text(&tug, "metadata")).unwrap();
    assert_eq!(metadata["containerimage.digest"], digest.trim());
    assert_eq!(metadata["containerimage.descriptor"]["mediaType"], media_type::OCI_INDEX);
    assert_eq!(metadata.get("containerimage.config.digest"), None);

    tug.data(&["build", "--platform", "linux/arm64", "--platform", "linux/amd64", "-o", "out", "app"]);
    assert_eq!(text(&tug, "out/linux_arm64/arch"), "arm64\n");
    assert_eq!(text(&tug, "out/linux_amd64/arch"), "amd64\n");
    let together = ["--progress=none", "-o", "type=local,dest=one,platform-split=false", "app"];
    insta::assert_snapshot!(tug.run(&[&both[..], &together].concat()), @"
    exit code 1
    --- stderr
    error: `/arch` differs between `linux_arm64` and `linux_amd64`

    hint: leave `platform-split=false` away, so that each platform has a folder of its own
    ");
    tug.data(&[&both[..], &["--target", "first"], &together].concat());
    assert_eq!(text(&tug, "one/kept/two.txt"), "two\n");
    let docker = ["--progress=none", "-o", "type=docker,dest=d.tar", "app"];
    let shown = tug.run(&[&both[..], &docker].concat());
    assert!(shown.contains("holds the image of one platform") && !tug.path("d.tar").exists(), "{shown}");

    tug.data(&["build", "--build-arg", "BUILDKIT_MULTI_PLATFORM=1", "-o", "single", "app"]);
    assert_eq!(fs::read_dir(tug.path("single")).unwrap().count(), 1);
}

#[test]
fn annotations_are_in_the_documents_that_they_name() {
    let tug = project();
    let output = "type=oci,dest=layout,tar=false,annotation-manifest-descriptor.e=5";
    tug.data(&[
        "build",
        "--annotation",
        "a=1",
        "--annotation",
        "index:b=2",
        "--annotation",
        "manifest[linux/arm64]:c=3",
        "--annotation",
        "index-descriptor:d=4",
        "--platform",
        "linux/amd64,linux/arm64",
        "-o",
        output,
        "app",
    ]);
    let top = layout_index(&tug, "layout").manifests.remove(0);
    assert_eq!(top.annotations["d"], "4");
    let index: Index = layout_blob(&tug, "layout", &top);
    assert_eq!(index.annotations, BTreeMap::from([("b".to_owned(), "2".to_owned())]));
    assert!(index.manifests.iter().all(|child| child.annotations["e"] == "5"));
    let of: Vec<Manifest> = index.manifests.iter().map(|child| layout_blob(&tug, "layout", child)).collect();
    assert_eq!((of[0].annotations.len(), of[1].annotations.len()), (1, 2));

    let shown = tug.run(&["build", "--progress=none", "--annotation", "index:a=b", "app"]);
    insta::assert_snapshot!(shown, @"
    exit code 1
    --- stderr
    error: the annotation `a` is for an index, and an image for one platform has none

    hint: build for several platforms, or with `--build-arg BUILDKIT_MULTI_PLATFORM=1`
    ");
}

#[test]
fn new_layers_can_become_one() {
    let tug = project();
    tug.data(&["build", "-q", "-t", "base", "--target", "first", "app"]);
    let dockerfile = "FROM base\nCOPY Dockerfile /a\nENV A=b\nCOPY Dockerfile /b\nCOPY Dockerfile /a/\n";
    tug.write("next/Dockerfile", dockerfile.replace("/a/", "/c"));
    tug.data(&["build", "-q", "-t", "next", "next"]);
    tug.data(&["build", "-q", "-t", "squashed", "--squash", "next"]);
    tug.data(&["build", "-q", "-t", "all", "--squash-all", "next"]);
    let layers = |name: &str| {
        let layers = tug.data(&["inspect", "-f", "{{json .RootFS.Layers}}", name]);
        serde_json::from_str::<Vec<String>>(&layers).unwrap()
    };
    assert_eq!(layers("squashed").len(), layers("base").len() + 1);
    assert!(layers("squashed").starts_with(&layers("base")));
    assert_eq!(layers("all").len(), 1);
    let files = tug.data(&["export", "next"]);
    assert!(tug.data(&["export", "squashed"]) == files);
    assert!(tug.data(&["export", "all"]) == files);
    let lines = tug.data(&["history", "--format", "{{.CreatedBy}}|{{.Comment}}", "--no-trunc", "squashed"]);
    assert!(lines.contains("ENV A=b") && lines.contains("3 layers as one"), "{lines}");
    assert_eq!(lines.lines().count(), tug.data(&["history", "-q", "next"]).lines().count() + 1);
}

#[test]
fn wrong_outputs_are_named_before_anything_is_built() {
    let tug = project();
    tug.write("file", "");
    let mut shown = String::new();
    for words in [
        &["-o", "type=locla,dest=x"][..],
        &["-o", "type=local"],
        &["-o", "type=oci,compresion=gzip"],
        &["-o", "type=registry"],
        &["-o", "type=image,push=true"],
        &["--push"],
        &["-o", "-", "-o", "type=oci"],
        &["-o", "file"],
        &["-o", "type=oci,dest=no-such-folder/x.tar"],
        &["--annotation", "idnex:a=b"],
        &["--squash", "--squash-all"],
        &["--build-arg", "BUILDKIT_MULTI_PLATFORM=maybe"],
        &["--platform", "linux/amd64,,"],
    ] {
        let all = [&["build"], words, &["app"]].concat();
        shown += &format!("$ tug {}\n{}\n", all.join(" "), tug.run(&all));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn a_second_build_shows_whether_the_first_one_can_be_repeated() {
    let tug = project();
    let digest = tug.data(&["build", "-q", "-t", "app", "app"]);
    let cached = |tug: &Tug| {
        let mut records = Vec::new();
        let mut open = vec![tug.path("store/cache")];
        while let Some(folder) = open.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    open.push(path);
                } else if path.extension().is_some_and(|extension| extension == "json") {
                    records.push((path.clone(), fs::read(path).unwrap()));
                }
            }
        }
        records.sort();
        records
    };
    let before = cached(&tug);
    let shown = tug.run(&["build", "--progress=none", "--check-reproducible", "app"]);
    let digest = digest.trim();
    assert_eq!(shown, format!("exit code 0\n--- stdout\nreproducible: linux/amd64 {digest} (4 layers)\n"));
    assert!(cached(&tug) == before, "the second build has left something in the cache");

    let tug = Tug::new();
    tug.write("app/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let shown = tug.run(&["build", "--progress=none", "--check-reproducible", "app"]);
    assert!(shown.starts_with("exit code 1\n--- stdout\nnot reproducible: linux/amd64 sha256:"), "{shown}");
    assert!(shown.contains("\nconfig\n  created: \"20"), "{shown}");
    assert!(shown.contains("\nhint: without `SOURCE_DATE_EPOCH` or"), "{shown}");
    let report =
        tug.command(&["build", "--progress=none", "--check-reproducible=json", "app"]).output().unwrap();
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(
        (&report["reproducible"], &report["images"][0]["config"][0]["field"]),
        (&false.into(), &"created".into())
    );
    for words in [&["-"][..], &["-f", "-", "app"], &["-o", "-", "app"]] {
        let shown = tug.run(&[&["build", "--check-reproducible"], words].concat());
        assert!(shown.starts_with("exit code 2\n"), "{shown}");
    }
}

#[test]
#[ignore = "needs root, busybox"]
fn the_first_byte_that_two_builds_disagree_about_is_named_needs_root_needs_busybox() {
    let tug = Tug::new().with("SOURCE_DATE_EPOCH", "1700000000");
    tug.base();
    let dockerfile =
        "FROM base\nRUN echo same > /a\nRUN mkdir /d; cat /proc/sys/kernel/random/uuid > /d/id\nRUN true\n";
    tug.write("app/Dockerfile", dockerfile);
    let shown = tug.run(&["build", "--network=none", "--progress=none", "--check-reproducible", "app"]);
    assert!(shown.starts_with("exit code 1\n--- stdout\nnot reproducible: "), "{shown}");
    assert!(shown.contains("\nlayer 3: RUN /bin/sh -c mkdir /d; cat"), "{shown}");
    assert!(shown.contains("\n  /d/id\n    content: byte "), "{shown}");
    assert!(
        !shown.contains("layer 2") && !shown.contains("layer 4") && !shown.contains("\nconfig"),
        "{shown}"
    );
    let same = "FROM base\nRUN echo same > /a && date > /b && touch -d @1000000000 /c\nCOPY Dockerfile /\n";
    tug.write("app/Dockerfile", same.replace(" && date > /b", ""));
    let shown = tug.run(&["build", "--network=none", "--progress=none", "--check-reproducible", "app"]);
    assert!(shown.starts_with("exit code 0\n--- stdout\nreproducible: "), "{shown}");
}
