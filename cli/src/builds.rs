//! Finding past builds and their steps by the words that the user typed.
//!
//! | word for a build        | the build                                                       |
//! | ----------------------- | --------------------------------------------------------------- |
//! | absent                  | the newest one                                                  |
//! | `20240506-070809-1a2b3c` | the one of that name; its beginning is enough, or that of its last part |
//! | `app`, `app:1.2`        | the newest one that was to give an image this name              |
//!
//! | word for a step  | the step                                    |
//! | ---------------- | ------------------------------------------- |
//! | `7`, `#7`        | the one that messages call step 7           |
//! | `build/3`        | the third one of the stage `build`          |

use tug_builder::{Build, Event, StepId, StepSummary};
use tug_layer_store::Store;
use tug_oci::Reference;

use crate::error::CommandError;
use crate::human;
use crate::suggest;

/// How many of the builds that a word may mean are named.
const NAMED: usize = 5;

/// The build that `word` means; the newest one without a word.
pub(crate) fn find(store: &Store, word: Option<&str>) -> Result<Build, CommandError> {
    let ids = store.build_ids()?;
    let Some(word) = word else { return newest(store, &ids) };
    let last_part = |id: &str| id.rsplit('-').next().unwrap_or_default().to_owned();
    let meant: Vec<&String> = match ids.iter().find(|id| *id == word) {
        Some(exact) => vec![exact],
        None => ids.iter().filter(|id| id.starts_with(word) || last_part(id).starts_with(word)).collect(),
    };
    match meant.as_slice() {
        [] => by_name(store, word, &ids),
        [only] => Build::open(store, only)?.ok_or_else(|| unreadable(only)),
        several => {
            let newest = several.iter().rev().take(NAMED).map(|id| format!("`{id}`"));
            let newest = newest.collect::<Vec<_>>().join(", ");
            let count = human::counted(several.len(), "build");
            Err(CommandError::failed(format_args!("`{word}` may be {count}"))
                .hint(format!("the newest of them: {newest}")))
        }
    }
}

/// The steps of a build in the order of its plan; none when it was never planned.
pub(crate) fn steps(build: &Build) -> Result<Vec<StepSummary>, CommandError> {
    let mut replay = build.replay()?;
    while let Some((_, event)) = replay.next_event()? {
        if let Event::Planned { steps, .. } = event {
            return Ok(steps);
        }
    }
    Ok(Vec::new())
}

/// Whether a word can only mean a step: a small number, or a number in a stage.
pub(crate) fn is_step(word: &str) -> bool {
    let number = word.trim_start_matches('#').rsplit('/').next().unwrap_or_default();
    (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The step of a build that `word` means.
pub(crate) fn step(build: &Build, steps: &[StepSummary], word: &str) -> Result<StepId, CommandError> {
    if steps.is_empty() {
        let why = build.record.error.as_ref().map_or("it did not get that far", |error| &error.message);
        return Err(CommandError::failed(format_args!("build `{}` has no steps", build.record.id))
            .hint(human::one_line(why)));
    }
    let bare = word.strip_prefix('#').unwrap_or(word);
    if let Ok(number) = bare.parse::<usize>() {
        return match number.checked_sub(1).filter(|index| *index < steps.len()) {
            Some(index) => Ok(StepId(index)),
            None => Err(no_step(build, word).hint(format!("its steps are 1 to {}", steps.len()))),
        };
    }
    let found: Vec<&StepSummary> =
        steps.iter().filter(|step| names_of(step).contains(&bare.to_owned())).collect();
    match found.as_slice() {
        [only] => Ok(only.id),
        [] => {
            let names: Vec<String> = steps.iter().flat_map(names_of).collect();
            Err(match suggest::closest(bare, &names) {
                Some(similar) => no_step(build, word).hint(format!("did you mean `{similar}`?")),
                None => no_step(build, word)
                    .hint("name a step by its number, such as `7`, or within its stage, such as `build/3`"),
            })
        }
        several => {
            let numbers = several.iter().map(|step| format!("`{}`", step.id.0 + 1)).collect::<Vec<_>>();
            Err(CommandError::failed(format_args!(
                "`{word}` may be {}",
                human::counted(several.len(), "step")
            ))
            .hint(format!("name it by its number: {}", numbers.join(", "))))
        }
    }
}

/// `build/3`, and `linux/arm64/build/3` where a build has several units.
fn names_of(step: &StepSummary) -> Vec<String> {
    let head = step.name.strip_prefix('[').and_then(|name| name.split_once(']')).map_or("", |(head, _)| head);
    let Some((number, _)) = head.rsplit(' ').next().and_then(|place| place.split_once('/')) else {
        return Vec::new();
    };
    if step.stage.is_empty() {
        // The only stage of its file: there the number says it all.
        return Vec::new();
    }
    let short = format!("{}/{number}", step.stage);
    match step.unit.as_str() {
        "" => vec![short],
        unit => vec![format!("{unit}/{short}"), short],
    }
}

fn newest(store: &Store, ids: &[String]) -> Result<Build, CommandError> {
    for id in ids.iter().rev() {
        if let Some(build) = Build::open(store, id)? {
            return Ok(build);
        }
    }
    Err(CommandError::failed("no build is recorded in the store").hint("`tug build` records each build"))
}

/// The newest build that was to give an image the name `word`.
fn by_name(store: &Store, word: &str, ids: &[String]) -> Result<Build, CommandError> {
    let wanted = word.parse::<Reference>().ok().map(|reference| reference.familiar());
    let mut names = Vec::new();
    for build in Build::all(store)? {
        let tags: Vec<String> = build.record.units.iter().flat_map(|unit| unit.tags.clone()).collect();
        if wanted.as_ref().is_some_and(|wanted| tags.contains(wanted)) {
            return Ok(build);
        }
        // The bare names first: of two that are as close the shorter one is said.
        names.extend(tags.iter().filter_map(|tag| Some(tag.rsplit_once(':')?.0.to_owned())));
        names.extend(tags);
    }
    let error = CommandError::failed(format_args!("no build `{word}`"));
    Err(match suggest::closest(word, &names) {
        Some(similar) => error.hint(format!("did you mean `{similar}`?")),
        None if ids.is_empty() => {
            error.hint("no build is recorded in the store: `tug build` makes the first")
        }
        None => error.hint("`tug builds` lists those that are recorded"),
    })
}

fn unreadable(id: &str) -> CommandError {
    CommandError::failed(format_args!("the record of build `{id}` cannot be read"))
        .hint(format!("`tug builds rm {id}` takes it away"))
}

fn no_step(build: &Build, word: &str) -> CommandError {
    CommandError::failed(format_args!("build `{}` has no step `{word}`", build.record.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_for_a_step_is_told_from_one_for_a_build() {
        for word in ["7", "#7", "999", "build/3", "linux/arm64/build/3"] {
            assert!(is_step(word), "{word}");
        }
        for word in ["20240506", "1a2b3c", "app", "app:1", "", "registry/app", "123456"] {
            assert!(!is_step(word), "{word}");
        }
    }

    #[test]
    fn a_step_has_a_name_within_its_stage() {
        let step = |name: &str, unit: &str, stage: &str| StepSummary {
            id: StepId(0),
            name: name.to_owned(),
            unit: unit.to_owned(),
            stage: stage.to_owned(),
            line: 1,
            needs: Vec::new(),
        };
        assert_eq!(names_of(&step("[build 3/5] RUN make", "", "build")), ["build/3"]);
        assert_eq!(names_of(&step("[x 2/5] RUN echo ] 7/8", "", "x")), ["x/2"]);
        assert!(names_of(&step("[2/5] RUN make", "", "")).is_empty());
        assert_eq!(names_of(&step("[app build 3/5] RUN make", "app", "build")), ["app/build/3", "build/3"]);
        assert!(names_of(&step("RUN make", "", "0")).is_empty());
    }
}
