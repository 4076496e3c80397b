//! Builds that need no base: everything but RUN.

use std::fs;

use serde_json::Value;

use crate::tug::{Tug, timeless};

const DOCKERFILE: &str = "\
FROM scratch AS files
COPY src /src

FROM files
ENV GREETING=hello
COPY --from=files /src/one.txt /copy.txt
CMD [\"/src/one.txt\"]
";

/// A project whose image is the same each time.
fn project() -> Tug {
    let tug = Tug::new().with("SOURCE_DATE_EPOCH", "1700000000");
    tug.write("app/Dockerfile", DOCKERFILE);
    tug.write("app/src/one.txt", "one\n");
    tug.write("app/src/two.txt", "two\n");
    tug
}

#[test]
fn a_build_tells_its_steps_and_gives_the_digest_to_a_pipe() {
    let tug = project();
    insta::assert_snapshot!(tug.run_timeless(&["build", "-t", "app", "-t", "other:1", "app"]), @"
    exit code 0
    --- stdout
    sha256:4d4c97752f443d937e135dbc9467bb8959e54c37c72356368e7d5262a6b68690

    --- stderr
    #1 [files 1/1] COPY src /src
    #1 DONE N.Ns

    #2 [stage-1 1/1] COPY --from=files /src/one.txt /copy.txt
    #2 DONE N.Ns

    Built app:latest, other:1 sha256:4d4c97752f443d937e135dbc9467bb8959e54c37c72356368e7d5262a6b68690 in N.Ns (2 steps, none cached, 5.63 kB new)
    ");
    insta::assert_snapshot!(tug.run_timeless(&["build", "-t", "app", "app"]), @"
    exit code 0
    --- stdout
    sha256:4d4c97752f443d937e135dbc9467bb8959e54c37c72356368e7d5262a6b68690

    --- stderr
    #1 [files 1/1] COPY src /src
    #1 CACHED

    #2 [stage-1 1/1] COPY --from=files /src/one.txt /copy.txt
    #2 CACHED

    Built app:latest sha256:4d4c97752f443d937e135dbc9467bb8959e54c37c72356368e7d5262a6b68690 in N.Ns (2 steps, all cached, nothing new)
    ");
    tug.write("app/src/two.txt", "2\n");
    insta::assert_snapshot!(tug.run_timeless(&["build", "-t", "app", "app"]), @"
    exit code 0
    --- stdout
    sha256:5df24bcf2c27d112201b987cb278b62341ce0ab2081eaf89c54184b549d63d81

    --- stderr
    #1 [files 1/1] COPY src /src
    #1 miss: src/two.txt changed
    #1 DONE N.Ns

    #2 [stage-1 1/1] COPY --from=files /src/one.txt /copy.txt
    #2 miss: the result of an earlier step changed
    #2 DONE N.Ns

    Built app:latest sha256:5df24bcf2c27d112201b987cb278b62341ce0ab2081eaf89c54184b549d63d81 in N.Ns (2 steps, none cached, 5.63 kB new)
    ");
}

#[test]
fn a_quiet_build_says_nothing_but_the_digest() {
    let tug = project();
    let digest = tug.data(&["build", "-q", "app"]);
    assert_eq!(tug.run(&["build", "-q", "app"]), format!("exit code 0\n--- stdout\n{digest}"));
    assert_eq!(tug.run(&["build", "--progress", "quiet", "app"]), tug.run(&["build", "-q", "app"]));
    assert_eq!(tug.run(&["build", "--progress", "none", "app"]), "exit code 0");
    assert_eq!(tug.data(&["inspect", "-f", "{{.Digest}}", digest.trim()]), digest);
}

#[test]
fn scripts_get_ids_and_metadata_in_files() {
    let tug = project();
    let words = ["build", "-t", "app", "--iidfile", "id", "--metadata-file", "metadata.json", "app"];
    let digest = tug.data(&words);
    assert_eq!(
        fs::read_to_string(tug.path("id")).unwrap(),
        tug.data(&["inspect", "-f", "{{.Id}}", "app"]).trim()
    );
    let metadata: Value = serde_json::from_slice(&fs::read(tug.path("metadata.json")).unwrap()).unwrap();
    assert_eq!(metadata["containerimage.digest"], digest.trim());
    assert_eq!(metadata["containerimage.descriptor"]["digest"], digest.trim());
    assert_eq!(metadata["image.name"], "docker.io/library/app:latest");
    insta::assert_snapshot!(tug.run(&["build", "-q", "--iidfile", "no/such/folder", "app"]), @"
    exit code 1
    --- stderr
    error: cannot write `no/such/folder`
      caused by: no such file or directory
    ");
}

#[test]
fn programs_get_each_event_as_a_line() {
    let tug = project();
    let output = tug.command(&["build", "--progress", "rawjson", "app"]).output().unwrap();
    let kinds: Vec<String> = String::from_utf8(output.stderr)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|event| {
            assert_eq!(event["v"], 1, "{event}");
            event["event"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(kinds.first().map(String::as_str), Some("planned"));
    assert_eq!(kinds.last().map(String::as_str), Some("written"));
    tug.write("app/Dockerfile", "FROM scratch\nCOPY nothing /\n");
    let output = tug.command(&["build", "--progress", "rawjson", "app"]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    insta::assert_snapshot!(format!("{last:#}"), @r#"
    {
      "v": 1,
      "event": "error",
      "message": "`nothing` is not in the context",
      "causes": [],
      "hint": null,
      "problems": [
        {
          "file": "Dockerfile",
          "line": 2,
          "column": 6,
          "message": "`nothing` is not in the context",
          "label": "no such file or directory",
          "help": null
        }
      ],
      "exitCode": 1
    }
    "#);
}

#[test]
fn what_is_wrong_in_a_dockerfile_is_shown_in_its_lines_all_at_once() {
    let tug = Tug::new();
    tug.write("app/Dockerfile", "FROM scratch AS build\nCOPPY a b\nENV\nLABEL x=y\nFROM biuld\n");
    insta::assert_snapshot!(tug.run(&["build", "app"]), @"
    exit code 1
    --- stderr
    error: unknown instruction `COPPY`
     --> Dockerfile:2:1
      |
    2 | COPPY a b
      | ^^^^^ expected an instruction such as `RUN` or `COPY`
      |
    help: did you mean `COPY`?

    error: `ENV` needs a name and a value
     --> Dockerfile:3:4
      |
    3 | ENV
      |    ^ expected a name and a value
      |
    ");
    tug.write("app/Dockerfile", "FROM scratch AS build\nFROM scratch\nCOPY --from=biuld /app /app\n");
    insta::assert_snapshot!(tug.run(&["build", "app"]), @"
    exit code 1
    --- stderr
    error: no stage named `biuld`
     --> Dockerfile:3:13
      |
    3 | COPY --from=biuld /app /app
      |             ^^^^^ not a stage of this file, nor a named context, nor an image in the store
      |
    help: a stage with a similar name exists: `build`
    ");
}

#[test]
fn a_missing_file_is_shown_where_it_is_named() {
    let tug = project();
    tug.write("app/Dockerfile", "FROM scratch\nCOPY src/oen.txt /\n");
    insta::assert_snapshot!(tug.run_timeless(&["build", "app"]), @"
    exit code 1
    --- stderr
    #1 [1/1] COPY src/oen.txt /
    #1 ERROR: `src/oen.txt` is not in the context

    error: `src/oen.txt` is not in the context
     --> Dockerfile:2:6
      |
    2 | COPY src/oen.txt /
      |      ^^^^^^^^^^^ no such file or directory
      |
    help: did you mean `src/one.txt`?
    ");
    tug.write("app/Dockerfile", "FROM scratch\nCOPY src/one.txt /\n");
    tug.write("app/.dockerignore", "# nothing of it\nsrc\n");
    insta::assert_snapshot!(tug.run_timeless(&["build", "--progress", "none", "app"]), @"
    exit code 1
    --- stderr
    error: `src/one.txt` is not in the context
     --> Dockerfile:2:6
      |
    2 | COPY src/one.txt /
      |      ^^^^^^^^^^^ it is there, but excluded by `.dockerignore:2`
      |
    ");
}

#[test]
fn an_unknown_base_and_target_are_answered_with_the_closest_name() {
    let tug = project();
    tug.image(&["debian:12"]);
    tug.write("app/Dockerfile", "FROM debain:12\n");
    insta::assert_snapshot!(tug.run(&["build", "--progress", "none", "app"]), @"
    exit code 1
    --- stderr
    error: no image `debain:12` in the store
     --> Dockerfile:1:6
      |
    1 | FROM debain:12
      |      ^^^^^^^^^
      |
    help: an image with a similar name is there: `debian:12`
    ");
    tug.write("app/Dockerfile", DOCKERFILE);
    insta::assert_snapshot!(tug.run(&["build", "--target", "fiels", "app"]), @"
    exit code 1
    --- stderr
    error: no stage named `fiels`

    hint: did you mean `files`?
    ");
}

#[test]
fn github_actions_get_folded_steps_and_annotations() {
    let tug = project().with("GITHUB_ACTIONS", "true");
    tug.write("app/Dockerfile", "FROM scratch\nCOPY src /src\nCOPY nothing /\n");
    let shown = tug.run_timeless(&["build", "app"]);
    // The word that ends the silence is another one each time.
    let lines: Vec<&str> = shown.lines().filter(|line| !line.contains("tug-")).collect();
    assert_eq!(lines.len() + 2, shown.lines().count());
    insta::assert_snapshot!(lines.join("\n"), @"
    exit code 1
    --- stderr
    ::group::#1 [1/2] COPY src /src
    #1 DONE N.Ns
    ::endgroup::
    ::group::#2 [2/2] COPY nothing /
    #2 ERROR: `nothing` is not in the context
    ::endgroup::
    ::error file=app/Dockerfile,line=3,col=6::`nothing` is not in the context: no such file or directory
    error: `nothing` is not in the context
     --> Dockerfile:3:6
      |
    3 | COPY nothing /
      |      ^^^^^^^ no such file or directory
      |
    ");
}

#[test]
fn the_context_can_be_a_tar_on_standard_input() {
    let tug = project();
    let folder = tug.data(&["build", "-q", "app"]);
    let tar = |words: &[&str]| {
        let output =
            std::process::Command::new("tar").args(words).current_dir(tug.path("app")).output().unwrap();
        assert!(output.status.success());
        output.stdout
    };
    for archive in [tar(&["c", "."]), tar(&["cz", "."])] {
        assert_eq!(
            tug.run_with_input(&["build", "-q", "-"], &archive),
            format!("exit code 0\n--- stdout\n{folder}")
        );
    }
    fs::rename(tug.path("app/Dockerfile"), tug.path("app/Other")).unwrap();
    let archive = tar(&["c", "."]);
    let shown = tug.run_with_input(&["build", "-q", "-f", "Other", "-"], &archive);
    assert_eq!(shown, format!("exit code 0\n--- stdout\n{folder}"));
    insta::assert_snapshot!(timeless(&tug.run_with_input(&["build", "-"], &archive)), @"
    exit code 1
    --- stderr
    error: no Dockerfile in `the tar`

    hint: make a file `Dockerfile` there, or name another one with `-f PATH`
    ");
    insta::assert_snapshot!(tug.run_with_input(&["build", "-q", "-"], &archive[..700]), @"
    exit code 1
    --- stderr
    error: the context could not be read from its tar
      caused by: the archive ends in the middle of an entry, after 512 bytes

    hint: it was not copied or downloaded whole; fetch it again
    ");
}

#[test]
fn the_dockerfile_can_come_alone_or_from_elsewhere() {
    let tug = project();
    let folder = tug.data(&["build", "-q", "app"]);
    let alone = tug.run_with_input(&["build", "-q", "-"], b"FROM scratch\nLABEL a=b\n");
    assert!(alone.starts_with("exit code 0\n--- stdout\nsha256:"), "{alone}");
    let beside = tug.run_with_input(&["build", "-q", "-f", "-", "app"], DOCKERFILE.as_bytes());
    assert_eq!(beside, format!("exit code 0\n--- stdout\n{folder}"));
    tug.write("elsewhere/Dockerfile.test", DOCKERFILE);
    assert_eq!(tug.data(&["build", "-q", "-f", "elsewhere/Dockerfile.test", "app"]), folder);
    tug.write("app/Dockerfile.test", DOCKERFILE);
    assert_eq!(tug.data(&["build", "-q", "-f", "Dockerfile.test", "app"]), folder);
    insta::assert_snapshot!(tug.run_with_input(&["build", "-"], b"FROM scratch\nCOPY a /\n"), @"
    exit code 1
    --- stderr
    #1 [1/1] COPY a /
    #1 ERROR: `a` is not in the context

    error: `a` is not in the context
     --> <standard input>:2:6
      |
    2 | COPY a /
      |      ^ no such file or directory
      |
    ");
    insta::assert_snapshot!(tug.run_with_input(&["build", "-"], b"FROMM scratch\n"), @"
    exit code 1
    --- stderr
    error: unknown instruction `FROMM`
     --> <standard input>:1:1
      |
    1 | FROMM scratch
      | ^^^^^ expected an instruction such as `RUN` or `COPY`
      |
    help: did you mean `FROM`?
    ");
    insta::assert_snapshot!(tug.run_with_input(&["build", "-f", "x", "-"], b"FROM scratch\n"), @"
    exit code 2
    --- stderr
    error: standard input is not a tar, so there is no `x` in it

    hint: leave `-f` away to build the Dockerfile on standard input
    ");
}

#[test]
fn values_of_arguments_come_from_flags_or_the_environment() {
    let tug = project().with("FROM_ENVIRONMENT", "3");
    let dockerfile = "FROM scratch\nARG A=1\nARG B\nARG FROM_ENVIRONMENT\nARG NOWHERE=4\nLABEL all=\"$A$B$FROM_ENVIRONMENT$NOWHERE\"\n";
    tug.write("app/Dockerfile", dockerfile);
    let words = ["build", "-q", "-t", "app", "--build-arg", "B=2", "--build-arg", "FROM_ENVIRONMENT"];
    tug.data(
        &[&words[..], &["--build-arg", "NOWHERE", "--label", "b=c=d", "--label", "empty", "app"]].concat(),
    );
    let labels = tug.data(&["inspect", "-f", "{{json .Config.Labels}}", "app"]);
    assert_eq!(labels, "{\"all\":\"1234\",\"b\":\"c=d\",\"empty\":\"\"}\n");
}

#[test]
fn a_dockerfile_that_is_none_is_refused() {
    let tug = project();
    tug.write("app/Dockerfile", [0x7f, b'E', b'L', b'F', 0, 0, 0xff, 0xfe]);
    insta::assert_snapshot!(tug.run(&["build", "app"]), @"
    exit code 1
    --- stderr
    error: the Dockerfile is a binary file
     --> Dockerfile:1:5
      |
    1 | ␡ELF␀␀��
      |     ^ a zero byte
      |
    ");
    tug.write("app/Dockerfile", "");
    insta::assert_snapshot!(tug.run(&["build", "app"]), @"
    exit code 1
    --- stderr
    error: the Dockerfile has no instructions

    hint: start with the image to build on, such as `FROM debian:stable-slim`
    ");
    tug.write("app/Dockerfile", "FROM scratch\nRUN <<EOF\necho\n");
    insta::assert_snapshot!(tug.run(&["build", "app"]), @"
    exit code 1
    --- stderr
    error: the here-document `EOF` does not end
     --> Dockerfile:2:5
      |
    2 | RUN <<EOF
      |     ^^^^^ no line after it is `EOF` alone
      |
    ");
    let large = tug.write("large", "");
    fs::File::options().write(true).open(&large).unwrap().set_len(100 << 20).unwrap();
    insta::assert_snapshot!(tug.run(&["build", "-f", "large", "app"]), @"
    exit code 1
    --- stderr
    error: the Dockerfile has more than 16777216 bytes

    hint: generated files belong into the build context; `COPY` them from there
    ");
}
