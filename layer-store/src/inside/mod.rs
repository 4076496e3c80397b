//! Looking into images: what changed between two, what is in the way, what is installed.
//!
//! All of it works on tables of contents. Content is read only where the names do not tell: lists of packages.
//!
//! | module      | question                                                                    |
//! | ----------- | --------------------------------------------------------------------------- |
//! | `walk`      | what is there, in order                                                     |
//! | `changes`   | which paths are not the same in two trees, and in what                      |
//! | `waste`     | which bytes of the layers nobody can reach, and which are there twice       |
//! | `leftovers` | which files are caches that somebody forgot                                 |
//! | `packages`  | what package managers have installed                                        |

mod changes;
mod leftovers;
mod packages;
mod walk;
mod waste;

pub use changes::{ChangedAspect, FileChange};
pub use leftovers::LeftoverKind;
pub use packages::{Package, PackageKind, Packages};
pub use walk::Walk;
pub use waste::{Duplicate, Hidden, HiddenBy, Leftover, Score, Waste};
