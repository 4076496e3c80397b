//! Remembers tables of contents that were read: each step of a build looks into all layers below it.

use std::sync::{Arc, Mutex, PoisonError};

use tug_oci::DiffId;

use super::Toc;

/// All of them together are not larger than this, in bytes.
const LARGEST: usize = 16 * 1024 * 1024;

/// Tables of contents, the one used last at the end.
#[derive(Debug, Default)]
pub(crate) struct TocCache {
    tables: Mutex<Vec<(DiffId, Arc<Toc>)>>,
}

impl TocCache {
    pub(crate) fn find(&self, layer: &DiffId) -> Option<Arc<Toc>> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let found = tables.iter().position(|(name, _)| name == layer)?;
        let entry = tables.remove(found);
        let toc = Arc::clone(&entry.1);
        tables.push(entry);
        Some(toc)
    }

    pub(crate) fn remember(&self, layer: &DiffId, toc: &Arc<Toc>) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.retain(|(name, _)| name != layer);
        tables.push((layer.clone(), Arc::clone(toc)));
        let mut size: usize = tables.iter().map(|(_, toc)| toc.memory()).sum();
        while size > LARGEST {
            size -= tables.remove(0).1.memory();
        }
    }

    pub(crate) fn forget(&self, layer: &DiffId) {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).retain(|(name, _)| name != layer);
    }
}

#[cfg(test)]
mod tests {
    use tug_oci::Digest;

    use super::*;
    use crate::entry::{Entry, EntryKind, Mtime, Xattrs};
    use crate::toc::TocWriter;

    fn table(size: usize) -> Arc<Toc> {
        let mut writer = TocWriter::new();
        let (path, kind) = (vec![b'x'; size], EntryKind::Fifo);
        let entry = Entry { path, kind, mode: 0, uid: 0, gid: 0, mtime: Mtime::EPOCH, xattrs: Xattrs::new() };
        writer.entry(&entry, None).unwrap();
        Arc::new(writer.finish())
    }

    #[test]
    fn what_was_not_used_for_long_is_forgotten_first() {
        let names = ["a", "b", "c"].map(|name| DiffId::new(Digest::of(name.as_bytes())));
        let cache = TocCache::default();
        for name in &names[..2] {
            cache.remember(name, &table(7 << 20));
        }
        assert!(cache.find(&names[0]).is_some());
        cache.remember(&names[2], &table(7 << 20));
        assert!(cache.find(&names[0]).is_some() && cache.find(&names[2]).is_some());
        assert!(cache.find(&names[1]).is_none());
        cache.forget(&names[0]);
        assert!(cache.find(&names[0]).is_none());
        cache.remember(&names[1], &table(LARGEST + 1));
        assert!(cache.find(&names[1]).is_none(), "too large to be kept");
    }
}
