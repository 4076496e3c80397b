//! Which language a file is written in: its name says so, else its text.

use crate::compose::{self, Node};
use crate::error::Result;
use crate::source::File;

/// A language.
pub(crate) enum Language {
    Hcl,
    Json,
    /// A compose file, read already.
    Compose(Node),
}

/// Finds it out.
pub(crate) fn language(file: &File, index: usize) -> Result<Language> {
    let name = file.name.to_lowercase();
    if name.ends_with(".yaml") || name.ends_with(".yml") {
        return compose::parse(file, index).map(Language::Compose);
    }
    if name.ends_with(".hcl") {
        return Ok(Language::Hcl);
    }
    if name.ends_with(".json") || file.text.trim_start().starts_with('{') {
        return Ok(Language::Json);
    }
    match compose::parse(file, index) {
        Ok(root) if root.field("services").is_some() => Ok(Language::Compose(root)),
        _ => Ok(Language::Hcl),
    }
}
