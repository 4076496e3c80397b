//! What is told of a Dockerfile to those who build it.

use std::collections::BTreeSet;

use tug_dockerfile::{Arguments, Dockerfile, needed_stages, outline, targets};

const TEXT: &str = "\
# BASE is what everything stands on
ARG BASE=debian:$TAG
ARG TAG=12
ARG UNUSED

# build makes the program
# and more
FROM --platform=$BUILDPLATFORM $BASE AS Build
# FEATURES to compile in
ARG FEATURES=all TARGETARCH
ARG TAG
WORKDIR /src
RUN --mount=type=cache,target=target/ --mount=type=secret,id=token \\
  --mount=type=ssh --mount=type=cache,id=$FEATURES,target=/x make
RUN --mount=type=secret,id=token,required make

FROM scratch AS lonely
ARG LONELY
RUN --mount=type=secret,id=other x

# app is small
FROM scratch AS app
COPY --from=build /app /
ARG NAME
";

fn told(target: usize, build_args: &[(&str, &str)]) -> String {
    let dockerfile = Dockerfile::parse(TEXT).expect("it is correct");
    let given = build_args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let arguments = Arguments { build_args: given.collect(), ..Arguments::default() };
    let outline = outline(&dockerfile, target, &arguments);
    let mut text = format!("{}: {}\n", outline.name, outline.description);
    for argument in &outline.arguments {
        text += &format!("arg {}={} {}\n", argument.name, argument.value, argument.description);
    }
    for (kind, requests) in [("secret", outline.secrets), ("ssh", outline.ssh), ("cache", outline.caches)] {
        for request in requests {
            text += &format!("{kind} {}{}\n", request.id, if request.required { " required" } else { "" });
        }
    }
    text
}

#[test]
fn a_target_lists_what_it_and_its_stages_take() {
    insta::assert_snapshot!(told(2, &[]), @"
    app: is small
    arg BASE=debian: is what everything stands on
    arg TAG=12 
    arg FEATURES=all to compile in
    arg NAME= 
    secret token required
    ssh default
    cache /src/target
    cache all
    ");
    insta::assert_snapshot!(told(1, &[]), @"
    lonely: 
    arg LONELY= 
    secret other
    ");
}

#[test]
fn what_is_given_takes_the_place_of_the_default() {
    insta::assert_snapshot!(told(0, &[("FEATURES", "none"), ("BASE", "a"), ("LONELY", "1")]), @"
    build: makes the program
    arg BASE=a is what everything stands on
    arg TAG=12 
    arg FEATURES=none to compile in
    secret token required
    ssh default
    cache /src/target
    cache none
    ");
}

#[test]
fn targets_are_listed_in_order() {
    let dockerfile = Dockerfile::parse(TEXT).expect("it is correct");
    let lines: Vec<String> = targets(&dockerfile)
        .into_iter()
        .map(|target| {
            let default = if target.is_default { " (default)" } else { "" };
            format!("{}{default}|{}|{}|{}", target.name, target.description, target.base, target.platform)
        })
        .collect();
    assert_eq!(
        lines,
        [
            "build|makes the program|$BASE|$BUILDPLATFORM",
            "lonely||scratch|",
            "app (default)|is small|scratch|"
        ]
    );
}

#[test]
fn stages_that_nobody_needs_are_left_out() {
    let dockerfile = Dockerfile::parse(TEXT).expect("it is correct");
    assert_eq!(needed_stages(&dockerfile, 2, &Arguments::default()), BTreeSet::from([0, 2]));
    assert_eq!(needed_stages(&dockerfile, 1, &Arguments::default()), BTreeSet::from([1]));
}
