//! Wrong words: unknown commands and flags, values that are none, what is missing.

use crate::tug::Tug;

#[test]
fn without_a_command_the_help_is_shown_and_it_is_an_error() {
    let shown = Tug::new().run(&[]);
    assert!(shown.starts_with("exit code 2\n--- stderr\nBuild container images"), "{shown}");
}

#[test]
fn help_and_version_go_to_standard_output() {
    for words in [&["--help"][..], &["-h"], &["build", "--help"], &["run", "-h"]] {
        let shown = Tug::new().run(words);
        assert!(shown.starts_with("exit code 0\n--- stdout\n"), "{shown}");
        assert!(shown.contains("Examples:") && !shown.contains("--- stderr"), "{shown}");
    }
    assert!(Tug::new().run(&["--version"]).starts_with("exit code 0\n--- stdout\ntug "));
}

#[test]
fn wrong_words_are_named_and_mended() {
    let tug = Tug::new();
    tug.write("context/Dockerfile", "FROM scratch\n");
    let mut shown = String::new();
    for words in [
        &["biuld", "."][..],
        &["pul", "debian"],
        &["frobnicate"],
        &["--colour", "never", "images"],
        &["build", "--tagg", "app", "context"],
        &["build", "--secret", "id=x", "context"],
        &["build", "--frobnicate=1", "context"],
        &["build", "-t"],
        &["build", "-t", "App", "context"],
        &["build", "-t", "a:b:c", "context"],
        &["build", "--progress", "fancy", "context"],
        &["build", "--progress", "tty", "context"],
        &["build", "-q", "--progress", "plain", "context"],
        &["build", "--build-arg", "=x", "context"],
        &["build", "--network", "bridge", "context"],
        &["build", "--platform", "a/b/c/d", "context"],
        &["build", "--platform", "linux/amd64,linux", "--platform=linux/a/b/c", "context"],
        &["build", "--timestamp", "soon", "context"],
        &["build", "--jobs", "many", "context"],
        &["build", "one", "two"],
        &["run"],
        &["run", "--detach", "app"],
        &["run", "App"],
        &["run", "--memory", "much", "app"],
        &["run", "--cpus", "0", "app"],
        &["run", "-v", "data:/x", "app"],
        &["images", "--filter", "x"],
        &["images", "--format"],
        &["images", "-q", "--format", "json"],
        &["inspect"],
        &["inspect", "a b"],
        &["tag", "app"],
        &["tag", "app", "app@sha256:0000000000000000000000000000000000000000000000000000000000000000"],
        &["rmi"],
        &["history"],
        &["completion", "tcsh"],
        &["version", "now"],
    ] {
        shown += &format!("$ tug {}\n{}\n", words.join(" "), tug.run(words));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn variables_with_wrong_values_are_named() {
    let run = |name: &str, value: &str| {
        let tug = Tug::new().with(name, value);
        tug.write("Dockerfile", "FROM scratch\n");
        tug.run(&["build", "."])
    };
    insta::assert_snapshot!(run("SOURCE_DATE_EPOCH", "yesterday"), @"
    exit code 2
    --- stderr
    error: `yesterday` is not a number of seconds

    hint: this is about the variable `SOURCE_DATE_EPOCH`; `git log -1 --format=%ct` gives a good one
    ");
    insta::assert_snapshot!(run("SOURCE_DATE_EPOCH", "99999999999999"), @"
    exit code 2
    --- stderr
    error: `99999999999999` seconds since 1970 are outside of the calendar

    hint: this is about the variable `SOURCE_DATE_EPOCH`; `git log -1 --format=%ct` gives a good one
    ");
    insta::assert_snapshot!(run("BUILDKIT_PROGRESS", "fancy"), @"
    exit code 2
    --- stderr
    error: `BUILDKIT_PROGRESS=fancy` is not a kind of progress

    hint: use `auto`, `tty`, `plain`, `rawjson`, `quiet` or `none`
    ");
    insta::assert_snapshot!(run("DOCKER_DEFAULT_PLATFORM", "linux/"), @"
    exit code 2
    --- stderr
    error: `DOCKER_DEFAULT_PLATFORM`: `linux/` is not a platform: expected `os/architecture` or `os/architecture/variant`, for example `linux/arm64`

    hint: several are separated by commas, and `local` is this machine
    ");
    insta::assert_snapshot!(run("TUG_MODE", "best"), @"
    exit code 2
    --- stderr
    error: `TUG_MODE=best` is not a mode

    hint: use `root`, `many-ids` or `single-id`, or leave it unset for the best one
    ");
    insta::assert_snapshot!(run("TUG_LAYERS", "flat"), @"
    exit code 2
    --- stderr
    error: `TUG_LAYERS=flat` is no way to keep layers

    hint: use `trees` to unpack all of them, or leave it unset for the best that this host can do
    ");
}

#[test]
fn colours_are_never_written_to_a_pipe_unless_they_are_wanted() {
    assert!(!Tug::new().run(&["biuld"]).contains('\x1b'));
    assert!(Tug::new().with("FORCE_COLOR", "1").run(&["biuld"]).contains('\x1b'));
    assert!(!Tug::new().with("FORCE_COLOR", "1").with("NO_COLOR", "1").run(&["biuld"]).contains('\x1b'));
    assert!(Tug::new().run(&["--color=always", "inspect", "x"]).contains('\x1b'));
}

#[test]
fn completions_and_man_pages_are_written() {
    let tug = Tug::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(tug.data(&["completion", shell]).contains("tug"), "{shell}");
    }
    tug.data(&["generate", "man", "pages"]);
    let page = std::fs::read_to_string(tug.path("pages/tug-build.1")).expect("there is a page for build");
    assert!(page.contains("build\\-arg"), "{page}");
    tug.data(&["generate", "completions", "shells"]);
    assert!(tug.path("shells/tug.bash").is_file());
}

#[test]
fn the_help_of_every_command_is_as_it_was_looked_at() {
    let tug = Tug::new();
    let mut shown = tug.data(&["--help"]);
    let commands = [
        "build",
        "run",
        "images",
        "inspect",
        "history",
        "ls",
        "cat",
        "cp",
        "diff",
        "waste",
        "report",
        "tag",
        "rmi",
        "load",
        "save",
        "import",
        "export",
        "tags",
        "catalog",
        "search",
        "digest",
        "referrers",
        "attach",
        "delete",
        "manifest",
        "serve",
        "doctor",
        "version",
        "completion",
    ];
    for command in commands {
        shown += &format!("\n\n$ tug {command} --help\n{}", tug.data(&[command, "--help"]));
    }
    insta::assert_snapshot!(shown);
}
