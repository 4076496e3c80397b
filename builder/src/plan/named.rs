//! What a name in `FROM`, `--from` or `from=` means: a named context, a stage, or an image.
//!
//! | written as           | looked for in this order                                           |
//! | -------------------- | ------------------------------------------------------------------ |
//! | `FROM x`             | named contexts, earlier stages, `scratch`, images                   |
//! | `--from=x`, `from=x` | named contexts, earlier stages by name, then by number, images      |
//! | `FROM … AS x`        | a named context `x` stands for the whole stage                      |
//!
//! A named context is matched as stages are, without regard to case, and as images are: `alpine` is `alpine:latest`.
//! Source: BuildKit's documentation of `--build-context`.

use std::ops::Range;

use tug_dockerfile::{Stage, closest};
use tug_oci::{Platform, Reference};

use super::needed;
use super::stages::{Evaluated, NewStep, Planner, scope_of, scratch, stage_label, stage_names};
use super::{Action, CopyAction, CopyFrom, CopySource, FilesId, PlannedHistory, State};
use crate::error::{Error, Problem};

/// What a named context is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// Files: the number under which [`super::Surroundings::files`] opens them.
    Files(usize),
    /// An image of this name.
    Image(String),
    /// The result of a unit that was planned before.
    Unit(usize),
}

/// Where files are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A context.
    Files(FilesId),
    /// The layers of a stage or an image.
    Layers(State),
}

impl From<Origin> for CopyFrom {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Files(files) => Self::Files(files),
            Origin::Layers(state) => Self::Layers(state),
        }
    }
}

impl Planner<'_> {
    /// The named context called `name`.
    pub(super) fn named(&self, name: &str) -> Option<Named> {
        let named = self.options.named.iter().rev().find(|(known, _)| is_same(known, name));
        named.map(|(_, named)| named.clone())
    }

    /// What `--from=name` or `from=name` in `stage` means. `None` when that is a problem.
    pub(super) fn origin(
        &mut self,
        name: &str,
        span: Range<usize>,
        stage: &Stage,
    ) -> Result<Option<Origin>, Error> {
        match self.named(name) {
            Some(Named::Files(number)) => {
                return Ok(Some(Origin::Files(self.surroundings.files(number)?)));
            }
            Some(Named::Unit(unit)) => return Ok(Some(Origin::Layers(self.units[unit].result.state))),
            Some(Named::Image(image)) => {
                return Ok(self.foreign_image(&image, span)?.map(Origin::Layers));
            }
            None => {}
        }
        if let Some(index) = needed::named_or_numbered(&self.dockerfile.stages[..stage.index], name) {
            return Ok(self.stage(index)?.map(|evaluated| Origin::Layers(evaluated.result.state)));
        }
        if let Some(problem) = self.not_a_stage_here(name, span.clone(), stage) {
            self.problems.push(problem);
            return Ok(None);
        }
        Ok(self.foreign_image(name, span)?.map(Origin::Layers))
    }

    /// Why `name`, which is no earlier stage, cannot be an image either.
    fn not_a_stage_here(&self, name: &str, span: Range<usize>, stage: &Stage) -> Option<Problem> {
        if let Some(later) = needed::named(&self.dockerfile.stages, name) {
            return Some(match later == stage.index {
                true => Problem::new(span, format!("stage `{name}` cannot copy from itself")),
                false => {
                    Problem::new(span, format!("stage `{name}` needs to be defined before it is copied from"))
                        .help("move its `FROM` above this stage")
                }
            });
        }
        if name.parse::<usize>().is_ok() {
            let problem = Problem::new(span, format!("there is no stage {name} before this one"));
            return Some(problem.help(match stage.index {
                0 => "this is the first stage".to_owned(),
                index => format!("numbers go from 0 to {}", index - 1),
            }));
        }
        let stages = stage_names(self.dockerfile);
        let contexts = self.options.named.iter().map(|(known, _)| known.as_str());
        let known: Vec<&str> = stages.iter().copied().chain(contexts).collect();
        let similar = closest(name, &known)?;
        let kind = if stages.contains(&similar) { "stage" } else { "named context" };
        self.surroundings.image(name, self.options.platform).is_err().then(|| {
            Problem::new(span, format!("no stage named `{name}`"))
                .label("not a stage of this file, nor a named context, nor an image in the store")
                .help(format!("a {kind} with a similar name exists: `{similar}`"))
        })
    }

    /// What a stage is that starts from `named`, or that `named` stands for.
    pub(super) fn base_of(
        &mut self,
        named: &Named,
        name: &str,
        span: Range<usize>,
        stage: &Stage,
        platform: &Platform,
    ) -> Result<Option<Evaluated>, Error> {
        match named {
            Named::Image(image) => self.image_base(image, span, stage, platform),
            Named::Unit(unit) => {
                let result = self.units[*unit].result.clone();
                let is_for = &result.config.platform;
                if !is_for.satisfies(platform) {
                    let message = format!("`{name}` is for `{is_for}`, not for `{platform}`");
                    self.problems.push(Problem::new(span, message));
                    return Ok(None);
                }
                let scope = scope_of(&result.config);
                Ok(Some(Evaluated { result, scope }))
            }
            Named::Files(number) => {
                let files = self.surroundings.files(*number)?;
                Ok(Some(self.files_base(files, name, span, stage, platform)))
            }
        }
    }

    /// A stage that has the files of a context and nothing else.
    fn files_base(
        &mut self,
        files: FilesId,
        name: &str,
        span: Range<usize>,
        stage: &Stage,
        platform: &Platform,
    ) -> Evaluated {
        let action = CopyAction {
            sources: vec![CopySource::Path { path: ".".to_owned(), span: span.clone() }],
            from: CopyFrom::Files(files),
            destination: "/".to_owned(),
            chown: None,
            chown_span: span.clone(),
            chmod: None,
            chmod_text: None,
            exclude: Vec::new(),
            parents: false,
            link: true,
            unpack: false,
        };
        let step = self.push(NewStep {
            name: format!("FROM {name}"),
            stage: stage_label(self.dockerfile, stage),
            span,
            below: State::Scratch,
            action: Action::Copy(action),
            place: "from",
            platform,
        });
        let mut evaluated = scratch(platform.clone());
        evaluated.result.state = State::After(step);
        let created_by = format!("FROM {name}");
        evaluated.result.history.push(PlannedHistory::Own { created_by, step: Some(step) });
        evaluated
    }
}

/// Whether a named context called `known` is meant by `name`.
fn is_same(known: &str, name: &str) -> bool {
    if known.eq_ignore_ascii_case(name) {
        return true;
    }
    match (known.parse::<Reference>(), name.parse::<Reference>()) {
        (Ok(known), Ok(name)) => known == name,
        _ => false,
    }
}
