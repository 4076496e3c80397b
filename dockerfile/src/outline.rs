//! What a Dockerfile offers to those who build it: its targets, and what each of them takes.

use std::collections::{BTreeMap, BTreeSet};

use crate::arguments::{Globals, declarations};
use crate::lint::earlier_stage;
use crate::path::clean_absolute;
use crate::scope::Scope;
use crate::{
    Arguments, BindMount, CacheMount, Comment, Dockerfile, Instruction, InstructionKind, Mount, Span, Stage,
    expand,
};

/// A stage that can be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name; empty if it has none.
    pub name: String,
    /// What the comment above says of it.
    pub description: String,
    /// It is what a build without `--target` gives.
    pub is_default: bool,
    /// What it starts from, as it is written.
    pub base: String,
    /// `--platform` of its `FROM`, as it is written; empty without.
    pub platform: String,
    /// Its `FROM`.
    pub span: Span,
}

/// What one target takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The name of the target; empty if it has none.
    pub name: String,
    /// What the comment above it says.
    pub description: String,
    /// Build arguments that it looks at, in the order of the text.
    pub arguments: Vec<OutlineArgument>,
    /// Secrets that its commands ask for.
    pub secrets: Vec<OutlineRequest>,
    /// Agents and keys that its commands ask for.
    pub ssh: Vec<OutlineRequest>,
    /// Directories that its commands keep between builds.
    pub caches: Vec<OutlineRequest>,
}

/// A build argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlineArgument {
    /// Its name.
    pub name: String,
    /// What the comment above says of it.
    pub description: String,
    /// What it has now: what is given, else its default; empty without either.
    pub value: String,
    /// The `ARG`.
    pub span: Span,
}

/// A secret, an agent or a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlineRequest {
    /// How it is called.
    pub id: String,
    /// The command fails without it.
    pub required: bool,
    /// The instruction.
    pub span: Span,
}

/// Every stage, in the order of the text.
pub fn targets(dockerfile: &Dockerfile) -> Vec<Target> {
    let last = dockerfile.stages.len().saturating_sub(1);
    let target = |stage: &Stage| Target {
        name: name_of(stage).to_owned(),
        description: description(&stage.comments, name_of(stage)),
        is_default: stage.index == last,
        base: stage.from.image.raw.clone(),
        platform: stage.from.platform.as_ref().map(|word| word.raw.clone()).unwrap_or_default(),
        span: stage.span,
    };
    dockerfile.stages.iter().map(target).collect()
}

/// What the stage with the number `target` takes, with all that it is built from. No image is asked: what triggers of
/// base images take is not in it.
pub fn outline(dockerfile: &Dockerfile, target: usize, arguments: &Arguments) -> Outline {
    let globals = Globals::new(dockerfile, arguments);
    let mut collector =
        Collector { dockerfile, arguments, globals, ends: BTreeMap::new(), found: Outline::default() };
    let Some(stage) = dockerfile.stages.get(target) else { return collector.found };
    collector.found.name = name_of(stage).to_owned();
    collector.found.description = description(&stage.comments, name_of(stage));
    collector.stage(stage);
    let mut found = collector.found;
    found.arguments.sort_by_key(|argument| argument.span);
    for requests in [&mut found.secrets, &mut found.ssh, &mut found.caches] {
        requests.sort_by_key(|request| request.span);
    }
    found
}

struct Collector<'d> {
    dockerfile: &'d Dockerfile,
    arguments: &'d Arguments,
    globals: Globals,
    /// Stages that were looked at, and what is known at their end.
    ends: BTreeMap<usize, (Scope, String)>,
    found: Outline,
}

impl<'d> Collector<'d> {
    /// Looks at a stage and at those it is built from; gives its variables and working directory.
    fn stage(&mut self, stage: &'d Stage) -> (Scope, String) {
        if let Some(known) = self.ends.get(&stage.index) {
            return known.clone();
        }
        let escape = self.dockerfile.directives.escape;
        let mut image = stage.from.image.raw.clone();
        for word in std::iter::once(&stage.from.image).chain(&stage.from.platform) {
            let Some(expanded) = self.globals.values.expand(word, escape) else { continue };
            expanded.used.iter().for_each(|name| self.global(name));
            if word.span == stage.from.image.span {
                image = expanded.text;
            }
        }
        let (mut scope, mut directory) = match earlier_stage(self.dockerfile, stage.index, &image) {
            Some(parent) => self.stage(parent),
            None => (Scope::of_scratch(), "/".to_owned()),
        };
        for instruction in &stage.instructions {
            self.instruction(stage, instruction, &scope, &directory);
            if let InstructionKind::Workdir(word) = &instruction.kind {
                let path =
                    scope.values.expand(word, escape).map(|expanded| expanded.text).unwrap_or_default();
                directory = if path.starts_with('/') { path } else { format!("{directory}/{path}") };
            }
            scope.apply(instruction, escape, &self.globals, self.arguments);
            self.declared(instruction, &scope);
        }
        self.ends.insert(stage.index, (scope.clone(), directory.clone()));
        (scope, directory)
    }

    /// The `ARG`s of a stage. One without a value of its own is listed where its value comes from.
    fn declared(&mut self, instruction: &Instruction, scope: &Scope) {
        for declaration in declarations(instruction) {
            let name = &declaration.name.raw;
            let is_own = declaration.default.is_some() || self.arguments.build_args.contains_key(name);
            if !is_own && self.globals.knows(name) {
                self.global(name);
                continue;
            }
            let value = scope.values.get(name).unwrap_or_default().to_owned();
            self.argument(name, value, instruction);
        }
    }

    /// A global `ARG` that is looked at, and those that its default hangs on.
    fn global(&mut self, name: &str) {
        let dockerfile = self.dockerfile;
        let is_it = |instruction: &&Instruction| {
            declarations(instruction).iter().any(|declaration| declaration.name.raw == name)
        };
        let Some(instruction) = dockerfile.global_args.iter().rev().find(is_it) else { return };
        let value = self.globals.values.get(name).unwrap_or_default().to_owned();
        if !self.argument(name, value, instruction) || self.arguments.build_args.contains_key(name) {
            return;
        }
        for declaration in declarations(instruction).iter().filter(|declaration| declaration.name.raw == name)
        {
            let default = declaration.default.as_ref();
            let expanded =
                default.and_then(|word| self.globals.values.expand(word, dockerfile.directives.escape));
            expanded.unwrap_or_default().used.iter().for_each(|name| self.global(name));
        }
    }

    /// Adds an argument; `false` if it was there.
    fn argument(&mut self, name: &str, value: String, instruction: &Instruction) -> bool {
        if self.found.arguments.iter().any(|known| known.name == name) {
            return false;
        }
        let description = description(&instruction.comments, name);
        let argument = OutlineArgument { name: name.to_owned(), description, value, span: instruction.span };
        self.found.arguments.push(argument);
        true
    }

    fn instruction(
        &mut self,
        stage: &'d Stage,
        instruction: &'d Instruction,
        scope: &Scope,
        directory: &str,
    ) {
        let escape = self.dockerfile.directives.escape;
        match &instruction.kind {
            InstructionKind::Copy(copy) => {
                let from = copy.from.as_ref().map(|word| word.raw.as_str());
                from.into_iter().for_each(|name| self.source(stage, name, true));
            }
            InstructionKind::Run(run) => {
                let lookup = |name: &str| scope.values.get(name).map(str::to_owned);
                let expand = |value: &str| expand(value, escape, &lookup).map(|expanded| expanded.text);
                // One that cannot be resolved hangs on a variable of the base image.
                for mount in run.mounts.iter().filter_map(|mount| mount.resolve(&expand).ok()) {
                    self.mount(stage, instruction, mount, directory);
                }
            }
            _ => {}
        }
    }

    fn mount(&mut self, stage: &'d Stage, instruction: &Instruction, mount: Mount, directory: &str) {
        let request = |id: String, required| OutlineRequest { id, required, span: instruction.span };
        match mount {
            Mount::Secret(secret) => add(&mut self.found.secrets, request(secret.id, secret.required)),
            Mount::Ssh(ssh) => add(&mut self.found.ssh, request(ssh.id, ssh.required)),
            Mount::Cache(CacheMount { id, target, from, .. }) => {
                let target = target.as_deref().unwrap_or_default();
                let path =
                    if target.starts_with('/') { target.to_owned() } else { format!("{directory}/{target}") };
                add(&mut self.found.caches, request(id.unwrap_or_else(|| clean_absolute(&path)), false));
                from.iter().for_each(|name| self.source(stage, name, false));
            }
            Mount::Bind(BindMount { from, .. }) => {
                from.iter().for_each(|name| self.source(stage, name, false));
            }
            Mount::Tmpfs(_) => {}
        }
    }

    /// A stage that files come from, if the name is that of an earlier one.
    fn source(&mut self, stage: &'d Stage, name: &str, may_be_number: bool) {
        let by_number = name.parse::<usize>().ok().filter(|_| may_be_number);
        let by_number = by_number.and_then(|index| self.dockerfile.stages[..stage.index].get(index));
        if let Some(found) = earlier_stage(self.dockerfile, stage.index, name).or(by_number) {
            self.stage(found);
        }
    }
}

/// Adds a request. One that is there becomes required if this one is.
fn add(list: &mut Vec<OutlineRequest>, request: OutlineRequest) {
    match list.iter_mut().find(|known| known.id == request.id) {
        Some(known) => known.required |= request.required,
        None => list.push(request),
    }
}

/// What follows the name in the first comment line above that starts with it.
fn description(comments: &[Comment], name: &str) -> String {
    let of_it = |comment: &Comment| {
        let rest = comment.text.strip_prefix(name)?.strip_prefix(' ')?;
        Some(rest.trim().to_owned())
    };
    if name.is_empty() { String::new() } else { comments.iter().find_map(of_it).unwrap_or_default() }
}

fn name_of(stage: &Stage) -> &str {
    stage.from.name.as_ref().map_or("", |name| name.as_str())
}

/// The numbers of the stages that the stage with the number `target` is built from, itself included, as far as the file
/// shows it.
pub fn needed_stages(dockerfile: &Dockerfile, target: usize, arguments: &Arguments) -> BTreeSet<usize> {
    let globals = Globals::new(dockerfile, arguments);
    let mut collector =
        Collector { dockerfile, arguments, globals, ends: BTreeMap::new(), found: Outline::default() };
    if let Some(stage) = dockerfile.stages.get(target) {
        collector.stage(stage);
    }
    collector.ends.into_keys().collect()
}
