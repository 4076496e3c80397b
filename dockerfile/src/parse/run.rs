//! `RUN`

use super::flags::{Flags, Takes, bad_value, one_of};
use super::instruction::Request;
use super::suggest::closest;
use super::{mount, scalar};
use crate::{Command, Device, Flag, InstructionKind, Network, ParseError, Run, Security, Word};

pub(super) fn parse(request: Request<'_>, flags: Flags) -> Result<(InstructionKind, Vec<Flag>), ParseError> {
    let flags = flags.check(&[
        ("mount", Takes::Texts),
        ("network", Takes::Text),
        ("security", Takes::Text),
        ("device", Takes::Texts),
    ])?;
    let networks = [("default", Network::Default), ("none", Network::None), ("host", Network::Host)];
    let securities = [("sandbox", Security::Sandbox), ("insecure", Security::Insecure)];
    let mounts = flags.unquoted("mount");
    let run = Run {
        mounts: mounts
            .map(|(text, range, span)| mount::parse(text, range, span, request.escape))
            .collect::<Result<_, _>>()?,
        network: flags.text("network").map(|word| choose("network", &word, &networks)).transpose()?,
        security: flags.text("security").map(|word| choose("security", &word, &securities)).transpose()?,
        devices: flags.texts("device").iter().map(device).collect::<Result<_, _>>()?,
        command: command(&request)?,
        is_nothing_but_a_heredoc: match request.markers {
            [only] => only.range.len() == request.arguments.as_str().len(),
            _ => false,
        },
        heredocs: request.heredocs,
    };
    Ok((InstructionKind::Run(run), flags.as_written()))
}

fn command(request: &Request<'_>) -> Result<Command, ParseError> {
    if request.arguments.is_empty() {
        return Err(request.missing("a command"));
    }
    match request.json_array()? {
        Some(words) if words.is_empty() => Err(request.missing("at least a program")),
        Some(words) => Ok(Command::Exec(words)),
        None => Ok(Command::Shell(request.arguments.as_str().to_owned())),
    }
}

fn choose<T: Copy>(flag: &str, word: &Word, choices: &[(&str, T)]) -> Result<T, ParseError> {
    let names: Vec<&str> = choices.iter().map(|&(name, _)| name).collect();
    let found = choices.iter().find(|(name, _)| *name == word.raw);
    found.map(|&(_, choice)| choice).ok_or_else(|| {
        let error = bad_value(flag, word, format!("expected {}", one_of(&names, "")));
        error.with_suggestion(closest(&word.raw, &names))
    })
}

/// `name[,required]`, where `name` may be written `name=…`.
fn device(word: &Word) -> Result<Device, ParseError> {
    let mut name = None;
    let mut required = false;
    for field in word.raw.split(',') {
        let (key, value) = field.split_once('=').map_or((field, None), |(key, value)| (key, Some(value)));
        match (key.to_ascii_lowercase().as_str(), value) {
            ("name", Some(value)) => name = Some(value),
            ("required", None) => required = true,
            ("required", Some(value)) => {
                required = scalar::boolean(value).ok_or_else(|| {
                    bad_value("device", word, "expected `required=true` or `required=false`")
                })?;
            }
            _ if name.is_none() => name = Some(field),
            _ => return Err(bad_value("device", word, "expected `name` or `name,required`")),
        }
    }
    match name {
        Some(name) if !name.is_empty() => Ok(Device { name: Word::new(name, word.span), required }),
        _ => Err(bad_value("device", word, "expected the name of a device")),
    }
}
