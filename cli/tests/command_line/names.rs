//! Names and tags of every odd kind, through every command that takes one: one rule, and a reason.

use crate::tug::Tug;

fn digest() -> String {
    format!("sha256:{}", "0".repeat(64))
}

/// Names that nothing can have, and what is said about them.
fn odd() -> Vec<(String, &'static str)> {
    let long = format!("app:{}", "a".repeat(129));
    let odd = [
        ("App", "must be lower case"),
        ("x.io/App", "must be lower case"),
        ("ünï", "is not an image name"),
        ("app:ünï", "is not a tag"),
        ("app:.1", "is not a tag"),
        (long.as_str(), "is not a tag"),
        ("app:", "has nothing behind its `:`"),
        ("app@", "has nothing behind its `@`"),
        (":1", "has no name before its tag"),
        ("app@sha512:00", "expected 128 lower-case hexadecimal digits"),
        ("app@md5:00", "is not a hash algorithm"),
        ("localhost:/app", "is not the address of a registry"),
        ("localhost:99999/app", "is not the address of a registry"),
        ("::1/app", "one of IPv6 stands in brackets"),
        ("https://x.io/app", "leave out `https://`"),
        ("a b", "is not an image name"),
        (" app", "is not an image name"),
        ("a/../b", "is not an image name"),
        ("/app", "is not an image name"),
        ("app/", "is not an image name"),
        ("a//b", "is not an image name"),
        ("a\nb", "is not an image name"),
        ("a\u{1b}[2Jb", "is not an image name"),
        ("-x", "is not an image name"),
        ("", "an image name is missing"),
    ];
    odd.map(|(name, part)| (name.to_owned(), part)).into()
}

#[test]
fn what_is_no_name_is_refused_everywhere_with_the_same_reason() {
    let tug = Tug::new();
    tug.image(&["app"]);
    tug.write("c/Dockerfile", "FROM app\n");
    for (name, part) in odd() {
        let tag = format!("--tag={name}");
        let commands: [&[&str]; 9] = [
            &["build", "-q", &tag, "c"],
            &["tag", "app", "--", &name],
            &["rmi", "--", &name],
            &["save", "-o", "out.tar", "--", &name],
            &["push", "app", "--", &name],
            &["pull", "--", &name],
            &["import", "--", "c/Dockerfile", &name],
            &["inspect", "--", &name],
            &["edit", "app", "-e", "A=1", &tag],
        ];
        for words in commands {
            let shown = tug.run(words);
            assert!(shown.starts_with("exit code 2\n") && shown.contains(part), "{words:?}: {shown}");
            let is_plain = |c: char| !c.is_control() || c == '\n';
            assert!(shown.chars().all(is_plain) && shown.len() < 600, "{words:?}: {shown}");
        }
    }
    assert_eq!(tug.data(&["images", "--format", "{{.Repository}}:{{.Tag}}"]), "app:latest\n");
}

#[test]
fn names_that_would_mean_something_else_are_not_given() {
    let tug = Tug::new();
    tug.image(&["app"]);
    tug.write("c/Dockerfile", "FROM app\n");
    for (name, part) in [
        (format!("app:1@{}", digest()), "has a digest"),
        (format!("app@sha512:{}", "0".repeat(128)), "has a digest"),
        (digest(), "would be taken for a digest"),
        ("sha256:abc".to_owned(), "would be taken for a digest"),
        ("a".repeat(64), "would be taken for a digest"),
        ("scratch".to_owned(), "what FROM calls no image at all"),
        ("scratch:1".to_owned(), "what FROM calls no image at all"),
    ] {
        for words in [
            &["build", "-q", "-t", &name, "c"][..],
            &["tag", "app", &name],
            &["push", "app", &name],
            &["import", "c/Dockerfile", &name],
            &["edit", "app", "-t", &name],
        ] {
            let shown = tug.run(words);
            assert!(shown.starts_with("exit code 2\n") && shown.contains(part), "{words:?}: {shown}");
        }
    }
}

#[test]
fn odd_names_that_are_names_go_there_and_back() {
    let tug = Tug::new();
    tug.image(&["app"]);
    let long = format!("app:{}", "x".repeat(128));
    let names = [
        long.as_str(),
        "localhost:5000/app",
        "[::1]:5000/app:1",
        "a/b--c/d__e/f.g:_1",
        "x.io/0/1:A.b-C_d",
        "oci:layout",
        "a:65535/b",
        "127.0.0.1/app",
    ];
    for name in names {
        tug.data(&["tag", "app", name]);
        assert!(
            tug.data(&["inspect", "-f", "{{.RepoTags}}", name])
                .contains(name.split(':').next().unwrap_or(name))
        );
        for format in ["docker-archive", "oci-archive"] {
            tug.data(&["save", "-o", "out.tar", "--format", format, name]);
            tug.data(&["rmi", name]);
            tug.data(&["load", "-q", "-i", "out.tar"]);
            assert!(tug.run(&["inspect", name]).starts_with("exit code 0"), "{name} {format}");
        }
        tug.data(&["rmi", name]);
    }
    assert_eq!(tug.data(&["images", "--format", "{{.Repository}}:{{.Tag}}"]), "app:latest\n");
}
