//! Root file systems out of the store: a whole merged tree as a tar, or as files in a folder.

mod folder;
mod tar;

pub use folder::{FolderOptions, WrittenFolder};
