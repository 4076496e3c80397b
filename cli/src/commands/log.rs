//! `tug log`: the whole output of a build, or of one of its steps.

use std::fs::File;
use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use tug_builder::{Build, BuildStatus, Event, Replay, StepId};

use crate::builds;
use crate::error::CommandError;
use crate::human;
use crate::output::Output;
use crate::progress::{LineCutter, Log, Plain, log_line};
use crate::session;
use crate::settings::Settings;

/// How often a build that runs is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Arguments of `tug log`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug log                              The whole log of the newest build
  tug log 7                            What its step 7 has written, and nothing else
  tug log app build/3                  … the third step of the stage `build` in the newest build of `app`
  tug log 20240506-070809-1a2b3c 7     … of a certain build; the beginning of its name is enough
  tug log -f                           Follow the build that runs
  tug log 7 | grep error               A step is written as it wrote itself")]
pub(crate) struct LogArguments {
    /// The build: its name, the beginning of it, or the name of an image [default: the newest]
    #[arg(value_name = "BUILD")]
    build: Option<String>,
    /// One of its steps: its number, or the name of a stage and the number in it, such as `build/3`
    #[arg(value_name = "STEP")]
    step: Option<String>,
    /// Go on until the build is over
    #[arg(short, long)]
    follow: bool,
}

/// Writes the log.
pub(super) fn run(arguments: &LogArguments, settings: &Settings) -> Result<(), CommandError> {
    let store = session::open_to_read(settings)?;
    let (build, step) = match (arguments.build.as_deref(), arguments.step.as_deref()) {
        // One word that can only be a step is one of the newest build.
        (Some(step), None) if builds::is_step(step) => (None, Some(step)),
        words => words,
    };
    let build = builds::find(&store, build)?;
    match step {
        None => whole(&build, arguments.follow, &settings.output),
        Some(word) => {
            let step = builds::step(&build, &builds::steps(&build)?, word)?;
            one_step(&build, step, arguments.follow, &settings.output)
        }
    }
}

/// All steps, as `--progress plain` shows them.
fn whole(build: &Build, follow: bool, output: &Output) -> Result<(), CommandError> {
    let mut view = Plain::new(output.stdout, Log::Simple);
    let mut last = Duration::ZERO;
    each(build, follow, |at, event| {
        last = at;
        output.data(view.on(&event, at).as_bytes()).map(|()| true)
    })?;
    output.data(view.finish().as_bytes())?;
    // Its record is read again: meanwhile it may be over.
    let record = &build.record;
    let end = match (&record.error, record.status) {
        (Some(error), _) => {
            let place = error.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
            format!("failed: {}{place}", human::one_line(&error.message))
        }
        (None, BuildStatus::Running) if !follow => "is still running; `-f` follows it".to_owned(),
        (None, BuildStatus::Cancelled) => "was cancelled".to_owned(),
        (None, BuildStatus::Killed) => "ended without a word: its process was killed".to_owned(),
        (None, _) => return Ok(()),
    };
    output.note(format_args!("build {} {end}", record.id));
    Ok(())
}

/// What one step has written: as it is for programs, without what would steer it on a terminal.
fn one_step(build: &Build, step: StepId, follow: bool, output: &Output) -> Result<(), CommandError> {
    let mut cutter = LineCutter::default();
    let mut write = |text: &[u8]| match output.stdout.terminal {
        false => output.data(text),
        true => {
            let mut lines = String::new();
            cutter.push(text, |line| lines += &(log_line(line, output.stdout.color) + "\n"));
            output.data(lines.as_bytes())
        }
    };
    if follow && build.is_running() {
        each(build, true, |_, event| match event {
            Event::Output { step: of, text } if of == step => write(&text).map(|()| true),
            Event::Finished { step: of, .. }
            | Event::Failed { step: of, .. }
            | Event::Cached { step: of, .. }
            | Event::Cancelled { step: of } => Ok(of != step),
            _ => Ok(true),
        })?;
    } else {
        let path = build.log(step);
        let failed = |error: &io::Error| {
            CommandError::failed(format_args!("cannot read `{}`", path.display())).because(error)
        };
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                output.note(without_log(build, step)?);
                return Ok(());
            }
            Err(error) => return Err(failed(&error)),
        };
        let mut block = vec![0; 64 << 10];
        loop {
            match file.read(&mut block) {
                Ok(0) => break,
                Ok(count) => write(&block[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(&error)),
            }
        }
    }
    let mut rest = String::new();
    cutter.finish(|line| rest = log_line(line, output.stdout.color) + "\n");
    output.data(rest.as_bytes())
}

/// Why a step has no log.
fn without_log(build: &Build, step: StepId) -> Result<String, CommandError> {
    let number = step.0 + 1;
    let mut text = format!("step {number} was not reached");
    let mut replay = build.replay()?;
    while let Some((_, event)) = replay.next_event()? {
        match event {
            Event::Started { step: of } if of == step => text = format!("step {number} ran no command"),
            Event::Cached { step: of, made_by: Some(by), .. } if of == step && !by.build.is_empty() => {
                text =
                    format!("step {number} was cached; build {} made it: `tug log {} …`", by.build, by.build);
            }
            _ => {}
        }
    }
    Ok(text)
}

/// Gives each event to `take`, until the build is over or `take` says that it is enough.
fn each(
    build: &Build,
    follow: bool,
    mut take: impl FnMut(Duration, Event) -> Result<bool, CommandError>,
) -> Result<(), CommandError> {
    let mut replay = build.replay()?;
    let mut drain = |replay: &mut Replay| -> Result<bool, CommandError> {
        while let Some((at, event)) = replay.next_event()? {
            if !take(at, event)? {
                return Ok(false);
            }
        }
        Ok(true)
    };
    loop {
        // Asked before reading: what comes after the end of the build is then surely seen.
        let is_running = build.is_running();
        if !drain(&mut replay)? {
            return Ok(());
        }
        replay.catch_up();
        if !drain(&mut replay)? || !follow || !is_running {
            return Ok(());
        }
        let _ = io::stdout().flush();
        thread::sleep(LOOK);
    }
}
