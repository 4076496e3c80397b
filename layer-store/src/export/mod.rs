//! Files out of the store: a merged tree, or a part of one, as a tar or as files in a folder.

mod folder;
mod part;
mod tar;

pub use folder::{FolderOptions, WrittenFolder};
pub use part::Part;
