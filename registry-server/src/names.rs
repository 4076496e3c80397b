//! The names that come in requests: repositories, tags, uploads. What is parsed here is safe as part of a path.
//!
//! Source: distribution-spec, "Pulling manifests" (the grammars of `<name>` and `<reference>`).

use std::fmt;
use std::str::FromStr;

use tug_oci::Digest;

/// The longest name of a repository, in bytes. Clients cap host and name together at 255.
const LONGEST_NAME: usize = 255;

/// The longest tag, in bytes.
const LONGEST_TAG: usize = 128;

/// Names of files in the folder of a repository that a part of a repository's name could be, too.
const RESERVED: [&str; 3] = ["blobs", "index.json", "oci-layout"];

/// Why a text is not the name of something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not the name of a repository.
    #[error(
        "`{0}` is not the name of a repository: expected parts of lower-case letters and digits, with `.`, `_`, `__` or `-` inside, joined by `/`"
    )]
    Repository(String),
    /// Longer than any client would take.
    #[error("the name of the repository has {0} bytes: at most {LONGEST_NAME} are possible")]
    RepositoryTooLong(usize),
    /// Not a tag.
    #[error(
        "`{0}` is not a tag: expected at most {LONGEST_TAG} letters, digits, `_`, `.` and `-`, beginning with none of `.` and `-`"
    )]
    Tag(String),
}

/// The name of a repository: `library/busybox`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryName(Box<str>);

impl RepositoryName {
    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder of the repository below the root of the registry: the name itself, but that a part which is also
    /// the name of a file of an image layout gets a `_` in front. No part of a name begins with `_`.
    pub(crate) fn folder(&self) -> String {
        let parts: Vec<String> = self
            .0
            .split('/')
            .map(|part| if RESERVED.contains(&part) { format!("_{part}") } else { part.to_owned() })
            .collect();
        parts.join("/")
    }

    /// One part of a name, from the name of its folder; `None` for folders that are no part of a name.
    pub(crate) fn part_of_folder(folder: &str) -> Option<&str> {
        match folder.strip_prefix('_') {
            Some(part) => RESERVED.contains(&part).then_some(part),
            None => (is_part(folder) && !RESERVED.contains(&folder)).then_some(folder),
        }
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl FromStr for RepositoryName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > LONGEST_NAME {
            return Err(NameError::RepositoryTooLong(text.len()));
        }
        if !text.split('/').all(is_part) {
            return Err(NameError::Repository(shown(text)));
        }
        Ok(Self(text.into()))
    }
}

/// Whether `text` is `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_part(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut separator = String::new();
    for byte in text.bytes() {
        match byte {
            _ if is_plain(byte) => {
                let well_formed = matches!(separator.as_str(), "" | "." | "_" | "__")
                    || separator.bytes().all(|byte| byte == b'-');
                if !well_formed {
                    return false;
                }
                separator.clear();
            }
            b'.' | b'_' | b'-' => separator.push(char::from(byte)),
            _ => return false,
        }
    }
    text.bytes().next().is_some_and(is_plain) && separator.is_empty()
}

/// The name that a manifest has in a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Box<str>);

impl Tag {
    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl FromStr for Tag {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let well_formed = text.len() <= LONGEST_TAG
            && text.bytes().next().is_some_and(is_word)
            && text.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-');
        if well_formed { Ok(Self(text.into())) } else { Err(NameError::Tag(shown(text))) }
    }
}

/// What a request calls a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// By its name.
    Tag(Tag),
    /// By its digest.
    Digest(Digest),
}

/// The name of an upload that is under way: 32 hexadecimal digits that nobody can guess.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct UploadId(Box<str>);

impl UploadId {
    /// A new one, from 16 random bytes.
    pub(crate) fn new(random: [u8; 16]) -> Self {
        Self(random.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
    }

    /// As written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// `None` when it is not the name of an upload.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let well_formed = text.len() == 32
            && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        well_formed.then(|| Self(text.into()))
    }
}

/// `text` for a message: short, and without anything that a terminal would act on.
pub(crate) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_grammar_are_taken() {
        for name in ["a", "0", "library/busybox", "a.b_c__d---e/f", "a/blobs/sha256", &"a".repeat(255)] {
            assert!(name.parse::<RepositoryName>().is_ok(), "{name} was refused");
        }
    }

    #[test]
    fn names_outside_the_grammar_are_refused() {
        for name in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "A",
            "a..b",
            "a._b",
            "a___b",
            "-a",
            "a-",
            ".",
            "..",
            "a/../b",
            "_tug",
            "a\0b",
            "a b",
            "ä",
            "a%2fb",
            &"a".repeat(256),
        ] {
            assert!(name.parse::<RepositoryName>().is_err(), "{name} was taken");
        }
    }

    #[test]
    fn tags_are_safe_as_names_of_files() {
        for tag in ["latest", "V1.2.3-rc.1", "_", "0", &"x".repeat(128)] {
            assert!(tag.parse::<Tag>().is_ok(), "{tag} was refused");
        }
        for tag in ["", ".", "..", "-a", "a/b", "a:b", "a\0", "ä", "a b", &"x".repeat(129)] {
            assert!(tag.parse::<Tag>().is_err(), "{tag} was taken");
        }
    }

    #[test]
    fn a_folder_says_which_part_of_a_name_it_is() {
        let name: RepositoryName = "a/blobs/index.json/b".parse().unwrap();
        assert_eq!(name.folder(), "a/_blobs/_index.json/b");
        for part in ["a", "blobs", "index.json", "oci-layout"] {
            let name: RepositoryName = part.parse().unwrap();
            assert_eq!(RepositoryName::part_of_folder(&name.folder()), Some(part));
        }
        for folder in ["blobs", "_tug", "_tags", "_manifests", "index.json", ".hidden", "_a"] {
            assert_eq!(RepositoryName::part_of_folder(folder), None, "{folder} was taken");
        }
    }

    #[test]
    fn only_what_we_gave_out_can_be_the_name_of_an_upload() {
        let id = UploadId::new([0xab; 16]);
        assert_eq!(UploadId::parse(id.as_str()), Some(id));
        for text in ["", "..", "../../etc/passwd", &"g".repeat(32), &"A".repeat(32), &"a".repeat(33)] {
            assert_eq!(UploadId::parse(text), None, "{text} was taken");
        }
    }
}
