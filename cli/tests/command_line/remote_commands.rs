//! Asking registries, and changing what is there: what is told, what is asked, and how mistakes end.

use std::process::Command;

use serde_json::{Value, json};
use tug_testdata::registry_peer::{
    Access, Answer, Behaviour, INDEX, Lists, MANIFEST, More, Peer, Referrers, Rule, descriptor, noise,
};

use crate::pty::Pty;
use crate::tug::Tug;

/// In an empty home, with nothing of this machine's configuration that could count.
fn here() -> Tug {
    let tug = Tug::new();
    let run = tug.path("run").display().to_string();
    let conf = tug.write("registries.conf", "").display().to_string();
    tug.with("XDG_RUNTIME_DIR", &run).with("CONTAINERS_REGISTRIES_CONF", &conf).with("SOURCE_DATE_EPOCH", "0")
}

/// What comes out, with the address of the registry replaced.
fn shown(tug: &Tug, peer: &Peer, words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| word.replace("REGISTRY", peer.address())).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    tug.run(&words).replace(peer.address(), "REGISTRY")
}

/// One after the other, each below its words.
fn all(tug: &Tug, peer: &Peer, commands: &[&[&str]]) -> String {
    commands.iter().map(|words| format!("$ tug {}\n{}\n", words.join(" "), shown(tug, peer, words))).collect()
}

/// `app` with two tags, and `multi` with an index of it, an image for arm64 and an attestation.
fn filled() -> Peer {
    let peer = Peer::start(Behaviour::default());
    let image = peer.add_image("app", "1.9", &[noise(1000, 1)]);
    peer.contents(|contents| {
        let app = contents.repository("app");
        app.tags.insert("1.10".to_owned(), image.digest.clone());
        app.tags.insert(image.digest.replace(':', "-"), image.digest.clone());
        let multi = contents.repository("team/multi");
        let one = multi.add_image("amd", &[noise(1000, 1)]);
        let config = json!({
            "architecture": "arm64", "os": "linux", "config": {"Labels": {"a": "b"}},
            "rootfs": {"type": "layers", "diff_ids": []},
        });
        let config = config.to_string();
        let config_digest = multi.add_blob(config.as_bytes());
        let arm = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config_digest, config.len()),
        });
        let arm = arm.to_string();
        let arm_digest = multi.add_manifest(MANIFEST, arm.as_bytes());
        let child = |digest: &str, size: usize, os: &str, architecture: &str| {
            let mut child = descriptor(MANIFEST, digest, size);
            child["platform"] = json!({"os": os, "architecture": architecture});
            child
        };
        let index = json!({
            "schemaVersion": 2, "mediaType": INDEX,
            "manifests": [
                child(&one.digest, one.manifest.len(), "linux", "amd64"),
                child(&arm_digest, arm.len(), "linux", "arm64"),
                child(&one.digest, one.manifest.len(), "unknown", "unknown"),
            ],
            "annotations": {"note": "mine"},
        });
        let digest = multi.add_manifest(INDEX, index.to_string().as_bytes());
        multi.tags.insert("1".to_owned(), digest);
    });
    peer
}

#[test]
fn what_is_there_is_told_without_pulling_it() {
    let (tug, peer) = (here(), filled());
    let text = all(
        &tug,
        &peer,
        &[
            &["tags", "REGISTRY/app"],
            &[
                "tags",
                "--sort",
                "version",
                "--reverse",
                "--exclude-digest-tags",
                "--limit",
                "1",
                "REGISTRY/app",
            ],
            &["image", "ls-remote", "--format", "{{.Name}}", "docker://REGISTRY/team/multi"],
            &["tags", "--format", "json", "--limit", "1", "REGISTRY/app"],
            &["catalog", "REGISTRY"],
            &["catalog", "--format", "table {{.Name}}", "https://REGISTRY/v2/"],
            &["search", "--format", "{{.Name}}", "REGISTRY/mult"],
            &["search", "--filter", "is-official=true", "REGISTRY/"],
            &["digest", "REGISTRY/team/multi:1"],
            &["digest", "--platform", "linux/arm64", "REGISTRY/team/multi:1"],
            &["digest", "--full-ref", "docker://REGISTRY/app:1.9"],
            &["inspect", "--remote", "--platform", "linux/arm64", "REGISTRY/team/multi:1"],
            &[
                "inspect",
                "--platform",
                "linux/amd64",
                "-f",
                "{{.ManifestDigest}} {{.Size}}",
                "docker://REGISTRY/app:1.9",
            ],
            &["inspect", "--raw", "docker://REGISTRY/team/multi:1"],
            &["inspect", "--config", "--platform", "arm64", "docker://REGISTRY/team/multi:1"],
            &["manifest", "inspect", "-f", "{{len .manifests}}", "REGISTRY/team/multi:1"],
        ],
    );
    insta::assert_snapshot!(text);
    assert!(peer.asked("GET", "/blobs/").iter().all(|asked| asked.sent < 1000), "no layer is fetched");
    assert!(!tug.path("store").join("blobs/sha256").read_dir().is_ok_and(|mut blobs| blobs.next().is_some()));
}

#[test]
fn what_is_wrong_is_named_with_its_exit_code() {
    let (tug, peer) = (here(), filled());
    peer.add(
        Rule::on("GET", "/v2/page/")
            .answer(Answer::body("<html>Welcome</html>").header("Content-Type", "text/html")),
    );
    peer.add(Rule::on("*", "/v2/secret/").answer(Answer::error(403, "DENIED", "not for you")));
    let text = all(
        &tug,
        &peer,
        &[
            &["tags", "REGISTRY/App"],
            &["tags", "REGISTRY/app:1.9"],
            &["tags", "REGISTRY/nothing"],
            &["tags", "REGISTRY/page"],
            &["tags", "REGISTRY/secret"],
            &["tags", "127.0.0.1:1/app"],
            &["catalog", "REGISTRY/app"],
            &["catalog", "docker.io"],
            &["search", "--filter", "pulls=3", "app"],
            &["search", "--limit", "0", "app"],
            &["digest", "REGISTRY/app:2"],
            &["digest", "REGISTRY/page:1"],
            &["digest", "--platform", "linux/s390x", "REGISTRY/team/multi:1"],
            &["inspect", "--remote", "REGISTRY/app:2"],
            &["inspect", "--remote", "sha256:0123"],
            &["inspect", "--remote", "--platform", "linux/s390x", "REGISTRY/team/multi:1"],
            &["inspect", "REGISTRY/app:2"],
            &["inspect", "--raw", "--config", "docker://REGISTRY/app:1.9"],
            &["referrers", "REGISTRY/app:2"],
            &["attach", "REGISTRY/app:1.9"],
            &["attach", "--artifact-type", "sbom", "REGISTRY/app:1.9"],
            &["attach", "--artifact-type", "a/b", "REGISTRY/app:1.9"],
            &["attach", "--artifact-type", "a/b", "REGISTRY/app:1.9", "nothing.txt"],
            &["delete", "REGISTRY/app"],
            &["delete", "REGISTRY/app:2"],
            &["manifest", "add", "none:1", "REGISTRY/app:1.9"],
            &["manifest", "push", "none:1"],
            &["manifest", "create", "list:1", "REGISTRY/app:2"],
            &["manifest", "inspect", "REGISTRY/page:1"],
        ],
    );
    insta::assert_snapshot!(text);
}

#[test]
fn long_lists_come_in_pages_and_are_asked_for_no_longer_than_needed() {
    let lists = Lists { page: 1000, ..Lists::default() };
    let (tug, peer) = (here(), Peer::start(Behaviour { lists, ..Behaviour::default() }));
    let image = peer.add_image("app", "latest", &[]);
    peer.contents(|contents| {
        for number in 0..2500 {
            contents.repository("app").tags.insert(format!("v{number:04}"), image.digest.clone());
        }
    });
    let repository = format!("{}/app", peer.address());
    assert_eq!(tug.data(&["tags", &repository]).lines().count(), 2501);
    assert_eq!(peer.asked("GET", "/tags/list").len(), 3);
    assert_eq!(tug.data(&["tags", "--limit", "3", &repository]), "latest\nv0000\nv0001\n");
    assert_eq!(peer.asked("GET", "/tags/list").len(), 4);
    assert_eq!(tug.data(&["tags", "--limit", "0", &repository]), "");
}

#[test]
fn peculiar_lists_are_read_as_well() {
    let lists = Lists { says_null: true, more: More::Loop, page: 1, ..Lists::default() };
    let (tug, peer) = (here(), Peer::start(Behaviour { lists, ..Behaviour::default() }));
    peer.contents(|contents| drop(contents.repository("empty").add_blob(b"")));
    assert_eq!(shown(&tug, &peer, &["tags", "REGISTRY/empty"]), "exit code 0");
    peer.add_image("app", "a", &[]);
    peer.add_image("app", "b", &[]);
    let shown = shown(&tug, &peer, &["tags", "REGISTRY/app"]);
    assert!(shown.starts_with("exit code 0\n--- stdout\na\n"), "it ends: {shown}");
}

#[test]
fn how_many_pulls_are_left_is_told() {
    let (tug, peer) = (here(), filled());
    let rule = Rule::on("GET", "/manifests/").header("ratelimit-limit", "100;w=21600");
    peer.add(rule.header("ratelimit-remaining", "76;w=21600"));
    let name = format!("docker://{}/app:1.9", peer.address());
    let limit = tug.data(&["inspect", "-f", "{{json .RateLimit}}", &name]);
    assert_eq!(
        limit,
        "{\"Limit\":100,\"Remaining\":76,\"Window\":21600}
"
    );
}

#[test]
fn credentials_are_used_and_their_lack_is_told() {
    let access = Access::Basic(vec![("me".to_owned(), "hunter2".to_owned())]);
    let (tug, peer) = (here(), Peer::start(Behaviour { access, ..Behaviour::default() }));
    peer.add_image("app", "1", &[]);
    let text = all(
        &tug,
        &peer,
        &[
            &["tags", "REGISTRY/app"],
            &["tags", "--creds", "me:wrong", "REGISTRY/app"],
            &["tags", "--creds", "me:hunter2", "REGISTRY/app"],
            &["catalog", "REGISTRY"],
            &["digest", "--creds", "me", "REGISTRY/app:1"],
        ],
    );
    insta::assert_snapshot!(text);
}

#[test]
fn a_tag_is_deleted_and_nothing_but_the_tag() {
    let (tug, peer) = (here(), filled());
    insta::assert_snapshot!(shown(&tug, &peer, &["delete", "REGISTRY/app:1.10"]), @"
    exit code 0
    --- stdout
    REGISTRY/app:1.10
    ");
    assert_eq!(peer.contents(|contents| contents.repository("app").tags.len()), 2);
    // A registry that cannot do so is not asked for more.
    peer.add(Rule::on("DELETE", "/manifests/").answer(Answer::error(405, "UNSUPPORTED", "no")));
    let shown = shown(&tug, &peer, &["delete", "--yes", "REGISTRY/app:1.9"]);
    assert!(shown.starts_with("exit code 3\n"), "{shown}");
    assert!(shown.contains("this registry deletes no tags"), "{shown}");
    assert!(peer.asked("DELETE", "sha256:").is_empty(), "{:?}", peer.lines());
}

#[test]
fn tags_that_would_go_with_a_manifest_are_named_first() {
    let (tug, peer) = (here(), filled());
    let digest = peer.contents(|contents| contents.repository("app").tags["1.9"].clone());
    let name = format!("{}/app@{digest}", peer.address());
    let shown = shown(&tug, &peer, &["delete", &name]);
    assert!(
        shown.starts_with("exit code 1\n") && shown.contains("takes these tags away: `1.10`, `1.9`"),
        "{shown}"
    );
    assert!(peer.asked("DELETE", "").is_empty());
    for (answer, code, deleted) in [("n\n", 1, 0), ("y\n", 0, 1)] {
        let mut pty = Pty::new();
        let mut command = tug.command(&["delete", &name]);
        command.stdin(pty.other_end()).stderr(pty.other_end()).stdout(std::process::Stdio::null());
        let mut child = command.spawn().expect("tug can be started");
        pty.text_until("[y/N] ");
        pty.type_text(answer);
        assert_eq!(child.wait().expect("tug can be waited for").code(), Some(code));
        assert_eq!(peer.asked("DELETE", "").len(), deleted);
    }
}

#[test]
fn files_are_attached_found_and_fetched() {
    for referrers in [Referrers::Listed, Referrers::Unfiltered, Referrers::Missing, Referrers::Html] {
        let (tug, peer) = (here(), Peer::start(Behaviour { referrers, ..Behaviour::default() }));
        peer.add_image("app", "1", &[noise(1000, 1)]);
        tug.write("report.txt", "all is well\n");
        tug.write("sbom.json", "{}");
        let text = all(
            &tug,
            &peer,
            &[
                &[
                    "attach",
                    "--artifact-type",
                    "example/report",
                    "-a",
                    "by=me",
                    "REGISTRY/app:1",
                    "report.txt:text/x-report",
                    "sbom.json",
                ],
                &["attach", "--artifact-type", "example/approval", "--annotation", "by=me", "REGISTRY/app:1"],
                &["referrers", "REGISTRY/app:1"],
                &["referrers", "--format", "tree", "REGISTRY/app:1"],
                &["referrers", "--artifact-type", "example/approval", "--format", "json", "REGISTRY/app:1"],
                &["referrers", "--artifact-type", "example/report", "--save", "out", "REGISTRY/app:1"],
                &["referrers", "--artifact-type", "example/report", "--save", "out", "REGISTRY/app:1"],
                &["referrers", "--artifact-type", "example/approval", "--save", "other", "REGISTRY/app:1"],
            ],
        );
        insta::assert_snapshot!("files_are_attached_found_and_fetched", text);
        assert_eq!(std::fs::read_to_string(tug.path("out/report.txt")).unwrap_or_default(), "all is well\n");
        assert!(!tug.path("other").exists());
    }
}

#[test]
fn attached_files_stay_in_their_folder_and_are_what_they_should_be() {
    let (tug, peer) = (here(), Peer::start(Behaviour::default()));
    let image = peer.add_image("app", "1", &[]);
    let attach = |title: &str, bytes: &[u8]| {
        peer.contents(|contents| {
            let app = contents.repository("app");
            let blob = app.add_blob(bytes);
            let empty = app.add_blob(b"{}");
            let mut layer = descriptor("text/plain", &blob, bytes.len());
            layer["annotations"] = json!({"org.opencontainers.image.title": title});
            let manifest = json!({
                "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": format!("example/{}", bytes.len()),
                "config": descriptor("application/vnd.oci.empty.v1+json", &empty, 2), "layers": [layer],
                "subject": descriptor(MANIFEST, &image.digest, image.manifest.len()),
            });
            app.add_manifest(MANIFEST, manifest.to_string().as_bytes());
        });
    };
    attach("../evil", b"one");
    attach("good", b"four");
    let shown_evil =
        shown(&tug, &peer, &["referrers", "--artifact-type", "example/3", "--save", "out", "REGISTRY/app:1"]);
    assert!(
        shown_evil.starts_with("exit code 1\n") && shown_evil.contains("leads out of the folder"),
        "{shown_evil}"
    );
    peer.add(Rule::on("GET", "/blobs/").corrupt(0));
    let shown_wrong =
        shown(&tug, &peer, &["referrers", "--artifact-type", "example/4", "--save", "out", "REGISTRY/app:1"]);
    assert!(shown_wrong.starts_with("exit code 1\n") && shown_wrong.contains("arrived as"), "{shown_wrong}");
    assert_eq!(std::fs::read_dir(tug.path("out")).unwrap().count(), 0, "nothing half-written stays");
}

#[test]
fn a_list_is_made_of_images_in_several_repositories_and_pushed() {
    let (tug, peer) = (here(), filled());
    let text = all(
        &tug,
        &peer,
        &[
            &["manifest", "create", "--annotation", "note=new", "REGISTRY/list:1", "REGISTRY/app:1.9"],
            &["manifest", "create", "REGISTRY/list:1"],
            &[
                "manifest",
                "add",
                "--platform",
                "linux/arm64",
                "REGISTRY/list:1",
                "docker://REGISTRY/team/multi:1",
            ],
            &[
                "manifest",
                "annotate",
                "--os-version",
                "7",
                "--annotation",
                "x=y",
                "REGISTRY/list:1",
                "REGISTRY/app:1.9",
            ],
            &["manifest", "annotate", "--arch", "pdp-11/20", "REGISTRY/list:1", "REGISTRY/app:1.9"],
            &["manifest", "remove", "REGISTRY/list:1", "sha256:000000"],
            &["manifest", "inspect", "REGISTRY/list:1"],
            &["manifest", "push", "--purge", "REGISTRY/list:1"],
            &["manifest", "exists", "REGISTRY/list:1"],
            &[
                "inspect",
                "--remote",
                "-f",
                "{{range .Platforms}}{{.Platform}} {{end}}{{.Annotations.note}}",
                "REGISTRY/list:1",
            ],
        ],
    );
    insta::assert_snapshot!(text);
    assert!(!peer.asked("POST", "mount=sha256").is_empty(), "{:?}", peer.lines());
    assert!(peer.asked("GET", "/blobs/").iter().all(|asked| asked.sent < 1000), "no layer was fetched");
    let list = peer.contents(|contents| contents.repository("list").clone());
    assert_eq!((list.manifests.len(), list.blobs.len()), (3, 3));
}

#[test]
fn a_list_of_images_in_the_store_is_pushed_with_them() {
    let (tug, peer) = (here(), Peer::start(Behaviour::default()));
    tug.image(&["app"]);
    let list = format!("{}/list:2", peer.address());
    tug.data(&["manifest", "create", "-t", "docker", "mine", "app"]);
    let digest =
        tug.data(&["manifest", "push", "mine", &format!("docker://{list}"), "--digestfile", "digest"]);
    assert_eq!(std::fs::read_to_string(tug.path("digest")).unwrap_or_default(), digest.trim());
    assert_eq!(tug.data(&["digest", &list]), digest);
    tug.data(&["manifest", "rm", "mine"]);
    assert!(tug.run(&["manifest", "rm", "app"]).contains("is an image, not a list"));
}

#[test]
#[ignore = "needs skopeo"]
fn skopeo_sees_the_same_needs_skopeo() {
    let (tug, peer) = (here(), filled());
    let skopeo = |words: &[&str]| -> Value {
        let mut command = Command::new("skopeo");
        let output = command.args(words).arg("--tls-verify=false").output().expect("skopeo can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("it writes JSON")
    };
    let (repository, name) =
        (format!("{}/app", peer.address()), format!("docker://{}/app:1.9", peer.address()));
    let theirs = skopeo(&["list-tags", &format!("docker://{repository}")]);
    let ours: Vec<String> = tug.data(&["tags", &repository]).lines().map(str::to_owned).collect();
    assert_eq!(theirs["Tags"], json!(ours));
    let theirs = skopeo(&["inspect", &name]);
    let ours: Value = serde_json::from_str(&tug.data(&["inspect", &name])).expect("we write JSON");
    for field in ["Digest", "Architecture", "Os"] {
        assert_eq!(theirs[field], ours[0][field], "{field}");
    }
    let layers = ours[0]["Layers"].as_array().expect("it is a list");
    assert_eq!(theirs["Layers"], json!(layers.iter().map(|layer| &layer["Digest"]).collect::<Vec<_>>()));
    let raw = skopeo(&["inspect", "--raw", &name]);
    assert_eq!(
        raw,
        serde_json::from_str::<Value>(&tug.data(&["inspect", "--raw", &name])).expect("it is JSON")
    );
    let config = skopeo(&["inspect", "--config", "--raw", &name]);
    assert_eq!(
        config,
        serde_json::from_str::<Value>(&tug.data(&["inspect", "--config", &name])).expect("it is JSON")
    );
}
