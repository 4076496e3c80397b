//! Builds a Dockerfile that is described in JSON on standard input, and says on standard output what happens: an event a
//! line, and at last the outcome.
//!
//! It is a program of its own because RUN steps begin in a copy of the process that starts them. The fields are those of
//! [`Asked`]; `cancel_at` throws the switch when a step has written this text.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::json;
use tug_builder::{
    BuildOptions, Cancel, ContextSource, DockerfileSource, Ending, Error, Event, Reporter, build,
};
use tug_layer_store::{Owners, Store, StoreOptions};
use tug_runtime::{ModePreference, Runtime, enter, run_init_if_asked};

#[derive(Deserialize)]
struct Asked {
    store: PathBuf,
    context: PathBuf,
    dockerfile: String,
    #[serde(default)]
    build_args: BTreeMap<String, String>,
    #[serde(default)]
    source_date_epoch: Option<i64>,
    /// Folders with descriptions of devices; every device is allowed then.
    #[serde(default)]
    device_folders: Vec<PathBuf>,
    #[serde(default)]
    cancel_at: Option<String>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    run_init_if_asked();
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let asked: Asked = serde_json::from_str(&text)?;
    let runtime = Runtime::new(enter(ModePreference::Root)?);
    let store = Store::open(
        &asked.store,
        &StoreOptions { owners: Owners::Real, in_user_namespace: false, indexed_layers: false },
    )?;
    let dockerfile = DockerfileSource::Text {
        name: "Dockerfile".to_owned(),
        text: asked.dockerfile.into_bytes(),
        path: None,
    };
    let mut options = BuildOptions::new(ContextSource::Folder(asked.context), dockerfile);
    options.build_args = asked.build_args;
    options.source_date_epoch = asked.source_date_epoch;
    options.sandbox.allowed.all_devices = !asked.device_folders.is_empty();
    options.sandbox.device_folders = asked.device_folders;
    let cancel = Cancel::default();
    let teller = Teller { cancel: cancel.clone(), cancel_at: asked.cancel_at };
    let outcome = match build(&store, &runtime, options, &teller, &cancel) {
        Ok(built) => json!({
            "manifest": built.descriptor.digest,
            "size": built.descriptor.size,
            "steps": built.steps,
            "cached": built.cached,
        }),
        Err(error) => failure(&error),
    };
    writeln!(io::stdout(), "{outcome}")?;
    Ok(())
}

fn failure(error: &Error) -> serde_json::Value {
    let mut outcome = json!({ "error": error.to_string() });
    if let Error::StepFailed(failure) = error {
        outcome["log"] = json!(failure.log);
        outcome["tail"] = json!(failure.tail);
        outcome["lines"] = json!(failure.lines);
        outcome["code"] = match failure.ending {
            Ending::Code(code) => json!(code),
            _ => json!(null),
        };
    }
    outcome
}

struct Teller {
    cancel: Cancel,
    cancel_at: Option<String>,
}

impl Reporter for Teller {
    fn report(&self, event: Event) {
        let line = serde_json::to_string(&event).unwrap_or_default();
        writeln!(io::stdout(), "{line}").ok();
        if let (Event::Output { text, .. }, Some(wanted)) = (&event, &self.cancel_at)
            && String::from_utf8_lossy(text).contains(wanted)
        {
            self.cancel.cancel();
        }
    }
}
