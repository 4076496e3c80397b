//! `tug check` and `tug build --check` and `--call`: looking at Dockerfiles without building them.

use std::fs;

use crate::tug::{Tug, timeless};

const DOCKERFILE: &str = "\
# TAG is the version of debian
ARG TAG=12
# base has what all need
FROM debian:$TAG as Base
env A b  c
MAINTAINER me
RUN --mount=type=secret,id=token,required --mount=type=cache,target=/c --mount=type=ssh make \\

  all

FROM base AS app
# PORT to listen on
ARG PORT=80
EXPOSE $PORT/TCP
COPY $PRT secret.txt /x
CMD run me
";

/// In a folder with a Dockerfile that goes against many rules.
fn tug() -> Tug {
    let tug = Tug::new();
    tug.write("app/Dockerfile", DOCKERFILE);
    tug.write("app/.dockerignore", "secret.txt\n");
    tug
}

#[test]
fn what_is_found_is_told_to_people() {
    let tug = tug();
    let shown = tug.run(&["check", "app"]);
    insta::assert_snapshot!(shown);
    assert_eq!(tug.run(&["build", "--check", "app"]), shown);
    assert_eq!(tug.run(&["build", "--call", "check", "app"]), shown);
    assert!(!tug.path("store").exists(), "looking makes no store");
}

#[test]
fn what_is_found_is_told_to_programs_as_buildx_does() {
    let tug = tug();
    let shown = tug.run(&["build", "--call", "check,format=json", "app"]);
    insta::assert_snapshot!(shown);
    assert_eq!(tug.run(&["check", "--format", "json", "app"]), shown);
}

#[test]
fn what_is_found_is_told_as_sarif() {
    let shown = tug().run(&["check", "--format", "sarif", "app"]);
    insta::assert_snapshot!(shown.replace(env!("CARGO_PKG_VERSION"), "[VERSION]"));
}

#[test]
fn github_gets_annotations() {
    let in_text = tug().with("GITHUB_ACTIONS", "true").run(&["check", "app"]);
    let alone = tug().run(&["check", "--format", "github", "app"]);
    insta::assert_snapshot!(alone);
    let (_, annotations) = alone.split_once("--- stdout\n").expect("they are data");
    assert!(in_text.ends_with(&format!("--- stderr\n{annotations}")), "{in_text}");
}

#[test]
fn what_a_target_takes_is_listed() {
    let tug = tug();
    let shown = ["outline", "outline,format=json", "targets", "targets,format=json"]
        .map(|call| format!("== {call}\n{}\n", tug.run(&["build", "--call", call, "app"])));
    insta::assert_snapshot!(shown.concat());
    let given =
        tug.run(&["build", "--call", "outline", "--build-arg", "PORT=8080", "--target", "app", "app"]);
    assert!(given.contains("PORT        8080    to listen on"), "{given}");
    let wrong = tug.run(&["build", "--call", "outline", "--target", "ap", "app"]);
    assert!(wrong.contains("did you mean `app`?"), "{wrong}");
}

#[test]
fn a_clean_file_ends_with_0_and_anything_else_with_1() {
    let tug = Tug::new();
    tug.write("Dockerfile", "FROM scratch\nCOPY a /\n");
    assert_eq!(tug.run(&["check"]), "exit code 0\n--- stdout\nCheck complete, no warnings found.\n");
    tug.write("Dockerfile", "FROM scratch\nCMD a\n");
    assert!(tug.run(&["check"]).starts_with("exit code 1\n"));
    assert!(tug.run(&["build", "--call", "check,ignorestatus=true"]).starts_with("exit code 0\n"));
    assert!(
        tug.run(&["build", "--check", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=all"])
            .starts_with("exit code 0\n")
    );
}

#[test]
fn a_wrong_file_shows_its_warnings_and_its_errors() {
    let tug = Tug::new();
    tug.write("Dockerfile", "FROM scratch AS BadStageName\nMAINTAINER me@example.org\nBADCMD\n");
    insta::assert_snapshot!(tug.run(&["check"]));
    let json = tug.run(&["check", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(json.split_once("stdout\n").expect("data").1).unwrap();
    assert_eq!(json["buildError"]["message"], "unknown instruction `BADCMD`");
    assert_eq!(json["buildError"]["location"]["ranges"][0]["start"]["line"], 3);
    assert_eq!(json["warnings"].as_array().map(Vec::len), Some(2));
}

#[test]
fn several_files_and_standard_input_are_checked() {
    let tug = Tug::new();
    tug.write("a/Dockerfile", "FROM scratch as a\n");
    tug.write("b/Dockerfile", "FROM scratch\nCMD b\n");
    let shown = tug.run(&["check", "-f", "a/Dockerfile", "-f", "b/Dockerfile"]);
    assert!(shown.contains("2 warnings") && shown.contains("--> a/Dockerfile:1:14"), "{shown}");
    assert!(shown.contains("--> b/Dockerfile:2:1"), "{shown}");
    assert!(tug.run(&["check", "b/Dockerfile"]).contains("--> b/Dockerfile:2:1"));
    let json = tug.run(&["check", "--format=json", "-f", "a/Dockerfile", "-f", "b/Dockerfile"]);
    assert!(json.contains("\"sourceIndex\": 1"), "{json}");
    let shown = tug.run_with_input(&["check", "-"], b"FROM scratch\nCMD b\n");
    assert!(shown.contains("--> <standard input>:2:1"), "{shown}");
    let both = tug.run(&["check", "-f", "-", "-f", "-"]);
    assert!(both.starts_with("exit code 2\n"), "{both}");
}

#[test]
fn an_image_of_the_store_tells_its_variables() {
    let tug = Tug::new();
    tug.image(&["app"]);
    tug.write("Dockerfile", "FROM app\nCOPY $NAME $SOMETHING /\n");
    let shown = tug.run(&["check"]);
    assert!(shown.contains("Usage of undefined variable '$SOMETHING'\n"), "{shown}");
    assert!(shown.contains("1 warning has"), "{shown}");
    tug.write("Dockerfile", "FROM unknown\nCOPY $NAME $SOMETHING /\n");
    assert!(tug.run(&["check"]).starts_with("exit code 0\n"), "it may set both");
}

#[test]
fn what_is_safe_is_mended() {
    let tug = tug();
    insta::assert_snapshot!(tug.run(&["check", "--fix", "--dry-run", "app"]));
    assert_eq!(fs::read_to_string(tug.path("app/Dockerfile")).unwrap(), DOCKERFILE);

    let shown = tug.run(&["check", "--fix", "app"]);
    assert!(shown.contains("--- stderr\napp/Dockerfile: fixed 6 ("), "{shown}");
    assert!(shown.contains("4 warnings have been found"), "{shown}");
    let mended = DOCKERFILE
        .replace(" as Base", " AS base")
        .replace("env A b  c", "ENV A=\"b  c\"")
        .replace("\\\n\n", "\\\n")
        .replace("/TCP", "/tcp");
    assert_eq!(fs::read_to_string(tug.path("app/Dockerfile")).unwrap(), mended);
    assert_eq!(fs::read_dir(tug.path("app")).unwrap().count(), 2);

    let through = tug.run_with_input(&["check", "--fix", "-"], b"FROM scratch as a\n");
    assert!(through.starts_with("exit code 0\n--- stdout\nFROM scratch AS a\n"), "{through}");
    let wrong = tug.run_with_input(&["check", "--fix", "-"], b"FROM scratch as a\nNO\n");
    assert!(wrong.starts_with("exit code 1\n--- stderr\nerror: unknown instruction"), "{wrong}");
}

#[test]
fn a_build_tells_what_is_probably_not_meant_at_its_end() {
    let tug = Tug::new();
    tug.write("Dockerfile", "FROM scratch as a\nCOPY Dockerfile /\nCMD x\n");
    insta::assert_snapshot!(nameless(&timeless(&tug.run(&["build", "."]))));
    let json = tug.run(&["build", "--progress", "rawjson", "."]);
    assert!(json.contains("\"event\":\"lint\""), "{json}");
    assert!(
        json.contains("\"column\":14,\"endColumn\":16,\"file\":\"Dockerfile\",\"rule\":\"FromAsCasing\"")
    );
    assert!(!tug.run(&["build", "-q", "."]).contains("FromAsCasing"));
    tug.data(&["build", "-q", "--metadata-file", "metadata", "."]);
    let metadata: serde_json::Value =
        serde_json::from_slice(&fs::read(tug.path("metadata")).unwrap()).unwrap();
    let warnings = &metadata["buildx.build.warnings"];
    // "FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)", as buildx hands bytes on.
    let short =
        "RnJvbUFzQ2FzaW5nOiAnYXMnIGFuZCAnRlJPTScga2V5d29yZHMnIGNhc2luZyBkbyBub3QgbWF0Y2ggKGxpbmUgMSk=";
    assert_eq!(warnings[0]["short"], short, "{metadata:#}");
    assert_eq!(warnings[1]["range"][0]["start"]["line"], 3);
    let github = Tug::new().with("GITHUB_ACTIONS", "true");
    github.write("app/Dockerfile", "FROM scratch as a\n");
    let shown = github.run(&["build", "app"]);
    assert!(shown.contains("::warning file=app/Dockerfile,line=1,col=14,endColumn=16,title=FromAsCasing::"));
}

#[test]
fn a_build_that_fails_tells_it_as_well() {
    let tug = Tug::new();
    tug.write("Dockerfile", "FROM scratch as a\nCOPY nothing /\n");
    let shown = tug.run(&["build", "."]);
    assert!(shown.contains("warning[FromAsCasing]") && shown.contains("error: "), "{shown}");
    tug.write("Dockerfile", "FROM scratch as a\nNOTHING\n");
    let shown = tug.run(&["build", "."]);
    assert!(shown.contains("warning[FromAsCasing]") && shown.contains("unknown instruction"), "{shown}");
}

#[test]
fn a_violation_that_is_an_error_fails_the_build_before_any_step() {
    let tug = Tug::new();
    tug.write("Dockerfile", "# check=error=true\nFROM scratch as a\nCOPY Dockerfile /\n");
    insta::assert_snapshot!(tug.run(&["build", "."]));
    let overridden = tug.run(&["build", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=FromAsCasing", "."]);
    assert!(overridden.starts_with("exit code 0\n"), "{overridden}");
    let wrong = tug.run(&["build", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=loud", "."]);
    assert!(wrong.starts_with("exit code 1\n") && wrong.contains("BUILDKIT_DOCKERFILE_CHECK"), "{wrong}");
}

#[test]
fn a_frontend_that_is_not_there_is_told() {
    let tug = Tug::new();
    tug.write("Dockerfile", "# syntax=example.com/other:1\nFROM scratch\nCOPY Dockerfile /\n");
    insta::assert_snapshot!(tug.run(&["build", "."]));
    let taken = tug.run(&["build", "--build-arg", "BUILDKIT_SYNTAX=dockerfile.v0", "."]);
    assert!(taken.starts_with("exit code 0\n"), "{taken}");
}

#[test]
fn build_arguments_that_do_nothing_are_told() {
    let tug = Tug::new();
    tug.write("Dockerfile", "FROM scratch AS unused\nARG ELSEWHERE\nFROM scratch\nARG VERSION\n");
    let mut words = vec!["build", "."];
    for argument in ["VERSOIN=1", "ELSEWHERE=1", "OTHER=1", "BUILDKIT_SBOM_SCAN_STAGE=1", "HTTP_PROXY=x"] {
        words.extend(["--build-arg", argument]);
    }
    insta::assert_snapshot!(nameless(&timeless(&tug.run(&words))));
}

/// `text` with every digest replaced: images have times in them.
fn nameless(text: &str) -> String {
    let mut pieces = text.split("sha256:");
    let first = pieces.next().unwrap_or_default().to_owned();
    let is_digit = |letter: char| letter.is_ascii_hexdigit();
    pieces.fold(first, |shown, piece| shown + "sha256:…" + piece.trim_start_matches(is_digit))
}
