//! What a cache holds after a build: what it held, and the results of the build, within bounds.
//!
//! | record                                      | what becomes of it                                               |
//! | ------------------------------------------- | ---------------------------------------------------------------- |
//! | of this build                               | is in the cache, used now; takes the place of one with its key   |
//! | of other machines, platforms, branches      | stays                                                            |
//! | not used for longer than [`Bounds::max_age`] | goes                                                            |
//! | the least recently used beyond [`Bounds::max_size`] | go                                                       |
//!
//! Where a key has two results, that of this build wins: its later steps stand on it. When all that would change is times
//! of use that are recent anyway, nothing is written.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::index::{CacheIndex, INDEX_LIMIT, MOST_RECORDS, Record};

/// How exactly times of use are kept: less is not worth a new manifest.
const USE_GRAIN: u64 = 24 * 60 * 60;

/// How large a cache may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of all blobs together.
    pub max_size: u64,
    /// How long a result is kept that no build has used.
    pub max_age: Duration,
}

impl Default for Bounds {
    /// 10 GiB, and 30 days.
    fn default() -> Self {
        Self { max_size: 10 << 30, max_age: Duration::from_secs(30 * 24 * 60 * 60) }
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Merged {
    pub(crate) index: CacheIndex,
    /// Whether it must be written.
    pub(crate) is_changed: bool,
    /// How many records of the build were not there before.
    pub(crate) new: usize,
    /// How many records of the build had no room.
    pub(crate) left_out: usize,
    /// How many others are gone.
    pub(crate) removed: usize,
}

/// Adds the records of a build to what is there. When there is not enough room, the first of `ours` have it.
pub(crate) fn merge(there: &CacheIndex, ours: &[Record], bounds: &Bounds, now: u64) -> Merged {
    let mut own: BTreeMap<_, usize> = BTreeMap::new();
    for (place, record) in ours.iter().enumerate() {
        own.entry(&record.key).or_insert(place);
    }
    // A clock that is ahead must not make a record last for ever.
    let used = |record: &Record| record.used.min(now);
    let oldest = now.saturating_sub(bounds.max_age.as_secs());
    let others = there.records.values().filter(|record| !own.contains_key(&record.key));
    let mut others: Vec<Record> = others
        .filter(|record| used(record) >= oldest)
        .map(|record| Record { used: used(record), ..record.clone() })
        .collect();
    others.sort_by(|one, other| other.used.cmp(&one.used).then_with(|| one.key.cmp(&other.key)));
    let mut first: Vec<usize> = own.values().copied().collect();
    first.sort_unstable();
    let first = first.into_iter().map(|place| Record { used: now, ..ours[place].clone() });

    let mut room = Room::new(bounds.max_size);
    let own_records: Vec<Record> = first.filter(|record| room.takes(record)).collect();
    let left_out = own.len() - own_records.len();
    let others: Vec<Record> = others.into_iter().filter(|record| room.takes(record)).collect();

    let is_new = |record: &&Record| !there.records.contains_key(&record.key);
    let new = own_records.iter().filter(is_new).count();
    let own_before = own.keys().filter(|key| there.records.contains_key(**key)).count();
    let removed = there.records.len() - own_before - others.len();
    let is_worth_it = |record: &Record| match there.records.get(&record.key) {
        Some(before) => {
            let is_same = (&before.layer, &before.blob) == (&record.layer, &record.blob);
            !is_same || before.used > now || now - before.used >= USE_GRAIN
        }
        None => true,
    };
    let is_changed =
        own_records.iter().any(is_worth_it) || own_records.len() + others.len() != there.records.len();
    let records = own_records.into_iter().chain(others).map(|record| (record.key.clone(), record));
    Merged { index: CacheIndex { records: records.collect() }, is_changed, new, left_out, removed }
}

/// What is left of the bounds. A blob counts once.
struct Room {
    bytes: u64,
    records: usize,
    index_bytes: u64,
    blobs: HashSet<tug_oci::Digest>,
}

impl Room {
    fn new(bytes: u64) -> Self {
        Self { bytes, records: MOST_RECORDS, index_bytes: INDEX_LIMIT - 100, blobs: HashSet::new() }
    }

    /// Whether there is room for a record; if so, it has it from now on.
    fn takes(&mut self, record: &Record) -> bool {
        let encoded = serde_json::to_vec(record).map_or(u64::MAX, |bytes| bytes.len() as u64 + 1);
        let bytes = if self.blobs.contains(&record.blob.digest) { 0 } else { record.blob.size };
        if self.records == 0 || encoded > self.index_bytes || bytes > self.bytes {
            return false;
        }
        self.records -= 1;
        self.index_bytes -= encoded;
        self.bytes -= bytes;
        self.blobs.insert(record.blob.digest.clone());
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::index::tests::{index, record};
    use super::*;

    const DAY: u64 = 24 * 60 * 60;
    const NOW: u64 = 1_000 * DAY;

    fn bounds(max_size: u64, days: u64) -> Bounds {
        Bounds { max_size, max_age: Duration::from_secs(days * DAY) }
    }

    #[test]
    fn what_others_have_put_there_stays() {
        let there = index([record("theirs", "x", 10, NOW - DAY), record("same", "y", 10, NOW - 3 * DAY)]);
        let ours = [record("same", "y", 10, 0), record("ours", "z", 10, 0)];
        let merged = merge(&there, &ours, &Bounds::default(), NOW);
        assert_eq!((merged.new, merged.removed, merged.left_out, merged.is_changed), (1, 0, 0, true));
        let used: Vec<u64> = ["theirs", "same", "ours"]
            .map(|key| merged.index.records[&tug_oci::Digest::of(key.as_bytes())].used)
            .to_vec();
        assert_eq!(used, [NOW - DAY, NOW, NOW]);
    }

    #[test]
    fn of_two_results_that_of_this_build_wins() {
        let there = index([record("key", "old", 10, NOW)]);
        let merged = merge(&there, &[record("key", "new", 10, 0)], &Bounds::default(), NOW);
        assert_eq!(merged.index, index([record("key", "new", 10, NOW)]));
        assert_eq!((merged.new, merged.removed, merged.is_changed), (0, 0, true));
    }

    #[test]
    fn a_build_that_found_everything_writes_nothing_for_a_day() {
        let there = index([record("a", "x", 10, NOW), record("b", "y", 10, NOW)]);
        let ours = [record("a", "x", 10, 0), record("b", "y", 10, 0)];
        for (later, is_changed) in [(0, false), (DAY - 1, false), (DAY, true)] {
            assert_eq!(
                merge(&there, &ours, &Bounds::default(), NOW + later).is_changed,
                is_changed,
                "{later}"
            );
        }
        assert!(!merge(&there, &[], &Bounds::default(), NOW).is_changed);
    }

    #[test]
    fn what_nobody_used_for_long_goes() {
        let there = index([record("old", "x", 10, NOW - 8 * DAY), record("young", "y", 10, NOW - 6 * DAY)]);
        let merged = merge(&there, &[], &bounds(1000, 7), NOW);
        assert_eq!(merged.index, index([record("young", "y", 10, NOW - 6 * DAY)]));
        assert_eq!((merged.removed, merged.is_changed), (1, true));
        let merged = merge(&there, &[record("old", "x", 10, 0)], &bounds(1000, 7), NOW);
        assert_eq!(merged.removed, 0, "the build has used it");
    }

    #[test]
    fn the_least_recently_used_goes_first_and_a_blob_counts_once() {
        let there = index([
            record("a", "x", 40, NOW - 3 * DAY),
            record("b", "y", 40, NOW - 2 * DAY),
            record("c", "y", 40, NOW - 4 * DAY),
        ]);
        let merged = merge(&there, &[record("d", "z", 40, 0)], &bounds(100, 30), NOW);
        let layers: Vec<_> = merged.index.blobs().into_iter().map(|blob| blob.size).collect();
        assert_eq!((layers.len(), merged.index.records.len(), merged.removed), (2, 3, 1));
        assert!(!merged.index.records.contains_key(&tug_oci::Digest::of(b"a")), "b and c share a blob");
    }

    #[test]
    fn one_that_is_too_large_does_not_drive_out_the_others() {
        let there = index([record("a", "x", 40, NOW - DAY)]);
        let ours = [record("first", "y", 30, 0), record("huge", "z", 1000, 0), record("last", "w", 30, 0)];
        let merged = merge(&there, &ours, &bounds(100, 30), NOW);
        assert_eq!((merged.new, merged.left_out, merged.removed), (2, 1, 0));
    }

    #[test]
    fn a_clock_that_is_ahead_keeps_nothing_for_ever() {
        let there = index([record("a", "x", 10, u64::MAX)]);
        let merged = merge(&there, &[record("b", "y", 10, 0)], &bounds(1000, 7), NOW);
        assert_eq!(merged.index.records[&tug_oci::Digest::of(b"a")].used, NOW);
    }

    #[test]
    fn there_are_never_more_records_than_are_read() {
        let there = index((0..MOST_RECORDS).map(|number| record(&format!("{number}"), "x", 1, NOW - DAY)));
        let merged = merge(&there, &[record("ours", "y", 1, 0)], &Bounds::default(), NOW);
        assert_eq!((merged.index.records.len(), merged.removed, merged.new), (MOST_RECORDS, 1, 1));
        assert!(CacheIndex::parse(&merged.index.encode()).is_ok());
    }

    fn records() -> impl Strategy<Value = Vec<Record>> {
        let one = (0..12_u8, 0..6_u8, 0..20_u64).prop_map(|(key, layer, days)| {
            record(&format!("k{key}"), &format!("l{layer}"), u64::from(layer) * 10, NOW - days * DAY)
        });
        proptest::collection::vec(one, 0..12)
    }

    proptest! {
        #[test]
        fn the_bounds_hold_and_merging_again_changes_nothing(there in records(), ours in records(), size in 0..100_u64) {
            let (there, bounds) = (index(there), bounds(size, 10));
            let merged = merge(&there, &ours, &bounds, NOW);
            let bytes: u64 = merged.index.blobs().into_iter().map(|blob| blob.size).sum();
            prop_assert!(bytes <= size);
            prop_assert!(merged.index.records.values().all(|record| record.used >= NOW - 10 * DAY));
            let again = merge(&merged.index, &ours, &bounds, NOW);
            prop_assert!(!again.is_changed);
            prop_assert_eq!(again.index, merged.index);
        }
    }
}
