//! Files that are read again when they change, so that users, rules and certificates change without a restart.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::observer::{Event, Observer};

type Read<T> = Box<dyn Fn() -> Result<T, String> + Send + Sync>;

/// What some files say, as of their last good state.
pub(crate) struct Watched<T> {
    paths: Vec<PathBuf>,
    read: Read<T>,
    state: Mutex<State<T>>,
    observer: Arc<dyn Observer>,
}

struct State<T> {
    stamps: Vec<Option<Stamp>>,
    value: Arc<T>,
    /// Whether the value is what the files say now.
    is_good: bool,
}

/// What tells two states of a file apart.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl<T> Watched<T> {
    /// Reads the files for the first time. `read` must read all of `paths`, and says in a sentence what is wrong.
    pub(crate) fn new(
        paths: Vec<PathBuf>,
        observer: Arc<dyn Observer>,
        read: impl Fn() -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        // First the stamps: a change in between is seen the next time.
        let stamps = stamps(&paths);
        let value = Arc::new(read()?);
        Ok(Self {
            paths,
            read: Box::new(read),
            state: Mutex::new(State { stamps, value, is_good: true }),
            observer,
        })
    }

    /// What the files say now. What is wrong is told once, and then what they said before counts.
    pub(crate) fn current(&self) -> Arc<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if self.paths.is_empty() {
            return Arc::clone(&state.value);
        }
        let stamps = stamps(&self.paths);
        if stamps != state.stamps {
            state.stamps = stamps;
            let read = (self.read)();
            state.is_good = read.is_ok();
            match read {
                Ok(value) => state.value = Arc::new(value),
                Err(why) => {
                    let what = format!("{why}; what was read before counts until that is mended");
                    self.observer.event(Event::Problem { what });
                }
            }
        }
        Arc::clone(&state.value)
    }

    /// Whether the files can be used as they are now.
    pub(crate) fn is_good(&self) -> bool {
        self.current();
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_good
    }
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Watched({:?})", self.paths)
    }
}

/// What the system said, without its number and in lower case.
pub(crate) fn why(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error ").next().unwrap_or(&text).to_lowercase()
}

fn stamps(paths: &[PathBuf]) -> Vec<Option<Stamp>> {
    paths.iter().map(|path| stamp(path)).collect()
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(Stamp {
        inode: metadata.ino(),
        size: metadata.size(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Heard(Mutex<Vec<Event>>);

    impl Observer for Heard {
        fn event(&self, event: Event) {
            self.0.lock().unwrap().push(event);
        }
    }

    #[test]
    fn a_file_counts_as_it_is_now_and_a_bad_one_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        fs::write(&path, "1").unwrap();
        let heard = Arc::new(Heard::default());
        let file = path.clone();
        let read = move || {
            let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
            text.parse::<u32>().map_err(|_| "no number".to_owned())
        };
        let watched = Watched::new(vec![path.clone()], heard.clone(), read).unwrap();
        assert_eq!(*watched.current(), 1);
        fs::write(&path, "22").unwrap();
        assert_eq!(*watched.current(), 22);
        fs::write(&path, "three").unwrap();
        assert_eq!((*watched.current(), *watched.current()), (22, 22));
        let what = "no number; what was read before counts until that is mended".to_owned();
        assert!(!watched.is_good());
        assert_eq!(*heard.0.lock().unwrap(), [Event::Problem { what }], "it is told once");
        fs::write(&path, "4444").unwrap();
        assert!(watched.is_good());
        assert_eq!(*watched.current(), 4444);
    }
}
