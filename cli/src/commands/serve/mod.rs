//! `tug serve`: a registry on this machine.

mod address;
mod collect;
mod duration;
mod guard;
mod proxy;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tug_registry_server::{CollectOptions, Event, Observer, Options, Running, Server};

use crate::error::CommandError;
use crate::human;
use crate::output::Output;
use crate::settings::Settings;
use crate::signals::Interrupts;

/// Arguments of `tug serve`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  tug serve                                 On 127.0.0.1:5000, for this machine
  tug serve --addr :5000 --root /srv/registry
  tug serve --import /var/lib/docker-registry --root /srv/registry
  tug serve --addr :5000 --htpasswd users --tls-cert cert.pem --tls-key key.pem
  tug serve --proxy docker.io --proxy ghcr.io
  tug serve gc --dry-run                    What could be taken away, and why not more

The first line on standard output is the address, once the registry listens. Ctrl-C and
SIGTERM end it in good order: what is being pushed or pulled goes on for a while.
SIGHUP reads users, rules and certificates again, and tells whether they can be used.
Each repository is a folder below the root that other tools read as an OCI image layout:
`skopeo inspect oci:ROOT/library/busybox:latest`."
)]
pub(crate) struct ServeArguments {
    #[command(subcommand)]
    command: Option<ServeCommand>,
    /// Listen here: `HOST:PORT`, `:PORT` for all interfaces; port 0 is any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5000", value_parser = address::parse)]
    addr: SocketAddr,
    #[command(flatten)]
    root: Root,
    /// First take in what a registry of distribution (`registry:2`, docker-registry) has in this folder
    #[arg(long, value_name = "DIR")]
    import: Option<PathBuf>,
    /// Take away what nothing refers to, this often; `off` leaves it to `tug serve gc`
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration::parse_or_off)]
    gc_every: Every,
    /// How long requests under way may take when the registry ends
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration::parse)]
    stop_time: Duration,
    /// Do not wait for the disk: faster, but a power failure can take what was pushed last
    #[arg(long)]
    no_sync: bool,
    #[command(flatten)]
    guard: guard::GuardArguments,
    #[command(flatten)]
    proxy: proxy::ProxyArguments,
}

#[derive(Debug, clap::Subcommand)]
enum ServeCommand {
    /// Take away what nothing refers to, also beside a registry that runs
    Gc(collect::CollectArguments),
}

/// Where the data is.
#[derive(Debug, clap::Args)]
struct Root {
    /// Keep everything in this folder [default: the folder of the store, with `-registry` behind]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

/// What a signal asks for.
enum Told {
    /// To end in good order.
    Stop,
    /// To look at the files again that decide who comes in.
    Reload,
}

/// How often something is done; `None` is never.
#[derive(Clone, Copy, Debug)]
struct Every(Option<Duration>);

impl Root {
    /// The folder; `/var/lib/tug-registry` for root who said nothing.
    fn folder(&self, settings: &Settings) -> Result<PathBuf, CommandError> {
        if let Some(root) = &self.root {
            return Ok(root.clone());
        }
        let mut folder = settings.store()?.into_os_string();
        folder.push("-registry");
        Ok(folder.into())
    }
}

/// Serves until somebody ends it.
pub(super) fn run(arguments: &ServeArguments, settings: &Settings) -> Result<(), CommandError> {
    if let Some(ServeCommand::Gc(arguments)) = &arguments.command {
        return collect::run(arguments, settings);
    }
    let root = arguments.root.folder(settings)?;
    if let Some(from) = &arguments.import {
        import(&root, from, settings.output)?;
    }
    let (tell, told) = mpsc::channel();
    let tell_of_hangups = tell.clone();
    // Where nobody listens any more, the server is ending already.
    let _interrupts = Interrupts::watch_server(
        move || tell.send(Told::Stop).unwrap_or_default(),
        move || tell_of_hangups.send(Told::Reload).unwrap_or_default(),
    )?;
    let running = start(arguments, root, settings)?;
    settings.output.line(running.address())?;
    // An error would mean that nobody can ask us to stop.
    while let Ok(Told::Reload) = told.recv() {
        match running.reload() {
            true => settings.output.note("users, rules and certificates are up to date"),
            false => settings.output.warning("users, rules or certificates cannot be used as they are now"),
        }
    }
    settings.output.note("stopping; a second signal ends it at once");
    running.stop();
    Ok(())
}

fn start(arguments: &ServeArguments, root: PathBuf, settings: &Settings) -> Result<Running, CommandError> {
    let collect = arguments.gc_every.0.map(|every| (every, CollectOptions::default()));
    let mut options = Options {
        address: arguments.addr,
        sync: !arguments.no_sync,
        stop_time: arguments.stop_time,
        collect,
        proxy: arguments.proxy.options(settings)?,
        observer: Arc::new(Log(settings.output, arguments.guard.access_log())),
        ..Options::new(root)
    };
    arguments.guard.apply(&mut options);
    Ok(Server::start(options)?)
}

/// Says on standard error what happens.
#[derive(Debug)]
struct Log(Output, Option<guard::AccessLog>);

impl Observer for Log {
    fn event(&self, event: Event) {
        match event {
            Event::Problem { what } => self.0.warning(what),
            Event::Collected(collected) => self.0.note(collect::summary("took", &collected)),
            Event::Answered(record) => {
                if let Some(format) = self.1 {
                    format.write(&record, self.0);
                }
            }
            _ => {}
        }
    }
}

fn import(root: &Path, from: &Path, output: Output) -> Result<(), CommandError> {
    let imported = tug_registry_server::import(root, from, &mut |repository| {
        output.note(format_args!("importing {repository}"));
    })?;
    let count = |number: u64, thing| human::counted(usize::try_from(number).unwrap_or(usize::MAX), thing);
    output.note(format_args!(
        "imported {} with {} and {}; new: {}, {}",
        match imported.repositories {
            1 => "1 repository".to_owned(),
            count => format!("{count} repositories"),
        },
        count(imported.manifests, "manifest"),
        count(imported.tags, "tag"),
        count(imported.blobs, "blob"),
        human::size(imported.bytes),
    ));
    if imported.problems.is_empty() {
        return Ok(());
    }
    imported.problems.iter().for_each(|problem| output.warning(problem));
    let count = human::counted(imported.problems.len(), "problem");
    Err(CommandError::failed(format_args!("`{}` could not be imported as a whole: {count}", from.display()))
        .hint("what was imported is kept; without `--import`, the registry starts with it"))
}
