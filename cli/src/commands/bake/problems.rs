//! Problems of a definition as an error with its lines.

use tug_bake::{File, Problem};
use tug_builder::Source;

use crate::diagnostic::Picture;
use crate::error::CommandError;

/// The problems, drawn into the file that the first of them is about.
pub(super) fn error(problems: Vec<Problem>, files: &[File]) -> CommandError {
    let Some(first) = problems.first() else {
        return CommandError::failed("the definition is wrong");
    };
    let Some(number) = first.file else {
        let failure = CommandError::failed(match &first.label {
            Some(label) => format!("{}: {label}", first.message),
            None => first.message.clone(),
        });
        return match &first.help {
            Some(help) => failure.hint(help),
            None => failure,
        };
    };
    let failure = CommandError::failed(&first.message);
    let source = Source { name: files[number].name.clone(), text: files[number].text.clone() };
    let problems = problems
        .into_iter()
        .filter(|problem| problem.file == Some(number))
        .map(|problem| tug_builder::Problem {
            span: problem.span,
            message: problem.message,
            label: problem.label,
            help: problem.help,
        })
        .collect();
    failure.picture(Picture::Problems { source, problems })
}
