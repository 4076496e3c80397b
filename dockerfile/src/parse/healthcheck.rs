//! `HEALTHCHECK NONE` and `HEALTHCHECK [flags] CMD command`

use std::time::Duration;

use super::flags::{Flags, Takes, bad_value};
use super::instruction::Request;
use super::scalar;
use super::suggest::closest;
use crate::{Command, Flag, Healthcheck, InstructionKind, ParseError, ParseErrorKind, Probe};

pub(super) fn parse(request: &Request<'_>, flags: Flags) -> Result<(InstructionKind, Vec<Flag>), ParseError> {
    let flags = flags.check(&[
        ("interval", Takes::Text),
        ("timeout", Takes::Text),
        ("start-period", Takes::Text),
        ("start-interval", Takes::Text),
        ("retries", Takes::Text),
    ])?;
    let text = request.arguments.as_str();
    let length = text.find(char::is_whitespace).unwrap_or(text.len());
    let form = request.arguments.part(0..length);
    let rest = request.arguments.after(length).trim();
    let healthcheck = match form.as_str().to_ascii_uppercase().as_str() {
        "" => return Err(request.missing("`CMD` and a command, or `NONE`")),
        "NONE" if rest.is_empty() => Healthcheck::Disabled,
        "NONE" => {
            let kind = ParseErrorKind::TooManyArguments {
                instruction: "HEALTHCHECK NONE".to_owned(),
                allowed: "no arguments".to_owned(),
            };
            return Err(ParseError::new(rest.span(), kind, "expected the end of the line"));
        }
        "CMD" => Healthcheck::Probe(probe(request, rest, &flags)?),
        _ => {
            let kind = ParseErrorKind::BadHealthcheck { form: form.as_str().to_owned() };
            let error = ParseError::new(form.span(), kind, "expected `CMD` or `NONE`");
            let error =
                error.with_help(format!("to start the command with it, write `HEALTHCHECK CMD {text}`"));
            return Err(error.with_suggestion(closest(form.as_str(), &["CMD", "NONE"])));
        }
    };
    Ok((InstructionKind::Healthcheck(healthcheck), flags.as_written()))
}

fn probe(request: &Request<'_>, command: super::text::Slice<'_>, flags: &Flags) -> Result<Probe, ParseError> {
    let command = Request { arguments: command, heredocs: Vec::new(), ..*request };
    let command = match command.command()? {
        Command::Exec(words) if words.is_empty() => return Err(command.missing("a command")),
        other => other,
    };
    Ok(Probe {
        command,
        interval: duration(flags, "interval")?,
        timeout: duration(flags, "timeout")?,
        start_period: duration(flags, "start-period")?,
        start_interval: duration(flags, "start-interval")?,
        retries: retries(flags)?,
    })
}

/// Zero means the same as no flag.
fn duration(flags: &Flags, name: &str) -> Result<Option<Duration>, ParseError> {
    let Some(word) = flags.text(name) else { return Ok(None) };
    match scalar::duration(&word.raw) {
        Some(Duration::ZERO) => Ok(None),
        Some(duration) if duration >= Duration::from_millis(1) => Ok(Some(duration)),
        Some(_) => Err(bad_value(name, &word, "expected at least `1ms`")),
        None => Err(bad_value(name, &word, "expected a duration such as `30s` or `1m30s`")),
    }
}

fn retries(flags: &Flags) -> Result<Option<u32>, ParseError> {
    let Some(word) = flags.text("retries") else { return Ok(None) };
    let number = word.raw.strip_prefix('+').unwrap_or(&word.raw);
    match scalar::decimal(number).filter(|&number| i32::try_from(number).is_ok()) {
        Some(0) => Ok(None),
        Some(number) => Ok(Some(number)),
        None => Err(bad_value("retries", &word, "expected a number that is not negative")),
    }
}
