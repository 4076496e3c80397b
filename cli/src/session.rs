//! What a command works with: the store, and for those that make or run containers, the runtime.
//!
//! Looking at images, naming, loading and saving them touches only files that are the user's own. Trees of layers may
//! have other owners, so whoever needs those becomes root over the ids it may use first. That is only possible while
//! the process has a single thread: no command may start one before it has called [`Session::enter`].
//!
//! Those who write to the store tidy it up as well, without letting anybody wait: what killed processes left behind, and
//! records of old builds, are removed on a thread. Waiting for the disk, unlinking what `tug rmi` has removed, and keeping the
//! build cache small are for a process of its own, `tug settle`, which is started now and then and ends by itself.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use tug_layer_store::{BuildLimits, Error as StoreError, Owners, Store, StoreOptions};
use tug_runtime::{Mode, ModePreference, Runtime};

use crate::environment;
use crate::error::CommandError;
use crate::settings::Settings;

/// How often is looked whether the build cache is too large.
const BOUND_EVERY: Duration = Duration::from_secs(10 * 60);

/// The store and the runtime.
pub(crate) struct Session {
    /// The store, opened as root of whatever ids there are.
    pub(crate) store: Store,
    /// The runtime.
    pub(crate) runtime: Runtime,
}

impl Session {
    /// Becomes root, if need be in a user namespace, and opens the store.
    pub(crate) fn enter(settings: &Settings) -> Result<Self, CommandError> {
        Self::of(tug_runtime::enter(preference(settings)?)?, settings)
    }

    /// The same where no container can run: what needs none is done, and what needs one says why there can be none. A
    /// mode that was asked for must be possible.
    pub(crate) fn enter_if_possible(settings: &Settings) -> Result<Self, CommandError> {
        let preference = preference(settings)?;
        match tug_runtime::enter(preference) {
            Ok(mode) => Self::of(mode, settings),
            Err(error) if preference == ModePreference::Auto => {
                Ok(Self { store: open_store(settings)?, runtime: Runtime::unable(error) })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn of(mode: Mode, settings: &Settings) -> Result<Self, CommandError> {
        let root = settings.store()?;
        // Where layers are mounted is where they are kept.
        let indexed_layers = wants_indexes(settings)? && tug_runtime::mounts_indexed_layers(mode, &root);
        let options = StoreOptions { indexed_layers, ..options(mode) };
        let store = with_others(Store::open(&root, &options)?, settings)?;
        Ok(Self { store, runtime: Runtime::new(mode) })
    }
}

/// Opens the store to look at everything in it, also when its list of names is lost; as root of whatever ids there are,
/// where that is possible.
pub(crate) fn open_damaged(settings: &Settings) -> Result<Store, CommandError> {
    let mode = preference(settings).and_then(|wanted| Ok(tug_runtime::enter(wanted)?));
    let options = match mode {
        Ok(mode) => options(mode),
        Err(_) => plain_options(),
    };
    let root = settings.store()?;
    let opened = Store::open_damaged(&root, &options);
    with_others(or_read_only(opened, &root, &options)?, settings)
}

/// Opens the store for work that only reads: it may be another user's, or on a file system that cannot be written to.
pub(crate) fn open_to_read(settings: &Settings) -> Result<Store, CommandError> {
    let (root, options) = (settings.store()?, plain_options());
    let opened = Store::open(&root, &options);
    with_others(or_read_only(opened, &root, &options)?, settings)
}

/// The store as it was opened; one that cannot be written to is opened to be read.
fn or_read_only(
    opened: Result<Store, StoreError>,
    root: &Path,
    options: &StoreOptions,
) -> Result<Store, CommandError> {
    match opened {
        Err(
            error @ (StoreError::ReadOnly { .. }
            | StoreError::NotAllowed { .. }
            | StoreError::OtherOwner { .. }),
        ) => {
            // Where there is nothing to read either, the first error says more.
            Store::open_read_only(root, options).map_err(|_| error.into())
        }
        other => Ok(other?),
    }
}

/// The store, which finds what it does not have in those that were named besides.
fn with_others(store: Store, settings: &Settings) -> Result<Store, CommandError> {
    let mut others = Vec::new();
    for root in settings.added_stores() {
        let other = Store::open_read_only(&root, store.options())?;
        if other.root() != store.root() {
            others.push(other);
        }
    }
    Ok(if others.is_empty() { store } else { store.with_others(others) })
}

/// Opens the store for work that makes no trees.
pub(crate) fn open_store(settings: &Settings) -> Result<Store, CommandError> {
    with_others(Store::open(&settings.store()?, &plain_options())?, settings)
}

/// How a store is used in this mode, without indexes.
fn options(mode: Mode) -> StoreOptions {
    let (owners, in_user_namespace) = match mode {
        Mode::Root => (Owners::Real, false),
        Mode::SingleId => (Owners::Recorded, true),
        _ => (Owners::Real, true),
    };
    StoreOptions { owners, in_user_namespace, indexed_layers: false }
}

/// How a store is used by those who are not in a namespace.
fn plain_options() -> StoreOptions {
    let is_root = rustix::process::geteuid().is_root();
    let owners = if is_root { Owners::Real } else { Owners::Recorded };
    StoreOptions { owners, in_user_namespace: !is_root, indexed_layers: false }
}

/// Opens the store for looking at, and removing, all files in it: those of other owners too, if there is a way.
pub(crate) fn open_whole_store(settings: &Settings) -> Result<Store, CommandError> {
    if rustix::process::geteuid().is_root() {
        return open_store(settings);
    }
    match Session::enter(settings) {
        Ok(session) => Ok(session.store),
        Err(_) => open_store(settings),
    }
}

/// Starts a thread that tidies up the store. What it does not manage, the next command does.
pub(crate) fn tidy_in_background(store: &Store) {
    let store = store.clone();
    let tidy = move || {
        // What fails now is tried again by the next command.
        let _ = store.prune_builds(&BuildLimits::default());
        let _ = store.remove_left_behind();
        let _ = give_up_what_is_dear(&store);
        if store.is_settling_due().unwrap_or(false) {
            settle_in_background(&store);
        }
    };
    drop(thread::Builder::new().name("tidy".to_owned()).spawn(tidy));
}

/// What a build does last: on a full disk, gives up what failed steps have left, and says so; now and then, has the build
/// cache made smaller, if it is too large.
pub(crate) fn after_build(store: &Store, settings: &Settings) {
    if matches!(give_up_what_is_dear(store), Ok(1..)) {
        settings.output.warning("the disk is full: the files that failed steps had left were given up");
        settle_in_background(store);
    } else if store.is_bounding_due(BOUND_EVERY) {
        settle_in_background(store);
    }
}

/// Gives up what failed steps have left when the disk is nearly full; how many had left any.
fn give_up_what_is_dear(store: &Store) -> Result<usize, tug_layer_store::Error> {
    if store.disk_room()?.is_scarce() { store.give_up_leftovers() } else { Ok(0) }
}

/// Starts `tug settle`. It is not waited for, and a terminal does not interrupt it.
pub(crate) fn settle_in_background(store: &Store) {
    let mut command = Command::new("/proc/self/exe");
    // As which others see it who wait for it.
    command.arg0("tug");
    command.arg("settle").arg("--store").arg(store.root()).current_dir("/").process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    drop(command.spawn());
}

/// Whether layers may be mounted without unpacking them, where that is possible.
fn wants_indexes(settings: &Settings) -> Result<bool, CommandError> {
    match settings.environment.text(environment::LAYERS) {
        None | Some("auto") => Ok(true),
        Some("trees") => Ok(false),
        Some(other) => Err(CommandError::usage(format_args!(
            "`{}={other}` is no way to keep layers",
            environment::LAYERS
        ))
        .hint("use `trees` to unpack all of them, or leave it unset for the best that this host can do")),
    }
}

fn preference(settings: &Settings) -> Result<ModePreference, CommandError> {
    match settings.environment.text(environment::MODE) {
        None => Ok(ModePreference::Auto),
        Some("root") => Ok(ModePreference::Root),
        Some("many-ids") => Ok(ModePreference::ManyIds),
        Some("single-id") => Ok(ModePreference::SingleId),
        Some(other) => {
            Err(CommandError::usage(format_args!("`{}={other}` is not a mode", environment::MODE))
                .hint("use `root`, `many-ids` or `single-id`, or leave it unset for the best one"))
        }
    }
}
