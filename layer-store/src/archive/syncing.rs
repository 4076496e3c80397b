//! Lets the disk take files of an archive while the rest of it is still read: at the end all of them must be on it.

use std::fs::File;
use std::sync::mpsc::{SyncSender, sync_channel};

/// Files that wait for the thread that syncs them. When there are more, the end waits for those.
const WAITING: usize = 4;

/// A thread that syncs files. It ends when this is dropped, behind the file that it is busy with.
pub(super) struct Syncing(Option<SyncSender<File>>);

impl Syncing {
    /// After so many bytes of a file it is worth while.
    pub(super) const STEP: u64 = 32 * 1024 * 1024;

    pub(super) fn start() -> Self {
        let (give, files) = sync_channel::<File>(WAITING);
        let work = move || {
            for file in files {
                // Who needs it on the disk syncs it again, and hears of errors.
                let _ = file.sync_data();
            }
        };
        let started = std::thread::Builder::new().name("sync".to_owned()).spawn(work);
        Self(started.ok().map(|_| give))
    }

    /// Begins to write to the disk what `file` has now, unless the thread has enough to do.
    pub(super) fn soon(&self, file: &File) {
        if let (Some(give), Ok(file)) = (&self.0, file.try_clone()) {
            let _ = give.try_send(file);
        }
    }
}
