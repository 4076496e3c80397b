//! Events as JSON, one object on a line, for programs.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tug_oci::Digest;
use tug_registry_client::Event as Client;
use tug_transfer::{Direction, Event};

use crate::progress::{lock, write_stderr};

/// So often a blob tells how far it is.
const INTERVAL: Duration = Duration::from_millis(200);

/// Writes events as JSON.
pub(super) struct Json {
    start: Instant,
    told: Mutex<HashMap<Digest, Instant>>,
}

impl Json {
    pub(super) fn start() -> Self {
        Self { start: Instant::now(), told: Mutex::default() }
    }

    pub(super) fn on(&self, event: &Event) {
        if let Event::Moved { blob, done, size } = event
            && Some(*done) != *size
        {
            let mut told = lock(&self.told);
            match told.get(blob) {
                Some(last) if last.elapsed() < INTERVAL => return,
                _ => drop(told.insert(blob.clone(), Instant::now())),
            }
        }
        if let Some(line) = line(event, self.start.elapsed()) {
            write_stderr(&line);
        }
    }
}

/// One line; `None` for what this version has no words for.
fn line(event: &Event, time: Duration) -> Option<String> {
    let (kind, facts) = facts(event)?;
    let mut object = Map::new();
    object.insert("v".to_owned(), json!(1));
    object.insert("event".to_owned(), json!(kind));
    object.insert("time".to_owned(), json!((time.as_secs_f64() * 1000.0).round() / 1000.0));
    if let Value::Object(facts) = facts {
        object.extend(facts.into_iter().filter(|(_, value)| !value.is_null()));
    }
    Some(format!("{}\n", Value::Object(object)))
}

fn facts(event: &Event) -> Option<(&'static str, Value)> {
    Some(match event {
        Event::Resolved { name, target } => {
            ("resolved", json!({ "name": name, "digest": target.digest, "mediaType": target.media_type }))
        }
        Event::OnlyOne { platform, of } => ("onlyOne", json!({ "platform": platform.to_string(), "of": of })),
        Event::Planned { blob, size, direction } => {
            let direction = if *direction == Direction::Down { "down" } else { "up" };
            ("planned", json!({ "blob": blob, "size": size, "direction": direction }))
        }
        Event::Present { blob } => ("present", json!({ "blob": blob })),
        Event::Mounted { blob, from } => ("mounted", json!({ "blob": blob, "from": from })),
        Event::Waiting { blob } => ("waiting", json!({ "blob": blob })),
        Event::Moved { blob, done, size } => ("moved", json!({ "blob": blob, "done": done, "size": size })),
        Event::Arrived { blob } => ("arrived", json!({ "blob": blob })),
        Event::Again { blob, actual } => ("again", json!({ "blob": blob, "actual": actual })),
        Event::Done { blob } => ("done", json!({ "blob": blob })),
        Event::Published { name, digest } => ("published", json!({ "name": name, "digest": digest })),
        Event::Client(event) => match event {
            Client::Retrying { host, request, reason, wait } => (
                "retrying",
                json!({ "host": host, "request": request, "reason": reason, "wait": wait.as_secs_f64() }),
            ),
            Client::Throttled { host, wait } => {
                ("throttled", json!({ "host": host, "wait": wait.as_secs_f64() }))
            }
            Client::Resumed { digest, have, size } => {
                ("resumed", json!({ "blob": digest, "have": have, "size": size }))
            }
            Client::MirrorSkipped { host, reason } => {
                ("mirrorSkipped", json!({ "host": host, "reason": reason }))
            }
            Client::CredentialsSkipped { path, reason } => {
                ("credentialsSkipped", json!({ "path": path.display().to_string(), "reason": reason }))
            }
            Client::Warning { host, text } => ("warning", json!({ "host": host, "text": text })),
            Client::PlainHttp { host } => ("plainHttp", json!({ "host": host })),
            _ => return None,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let blob = Digest::of(b"");
        let event = Event::Planned { blob, size: None, direction: Direction::Up };
        insta::assert_snapshot!(line(&event, Duration::from_millis(1234)).unwrap(), @r#"{"v":1,"event":"planned","time":1.234,"blob":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","direction":"up"}"#);
    }
}
