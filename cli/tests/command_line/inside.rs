//! Looking into images: what is in them, what differs, what is wasted, and a page about it.

use std::fs;
use std::os::unix::fs::symlink;

use tug_layer_store::tar::TarWriter;
use tug_layer_store::{ImportLayer, NewEntry, NewEntryKind};
use tug_oci::{History, ImageConfig, Platform};
use tug_testdata::registry_peer::{Behaviour, Peer, Rule, noise};

use crate::tug::Tug;

/// Entries of a layer: `d/` is a folder, `-f` removes `f`, `l>t` is a link to `t`, anything else a file.
fn tar(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = TarWriter::new(Vec::new());
    for (path, content) in entries {
        let entry = match (path.strip_suffix('/'), path.strip_prefix('-'), path.split_once('>')) {
            (Some(folder), ..) => NewEntry::directory(folder, 0o755),
            (_, Some(gone), _) => NewEntry::whiteout(gone),
            (.., Some((link, target))) => NewEntry::symlink(link, target),
            _ => NewEntry::file(*path, 0o640, content.len() as u64),
        };
        tar.header(&entry).expect("a header is written");
        if matches!(entry.kind, NewEntryKind::File { .. }) {
            tar.content(content.as_bytes()).expect("content is written");
            tar.pad().expect("padding is written");
        }
    }
    tar.finish().expect("the end is written")
}

/// Puts an image of these layers into the store; the history calls them `step 1` and so on.
fn image(tug: &Tug, name: &str, env: &str, layers: &[Vec<u8>]) {
    let store = tug.store();
    let mut config = ImageConfig::empty(Platform::linux("amd64"));
    config.created = Some("2024-05-06T07:08:09Z".to_owned());
    config.config.env = vec![env.to_owned()];
    for (number, layer) in layers.iter().enumerate() {
        let layer = store.import_layer(&mut layer.as_slice(), &ImportLayer::default());
        config.rootfs.diff_ids.push(layer.expect("the layer is one").diff_id().clone());
        let created_by = Some(format!("RUN step {}", number + 1));
        config.history.push(History { created_by, ..History::default() });
    }
    let image = store.write_image(config, Default::default()).expect("an image can be written");
    store.tag(&name.parse().expect("the test names images"), &image.descriptor).expect("it gets its name");
}

fn low() -> Vec<u8> {
    tar(&[
        ("bin>usr/bin", ""),
        ("data/", ""),
        ("data/large", &"large".repeat(1000)),
        ("etc/", ""),
        ("etc/motd", "hello\n"),
        ("etc/passwd", "root of the image\n"),
        ("out>../../../etc/passwd", ""),
        ("usr/", ""),
        ("usr/bin/", ""),
        ("usr/bin/tool", "#!"),
        ("var/", ""),
        ("var/lib/", ""),
        ("var/lib/dpkg/", ""),
        ("var/lib/dpkg/status", "Package: bash\nVersion: 5.1\n\nPackage: gone\nVersion: 1\n"),
    ])
}

fn high() -> Vec<u8> {
    tar(&[
        ("-data", ""),
        ("etc/", ""),
        ("etc/motd", "good bye\n"),
        ("new/", ""),
        ("new/a", "a"),
        ("new/b", "b"),
        ("tmp/", ""),
        ("tmp/left", "left behind"),
        ("var/", ""),
        ("var/lib/", ""),
        ("var/lib/dpkg/", ""),
        ("var/lib/dpkg/status", "Package: bash\nVersion: 5.2\n\nPackage: new\nVersion: 2\n"),
    ])
}

fn two_images() -> Tug {
    let tug = Tug::new();
    image(&tug, "app:1", "A=1", &[low()]);
    image(&tug, "app:2", "A=2", &[low(), high()]);
    tug
}

#[test]
fn what_is_in_an_image_is_listed() {
    let tug = two_images();
    assert_eq!(tug.data(&["ls", "app:2"]), "bin\netc\nnew\nout\ntmp\nusr\nvar\n");
    assert_eq!(tug.data(&["ls", "app:1:/data/"]), "large\n");
    assert_eq!(tug.data(&["ls", "-R", "app:2:/bin/.."]), "bin\nbin/tool\n");
    insta::assert_snapshot!(tug.data(&["ls", "-l", "app:2:/"]), @"
    lrwxrwxrwx   0:0   -   1970-01-01 00:00   bin -> usr/bin
    drwxr-xr-x   0:0   -   1970-01-01 00:00   etc
    drwxr-xr-x   0:0   -   1970-01-01 00:00   new
    lrwxrwxrwx   0:0   -   1970-01-01 00:00   out -> ../../../etc/passwd
    drwxr-xr-x   0:0   -   1970-01-01 00:00   tmp
    drwxr-xr-x   0:0   -   1970-01-01 00:00   usr
    drwxr-xr-x   0:0   -   1970-01-01 00:00   var
    ");
    assert_eq!(
        tug.data(&["ls", "--layer", "2", "--format", "{{.Type}} {{.Path}} {{.Size}}", "app:2:/data"]),
        "removed /data -\n"
    );
    let json: serde_json::Value =
        serde_json::from_str(&tug.data(&["ls", "--format", "json", "app:2:/etc"])).expect("it is JSON");
    assert_eq!(
        (&json[0]["path"], &json[0]["layer"], &json[0]["size"]),
        (&"/etc/motd".into(), &2.into(), &9.into())
    );
    assert_eq!((&json[1]["mode"], &json[1]["layer"]), (&"0640".into(), &1.into()));
    insta::assert_snapshot!(tug.run(&["ls", "--layer", "3", "app:2"]), @"
    exit code 1
    --- stderr
    error: `app:2` has no layer 3

    hint: it has 2 layers, and 1 is the lowest
    ");
    insta::assert_snapshot!(tug.run(&["ls", "app:2:/data"]), @"
    exit code 1
    --- stderr
    error: app:2: `/data` is not in the image

    hint: `tug ls app:2:/` shows what is there
    ");
}

#[test]
fn files_are_read_and_links_stay_inside() {
    let tug = two_images();
    assert_eq!(tug.data(&["cat", "app:1:/etc/motd", "app:2:/etc/motd"]), "hello\ngood bye\n");
    assert_eq!(tug.data(&["cat", "app:2:/out"]), "root of the image\n");
    assert_eq!(tug.data(&["cat", "app:2:/bin/tool"]), "#!");
    let folder = tug.run(&["cat", "app:2:/etc"]);
    assert!(folder.contains("error: `app:2:/etc` is a directory"), "{folder}");
    let none = tug.run(&["cat", "app:2"]);
    assert!(none.starts_with("exit code 2\n") && none.contains("`app:/etc/passwd`"), "{none}");
    tug.data(&["save", "-o", "app.tar", "app:2"]);
    assert_eq!(tug.data(&["cat", "docker-archive:app.tar:/new/a"]), "a");
}

#[test]
fn files_are_copied_as_docker_does() {
    let tug = two_images();
    let text =
        |path: &str| fs::read_to_string(tug.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let told = |words: &[&str]| tug.run(&[&["cp"], words].concat());
    fs::create_dir(tug.path("there")).expect("a folder can be made");
    assert_eq!(
        told(&["app:2:/etc/motd", "there"]),
        "exit code 0\n--- stderr\ncopied 1 file, 9 B, to there\n"
    );
    told(&["-q", "app:2:/etc/motd", "there/name"]);
    told(&["-q", "app:2:/new", "there"]);
    told(&["-q", "app:2:/new", "made"]);
    told(&["-q", "app:2:/new/.", "there"]);
    told(&["-q", "-L", "app:2:/out", "followed"]);
    for (path, expected) in [
        ("there/motd", "good bye\n"),
        ("there/name", "good bye\n"),
        ("there/new/a", "a"),
        ("made/b", "b"),
        ("there/b", "b"),
        ("followed", "root of the image\n"),
    ] {
        assert_eq!(text(path), expected, "{path}");
    }
    for (words, expected) in [
        (["app:2:/etc/motd", "absent/"], "error: there is no folder `absent/`"),
        (["app:2:/etc/motd", "absent/name"], "error: there is no folder `absent`"),
        (["app:2:/new", "followed"], "error: cannot copy a folder to `followed`: it is a file"),
        (["app:2:/absent", "x"], "error: app:2: `/absent` is not in the image"),
    ] {
        let shown = told(&words);
        assert!(shown.starts_with("exit code 1\n") && shown.contains(expected), "{shown}");
    }
    let tar = tug.command(&["cp", "app:2:/new", "-"]).output().expect("tug can be started").stdout;
    let names: Vec<_> =
        tar.chunks(512).filter(|block| &block[257..262] == b"ustar").map(|block| block[0]).collect();
    assert_eq!(names, [b'n'; 3]);
}

#[test]
fn nothing_is_written_outside_of_the_destination() {
    let tug = Tug::new();
    let marker = tug.write("outside/marker", "untouched");
    let outside = tug.path("outside").display().to_string();
    // A link out of the image, and in the next layer a folder in its place with a file of the same name.
    let low = tar(&[("data/", ""), (&format!("data/sub>{outside}"), "")]);
    let high = tar(&[("data/", ""), ("data/sub/", ""), ("data/sub/marker", "overwritten")]);
    image(&tug, "evil", "A=1", &[low.clone(), high]);
    image(&tug, "link", "A=1", &[low]);
    // The destination has links as well: one of the copy before, and one of somebody else.
    tug.data(&["cp", "link:/data", "first"]);
    assert!(tug.path("first/sub").is_symlink());
    tug.data(&["cp", "evil:/data/.", "first"]);
    fs::create_dir(tug.path("second")).expect("a folder can be made");
    symlink(tug.path("outside"), tug.path("second/sub")).expect("a link can be made");
    tug.data(&["cp", "evil:/data/.", "second"]);
    assert_eq!(fs::read_to_string(&marker).expect("it is there"), "untouched");
    for copy in ["first/sub/marker", "second/sub/marker"] {
        assert_eq!(fs::read_to_string(tug.path(copy)).expect("it is there"), "overwritten");
    }
    let through = tug.run(&["cat", "link:/data/sub/marker"]);
    assert!(through.starts_with("exit code 1\n") && through.contains("is not in the image"), "{through}");
}

#[test]
fn two_images_are_compared_in_files_config_and_packages() {
    let tug = two_images();
    let shown = tug.data(&["diff", "app:1", "app:2"]);
    let (_, below) = shown.split_once("stored\n+ ").expect("both images are named");
    let (_, below) = below.split_once('\n').expect("there is more");
    insta::assert_snapshot!(below, @"
    1 layer the same, -0 +1

    CONFIG
      ~ Env.A: 1 → 2

    PACKAGES
      ~ deb   bash   5.1 → 5.2
      - deb   gone   1
      + deb   new    2

    FILES
      - /data/                 5 kB          1 entry
      ~ /etc/motd              6 B → 9 B     content
      + /new/                  2 B           2 entries
      + /tmp/                  11 B          1 entry
      ~ /var/lib/dpkg/status   53 B → 52 B   content
      5 added, 2 removed, 2 changed, 4.99 kB less
    ");
    let exit = |words: &[&str]| tug.run(&[&["diff", "--exit-code"], words].concat());
    assert!(exit(&["app:1", "app:2"]).starts_with("exit code 1\n"));
    assert!(exit(&["app:1", "app:1"]).starts_with("exit code 0\n"));
    assert!(exit(&["--packages", "app:2", "app:2"]).contains("PACKAGES\n  the same\n"));
    let json: serde_json::Value =
        serde_json::from_str(&tug.data(&["diff", "--format", "json", "--files", "app:1", "app:2"]))
            .expect("it is JSON");
    assert_eq!(json["layers"]["shared"], 1);
    assert_eq!(json["files"].as_array().map(Vec::len), Some(9));
    assert_eq!(json["config"], serde_json::Value::Null);
    let unknown = tug.run(&["diff", "app:2"]);
    assert!(unknown.contains("it is not known what `app:2` is based on"), "{unknown}");
}

#[test]
fn waste_is_told_and_may_be_too_much() {
    let tug = two_images();
    insta::assert_snapshot!(tug.data(&["waste", "app:2"]), @"
    app:2: 5.15 kB of files in 2 layers
      efficiency    99.4 %    as dive computes it
      wasted        120 B     of paths that several layers write, the copy that is seen included, as dive counts
      hidden        5.06 kB   that later layers remove or replace
      duplicates    0 B       of the same content under several names
      left behind   11 B      of caches and the like

    HIDDEN
      SIZE   PATH                   IN LAYER   HOW        BY LAYER
      5 kB   /data                  1          removed    2
      53 B   /var/lib/dpkg/status   1          replaced   2
      6 B    /etc/motd              1          replaced   2
      removed: remove files in the RUN that makes them: a later `rm` hides them and makes no image smaller; or build in a stage of its own, and copy what is needed
      replaced: write a file once: join the steps that change it, or copy the final one last

    LEFT BEHIND
      SIZE   PATH   WHAT              IN LAYER
      11 B   /tmp   temporary files   2
      temporary files: remove them in the RUN that made them
    ");
    let run = |words: &[&str]| tug.run(&[&["waste"], words, &["app:2"]].concat());
    assert!(run(&["--fail-over", "6kB"]).starts_with("exit code 0\n"));
    let over = run(&["--fail-over", "5kB"]);
    assert!(
        over.starts_with("exit code 1\n") && over.contains("too much waste: hidden is 5.06 kB"),
        "{over}"
    );
    assert!(run(&["--fail-over", "10%"]).starts_with("exit code 1\n"));
    assert!(run(&["--lowest-efficiency", "0.5"]).starts_with("exit code 0\n"));
    tug.write(".dive-ci", "rules:\n  lowestEfficiency: 0.5\n  highestUserWastedPercent: disabled\n");
    let ci = run(&["--ci"]);
    assert!(ci.starts_with("exit code 0\n") && ci.contains("pass   lowestEfficiency"), "{ci}");
    tug.write(".dive-ci", "rules:\n  lowestEficiency: 0.5\n");
    let wrong = run(&["--ci"]);
    assert!(wrong.starts_with("exit code 1\n") && wrong.contains("`.dive-ci`: "), "{wrong}");
    assert_eq!(tug.data(&["waste", "--format", "{{.hiddenBytes}} {{len .leftovers}}", "app:2"]), "5059 1\n");
}

#[test]
fn of_an_image_on_a_registry_only_the_layers_come_that_are_needed() {
    let tug = Tug::new();
    let peer = Peer::start(Behaviour::default());
    let image = peer.add_image("app", "2", &[low(), high()]);
    let name = format!("docker://{}/app:2", peer.address());
    let blobs = || {
        let paths: Vec<String> =
            peer.exchanges().iter().map(|exchange| exchange.request.target.clone()).collect();
        image
            .layers
            .iter()
            .map(|(digest, _)| paths.iter().filter(|path| path.ends_with(digest)).count() > 0)
            .collect::<Vec<_>>()
    };
    assert!(tug.data(&["history", &name]).contains("STORED"));
    assert_eq!(blobs(), [false, false]);
    let first = tug.run(&["cat", &format!("{name}:/etc/motd")]);
    assert!(first.contains("--- stdout\ngood bye\n") && first.contains("1 of 2 layers here now"), "{first}");
    assert_eq!(blobs(), [false, true]);
    assert_eq!(tug.data(&["cat", &format!("{name}:/etc/passwd")]), "root of the image\n");
    assert_eq!(blobs(), [true, true]);
    let asked = peer.exchanges().len();
    assert_eq!(tug.data(&["ls", &format!("{name}:/new")]), "a\nb\n");
    let second = peer.exchanges().split_off(asked);
    assert!(
        second.iter().all(|exchange| !exchange.request.target.contains("/blobs/")),
        "a blob was fetched again"
    );
    assert_eq!(tug.data(&["images", "-q"]), "", "a look gives no name");
}

/// An image on `peer` whose lower layer is large, and whose layers have lists of what is in them.
fn listed(peer: &Peer) -> String {
    let maker = Tug::new();
    let noise: String = noise(1_500_000, 1).iter().map(|byte| char::from(32 + byte % 64)).collect();
    let large = tar(&[
        ("etc/", ""),
        ("etc/motd", "hello\n"),
        ("etc/os-release", "ID=test\n"),
        ("usr/", ""),
        ("usr/large", &noise),
        ("usr/other", &noise[..700_000]),
    ]);
    image(&maker, "app", "A=1", &[large, high()]);
    let name = format!("docker://{}/app:1", peer.address());
    maker.data(&["convert", "app", &name, "--compression", "zstd:chunked"]);
    name
}

#[test]
fn of_layers_with_lists_only_the_pieces_come_that_are_looked_at() {
    let peer = Peer::start(Behaviour::default());
    let name = listed(&peer);
    let fetched = |tug: &Tug, words: &[&str]| {
        let before = peer.sent("GET", "/blobs/");
        let told = tug.run(words);
        (told, peer.sent("GET", "/blobs/") - before)
    };
    let tug = Tug::new();
    let (told, bytes) = fetched(&tug, &["cat", &format!("{name}:/etc/os-release")]);
    assert!(told.contains("--- stdout\nID=test\n"), "{told}");
    assert!(told.contains("1 of 2 layers here now, 1 known by what they list"), "{told}");
    assert!(bytes < 100_000, "{bytes} bytes");
    // The same answers as about the image that is here, and all of them together cost less than one layer.
    let here = Tug::new();
    here.data(&["pull", "--quiet", &name[9..]]);
    let before = peer.sent("GET", "/blobs/");
    for words in [
        &["ls", "-R", "--format", "json"][..],
        &["waste", "--format", "json"],
        &["diff", "--format", "{{json .files}}", "--files"],
    ] {
        let about = |tug: &Tug, image: &str| {
            let other = if words[0] == "diff" { vec!["store:app"] } else { vec![] };
            tug.data(&[words, &other, &[image]].concat()).replace(image, "IMAGE")
        };
        for tug in [&tug, &here] {
            image(tug, "app", "A=1", &[high()]);
        }
        assert_eq!(about(&tug, &name), about(&here, &format!("store:{}", &name[9..])), "{words:?}");
    }
    assert!(peer.sent("GET", "/blobs/") - before < 200_000);
    tug.data(&["cp", "-q", &format!("{name}:/usr"), "copy"]);
    here.data(&["cp", "-q", &format!("store:{}:/usr", &name[9..]), "copy"]);
    for file in ["large", "other"] {
        let read = |tug: &Tug| fs::read(tug.path("copy").join(file)).expect("the file was copied");
        assert!(read(&tug) == read(&here), "{file}");
    }
}

#[test]
fn a_registry_that_knows_no_ranges_gives_whole_layers() {
    let peer = Peer::start(Behaviour::default());
    let name = listed(&peer);
    peer.add(Rule::on("GET", "/blobs/").ignore_range());
    let tug = Tug::new();
    let told = tug.run(&["cat", &format!("{name}:/etc/os-release")]);
    assert!(told.contains("--- stdout\nID=test\n") && told.contains("2 of 2 layers here now\n"), "{told}");
}

/// Tags that are opened and closed, in order; what has no closing tag is `<…/>`.
fn is_well_formed(page: &str) -> Result<usize, String> {
    let mut open: Vec<&str> = Vec::new();
    let mut count = 0;
    let mut rest = page.split_once("<html").map_or("", |(_, rest)| &page[page.len() - rest.len() - 5..]);
    while let Some(start) = rest.find('<') {
        let Some(end) = rest[start..].find('>') else { return Err("a tag without an end".to_owned()) };
        let tag = &rest[start + 1..start + end];
        rest = &rest[start + end + 1..];
        count += 1;
        if tag.matches('"').count() % 2 == 1 {
            return Err(format!("a quote without an end in <{tag}>"));
        }
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        if let Some(closed) = tag.strip_prefix('/') {
            match open.pop() {
                Some(opened) if opened == closed => {}
                other => return Err(format!("</{closed}> closes {other:?}")),
            }
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    if open.is_empty() { Ok(count) } else { Err(format!("left open: {open:?}")) }
}

#[test]
fn the_page_about_an_image_is_well_formed_and_nothing_in_the_image_is_markup() {
    let tug = Tug::new();
    let odd = "<script>alert(1)</script>";
    let low = tar(&[
        ("a\"><img src=x onerror=alert(1)>", odd),
        ("b\u{202e}gnp.exe", "turned"),
        ("</details>/", ""),
        ("</details>/&amp;", "twice"),
        ("tmp/", ""),
        ("tmp/'x", "twice"),
    ]);
    image(&tug, "odd", "A=<script>alert(2)</script>", &[low, tar(&[("b\u{202e}gnp.exe", "turned again")])]);
    assert_eq!(tug.run(&["report", "odd", "-o", "page.html"]).lines().next(), Some("exit code 0"));
    let page = fs::read_to_string(tug.path("page.html")).expect("the page is there");
    let count = is_well_formed(&page).unwrap_or_else(|problem| panic!("{problem}\n{page}"));
    assert!(count > 100, "{count} tags");
    for absent in [
        "<script",
        "<img",
        "\u{202e}",
        " onerror=alert(1)>",
        "src=\"",
        "url(",
        "@import",
        "<link",
        "http:",
        "https:",
    ] {
        assert!(!page.contains(absent), "`{absent}` is in the page");
    }
    for present in [
        "Content-Security-Policy",
        "&lt;script&gt;alert(2)&lt;/script&gt;",
        "b\\u{202e}gnp.exe",
        "temporary files",
        "&lt;",
        "RUN step 2",
    ] {
        assert!(page.contains(present), "`{present}` is not in the page");
    }
    let links = page.matches("href=\"").count();
    assert_eq!(page.matches("href=\"#").count(), links, "a link leads out of the page");
    assert_eq!(page, tug.data(&["report", "odd"]), "the same image gives another page");
}

#[test]
fn the_page_of_an_image_with_very_many_files_stays_small() {
    let tug = Tug::new();
    let names: Vec<String> = (0..50)
        .flat_map(|folder| {
            let folder = format!("{}{folder:03}", "<&\u{202e}".repeat(30));
            let files =
                (0..60).map(|file| format!("{folder}/{}{file:03}", "\"'".repeat(60))).collect::<Vec<_>>();
            [format!("{folder}/")].into_iter().chain(files)
        })
        .collect();
    let entries: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "content")).collect();
    image(&tug, "many", "A=1", &[tar(&entries)]);
    let page = tug.data(&["report", "many"]);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    assert!(page.contains("not on this page") || page.contains(" more, "), "nothing says what was cut");
    is_well_formed(&page).unwrap_or_else(|problem| panic!("{problem}"));
}

#[test]
fn what_is_copied_gets_a_new_owner_and_no_right_of_the_old_one() {
    use std::os::unix::fs::PermissionsExt;
    let tug = Tug::new();
    let mut tar = TarWriter::new(Vec::new());
    for (path, mode) in [("setgid", 0o2755), ("setuid", 0o4755)] {
        let entry = NewEntry { uid: 33, gid: 33, ..NewEntry::file(path, mode, 0) };
        tar.header(&entry).expect("a header is written");
    }
    let layer = tar.finish().expect("the end is written");
    image(&tug, "bits", "A=1", &[layer]);
    tug.data(&["cp", "bits:/", "out"]);
    for name in ["setgid", "setuid"] {
        let mode = fs::metadata(tug.path(&format!("out/{name}"))).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o7777, 0o755, "{name}");
    }
    let listed = tug.data(&["ls", "-l", "bits"]);
    assert!(listed.contains("-rwsr-xr-x   33:33") && listed.contains("-rwxr-sr-x   33:33"), "{listed}");
}
