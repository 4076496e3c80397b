//! `# syntax=`: which program should read a Dockerfile. Ours reads what docker's own frontends read, so those are
//! accepted under all of their names and versions; another one would be a program to fetch and run, with a language of
//! its own.
//!
//! | written                                              | what happens                                    |
//! | ---------------------------------------------------- | ----------------------------------------------- |
//! | `docker/dockerfile`, `docker/dockerfile-upstream`    | accepted, with any tag or digest                |
//! | the same in another registry, such as a mirror       | accepted                                        |
//! | `dockerfile.v0`, nothing                             | accepted                                        |
//! | anything else                                        | an error, unless `BUILDKIT_SYNTAX` accepts it   |
//!
//! The build argument `BUILDKIT_SYNTAX` counts before what the file says.

use std::collections::BTreeMap;

use tug_dockerfile::{Dockerfile, closest, detect_syntax};

use crate::error::Problem;

/// The build argument that counts before `# syntax=`.
const ARGUMENT: &str = "BUILDKIT_SYNTAX";
/// BuildKit's name for the frontend that it has built in.
const BUILT_IN: &str = "dockerfile.v0";
const KNOWN: [&str; 2] = ["docker/dockerfile", "docker/dockerfile-upstream"];

/// What is wrong with the frontend that `text` or a build argument asks for.
pub(crate) fn problem(text: &[u8], build_args: &BTreeMap<String, String>) -> Option<Problem> {
    if let Some(asked) = build_args.get(ARGUMENT) {
        let image = asked.split(' ').next().unwrap_or_default();
        let message = format!("`--build-arg {ARGUMENT}={image}` asks for a frontend that tug does not have");
        return (!is_known(image)).then(|| Problem::new(0..0, message).help(help(image)));
    }
    let syntax = detect_syntax(text)?;
    if is_known(&syntax.image) {
        return None;
    }
    let shown = String::from_utf8_lossy(text);
    let start = shown.find(&syntax.image).unwrap_or_default();
    let message = format!("the file is written for the frontend `{}`", syntax.image);
    let problem = Problem::new(start..start + syntax.image.len(), message)
        .label("tug reads Dockerfiles itself and runs no frontends");
    Some(problem.help(help(&syntax.image)))
}

/// Where the directive stands, to know whether a file is one at all.
fn help(image: &str) -> String {
    match closest(repository(image), &KNOWN) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("if it is a Dockerfile all the same, give `--build-arg {ARGUMENT}={BUILT_IN}`"),
    }
}

fn is_known(image: &str) -> bool {
    let repository = repository(image);
    image.is_empty()
        || image == BUILT_IN
        || KNOWN.iter().any(|known| {
            let before = repository.strip_suffix(known);
            before.is_some_and(|before| before.is_empty() || before.ends_with('/'))
        })
}

/// An image name without tag and digest.
fn repository(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    let path = name.rfind('/').map_or(0, |slash| slash + 1);
    name[path..].find(':').map_or(name, |colon| &name[..path + colon])
}

/// Whether a file that asks for another frontend was understood anyway, and only that is wrong with it.
pub(crate) fn parse(text: &[u8], build_args: &BTreeMap<String, String>) -> (Dockerfile, Vec<Problem>) {
    let (dockerfile, errors) = Dockerfile::parse_as_far_as_possible(text);
    match problem(text, build_args) {
        // What follows is another language: its errors would say nothing.
        Some(problem) => (dockerfile, vec![problem]),
        None => (dockerfile, errors.into_iter().map(crate::plan::problem_of).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frontends_of_docker_are_accepted_under_all_their_names() {
        for image in [
            "",
            "dockerfile.v0",
            "docker/dockerfile",
            "docker/dockerfile:1.7-labs",
            "docker.io/docker/dockerfile:1@sha256:0123",
            "docker/dockerfile-upstream:master",
            "mirror.example:5000/hub/docker/dockerfile:1",
        ] {
            assert!(is_known(image), "{image}");
        }
        for image in ["r2d4/mockerfile", "docker/dockerfiles", "evildocker/dockerfile", "dockerfile.v1"] {
            assert!(!is_known(image), "{image}");
        }
    }

    #[test]
    fn another_frontend_is_told_at_its_place_unless_it_is_overridden() {
        let text = b"#!/usr/bin/env x\n# syntax = r2d4/mockerfile --flag\napiVersion: v1\n";
        let found = problem(text, &BTreeMap::new()).expect("it is not known");
        assert_eq!(&text[found.span], b"r2d4/mockerfile");
        let given = |image: &str| BTreeMap::from([(ARGUMENT.to_owned(), image.to_owned())]);
        assert_eq!(problem(text, &given("dockerfile.v0")), None);
        assert!(problem(b"FROM scratch\n", &given("a/b")).is_some());
        let help = problem(b"# syntax=docker/dockerfiel:1\n", &BTreeMap::new()).and_then(|found| found.help);
        assert_eq!(help.as_deref(), Some("did you mean `docker/dockerfile`?"));
    }
}
