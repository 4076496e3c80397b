//! Images made of other images without a build. No layer is read, but by a squash.
//!
//! | module    | what it does                                                                        |
//! | --------- | ----------------------------------------------------------------------------------- |
//! | `images`  | applies a change to the images below a name: to one, or to all of an index           |
//! | `draft`   | what can be changed of one image: config, layers, annotations                        |
//! | `history` | keeps the history telling of the layers that are there                               |
//! | `rebase`  | the layers of another base below those of the image                                  |
//! | `merge`   | the config of a rebased image: what the image changed stays, the rest is the new base's |
//! | `append`  | layers from folders, layers moved to another place, layers that only remove          |
//!
//! What a change leaves as it was keeps its bytes, and so its digest.

mod append;
mod draft;
mod history;
mod images;
mod merge;
mod rebase;

pub use append::{FolderError, Placement};
pub use draft::Draft;
pub use history::{mark_squashed, settle_history};
pub use images::{Changed, Which};
pub use merge::{Difference, Kept};
pub use rebase::{RebaseError, Rebased};
