//! Progress for programs: each event as one JSON object on a line.
//!
//! Every object has `v`, the version of the format, which is 1; `event`, its kind; and `at`, the seconds since the start.
//! The other members are those of [`tug_builder::Event`]. Members may be added; none changes its meaning
//! within a version. When the build fails, the last object is of the kind `error`.

use std::time::Duration;

use serde_json::{Map, Value};
use tug_builder::Event;

/// The line for `event`, which came at `at` after the start.
pub(crate) fn line(event: &Event, at: Duration) -> String {
    let mut object = Map::new();
    object.insert("v".to_owned(), 1.into());
    object.insert("at".to_owned(), (at.as_millis() as f64 / 1000.0).into());
    if let Ok(Value::Object(members)) = serde_json::to_value(event) {
        object.extend(members);
    }
    Value::Object(object).to_string() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::recorded;

    #[test]
    fn each_event_is_one_object_on_one_line() {
        let lines: String =
            recorded::two_stages()[..9].iter().map(|(at, event)| line(event, recorded::at(*at))).collect();
        insta::assert_snapshot!(lines, @r#"
        {"v":1,"at":0.0,"event":"planned","build":"01J","steps":[{"id":0,"name":"[context] .","stage":"0","line":1},{"id":1,"name":"[base 1/2] FROM debian:12","stage":"0","line":2},{"id":2,"name":"[base 2/2] RUN apt-get update","stage":"0","line":3},{"id":3,"name":"[build 2/2] COPY . /src","stage":"0","line":4},{"id":4,"name":"[build 3/3] RUN make","stage":"0","line":5}]}
        {"v":1,"at":0.0,"event":"started","step":0}
        {"v":1,"at":0.1,"event":"finished","step":0,"seconds":0.1,"bytes":0}
        {"v":1,"at":0.1,"event":"cached","step":1}
        {"v":1,"at":0.1,"event":"cached","step":2}
        {"v":1,"at":0.1,"event":"started","step":3}
        {"v":1,"at":0.1,"event":"missed","step":3,"reason":"src/main.rs changed"}
        {"v":1,"at":0.4,"event":"finished","step":3,"seconds":0.3,"bytes":0}
        {"v":1,"at":0.4,"event":"started","step":4}
        "#);
    }
}
