//! The addresses of repositories, and repositories that a server on this machine gives away.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use tug_testdata::git_server::GitServer;

use super::*;

fn parsed(text: &str) -> GitUrl {
    GitUrl::parse(text, true).unwrap_or_else(|| panic!("`{text}` is a repository")).unwrap()
}

fn refused(text: &str) -> String {
    match GitUrl::parse(text, true) {
        Some(Err(error)) => error.to_string(),
        other => panic!("`{text}` should be refused, not {other:?}"),
    }
}

#[test]
fn every_form_of_an_address_is_known() {
    for (text, remote) in [
        ("https://example.org/a/b.git", "https://example.org/a/b.git"),
        ("http://example.org/a.git#main:sub", "http://example.org/a.git"),
        ("https://me:secret@example.org/a.git?ref=v1", "https://me:secret@example.org/a.git"),
        ("ssh://git@example.org:2222/a", "ssh://git@example.org:2222/a"),
        ("git://example.org/a", "git://example.org/a"),
        ("git@example.org:a/b.git#v1", "git@example.org:a/b.git"),
        ("github.com/a/b#main", "https://github.com/a/b"),
    ] {
        assert_eq!(parsed(text).remote(), remote, "{text}");
    }
    for text in [
        "https://example.org/a.tar.gz",
        "https://example.org/a.git/file",
        ".",
        "a:b",
        "folder/with@sign",
        "example.org/a.git",
        "file:///etc/a.git",
        "ext::sh -c evil",
    ] {
        assert_eq!(GitUrl::parse(text, true), None, "{text}");
    }
    assert_eq!(GitUrl::parse("github.com/a/b", false), None, "for ADD it is a path");
}

#[test]
fn an_address_says_what_of_it_is_wanted() {
    let wanted = |text: &str| parsed(text).wanted().clone();
    let some = |text: &str| Some(text.to_owned());
    let default = Wanted::default;
    assert_eq!(wanted("git://h/a"), default());
    assert_eq!(wanted("git://h/a#"), default());
    assert_eq!(wanted("git://h/a#v1"), Wanted { reference: some("v1"), ..default() });
    assert_eq!(
        wanted("git@h:a#x/y:/in/./here/"),
        Wanted { reference: some("x/y"), subdirectory: some("in/here"), ..default() }
    );
    assert_eq!(wanted("git://h/a#:in"), Wanted { subdirectory: some("in"), ..default() });
    assert_eq!(wanted("git://h/a?branch=x"), Wanted { reference: some("refs/heads/x"), ..default() });
    assert_eq!(
        wanted("git://h/a?tag=v1&subdir=in&commit=0123456&keep-git-dir&submodules=false&mtime=commit"),
        Wanted {
            reference: some("refs/tags/v1"),
            subdirectory: some("in"),
            checksum: some("0123456"),
            keep_git_dir: Some(true),
            submodules: false,
            checkout_times: Some(false),
            by_commit: false,
        }
    );
}

#[test]
fn hostile_and_senseless_addresses_are_refused() {
    for (text, word) in [
        ("ssh://-oProxyCommand=evil/a", "begins with `-`"),
        ("ssh://-x@example.org/a", "begins with `-`"),
        ("git@-oProxyCommand:a", "begins with `-`"),
        ("git@example.org:-evil", "begins with `-`"),
        ("git://h/a#-evil", "`-evil` is not a branch, tag or commit: it begins with `-`"),
        ("git://h/a#--upload-pack=evil", "begins with `-`"),
        ("git://h/a?ref=-evil", "begins with `-`"),
        ("git://h/a#+refs/heads/x", "characters that no name has"),
        ("git://h/a#a*", "characters that no name has"),
        ("git://h/a#a..b", "no name is written so"),
        ("git://h/a#main:../..", "outside of the repository"),
        ("git://h/a?subdir=a/../../b", "outside of the repository"),
        ("git://h/a?checksum=xyz", "7 hexadecimal digits"),
        ("git://h/a?ref=x&tag=y", "both `ref` and `tag`"),
        ("git://h/a?ref=x#y", "both `?` and `#`"),
        ("git://h/a?what=x", "`what` is not known"),
        ("git://h/a?mtime=x", "expected `checkout` or `commit`"),
        ("git://h/a?fetch-by-commit=1", "needs the whole name of a commit"),
        ("git://example.org", "no repository"),
        ("ssh:///a", "no host"),
    ] {
        let told = refused(text);
        assert!(told.contains(word), "{text}: {told}");
    }
    let told = refused("https://me:hunter2@example.org/a.git#-x");
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn a_submodule_is_seen_from_its_repository() {
    let inner = |outer: &str, text: &str| parsed(outer).submodule(text).map(|url| url.remote().to_owned());
    for (outer, text, expected) in [
        ("https://h/a/b.git", "../c.git", "https://h/a/c.git"),
        ("https://h/a/b.git", "./c", "https://h/a/b.git/c"),
        ("https://h/a/b.git", "../../c", "https://h/c"),
        ("git@h:a/b.git", "../c.git", "git@h:a/c.git"),
        ("git@h:b.git", "../c.git", "git@h:c.git"),
        ("git@h:b.git", "https://other/x.git", "https://other/x.git"),
        ("git@h:b.git", "other@h:x", "other@h:x"),
    ] {
        assert_eq!(inner(outer, text).as_deref(), Ok(expected), "{text} in {outer}");
    }
    for text in [
        "/etc",
        "file:///etc",
        "ext::sh -c evil",
        "../../../../..",
        "-x",
        "ssh://-oProxyCommand=evil/x",
        "fd::17",
    ] {
        let told = inner("https://h/a/b.git", text);
        assert!(told.is_err(), "`{text}` should be refused, not {told:?}");
    }
}

/// A folder for copies, and git with the environment of a user who has none of his own settings.
fn client(folder: &tempfile::TempDir) -> Git {
    let path = std::env::var_os("PATH").expect("tests have a path");
    let home = folder.path().join("home");
    fs::create_dir_all(&home).unwrap();
    let environment = vec![("PATH".into(), path), ("HOME".into(), home.into())];
    Git::new(folder.path().join("git"), GitOptions { environment, ..GitOptions::default() })
}

/// The files of a commit as `tar` lists them, with the contents of those that are regular.
fn listing(trees: &GitTrees) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for part in trees.parts() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("part.tar");
        let mut out = fs::File::create(&archive).unwrap();
        part.tar(&Stop::never(), |tar| std::io::copy(tar, &mut out).map(drop)).unwrap();
        let unpacked = folder.path().join("files");
        fs::create_dir(&unpacked).unwrap();
        let status = Command::new("tar").arg("-xpf").arg(&archive).current_dir(&unpacked).status().unwrap();
        assert!(status.success());
        let mut open = vec![unpacked.clone()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&unpacked).unwrap().to_string_lossy().into_owned();
                if path.is_symlink() {
                    files.insert(name, format!("-> {}", fs::read_link(&path).unwrap().display()));
                } else if path.is_dir() {
                    open.push(path);
                } else {
                    let mode = path.metadata().unwrap().permissions().mode() & 0o777;
                    files.insert(name, format!("{mode:o} {}", fs::read_to_string(&path).unwrap()));
                }
            }
        }
    }
    files
}

fn files(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, content)| ((*name).to_owned(), (*content).to_owned())).collect()
}

#[test]
fn a_token_without_a_host_is_for_the_host_of_the_repository_only() {
    let options = GitOptions {
        credentials: vec![Credential::of_git("", "hunter2"), Credential::of_git("other.example", "x")],
        ..GitOptions::default()
    };
    let headers = |url: &GitUrl| {
        let settings = Program::new(&options, &Settings::default(), url).settings();
        let names = settings.into_iter().map(|(name, _)| name).filter(|name| name.ends_with(".extraHeader"));
        names.collect::<Vec<_>>()
    };
    let others = ["http.https://other.example/.extraHeader", "http.http://other.example/.extraHeader"];
    let own = ["http.https://h:8443/.extraHeader", "http.http://h:8443/.extraHeader"];
    let outer = parsed("https://h:8443/a/b.git");
    assert_eq!(headers(&outer), [own, others].concat());
    assert_eq!(headers(&outer.submodule("https://evil.example/c.git").unwrap()), [own, others].concat());
    assert_eq!(headers(&parsed("git@h:a")), others);
}

#[test]
#[ignore = "needs git"]
fn branches_tags_and_commits_are_found_needs_git() {
    let server = GitServer::start();
    let repository = server.repository("a.git");
    repository.write("file", "one\n");
    let first = repository.commit("one", 1_000_000_000);
    repository.git(&["tag", "light"]);
    repository.git(&["tag", "-a", "-m", "x", "heavy"]);
    let tag_object = repository.git(&["rev-parse", "heavy"]);
    repository.write("file", "two\n");
    let second = repository.commit("two", 1_000_000_001);
    repository.git(&["branch", "both"]);
    repository.git(&["tag", "both", &first]);

    let folder = tempfile::tempdir().unwrap();
    let git = client(&folder);
    let url = |wanted: &str| parsed(&format!("{}{wanted}", server.url("a.git")));
    let resolve = |wanted: &str| git.resolve(&url(wanted), &Stop::never()).map(|commit| commit.sha);
    for (wanted, expected) in [
        (String::new(), &second),
        ("#main".to_owned(), &second),
        ("#light".to_owned(), &first),
        ("#heavy".to_owned(), &first),
        ("#both".to_owned(), &second),
        ("?tag=both".to_owned(), &first),
        (format!("#{first}"), &first),
        (format!("?ref=light&checksum={}", &first[..12]), &first),
        (format!("?ref=heavy&checksum={tag_object}"), &first),
        (format!("?checksum={first}&fetch-by-commit=true"), &first),
    ] {
        let found = resolve(&wanted).unwrap();
        assert_eq!(&found, expected, "{wanted}");
        let commit = git.resolve(&url(&wanted), &Stop::never()).unwrap();
        let trees = git.fetch(&url(&wanted), &commit, &Stop::never()).unwrap();
        let content = if *expected == first { "644 one\n" } else { "644 two\n" };
        assert_eq!(listing(&trees), files(&[("file", content)]), "{wanted}");
    }
    let told = resolve("#nothing").unwrap_err().to_string();
    assert_eq!(told, format!("`{}` has no branch, tag or commit `nothing`", server.url("a.git")));
    let wrong = "0".repeat(40);
    let told = resolve(&format!("?ref=main&checksum={wrong}")).unwrap_err().to_string();
    assert_eq!(told, format!("`main` of `{}` is commit `{second}`, not `{wrong}`", server.url("a.git")));
    let missing = Commit { sha: wrong.clone(), reference: None };
    let error = git.fetch(&url(""), &missing, &Stop::never()).unwrap_err();
    assert!(matches!(error, Error::NoReference { .. }), "{error}");
    let error = git.resolve(&parsed(&server.url("none.git")), &Stop::never()).unwrap_err();
    assert!(matches!(error, Error::Git { .. }), "{error}");
}

#[test]
#[ignore = "needs git"]
fn a_commit_that_is_here_needs_no_server_needs_git() {
    let folder = tempfile::tempdir().unwrap();
    let git = client(&folder);
    let server = GitServer::start();
    let repository = server.repository("a.git");
    repository.write("file", "one\n");
    let sha = repository.commit("one", 1_000_000_000);
    let url = parsed(&format!("{}#{sha}", server.url("a.git")));
    let commit = git.resolve(&url, &Stop::never()).unwrap();
    git.fetch(&url, &commit, &Stop::never()).unwrap();
    fs::remove_dir_all(repository.folder()).unwrap();
    let commit = git.resolve(&url, &Stop::never()).unwrap();
    let trees = git.fetch(&url, &commit, &Stop::never()).unwrap();
    assert_eq!(listing(&trees), files(&[("file", "644 one\n")]));
    assert_eq!(trees.time(), 1_000_000_000);
}

#[test]
#[ignore = "needs git"]
fn files_come_as_they_are_whatever_attributes_say_needs_git() {
    let server = GitServer::start();
    let repository = server.repository("a.git");
    repository.write("tests/case", "kept\n");
    repository.write("version", "$Format:%H$\n");
    repository.write("run", "#!/bin/sh\n");
    repository.write(".gitattributes", "tests export-ignore\nversion export-subst\n* filter=evil\n");
    fs::set_permissions(repository.folder().join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", repository.folder().join("link")).unwrap();
    repository.commit("one", 1_000_000_000);
    let folder = tempfile::tempdir().unwrap();
    let git = client(&folder);
    // A filter of the user is a program, and does not run.
    let settings = "[filter \"evil\"]\nsmudge = echo evil\nrequired = true\n[core]\nhooksPath = /evil\n";
    fs::write(folder.path().join("home/.gitconfig"), settings).unwrap();
    let url = parsed(&server.url("a.git"));
    let commit = git.resolve(&url, &Stop::never()).unwrap();
    let found = listing(&git.fetch(&url, &commit, &Stop::never()).unwrap());
    assert_eq!(found["tests/case"], "644 kept\n");
    assert_eq!(found["version"], "644 $Format:%H$\n");
    assert_eq!(found["run"], "755 #!/bin/sh\n");
    assert_eq!(found["link"], "-> /etc/passwd");
}

#[test]
#[ignore = "needs git"]
fn submodules_come_along_unless_they_lie_on_this_machine_needs_git() {
    let server = GitServer::start();
    let deepest = server.repository("deepest.git");
    deepest.write("deep", "deep\n");
    let deepest_sha = deepest.commit("one", 1_000_000_000);
    let inner = server.repository("inner.git");
    inner.write("inside", "inside\n");
    inner.write(".gitmodules", "[submodule \"d\"]\npath = below/deepest\nurl = ../deepest.git\n");
    inner.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{deepest_sha},below/deepest")]);
    let inner_sha = {
        inner.git(&["add", "inside", ".gitmodules"]);
        inner.git(&["commit", "--quiet", "-m", "one"]);
        inner.git(&["rev-parse", "HEAD"])
    };
    let outer = server.repository("outer.git");
    let with_address = |name: &str, address: &str| {
        outer.git(&["checkout", "--quiet", "--orphan", name]);
        outer.write("file", "outside\n");
        outer.write(".gitmodules", &format!("[submodule \"x\"]\npath = sub\nurl = {address}\n"));
        outer.git(&["add", "file", ".gitmodules"]);
        outer.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{inner_sha},sub")]);
        outer.git(&["commit", "--quiet", "-m", name]);
    };
    with_address("good", "../inner.git");
    with_address("path", &inner.folder().to_string_lossy());
    with_address("ext", "ext::sh -c true");

    let folder = tempfile::tempdir().unwrap();
    let git = client(&folder);
    let fetch = |wanted: &str| {
        let url = parsed(&format!("{}{wanted}", server.url("outer.git")));
        let commit = git.resolve(&url, &Stop::never())?;
        git.fetch(&url, &commit, &Stop::never())
    };
    let found = listing(&fetch("#good").unwrap());
    assert_eq!(found["sub/inside"], "644 inside\n");
    assert_eq!(found["sub/below/deepest/deep"], "644 deep\n");
    assert!(!listing(&fetch("?ref=good&submodules=false").unwrap()).contains_key("sub/inside"));
    let told = fetch("#path").unwrap_err().to_string();
    assert!(told.contains("the submodule `sub` of") && told.contains("a path of this machine"), "{told}");
    assert!(fetch("#ext").is_err());
}

#[test]
#[ignore = "needs git"]
fn a_working_copy_knows_where_it_is_from_needs_git() {
    let server = GitServer::start();
    let repository = server.repository("a.git");
    repository.write("file", "one\n");
    repository.commit("one", 1_000_000_000);
    repository.git(&["tag", "v1"]);
    repository.write("file", "two\n");
    let second = repository.commit("two", 1_000_000_001);
    let folder = tempfile::tempdir().unwrap();
    let git = client(&folder);
    for (wanted, head, content) in
        [("", "refs/heads/main", "two\n"), ("#v1", "", "one\n"), (&format!("#{second}"), "", "two\n")]
    {
        let url = parsed(&format!("{}{wanted}", server.url("a.git")));
        let commit = git.resolve(&url, &Stop::never()).unwrap();
        let copy = tempfile::tempdir().unwrap();
        git.check_out(&url, &commit, copy.path(), &Stop::never()).unwrap();
        assert_eq!(fs::read_to_string(copy.path().join("file")).unwrap(), content);
        let ask = |arguments: &[&str]| {
            let output = Command::new("git").args(arguments).current_dir(copy.path()).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        assert_eq!(ask(&["status", "--porcelain"]), "");
        assert_eq!(ask(&["rev-parse", "HEAD"]), commit.sha);
        assert_eq!(ask(&["symbolic-ref", "-q", "HEAD"]), head);
        assert_eq!(ask(&["remote", "get-url", "origin"]), server.url("a.git"));
        assert_eq!(ask(&["tag", "--points-at", "HEAD"]), if wanted == "#v1" { "v1" } else { "" });
        assert!(!copy.path().join(".git/hooks").exists());
    }
}

#[test]
#[ignore = "needs git"]
fn giving_up_ends_git_needs_git() {
    // A server that accepts and says nothing.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = parsed(&format!("git://{}/a", listener.local_addr().unwrap()));
    let folder = tempfile::tempdir().unwrap();
    let git = client(&folder);
    let error = git.resolve(&url, &Stop::when(|| true)).unwrap_err();
    assert!(matches!(error, Error::Stopped), "{error}");

    let path = std::env::var_os("PATH").unwrap();
    let options = GitOptions {
        environment: vec![("PATH".into(), path)],
        idle: Duration::from_millis(1),
        ..GitOptions::default()
    };
    let git = Git::new(folder.path().join("other"), options);
    let told = git.resolve(&url, &Stop::never()).unwrap_err().to_string();
    assert!(told.contains("nothing came for"), "{told}");
}

#[test]
fn without_git_it_is_said_what_to_install() {
    let folder = tempfile::tempdir().unwrap();
    let environment = vec![("PATH".into(), folder.path().into())];
    let git = Git::new(folder.path().join("git"), GitOptions { environment, ..GitOptions::default() });
    let error = git.resolve(&parsed("git://127.0.0.1/a"), &Stop::never()).unwrap_err();
    assert_eq!(error.to_string(), "`git` is not installed, and `git://127.0.0.1/a` is fetched with it");
    assert!(error.hint().unwrap().contains("apt-get install git"));
}
