//! Values of a compose file as what a field must be.

use std::collections::BTreeMap;

use super::node::{Content, Node};
use super::wrong;
use crate::error::Result;

impl Node {
    /// As text.
    pub(super) fn text(&self) -> Result<String> {
        match &self.content {
            Content::Scalar(text) => Ok(text.clone()),
            _ => Err(wrong(self, format!("text is needed here, not {}", self.kind()))),
        }
    }

    /// As text, if there is something.
    pub(super) fn text_of(&self, name: &str) -> Result<Option<String>> {
        let field = self.field(name).filter(|field| !field.is_null());
        Ok(field.map(Node::text).transpose()?.filter(|text| !text.is_empty()))
    }

    /// As true or false.
    pub(super) fn truth_of(&self, name: &str) -> Result<Option<bool>> {
        let Some(field) = self.field(name).filter(|field| !field.is_null()) else { return Ok(None) };
        match field.text()?.to_lowercase().as_str() {
            "true" | "yes" | "on" | "y" | "1" | "t" => Ok(Some(true)),
            "false" | "no" | "off" | "n" | "0" | "f" | "" => Ok(Some(false)),
            _ => Err(wrong(field, format!("`{name}` is true or false"))),
        }
    }

    /// As a list of texts; a single text is a list of one.
    pub(super) fn texts_of(&self, name: &str) -> Result<Option<Vec<String>>> {
        match self.field(name).map(|field| (field, &field.content)) {
            None | Some((_, Content::Null)) => Ok(None),
            Some((_, Content::List(values))) => {
                values.iter().map(Node::text).collect::<Result<_>>().map(Some)
            }
            Some((field, _)) => Ok(Some(vec![field.text()?])),
        }
    }

    /// As names and values: a map, or a list of `NAME=VALUE`. A value that is not there is `None`.
    pub(super) fn pairs_of(&self, name: &str) -> Result<BTreeMap<String, Option<String>>> {
        let Some(field) = self.field(name) else { return Ok(BTreeMap::new()) };
        match &field.content {
            Content::Null => Ok(BTreeMap::new()),
            Content::Map(fields) => fields
                .iter()
                .map(|(key, value)| {
                    let value = if value.is_null() { None } else { Some(value.text()?) };
                    Ok((key.text.clone(), value))
                })
                .collect(),
            Content::List(values) => values
                .iter()
                .map(|value| {
                    let text = value.text()?;
                    Ok(match text.split_once('=') {
                        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                        None => (text, None),
                    })
                })
                .collect(),
            Content::Scalar(_) => Err(wrong(field, format!("`{name}` is a map or a list"))),
        }
    }
}
