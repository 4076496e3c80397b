//! A bake file as a tree with places: the same one for HCL and for JSON.

mod expression;
mod hcl;
mod json;
mod strip;

pub(crate) use expression::{
    Binary, Call, Condition, Expression, For, Kind, ObjectItem, Piece, Step, Unary, parse_expression,
};
pub(crate) use json::parse as parse_json;

use crate::error::Result;
use crate::source::{File, Place};

pub(crate) use hcl::parse as parse_hcl;

/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: usize = 4 << 20;

/// What stands between braces, or in a whole file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) blocks: Vec<Block>,
}

impl Body {
    /// The attribute with that name.
    pub(crate) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }
}

/// `name = value`.
#[derive(Clone, Debug)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) name_place: Place,
    pub(crate) value: Expression,
}

/// `kind "label" { … }`.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) kind: String,
    pub(crate) kind_place: Place,
    pub(crate) labels: Vec<Label>,
    pub(crate) body: Body,
}

/// The name of a block.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub(crate) text: String,
    pub(crate) place: Place,
}

/// Refuses what is too large to be a bake file.
pub(crate) fn check_size(file: &File, index: usize) -> Result<()> {
    if file.text.len() > MAX_FILE_BYTES {
        let place = Place::new(index, None);
        let message = format!("`{}` is larger than {} MiB", file.name, MAX_FILE_BYTES >> 20);
        return Err(crate::Problem::at(place, message));
    }
    Ok(())
}
