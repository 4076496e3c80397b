//! Values of flags, parsed once, where the command line is read.

use std::str::FromStr;

use tug_oci::{Reference, ReferenceError};

use crate::environment::Environment;

/// What names an image that exists: a reference, or the digits of an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageName(String);

impl ImageName {
    /// As it was typed.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The reference, if it can be one.
    pub(crate) fn reference(&self) -> Option<Reference> {
        self.0.parse().ok()
    }
}

impl FromStr for ImageName {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let is_id = (1..=64).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if !is_id {
            text.parse::<Reference>()?;
        }
        Ok(Self(text.to_owned()))
    }
}

/// A name to give to an image: no digest, since that follows from the image, and nothing that could be taken for one.
pub(crate) fn new_name(text: &str) -> Result<Reference, String> {
    let name: Reference = text.parse().map_err(|error: ReferenceError| error.to_string())?;
    let repository = text.split(':').next().unwrap_or(text);
    let is_like_an_id = repository.len() == 64 && repository.bytes().all(|byte| byte.is_ascii_hexdigit());
    match name.digest() {
        Some(_) => Err(format!("`{text}` has a digest, and an image cannot be given one")),
        None if repository == "scratch" => {
            Err(format!("`{text}` is what FROM calls no image at all: choose another name"))
        }
        None if is_like_an_id || matches!(repository, "sha256" | "sha512") => {
            Err(format!("`{text}` would be taken for a digest: choose another name"))
        }
        None => Ok(name),
    }
}

/// `NAME=VALUE`, or `NAME` alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// Not empty.
    pub(crate) name: String,
    /// Absent when there is no `=`.
    pub(crate) value: Option<String>,
}

impl Assignment {
    /// Name and value; without `=` it is that of the environment, and without one there, nothing.
    pub(crate) fn pair(&self, environment: &Environment) -> Option<(String, String)> {
        let value = self
            .value
            .clone()
            .or_else(|| environment.named(&self.name).map(|value| value.to_string_lossy().into_owned()))?;
        Some((self.name.clone(), value))
    }
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        if name.is_empty() || name.contains('\0') {
            return Err(format!("`{text}` has no name: expected `NAME=VALUE`"));
        }
        Ok(Self { name: name.to_owned(), value })
    }
}

/// A time in seconds since 1970, within the calendar.
pub(crate) fn seconds(text: &str) -> Result<i64, String> {
    let seconds = text.parse().map_err(|_| format!("`{text}` is not a number of seconds"))?;
    match jiff::Timestamp::from_second(seconds) {
        Ok(_) => Ok(seconds),
        Err(_) => Err(format!("`{text}` seconds since 1970 are outside of the calendar")),
    }
}

/// A number of bytes: `512m`, `1.5g`, `1073741824`. The steps are of 1024, as in docker.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let factor: u64 = match lower[digits.len()..].trim_end_matches("ib").trim_end_matches('b') {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        _ => return Err(format!("`{text}` is not a size: expected a number and `b`, `k`, `m`, `g` or `t`")),
    };
    let number: f64 = digits
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite() && *number >= 0.0)
        .ok_or_else(|| format!("`{text}` is not a size: expected for example `512m`"))?;
    let bytes = number * factor as f64;
    if bytes >= i64::MAX as f64 {
        return Err(format!("`{text}` is larger than any machine"));
    }
    Ok(bytes as u64)
}

/// A limit on memory; 0 for none. With less than docker allows, not even the process that starts the command fits.
pub(crate) fn memory(text: &str) -> Result<u64, String> {
    match bytes(text)? {
        1..LEAST_MEMORY => Err(format!("`{text}` is too little memory: expected at least `6m`")),
        bytes => Ok(bytes),
    }
}

const LEAST_MEMORY: u64 = 6 << 20;

/// A limit on processes; 0 for none, which docker also writes as -1.
pub(crate) fn processes(text: &str) -> Result<u64, String> {
    match text {
        "-1" => Ok(0),
        _ => text
            .parse()
            .map_err(|_| format!("`{text}` is not a number of processes: expected for example `100`")),
    }
}

/// A number of processors: `1.5`.
pub(crate) fn processors(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|number: &f64| number.is_finite() && *number > 0.0 && *number < 1e6)
        .ok_or_else(|| format!("`{text}` is not a number of processors: expected for example `1.5`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_named_by_reference_or_id() {
        for good in ["debian", "debian:12", "localhost:5000/a/b:c", "ab12", "sha256:ab12", "0"] {
            assert!(good.parse::<ImageName>().is_ok(), "{good}");
        }
        for bad in ["", "App", "a b", "debian:", "../x", "--x"] {
            assert!(bad.parse::<ImageName>().is_err(), "{bad}");
        }
        assert!(new_name(&format!("a@sha256:{}", "0".repeat(64))).unwrap_err().contains("has a digest"));
        assert!(new_name("scratch:1").unwrap_err().contains("no image at all"));
        assert!(new_name("team/scratch").is_ok());
        for digest in ["sha256:abc".to_owned(), "0".repeat(64), format!("{}:1", "a".repeat(64))] {
            assert!(new_name(&digest).unwrap_err().contains("taken for a digest"), "{digest}");
        }
    }

    #[test]
    fn times_stay_within_the_calendar() {
        assert_eq!((seconds("0"), seconds("-5")), (Ok(0), Ok(-5)));
        for bad in ["", "x", "1.5", "99999999999999", "99999999999999999999"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_assignment_may_lack_its_value() {
        let parse = |text: &str| text.parse::<Assignment>().map(|found| (found.name, found.value));
        assert_eq!(parse("A=b=c"), Ok(("A".to_owned(), Some("b=c".to_owned()))));
        assert_eq!(parse("A="), Ok(("A".to_owned(), Some(String::new()))));
        assert_eq!(parse("A"), Ok(("A".to_owned(), None)));
        assert!(parse("=a").is_err());
    }

    #[test]
    fn sizes_count_as_dockers_do() {
        for (text, expected) in [
            ("0", 0),
            ("512", 512),
            ("1k", 1024),
            ("512m", 512 << 20),
            ("1.5g", 3 << 29),
            ("2GiB", 2 << 30),
            ("7b", 7),
        ] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for bad in ["", "m", "-1", "1x", "1e999", "9999999999g", "nan", "0x10"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
        assert!(memory("6m").is_ok() && memory("0").is_ok() && memory("5.9m").is_err());
        assert!(processes("-1") == Ok(0) && processes("7") == Ok(7) && processes("-2").is_err());
        assert!(processors("0").is_err() && processors("x").is_err() && processors("2") == Ok(2.0));
    }
}
