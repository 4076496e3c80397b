//! YAML as a tree with places.

use crate::source::Place;

/// A value of a YAML file.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) place: Place,
    /// `!reset` or `!override` before it.
    pub(crate) tag: Tag,
}

/// What it is.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// The name of a field.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) place: Place,
}

/// What a file says about a value of the file before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tag {
    /// Merge with it.
    #[default]
    None,
    /// Take it away.
    Reset,
    /// Take its place.
    Override,
}

impl Node {
    pub(crate) fn new(content: Content, place: Place) -> Self {
        Self { content, place, tag: Tag::None }
    }

    /// A map without fields.
    pub(crate) fn empty(place: Place) -> Self {
        Self::new(Content::Map(Vec::new()), place)
    }

    /// The field of a map.
    pub(crate) fn field(&self, name: &str) -> Option<&Node> {
        match &self.content {
            Content::Map(fields) => fields.iter().find(|(key, _)| key.text == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The fields of a map; none of anything else.
    pub(crate) fn fields(&self) -> &[(Key, Node)] {
        match &self.content {
            Content::Map(fields) => fields,
            _ => &[],
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.content, Content::Null)
    }

    /// What kind of value it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.content {
            Content::Null => "nothing",
            Content::Scalar(_) => "a single value",
            Content::List(_) => "a list",
            Content::Map(_) => "a map",
        }
    }
}
