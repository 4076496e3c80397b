//! Looking at images, naming and removing them.

use crate::tug::Tug;

fn three_images() -> Tug {
    let tug = Tug::new();
    tug.image(&["debian:12", "debian:latest"]);
    tug.image(&["app"]);
    tug.image(&["ghcr.io/team/tool:v1"]);
    tug
}

/// Ages change.
fn without_ages(text: &str) -> String {
    let line = |line: &str| match line.find(" years ago") {
        Some(at) => {
            let start = line[..at].rfind(' ').map_or(0, |space| space + 1);
            format!("{}N{}", &line[..start], &line[at..])
        }
        None => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn images_are_listed_as_a_table_as_json_and_by_template() {
    let tug = three_images();
    insta::assert_snapshot!(without_ages(&tug.run(&["images"])), @"
    exit code 0
    --- stdout
    REPOSITORY          TAG      IMAGE ID       CREATED       SIZE
    app                 latest   f1a585982af1   N years ago   698B
    debian              12       e5c4e13d2e92   N years ago   704B
    debian              latest   e5c4e13d2e92   N years ago   704B
    ghcr.io/team/tool   v1       6e3d4a5a15a9   N years ago   715B
    ");
    insta::assert_snapshot!(tug.run(&["images", "--format", "json", "debian:12"]), @r#"
    exit code 0
    --- stdout
    [
        {
            "repository": "debian",
            "tag": "12",
            "id": "sha256:e5c4e13d2e929c95472231d7f54667ccabca38e286ae971dfe650609b603fcec",
            "digest": "sha256:4bbc6861aa69fd856f9b565dbaa47e113a1d8a54200b2fcba18131c81626f5e6",
            "created": "2024-05-06T07:08:09Z",
            "size": 704,
            "platform": "linux/amd64",
            "readOnly": false
        }
    ]
    "#);
    insta::assert_snapshot!(tug.run(&["images", "--format", "{{.Repository}}:{{.Tag}}"]), @"
    exit code 0
    --- stdout
    app:latest
    debian:12
    debian:latest
    ghcr.io/team/tool:v1
    ");
    insta::assert_snapshot!(tug.run(&["images", "--format", r"table {{.ID}}\t{{.Repository}}", "app"]), @"
    exit code 0
    --- stdout
    IMAGE ID       REPOSITORY
    f1a585982af1   app
    ");
    insta::assert_snapshot!(tug.run(&["images", "-q"]), @"
    exit code 0
    --- stdout
    f1a585982af1
    e5c4e13d2e92
    6e3d4a5a15a9
    ");
    insta::assert_snapshot!(tug.run(&["images", "nothing"]), @"
    exit code 0
    --- stdout
    REPOSITORY   TAG   IMAGE ID   CREATED   SIZE
    ");
    assert_eq!(tug.data(&["images", "-q", "--no-trunc", "app"]).len(), "sha256:".len() + 64 + 1);
}

#[test]
fn a_wrong_template_is_explained() {
    let tug = three_images();
    insta::assert_snapshot!(tug.run(&["images", "--format", "{{.Reposiory}}"]), @"
    exit code 2
    --- stderr
    error: `--format`: no field `.Reposiory` here

    hint: did you mean `.Repository`?
    ");
    insta::assert_snapshot!(tug.run(&["inspect", "--format", "{{if .Id}}", "app"]), @"
    exit code 2
    --- stderr
    error: `--format`: expected `end` to close `if`
    ");
}

#[test]
fn an_image_is_inspected_in_dockers_words() {
    let tug = three_images();
    insta::assert_snapshot!(tug.run(&["inspect", "debian"]), @r#"
    exit code 0
    --- stdout
    [
        {
            "Id": "sha256:e5c4e13d2e929c95472231d7f54667ccabca38e286ae971dfe650609b603fcec",
            "RepoTags": [
                "debian:12",
                "debian:latest"
            ],
            "RepoDigests": [
                "debian@sha256:4bbc6861aa69fd856f9b565dbaa47e113a1d8a54200b2fcba18131c81626f5e6"
            ],
            "Digest": "sha256:4bbc6861aa69fd856f9b565dbaa47e113a1d8a54200b2fcba18131c81626f5e6",
            "Comment": "by\thand\u001b[31m",
            "Created": "2024-05-06T07:08:09Z",
            "Author": "",
            "Architecture": "amd64",
            "Variant": "",
            "Os": "linux",
            "Size": 704,
            "Config": {
                "User": "",
                "ExposedPorts": null,
                "Env": [
                    "PATH=/bin",
                    "NAME=debian:12"
                ],
                "Entrypoint": null,
                "Cmd": [
                    "sh"
                ],
                "Healthcheck": null,
                "Volumes": null,
                "WorkingDir": "",
                "OnBuild": null,
                "Labels": {
                    "version": "1.2"
                },
                "StopSignal": "",
                "Shell": null
            },
            "RootFS": {
                "Type": "layers",
                "Layers": []
            }
        }
    ]
    "#);
    let template =
        "{{.Os}}/{{.Architecture}} {{join .Config.Cmd \" \"}} {{index .Config.Labels \"version\"}}";
    assert_eq!(tug.data(&["inspect", "-f", template, "app"]), "linux/amd64 sh 1.2\n");
    let id = tug.data(&["images", "-q", "app"]);
    assert_eq!(tug.data(&["inspect", "-f", "{{json .RepoTags}}", id.trim()]), "[\"app:latest\"]\n");
}

#[test]
fn the_history_shows_the_newest_step_first() {
    let tug = three_images();
    insta::assert_snapshot!(without_ages(&tug.run(&["history", "app"])), @r#"
    exit code 0
    --- stdout
    IMAGE          CREATED       CREATED BY                                      SIZE   STORED   COMMENT
    f1a585982af1   N years ago   CMD ["sh"]                                      0B     0B       by hand[31m
    <missing>      N years ago   ENV NAME=… # a long line that a table shorte…   0B     0B
    "#);
    insta::assert_snapshot!(tug.run(&["history", "--no-trunc", "--format", "{{.CreatedBy}}", "app"]), @r#"
    exit code 0
    --- stdout
    CMD ["sh"]
    ENV NAME=… # a long line that a table shortens at some point
    "#);
    insta::assert_snapshot!(tug.run(&["history", "--format", "json", "app"]), @r#"
    exit code 0
    --- stdout
    [
        {
            "id": "sha256:f1a585982af1e5f6fe1ae4b72d2a7ebca00897eeb0187e0c46ff42e31382177c",
            "created": "2024-05-06T07:08:09Z",
            "createdBy": "CMD [\"sh\"]",
            "author": null,
            "comment": "by\thand\u001b[31m",
            "size": 0,
            "contentSize": null,
            "tarSize": null,
            "emptyLayer": true,
            "layer": null,
            "diffId": null,
            "digest": null,
            "base": false,
            "origin": null
        },
        {
            "id": null,
            "created": "2024-05-06T07:08:09Z",
            "createdBy": "ENV NAME=… # a long line that a table shortens at some point",
            "author": null,
            "comment": null,
            "size": 0,
            "contentSize": null,
            "tarSize": null,
            "emptyLayer": true,
            "layer": null,
            "diffId": null,
            "digest": null,
            "base": false,
            "origin": null
        }
    ]
    "#);
}

#[test]
fn an_image_that_is_not_there_is_answered_with_the_closest_name() {
    let tug = three_images();
    insta::assert_snapshot!(tug.run(&["inspect", "debain"]), @"
    exit code 1
    --- stderr
    error: no image `debain` in the store

    hint: did you mean `debian:12`?
    ");
    insta::assert_snapshot!(tug.run(&["history", "debian:11"]), @"
    exit code 1
    --- stderr
    error: no image `debian:11` in the store

    hint: did you mean `debian:12`?
    hint: `docker://debian:11` asks the registry
    ");
    insta::assert_snapshot!(tug.run(&["tag", "nothing", "x"]), @"
    exit code 1
    --- stderr
    error: no image `nothing` in the store

    hint: `tug images` lists what is there
    ");
    insta::assert_snapshot!(Tug::new().run(&["inspect", "debian"]), @"
    exit code 1
    --- stderr
    error: no image `debian` in the store

    hint: the store is empty: `tug build`, `tug load` and `tug import` put images into it
    ");
    insta::assert_snapshot!(tug.run(&["run", "ap"]), @"
    exit code 125
    --- stderr
    error: no image `ap` in the store

    hint: did you mean `app:latest`?
    ");
}

#[test]
fn a_tag_is_another_name_for_the_same_image() {
    let tug = three_images();
    insta::assert_snapshot!(tug.run(&["tag", "app", "other:1", "other:2"]), @"exit code 0");
    assert_eq!(tug.data(&["images", "-q", "other:1"]), tug.data(&["images", "-q", "app"]));
}

#[test]
fn an_image_is_removed_with_its_last_name() {
    let tug = three_images();
    let id = tug.data(&["images", "-q", "debian:12"]);
    insta::assert_snapshot!(tug.run(&["rmi", id.trim()]), @"
    exit code 1
    --- stderr
    error: image `e5c4e13d2e92` has 2 names

    hint: `-f` takes all of them away: `debian:12`, `debian:latest`
    ");
    insta::assert_snapshot!(tug.run(&["rmi", "debian:12"]), @"
    exit code 0
    --- stdout
    Untagged: debian:12
    ");
    insta::assert_snapshot!(tug.run(&["rmi", "nothing", "debian", "app"]), @"
    exit code 1
    --- stdout
    Untagged: debian:latest
    Deleted: sha256:e5c4e13d2e929c95472231d7f54667ccabca38e286ae971dfe650609b603fcec
    Untagged: app:latest
    Deleted: sha256:f1a585982af1e5f6fe1ae4b72d2a7ebca00897eeb0187e0c46ff42e31382177c

    --- stderr
    error: no image `nothing` in the store

    hint: `tug images` lists what is there
    ");
    insta::assert_snapshot!(tug.run(&["rmi", "-f", "nothing"]), @"exit code 0");
    assert_eq!(tug.data(&["images", "--format", "{{.Repository}}"]), "ghcr.io/team/tool\n");
}

#[test]
fn removing_by_id_with_force_takes_all_names_away() {
    let tug = three_images();
    let id = tug.data(&["images", "-q", "debian:12"]);
    insta::assert_snapshot!(tug.run(&["rmi", "-f", id.trim()]), @"
    exit code 0
    --- stdout
    Untagged: debian:12
    Untagged: debian:latest
    Deleted: sha256:e5c4e13d2e929c95472231d7f54667ccabca38e286ae971dfe650609b603fcec
    ");
}

#[test]
fn filters_are_those_of_docker() {
    let tug = Tug::new();
    tug.image(&["debian:12", "ghcr.io/team/tool:v1", "team/app:2"]);
    tug.data(&["edit", "debian:12", "-t", "newer", "--created", "2024-06-01T00:00:00Z", "-l", "stage=test"]);
    tug.data(&[
        "edit",
        "debian:12",
        "-t",
        "newest",
        "--created",
        "2099-01-01T00:00:00Z",
        "--label-rm",
        "version",
    ]);
    let nameless = tug.data(&["inspect", "-f", "{{.Digest}}", "debian:12"]);
    tug.data(&["edit", nameless.trim(), "-u", "1"]);
    let names = |filters: &[&str]| {
        let mut words = vec!["images", "--format", "{{.Repository}}:{{.Tag}}"];
        words.extend(filters.iter().flat_map(|filter| ["-f", filter]));
        tug.data(&words).lines().collect::<Vec<_>>().join(" ")
    };
    let all = "newest:latest newer:latest <none>:<none> debian:12 team/app:2 ghcr.io/team/tool:v1";
    assert_eq!(names(&[]), all);
    assert_eq!(names(&["since=debian:12"]), "newest:latest newer:latest");
    assert_eq!(names(&["before=newer"]), "<none>:<none> debian:12 team/app:2 ghcr.io/team/tool:v1");
    assert_eq!(names(&["since=debian:12", "before=newest"]), "newer:latest");
    assert_eq!(names(&["until=2024-05-07", "dangling=false", "reference=*an*"]), "debian:12");
    assert_eq!(names(&["until=24h", "label=stage"]), "newer:latest");
    assert_eq!(names(&["label=stage=prod"]), "");
    assert_eq!(names(&["label=version=1.2", "label=stage"]), "newer:latest");
    assert_eq!(names(&["reference=*/app", "reference=ghcr.io/*/*:v?"]), "team/app:2 ghcr.io/team/tool:v1");
    assert_eq!(names(&["reference=app"]), "");
    assert_eq!(names(&["dangling=true"]), "<none>:<none>");
    insta::assert_snapshot!(tug.run(&["images", "-f", "since=nothing"]), @"
    exit code 1
    --- stderr
    error: no image `nothing` in the store

    hint: `tug images` lists what is there
    ");
    insta::assert_snapshot!(tug.run(&["images", "-f", "labels=a"]), @"
    exit code 2
    --- stderr
    error: images have no filter `labels`; did you mean `label`?

    hint: this is about `--filter`
    ");
    let table = tug.data(&["images", "--digests", "debian"]);
    assert!(table.contains(nameless.trim()), "{table}");
}
