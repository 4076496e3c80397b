//! Builds of what is elsewhere, from a server on this machine.

use tug_testdata::git_server::GitServer;
use tug_testdata::web_server::{Answer, WebServer};

use crate::tug::Tug;

fn here() -> Tug {
    Tug::new().with("SOURCE_DATE_EPOCH", "0").with("PATH", &std::env::var("PATH").unwrap_or_default())
}

#[test]
fn a_dockerfile_and_a_download_come_from_a_server() {
    let server = WebServer::start(|request| match request.path.as_str() {
        "/Dockerfile" => Answer::file("FROM scratch\nCOPY <<EOF /text\nhello\nEOF\n"),
        "/file" => Answer::file("hello"),
        _ => Answer::status(404),
    });
    let tug = here();
    let shown = tug.run(&["build", "--progress", "plain", "-q", &server.url("/Dockerfile")]);
    assert!(shown.starts_with("exit code 2"), "`-q` and `--progress` contradict each other: {shown}");
    let shown = tug.run(&["build", "-q", &server.url("/Dockerfile")]);
    assert!(shown.starts_with("exit code 0\n--- stdout\nsha256:"), "{shown}");
    tug.write("app/Dockerfile", format!("FROM scratch\nADD {} /\n", server.url("/none")));
    let shown = tug.run(&["build", "app"]);
    let none = server.url("/none");
    assert!(shown.starts_with("exit code 1"), "{shown}");
    assert!(
        shown.contains(&format!(
            "error: `{none}` cannot be fetched: the server answered 404 (not found)\n --> "
        ))
    );
    assert!(shown.contains(&format!("2 | ADD {none} /\n")), "{shown}");
    assert!(shown.ends_with("hint: look for a mistake in the address\n"), "{shown}");
}

#[test]
fn what_is_wrong_with_an_address_is_told_before_anything_is_done() {
    let tug = here();
    let mut shown = String::new();
    for words in [
        &["build", "git://example.org/a#--upload-pack=evil"][..],
        &["build", "ssh://-oProxyCommand=evil/a"],
        &["build", "https://me:hunter2@example.org/a.git?what=1"],
        &["build", "--build-context", "x=ftp://example.org/", "."],
        &["build", "--build-context", "x", "."],
        &["build", "--build-context", "x=target:y", "."],
        &["build", "--build-context", "x=alpine", "."],
    ] {
        shown += &format!("$ tug {}\n{}\n", words.join(" "), tug.run(words));
    }
    tug.write("Dockerfile", "FROM scratch\n");
    insta::assert_snapshot!(shown);
}

#[test]
#[ignore = "needs git"]
fn a_repository_is_built_from_a_folder_of_a_tag_needs_git() {
    let server = GitServer::start();
    let repository = server.repository("app.git");
    repository.write("web/Dockerfile", "FROM scratch\nCOPY page /\nCOPY --from=more extra /\n");
    repository.write("web/page", "page\n");
    repository.write("more/extra", "extra\n");
    repository.commit("one", 1_000_000_000);
    repository.git(&["tag", "v1"]);
    let (tug, url) = (here(), server.url("app.git"));
    let context = format!("{url}#v1:web");
    let more = format!("more={url}#:more");
    let shown = tug.run(&["build", "-t", "app", "--build-context", &more, &context]);
    assert!(shown.starts_with("exit code 0"), "{shown}");
    let shown = tug.run(&["build", &format!("{url}#v2")]);
    assert!(shown.contains(&format!("error: `{url}` has no branch, tag or commit `v2`")), "{shown}");
}
