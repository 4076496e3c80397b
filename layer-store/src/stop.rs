//! Giving up long work in the middle.
//!
//! Unpacking, committing and making trees may take a while. A store from [`Store::stopping_when`] asks now and then
//! whether it should go on. What was not completed is garbage like that of a killed process; nothing else remains of it.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::store::Store;

/// Tells whether to give up.
#[derive(Clone)]
pub(crate) struct Stop(Arc<dyn Fn() -> bool + Send + Sync>);

impl fmt::Debug for Stop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Stop")
    }
}

impl Stop {
    /// Whether it is time to give up.
    pub(crate) fn is_wanted(&self) -> bool {
        (self.0)()
    }
}

impl Store {
    /// The same store, whose long work ends with [`Error::Stopped`] once `stop` says so. It is asked often, from any
    /// thread.
    #[must_use]
    pub fn stopping_when(&self, stop: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        let mut store = self.clone();
        store.stop = Some(Stop(Arc::new(stop)));
        store
    }

    /// An error when the work is to be given up.
    pub(crate) fn go_on(&self) -> Result<()> {
        match &self.stop {
            Some(stop) if stop.is_wanted() => Err(Error::Stopped),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::entry::NewEntry;
    use crate::layer::{CommitOptions, ImportLayer, LayerWriterOptions};
    use crate::store::tests::store;

    /// More than one chunk of a tar.
    const SIZE: u64 = 4 << 20;

    fn layer(store: &Store) -> Result<crate::Layer> {
        let mut writer = store.layer_writer(&LayerWriterOptions::default())?;
        let content = vec![7; SIZE as usize];
        writer.add(&NewEntry::file("large", 0o644, SIZE), Some(&mut content.as_slice()))?;
        writer.finish()
    }

    #[test]
    fn long_work_is_given_up_in_the_middle_and_leaves_nothing() {
        let (_folder, store) = store();
        let made = layer(&store).unwrap();
        let stop = Arc::new(AtomicBool::new(true));
        let asked = Arc::clone(&stop);
        let stopping = store.stopping_when(move || asked.load(Ordering::SeqCst));

        assert!(matches!(layer(&stopping), Err(Error::Stopped)), "writing");
        let mut tar = store.layer_tar(made.diff_id()).unwrap();
        let imported = stopping.import_layer(&mut tar, &ImportLayer::default());
        assert!(matches!(imported, Err(Error::Stopped)), "importing");
        let trees = stopping.lower(std::slice::from_ref(made.diff_id()));
        assert!(matches!(trees, Err(Error::Stopped)), "making a tree");
        let scratch = store.scratch("run").unwrap();
        let upper = scratch.upper().unwrap();
        std::fs::write(upper.join("large"), vec![8; SIZE as usize]).unwrap();
        let committed = stopping.commit_upper(&upper, &[], &CommitOptions::default());
        assert!(matches!(committed, Err(Error::Stopped)), "committing");
        drop((scratch, committed));

        assert_eq!(std::fs::read_dir(store.path("ingest")).unwrap().count(), 0);
        assert_eq!(std::fs::read_dir(store.path("layers")).unwrap().count(), 1);
        stop.store(false, Ordering::SeqCst);
        layer(&stopping).unwrap();
    }

    #[test]
    fn a_blob_is_not_taken_for_damaged_because_looking_at_it_was_stopped() {
        let (folder, store) = store();
        let made = layer(&store).unwrap();
        let record = store.layer_folder(made.diff_id()).join("record.json");
        let text = std::fs::read_to_string(&record).unwrap();
        std::fs::write(&record, text.replace(store.boot_id(), "another boot")).unwrap();
        let again = Store::open(&folder.path().join("store"), &crate::store::tests::PLAIN).unwrap();
        assert!(matches!(again.stopping_when(|| true).layer(made.diff_id()), Err(Error::Stopped)));
        assert!(again.has_blob(made.diff_id().digest()).unwrap());
    }
}
