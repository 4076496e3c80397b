//! Builds cases of the corpus with BuildKit and writes down what came out. Called by `testdata/record-cases`.
#![expect(clippy::print_stdout, reason = "a tool for developers, not a library")]

use std::fs;
use std::path::Path;
use std::process::{Command, exit};

use tug_testdata::build_case::BuildCase;
use tug_testdata::image::{Image, comparable_config};
use tug_testdata::{Detail, Listing};

const TAG: &str = "tug-recorded-case";

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let base = saved("base");
    let mut failed = 0;
    for case in BuildCase::all() {
        if !wanted.is_empty() && !wanted.iter().any(|name| name == case.name()) {
            continue;
        }
        if case.file("by-hand").exists() || case.must_fail() {
            println!("{}: expectations are written by hand", case.name());
            continue;
        }
        match record(&case, &base) {
            Ok(()) => println!("{}: recorded", case.name()),
            Err(output) => {
                println!("{}: FAILED\n{output}", case.name());
                failed += 1;
            }
        }
    }
    exit(failed.min(1));
}

fn record(case: &BuildCase, base: &Image) -> Result<(), String> {
    let context = case.context();
    let secrets =
        case.secrets().into_iter().map(|(id, path)| format!("--secret=id={id},src={}", path.display()));
    let output = Command::new("docker")
        .env("DOCKER_BUILDKIT", "1")
        .args(["build", "--no-cache", "--network", "none", "--progress", "plain", "--tag", TAG, "--file"])
        .arg(case.file("Dockerfile"))
        .args(case.arguments())
        .args(secrets)
        .arg(context.path())
        .output()
        .expect("docker is there");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(log);
    }
    let image = saved(TAG);
    let built_on_base = image.config["history"][0] == base.config["history"][0];
    let (tree, entries) =
        if built_on_base { (base.tree.clone(), base.history_length()) } else { (Listing::default(), 0) };
    let comparable =
        |tree: Listing| tree.without(Detail::Times).with_content_named(&base.tree, "bin/busybox", "busybox");
    let changes = comparable(image.tree).changes_since(&comparable(tree));
    let config = comparable_config(&image.config, entries);
    let config = serde_json::to_string_pretty(&config).expect("JSON can be written") + "\n";
    fs::write(case.file("expected.tree"), changes).expect("the corpus can be written");
    fs::write(case.file("expected.config.json"), config).expect("the corpus can be written");
    Ok(())
}

/// Reads an image out of docker through its archive.
fn saved(name: &str) -> Image {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let archive = folder.path().join("image.tar");
    run(Command::new("docker").args(["save", "--output"]).arg(&archive).arg(name));
    run(Command::new("tar")
        .args(["--extract", "--file"])
        .arg(&archive)
        .arg("--directory")
        .arg(folder.path()));
    Image::from_docker_archive(Path::new(folder.path()))
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("could not start {command:?}: {error}"));
    assert!(status.success(), "{command:?} failed");
}
