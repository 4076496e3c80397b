//! Configuration files, read without trust: every mistake is told with the file and the place, and no value is shown.
//!
//! Derived readers put the wrong value into their message, and it may be a password. So files are parsed into values
//! first and taken apart by hand.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::Value;

use crate::config_error::{ConfigError, Origin};

/// Far more than anybody writes by hand.
const LIMIT: u64 = 4 << 20;

/// The text of a file, if it is there.
pub(crate) fn read(path: &Path) -> Result<Option<String>, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LIMIT {
        return Err(ConfigError::TooLarge { path: path.to_owned(), limit: LIMIT });
    }
    let text = String::from_utf8(bytes).map_err(|_| ConfigError::Malformed {
        origin: path.into(),
        problem: "it is not text in UTF-8".to_owned(),
    })?;
    Ok(Some(text))
}

/// Text as JSON. Nothing at all is an empty object: some programs leave such files.
pub(crate) fn json(text: &str, origin: &Origin) -> Result<Value, ConfigError> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    serde_json::from_str(text)
        .map_err(|error| ConfigError::Malformed { origin: origin.clone(), problem: error.to_string() })
}

/// Text as TOML, its tables in the order of the file.
pub(crate) fn toml(text: &str, origin: &Origin) -> Result<Value, ConfigError> {
    let text = text.trim_start_matches('\u{feff}');
    toml::from_str(text).map_err(|error| {
        let place = error.span().map_or_else(String::new, |span| {
            let before = text.get(..span.start).unwrap_or(text);
            format!("line {}: ", before.matches('\n').count() + 1)
        });
        ConfigError::Malformed { origin: origin.clone(), problem: format!("{place}{}", error.message()) }
    })
}

/// A value in a file, which knows where it stands.
#[derive(Clone)]
pub(crate) struct Part<'a> {
    value: &'a Value,
    origin: &'a Origin,
    place: String,
}

impl<'a> Part<'a> {
    /// All of a file.
    pub(crate) fn whole(value: &'a Value, origin: &'a Origin) -> Self {
        Self { value, origin, place: String::new() }
    }

    /// Where it stands.
    pub(crate) fn origin(&self) -> &'a Origin {
        self.origin
    }

    /// A field of a table; an empty one counts as absent.
    pub(crate) fn field(&self, name: &str) -> Result<Option<Part<'a>>, ConfigError> {
        let Value::Object(map) = self.value else { return Err(self.wrong("a table")) };
        let found = map.get(name).filter(|value| !value.is_null());
        Ok(found.map(|value| self.below(name, value)))
    }

    /// The fields of a table, in their order.
    pub(crate) fn fields(&self) -> Result<Vec<(&'a str, Part<'a>)>, ConfigError> {
        let Value::Object(map) = self.value else { return Err(self.wrong("a table")) };
        Ok(map.iter().map(|(name, value)| (name.as_str(), self.below(name, value))).collect())
    }

    /// The entries of a list.
    pub(crate) fn entries(&self) -> Result<Vec<Part<'a>>, ConfigError> {
        let Value::Array(list) = self.value else { return Err(self.wrong("a list")) };
        let entry = |(at, value)| Part { value, origin: self.origin, place: format!("{}[{at}]", self.place) };
        Ok(list.iter().enumerate().map(entry).collect())
    }

    /// The entries of a list, or the one value that stands for such a list.
    pub(crate) fn one_or_more(&self) -> Result<Vec<Part<'a>>, ConfigError> {
        if self.value.is_array() { self.entries() } else { Ok(vec![self.clone()]) }
    }

    /// Whether it is a list.
    pub(crate) fn is_list(&self) -> bool {
        self.value.is_array()
    }

    /// Whether it is text.
    pub(crate) fn is_text(&self) -> bool {
        self.value.is_string()
    }

    /// The text.
    pub(crate) fn text(&self) -> Result<&'a str, ConfigError> {
        self.value.as_str().ok_or_else(|| self.wrong("text"))
    }

    /// The texts of a list.
    pub(crate) fn texts(&self) -> Result<Vec<String>, ConfigError> {
        self.entries()?.iter().map(|entry| entry.text().map(str::to_owned)).collect()
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self) -> Result<bool, ConfigError> {
        self.value.as_bool().ok_or_else(|| self.wrong("`true` or `false`"))
    }

    /// The text of a field, if it is there and not empty.
    pub(crate) fn text_of(&self, name: &str) -> Result<Option<&'a str>, ConfigError> {
        let text = self.field(name)?.map(|part| part.text()).transpose()?;
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// A field that is `false` when it is absent.
    pub(crate) fn flag_of(&self, name: &str) -> Result<bool, ConfigError> {
        Ok(self.field(name)?.map(|part| part.flag()).transpose()?.unwrap_or(false))
    }

    /// An error about this place.
    pub(crate) fn problem(&self, problem: &str) -> ConfigError {
        let place = if self.place.is_empty() { "the file".to_owned() } else { format!("`{}`", self.place) };
        ConfigError::Malformed { origin: self.origin.clone(), problem: format!("{place} {problem}") }
    }

    fn wrong(&self, expected: &str) -> ConfigError {
        self.problem(&format!("must be {expected}"))
    }

    fn below(&self, name: &str, value: &'a Value) -> Part<'a> {
        let is_plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter));
        let name = if is_plain { name.to_owned() } else { format!("\"{}\"", name.escape_debug()) };
        let place = if self.place.is_empty() { name } else { format!("{}.{name}", self.place) };
        Part { value, origin: self.origin, place }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told_with_their_place_and_without_the_text() {
        let origin = Origin::Variable("X".to_owned());
        let shown = |error: ConfigError| error.to_string();
        assert_eq!(
            shown(json("{\"auths\": {\"a\": \"hunter2\"}", &origin).unwrap_err()),
            "the variable `X` is not valid: EOF while parsing an object at line 1 column 26"
        );
        let bad = shown(toml("a = 1\nb = [hunter2", &origin).unwrap_err());
        assert!(bad.starts_with("the variable `X` is not valid: line 2: "), "{bad}");
        assert!(!bad.contains("hunter2"), "{bad}");
        let value = json("{\"auths\": {\"ghcr.io\": \"hunter2\"}, \"n\": [1]}", &origin).unwrap();
        let whole = Part::whole(&value, &origin);
        let entry = whole.field("auths").unwrap().unwrap().field("ghcr.io").unwrap().unwrap();
        assert_eq!(
            shown(entry.field("auth").err().unwrap()),
            "the variable `X` is not valid: `auths.\"ghcr.io\"` must be a table"
        );
        assert_eq!(
            shown(whole.field("n").unwrap().unwrap().texts().unwrap_err()),
            "the variable `X` is not valid: `n[0]` must be text"
        );
    }
}
