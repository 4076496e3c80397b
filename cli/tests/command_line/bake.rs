//! `tug bake`: what it prints and lists, what it builds, and what it refuses.

use std::fs;

use serde_json::Value;

use crate::tug::Tug;

const DEFINITION: &str = r#"
variable "TAG" {
  default     = "1"
  description = "The tag of all images"
}

group "default" {
  targets = ["app", "db"]
}

target "_shared" {
  dockerfile-inline = <<EOT
FROM scratch AS shared
COPY one.txt /one.txt
FROM shared
ARG NAME
LABEL name=$NAME
COPY --from=extra /extra.txt /
EOT
  contexts = { extra = "target:extra" }
}

target "app" {
  inherits    = ["_shared"]
  description = "The application"
  tags        = ["app:${TAG}"]
  args        = { NAME = "app" }
}

target "db" {
  inherits = ["_shared"]
  tags     = ["db:${TAG}"]
  args     = { NAME = "db" }
}

target "extra" {
  dockerfile-inline = "FROM scratch\nCOPY one.txt /extra.txt\n"
}
"#;

fn project() -> Tug {
    let tug = Tug::new().with("SOURCE_DATE_EPOCH", "1700000000");
    tug.write("docker-bake.hcl", DEFINITION);
    tug.write("one.txt", "one\n");
    tug
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("it is JSON")
}

#[test]
fn a_definition_is_printed_and_read_again() {
    let tug = project();
    let printed = tug.data(&["bake", "--print", "--var", "TAG=2", "app"]);
    let plan = json(&printed);
    assert_eq!(plan["group"]["default"]["targets"], serde_json::json!(["app"]));
    assert_eq!(plan["target"]["app"]["tags"], serde_json::json!(["app:2"]));
    assert_eq!(plan["target"]["app"]["args"]["SOURCE_DATE_EPOCH"], "1700000000");
    assert_eq!(plan["target"]["extra"]["output"], serde_json::json!([{"type": "cacheonly"}]));
    tug.write("printed.json", &printed);
    assert_eq!(tug.data(&["bake", "-f", "printed.json", "--print"]), printed);
    assert!(!tug.path("store").exists(), "printing needs no store");
}

#[test]
fn a_definition_says_what_it_has() {
    let tug = project();
    insta::assert_snapshot!(tug.data(&["bake", "--list", "targets"]), @"
    TARGET    DESCRIPTION
    app       The application
    db
    default   app, db
    extra
    ");
    insta::assert_snapshot!(tug.data(&["bake", "--list", "variables"]), @"
    VARIABLE   TYPE     VALUE   DESCRIPTION
    TAG        string   1       The tag of all images
    ");
    let list = json(&tug.data(&["bake", "--list=type=targets,format=json"]));
    assert_eq!(list[2], serde_json::json!({"name": "default", "description": "app, db", "group": true}));
    let list = json(&tug.data(&["bake", "--list=type=variables,format=json"]));
    assert_eq!(list[0]["value"], "1");
}

#[test]
fn targets_are_built_together_and_share_their_steps() {
    let tug = project();
    let output = tug
        .command(&["bake", "--progress", "rawjson", "--metadata-file", "metadata.json"])
        .output()
        .expect("tug can be started");
    assert!(output.status.success(), "{}", tug.shown(&output));
    let metadata = json(&fs::read_to_string(tug.path("metadata.json")).expect("it was written"));
    let count = |target: &str, key: &str| metadata[target][key].as_u64().expect("a count");
    // Both have the step of the shared stage and one of their own; each was done once.
    assert_eq!(count("app", "tug.build.steps") + count("db", "tug.build.steps"), 4);
    assert_eq!(count("app", "tug.build.cachedSteps") + count("db", "tug.build.cachedSteps"), 2);
    assert_eq!(metadata["app"]["image.name"], "docker.io/library/app:1");
    let label = tug.data(&["inspect", "--format", "{{.Config.Labels.name}}", "db:1"]);
    assert_eq!(label, "db\n");
    // What only others needed is not kept as an image.
    assert_eq!(tug.data(&["images", "-q"]).lines().count(), 2);
    let digests = tug.data(&["bake"]);
    assert_eq!(digests.lines().count(), 2);
    assert_eq!(
        Some(digests.lines().next().unwrap_or_default()),
        metadata["app"]["containerimage.digest"].as_str()
    );
}

#[test]
fn outputs_go_where_the_targets_say() {
    let tug = project();
    tug.data(&["bake", "--set", "app.output=type=local,dest=out", "app"]);
    assert_eq!(fs::read_to_string(tug.path("out/one.txt")).expect("it was written"), "one\n");
    assert_eq!(tug.data(&["images", "-q"]), "");
}

#[test]
fn mistakes_are_shown_in_their_lines() {
    let tug = project();
    tug.write("wrong.hcl", "target \"app\" {\n  tags = [\"app:${TAGG}\"]\n}\nvariable \"TAG\" {}\n");
    tug.write("compose.yaml", "services:\n  app:\n    build: {contxt: .}\n");
    tug.write("two/a.hcl", "target \"default\" {\n  context = \"../..\"\n}\n");
    let mut shown = String::new();
    for words in [
        &["bake", "-f", "wrong.hcl", "app"][..],
        &["bake"],
        &["bake", "-f", "docker-bake.hcl", "ap"],
        &["bake", "-f", "docker-bake.hcl", "--set", "app.tag=x"],
        &["bake", "-f", "docker-bake.hcl", "--set", "app.platforms=nowhere"],
        &["bake", "-f", "docker-bake.hcl", "--list", "things"],
        &["bake", "-f", "docker-bake.hcl", "--var", "TAG"],
        &["bake", "-f", "docker-bake.hcl", "--push", "app"],
        &["bake", "-f", "docker-bake.hcl", "--allow", "everything"],
        &["bake", "-f", "missing.hcl"],
        &["bake", "https://github.com/docker/cli.git"],
        &["bake", "--print", "--list", "targets"],
        &["bake", "-f", "two/a.hcl", "--set", "default.context=/"],
        &["bake", "-f", "docker-bake.hcl", "--set", "app.entitlements=security.insecure"],
    ] {
        shown += &format!("$ tug {}\n{}\n", words.join(" "), tug.run(words));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn a_definition_comes_from_standard_input() {
    let tug = Tug::new();
    let shown = tug.run_with_input(&["bake", "-f", "-", "--print"], b"target \"default\" {}");
    assert!(shown.starts_with("exit code 0\n--- stdout\n{"), "{shown}");
    let shown = tug.run_with_input(&["bake", "-f", "-", "--print"], b"services: {default: {build: .}}");
    assert!(shown.contains("\"default\""), "{shown}");
}

#[test]
fn variables_see_the_environment_unless_that_is_closed() {
    let tug = project().with("TAG", "from-env").with("BUILDX_BAKE_FILE", "docker-bake.hcl");
    assert!(tug.data(&["bake", "--print"]).contains("app:from-env"));
    let tug = tug.with("BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP", "1");
    assert!(tug.data(&["bake", "--print"]).contains("app:1"));
}
