//! `tug run`: a container in the foreground.
//!
//! There is nobody in the background who could keep a container: it lives as long as this process, and what it wrote
//! to its own file system is gone afterwards.

mod arguments;
mod mounts;
mod process;
mod terminal;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::Signals;
use tug_builder::{Volume, lower_of};
use tug_layer_store::{Image, Mountable, ScratchDir, Store};
use tug_oci::Platform;
use tug_runtime::{Container, Exited, Mount, Network, Remote, Resources, Root, Running, Stdio, Stream};

use arguments::NetworkChoice;
pub(crate) use arguments::RunArguments;
use terminal::RawTerminal;

use super::pull::Policy;
use crate::arguments::values::ImageName;
use crate::environment;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::images;
use crate::on_demand;
use crate::session::{self, Session};
use crate::settings::Settings;

/// Runs the container; ends with the code of its command. All trouble of our own is 125, as in docker and podman.
pub(super) fn run(arguments: &RunArguments, settings: &Settings) -> Result<Exit, CommandError> {
    prepare_and_run(arguments, settings).map_err(|error| match error.exit() {
        Exit::Success | Exit::Command(_) => error,
        _ => error.exiting(Exit::Command(125)),
    })
}

fn prepare_and_run(arguments: &RunArguments, settings: &Settings) -> Result<Exit, CommandError> {
    if arguments.interactive && arguments.tty && !io::stdin().is_terminal() {
        return Err(CommandError::usage("`-t` with `-i` needs a terminal on standard input")
            .hint("leave `-t` away to pipe something into the container"));
    }
    let name = image_name(arguments)?;
    let (tmpfs, volumes) = mounts(arguments)?;
    let mut session = Session::enter(settings)?;
    session.store = on_demand::store(&session.store, settings);
    let image = image(&session.store, &name, arguments, settings)?;
    let scratch = session.store.scratch("run")?;
    let root = root(&session.store, &image, &scratch, arguments)?;
    let mut container = container(arguments, settings, &image, root)?;
    // What the container writes to volumes that keep nothing is gone with this.
    let _discarded = tug_builder::mount_volumes(&volumes, &mut container, &session.store)?;
    container.mounts.extend(tmpfs);
    // A folder for a VOLUME that the image has none for: what is written there is gone with the container.
    container.directories = image.config.config.volumes.keys().map(PathBuf::from).collect();
    in_foreground(&container, &session, arguments.interactive, settings)
}

/// Runs a container until it has ended, with what `interactive` lets through from standard input to its terminal.
pub(super) fn in_foreground(
    container: &Container,
    session: &Session,
    interactive: bool,
    settings: &Settings,
) -> Result<Exit, CommandError> {
    // Caught from here on, so that none that comes while the container starts is lost.
    let signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH])
        .map_err(|error| CommandError::new(Exit::Host, "cannot watch for signals").because(&error))?;
    let running = container.start(&session.runtime).map_err(|error| {
        let code = error.exit_code();
        CommandError::from(error).exiting(Exit::Command(code))
    })?;
    // From here on there may be threads.
    session::tidy_in_background(&session.store);
    let exited = attend(running, signals, interactive)?;
    for warning in &exited.warnings {
        settings.output.warning(warning);
    }
    if exited.out_of_memory {
        settings.output.warning("the container used more memory than `--memory` allows");
    }
    Ok(Exit::Command(u8::try_from(exited.status.exit_code()).unwrap_or(u8::MAX)))
}

/// The image, from a registry if the store does not have it, or if that is wished.
fn image(
    store: &Store,
    name: &ImageName,
    arguments: &RunArguments,
    settings: &Settings,
) -> Result<Image, CommandError> {
    let is_offline = settings.environment.text(environment::OFFLINE).is_some();
    let policy = arguments.pull.unwrap_or(if is_offline { Policy::Never } else { Policy::Missing });
    let pull =
        |reference| on_demand::pull(store, reference, &Platform::host(), &arguments.registry, settings);
    let found = images::find(store, name);
    match (policy, &found, name.reference()) {
        (Policy::Missing, Err(_), Some(reference)) => {
            // What is misspelled is better told by what is here.
            pull(&reference).map_err(|error| match error.exit() {
                Exit::Failed => found.err().unwrap_or(error),
                _ => error,
            })
        }
        (Policy::Always, _, Some(reference)) => pull(&reference),
        (Policy::Newer, _, Some(reference)) => pull(&reference).or(found),
        _ => found,
    }
}

fn image_name(arguments: &RunArguments) -> Result<ImageName, CommandError> {
    let word = arguments.words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
    word.parse().map_err(CommandError::usage)
}

/// What `--tmpfs` mounts, and what `-v` shows.
fn mounts(arguments: &RunArguments) -> Result<(Vec<Mount>, Vec<Volume>), CommandError> {
    let tmpfs = arguments.tmpfs.iter().map(|text| mounts::tmpfs(text)).collect::<Result<_, _>>()?;
    let volumes = arguments.volumes.iter().map(|text| mounts::volume(text)).collect::<Result<_, _>>()?;
    Ok((tmpfs, volumes))
}

/// The image's layers, and an empty one above them.
fn root(
    store: &Store,
    image: &Image,
    scratch: &ScratchDir,
    arguments: &RunArguments,
) -> Result<Root, CommandError> {
    store.ensure_layers(image.layers(), Mountable::Now)?;
    Ok(Root {
        lower: lower_of(store, image.diff_ids())?,
        upper: Some(scratch.upper()?),
        work: Some(scratch.work()?),
        read_only: arguments.read_only,
    })
}

/// In docker's words, 0 is no limit.
fn limit(number: Option<u64>) -> Option<u64> {
    number.filter(|number| *number > 0)
}

fn container(
    arguments: &RunArguments,
    settings: &Settings,
    image: &Image,
    root: Root,
) -> Result<Container, CommandError> {
    let process = process::process(arguments, &image.config.config, &settings.environment)?;
    if process.args.is_empty() {
        return Err(CommandError::failed("the image has no command of its own, and none was given")
            .hint(format!("name one: `tug run {} COMMAND`", arguments.words[0].to_string_lossy())));
    }
    let mut container = Container::new(root, process);
    container.network = match arguments.network {
        NetworkChoice::Host => Network::Host,
        NetworkChoice::None => Network::None,
    };
    container.hostname = match (&arguments.hostname, arguments.network) {
        (Some(name), _) => name.clone(),
        (None, NetworkChoice::Host) => rustix::system::uname().nodename().to_string_lossy().into_owned(),
        (None, NetworkChoice::None) => image.id().short().to_owned(),
    };
    container.files.hostname = true;
    // As docker does; a variable of the image or of `-e` wins.
    if !container.process.env.iter().any(|(name, _)| name == "HOSTNAME") {
        container.process.env.push(("HOSTNAME".into(), container.hostname.as_str().into()));
    }
    container.resources = Resources {
        memory: limit(arguments.memory),
        cpus: arguments.cpus,
        pids: limit(arguments.pids_limit),
        ..Resources::default()
    };
    if let Some(size) = arguments.shm_size {
        container.shm_size = size;
    }
    if !arguments.tty {
        let stdin = if arguments.interactive { Stream::Inherit } else { Stream::Null };
        container.stdio = Stdio { stdin, ..Stdio::INHERIT };
    }
    Ok(container)
}

/// Passes keys, text, sizes and signals on until the container has ended.
fn attend(mut running: Running, signals: Signals, interactive: bool) -> Result<Exited, CommandError> {
    let remote = running.remote();
    let mut raw = None;
    let mut shown = None;
    if let Some(terminal) = running.take_terminal() {
        terminal::fit(&remote);
        if interactive {
            raw = Some(RawTerminal::enter());
            terminal::type_into(terminal.try_clone().map_err(|error| {
                CommandError::failed("cannot use the container's terminal").because(&error)
            })?);
        }
        shown = Some(terminal::show(terminal));
    }
    pass_signals_on(signals, remote);
    let exited = running.wait()?;
    if let Some(shown) = shown {
        let _ = shown.join();
    }
    drop(raw);
    Ok(exited)
}

/// Signals to us are meant for the container. A new size of our terminal is passed on, too.
fn pass_signals_on(mut signals: Signals, remote: Remote) {
    thread::spawn(move || {
        for signal in signals.forever() {
            match signal {
                SIGWINCH => terminal::fit(&remote),
                other => drop(remote.signal(other)),
            }
        }
    });
}
