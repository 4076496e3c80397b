//! Origins: in which repositories of which registries a blob was seen.
//!
//! A registry takes a blob over from another of its repositories without a byte being sent, if it is told where it is; and
//! a blob that is not in the store can be fetched from where it was. So whoever pulls or pushes notes that here.
//!
//! One file of lines, `<digest> <registry>/<repository>`, the newest last. Lines are added under a lock, in one write. When
//! it has grown long, the older half goes; garbage collection drops the lines of blobs that nothing leads to. Losing a line
//! costs time, not correctness: the blob is sent again, or the image has to be pulled again.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use tug_oci::Digest;

use crate::error::{Result, failed};
use crate::file::{self, Durability};
use crate::lock::Lock;
use crate::store::Store;

/// About 20,000 lines.
const LONGEST: u64 = 4 * 1024 * 1024;
/// So many repositories are told of one blob.
const MOST: usize = 16;

impl Store {
    /// Remembers that `origin`, a registry and a repository such as `docker.io/library/debian`, has these blobs.
    pub fn note_origins<'a>(
        &self,
        digests: impl IntoIterator<Item = &'a Digest>,
        origin: &str,
    ) -> Result<()> {
        if origin.is_empty() || origin.contains(char::is_whitespace) {
            return Ok(());
        }
        let digests: Vec<&Digest> = digests.into_iter().collect();
        // Before the lock: see `lease`.
        self.pin(digests.iter().copied());
        let _alone = Lock::exclusive(&self.path("locks/origins"))?;
        let known = self.lines()?;
        let latest: HashSet<&str> = known.lines().collect();
        let mut seen = HashSet::new();
        let mut new = String::new();
        for digest in digests {
            let line = format!("{digest} {origin}");
            if !latest.contains(line.as_str()) && seen.insert(digest) {
                new.push_str(&line);
                new.push('\n');
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        if known.len() + new.len() > LONGEST as usize {
            let middle = known.len() / 2;
            let half = known.as_bytes()[middle..].iter().position(|byte| *byte == b'\n');
            let kept = half.map_or("", |end| &known[middle + end + 1..]);
            return self.replace_lines(&format!("{kept}{new}"));
        }
        // Half a line that a power failure left must not spoil the next one.
        if !known.is_empty() && !known.ends_with('\n') {
            new.insert(0, '\n');
        }
        let path = self.origins_path();
        let mut options = OpenOptions::new();
        let opened = options.append(true).create(true).mode(0o644).open(&path);
        let written = opened.and_then(|mut file: File| {
            file.write_all(new.as_bytes())?;
            file.sync_data()
        });
        written.map_err(|error: io::Error| failed("write", path)(error))
    }

    /// The same for one blob.
    pub fn note_origin(&self, digest: &Digest, origin: &str) -> Result<()> {
        self.note_origins([digest], origin)
    }

    /// The repositories in which the blob was seen, the last first.
    pub fn origins(&self, digest: &Digest) -> Result<Vec<String>> {
        let lines = self.all_lines()?;
        let wanted = digest.to_string();
        let mut found: Vec<String> = Vec::new();
        for line in lines.lines().rev() {
            if let Some((digest, origin)) = line.split_once(' ')
                && digest == wanted
                && !found.iter().any(|known| known == origin)
            {
                found.push(origin.to_owned());
            }
        }
        found.truncate(MOST);
        Ok(found)
    }

    /// All blobs of which it is known who has them.
    pub(crate) fn seen_elsewhere(&self) -> Result<HashSet<Digest>> {
        let lines = self.all_lines()?;
        let digests = lines.lines().filter_map(|line| line.split_once(' ')?.0.parse().ok());
        Ok(digests.collect())
    }

    /// Forgets where blobs were seen that nothing leads to.
    pub(crate) fn forget_origins(&self, reachable: &HashSet<Digest>) -> Result<()> {
        let _alone = Lock::exclusive(&self.path("locks/origins"))?;
        let lines = self.lines()?;
        let is_kept = |line: &&str| {
            let digest = line.split_once(' ').and_then(|(digest, _)| digest.parse::<Digest>().ok());
            digest.is_some_and(|digest| reachable.contains(&digest))
        };
        let kept: String = lines.lines().filter(is_kept).flat_map(|line| [line, "\n"]).collect();
        if kept.len() == lines.len() { Ok(()) } else { self.replace_lines(&kept) }
    }

    /// Also those of other stores, which count less.
    fn all_lines(&self) -> Result<String> {
        let mut all = String::new();
        for store in self.others.iter().rev() {
            all += &store.lines()?;
            if !all.is_empty() && !all.ends_with('\n') {
                all.push('\n');
            }
        }
        all += &self.lines()?;
        Ok(all)
    }

    fn lines(&self) -> Result<String> {
        let path = self.origins_path();
        let mut bytes = Vec::new();
        if let Some(opened) = file::open(&path)? {
            opened.take(2 * LONGEST).read_to_end(&mut bytes).map_err(failed("read", path))?;
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn replace_lines(&self, lines: &str) -> Result<()> {
        file::replace(&self.origins_path(), &self.path("ingest"), lines.as_bytes(), Durability::Synced)
    }

    fn origins_path(&self) -> PathBuf {
        self.path("origins")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::store;

    #[test]
    fn the_last_repository_comes_first_and_each_once() {
        let (_folder, store) = store();
        let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
        assert!(store.origins(&one).unwrap().is_empty());
        store.note_origins([&one, &two, &one], "docker.io/library/debian").unwrap();
        store.note_origin(&one, "localhost:5000/app").unwrap();
        let length = std::fs::metadata(store.origins_path()).unwrap().len();
        store.note_origin(&one, "localhost:5000/app").unwrap();
        assert_eq!(std::fs::metadata(store.origins_path()).unwrap().len(), length, "it was known");
        assert_eq!(store.origins(&one).unwrap(), ["localhost:5000/app", "docker.io/library/debian"]);
        assert_eq!(store.origins(&two).unwrap(), ["docker.io/library/debian"]);
    }

    #[test]
    fn half_a_line_does_no_harm() {
        let (_folder, store) = store();
        let one = Digest::of(b"one");
        std::fs::write(store.origins_path(), b"sha256:12\xff\n\nsha256:34").unwrap();
        store.note_origin(&one, "localhost:5000/app").unwrap();
        assert_eq!(store.origins(&one).unwrap(), ["localhost:5000/app"]);
        store.note_origin(&one, "two words\n").unwrap();
        assert_eq!(store.origins(&one).unwrap().len(), 1);
    }

    #[test]
    fn it_does_not_grow_without_end_and_keeps_the_newest() {
        let (_folder, store) = store();
        let digests: Vec<Digest> = (0..4096_u32).map(|number| Digest::of(&number.to_le_bytes())).collect();
        for number in 0..16 {
            store.note_origins(&digests, &format!("localhost:5000/repository-{number}")).unwrap();
        }
        assert!(std::fs::metadata(store.origins_path()).unwrap().len() <= LONGEST);
        let found = store.origins(&digests[4095]).unwrap();
        assert_eq!(found[0], "localhost:5000/repository-15");
        assert!(found.len() < 16, "{found:?}");
    }

    #[test]
    fn what_nothing_leads_to_is_forgotten_with_the_garbage() {
        let (_folder, store) = store();
        let (kept, lost) = (Digest::of(b"kept"), Digest::of(b"lost"));
        store.note_origins([&kept, &lost], "localhost:5000/app").unwrap();
        store.put_cache_record(&Digest::of(b"key"), format!(r#"["{kept}"]"#).as_bytes()).unwrap();
        store.remove_unreferenced().unwrap().unwrap();
        assert_eq!(store.origins(&kept).unwrap().len(), 1);
        assert!(store.origins(&lost).unwrap().is_empty());
    }
}
