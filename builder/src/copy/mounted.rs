//! Files that a RUN mounts: found in the same way as sources of COPY, but without wildcards, and with what of them is
//! seen in the key.

use std::ops::Range;
use std::sync::Arc;

use tug_oci::Hasher;

use super::inputs::{Facts, escaped};
use super::select::{self, Selected};
use super::{CopyError, select_error};
use crate::cancel::Cancel;
use crate::files::Files;
use crate::key::{Input, Inputs};

/// Of a stage or image, more files than this are one input of the key: a whole root file system would make its record
/// larger than it is worth.
const MOST_INPUTS: usize = 1000;

/// Files of a context, a stage or an image.
pub(crate) struct Mounted {
    pub files: Arc<dyn Files>,
    pub selected: Selected,
    pub is_context: bool,
}

impl Mounted {
    /// Finds what is at `path`, and the content of everything there. `place` is for messages: `the context`.
    pub(crate) fn find(
        files: Arc<dyn Files>,
        is_context: bool,
        path: &str,
        place: &str,
        span: &Range<usize>,
        cancel: &Cancel,
    ) -> Result<Self, CopyError> {
        let selected = select::select_one(&*files, path).map_err(|error| select_error(error, span, place))?;
        select::hash(&*files, std::slice::from_ref(&selected), cancel)?;
        Ok(Self { files, selected, is_context })
    }

    /// Adds everything to `inputs` that a command can see of it, but for times. `name` is what the Dockerfile calls the
    /// place that the files are in.
    pub(crate) fn add_inputs(&self, name: &str, inputs: &mut Inputs) {
        let facts = Facts { owner: !self.is_context, xattrs: !self.is_context, mode: true };
        let mut found = Inputs::default();
        let item = &self.selected.item;
        // The mode of the folder that somebody works in says nothing: it is always shown as 755.
        if item.is_directory() && !(self.is_context && item.path.is_empty()) {
            found.content(format!("{}/", escaped(&item.path)), facts.of(item, None));
        }
        facts.add(&self.selected, &mut found);
        let found = found.into_list();
        if self.is_context || found.len() <= MOST_INPUTS {
            let prefix = if name.is_empty() { String::new() } else { format!("{name}:") };
            for Input { name, value, .. } in found {
                inputs.content(format!("{prefix}{name}"), value);
            }
            return;
        }
        let mut hasher = Hasher::sha256();
        for Input { name, value, .. } in &found {
            for part in [name, value] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
        }
        let what = format!("{name}:/{}", escaped(&item.path));
        inputs.content(what, hasher.finish().to_string());
    }
}
