//! The variables of one stage, as instructions see them one after the other.

use std::collections::BTreeSet;

use crate::arguments::{Globals, Values, declarations, stage_argument};
use crate::{Arguments, Escape, Instruction, InstructionKind, Word, expand_words};

/// The variables of a stage.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    pub(crate) values: Values,
    /// Names of `ARG`s, with a value or without.
    pub(crate) declared: BTreeSet<String>,
    /// The base image, which is not known, may have set more.
    pub(crate) is_open: bool,
}

impl Scope {
    /// The variables of an empty base.
    pub(crate) fn of_scratch() -> Self {
        let mut scope = Self::default();
        scope.values.set("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        scope
    }

    /// The value of a word; `None` if it is wrong, or hangs on a variable that may be set by the base image.
    pub(crate) fn value(&self, word: &Word, escape: Escape) -> Option<String> {
        let expanded = self.values.expand(word, escape)?;
        self.is_certain(&expanded.unset).then_some(expanded.text)
    }

    /// The same for a word that may become several values.
    pub(crate) fn several(&self, word: &Word, escape: Escape) -> Option<Vec<String>> {
        let expanded =
            expand_words(&word.raw, escape, &|name| self.values.get(name).map(str::to_owned)).ok()?;
        self.is_certain(&expanded.unset).then_some(expanded.words)
    }

    fn is_certain(&self, unset: &BTreeSet<String>) -> bool {
        !self.is_open || unset.iter().all(|name| self.declared.contains(name))
    }

    /// What `ARG` and `ENV` do. The values of one `ENV` see the variables before it; those of an `ARG` also what
    /// stands before them in it.
    pub(crate) fn apply(
        &mut self,
        instruction: &Instruction,
        escape: Escape,
        globals: &Globals,
        arguments: &Arguments,
    ) {
        for declaration in declarations(instruction) {
            let name = &declaration.name.raw;
            let default = declaration.default.as_ref();
            let default = default
                .map(|word| self.values.expand(word, escape).map_or_else(String::new, |value| value.text));
            if let Some(value) = stage_argument(name, default, globals, arguments) {
                self.values.set(name, &value);
            }
            self.declared.insert(name.clone());
        }
        if let InstructionKind::Env(pairs) = &instruction.kind {
            let before = self.values.clone();
            let text = |word: &Word| before.expand(word, escape).map_or_else(String::new, |value| value.text);
            for pair in &pairs.entries {
                self.values.set(&text(&pair.key), &text(&pair.value));
            }
        }
    }
}
