//! What takes how much room in the store.
//!
//! Every file and folder of the store is counted once, in one of these places:
//!
//! | what                                             | counted as                                                      |
//! | ------------------------------------------------ | --------------------------------------------------------------- |
//! | blobs and layers that an image leads to          | of images, also those that results of steps lead to as well     |
//! | blobs and layers that only results lead to       | of the build cache, with the records themselves                 |
//! | blobs and layers that nothing leads to, `trash/`, what killed processes left in `ingest/` | unreferenced           |
//! | `cache/slots/`, `cache/files/`                   | of the build cache: explanations, remembered digests            |
//! | `mounts/`, `builds/`, `git/`                     | one item for each                                               |
//! | unfinished downloads, what is being written      | one item for each                                               |
//! | names, locks, the folders themselves             | the rest: it is never removed                                   |
//!
//! Sizes are of blocks that the file system has set aside, so their sum is what `du` says. Trees of layers are walked once:
//! see [`remembered`].

mod disk_size;
mod items;
mod parts;
mod remembered;
mod survey;

pub use disk_size::DiskSize;
pub(crate) use disk_size::{FolderSize, folder_size};
pub use items::{
    BuildUsage, DownloadUsage, ImageUsage, MountUsage, RepositoryUsage, ResultKind, ResultUsage,
};
pub(crate) use survey::Holders;
pub use survey::Survey;

use crate::error::Result;
use crate::garbage::names_in;
use crate::lease::Lease;
use crate::store::Store;

impl Store {
    /// Looks at everything in the store, while others may work in it.
    ///
    /// `kind_of` says of the bytes of a result what it is the result of: the store does not look into them.
    pub fn survey(&self, kind_of: &dyn Fn(&[u8]) -> ResultKind) -> Result<Survey> {
        self.survey_beside(kind_of, &self.leases()?)
    }

    /// The same, while others have these leases.
    pub(crate) fn survey_beside(
        &self,
        kind_of: &dyn Fn(&[u8]) -> ResultKind,
        leases: &[Lease],
    ) -> Result<Survey> {
        Survey::of(&self.unpinned(), kind_of, leases)
    }

    /// Measures trees that were not measured yet, so that [`Store::survey`] is fast.
    pub fn measure_layers(&self) -> Result<()> {
        for path in names_in(&self.path("layers"))? {
            self.go_on()?;
            remembered::remembered_size(&path);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tug_oci::{DiffId, Digest, ImageConfig, Platform};

    use super::*;
    use crate::cache_mounts::{CacheId, CacheSharing};
    use crate::image::Image;
    use crate::store::tests::store;

    fn image(store: &Store, layers: &[&str]) -> Image {
        let mut config = ImageConfig::empty(Platform::linux("amd64"));
        for layer in layers {
            let bytes = layer.as_bytes().repeat(10_000);
            let diff_id = DiffId::new(store.write_blob(&bytes).unwrap());
            let tree = store.layer_folder(&diff_id).join("tree/etc");
            std::fs::create_dir_all(&tree).unwrap();
            std::fs::write(tree.join("file"), bytes).unwrap();
            config.rootfs.diff_ids.push(diff_id);
        }
        store.write_image(config, BTreeMap::new()).unwrap()
    }

    fn survey(store: &Store) -> Survey {
        let survey = store.survey(&|_| ResultKind::Step).unwrap();
        let all = folder_size(store.root()).size;
        assert_eq!(survey.total().allocated, all.allocated, "as `du` counts");
        survey
    }

    #[test]
    fn everything_is_counted_once_as_du_counts() {
        let (_folder, store) = store();
        survey(&store);
        let (one, two) = (image(&store, &["base", "one"]), image(&store, &["base", "two"]));
        image(&store, &["nobody's"]);
        for (name, image) in [("one", &one), ("uno", &one), ("two", &two)] {
            store.tag(&name.parse().unwrap(), &image.descriptor).unwrap();
        }
        let lone = image(&store, &["of a step"]);
        let record = format!(r#"{{"layer":"{}"}}"#, lone.diff_ids()[0]);
        store.put_cache_record(&Digest::of(b"key"), record.as_bytes()).unwrap();
        store.put_cache_record(&Digest::of(b"quick key"), record.as_bytes()).unwrap();
        let shared = format!(r#"{{"layer":"{}"}}"#, one.diff_ids()[1]);
        store.put_cache_record(&Digest::of(b"other"), shared.as_bytes()).unwrap();
        store.put_last_record(&Digest::of(b"slot"), record.as_bytes()).unwrap();
        let id = CacheId { id: "npm".to_owned(), variant: String::new() };
        let mount = store.try_cache(&id, CacheSharing::Shared).unwrap().unwrap();
        let make =
            |path: &std::path::Path| std::fs::create_dir(path).map_err(crate::error::failed("create", path));
        std::fs::write(mount.directory(make).unwrap().join("a"), vec![1; 100_000]).unwrap();
        let (build, _events) = store.create_build("1").unwrap().unwrap();
        std::fs::create_dir_all(build.leftover().join("3")).unwrap();
        std::fs::create_dir_all(store.path("git/ab12")).unwrap();
        std::fs::write(store.path("git/ab12/HEAD"), "x").unwrap();
        let partial = format!("ingest/partial-sha256-{}", Digest::of(b"blob").hex());
        std::fs::write(store.path(&partial), "half").unwrap();
        std::fs::write(store.path(&format!("{partial}.ranges")), "0-3").unwrap();
        // What was thrown away on the way here is unlinked by a thread, in its own time.
        store.remove_left_behind().unwrap();
        std::fs::write(store.path("ingest/blob-dead"), "half").unwrap();
        std::fs::write(store.path("trash/old"), "old").unwrap();
        std::fs::write(store.path("blobs/sha256/README"), "not ours").unwrap();
        let _scratch = store.scratch("run").unwrap();

        let survey = survey(&store);
        let [first, second] = &survey.images[..] else { panic!("{:?}", survey.images) };
        assert_eq!(first.names.len(), 2);
        assert_eq!(second.names.len(), 1);
        assert!(first.shared == second.shared && first.shared.allocated > 2 * 40_000);
        assert!(first.reclaimable.allocated < 40_000, "its upper layer is known to a step as well");
        assert!(second.reclaimable.allocated > 2 * 30_000);
        let all = survey.images_size().allocated;
        assert!(all < first.size.allocated + second.size.allocated, "the base is counted once");
        let [of_step, of_image] = &survey.results[..] else { panic!("{:?}", survey.results) };
        let (of_step, of_image) = if of_step.shared { (of_image, of_step) } else { (of_step, of_image) };
        assert_eq!((of_step.keys.len(), of_step.shared), (2, false));
        assert!(of_step.reclaimable == of_step.size && of_step.size.allocated > 2 * 90_000);
        assert_eq!(of_image.reclaimable, of_image.own);
        assert!(survey.mounts[0].in_use && survey.builds[0].in_use && !survey.downloads[0].in_use);
        assert_eq!(survey.unreferenced_count, 5, "an image, and the documents of another one");
        assert_eq!((survey.left_behind_count, survey.working.len(), survey.repositories.len()), (2, 1, 1));
    }
}
