//! Which values variables have: what the build gives, what stands before the first `FROM`, what a stage sets.
//!
//! This is for those who look at a Dockerfile without building it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Dockerfile, Escape, Expanded, Instruction, InstructionKind, Word, expand};

/// The values that a build gives to variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// `--build-arg`, by name.
    pub build_args: BTreeMap<String, String>,
    /// What every build has, such as `TARGETARCH`, as it is without a `--build-arg`. A stage must ask for it with `ARG`.
    pub predefined: Vec<(String, String)>,
}

impl Default for Arguments {
    /// No build arguments, on and for `linux/amd64`.
    fn default() -> Self {
        let of = |kind: &str| {
            [
                ("PLATFORM", "linux/amd64"),
                ("OS", "linux"),
                ("OSVERSION", ""),
                ("ARCH", "amd64"),
                ("VARIANT", ""),
            ]
            .map(|(name, value)| (format!("{kind}{name}"), value.to_owned()))
        };
        let stage = [("TARGETSTAGE".to_owned(), "default".to_owned())];
        let predefined = of("BUILD").into_iter().chain(of("TARGET")).chain(stage).collect();
        Self { build_args: BTreeMap::new(), predefined }
    }
}

/// Variables by name, in the order in which they were set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Values(Vec<(String, String)>);

impl Values {
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.0.push((name.to_owned(), value.to_owned())),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Replaces variables in a value; `None` where that fails, which was told when the file was read.
    pub(crate) fn expand(&self, word: &Word, escape: Escape) -> Option<Expanded> {
        expand(&word.raw, escape, &|name| self.get(name).map(str::to_owned)).ok()
    }
}

/// The variables that `FROM` sees.
#[derive(Clone, Debug, Default)]
pub(crate) struct Globals {
    pub(crate) values: Values,
    /// Names of `ARG`s, with a value or without.
    pub(crate) declared: BTreeSet<String>,
}

impl Globals {
    /// Evaluates the `ARG`s before the first `FROM`.
    pub(crate) fn new(dockerfile: &Dockerfile, arguments: &Arguments) -> Self {
        Self::evaluate(dockerfile, arguments, &arguments.build_args)
    }

    /// The same as if no declared argument were given; what is predefined may still be.
    pub(crate) fn with_defaults(dockerfile: &Dockerfile, arguments: &Arguments) -> Self {
        Self::evaluate(dockerfile, arguments, &BTreeMap::new())
    }

    fn evaluate(dockerfile: &Dockerfile, arguments: &Arguments, given: &BTreeMap<String, String>) -> Self {
        let mut globals = Self::default();
        for (name, value) in &arguments.predefined {
            globals.values.set(name, arguments.build_args.get(name).unwrap_or(value));
        }
        for declaration in dockerfile.global_args.iter().flat_map(declarations) {
            let name = &declaration.name.raw;
            let value = given.get(name).cloned().or_else(|| {
                let default = declaration.default.as_ref()?;
                Some(globals.values.expand(default, dockerfile.directives.escape)?.text)
            });
            if let Some(value) = value {
                globals.values.set(name, &value);
            }
            globals.declared.insert(name.clone());
        }
        globals
    }

    /// Is there an `ARG` of this name, or is it predefined?
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.declared.contains(name) || self.values.get(name).is_some()
    }
}

/// The value of an `ARG` of a stage: what is given, else its default, else what stands before the first `FROM`.
pub(crate) fn stage_argument(
    name: &str,
    default: Option<String>,
    globals: &Globals,
    arguments: &Arguments,
) -> Option<String> {
    let given = arguments.build_args.get(name).cloned();
    given.or(default).or_else(|| globals.values.get(name).map(str::to_owned))
}

/// The declarations of an `ARG`; none of any other instruction.
pub(crate) fn declarations(instruction: &Instruction) -> &[crate::ArgDeclaration] {
    match &instruction.kind {
        InstructionKind::Arg(declarations) => declarations,
        _ => &[],
    }
}
