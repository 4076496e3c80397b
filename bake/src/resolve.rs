//! From a definition to what shall be built: groups are taken apart, targets take over what they inherit, values that
//! were set from outside are put in, and linked targets come along.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::definition::Definition;
use crate::entry::Output;
use crate::error::{Problem, Result};
use crate::overrides::Overrides;
use crate::path;
use crate::pattern;
use crate::suggest;
use crate::target::{Group, Target, once};

/// How long a chain of targets may be that inherit from each other, or need each other.
const DEEPEST: usize = 100;

/// What shall be built.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The groups that were asked for, and those within them. `default` is always among them.
    pub groups: BTreeMap<String, Group>,
    /// The targets, and those that they are linked to.
    pub targets: BTreeMap<String, Target>,
}

impl Definition {
    /// What the names stand for: targets, groups, or patterns such as `app-*`. No name means `default`.
    ///
    /// `sets` are overrides as `--set` takes them; `variable` looks up the environment for `--set app.args.NAME`.
    ///
    /// # Errors
    ///
    /// A name that does not exist, a circle, a value that cannot be.
    pub fn plan(
        &self,
        names: &[String],
        sets: &[String],
        variable: impl Fn(&str) -> Option<String>,
    ) -> std::result::Result<Plan, Problem> {
        self.make_plan(names, sets, &variable).map_err(|problem| *problem)
    }

    fn make_plan(
        &self,
        names: &[String],
        sets: &[String],
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Plan> {
        let default = ["default".to_owned()];
        let mut asked = Vec::new();
        for name in if names.is_empty() { &default } else { names } {
            // Names of compose services may hold dots; those of targets do not.
            asked.extend(self.matching(&name.replace('.', "_"))?);
        }
        once(&mut asked);
        let overrides = Overrides::read(self, sets, variable)?;
        let mut plan = Plan::default();
        for name in &asked {
            let (targets, groups) = self.members(name);
            for target in targets {
                if let Entry::Vacant(free) = plan.targets.entry(target) {
                    let resolved = self.resolved(free.key(), &overrides)?;
                    free.insert(resolved);
                }
            }
            for group in groups {
                if let Some(known) = self.group(&group) {
                    plan.groups.entry(group).or_insert_with(|| known.clone());
                }
            }
        }
        for name in asked {
            let default = plan.groups.entry("default".to_owned()).or_default();
            if name != "default" || self.group("default").is_none() {
                default.targets.push(name);
            }
        }
        if let Some(default) = plan.groups.get_mut("default") {
            once(&mut default.targets);
            default.targets.sort();
        }
        let mut done = BTreeSet::new();
        for name in plan.targets.keys().cloned().collect::<Vec<_>>() {
            self.link(&name, &mut plan, &overrides, &mut Vec::new(), &mut done)?;
        }
        for target in plan.targets.values_mut() {
            self.finish(target);
        }
        Ok(plan)
    }

    /// The targets and groups that a name or pattern means.
    fn matching(&self, name: &str) -> Result<Vec<String>> {
        let all = self.groups.iter().map(|(name, _)| name).chain(self.targets.iter().map(|(name, _)| name));
        if !name.contains(['*', '?', '[', ']']) {
            if all.clone().any(|known| known == name) {
                return Ok(vec![name.to_owned()]);
            }
            return Err(self.unknown(name));
        }
        let found: Vec<String> = all.filter(|known| pattern::matches(name, known)).cloned().collect();
        if found.is_empty() {
            return Err(Problem::elsewhere(format!("no target and no group matches `{name}`")));
        }
        Ok(found)
    }

    fn unknown(&self, name: &str) -> Box<Problem> {
        let problem = Problem::elsewhere(format!("there is no target and no group `{name}`"));
        let known: BTreeSet<&str> = self
            .groups
            .iter()
            .map(|(name, _)| name)
            .chain(self.targets.iter().map(|(name, _)| name))
            .map(String::as_str)
            .collect();
        if let Some(meant) = suggest::closest(name, known.iter().copied()) {
            return problem.meant(Some(meant));
        }
        let shown: Vec<&str> = known.iter().copied().filter(|name| !name.starts_with('_')).take(8).collect();
        match (shown.is_empty(), name) {
            (true, _) => problem,
            (false, "default") => problem.help(format!("name what to build: {}", shown.join(", "))),
            (false, _) => problem.help(format!("there are: {}", shown.join(", "))),
        }
    }

    /// The targets that a name stands for, and the groups on the way.
    fn members(&self, name: &str) -> (Vec<String>, Vec<String>) {
        let (mut targets, mut groups) = (Vec::new(), Vec::new());
        self.collect(name, &mut targets, &mut groups, 0);
        once(&mut targets);
        (targets, groups)
    }

    fn collect(&self, name: &str, targets: &mut Vec<String>, groups: &mut Vec<String>, depth: usize) {
        // A group that is inside of itself adds nothing, but it may have a target of its own name in it.
        let inside = groups.iter().any(|known| known == name);
        if inside && self.target(name).is_none() {
            return;
        }
        match self.group(name).filter(|_| !inside && depth < DEEPEST) {
            None => targets.push(name.to_owned()),
            Some(group) => {
                groups.push(name.to_owned());
                for member in &group.targets {
                    self.collect(member, targets, groups, depth + 1);
                }
            }
        }
    }

    /// A target with everything it inherits.
    fn resolved(&self, name: &str, overrides: &Overrides) -> Result<Target> {
        let mut target = self.inherit(name, overrides, &mut BTreeMap::new(), &mut Vec::new())?;
        target.inherits = Vec::new();
        target.context.get_or_insert_with(|| ".".to_owned());
        if target.dockerfile.as_deref().unwrap_or_default().is_empty() {
            target.dockerfile = Some("Dockerfile".to_owned());
        }
        Ok(target)
    }

    fn inherit(
        &self,
        name: &str,
        overrides: &Overrides,
        done: &mut BTreeMap<String, Target>,
        path: &mut Vec<String>,
    ) -> Result<Target> {
        if let Some(target) = done.get(name) {
            return Ok(target.clone());
        }
        let own = self.target(name).ok_or_else(|| self.unknown_in(name, path.last(), "inherits"))?;
        if let Some(at) = path.iter().position(|known| known == name) {
            let circle: Vec<&str> = path[at..].iter().map(String::as_str).chain([name]).collect();
            let message = format!("the target `{name}` inherits from itself");
            return Err(self.problem(name, "inherits", message).label(circle.join(" → ")));
        }
        path.push(name.to_owned());
        if path.len() > DEEPEST {
            let message = format!("targets inherit from each other more than {DEEPEST} times");
            return Err(self.problem(name, "inherits", message));
        }
        let mut target = Target::default();
        for parent in &own.inherits {
            target.merge(self.inherit(parent, overrides, done, path)?);
        }
        path.pop();
        target.merge(own.clone());
        overrides.apply(name, &mut target)?;
        target.normalize();
        done.insert(name.to_owned(), target.clone());
        Ok(target)
    }

    /// A target that another one names, and that is not there.
    fn unknown_in(&self, name: &str, by: Option<&String>, attribute: &str) -> Box<Problem> {
        let message = format!("there is no target `{name}`");
        let group = self.groups.iter().find(|(_, group)| group.targets.iter().any(|member| member == name));
        let problem = match (by, group) {
            (Some(by), _) => self.problem(by, attribute, message),
            (None, Some((group, _))) => self.problem(group, "targets", message),
            (None, None) => Problem::elsewhere(message),
        };
        if self.group(name).is_some() {
            return problem.help(format!("`{name}` is a group; a target is needed here"));
        }
        problem.meant(suggest::closest(name, self.targets.iter().map(|(name, _)| name.as_str())))
    }

    /// Adds the targets that `name` is linked to through `contexts`.
    fn link(
        &self,
        name: &str,
        plan: &mut Plan,
        overrides: &Overrides,
        path: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Result<()> {
        if done.contains(name) {
            return Ok(());
        }
        path.push(name.to_owned());
        if path.len() > DEEPEST {
            let message = format!("targets need each other more than {DEEPEST} times in a row");
            return Err(self.problem(name, "contexts", message));
        }
        let contexts: Vec<String> = plan.targets[name].contexts.values().cloned().collect();
        for linked in contexts.iter().filter_map(|context| context.strip_prefix("target:")) {
            if let Some(at) = path.iter().position(|known| known == linked) {
                let circle: Vec<&str> = path[at..].iter().map(String::as_str).chain([linked]).collect();
                let message = format!("the target `{linked}` needs itself");
                return Err(self.problem(name, "contexts", message).label(circle.join(" → ")));
            }
            if !plan.targets.contains_key(linked) {
                if self.target(linked).is_none() {
                    return Err(self.unknown_in(linked, Some(&name.to_owned()), "contexts"));
                }
                let mut target = self.resolved(linked, overrides)?;
                target.outputs = Some(vec![Output::of("cacheonly")]);
                target.linked = true;
                plan.targets.insert(linked.to_owned(), target);
            }
            self.link(linked, plan, overrides, path, done)?;
            self.check_platforms(name, linked, plan)?;
            let more = plan.targets[linked].entitlements.clone().unwrap_or_default();
            if let Some(target) = plan.targets.get_mut(name).filter(|_| !more.is_empty()) {
                target.entitlements.get_or_insert_default().extend(more);
                target.normalize();
            }
        }
        path.pop();
        done.insert(name.to_owned());
        Ok(())
    }

    fn check_platforms(&self, name: &str, linked: &str, plan: &Plan) -> Result<()> {
        let platforms = |name: &str| plan.targets[name].platforms.clone().unwrap_or_default();
        let (wanted, there) = (platforms(name), platforms(linked));
        let missing = wanted.iter().find(|platform| !there.contains(platform));
        match missing {
            Some(missing) if wanted.len() > 1 && there.len() > 1 => {
                let message =
                    format!("`{name}` is built for `{missing}`, but `{linked}`, which it needs, is not");
                Err(self
                    .problem(name, "platforms", message)
                    .label(format!("`{linked}` has {}", there.join(", "))))
            }
            _ => Ok(()),
        }
    }

    /// What is the same for all targets at the end.
    fn finish(&self, target: &mut Target) {
        if let Some(context) = &mut target.context {
            match context.strip_prefix("cwd://") {
                Some(rest) => *context = path::clean(rest),
                None if !path::is_remote(context) => *context = path::clean(context),
                None => {}
            }
        }
        if let Some(epoch) = &self.epoch {
            target.args.entry("SOURCE_DATE_EPOCH".to_owned()).or_insert_with(|| epoch.clone());
        }
    }
}
