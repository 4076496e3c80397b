//! `tug cache`, and what steps are entrusted with.

use crate::tug::Tug;

/// A Dockerfile that fills a cache.
const FILLS: &str = "FROM base\nRUN --mount=type=cache,id=deps,target=/c echo content > /c/file\n";

fn built(tug: &Tug, name: &str, dockerfile: &str, more: &[&str]) -> String {
    tug.write(&format!("{name}/Dockerfile"), dockerfile);
    let words = [&["build", "--progress", "plain", "--network", "none"], more, &[name]].concat();
    tug.run(&words)
}

#[test]
#[ignore = "needs root, busybox"]
fn a_cache_goes_from_one_store_to_another_and_goes_away_needs_root_needs_busybox() {
    let (here, there) = (Tug::new(), Tug::new());
    here.base();
    there.base();
    let shown = built(&here, "context", FILLS, &[]);
    assert!(shown.starts_with("exit code 0"), "{shown}");
    let archive = there.path("caches.tar.zst");
    let shown = here.run(&["cache", "export", "-o", archive.to_str().unwrap(), "deps"]);
    assert_eq!(shown, "exit code 0\n--- stderr\nExported 1 cache\n");
    assert!(there.run(&["cache", "import", "caches.tar.zst"]).contains("Imported 1 cache"));
    let reads = "FROM base\nRUN --mount=type=cache,id=deps,target=/d,ro cat /d/file\n";
    assert!(built(&there, "context", reads, &[]).contains(" content\n"));
    let listed = there.run(&["cache", "ls", "--format", "{{.ID}} {{.Entries}} {{.InUse}}"]);
    assert_eq!(listed, "exit code 0\n--- stdout\ndeps 1 false\n");
    let shown = there.run(&["cache", "rm", "dep"]);
    assert!(shown.contains("there is no cache `dep`") && shown.contains("did you mean `deps`?"), "{shown}");
    assert_eq!(there.run(&["cache", "rm", "deps"]), "exit code 0\n--- stdout\ndeps\n");
    assert_eq!(there.run(&["cache", "ls", "--format", "{{.ID}}"]), "exit code 0");
    let shown = there.run_with_input(&["cache", "import"], b"no archive");
    assert!(shown.starts_with("exit code 1") && shown.contains("the archive"), "{shown}");
}

#[test]
#[ignore = "needs root, busybox"]
fn a_secret_is_nowhere_but_in_its_step_needs_root_needs_busybox() {
    let tug = Tug::new();
    tug.base();
    tug.write("token", "hunter2-and-more\n");
    let prints = "FROM base\nRUN --mount=type=secret,id=t --mount=type=secret,id=t,env=T \\\n \
                  cat /run/secrets/t; printf hunter2; sleep 0.1; echo -and-more; echo $T; false\n";
    for mode in ["plain", "rawjson"] {
        let shown = built(&tug, "context", prints, &["--secret", "id=t,src=token", "--progress", mode]);
        assert!(shown.contains("****") && !shown.contains("hunter2-and-more"), "{shown}");
        assert!(shown.starts_with("exit code 1"), "{shown}");
    }
    let uses = "FROM base\nRUN --mount=type=secret,id=t,required grep -q hunter2-and-more /run/secrets/t\n";
    assert!(built(&tug, "used", uses, &["--secret", "id=t,src=token"]).starts_with("exit code 0"));
    let mut open = vec![tug.store().root().to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else if entry.file_type().unwrap().is_file() {
                let bytes = std::fs::read(entry.path()).unwrap();
                let is_there = bytes.windows(16).any(|part| part == b"hunter2-and-more");
                // The text of the instruction itself is no secret.
                let text = String::from_utf8_lossy(&bytes);
                let of_text = text.matches("hunter2-and-more").count();
                let written = text.matches("grep -q hunter2-and-more").count();
                assert!(!is_there || of_text == written, "{}", entry.path().display());
            }
        }
    }
}

#[test]
#[ignore = "needs root, busybox"]
fn what_is_required_and_was_not_given_is_named_with_its_flag_needs_root_needs_busybox() {
    let tug = Tug::new();
    tug.base();
    tug.write("token", "x");
    let shown = built(&tug, "context", "FROM base\nRUN --mount=type=secret,id=token,required true\n", &[]);
    assert!(shown.contains("give it with `--secret id=token,src=FILE`"), "{shown}");
    let near = ["--secret", "id=tokken,src=token"];
    let shown = built(&tug, "context", "FROM base\nRUN --mount=type=secret,id=token,required true\n", &near);
    assert!(shown.contains("a secret `tokken` was given: is it the same?"), "{shown}");
    let shown = built(&tug, "context", "FROM base\nRUN --mount=type=ssh,required true\n", &[]);
    assert!(shown.contains("give it with `--ssh default`"), "{shown}");
}

#[test]
#[ignore = "needs root, busybox"]
fn no_link_in_a_cache_leads_out_of_it_needs_root_needs_busybox() {
    let tug = Tug::new();
    tug.base();
    let makes = "FROM base\nRUN --mount=type=cache,id=c,target=/c ln -s /etc /c/a; ln -s ../../../../etc /c/b; ln -s x /c/d\n";
    assert!(built(&tug, "makes", makes, &[]).starts_with("exit code 0"));
    for (source, reason) in [
        ("a", "leads out of it"),
        ("b", "leads out of it"),
        ("a/x", "leads out of it"),
        ("d", "leads to nothing"),
    ] {
        let text = format!("FROM base\nRUN --mount=type=cache,id=c,target=/c,source={source} ls /c\n");
        let shown = built(&tug, "context", &text, &[]);
        assert!(shown.starts_with("exit code 1") && shown.contains(reason), "{shown}");
    }
}
