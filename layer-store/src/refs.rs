//! Refs: names that point to images.
//!
//! They live in `index.json`, as image layouts have them: one descriptor for each name, with two annotations.
//!
//! | annotation                          | value                           | who reads it                        |
//! | ----------------------------------- | ------------------------------- | ----------------------------------- |
//! | `org.opencontainers.image.ref.name` | `debian:12`, as people write it | `skopeo … oci:STORE:debian:12`, umoci |
//! | `io.containerd.image.name`          | `docker.io/library/debian:12`   | we, containerd, docker, podman      |
//!
//! The whole name stands in the first one too, not the bare tag: a store has many repositories, and `12` would be
//! ambiguous. Where the two disagree, the first one counts: see `names_of`. An entry of another tool that has only the first is read as if a person had typed it. Entries that are
//! not understood are kept as they are, and so is every field that is not ours.
//!
//! `index.json` is read and replaced under a lock, and replaced by rename: readers need no lock, and no update of one
//! tug is lost to another.

use std::path::Path;

use serde_json::{Map, Value};
use tug_oci::{Descriptor, Digest, IMAGE_NAME, REF_NAME, Reference, json_reason};

use crate::error::{Error, Result, failed};
use crate::file::{self, Durability};
use crate::lock::Lock;
use crate::store::Store;

/// Some hundred thousand entries.
const INDEX_LIMIT: u64 = 64 * 1024 * 1024;
const INDEX_FILE: &str = "index.json";

impl Store {
    /// Lets `name` point to an image. What it pointed to before loses that name.
    pub fn tag(&self, name: &Reference, image: &Descriptor) -> Result<()> {
        self.tag_all(&[(name.clone(), image.clone())])
    }

    /// Lets several names point to images, all at once or not at all.
    pub fn tag_all(&self, refs: &[(Reference, Descriptor)]) -> Result<()> {
        self.pin(refs.iter().map(|(_, image)| &image.digest));
        self.change_index(|entries| {
            for (name, image) in refs {
                let new = IndexEntry::named(name, image);
                let nameless = IndexEntry::nameless(image);
                entries.retain(|entry| entry.value != nameless.value);
                let same_name = entries.iter().filter(|entry| entry.name.as_ref() == Some(name));
                if !same_name.map(|entry| &entry.value).eq([&new.value]) {
                    entries.retain(|entry| entry.name.as_ref() != Some(name));
                    entries.push(new);
                }
            }
        })
    }

    /// Keeps an image that has no name from being taken for garbage, until it gets one or [`Store::forget`].
    pub fn keep(&self, image: &Descriptor) -> Result<()> {
        self.pin([&image.digest]);
        self.change_index(|entries| {
            if !entries.iter().any(|entry| entry.points_to(&image.digest)) {
                entries.push(IndexEntry::nameless(image));
            }
        })
    }

    /// Takes a name away. Returns what it pointed to; `None` when there was no such name.
    pub fn untag(&self, name: &Reference) -> Result<Option<Descriptor>> {
        let mut removed = None;
        self.shorten_index(|entries| {
            if let Some(place) = entries.iter().position(|entry| entry.name.as_ref() == Some(name)) {
                removed = entries.remove(place).image;
            }
        })?;
        Ok(removed)
    }

    /// Takes all names of an image away, and the mark of [`Store::keep`]. Returns the names.
    pub fn forget(&self, image: &Digest) -> Result<Vec<Reference>> {
        self.forget_all(std::slice::from_ref(image))
    }

    /// The same for several images, all at once or not at all.
    pub(crate) fn forget_all(&self, images: &[Digest]) -> Result<Vec<Reference>> {
        let mut names = Vec::new();
        if images.is_empty() {
            return Ok(names);
        }
        self.shorten_index(|entries| {
            let is_meant = |entry: &IndexEntry| images.iter().any(|image| entry.points_to(image));
            let (removed, kept) = std::mem::take(entries).into_iter().partition(is_meant);
            *entries = kept;
            let removed: Vec<IndexEntry> = removed;
            names = removed.into_iter().filter_map(|entry| entry.name).collect();
        })?;
        Ok(names)
    }

    /// What a name points to.
    ///
    /// A name with a digest also finds an image of the same repository that has this digest under another name.
    pub fn resolve(&self, name: &Reference) -> Result<Option<Descriptor>> {
        self.pinning(|store, pinned| {
            let found = store.find_ref(name)?;
            pinned.extend(found.iter().map(|image| image.digest.clone()));
            Ok(found)
        })
    }

    fn find_ref(&self, name: &Reference) -> Result<Option<Descriptor>> {
        let entries = Index::read(&self.path(INDEX_FILE))?.entries;
        let exact = entries.iter().find(|entry| entry.name.as_ref() == Some(name));
        let found = exact.or_else(|| {
            let digest = name.digest()?;
            let same_repository = |other: &Reference| {
                (other.registry(), other.repository()) == (name.registry(), name.repository())
            };
            entries
                .iter()
                .find(|entry| entry.points_to(digest) && entry.name.as_ref().is_some_and(same_repository))
        });
        match found.and_then(|entry| entry.image.clone()) {
            None => self.elsewhere(|other| other.resolve(name)),
            found => Ok(found),
        }
    }

    /// All names and what they point to, sorted by name.
    pub fn refs(&self) -> Result<Vec<(Reference, Descriptor)>> {
        let entries = Index::read(&self.path(INDEX_FILE))?.entries.into_iter();
        let mut refs: Vec<_> = entries.filter_map(|entry| Some((entry.name?, entry.image?))).collect();
        refs.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(refs)
    }

    /// Everything that the index points to: named, nameless, and put there by other tools.
    pub(crate) fn roots(&self) -> Result<Vec<(Option<Reference>, Descriptor)>> {
        let entries = Index::read(&self.path(INDEX_FILE))?.entries.into_iter();
        Ok(entries.filter_map(|entry| Some((entry.name, entry.image?))).collect())
    }

    /// Writes an index anew that cannot be read: with the entries in it that can, and without a name, with every image
    /// that nothing else leads to. What was there is kept beside it.
    pub(crate) fn salvage_index(&self) -> Result<()> {
        let _lock = Lock::exclusive(&self.path("locks/index"))?;
        let path = self.path(INDEX_FILE);
        if Index::read(&path).is_ok() {
            return Ok(());
        }
        let bytes = file::read_small(&path, INDEX_LIMIT)?.unwrap_or_default();
        let mut entries = salvaged(&bytes);
        for image in self.images_without_index()? {
            if !entries.iter().any(|entry| entry.points_to(&image.digest)) {
                entries.push(IndexEntry::nameless(&image));
            }
        }
        if path.exists() {
            let aside = self.path("index.json.damaged");
            std::fs::rename(&path, &aside).map_err(failed("rename", &path))?;
        }
        file::replace(&path, &self.path("ingest"), &index_bytes(&entries), Durability::Synced)
    }

    /// Takes entries away, also on a full disk.
    fn shorten_index(&self, mut change: impl FnMut(&mut Vec<IndexEntry>)) -> Result<()> {
        self.with_reserve(|| self.change_index(&mut change))
    }

    fn change_index(&self, change: impl FnOnce(&mut Vec<IndexEntry>)) -> Result<()> {
        if self.is_read_only() {
            return Err(Error::ReadOnly { action: "change", path: self.path(INDEX_FILE) });
        }
        let _lock = Lock::exclusive(&self.path("locks/index"))?;
        let mut index = Index::read(&self.path(INDEX_FILE))?;
        let before = index.to_bytes();
        change(&mut index.entries);
        let after = index.to_bytes();
        if after == before {
            return Ok(());
        }
        file::replace(&self.path(INDEX_FILE), &self.path("ingest"), &after, Durability::Synced)
    }
}

/// Makes an index without entries when there is none. Where there are blobs, one has been lost: everything would look
/// like garbage then.
pub(crate) fn make_index(root: &Path) -> Result<()> {
    if root.join(INDEX_FILE).exists() {
        return Ok(());
    }
    let _lock = Lock::exclusive(&root.join("locks/index"))?;
    if root.join(INDEX_FILE).exists() {
        return Ok(());
    }
    let blobs = root.join("blobs/sha256");
    if std::fs::read_dir(&blobs).map_err(failed("list", &blobs))?.next().is_some() {
        let reason = "it is missing, though there are images".to_owned();
        return Err(Error::Damaged { path: root.join(INDEX_FILE), reason });
    }
    file::replace(&root.join(INDEX_FILE), &root.join("ingest"), &index_bytes(&[]), Durability::Synced)
}

/// An index of its own with these entries.
pub(crate) fn index_bytes(entries: &[IndexEntry]) -> Vec<u8> {
    Index { fields: Map::new(), entries: entries.to_vec() }.to_bytes()
}

/// The index at `path`, which may be missing, with these entries added; names in it that are added go.
pub(crate) fn merge_index(path: &Path, added: &[IndexEntry]) -> Result<Vec<u8>> {
    if !path.exists() {
        return Ok(index_bytes(added));
    }
    let mut index = Index::read(path)?;
    index.entries.retain(|entry| !added.iter().any(|new| new.replaces(entry)));
    index.entries.extend_from_slice(added);
    Ok(index.to_bytes())
}

/// The descriptors that stand whole in a text.
fn salvaged(bytes: &[u8]) -> Vec<IndexEntry> {
    let mut entries = Vec::new();
    let mut at = 0;
    while let Some(brace) = bytes[at..].iter().position(|&byte| byte == b'{') {
        at += brace;
        let mut values = serde_json::Deserializer::from_slice(&bytes[at..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                let entry = IndexEntry::parse(value);
                if entry.image.is_some() {
                    entries.push(entry);
                    at += values.byte_offset();
                    continue;
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    entries
}

/// `index.json`, with everything in it that others wrote.
struct Index {
    fields: Map<String, Value>,
    entries: Vec<IndexEntry>,
}

/// One entry of `index.json`.
#[derive(Clone)]
pub(crate) struct IndexEntry {
    /// As it stands in the file.
    value: Value,
    /// As we understand it.
    image: Option<Descriptor>,
    name: Option<Reference>,
}

impl Index {
    fn read(path: &Path) -> Result<Self> {
        let damaged = |reason: String| Error::Damaged { path: path.to_owned(), reason };
        let bytes =
            file::read_small(path, INDEX_LIMIT)?.ok_or_else(|| damaged("it is missing".to_owned()))?;
        let mut fields: Map<String, Value> =
            serde_json::from_slice(&bytes).map_err(|error| damaged(json_reason(&error)))?;
        let entries = match fields.shift_remove("manifests") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(entries)) => entries,
            Some(_) => return Err(damaged("`manifests` is not a list".to_owned())),
        };
        Ok(Self { fields, entries: entries.into_iter().map(IndexEntry::parse).collect() })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut fields = self.fields.clone();
        fields.entry("schemaVersion").or_insert_with(|| 2.into());
        fields.entry("mediaType").or_insert_with(|| tug_oci::media_type::OCI_INDEX.into());
        let entries = self.entries.iter().map(|entry| entry.value.clone()).collect();
        fields.insert("manifests".to_owned(), Value::Array(entries));
        serde_json::to_vec(&Value::Object(fields)).expect("a JSON value can always be written")
    }
}

impl IndexEntry {
    fn parse(value: Value) -> Self {
        let mut image: Option<Descriptor> = serde_json::from_value(value.clone()).ok();
        let mut annotation = |key: &str| image.as_mut().and_then(|image| image.annotations.remove(key));
        let (full, short) = (annotation(IMAGE_NAME), annotation(REF_NAME));
        let name = names_of(full, short).into_iter().find_map(|text| text.parse().ok());
        Self { value, image, name }
    }

    pub(crate) fn named(name: &Reference, image: &Descriptor) -> Self {
        Self::written(name, None, image)
    }

    /// The same, where the name was written in another way, if it was.
    pub(crate) fn written(name: &Reference, written: Option<&str>, image: &Descriptor) -> Self {
        let mut noted = image.clone();
        noted.annotations.insert(REF_NAME.to_owned(), written.map_or_else(|| name.familiar(), str::to_owned));
        noted.annotations.insert(IMAGE_NAME.to_owned(), name.to_string());
        Self { value: to_value(&noted), image: Some(image.clone()), name: Some(name.clone()) }
    }

    pub(crate) fn nameless(image: &Descriptor) -> Self {
        Self { value: to_value(image), image: Some(image.clone()), name: None }
    }

    /// Whether this takes the place of `other`: the same name, or the same image without one.
    fn replaces(&self, other: &Self) -> bool {
        match &self.name {
            Some(_) => self.name == other.name,
            None => self.value == other.value,
        }
    }

    fn points_to(&self, digest: &Digest) -> bool {
        self.image.as_ref().is_some_and(|image| image.digest == *digest)
    }
}

/// What an entry with these two annotations is called; the first name counts.
///
/// That is the full one, unless the other is about something else: then a tool that knows only that one has copied the
/// entry and named the copy, as umoci does, and the full one is left over from the original.
pub(crate) fn names_of(full: Option<String>, short: Option<String>) -> Vec<String> {
    let is_left_over = match (&full, &short) {
        (Some(full), Some(short)) => !is_short_for(short, full),
        _ => false,
    };
    let names = if is_left_over { [short, full] } else { [full, short] };
    names.into_iter().flatten().collect()
}

/// `12`, `debian:12` and `docker.io/library/debian:12` are all short for the last.
fn is_short_for(short: &str, full: &str) -> bool {
    let is_end =
        full.strip_suffix(short).is_some_and(|start| start.is_empty() || start.ends_with(['/', ':', '@']));
    let parsed = |text: &str| text.parse::<Reference>().ok();
    is_end || parsed(short).is_some_and(|short| parsed(full) == Some(short))
}

fn to_value(descriptor: &Descriptor) -> Value {
    serde_json::to_value(descriptor).expect("a descriptor has string keys and no failing parts")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::{PLAIN, store};

    fn image(text: &str) -> Descriptor {
        Descriptor::new(tug_oci::media_type::OCI_MANIFEST, Digest::of(text.as_bytes()), text.len() as u64)
    }

    fn name(text: &str) -> Reference {
        text.parse().unwrap()
    }

    #[test]
    fn the_full_name_counts_unless_somebody_has_named_a_copy_of_the_entry() {
        let first = |full: Option<&str>, short: Option<&str>| {
            names_of(full.map(str::to_owned), short.map(str::to_owned)).into_iter().next()
        };
        let full = "docker.io/library/debian:12";
        for short in ["12", "debian:12", "library/debian:12", full] {
            assert_eq!(first(Some(full), Some(short)).as_deref(), Some(full), "{short}");
        }
        for short in ["new", "2", "bian:12", "debian"] {
            assert_eq!(first(Some(full), Some(short)).as_deref(), Some(short));
        }
        assert_eq!(
            first(Some("docker.io/library/debian:latest"), Some("debian")).as_deref().map(str::len),
            Some(31)
        );
        assert_eq!(first(None, Some("x")).as_deref(), Some("x"));
        assert_eq!(first(Some(full), None).as_deref(), Some(full));
    }

    #[test]
    fn a_name_points_to_what_it_was_last_given() {
        let (_folder, store) = store();
        store.tag(&name("app"), &image("one")).unwrap();
        store.tag(&name("app:latest"), &image("two")).unwrap();
        assert_eq!(store.resolve(&name("docker.io/library/app")).unwrap(), Some(image("two")));
        assert_eq!(store.refs().unwrap(), [(name("app"), image("two"))]);
        assert_eq!(store.untag(&name("app")).unwrap(), Some(image("two")));
        assert_eq!(store.untag(&name("app")).unwrap(), None);
        assert_eq!(store.resolve(&name("app")).unwrap(), None);
    }

    #[test]
    fn a_name_with_a_digest_finds_the_image_under_its_other_names() {
        let (_folder, store) = store();
        store.tag(&name("ghcr.io/a/app:1"), &image("one")).unwrap();
        let pinned =
            |repository: &str, text: &str| name(&format!("{repository}@{}", Digest::of(text.as_bytes())));
        assert_eq!(store.resolve(&pinned("ghcr.io/a/app", "one")).unwrap(), Some(image("one")));
        assert_eq!(store.resolve(&pinned("ghcr.io/a/app", "two")).unwrap(), None);
        assert_eq!(store.resolve(&pinned("ghcr.io/b/app", "one")).unwrap(), None);
    }

    #[test]
    fn the_index_names_images_as_other_tools_expect() {
        let (_folder, store) = store();
        store.tag(&name("debian:12"), &image("one")).unwrap();
        let text = std::fs::read_to_string(store.path(INDEX_FILE)).unwrap();
        assert!(text.contains(r#""org.opencontainers.image.ref.name":"debian:12""#), "{text}");
        assert!(text.contains(r#""io.containerd.image.name":"docker.io/library/debian:12""#), "{text}");
    }

    #[test]
    fn entries_and_fields_of_other_tools_are_kept() {
        let (_folder, store) = store();
        let foreign = r#"{"schemaVersion":2,"manifests":[{"mediaType":"x/y","digest":"md5:1","size":1,"strange":[1]},
            {"mediaType":"application/vnd.oci.image.manifest.v1+json","size":3,"extra":true,"digest":"DIGEST",
             "annotations":{"org.opencontainers.image.ref.name":"tool:1","theirs":"yes"}}],"annotations":{"a":"b"}}"#;
        let foreign = foreign.replace("DIGEST", &Digest::of(b"one").to_string());
        std::fs::write(store.path(INDEX_FILE), &foreign).unwrap();
        assert_eq!(store.resolve(&name("tool:1")).unwrap().unwrap().digest, Digest::of(b"one"));
        store.tag(&name("app"), &image("two")).unwrap();
        store.untag(&name("app")).unwrap();
        let mut before: Value = serde_json::from_str(&foreign).unwrap();
        before["mediaType"] = tug_oci::media_type::OCI_INDEX.into();
        let after: Value = serde_json::from_slice(&std::fs::read(store.path(INDEX_FILE)).unwrap()).unwrap();
        assert_eq!(after, before);
    }

    #[test]
    fn an_image_without_a_name_is_kept_until_it_gets_one_or_is_forgotten() {
        let (_folder, store) = store();
        store.keep(&image("one")).unwrap();
        store.keep(&image("one")).unwrap();
        assert_eq!(store.roots().unwrap(), [(None, image("one"))]);
        store.tag(&name("app:1"), &image("one")).unwrap();
        store.tag(&name("app:2"), &image("one")).unwrap();
        store.keep(&image("one")).unwrap();
        assert_eq!(store.roots().unwrap().len(), 2, "an image with names needs no entry without one");
        assert_eq!(store.forget(&image("one").digest).unwrap(), [name("app:1"), name("app:2")]);
        assert!(store.roots().unwrap().is_empty());
    }

    #[test]
    fn a_damaged_index_is_an_error_that_names_it() {
        let (_folder, store) = store();
        for damaged in ["", "{", "[]", r#"{"manifests":{}}"#] {
            std::fs::write(store.path(INDEX_FILE), damaged).unwrap();
            let error = store.tag(&name("app"), &image("one")).unwrap_err();
            assert!(error.to_string().contains("index.json` of the store is damaged"), "{error}");
        }
    }

    #[test]
    fn a_name_that_points_there_already_is_not_written_again() {
        let (_folder, store) = store();
        store.tag(&name("app"), &image("one")).unwrap();
        store.tag(&name("other"), &image("two")).unwrap();
        let inode =
            || std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(store.path(INDEX_FILE)).unwrap());
        let before = inode();
        store.tag(&name("app"), &image("one")).unwrap();
        assert_eq!(inode(), before);
        store.tag(&name("app"), &image("two")).unwrap();
        assert_ne!(inode(), before);
        assert_eq!(store.refs().unwrap().len(), 2);
    }

    #[test]
    fn many_writers_with_stores_of_their_own_lose_nothing() {
        let (folder, first) = store();
        let root = folder.path().join("store");
        std::thread::scope(|scope| {
            for writer in 0..32 {
                let root = &root;
                scope.spawn(move || {
                    let store = Store::open(root, &PLAIN).unwrap();
                    for round in 0..4 {
                        store.tag(&name(&format!("app:{writer}-{round}")), &image("one")).unwrap();
                    }
                });
            }
        });
        assert_eq!(first.refs().unwrap().len(), 32 * 4);
    }
}
