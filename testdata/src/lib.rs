//! Fixtures for the tests of the other crates: trees to write, listings to compare, file systems, users and
//! namespaces to run in, root file systems to start from, servers on this machine, and the corpus of build cases.
//!
//! Nothing here is shared with the code under test on purpose: the tar reader, the folder walk and the rules by
//! which layers are laid over each other are a second, simpler opinion. They hold a whole *listing* in memory,
//! never a file.
//!
//! Helpers panic with a sentence when their surroundings are not as promised: in a test, that is the failure.

pub mod bases;
pub mod build_case;
pub mod distribution;
pub mod git_server;
pub mod hostile;
pub mod image;
pub mod listing;
pub mod loop_file_system;
pub mod nginx;
pub mod place;
pub mod program;
pub mod proxy;
pub mod raw_tar;
pub mod registry_peer;
mod tar;
pub mod tree;
pub mod web_server;

pub use listing::{Detail, Listing};
pub use tree::Tree;
