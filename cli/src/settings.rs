//! What holds for every command: flags first, then the environment, then what fits the user.

use std::path::{Path, PathBuf};

use crate::arguments::{GlobalArguments, values};
use crate::environment::{self, Environment};
use crate::error::CommandError;
use crate::output::Output;

/// What holds for every command.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The environment as it was at the start.
    pub(crate) environment: Environment,
    /// Where to write.
    pub(crate) output: Output,
    /// `--store`, if given.
    store: Option<PathBuf>,
    /// `--add-store`.
    added_stores: Vec<PathBuf>,
    is_root: bool,
}

impl Settings {
    /// The settings of this process.
    pub(crate) fn new(arguments: &GlobalArguments, environment: Environment) -> Self {
        let output = Output::of_process(arguments.color, &environment);
        let is_root = rustix::process::geteuid().is_root();
        let (store, added_stores) = (arguments.store.clone(), arguments.add_store.clone());
        Self { environment, output, store, added_stores, is_root }
    }

    /// The folder of the store. It may not exist yet.
    pub(crate) fn store(&self) -> Result<PathBuf, CommandError> {
        let chosen = self.store.clone().or_else(|| self.environment.path(environment::STORE));
        if let Some(folder) = chosen {
            return std::path::absolute(&folder).map_err(|error| {
                CommandError::failed(format_args!("cannot find the store `{}`", folder.display()))
                    .because(&error)
            });
        }
        default_store(&self.environment, self.is_root).ok_or_else(|| {
            CommandError::usage("there is no place for the store: `HOME` is not set")
                .hint("name a folder with `--store DIR` or the variable `TUG_STORE`")
        })
    }

    /// Where the folder of the store was named, if it was: `--store`, or the variable.
    pub(crate) fn store_named_by(&self) -> Option<&'static str> {
        match (&self.store, self.environment.path(environment::STORE)) {
            (Some(_), _) => Some("--store"),
            (None, Some(_)) => Some(environment::STORE),
            (None, None) => None,
        }
    }

    /// Stores that are only read: those of flags first, then those of the variable.
    pub(crate) fn added_stores(&self) -> Vec<PathBuf> {
        let variable = self.environment.path(environment::EXTRA_STORES);
        let named = variable.iter().flat_map(std::env::split_paths);
        let all = self.added_stores.iter().cloned().chain(named);
        all.filter(|path| !path.as_os_str().is_empty()).collect()
    }

    /// ` --store DIR` if that was given, for commands that messages show.
    pub(crate) fn store_flag(&self) -> String {
        self.store.as_ref().map_or_else(String::new, |folder| format!(" --store {}", folder.display()))
    }

    /// How large the build cache may be after a build.
    pub(crate) fn cache_limit(&self) -> Result<CacheLimit, CommandError> {
        let variable = environment::CACHE_LIMIT;
        let Some(text) = self.environment.text(variable) else { return Ok(CacheLimit::default()) };
        text.parse().map_err(|error| {
            CommandError::usage(format_args!("`{variable}={text}`: {error}"))
                .hint("use a size such as `20g`, a part of the disk such as `15%`, or `off`")
        })
    }

    /// The time of everything new, if the environment says one: seconds since 1970.
    pub(crate) fn source_date_epoch(&self) -> Result<Option<i64>, CommandError> {
        let variable = environment::SOURCE_DATE_EPOCH;
        let Some(text) = self.environment.text(variable) else { return Ok(None) };
        values::seconds(text).map(Some).map_err(|error| {
            let hint = format!(
                "this is about the variable `{variable}`; `git log -1 --format=%ct` gives a good one"
            );
            CommandError::usage(error).hint(hint)
        })
    }
}

/// How large the build cache may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CacheLimit {
    /// As large as it gets.
    Off,
    /// So many bytes.
    Bytes(u64),
    /// So many hundredths of the disk, but at least so many bytes.
    Part { percent: u64, least: u64 },
}

impl Default for CacheLimit {
    fn default() -> Self {
        Self::Part { percent: 10, least: 5 << 30 }
    }
}

impl std::str::FromStr for CacheLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_suffix('%') {
            _ if text == "off" => Ok(Self::Off),
            Some(percent) => match percent.parse() {
                Ok(percent @ 0..=100) => Ok(Self::Part { percent, least: 0 }),
                _ => Err("expected a whole number from 0 to 100 before `%`".to_owned()),
            },
            None => values::bytes(text).map(Self::Bytes),
        }
    }
}

impl CacheLimit {
    /// How many bytes that are on a disk of `total` bytes; `None` for any number.
    pub(crate) fn bytes(self, total: u64) -> Option<u64> {
        match self {
            Self::Off => None,
            Self::Bytes(bytes) => Some(bytes),
            Self::Part { percent, least } => {
                let part = u128::from(total) * u128::from(percent) / 100;
                Some(u64::try_from(part).unwrap_or(u64::MAX).max(least))
            }
        }
    }
}

fn default_store(environment: &Environment, is_root: bool) -> Option<PathBuf> {
    if is_root {
        return Some(PathBuf::from("/var/lib/tug"));
    }
    // The specification wants relative paths to be ignored.
    let absolute = |name| environment.path(name).filter(|path| path.is_absolute());
    let data = absolute(environment::XDG_DATA_HOME)
        .or_else(|| absolute(environment::HOME).map(|home| home.join(Path::new(".local/share"))));
    Some(data?.join("tug"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_cache_is_limited_by_size_or_part_of_the_disk() {
        let bytes = |text: &str, total| text.parse::<CacheLimit>().unwrap().bytes(total);
        assert_eq!(bytes("off", 1000), None);
        assert_eq!(bytes("2k", 1000), Some(2048));
        assert_eq!(bytes("15%", 1000), Some(150));
        assert_eq!(CacheLimit::default().bytes(100 << 30), Some(10 << 30));
        assert_eq!(CacheLimit::default().bytes(10 << 30), Some(5 << 30));
        for text in ["", "much", "101%", "1.5%", "-1%", "%"] {
            assert!(text.parse::<CacheLimit>().is_err(), "{text} was taken");
        }
    }

    #[test]
    fn the_store_is_where_the_user_keeps_data() {
        let place = |environment: Environment, is_root| {
            default_store(&environment, is_root).map(|path| path.display().to_string())
        };
        assert_eq!(place([("HOME", "/home/u")].into(), true).as_deref(), Some("/var/lib/tug"));
        assert_eq!(place([("HOME", "/home/u")].into(), false).as_deref(), Some("/home/u/.local/share/tug"));
        let both = [("HOME", "/home/u"), ("XDG_DATA_HOME", "/data")];
        assert_eq!(place(both.into(), false).as_deref(), Some("/data/tug"));
        let relative = [("HOME", "/home/u"), ("XDG_DATA_HOME", "data")];
        assert_eq!(place(relative.into(), false).as_deref(), Some("/home/u/.local/share/tug"));
        assert_eq!(place(Environment::default(), false), None);
    }
}
