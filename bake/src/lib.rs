//! Reads what `docker buildx bake` reads: bake files in HCL and JSON, and the `build` of compose files.
//!
//! Text goes in, what shall be built comes out. Nothing here reads a file, the environment or a clock: [`Inputs`] holds
//! all of it, so that the same inputs always give the same [`Plan`].
//!
//! ```
//! let file = tug_bake::File {
//!     name: "docker-bake.hcl".to_owned(),
//!     text: "target \"app\" {\n  tags = [\"app:1\"]\n}\n".to_owned(),
//! };
//! let definition = tug_bake::read(&[file], &tug_bake::Inputs::default()).unwrap();
//! let plan = definition.plan(&["app".to_owned()], &[], |_| None).unwrap();
//! assert_eq!(plan.targets["app"].tags, Some(vec!["app:1".to_owned()]));
//! ```

mod attributes;
mod compose;
mod csv;
mod definition;
mod entry;
mod error;
mod evaluate;
mod functions;
mod inputs;
mod language;
mod list;
mod matrix;
mod overrides;
mod path;
mod pattern;
mod print;
mod resolve;
mod source;
mod suggest;
mod syntax;
mod target;
mod types;
mod value;
mod world;

/// Where bake looks when no file is named; all that are there are read, in this order.
pub const DEFAULT_FILES: [&str; 8] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
    "docker-bake.json",
    "docker-bake.hcl",
    "docker-bake.override.json",
    "docker-bake.override.hcl",
];

pub use definition::{Definition, read};
pub use entry::{Attest, Cache, Output, Policy, Secret, Ssh};
pub use error::{Problem, Result};
pub use inputs::Inputs;
pub use list::Offer;
pub use matrix::MAX_MATRIX;
pub use path::is_remote;
pub use resolve::Plan;
pub use source::File;
pub use syntax::MAX_FILE_BYTES;
pub use target::{Group, Target};
pub use value::{Number, Value};
pub use world::Variable;
