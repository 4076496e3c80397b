//! `tug system df` and all that removes things.

use std::process::{Command, Stdio};

use serde_json::Value;
use tug_layer_store::Store;
use tug_oci::DiffId;

use crate::pty::Pty;
use crate::tug::Tug;

/// Two images that share a layer, one of them without a name any more.
fn built() -> Tug {
    let tug = Tug::new();
    tug.write("app/Dockerfile", "FROM scratch\nCOPY a /\nCOPY b /\n");
    tug.write("app/a", vec![1; 200_000]);
    tug.write("app/b", vec![2; 100_000]);
    tug.data(&["build", "-q", "-t", "old", "app"]);
    tug.write("app/b", vec![3; 100_000]);
    tug.data(&["build", "-q", "-t", "new", "app"]);
    tug
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The rows of `tug system df`, each as name, count and whether anything can be reclaimed.
fn rows(tug: &Tug) -> Vec<(String, u64, u64)> {
    let rows = parsed(&tug.data(&["system", "df", "--format", "json"]));
    let rows = rows.as_array().expect("it is a list").iter();
    let row = |row: &Value| {
        let number = |name: &str| row[name].as_u64().expect("it is a number");
        (row["type"].as_str().expect("it has a name").to_owned(), number("total"), number("reclaimable"))
    };
    rows.map(row).collect()
}

fn row(tug: &Tug, name: &str) -> (u64, u64) {
    let found = rows(tug).into_iter().find(|row| row.0 == name).expect("there is such a row");
    (found.1, found.2)
}

#[test]
fn what_takes_room_is_told_for_people_scripts_and_programs() {
    let tug = built();
    let shown = tug.data(&["system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}}"]);
    insta::assert_snapshot!(shown, @"
    Images 2 0
    Containers 0 0
    Build Cache 3 0
    Cache Mounts 0 0
    Git Repositories 0 0
    Build Records 2 0
    Downloads 0 0
    Unreferenced 0 0
    Store 1 1
    ");
    let table = tug.data(&["system", "df"]);
    assert!(table.starts_with("TYPE               TOTAL   ACTIVE   SIZE"), "{table}");
    let details = parsed(&tug.data(&["system", "df", "-v", "--format", "json"]));
    let image = &details["images"][0];
    assert_eq!(image["repository"], "new");
    let number = |name: &str| image[name].as_u64().expect("it is a number");
    assert_eq!(number("size"), number("sharedSize") + number("uniqueSize"));
    assert!(number("sharedSize") >= 200_000 && (100_000..200_000).contains(&number("uniqueSize")));
    let descriptions = details["buildCache"].as_array().expect("it is a list").iter();
    let mut descriptions: Vec<&str> =
        descriptions.filter_map(|result| result["description"].as_str()).collect();
    descriptions.sort_unstable();
    assert_eq!(descriptions, ["", "COPY a /", "COPY b /"], "of two steps at one place the newer is known");
    let shown = tug.data(&["system", "df", "-v", "--format", "{{range .Images}}{{.Repository}} {{end}}"]);
    assert_eq!(shown, "new old \n");
    let shown = tug.data(&["system", "df", "-v"]);
    assert!(shown.contains("Images space usage:\n\nREPOSITORY   TAG      IMAGE ID"), "{shown}");
}

#[test]
#[ignore = "needs root"]
fn what_equal_files_save_is_told_needs_root() {
    let tug = Tug::new();
    tug.write("app/Dockerfile", "FROM scratch\nCOPY --chmod=600 a /\nCOPY --chmod=600 a /b\n");
    tug.write("app/a", vec![1; 200_000]);
    tug.data(&["build", "-q", "-t", "app", "app"]);
    let layers = parsed(&tug.data(&["inspect", "-f", "{{json .RootFS.Layers}}", "app"]));
    let layers: Vec<DiffId> = serde_json::from_value(layers).expect("it is a list of diff ids");
    tug.store().lower(&layers).expect("trees can be made");
    let saved = |tug: &Tug| tug.data(&["system", "df", "--format", "{{.Type}} {{.Saved}}"]);
    assert!(saved(&tug).starts_with("Images 0B\n"), "{}", saved(&tug));
    assert!(!tug.run(&["system", "df"]).contains("less than that"));
    tug.data(&["store", "dedup", "--hard-links"]);
    assert!(saved(&tug).starts_with("Images 200kB\n"), "{}", saved(&tug));
    let shown = tug.run(&["system", "df"]);
    assert!(shown.contains("200 kB less than that: equal files of layers share their room"), "{shown}");
}

#[test]
fn a_dry_run_says_what_happens_and_why_the_rest_stays() {
    let tug = built();
    tug.data(&["rmi", "old"]);
    // What that started in the background may not be done yet.
    tug.data(&["settle"]);
    let plan = parsed(&tug.data(&["system", "prune", "--dry-run", "--format", "json"]));
    let reasons = |list: &Value| -> Vec<String> {
        let items = list.as_array().expect("it is a list").iter();
        let mut items: Vec<String> = items
            .map(|item| format!("{}: {}", item["type"].as_str().unwrap(), item["reason"].as_str().unwrap()))
            .collect();
        items.sort_unstable();
        items
    };
    assert_eq!(reasons(&plan["removed"]), ["regular: nothing needs it"]);
    insta::assert_snapshot!(reasons(&plan["kept"]).join("\n"), @"
    image: has a name
    internal: explains why steps are done again
    regular: an image has its layer
    regular: an image has its layer
    ");
    let done = parsed(&tug.data(&["system", "prune", "-f", "--format", "json"]));
    assert_eq!((&done["removed"], &done["reclaimed"]), (&plan["removed"], &plan["reclaimed"]));
    assert!(done["reclaimed"].as_u64() >= Some(100_000) && done["dryRun"] == false && done["busy"].is_null());
    assert_eq!(row(&tug, "Build Cache").0, 2);
    assert_eq!(tug.run(&["system", "prune", "-f"]), "exit code 0\n--- stdout\nTotal reclaimed space: 0B\n");
}

#[test]
fn filters_choose_images() {
    let tug = built();
    tug.image(&["labelled"]);
    let keeps = |words: &[&str]| {
        let words = [&["image", "prune", "-a", "--dry-run", "--format", "{{.Name}}"], words].concat();
        tug.data(&words)
    };
    assert_eq!(keeps(&["--filter", "label=version=1.2"]), "labelled:latest\n");
    assert_eq!(keeps(&["--filter", "label!=version"]), "new:latest\nold:latest\n");
    assert_eq!(keeps(&["--filter", "until=2024-05-07"]), "labelled:latest\n", "it was made the day before");
    assert_eq!(keeps(&["--filter", "dangling=true"]), "");
    assert_eq!(keeps(&[]), "labelled:latest\nnew:latest\nold:latest\n");
    let shown = tug.data(&["image", "prune", "-a", "-f", "--filter", "label=version"]);
    assert!(shown.contains("labelled") && shown.contains("all images go"), "{shown}");
    assert_eq!(tug.data(&["images", "--format", "{{.Repository}}"]), "new\nold\n");
}

#[test]
fn the_spellings_of_docker_are_understood() {
    let tug = built();
    tug.data(&["rmi", "old", "new"]);
    tug.data(&["settle"]);
    let shown = tug.data(&["builder", "prune", "--keep-storage", "10gb", "-f"]);
    assert_eq!(shown, "Total reclaimed space: 0B\n");
    let shown = tug.data(&["buildx", "prune", "--max-used-space", "1k", "--force"]);
    assert!(shown.contains("COPY a /") && shown.contains("least recently used"), "{shown}");
    assert_eq!(row(&tug, "Build Cache").0, 0);
    assert!(tug.data(&["buildx", "du"]).contains("Build Cache"));
}

#[test]
fn wrong_words_are_named_and_mended() {
    let tug = Tug::new();
    insta::assert_snapshot!(tug.run(&["system", "prune", "-f", "--volumes"]), @"
    exit code 2
    --- stderr
    error: tug has no volumes that could be pruned

    hint: what outlives steps are cache mounts: they go with the build cache, without any flag
    ");
    insta::assert_snapshot!(tug.run(&["system", "prune"]), @"
    exit code 2
    --- stderr
    error: nothing was removed: there is no terminal to ask on

    hint: `-f` removes without asking, `--dry-run` shows what would go
    ");
    for (words, expected) in [
        (["image", "prune", "--filter", "untill=1h"], "did you mean `until=`?"),
        (["image", "prune", "--filter", "type=regular"], "images have no `type`"),
        (["cache", "prune", "--filter", "type=cachemount"], "exec.cachemount"),
        (["cache", "prune", "--until", "soon"], "neither a length of time"),
        (["builds", "prune", "--keep", "some"], "--keep"),
        (["system", "prune", "--wait", "5"], "no length of time"),
        (["image", "prune", "--format", "{{.Nmae}}"], "no terminal"),
    ] {
        let shown = tug.run(&words);
        assert!(shown.starts_with("exit code 2") && shown.contains(expected), "{shown}");
    }
}

#[test]
fn a_person_is_asked_first() {
    let tug = built();
    for (answer, code, goes) in [("\n", 1, false), ("n\n", 1, false), ("y\n", 0, true)] {
        let mut pty = Pty::new();
        let mut command = tug.command(&["image", "prune", "-a"]);
        command.stdin(pty.other_end()).stderr(pty.other_end()).stdout(Stdio::piped());
        let child = command.spawn().unwrap();
        let asked = pty.text_until("[y/N] ");
        assert!(asked.contains("all images that fit"), "{asked}");
        pty.type_text(answer);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{answer:?}");
        assert_eq!(row(&tug, "Images").0 == 0, goes, "{answer:?}");
    }
}

/// Somebody who needs everything in the store: it is only read, and nothing can be noted in it.
fn reader(tug: &Tug) -> Store {
    Store::open_read_only(&tug.path("store"), tug.store().options()).expect("it can be read")
}

#[test]
fn while_others_work_they_are_named_and_what_nobody_uses_goes() {
    let tug = built();
    tug.data(&["rmi", "old"]);
    // What that started in the background may not be done yet.
    tug.data(&["settle"]);
    let other = reader(&tug);
    let shown = tug.run(&["system", "prune", "-f", "--wait", "20ms", "--filter", "until=0s"]);
    assert!(shown.starts_with("exit code 1") && shown.contains("Waiting up to 0.0s for"), "{shown}");
    assert!(shown.contains(&format!("(process {})", std::process::id())), "{shown}");
    assert!(shown.contains("Total reclaimed space: 0B") && shown.contains("`--wait 10m`"), "{shown}");
    let shown = tug.data(&["builds", "prune", "-f", "--keep", "1", "--format", "{{.Type}}: {{.Reason}}"]);
    assert_eq!(shown, "build: older than those that are kept\n", "for that nobody is waited for");
    drop(other);
    tug.data(&["system", "prune", "-f"]);
    assert_eq!(row(&tug, "Unreferenced").0, 0);
}

#[test]
fn an_image_is_gone_at_once_and_its_room_soon() {
    let tug = built();
    tug.data(&["cache", "prune", "-a", "-f"]);
    tug.data(&["rmi", "old", "new"]);
    assert_eq!(std::fs::read_dir(tug.path("store/layers")).unwrap().count(), 0);
    tug.data(&["settle"]);
    assert_eq!(std::fs::read_dir(tug.path("store/trash")).unwrap().count(), 0);
    // While somebody works, a removal is put off, and made up for later.
    let tug = built();
    tug.data(&["cache", "prune", "-a", "-f"]);
    let other = reader(&tug);
    tug.data(&["rmi", "old", "new"]);
    assert_ne!(std::fs::read_dir(tug.path("store/layers")).unwrap().count(), 0);
    drop(other);
    tug.data(&["settle"]);
    assert_eq!(std::fs::read_dir(tug.path("store/layers")).unwrap().count(), 0);
}

#[test]
fn the_build_cache_is_kept_small() {
    let tug = built().with("TUG_CACHE_LIMIT", "250k");
    tug.data(&["rmi", "old", "new"]);
    tug.data(&["settle"]);
    // A `tug settle` that `tug rmi` has begun may be at it still: then ours leaves the cache to it.
    for _ in 0..200 {
        if row(&tug, "Build Cache").1 <= 250 << 10 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let (results, bytes) = row(&tug, "Build Cache");
    assert!(results < 3 && bytes <= 250 << 10, "{results} results in {bytes} bytes");
    let tug = tug.with("TUG_CACHE_LIMIT", "off");
    tug.data(&["settle"]);
    assert_eq!(row(&tug, "Build Cache").0, results);
    let shown = tug.with("TUG_CACHE_LIMIT", "lots").run(&["settle"]);
    assert!(
        shown.starts_with("exit code 2") && shown.contains("a part of the disk such as `15%`"),
        "{shown}"
    );
}

/// A file system in memory, which goes away with this.
struct Small(std::path::PathBuf);

impl Small {
    fn new(place: std::path::PathBuf, size: &str) -> Self {
        std::fs::create_dir_all(&place).expect("folders can be made");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "none"])
            .arg(&place)
            .status();
        assert!(mounted.expect("mount can be started").success(), "tests that need root may mount");
        Self(place)
    }

    /// Writes until nothing more fits.
    fn fill(&self) {
        let mut size = 64 * 1024;
        for number in 0.. {
            if std::fs::write(self.0.join(format!("filled-{number}")), vec![1; size]).is_err() {
                match size {
                    1 => break,
                    _ => size = 1,
                }
            }
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
#[ignore = "needs root"]
fn images_are_removed_from_a_full_disk_needs_root() {
    for words in
        [&["rmi", "old", "new"][..], &["system", "prune", "-a", "-f"], &["image", "prune", "-a", "-f"]]
    {
        let tug = built();
        let small = Small::new(tug.path("small"), "4m");
        let tug = tug.with("TUG_STORE", small.0.join("store").to_str().unwrap());
        for name in ["old", "new"] {
            tug.data(&["build", "-q", "-t", name, "app"]);
        }
        small.fill();
        let shown = tug.run(&["tag", "new", "newer"]);
        assert!(shown.starts_with("exit code 4") && shown.contains("no space"), "{shown}");
        let shown = tug.run(words);
        assert!(shown.starts_with("exit code 0"), "{words:?}: {shown}");
        assert_eq!(tug.data(&["images", "-q"]), "", "{words:?}");
    }
}
