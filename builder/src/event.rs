//! What a build tells while it runs.
//!
//! The builder never prints. It reports one stream of typed events; the terminal, plain lines, JSON lines and the
//! record on disk are all drawn from the same stream.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tug_oci::{DiffId, Digest};

use crate::lint::Finding;

/// The number of a step within one build, in the order of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub usize);

/// One step of the plan, as shown to people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepSummary {
    /// Its number.
    pub id: StepId,
    /// `[build 2/5] RUN cargo build`.
    pub name: String,
    /// The name of its unit, where a build has several: a platform or a target.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// The name of its stage, or its number.
    pub stage: String,
    /// The line of the instruction in the Dockerfile, from 1; 0 for what stands in no line, such as reading the context.
    pub line: usize,
    /// The steps whose results it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<StepId>,
}

/// A build, and when it did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltBy {
    /// The identity of the build.
    pub build: String,
    /// RFC 3339.
    pub time: String,
}

/// One input of a step that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// What it is: `ARG VERSION`, `src/main.rs`.
    pub name: String,
    /// What happened to it.
    pub kind: ChangeKind,
    /// What it was, where that can be told in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// What happened to an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It is another one.
    Changed,
    /// There was none.
    New,
    /// There is none any more.
    Gone,
}

/// Something that happened in a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum Event {
    /// The first event: what will be done.
    Planned {
        /// The identity of this build, also the name of its folder in the store.
        build: String,
        /// Every step, in order.
        steps: Vec<StepSummary>,
    },
    /// Work on a step began.
    Started {
        /// Which step.
        step: StepId,
    },
    /// The result of a step was known from an earlier build.
    Cached {
        /// Which step.
        step: StepId,
        /// Who made the result, where somebody did: a base image was made by none of our builds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made_by: Option<BuiltBy>,
        /// The layer that it is. An image may have many, and then none is named here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        layer: Option<DiffId>,
    },
    /// The result of a step was not known; the reason, if there was an earlier build to compare with.
    Missed {
        /// Which step.
        step: StepId,
        /// For example `src/main.rs changed`.
        reason: String,
        /// What is not what it was; of very many the first ones.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changes: Vec<Change>,
        /// The build that it is compared with: the last one that did the same step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<BuiltBy>,
        /// How long the step took then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[serde(serialize_with = "as_some_seconds", deserialize_with = "from_some_seconds")]
        #[serde(rename = "lastSeconds")]
        last_duration: Option<Duration>,
    },
    /// A step wrote output: what went to its standard output and its standard error, in the order in which it came.
    Output {
        /// Which step.
        step: StepId,
        /// The bytes as they came; not cut at lines.
        #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
        text: Vec<u8>,
    },
    /// A step is done.
    Finished {
        /// Which step.
        step: StepId,
        /// How long it took.
        #[serde(serialize_with = "as_seconds", deserialize_with = "from_seconds", rename = "seconds")]
        duration: Duration,
        /// The layer that it made, if it made one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        layer: Option<DiffId>,
        /// Bytes of the layer's plain tar.
        bytes: u64,
    },
    /// A step failed.
    Failed {
        /// Which step.
        step: StepId,
        /// How long it took.
        #[serde(serialize_with = "as_seconds", deserialize_with = "from_seconds", rename = "seconds")]
        duration: Duration,
        /// Why, in one line.
        message: String,
    },
    /// A step was given up because another one failed or the user asked for it.
    Cancelled {
        /// Which step.
        step: StepId,
    },
    /// Something that takes time, or was decided, outside of the steps: an image is pulled, layers are fetched or sent.
    Note {
        /// What, in one line.
        message: String,
    },
    /// Something that the user should know and can change.
    Warning {
        /// What, in one line.
        message: String,
        /// The line of the Dockerfile, from 1, or 0.
        line: usize,
    },
    /// Something in a Dockerfile is allowed and yet probably not meant.
    Lint(Box<Finding>),
    /// Work on an output that was asked for began.
    Exporting {
        /// As it was asked for: `type=oci,dest=app.tar`.
        output: String,
    },
    /// An output is complete.
    Exported {
        /// As it was asked for.
        output: String,
        /// How long it took.
        #[serde(serialize_with = "as_seconds", rename = "seconds")]
        duration: Duration,
        /// The digest of the manifest or index, if it is an image.
        #[serde(skip_serializing_if = "Option::is_none")]
        digest: Option<Digest>,
        /// The names that it has.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        names: Vec<String>,
    },
    /// The image is in the store.
    Written {
        /// The name of the unit that it is of, where a build has several.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        unit: String,
        /// The digest of its manifest.
        manifest: Digest,
        /// The digest of its config.
        config: Digest,
        /// The names that it has now.
        names: Vec<String>,
    },
}

impl Event {
    /// The version of the objects that [`Event::line`] makes.
    pub const VERSION: u32 = 1;

    /// The event as one JSON object on a line of its own; it came `at` after the start of the build.
    ///
    /// Every object has `v`, the version of the format; `event`, its kind; and `at`, in seconds. The other members are
    /// those of the event. Members may be added; none changes its meaning within a version.
    pub fn line(&self, at: Duration) -> String {
        let mut object = serde_json::Map::new();
        object.insert("v".to_owned(), Self::VERSION.into());
        object.insert("at".to_owned(), (at.as_millis() as f64 / 1000.0).into());
        if let Ok(serde_json::Value::Object(members)) = serde_json::to_value(self) {
            object.extend(members);
        }
        serde_json::Value::Object(object).to_string() + "\n"
    }
}

/// Who is told about events. Called from many threads.
pub trait Reporter: Send + Sync {
    /// Takes note of `event`.
    fn report(&self, event: Event);
}

/// A reporter that keeps every event, for tests.
#[derive(Debug, Default)]
pub struct Recording(std::sync::Mutex<Vec<Event>>);

impl Recording {
    /// All events so far.
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().expect("nobody panics while holding it").clone()
    }
}

impl Reporter for Recording {
    fn report(&self, event: Event) {
        self.0.lock().expect("nobody panics while holding it").push(event);
    }
}

fn as_text<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(bytes))
}

fn as_seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

fn as_some_seconds<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}

fn from_text<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    String::deserialize(deserializer).map(String::into_bytes)
}

fn from_seconds<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Duration, D::Error> {
    Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn from_some_seconds<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let seconds = Option::<f64>::deserialize(deserializer)?;
    seconds.map(Duration::try_from_secs_f64).transpose().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_is_one_object_on_one_line_and_can_be_read_again() {
        let step = StepId(1);
        let time = |seconds| Duration::from_secs_f64(seconds);
        let made_by = Some(BuiltBy { build: "b".to_owned(), time: "2024-05-06T07:08:09Z".to_owned() });
        let change = |kind, before: Option<&str>, after: Option<&str>| Change {
            name: "ARG V".to_owned(),
            kind,
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        let summary = StepSummary {
            id: step,
            name: "[build 2/5] RUN make".to_owned(),
            stage: "build".to_owned(),
            unit: String::new(),
            line: 3,
            needs: vec![StepId(0)],
        };
        let changes =
            vec![change(ChangeKind::Changed, Some("1"), Some("2")), change(ChangeKind::Gone, None, None)];
        let last_duration = Some(time(2.5));
        let (reason, digest) = ("ARG V `1` → `2` (and 1 more)".to_owned(), Digest::of(b""));
        let layer = Some(DiffId::new(digest.clone()));
        let events = [
            Event::Planned { build: "b".to_owned(), steps: vec![summary] },
            Event::Started { step },
            Event::Cached { step, made_by: None, layer: None },
            Event::Cached { step, made_by: made_by.clone(), layer: layer.clone() },
            Event::Missed { step, reason, changes, since: made_by, last_duration },
            Event::Output { step, text: "a\nb".into() },
            Event::Finished { step, duration: time(0.25), layer, bytes: 7 },
            Event::Failed { step, duration: time(1.0), message: "it broke".to_owned() },
            Event::Cancelled { step },
            Event::Note { message: "fetching 2 layers".to_owned() },
            Event::Warning { message: "old".to_owned(), line: 3 },
            Event::Written {
                unit: String::new(),
                manifest: digest.clone(),
                config: digest.clone(),
                names: vec!["app".to_owned()],
            },
        ];
        let lines: String = events.iter().map(|event| event.line(time(0.5))).collect();
        insta::assert_snapshot!(lines.replace(digest.hex(), "…"), @r#"
        {"v":1,"at":0.5,"event":"planned","build":"b","steps":[{"id":1,"name":"[build 2/5] RUN make","stage":"build","line":3,"needs":[0]}]}
        {"v":1,"at":0.5,"event":"started","step":1}
        {"v":1,"at":0.5,"event":"cached","step":1}
        {"v":1,"at":0.5,"event":"cached","step":1,"madeBy":{"build":"b","time":"2024-05-06T07:08:09Z"},"layer":"sha256:…"}
        {"v":1,"at":0.5,"event":"missed","step":1,"reason":"ARG V `1` → `2` (and 1 more)","changes":[{"name":"ARG V","kind":"changed","before":"1","after":"2"},{"name":"ARG V","kind":"gone"}],"since":{"build":"b","time":"2024-05-06T07:08:09Z"},"lastSeconds":2.5}
        {"v":1,"at":0.5,"event":"output","step":1,"text":"a\nb"}
        {"v":1,"at":0.5,"event":"finished","step":1,"seconds":0.25,"layer":"sha256:…","bytes":7}
        {"v":1,"at":0.5,"event":"failed","step":1,"seconds":1.0,"message":"it broke"}
        {"v":1,"at":0.5,"event":"cancelled","step":1}
        {"v":1,"at":0.5,"event":"note","message":"fetching 2 layers"}
        {"v":1,"at":0.5,"event":"warning","message":"old","line":3}
        {"v":1,"at":0.5,"event":"written","manifest":"sha256:…","config":"sha256:…","names":["app"]}
        "#);
        let read: Vec<Event> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, events);
    }
}
