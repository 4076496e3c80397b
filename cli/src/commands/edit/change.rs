//! What `tug edit` changes of a config, and what it takes away.

use tug_builder::{Annotation, AnnotationLevel};
use tug_dockerfile::{ExposedPorts, InstructionKind, StopSignal, parse_instruction};
use tug_layer_store::Draft;
use tug_oci::{Empty, Healthcheck, RunConfig};

use super::EditArguments;
use crate::changes;
use crate::error::CommandError;
use crate::settings::Settings;

/// What is asked for, checked as far as it can be without the image.
pub(super) struct Change<'a> {
    pub(super) arguments: &'a EditArguments,
    /// The time that everything new gets, if there is one.
    pub(super) epoch: Option<String>,
    env: Vec<(String, String)>,
    ports: Vec<String>,
    ports_removed: Vec<String>,
}

impl<'a> Change<'a> {
    pub(super) fn new(arguments: &'a EditArguments, settings: &Settings) -> Result<Self, CommandError> {
        let config = &arguments.config;
        let mut env = Vec::new();
        for assignment in &config.env {
            env.push(assignment.pair(&settings.environment).ok_or_else(|| {
                CommandError::usage(format_args!(
                    "`--env {0}`: there is no variable `{0}` here",
                    assignment.name
                ))
                .hint(format!("give it a value: `--env {}=…`", assignment.name))
            })?);
        }
        if let Some(signal) = &config.stop_signal {
            StopSignal::parse(signal).map_err(|error| {
                let hint = error.hint();
                let refused = CommandError::usage(format_args!("`--stop-signal {signal}`: {error}"));
                match hint {
                    Some(hint) => refused.hint(hint),
                    None => refused,
                }
            })?;
        }
        if let Some(path) = config.volume.iter().chain(&config.workdir).find(|path| path.trim().is_empty()) {
            return Err(CommandError::usage(format_args!("`{path}` is not a path")));
        }
        let epoch = settings.source_date_epoch()?;
        let epoch =
            epoch.and_then(|epoch| jiff::Timestamp::from_second(epoch).ok()).map(|time| time.to_string());
        let change = Self {
            arguments,
            epoch,
            env,
            ports: ports("--expose", &config.expose)?,
            ports_removed: ports("--expose-rm", &config.expose_rm)?,
        };
        let odd = arguments.about.annotations.iter().flat_map(|it| &it.0).find(|annotation| {
            !matches!(annotation.level, AnnotationLevel::Manifest | AnnotationLevel::Index)
        });
        if odd.is_some() {
            return Err(CommandError::usage("annotations of descriptors are of what points to the image")
                .hint("`manifest:` and `index:` are annotations of the image"));
        }
        // What is wrong in an instruction is told before an image is looked for.
        change.configure(&mut RunConfig {
            healthcheck: Some(Healthcheck::default()),
            ..RunConfig::default()
        })?;
        Ok(change)
    }

    /// The annotations for documents of this kind.
    pub(super) fn annotations(&self, level: AnnotationLevel) -> impl Iterator<Item = &Annotation> {
        let all = self.arguments.about.annotations.iter().flat_map(|it| &it.0);
        all.filter(move |annotation| annotation.level == level)
    }

    /// Changes the config.
    pub(super) fn configure(&self, config: &mut RunConfig) -> Result<(), CommandError> {
        let asked = &self.arguments.config;
        for (name, value) in &self.env {
            changes::set_variable(&mut config.env, name, value);
        }
        config.env.retain(|line| !asked.env_rm.iter().any(|name| line.split('=').next() == Some(name)));
        if let Some(entrypoint) = &asked.entrypoint {
            config.entrypoint = entrypoint.value();
            config.cmd = None;
        }
        if let Some(cmd) = &asked.cmd {
            config.cmd = cmd.value();
        }
        if let Some(user) = &asked.user {
            config.user.clone_from(user);
        }
        if let Some(folder) = &asked.workdir {
            config.working_dir = changes::folder(&config.working_dir, folder);
        }
        config.exposed_ports.extend(self.ports.iter().map(|port| (port.clone(), Empty {})));
        config.exposed_ports.retain(|port, _| !self.ports_removed.contains(port));
        config.volumes.extend(asked.volume.iter().map(|path| (path.clone(), Empty {})));
        config.volumes.retain(|path, _| !asked.volume_rm.contains(path));
        if let Some(signal) = &asked.stop_signal {
            config.stop_signal = Some(signal.clone());
        }
        self.check_health(config)?;
        for label in &asked.label {
            config.labels.insert(label.name.clone(), label.value.clone().unwrap_or_default());
        }
        config.labels.retain(|name, _| !asked.label_rm.contains(name));
        let mut has_command = asked.cmd.is_some();
        for change in &asked.changes {
            changes::apply(config, change)?;
            let keyword = change.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
            match keyword.as_str() {
                "CMD" => has_command = true,
                // As in a Dockerfile, it drops a command that was there before.
                "ENTRYPOINT" if !has_command => config.cmd = None,
                _ => {}
            }
        }
        Ok(())
    }

    /// As docker's flags say, in the words of HEALTHCHECK.
    fn check_health(&self, config: &mut RunConfig) -> Result<(), CommandError> {
        let asked = &self.arguments.config;
        if asked.no_healthcheck {
            config.healthcheck =
                Some(Healthcheck { test: vec!["NONE".to_owned()], ..Healthcheck::default() });
            return Ok(());
        }
        let times = [
            ("interval", &asked.health_interval),
            ("timeout", &asked.health_timeout),
            ("start-period", &asked.health_start_period),
            ("start-interval", &asked.health_start_interval),
            ("retries", &asked.health_retries),
        ];
        let flags: Vec<String> =
            times.iter().filter_map(|(name, value)| Some(format!("--{name}={}", value.as_ref()?))).collect();
        if flags.is_empty() && asked.health_cmd.is_none() {
            return Ok(());
        }
        let line = format!("HEALTHCHECK {} CMD true", flags.join(" "));
        let wrong = |problem: &dyn std::fmt::Display| {
            CommandError::usage(format_args!("the health check is wrong: {problem}"))
        };
        let instruction = parse_instruction(&line).map_err(|error| wrong(&error.message()))?;
        let InstructionKind::Healthcheck(written) = &instruction.kind else {
            return Err(wrong(&"it is no check"));
        };
        let mut check = changes::healthcheck(written);
        let before = config.healthcheck.take();
        check.test = match (&asked.health_cmd, &before) {
            (Some(text), _) => vec!["CMD-SHELL".to_owned(), text.clone()],
            (None, Some(before)) if before.test.first().is_none_or(|word| word != "NONE") => {
                before.test.clone()
            }
            (None, _) => {
                return Err(CommandError::failed(
                    "the image has no health check whose times could be changed",
                )
                .hint("give the command too: `--health-cmd`"));
            }
        };
        if let Some(before) = before {
            let keep = |new: &mut i64, old: i64, flag: &Option<String>| {
                if flag.is_none() {
                    *new = old;
                }
            };
            keep(&mut check.interval, before.interval, &asked.health_interval);
            keep(&mut check.timeout, before.timeout, &asked.health_timeout);
            keep(&mut check.start_period, before.start_period, &asked.health_start_period);
            keep(&mut check.start_interval, before.start_interval, &asked.health_start_interval);
            keep(&mut check.retries, before.retries, &asked.health_retries);
        }
        config.healthcheck = Some(check);
        Ok(())
    }

    /// What is to be taken away.
    pub(super) fn removals(&self) -> Vec<Removal> {
        let config = &self.arguments.config;
        let of = |kind: fn(String) -> Removal, names: &[String]| {
            names.iter().cloned().map(kind).collect::<Vec<_>>()
        };
        let annotations: Vec<String> = self
            .arguments
            .about
            .annotation_rm
            .iter()
            .filter(|key| !key.starts_with(super::INDEX))
            .cloned()
            .collect();
        [
            of(Removal::Variable, &config.env_rm),
            of(Removal::Label, &config.label_rm),
            of(Removal::Port, &self.ports_removed),
            of(Removal::Volume, &config.volume_rm),
            of(Removal::Annotation, &annotations),
        ]
        .concat()
    }
}

/// Something that is to be taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Removal {
    Variable(String),
    Label(String),
    Port(String),
    Volume(String),
    Annotation(String),
}

impl Removal {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Variable(name) | Self::Label(name) | Self::Port(name) => name,
            Self::Volume(name) | Self::Annotation(name) => name,
        }
    }

    /// What it is, for messages.
    pub(super) fn what(&self) -> String {
        let kind = match self {
            Self::Variable(_) => "variable",
            Self::Label(_) => "label",
            Self::Port(_) => "port",
            Self::Volume(_) => "volume",
            Self::Annotation(_) => "annotation",
        };
        format!("{kind} `{}`", self.name())
    }

    /// Whether the image has it.
    pub(super) fn is_there(&self, draft: &Draft) -> bool {
        self.names_in(draft).iter().any(|name| name == self.name())
    }

    /// What images have of this kind.
    pub(super) fn known(&self, drafts: &[Draft]) -> Vec<String> {
        drafts.iter().flat_map(|draft| self.names_in(draft)).collect()
    }

    fn names_in(&self, draft: &Draft) -> Vec<String> {
        let config = &draft.config.config;
        let variable = |line: &String| line.split('=').next().unwrap_or_default().to_owned();
        match self {
            Self::Variable(_) => config.env.iter().map(variable).collect(),
            Self::Label(_) => config.labels.keys().cloned().collect(),
            Self::Port(_) => config.exposed_ports.keys().cloned().collect(),
            Self::Volume(_) => config.volumes.keys().cloned().collect(),
            Self::Annotation(_) => draft.annotations.keys().cloned().collect(),
        }
    }
}

fn ports(flag: &str, texts: &[String]) -> Result<Vec<String>, CommandError> {
    let mut ports = Vec::new();
    for text in texts {
        let parsed = ExposedPorts::parse(text).map_err(|error| {
            let refused = CommandError::usage(format_args!("`{flag} {text}`: {error}"));
            match error.hint() {
                Some(hint) => refused.hint(hint),
                None => refused,
            }
        })?;
        ports.extend(parsed.entries());
    }
    Ok(ports)
}
