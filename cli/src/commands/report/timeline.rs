//! The build on the page: when each step began and how long it took, where a build of this store made the image.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use tug_builder::{Build, Event, StepId, StepSummary};

use super::html::{Cut, LONG, SHORT, escaped};
use crate::error::CommandError;
use crate::human;
use crate::inside::Opened;

const MOST: usize = 100_000;

/// What became of a step.
#[derive(Clone, Debug, Default, PartialEq)]
struct Course {
    begun: Option<Duration>,
    took: Option<Duration>,
    is_cached: bool,
    bytes: u64,
}

/// The newest build that made the image; `None` when none is recorded.
pub(super) fn section(opened: &Opened) -> Result<Option<String>, CommandError> {
    let Some(build) = tug_builder::build_of_image(&opened.store, opened.image.id())? else {
        return Ok(None);
    };
    let (steps, courses) = courses(&build)?;
    let total = build.record.seconds.unwrap_or(0.0);
    let total = courses.values().filter_map(end).fold(total, f64::max).max(0.001);
    let mut html = format!(
        "<p class=\"note\">Build <code>{}</code>, begun {}, {} of {} known before, {:.1} s in all.</p>\n",
        escaped(&build.record.id, SHORT),
        escaped(&build.record.started, SHORT),
        build.record.cached,
        human::counted(build.record.steps, "step"),
        total
    );
    let mut rows = Cut::new(MOST);
    for step in &steps {
        rows.add(&row(step, courses.get(&step.id), total));
    }
    html += &rows.finish("<ol class=\"rows\">", "</ol>", &format!("tug log {}", build.record.id));
    if let Some(unit) = build.record.units.iter().find(|unit| unit.config.as_ref() == Some(opened.image.id()))
    {
        // A text cannot fail to be written to.
        let _ = writeln!(
            html,
            "<dl><dt>Dockerfile</dt><dd><code>{}</code></dd><dt>Context</dt><dd><code>{}</code></dd></dl>",
            escaped(&unit.dockerfile, SHORT),
            escaped(&unit.context, LONG)
        );
    }
    Ok(Some(html))
}

fn courses(build: &Build) -> Result<(Vec<StepSummary>, BTreeMap<StepId, Course>), CommandError> {
    let mut courses: BTreeMap<StepId, Course> = BTreeMap::new();
    let mut plan = Vec::new();
    let mut replay = build.replay()?;
    while let Some((at, event)) = replay.next_event()? {
        match event {
            Event::Planned { steps, .. } => plan = steps,
            Event::Started { step } => courses.entry(step).or_default().begun = Some(at),
            Event::Cached { step, .. } => courses.entry(step).or_default().is_cached = true,
            Event::Finished { step, duration, bytes, .. } => {
                let course = courses.entry(step).or_default();
                course.took = Some(duration);
                course.bytes = bytes;
            }
            Event::Failed { step, duration, .. } => courses.entry(step).or_default().took = Some(duration),
            _ => {}
        }
    }
    Ok((plan, courses))
}

/// When a step was over, in seconds.
fn end(course: &Course) -> Option<f64> {
    Some(course.begun?.as_secs_f64() + course.took?.as_secs_f64())
}

fn row(step: &StepSummary, course: Option<&Course>, total: f64) -> String {
    let course = course.cloned().unwrap_or_default();
    let time = match (course.is_cached, course.took) {
        (true, _) => "<span class=\"tag\">cached</span>".to_owned(),
        (false, Some(took)) => format!("<span class=\"size\">{:.2} s</span>", took.as_secs_f64()),
        (false, None) => "<span class=\"tag\">not needed</span>".to_owned(),
    };
    let line = match step.line {
        0 => String::new(),
        line => format!("<span class=\"dim\">line {line}</span>"),
    };
    let size = match course.bytes {
        0 => String::new(),
        bytes => format!("<span class=\"dim\">{} new</span>", human::size(bytes)),
    };
    let bar = match (course.begun, course.took) {
        (Some(begun), Some(took)) if !course.is_cached => {
            let (left, width) = (begun.as_secs_f64() / total, took.as_secs_f64() / total);
            let left = (left * 100.0).clamp(0.0, 99.0);
            let width = (width * 100.0).clamp(0.0, 100.0 - left);
            format!(
                "<span class=\"track\"><span class=\"bar\" style=\"margin-left:{left:.2}%;width:{width:.2}%\"></span>\
                 </span>"
            )
        }
        _ => String::new(),
    };
    format!(
        "<li><div class=\"head\">{time}{line}{size}</div>{bar}<code>{}</code></li>\n",
        escaped(&step.name, 400)
    )
}
