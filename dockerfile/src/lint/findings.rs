//! Collects what the rules find, as far as they are switched on.

use super::{Lint, Rule};
use crate::{Check, Rules, Span};

/// What was found so far, and where the rules are looking.
pub(super) struct Findings<'a> {
    file: Option<&'a Check>,
    instruction: Option<&'a Check>,
    place: Span,
    found: Vec<Lint>,
}

impl<'a> Findings<'a> {
    /// `file` is the `# check=` of the whole file.
    pub(super) fn new(file: Option<&'a Check>) -> Self {
        Self { file, instruction: None, place: Span::default(), found: Vec::new() }
    }

    /// The next findings are about the instruction at `place` with this `# check=` above it.
    pub(super) fn at(&mut self, check: Option<&'a Check>, place: Span) {
        (self.instruction, self.place) = (check, place);
    }

    /// Something against `rule` in the instruction that is looked at.
    pub(super) fn report(&mut self, rule: Rule, span: Span, message: String) {
        self.report_in(rule, span, self.place, message);
    }

    /// The same in another instruction. What is switched off is said by the one that is looked at.
    pub(super) fn report_in(&mut self, rule: Rule, span: Span, instruction: Span, message: String) {
        let checks = || [self.file, self.instruction].into_iter().flatten();
        let is_named = |rules: fn(&Check) -> &Rules| checks().any(|check| rules(check).contains(rule.name()));
        let is_on = match rule.is_experimental() {
            true => is_named(|check| &check.experimental),
            false => !is_named(|check| &check.skip),
        };
        if is_on {
            let is_error = checks().any(|check| check.error);
            self.found.push(Lint { rule, span, instruction, message, is_error });
        }
    }

    /// All of it, in the order of the text.
    pub(super) fn finish(mut self) -> Vec<Lint> {
        self.found.sort_by_key(|lint| (lint.span, lint.rule));
        self.found
    }
}
