//! Everything that an expression can name: variables, functions, and attributes of other blocks.
//!
//! It is filled from the files once, and then only looked at. What was worked out is kept, so that each variable and each
//! attribute is evaluated once.

mod blocks;
mod cycle;
mod load;
mod variables;

use std::cell::RefCell;
use std::collections::BTreeMap;

pub(crate) use blocks::Instance;
pub(crate) use load::load;
pub use variables::Variable;

use crate::Inputs;
use crate::evaluate::Budget;
use crate::syntax::{Attribute, Block, Expression, Label};
use crate::value::Value;
use cycle::Running;

/// What surrounds a definition, besides its files.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// Seconds since 1970, for `timestamp()`.
    pub(crate) now: i64,
    /// For `homedir()`.
    pub(crate) home: String,
    /// For `uuidv4()`.
    pub(crate) seed: u64,
    /// How many random values were given out.
    pub(crate) drawn: std::cell::Cell<u64>,
}

/// All names of a definition.
pub(crate) struct World<'a> {
    pub(crate) inputs: &'a Inputs,
    pub(crate) surroundings: Surroundings,
    pub(crate) budget: Budget,
    pub(crate) running: Running,
    variables: BTreeMap<String, VariableBlock>,
    attributes: BTreeMap<String, Attribute>,
    functions: BTreeMap<String, Function>,
    /// The blocks `target` and `group` of all files, in order.
    blocks: Vec<Block>,
    /// What became of the blocks `target` after their matrices.
    instances: RefCell<Vec<Instance>>,
    values: RefCell<BTreeMap<String, Value>>,
}

/// A `variable` block.
#[derive(Clone, Debug)]
pub(crate) struct VariableBlock {
    pub(crate) label: Label,
    pub(crate) default: Option<Expression>,
    pub(crate) kind: Option<Expression>,
    pub(crate) description: Option<Expression>,
    pub(crate) validations: Vec<Validation>,
}

/// A condition that a variable must meet.
#[derive(Clone, Debug)]
pub(crate) struct Validation {
    pub(crate) condition: Expression,
    pub(crate) message: Option<Expression>,
}

/// A `function` block.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) parameters: Vec<String>,
    pub(crate) variadic: Option<String>,
    pub(crate) result: Expression,
}

impl World<'_> {
    /// A function of the definition.
    pub(crate) fn function(&self, name: &str) -> Option<&Function> {
        self.functions.get(name)
    }

    /// The names of its functions.
    pub(crate) fn function_names(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(String::as_str)
    }

    /// Whether `kind.name.attribute` speaks of blocks.
    pub(crate) fn has_blocks(kind: &str) -> bool {
        matches!(kind, "target" | "group")
    }

    /// The blocks `target` and `group`, in the order of the files.
    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }
}
