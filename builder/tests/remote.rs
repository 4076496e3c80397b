//! What comes from elsewhere: ADD of downloads and repositories, and contexts that are some.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

mod common;

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{Outcome, Place};
use tug_builder::{BuildOptions, ContextSource, DockerfileSource, Error, Event};
use tug_fetch::Remote;
use tug_layer_store::tar::TarWriter;
use tug_layer_store::{Mtime, NewEntry};
use tug_oci::Digest;
use tug_testdata::Tree;
use tug_testdata::git_server::GitServer;
use tug_testdata::web_server::{Answer, WebServer};

const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
const SECONDS: i64 = 1_700_000_000;

fn hasty(options: &mut BuildOptions) {
    options.remote.http.pause = Duration::from_millis(1);
    options.remote.http.attempts = 2;
    let path = std::env::var_os("PATH").unwrap();
    options.remote.git.environment = vec![("PATH".into(), path)];
}

/// Builds a Dockerfile that needs no files of its own.
fn build(place: &Place, dockerfile: &str) -> Result<Outcome, Error> {
    place.build_with(Path::new("/"), dockerfile, |options| {
        hasty(options);
        options.context = ContextSource::Empty;
    })
}

/// Builds what is at an address.
fn build_at(place: &Place, address: &str, change: impl FnOnce(&mut BuildOptions)) -> Result<Outcome, Error> {
    place.build_with(Path::new("/"), "", |options| {
        hasty(options);
        options.context = ContextSource::Remote(Remote::parse(address, true).unwrap().unwrap());
        options.dockerfile = DockerfileSource::InContext(None);
        change(options);
    })
}

fn at_step(result: Result<Outcome, Error>) -> Error {
    match result {
        Err(Error::AtStep { error, .. }) => *error,
        Err(other) => panic!("without a place: {other}"),
        Ok(outcome) => panic!("built: {}", outcome.listing),
    }
}

fn problem(dockerfile: &str) -> (String, String) {
    match build(&Place::new(), dockerfile) {
        Err(Error::Dockerfile { problems, source_text }) => {
            (source_text.text[problems[0].span.clone()].to_owned(), problems[0].message.clone())
        }
        Err(other) => panic!("not a problem of the Dockerfile: {other}"),
        Ok(outcome) => panic!("built: {}", outcome.listing),
    }
}

fn cached(outcome: &Outcome) -> usize {
    outcome.events.iter().filter(|event| matches!(event, Event::Cached { .. })).count()
}

fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = TarWriter::new(Vec::new());
    for (name, content) in files {
        let mut entry = NewEntry::file(*name, 0o644, content.len() as u64);
        entry.mtime = Mtime { seconds: 1_000_000_000, nanos: 0 };
        writer.header(&entry).unwrap();
        writer.content(content.as_bytes()).unwrap();
        writer.pad().unwrap();
    }
    writer.finish().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

#[test]
fn a_download_is_private_dated_and_called_as_its_address_says() {
    let server = WebServer::start(|_| Answer::file("hello").header("Last-Modified", DATE));
    let (place, url) = (Place::new(), server.url("/files/a%20b.txt?v=1"));
    let dockerfile = format!(
        "FROM scratch\nARG U={url}\nADD $U /in/\nADD [\"{url}\", \"/whole\"]\nADD {url} {url} /two/\n"
    );
    let outcome = build(&place, &dockerfile).unwrap();
    insta::assert_snapshot!(outcome.listing, @r#"
    in/ 755 0:0
    in/a b.txt 600 0:0 "hello"
    two/ 755 0:0
    two/a b.txt 600 0:0 "hello"
    whole 600 0:0 "hello"
    "#);
    let image = place.store.image(&outcome.built.descriptor, &tug_oci::Platform::host()).unwrap();
    let view = place.store.view(image.diff_ids()).unwrap();
    assert_eq!(view.lookup(b"whole").unwrap().entry().mtime.seconds, SECONDS);
    assert_eq!(server.requests().len(), 1, "every step of a build sees the same");
}

#[test]
fn what_has_not_changed_is_not_fetched_again() {
    let version = Arc::new(AtomicUsize::new(1));
    let server = {
        let version = Arc::clone(&version);
        WebServer::start(move |request| {
            let tag = format!("\"{}\"", version.load(Ordering::SeqCst));
            match request.headers.get("if-none-match") == Some(&tag) {
                true => Answer::status(304),
                false => Answer::file(tag.clone()).header("ETag", &tag),
            }
        })
    };
    let (place, url) = (Place::new(), server.url("/a"));
    let dockerfile = format!("FROM scratch\nADD {url} /a\n");
    assert_eq!(build(&place, &dockerfile).unwrap().listing, "a 600 0:0 \"\\\"1\\\"\"");
    assert_eq!(cached(&build(&place, &dockerfile).unwrap()), 1);
    version.store(2, Ordering::SeqCst);
    let changed = build(&place, &dockerfile).unwrap();
    assert_eq!(changed.listing, "a 600 0:0 \"\\\"2\\\"\"");
    assert_eq!(changed.reasons(), [format!("{url} changed")]);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_promised_content_is_kept_to() {
    let server = WebServer::start(|_| Answer::file("hello"));
    let (place, url) = (Place::new(), server.url("/a"));
    let (right, wrong) = (Digest::of(b"hello"), Digest::of(b"other"));
    let dockerfile = |digest: &Digest| {
        format!("FROM scratch\nARG SUM={}\nADD --checksum=sha256:$SUM {url} /a\n", digest.hex())
    };
    let error = at_step(build(&place, &dockerfile(&wrong)));
    assert_eq!(error.to_string(), format!("`{url}` has the digest `{right}`, not `{wrong}`"));
    assert!(!place.store.has_blob(&right).unwrap(), "nothing is kept");
    build(&place, &dockerfile(&right)).unwrap();
    assert_eq!(server.requests().len(), 2);
    assert_eq!(cached(&build(&place, &dockerfile(&right)).unwrap()), 1);
    assert_eq!(server.requests().len(), 2, "what is known needs no server");
}

#[test]
fn a_download_is_unpacked_only_if_that_is_asked_for() {
    let archive = gzip(&tar(&[("in/file", "text")]));
    let size = archive.len();
    let server = WebServer::start(move |_| Answer::file(archive.clone()));
    let url = server.url("/a.tar.gz");
    let place = Place::new();
    let kept = build(&place, &format!("FROM scratch\nADD {url} /t/\n")).unwrap();
    assert!(kept.listing.contains("t/a.tar.gz 600 0:0 "), "{}", kept.listing);
    assert!(size > 20);
    let unpacked = build(&place, &format!("FROM scratch\nADD --unpack {url} /t/\n")).unwrap();
    insta::assert_snapshot!(unpacked.listing, @r#"
    t/ 755 0:0
    t/in/ 755 0:0
    t/in/file 644 0:0 "text"
    "#);
}

#[test]
fn owner_mode_and_files_from_here_go_together_with_downloads() {
    let server = WebServer::start(|_| Answer::file("there"));
    let context = Tree::default().file("here", "here").in_a_temporary_folder();
    let dockerfile = format!("FROM scratch\nADD --chown=1:2 --chmod=644 {} here /t/\n", server.url("/there"));
    let outcome = Place::new().build_with(context.path(), &dockerfile, hasty).unwrap();
    insta::assert_snapshot!(outcome.listing, @r#"
    t/ 755 1:2
    t/here 644 1:2 "here"
    t/there 644 1:2 "there"
    "#);
}

#[test]
fn mistakes_in_add_are_shown_where_they_are() {
    let sum = Digest::of(b"x");
    for (add, place, word) in [
        (
            "ADD http://127.0.0.1:1/ /t/".to_owned(),
            "http://127.0.0.1:1/",
            "does not say what the file is called",
        ),
        ("ADD http:// /t/".to_owned(), "http://", "is not a web address"),
        ("ADD --checksum=sha256:12 http://h/a /t".to_owned(), "--checksum=sha256:12", "is not a checksum"),
        (format!("ADD --checksum={sum} local /t"), "", "and `local` is a path"),
        (format!("ADD --checksum={sum} http://h/a http://h/b /t/"), "", "about one source, and there are 2"),
        (format!("ADD --checksum={sum} <<EOF /t/\nEOF"), "", "for downloads and repositories"),
        ("ADD --checksum=xyz git://h/a /t".to_owned(), "--checksum=xyz", "at least 7 hexadecimal digits"),
        ("ADD git://h/a#-evil /t".to_owned(), "git://h/a#-evil", "begins with `-`"),
        ("ADD git://h/a?what=1 /t".to_owned(), "git://h/a?what=1", "`what` is not known"),
    ] {
        let (found, message) = problem(&format!("FROM scratch\n{add}\n"));
        assert!(message.contains(word), "{add}: {message}");
        let place = if place.is_empty() { format!("--checksum={sum}") } else { place.to_owned() };
        assert_eq!(found, place, "{add}");
    }
}

#[test]
fn what_cannot_be_fetched_is_told_at_its_line_and_without_secrets() {
    let server = WebServer::start(|request| match request.path.as_str() {
        "/redirect" => Answer::redirect("file:///etc/passwd"),
        _ => Answer::status(404),
    });
    let url = server.url("/none").replace("http://", "http://me:hunter2@");
    let error = build(&Place::new(), &format!("FROM scratch\nADD {url} /t\n"));
    let error = at_step(error);
    assert!(error.to_string().ends_with("the server answered 404 (not found)"), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    let redirect = server.url("/redirect");
    let error = at_step(build(&Place::new(), &format!("FROM scratch\nADD {redirect} /t\n")));
    assert!(error.to_string().contains("redirects to `file:///etc/passwd`"), "{error}");
}

#[test]
fn a_secret_lets_a_download_in_and_is_in_no_record() {
    let server = WebServer::start(|request| match request.headers.get("authorization").map(String::as_str) {
        Some("Bearer hunter2") => Answer::file("x"),
        _ => Answer::status(401),
    });
    let place = Place::new();
    let dockerfile = format!("FROM scratch\nADD {} /a\n", server.url("/a"));
    let error = at_step(build(&place, &dockerfile));
    assert!(error.hint().unwrap().contains("HTTP_AUTH_TOKEN_"), "{error}");
    let id = format!("HTTP_AUTH_TOKEN_{}", server.address());
    let outcome = place.build_with(Path::new("/"), &dockerfile, |options| {
        hasty(options);
        options.secrets = vec![tug_builder::Secret::new(id, "hunter2\n")];
    });
    assert_eq!(outcome.unwrap().listing, "a 600 0:0 \"x\"");
}

#[test]
fn no_password_is_in_the_history() {
    let server = WebServer::start(|_| Answer::file("x"));
    let place = Place::new();
    let url = server.url("/a").replace("http://", "http://me:hunter2@");
    let outcome = build(&place, &format!("FROM scratch\nADD {url} /a\n")).unwrap();
    let image = place.store.image(&outcome.built.descriptor, &tug_oci::Platform::host()).unwrap();
    let history = format!("{:?}", image.config.history);
    assert!(history.contains("ADD http://***@127.0.0.1") && !history.contains("hunter2"), "{history}");
}

#[test]
fn a_tar_from_elsewhere_is_a_context_in_any_compression() {
    let plain = tar(&[
        ("Dockerfile", "FROM scratch\nCOPY file /\n"),
        ("file", "text"),
        ("other", "FROM scratch\nCOPY . /\n"),
    ]);
    let all = |mut reader: Box<dyn Read + '_>| {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        bytes
    };
    let xz = all(Box::new(liblzma::read::XzEncoder::new(plain.as_slice(), 1)));
    let bzip2 = all(Box::new(bzip2::read::BzEncoder::new(plain.as_slice(), bzip2::Compression::fast())));
    let zstd = zstd::encode_all(plain.as_slice(), 1).unwrap();
    for bytes in [plain.clone(), gzip(&plain), xz, bzip2, zstd] {
        let served = bytes.clone();
        let server = WebServer::start(move |_| Answer::file(served.clone()));
        let place = Place::new();
        let url = server.url("/context");
        assert_eq!(build_at(&place, &url, |_| {}).unwrap().listing, "file 644 0:0 \"text\"");
        let epoch = |options: &mut BuildOptions| options.epoch_of_context = true;
        let dated = build_at(&place, &url, epoch).unwrap();
        let image = place.store.image(&dated.built.descriptor, &tug_oci::Platform::host()).unwrap();
        assert_eq!(image.config.created.as_deref(), Some("2001-09-09T01:46:40Z"));
        let other = |options: &mut BuildOptions| {
            options.dockerfile = DockerfileSource::InContext(Some("other".to_owned()));
        };
        assert!(build_at(&place, &url, other).unwrap().listing.contains("Dockerfile 644"));
        let from_stdin = place.build_with(Path::new("/"), "", |options| {
            options.context = ContextSource::Tar(Box::new(std::io::Cursor::new(bytes)));
            options.dockerfile = DockerfileSource::InContext(None);
        });
        assert_eq!(from_stdin.unwrap().listing, "file 644 0:0 \"text\"");
    }
}

#[test]
fn a_dockerfile_from_elsewhere_has_no_context() {
    let server = WebServer::start(|request| match request.path.as_str() {
        "/plain" => Answer::file("FROM scratch\nCOPY <<X /x\ntext\nX\n").header("Last-Modified", DATE),
        _ => Answer::file("FROM scratch\nCOPY file /\n"),
    });
    let place = Place::new();
    let epoch = |options: &mut BuildOptions| options.epoch_of_context = true;
    let outcome = build_at(&place, &server.url("/plain"), epoch).unwrap();
    assert_eq!(outcome.listing, "x 644 0:0 \"text\\n\"");
    let image = place.store.image(&outcome.built.descriptor, &tug_oci::Platform::host()).unwrap();
    assert_eq!(image.config.created.as_deref(), Some("2023-11-14T22:13:20Z"));
    let Err(Error::Dockerfile { problems, .. }) = build_at(&place, &server.url("/copies"), |_| {}) else {
        panic!("there is no file to copy")
    };
    assert_eq!(problems[0].message, "`file` is not in the context");
    let named = |options: &mut BuildOptions| {
        options.dockerfile = DockerfileSource::InContext(Some("x".to_owned()));
    };
    let error = build_at(&place, &server.url("/plain"), named).err().unwrap().to_string();
    assert!(error.contains("is not a tar"), "{error}");
}

/// A repository with a folder `web`, a link that leads out of it, and an ignore file.
fn repository(server: &GitServer) -> tug_testdata::git_server::Repository {
    let repository = server.repository("a.git");
    repository.write("Dockerfile", "FROM scratch\nCOPY . /\n");
    repository.write(".dockerignore", "file\n");
    repository.write("file", "one\n");
    repository.write("web/Dockerfile", "FROM scratch\nCOPY page /\n");
    repository.write("web/page", "page\n");
    std::os::unix::fs::symlink("/etc", repository.folder().join("out")).unwrap();
    std::os::unix::fs::symlink("web", repository.folder().join("link")).unwrap();
    repository.commit("one", 1_000_000_000);
    repository.git(&["tag", "v1"]);
    repository
}

#[test]
#[ignore = "needs git"]
fn a_commit_is_added_as_it_is_needs_git() {
    let server = GitServer::start();
    let repository = repository(&server);
    let (place, url) = (Place::new(), server.url("a.git"));
    let dockerfile = format!("FROM scratch\nADD {url}#:web /t\n");
    let outcome = build(&place, &dockerfile).unwrap();
    insta::assert_snapshot!(outcome.listing, @r#"
    t/ 755 0:0
    t/Dockerfile 644 0:0 "FROM scratch\nCOPY page /\n"
    t/page 644 0:0 "page\n"
    "#);
    let image = place.store.image(&outcome.built.descriptor, &tug_oci::Platform::host()).unwrap();
    let view = place.store.view(image.diff_ids()).unwrap();
    assert_eq!(view.lookup(b"t/page").unwrap().entry().mtime.seconds, 1_000_000_000);
    assert_eq!(cached(&build(&place, &dockerfile).unwrap()), 1);

    repository.write("web/page", "new\n");
    let sha = repository.commit("two", 1_000_000_001);
    let changed = build(&place, &dockerfile).unwrap();
    assert!(changed.listing.contains("t/page 644 0:0 \"new\\n\""));
    assert_eq!(changed.reasons(), [format!("{url}#:web changed")]);

    let right = format!("FROM scratch\nADD --checksum={} {url}?subdir=web /t\n", &sha[..10]);
    assert!(build(&place, &right).unwrap().listing.contains("new"));
    let wrong = format!("FROM scratch\nADD --checksum=0000000 {url} /t\n");
    let told = at_step(build(&place, &wrong)).to_string();
    assert_eq!(told, format!("`HEAD` of `{url}` is commit `{sha}`, not `0000000`"));
}

#[test]
#[ignore = "needs git"]
fn the_git_folder_is_kept_only_if_that_is_asked_for_needs_git() {
    let server = GitServer::start();
    repository(&server);
    let (place, url) = (Place::new(), server.url("a.git"));
    let listing = |dockerfile: String| build(&place, &dockerfile).unwrap().listing;
    assert!(!listing(format!("FROM scratch\nADD {url} /t\n")).contains(".git/"));
    for words in [format!("--keep-git-dir {url}"), format!("{url}?keep-git-dir=1")] {
        let listing = listing(format!("FROM scratch\nADD {words} /t\n"));
        assert!(listing.contains("t/.git/HEAD 644 0:0 \"ref: refs/heads/main\\n\""), "{listing}");
        assert!(listing.contains("t/file 644 0:0 \"one\\n\""));
        assert!(listing.contains("t/out -> /etc"));
    }
    assert!(
        !listing(format!("FROM scratch\nADD --keep-git-dir=false {url}?keep-git-dir=1 /t\n"))
            .contains(".git/")
    );
}

#[test]
#[ignore = "needs git"]
fn a_folder_of_a_repository_stays_in_it_needs_git() {
    let server = GitServer::start();
    repository(&server);
    let (place, url) = (Place::new(), server.url("a.git"));
    let add = |folder: &str| build(&place, &format!("FROM scratch\nADD {url}#:{folder} /t\n"));
    assert!(add("link").unwrap().listing.contains("t/page"));
    for folder in ["out", "none", "file"] {
        let told = at_step(add(folder)).to_string();
        assert!(told.contains("there is no folder"), "{folder}: {told}");
    }
}

#[test]
#[ignore = "needs git"]
fn a_repository_is_a_context_needs_git() {
    let server = GitServer::start();
    let repository = repository(&server);
    let (place, url) = (Place::new(), server.url("a.git"));
    let whole = build_at(&place, &url, |_| {}).unwrap().listing;
    assert!(whole.contains("file 644 0:0 \"one\\n\""), "ignore files are for folders: {whole}");
    assert!(!whole.contains(".git/"));
    assert_eq!(
        build_at(&place, &format!("{url}#v1:web"), |_| {}).unwrap().listing,
        "page 644 0:0 \"page\\n\""
    );
    let named = |options: &mut BuildOptions| {
        options.dockerfile = DockerfileSource::InContext(Some("web/Dockerfile".to_owned()));
    };
    let error = build_at(&place, &url, named).err().unwrap().to_string();
    assert_eq!(error, "`page` is not in the context");
    let with_git = |options: &mut BuildOptions| {
        options.build_args.insert("BUILDKIT_CONTEXT_KEEP_GIT_DIR".to_owned(), "1".to_owned());
        options.epoch_of_context = true;
    };
    let outcome = build_at(&place, &url, with_git).unwrap();
    assert!(outcome.listing.contains(".git/HEAD"));
    let image = place.store.image(&outcome.built.descriptor, &tug_oci::Platform::host()).unwrap();
    assert_eq!(image.config.created.as_deref(), Some("2001-09-09T01:46:40Z"));
    std::fs::remove_file(repository.folder().join("Dockerfile")).unwrap();
    repository.commit("two", 1_000_000_001);
    let error = build_at(&place, &url, |_| {}).err().unwrap().to_string();
    assert_eq!(error, format!("no Dockerfile in `{url}`"));
}
