//! Images made of other images without a build.

use serde_json::Value;
use tug_layer_store::NewEntry;
use tug_layer_store::tar::TarWriter;
use tug_oci::Descriptor;
use tug_testdata::registry_peer::{Behaviour, Peer};

use crate::tug::Tug;

/// A tar of files `name=content` and directories `name/`.
fn tar(entries: &[&str]) -> Vec<u8> {
    let mut tar = TarWriter::new(Vec::new());
    for entry in entries {
        match entry.split_once('=') {
            Some((name, content)) => {
                tar.header(&NewEntry::file(name, 0o644, content.len() as u64)).expect("a header is written");
                tar.content(content.as_bytes()).expect("content is written");
                tar.pad().expect("padding is written");
            }
            None => tar
                .header(&NewEntry::directory(entry.trim_end_matches('/'), 0o755))
                .expect("a header is written"),
        }
    }
    tar.finish().expect("the end is written")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn manifest(tug: &Tug, image: &str) -> Value {
    json(&tug.data(&["inspect", "--raw", image]))
}

fn config(tug: &Tug, image: &str) -> Value {
    json(&tug.data(&["inspect", "--config", image]))
}

/// The history, the oldest first.
fn history(tug: &Tug, image: &str) -> Vec<String> {
    let config = config(tug, image);
    let lines = config["history"].as_array().cloned().unwrap_or_default();
    let shown = |line: &Value| {
        let text = line["created_by"].as_str().or(line["comment"].as_str()).unwrap_or_default();
        format!("{}{text}", if line["empty_layer"] == true { "-" } else { "" })
    };
    lines.iter().map(shown).collect()
}

/// The paths in an image, by the tar that export writes.
fn files(tug: &Tug, image: &str) -> Vec<String> {
    let output = tug.command(&["export", image]).output().expect("tug can be started");
    assert!(output.status.success());
    let mut reader = tug_layer_store::tar::TarReader::new(output.stdout.as_slice(), Default::default());
    let mut paths = Vec::new();
    while let Some(entry) = reader.next_entry().expect("the tar is whole") {
        paths.push(String::from_utf8_lossy(&entry.path).into_owned());
    }
    paths
}

/// `base:1`, and `app` with a layer on it.
fn base_and_app() -> Tug {
    let tug = Tug::new().with("SOURCE_DATE_EPOCH", "1700000000");
    tug.write("base.tar", tar(&["etc/", "etc/release=1"]));
    tug.data(&["import", "-c", "ENV PATH=/bin V=1", "-c", "CMD [\"sh\"]", "base.tar", "base:1"]);
    tug.write(
        "app/Dockerfile",
        "FROM base:1 AS one\nUSER app\nFROM one\nCOPY x /app/x\nENV PATH=/app:$PATH OWN=1\n",
    );
    tug.write("app/x", "x");
    tug.data(&["build", "-q", "-t", "app", "app"]);
    tug
}

#[test]
fn an_edit_changes_the_config_and_no_layer_and_the_same_edit_gives_the_same_image() {
    let tug = Tug::new();
    tug.write("base.tar", tar(&["a=1"]));
    tug.data(&["import", "-c", "ENV PATH=/bin A=1", "-c", "CMD [\"sh\"]", "base.tar", "base"]);
    let words = [
        "edit",
        "base",
        "-t",
        "new",
        "-e",
        "B=2 3",
        "--env-rm",
        "A",
        "--entrypoint",
        "/bin/sh -c",
        "-l",
        "x=y",
        "-u",
        "1:2",
        "-w",
        "srv",
        "--expose",
        "80",
        "-v",
        "/data",
        "--stop-signal",
        "SIGINT",
        "--health-cmd",
        "true",
        "--health-interval",
        "5s",
        "-a",
        "note=it",
        "-c",
        "CMD [\"echo hi\"]",
        "--author",
        "me",
    ];
    let digest = tug.data(&words);
    assert_eq!(tug.data(&words), digest);
    insta::assert_snapshot!(config(&tug, "new")["config"], @r#"{"User":"1:2","ExposedPorts":{"80/tcp":{}},"Env":["PATH=/bin","B=2 3"],"Entrypoint":["/bin/sh","-c"],"Cmd":["echo hi"],"Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":5000000000},"Volumes":{"/data":{}},"WorkingDir":"/srv","Labels":{"x":"y"},"StopSignal":"SIGINT"}"#);
    insta::assert_snapshot!(history(&tug, "new").join("\n"), @r#"
    Imported from base.tar
    -ENV B=2 3
    -ENV without A
    -ENTRYPOINT ["/bin/sh" "-c"]
    -CMD ["echo hi"]
    -USER 1:2
    -WORKDIR /srv
    -EXPOSE map[80/tcp:{}]
    -VOLUME [/data]
    -STOPSIGNAL SIGINT
    -HEALTHCHECK &{["CMD-SHELL" "true"] "5s" "0s" "0s" "0s" '\x00'}
    -LABEL x=y
    -MAINTAINER me
    "#);
    let (before, after) = (manifest(&tug, "base"), manifest(&tug, "new"));
    assert_eq!(before["layers"], after["layers"]);
    assert_eq!(after["annotations"]["note"], "it");
    assert_eq!(config(&tug, "base")["created"], config(&tug, "new")["created"]);
    // What is so already makes nothing new.
    assert_eq!(tug.data(&["edit", "new", "-e", "B=2 3", "-u", "1:2"]), digest);
    // By its digest it gives an image without a name, which the next command takes.
    let nameless = tug.data(&["edit", digest.trim(), "--omit-history", "-e", "C=1"]);
    assert_eq!(tug.data(&["edit", nameless.trim(), "--omit-history", "--env-rm", "C"]), digest);
    tug.data(&["edit", "new", "--no-healthcheck", "--cmd", "", "--created", "0"]);
    let edited = config(&tug, "new");
    assert_eq!(edited["config"]["Healthcheck"]["Test"][0], "NONE");
    assert_eq!(
        (&edited["config"]["Cmd"], edited["created"].as_str()),
        (&Value::Null, Some("1970-01-01T00:00:00Z"))
    );
}

#[test]
fn edits_that_cannot_be_are_told() {
    let tug = Tug::new();
    tug.image(&["app"]);
    let shown: Vec<String> = [
        &["edit", "ap", "-e", "A=1"][..],
        &["edit", "app", "-e", "NOT_SET"],
        &["edit", "app", "--cmd", "'sh"],
        &["edit", "app", "-c", "RUN make"],
        &["edit", "app", "--env-rm", "NAMES"],
        &["edit", "app", "-a", "index:a=b"],
        &["edit", "app", "--health-retries", "3"],
        &["edit", "app", "--health-cmd", "true", "--health-interval", "soon"],
        &["edit", "app", "--platform", "linux/arm64", "-e", "A=1"],
        &["edit", "app", "-t", &format!("app@sha256:{}", "0".repeat(64)), "-e", "A=1"],
        &["edit", "0123456789ab", "--push", "-e", "A=1"],
        &["edit", "app", "--stop-signal", "SIGNOPE"],
    ]
    .iter()
    .map(|words| tug.run(words))
    .collect();
    insta::assert_snapshot!(shown.join("\n\n"), @"
    exit code 1
    --- stderr
    error: no image `ap` in the store

    hint: did you mean `app:latest`?
    hint: `--remote` takes it from its registry


    exit code 2
    --- stderr
    error: `--env NOT_SET`: there is no variable `NOT_SET` here

    hint: give it a value: `--env NOT_SET=…`


    exit code 2
    --- stderr
    error: `'sh` has a quote that is not closed

    hint: this is about `--cmd`


    exit code 2
    --- stderr
    error: `--change RUN make`: `RUN` changes more than the config

    hint: what can be changed: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME and WORKDIR


    exit code 0
    --- stdout
    sha256:47840871e69172e0b3828486254ac0d58db07fbdd3c68c9051cbb4fc2f3234cf

    --- stderr
    warning: `app` has no variable `NAMES`; did you mean `NAME`?
    `app` is like that already


    exit code 1
    --- stderr
    error: the annotation `a` is for an index, and `app` is an image

    hint: leave `index:` out to annotate the image


    exit code 1
    --- stderr
    error: the image has no health check whose times could be changed

    hint: give the command too: `--health-cmd`


    exit code 2
    --- stderr
    error: the health check is wrong: the flag `--interval` cannot be `soon`


    exit code 1
    --- stderr
    error: `app` is for linux/amd64, not for linux/arm64


    exit code 2
    --- stderr
    error: `app@sha256:0000000000000000000000000000000000000000000000000000000000000000` has a digest, and an image cannot be given one

    hint: this is about `--tag`


    exit code 2
    --- stderr
    error: `0123456789ab` is not a name to push to

    hint: say where to: `-t REGISTRY/NAME:TAG`


    exit code 2
    --- stderr
    error: `--stop-signal SIGNOPE`: `SIGNOPE` is not a signal

    hint: write a name such as `SIGTERM`, or a number from 1 to 64
    ");
}

#[test]
fn all_images_of_an_index_are_changed_and_statements_about_them_go() {
    let tug = Tug::new();
    tug.image(&["one"]);
    tug.data(&["edit", "one", "--set-platform", "linux/arm64", "-t", "two"]);
    let store = tug.store();
    let target = |name: &str| {
        let name = name.parse().expect("the test names images");
        store.resolve(&name).expect("the store can be read").expect("it is there")
    };
    let mut statement = target("one");
    statement.platform = Some("unknown/unknown".parse().expect("a platform"));
    statement.annotations.insert("vnd.docker.reference.type".to_owned(), "attestation-manifest".to_owned());
    statement.annotations.insert("vnd.docker.reference.digest".to_owned(), target("one").digest.to_string());
    let children = vec![target("one"), target("two"), statement];
    let index = store.write_index(children, Default::default(), Default::default()).expect("it is written");
    store.tag(&"all".parse().expect("a name"), &index).expect("it is named");
    let shown =
        tug.run(&["edit", "all", "-e", "X=1", "-a", "index:k=v", "-a", "manifest[linux/arm64]:own=1"]);
    assert!(shown.contains("left out an attestation"), "{shown}");
    let bytes = store.read_blob(&target("all").digest, 100_000).expect("it is there");
    let index: Value = serde_json::from_slice(&bytes).expect("it is JSON");
    let children: Vec<Descriptor> = serde_json::from_value(index["manifests"].clone()).expect("descriptors");
    let platforms: Vec<String> =
        children.iter().filter_map(|child| Some(child.platform.as_ref()?.to_string())).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    assert_eq!(index["annotations"]["k"], "v");
    for platform in &platforms {
        let of = |flag: &str| json(&tug.data(&["inspect", flag, "--platform", platform, "all"]));
        let env = of("--config")["config"]["Env"].as_array().cloned().unwrap_or_default();
        assert!(env.contains(&"X=1".into()), "{env:?}");
        assert_eq!(of("--raw")["annotations"]["own"] == "1", platform == "linux/arm64");
    }
    let one = tug.run(&["edit", "all", "--platform", "linux/arm64", "-e", "Y=1", "-t", "arm"]);
    assert!(one.contains("the result is the image for linux/arm64 alone"), "{one}");
    assert_eq!(config(&tug, "arm")["architecture"], "arm64");
    let missing = tug.run(&["edit", "all", "--platform", "linux/riscv64", "-e", "Y=1"]);
    assert!(missing.contains("has no image for linux/riscv64"), "{missing}");
}

#[test]
fn owners_of_what_is_appended_are_those_of_the_image() {
    let tug = Tug::new();
    let user_files = ["etc/", "etc/passwd=root:x:0:0::/:\nwww:x:33:34::/:\n", "etc/group=staff:x:50:\n"];
    tug.write("users.tar", tar(&user_files));
    tug.write("more.tar", tar(&["opt/", "opt/tool=1"]));
    tug.data(&["append", "scratch", "-f", "users.tar", "-t", "users"]);
    for (owner, expected) in [("www", "33:34"), ("www:staff", "33:50"), ("7:staff", "7:50"), ("7", "7:7")] {
        tug.data(&["append", "users", "-f", "more.tar", "--chown", owner, "-t", "site"]);
        let told = tug.data(&["ls", "--format", "{{.Owner}}", "site:/opt"]);
        assert_eq!(told.trim_end(), expected, "{owner}");
    }
    for wrong in ["nobody", "www:", ":", "www:nobody", "4294967295"] {
        let told = tug.run(&["append", "users", "-f", "more.tar", "--chown", wrong, "-t", "site"]);
        assert!(told.starts_with("exit code 1\n") && told.contains(&format!("`--chown {wrong}`")), "{told}");
    }
}

#[test]
fn layers_are_appended_from_tars_and_folders_and_paths_removed() {
    let tug = base_and_app();
    tug.write("more.tar", tar(&["opt/", "opt/tool=1"]));
    tug.write("site/index.html", "hello");
    tug.write("site/deep/er", "x");
    let words = [
        "append",
        "app",
        "-f",
        "more.tar",
        "-f",
        "site",
        "--rm",
        "/etc/release",
        "--dest",
        "/srv/www",
        "--chown",
        "33",
        "-t",
        "site",
    ];
    let digest = tug.data(&words);
    assert_eq!(tug.data(&words), digest, "with a time from outside it is the same each time");
    assert_eq!(
        files(&tug, "site"),
        [
            "app",
            "app/x",
            "etc",
            "srv",
            "srv/www",
            "srv/www/deep",
            "srv/www/deep/er",
            "srv/www/index.html",
            "srv/www/opt",
            "srv/www/opt/tool"
        ]
    );
    let lines = history(&tug, "site");
    assert_eq!(
        lines[lines.len() - 3..],
        ["RUN rm -rf /etc/release", "ADD more.tar /srv/www", "ADD . /srv/www"]
    );
    // A tar that nothing is changed of is the layer.
    tug.data(&["append", "scratch", "-f", "more.tar", "-t", "plain", "--platform", "linux/arm64"]);
    let layer = &manifest(&tug, "plain")["layers"][0];
    let bytes = std::fs::read(tug.path("more.tar")).expect("it is there");
    assert_eq!(layer["digest"], tug_oci::Digest::of(&bytes).to_string());
    assert_eq!(config(&tug, "plain")["architecture"], "arm64");
    let noted = tug.data(&["append", "base:1", "-f", "more.tar", "-t", "noted", "--set-base"]);
    assert!(noted.starts_with("sha256:"));
    assert_eq!(
        manifest(&tug, "noted")["annotations"]["org.opencontainers.image.base.name"],
        "docker.io/library/base:1"
    );
    let shown: Vec<String> = [
        &["append", "app", "--rm", "/nothing"][..],
        &["append", "app", "--rm", "/"],
        &["append", "app", "-f", "nothing.tar"],
        &["append", "app", "-f", "site/index.html"],
        &["append", "app", "-f", "more.tar", "--dest", "../x"],
        &["append", "app", "-f", "more.tar", "--chown", "www-data"],
        &["append", "app"],
    ]
    .iter()
    .map(|words| tug.run(words))
    .collect();
    insta::assert_snapshot!(shown.join("\n\n"), @"
    exit code 1
    --- stderr
    error: `app` has no `/nothing` to remove


    exit code 2
    --- stderr
    error: `/` is the whole image: expected a path in it

    hint: this is about `--rm`


    exit code 1
    --- stderr
    error: cannot append `nothing.tar`
      caused by: no such file or directory


    exit code 1
    --- stderr
    error: cannot append `site/index.html`
      caused by: the archive ends in the middle of an entry, after 0 bytes

    hint: it was not copied or downloaded whole; fetch it again


    exit code 2
    --- stderr
    error: `../x` is not a path in an image: it has a `..`

    hint: this is about `--dest`


    exit code 1
    --- stderr
    error: `--chown www-data`: no user `www-data` in the image's `/etc/passwd`


    exit code 2
    --- stderr
    error: `--file` is missing

    hint: `tug append --help` lists what it takes
    ");
}

#[test]
fn layers_become_one_and_the_history_tells() {
    let tug = base_and_app();
    tug.write("more.tar", tar(&["etc/", "etc/release=2"]));
    tug.data(&["append", "app", "-f", "more.tar", "-t", "three"]);
    let all = files(&tug, "three");
    tug.data(&["squash", "three", "-t", "flat"]);
    tug.data(&["squash", "three", "--base", "base:1", "-t", "two"]);
    tug.data(&["squash", "three", "--from", "2", "-t", "too"]);
    for (name, layers, has_base) in [("flat", 1, false), ("two", 2, true), ("too", 2, true)] {
        assert_eq!(manifest(&tug, name)["layers"].as_array().map(Vec::len), Some(layers), "{name}");
        assert_eq!(files(&tug, name), all, "{name}");
        let told = history(&tug, name).iter().filter(|line| !line.starts_with('-')).count();
        assert_eq!(told, layers, "{name}");
        assert_eq!(manifest(&tug, name)["annotations"].is_object(), has_base, "{name}");
    }
    assert_eq!(manifest(&tug, "two"), manifest(&tug, "too"));
    let shown: Vec<String> = [
        &["squash", "three", "--from", "4"][..],
        &["squash", "three", "--from", "sha256:ffffffff"],
        &["squash", "flat", "--base", "app"],
        &["squash", "flat"],
    ]
    .iter()
    .map(|words| tug.run(words).replace(manifest_digest(&tug, "flat").trim(), "DIGEST"))
    .collect();
    insta::assert_snapshot!(shown.join("\n\n"), @"
    exit code 1
    --- stderr
    error: `three` has no layer `4`

    hint: it has 3, counted from 1 below; `tug history three` lists them


    exit code 1
    --- stderr
    error: `three` has no layer `sha256:ffffffff`

    hint: expected a number, or the beginning of a digest; `tug history three` lists them


    exit code 1
    --- stderr
    error: `flat` does not stand on `app`

    hint: `--from` takes the number of a layer


    exit code 0
    --- stdout
    DIGEST

    --- stderr
    there is only one layer to squash, which stays as it is
    ");
}

fn manifest_digest(tug: &Tug, image: &str) -> String {
    tug.data(&["inspect", "-f", "{{.Digest}}", image])
}

#[test]
fn an_image_is_put_on_what_the_name_of_its_base_is_now() {
    let tug = base_and_app();
    let annotations = manifest(&tug, "app")["annotations"].clone();
    assert_eq!(annotations["org.opencontainers.image.base.name"], "docker.io/library/base:1");
    assert_eq!(annotations["org.opencontainers.image.base.digest"], manifest_digest(&tug, "base:1").trim());
    assert!(tug.run(&["rebase", "app", "--check"]).starts_with("exit code 0\n"));
    let before = manifest_digest(&tug, "app");
    assert!(tug.run(&["rebase", "app"]).contains("stands on that base already"));
    assert_eq!(manifest_digest(&tug, "app"), before);

    tug.data(&["tag", "base:1", "base:old"]);
    tug.write("new.tar", tar(&["etc/", "etc/release=2", "etc/new=1"]));
    tug.data(&[
        "import",
        "-c",
        "ENV PATH=/sbin:/bin V=2",
        "-c",
        "USER nobody",
        "-c",
        "CMD [\"bash\"]",
        "new.tar",
        "base:1",
    ]);
    let check = tug.run(&["rebase", "app", "--check", "--format", "{{.Status}} {{.Base}}"]);
    assert_eq!(check, "exit code 1\n--- stdout\noutdated docker.io/library/base:1\n");
    assert_eq!(manifest_digest(&tug, "app"), before, "nothing was made");
    let told = tug.run(&["rebase", "app", "-t", "rebased"]);
    let told = told.split("--- stderr\n").nth(1).unwrap_or_default();
    insta::assert_snapshot!(told, @r#"
    warning: linux/amd64: User stays `app`; the base has changed it too, from nothing to `nobody`
    linux/amd64: Env PATH had `/bin` in it, and has `/sbin:/bin` now
    linux/amd64: Env V is `2`, as in the new base; it was `1`
    linux/amd64: Cmd is `["bash"]`, as in the new base; it was `["sh"]`
    "#);
    assert_eq!(files(&tug, "rebased"), ["app", "app/x", "etc", "etc/new", "etc/release"]);
    let rebased = config(&tug, "rebased");
    assert_eq!(rebased["config"]["Env"], serde_json::json!(["PATH=/app:/sbin:/bin", "V=2", "OWN=1"]));
    assert_eq!((&rebased["config"]["User"], &rebased["config"]["Cmd"][0]), (&"app".into(), &"bash".into()));
    insta::assert_snapshot!(history(&tug, "rebased").join("\n"), @"
    Imported from new.tar
    -USER app
    COPY x /app/x # buildkit
    -ENV PATH=/app:/bin OWN=1
    ");
    let annotations = &manifest(&tug, "rebased")["annotations"];
    assert_eq!(annotations["org.opencontainers.image.base.digest"], manifest_digest(&tug, "base:1").trim());
    // There and back again.
    tug.data(&["rebase", "rebased", "--new-base", "base:old", "-t", "back"]);
    assert_eq!(manifest(&tug, "back")["layers"], manifest(&tug, "app")["layers"]);

    tug.image(&["other"]);
    let shown: Vec<String> = [
        &["rebase", "base:1"][..],
        &["rebase", "app", "--old-base", "base:1"],
        &["rebase", "app", "--new-base", "nothing"],
        &["rebase", "base:1", "--old-base", "base:1"],
    ]
    .iter()
    .map(|words| tug.run(words))
    .collect();
    insta::assert_snapshot!(shown.join("\n\n"), @"
    exit code 1
    --- stderr
    error: `base:1` does not say on which base it was built

    hint: name it with `--old-base`: only images that were built with a recent tug, or another builder that writes `org.opencontainers.image.base.digest`, say so


    exit code 1
    --- stderr
    error: cannot rebase `app`
      caused by: the old base has 1 layers, of which the image has only the lowest 0

    hint: `--old-base` must be what the image was built on, which may not be what that name points to now


    exit code 1
    --- stderr
    error: no image `nothing` in the store

    hint: `tug images` lists what is there


    exit code 1
    --- stderr
    error: `base:1` does not say what its base is called

    hint: name the new one with `--new-base`
    ");
    tug.data(&["edit", "base:old", "--set-platform", "linux/s390x", "-t", "mainframe"]);
    let shown = tug.run(&["rebase", "app", "--new-base", "mainframe"]);
    assert!(shown.contains("the image is for linux/amd64, and the new base for linux/s390x"), "{shown}");
}

#[test]
fn the_base_is_known_through_stages_and_not_where_there_is_none() {
    let tug = base_and_app();
    let name = |file: &str, flags: &[&str]| {
        tug.write("c/Dockerfile", file);
        let words: Vec<&str> = ["build", "-q", "-t", "it", "c"].iter().chain(flags).copied().collect();
        tug.data(&words);
        manifest(&tug, "it")["annotations"]["org.opencontainers.image.base.name"].as_str().map(str::to_owned)
    };
    let base = Some("docker.io/library/base:1".to_owned());
    assert_eq!(name("FROM base:1", &[]), base);
    assert_eq!(name("FROM scratch\nLABEL a=b", &[]), None);
    assert_eq!(name("FROM scratch\nCOPY --from=base:1 / /", &[]), None);
    assert_eq!(name("FROM base:1\nCOPY Dockerfile /\nCOPY Dockerfile /b", &["--squash"]), base);
    assert_eq!(name("FROM base:1\nCOPY Dockerfile /", &["--squash-all"]), None);
    let id = tug.data(&["inspect", "-f", "{{.Id}}", "base:1"]);
    assert_eq!(name(&format!("FROM {}", &id["sha256:".len()..][..12]), &[]), None);
    assert_eq!(name("FROM x", &["--build-context", "x=docker-image://base:1"]), base);
}

#[test]
fn images_of_a_registry_change_without_a_layer_being_moved() {
    let tug = Tug::new().with("TUG_OFFLINE", "");
    let peer = Peer::start(Behaviour::default());
    let image = peer.add_image("app", "1", &[tar(&["a=1"]), tar(&["b=2"])]);
    let address = peer.address().to_owned();
    let (from, to) = (format!("{address}/app:1"), format!("{address}/other:2"));
    let pushed = tug.data(&["edit", &from, "-e", "A=1", "-t", &to, "--push"]);
    assert!(pushed.starts_with(&format!("{address}/other@sha256:")), "{pushed}");
    for (digest, _) in &image.layers {
        let moved: Vec<_> = [peer.asked("GET", digest), peer.asked("PUT", digest)].concat();
        assert!(moved.is_empty(), "{:?}", peer.lines());
    }
    assert_eq!(tug.data(&["images", "-q"]), "", "it has no name in the store");
    let env = tug.data(&["inspect", "--remote", "-f", "{{json .Config.Env}}", &to]);
    assert!(env.contains("A=1"), "{env}");
    // By its digest, it is pushed by its digest.
    let pinned = format!("docker://{}", pushed.trim());
    let again = tug.data(&["edit", &pinned, "-e", "B=1", "--push"]);
    assert!(again.starts_with(&format!("{address}/other@sha256:")) && again != pushed, "{again}");
    let tagged = tug.data(&["inspect", "--remote", "-f", "{{json .Config.Env}}", &to]);
    assert!(!tagged.contains("B=1"), "{tagged}");
}
