//! A build before it runs: its flags understood, the places of its outputs open, its files found.
//!
//! `tug build` has one; `tug bake` has one for each target, and builds the units of all of them together.

use std::collections::BTreeMap;

use tug_builder::{
    BuildOptions, Built, Cancel, ContextSource, DockerfileSource, ImageChanges, NetworkMode, Product,
    Reporter, Secret, SshAgent,
};
use tug_layer_store::{LayerCompression, Store};
use tug_oci::{Descriptor, Platform, Reference};
use tug_transfer::Remote;

use super::arguments::{NetworkChoice, value};
use super::key_agent::KeyAgent;
use super::output::{self, Outputs, Put};
use super::platforms::Platforms;
use super::sandbox::Steps;
use super::{BuildArguments, cache, entrusted, sandbox, sources};
use crate::arguments::values;
use crate::environment::{self, Environment};
use crate::error::CommandError;
use crate::settings::Settings;

/// A build before it runs.
pub(in super::super) struct Prepared {
    /// What was asked for and has no effect.
    pub(in super::super) notes: Vec<String>,
    platforms: Platforms,
    /// The usual case: the image of one platform, in the store.
    is_plain: bool,
    stdout_is_taken: bool,
    /// Until everything is put where it belongs.
    outputs: Option<Outputs>,
    tags: Vec<Reference>,
    build_args: BTreeMap<String, String>,
    source_date_epoch: Option<i64>,
    epoch_of_context: bool,
    steps: Steps,
    secrets: Vec<Secret>,
    ssh_agents: Vec<SshAgent>,
    /// Agents that were started for this build, and end with it.
    key_agents: Vec<KeyAgent>,
}

impl Prepared {
    /// Understands the flags, and opens the places of the outputs.
    pub(in super::super) fn new(
        arguments: &BuildArguments,
        settings: &Settings,
    ) -> Result<Self, CommandError> {
        let environment = &settings.environment;
        let platforms = Platforms::wanted(arguments, environment)?;
        let mut build_args = arguments.what.build_args(environment)?;
        let (source_date_epoch, epoch_of_context) =
            match is_epoch_of_context(arguments, &build_args, environment) {
                true => (None, true),
                false => (source_date_epoch(arguments, &build_args, settings)?, false),
            };
        let mut notes = arguments.habits.judge()?;
        let mut steps = sandbox::steps(&arguments.steps)?;
        notes.append(&mut steps.notes);
        let outputs = Outputs::open(arguments, settings)?;
        let secrets = entrusted::secrets(&arguments.entrust, settings)?;
        if let Some(seconds) = source_date_epoch {
            // As buildx does with the variable, so that `ARG SOURCE_DATE_EPOCH` has it.
            build_args.entry(environment::SOURCE_DATE_EPOCH.to_owned()).or_insert(seconds.to_string());
        }
        Ok(Self {
            notes,
            is_plain: outputs.is_default() && !platforms.is_index,
            stdout_is_taken: outputs.take_stdout(),
            platforms,
            outputs: Some(outputs),
            tags: arguments.what.tags.clone(),
            build_args,
            source_date_epoch,
            epoch_of_context,
            steps,
            secrets,
            ssh_agents: Vec::new(),
            key_agents: Vec::new(),
        })
    }

    /// Finds the files. There is one unit for each platform; all share the files of the first one, which is unit 0.
    pub(in super::super) fn units(
        &self,
        arguments: &BuildArguments,
        settings: &Settings,
    ) -> Result<Vec<BuildOptions>, CommandError> {
        let (context, dockerfile) = sources::find(arguments)?;
        arguments.contexts.check()?;
        let (first, others) = self.platforms.all.split_first().expect("there is always one platform");
        let unit = |context: ContextSource, platform: &Platform| {
            self.unit(context, dockerfile.clone(), platform, arguments, &settings.environment)
        };
        let others: Vec<BuildOptions> =
            others.iter().map(|other| unit(ContextSource::OfUnit(0), other)).collect();
        let mut units = vec![unit(context, first)];
        units.extend(others);
        Ok(units)
    }

    fn unit(
        &self,
        context: ContextSource,
        dockerfile: DockerfileSource,
        platform: &Platform,
        arguments: &BuildArguments,
        environment: &Environment,
    ) -> BuildOptions {
        BuildOptions {
            name: if self.platforms.all.len() > 1 { platform.to_string() } else { String::new() },
            target: arguments.what.target.clone(),
            build_args: self.build_args.clone(),
            labels: arguments.what.labels(),
            tags: if self.is_plain { arguments.what.tags.clone() } else { Vec::new() },
            keep: self.is_plain,
            squash: output::squash(&arguments.outputs),
            no_cache: arguments.how.no_cache,
            no_cache_stages: arguments.how.no_cache_filter.clone(),
            platform: platform.clone(),
            strict_platform: self.platforms.are_asked_for,
            network: match arguments.how.network {
                NetworkChoice::Host | NetworkChoice::Default => NetworkMode::Host,
                NetworkChoice::None => NetworkMode::None,
            },
            jobs: match arguments.how.jobs {
                None => default_jobs(),
                Some(0) => usize::MAX,
                Some(jobs) => jobs,
            },
            source_date_epoch: self.source_date_epoch,
            epoch_of_context: self.epoch_of_context,
            named_contexts: arguments.contexts.named(),
            remote: crate::remote::options(environment),
            proxy_environment: if arguments.steps.http_proxy == Some(false) {
                Vec::new()
            } else {
                proxies(environment)
            },
            resolv_conf: self.steps.resolv_conf.clone(),
            inline_cache: cache::inline(&arguments.cache, &self.build_args),
            sandbox: self.steps.sandbox.clone(),
            changes: changes(arguments, environment),
            ignore_file: arguments.what.ignore_file.clone(),
            secrets: self.secrets.clone(),
            ssh_agents: self.ssh_agents.clone(),
            ..BuildOptions::new(context, dockerfile)
        }
    }

    /// Finds the ssh agents for the units, and starts those for keys. From then on there are other processes and threads.
    pub(in super::super) fn start_agents(
        &mut self,
        arguments: &BuildArguments,
        units: &mut [BuildOptions],
        settings: &Settings,
    ) -> Result<(), CommandError> {
        (self.ssh_agents, self.key_agents) = entrusted::agents(&arguments.entrust, &settings.environment)?;
        for unit in units {
            unit.ssh_agents.clone_from(&self.ssh_agents);
        }
        Ok(())
    }

    /// What the images are for.
    pub(in super::super) fn platforms(&self) -> &[Platform] {
        &self.platforms.all
    }

    /// Whether everything new is given one time.
    pub(in super::super) fn has_epoch(&self) -> bool {
        self.source_date_epoch.is_some() || self.epoch_of_context
    }

    /// Whether an output goes to standard output.
    pub(in super::super) fn takes_stdout(&self) -> bool {
        self.stdout_is_taken
    }

    /// Where layers can be sent while the build runs, and how they are compressed.
    pub(super) fn destinations(&self) -> (Vec<Reference>, LayerCompression) {
        self.outputs.as_ref().map_or((Vec::new(), LayerCompression::Plain), Outputs::destinations)
    }

    /// What layers can be compressed with while the build runs.
    pub(super) fn compression(&self) -> Option<LayerCompression> {
        self.outputs.as_ref().and_then(Outputs::compression)
    }

    /// Puts what was built, one image for each unit, where it was asked for. That can be done once.
    pub(in super::super) fn put(
        &mut self,
        store: &Store,
        built: &[Built],
        remote: Option<&Remote>,
        reporter: &dyn Reporter,
        cancel: &Cancel,
    ) -> Result<Put, CommandError> {
        let Some(outputs) = self.outputs.take().filter(|_| !self.is_plain) else {
            let image = built.first().map(|built| built.descriptor.clone());
            return Ok(Put { image, names: self.tags.clone(), notes: Vec::new() });
        };
        let stop = cancel.clone();
        let store = store.stopping_when(move || stop.is_cancelled());
        let platforms = self.platforms.all.iter().zip(built);
        let images: Vec<(Descriptor, Platform)> =
            platforms.map(|(platform, built)| (built.descriptor.clone(), platform.clone())).collect();
        let product = Product::new(&store, &images, self.platforms.is_index)?;
        outputs.write(&store, &product, remote, reporter)
    }
}

/// Whether the time of everything new is that of the context: what `context` means instead of a number.
fn is_epoch_of_context(
    arguments: &BuildArguments,
    build_args: &BTreeMap<String, String>,
    environment: &Environment,
) -> bool {
    let variable = environment::SOURCE_DATE_EPOCH;
    let given = build_args.get(variable).map(String::as_str).filter(|text| !text.is_empty());
    arguments.how.timestamp.is_none() && given.or(environment.text(variable)) == Some("context")
}

/// The time of everything new: the flag, else the build argument as in buildx, else the environment.
fn source_date_epoch(
    arguments: &BuildArguments,
    build_args: &BTreeMap<String, String>,
    settings: &Settings,
) -> Result<Option<i64>, CommandError> {
    if let Some(seconds) = arguments.how.timestamp {
        return Ok(Some(seconds));
    }
    let variable = environment::SOURCE_DATE_EPOCH;
    match build_args.get(variable) {
        Some(text) if !text.is_empty() => values::seconds(text).map(Some).map_err(|error| {
            CommandError::usage(error).hint(format!("this is about `--build-arg {variable}={text}`"))
        }),
        _ => settings.source_date_epoch(),
    }
}

/// What is changed about the image from outside of the Dockerfile.
fn changes(arguments: &BuildArguments, environment: &Environment) -> ImageChanges {
    let image = &arguments.image;
    let env = image.env.iter();
    ImageChanges {
        first_base: image.from.clone(),
        env: env.filter_map(|found| Some((found.name.clone(), value(found, environment)?))).collect(),
        unset_env: image.unsetenv.clone(),
        unset_labels: image.unsetlabel.clone(),
        no_inherited_labels: image.inherit_labels == Some(false),
        no_history: image.omit_history == Some(true),
    }
}

fn proxies(environment: &Environment) -> Vec<(String, String)> {
    environment::PROXIES
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), environment.text(name)?.to_owned())))
        .collect()
}

/// Steps mostly wait for disks and networks, so there may be some more of them than processors.
fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(4, |count| (count.get() * 2).max(4))
}
