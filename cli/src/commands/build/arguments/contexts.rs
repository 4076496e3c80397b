//! `--build-context`: further contexts by name.
//!
//! | value                                | is                                                          |
//! | ------------------------------------ | ----------------------------------------------------------- |
//! | `docker-image://NAME`                | an image, under any name that `FROM` takes                  |
//! | `oci-layout://PATH[:TAG\|@DIGEST]`   | an image of an OCI layout, a folder                         |
//! | `target:NAME`                        | what another target of a bake file makes                    |
//! | an address as `PATH` of a build      | a repository, or what is in a tar                           |
//! | anything else                        | a folder                                                    |

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tug_builder::{ContextSource, NamedContext};
use tug_fetch::Remote;

use crate::error::CommandError;

/// Further contexts.
#[derive(Debug, clap::Args)]
pub(crate) struct ContextArguments {
    /// Let FROM, --from and from= find a folder, an address or an image under this name (can be repeated)
    ///
    /// VALUE is a folder, an address of a repository or of a tar, `docker-image://NAME` or
    /// `oci-layout://PATH[:TAG|@DIGEST]`.
    #[arg(long = "build-context", value_name = "NAME=VALUE")]
    build_contexts: Vec<BuildContext>,
}

/// One further context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BuildContext {
    /// What it is called in the Dockerfile.
    pub(crate) name: String,
    /// What it is.
    pub(crate) source: BuildContextSource,
}

/// What a further context is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BuildContextSource {
    /// A folder.
    Folder(PathBuf),
    /// An address.
    Remote(Remote),
    /// An image, as `FROM` names it.
    Image(String),
    /// A target of a bake file.
    Target(String),
}

impl ContextArguments {
    /// Whether all of them can be used. Bake gives its targets as units, not as words: one that is named here is none.
    pub(crate) fn check(&self) -> Result<(), CommandError> {
        for BuildContext { name, source } in &self.build_contexts {
            match source {
                BuildContextSource::Folder(path) => check_folder(name, path)?,
                BuildContextSource::Target(target) => {
                    let message = format!("`--build-context {name}=target:{target}`: no such target");
                    return Err(
                        CommandError::usage(message).hint("targets are those of a bake file: `tug bake`")
                    );
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// All of them, after [`Self::check`].
    pub(crate) fn named(&self) -> Vec<(String, NamedContext)> {
        let named = self.build_contexts.iter().filter_map(|context| {
            let source = match &context.source {
                BuildContextSource::Folder(path) => NamedContext::Files(ContextSource::Folder(path.clone())),
                BuildContextSource::Remote(remote) => {
                    NamedContext::Files(ContextSource::Remote(remote.clone()))
                }
                BuildContextSource::Image(image) => NamedContext::Image(image.clone()),
                BuildContextSource::Target(_) => return None,
            };
            Some((context.name.clone(), source))
        });
        named.collect()
    }
}

impl FromStr for BuildContext {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected `NAME=VALUE`, for example `assets=./assets`";
        let Some((name, value)) = text.split_once('=') else {
            return Err(format!("`{text}` has no value: {expected}"));
        };
        if name.is_empty() || value.is_empty() || name.contains(|letter: char| letter.is_whitespace()) {
            return Err(format!("`{text}` has no name or no value: {expected}"));
        }
        Ok(Self { name: name.to_owned(), source: value.parse()? })
    }
}

impl FromStr for BuildContextSource {
    type Err = String;

    fn from_str(value: &str) -> Result<Self, String> {
        if let Some(image) = value.strip_prefix("docker-image://") {
            return match image.is_empty() {
                true => Err(format!("`{value}` names no image")),
                false => Ok(Self::Image(image.to_owned())),
            };
        }
        if let Some(rest) = value.strip_prefix("oci-layout://") {
            return layout(rest).map(Self::Image).ok_or_else(|| format!("`{value}` names no folder"));
        }
        if let Some(target) = value.strip_prefix("target:") {
            return match target.is_empty() {
                true => Err(format!("`{value}` names no target")),
                false => Ok(Self::Target(target.to_owned())),
            };
        }
        match Remote::parse(value, !Path::new(value).exists()) {
            Some(Ok(remote)) => Ok(Self::Remote(remote)),
            Some(Err(error)) => Err(error.to_string()),
            None => match value.split_once("://") {
                Some((scheme, _)) => Err(format!(
                    "`{scheme}://` is not known: expected a folder, an address, `docker-image://` or `oci-layout://`"
                )),
                None => Ok(Self::Folder(PathBuf::from(value))),
            },
        }
    }
}

/// `PATH[:TAG|@DIGEST]` as `FROM` names it.
fn layout(text: &str) -> Option<String> {
    // A digest has a colon in it, a path may have one.
    let (path, name) = match text.split_once("@sha256:") {
        Some((path, digits)) => (path, Some(format!("sha256:{digits}"))),
        None => match text.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
            Some((path, tag)) => (path, Some(tag.to_owned())),
            None => (text, None),
        },
    };
    if path.is_empty() || name.as_deref() == Some("") {
        return None;
    }
    Some(match name {
        Some(name) => format!("oci:{path}:{name}"),
        None => format!("oci:{path}"),
    })
}

fn check_folder(name: &str, path: &Path) -> Result<(), CommandError> {
    let what = || format!("cannot use the context `{name}`, the folder `{}`", path.display());
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(CommandError::failed(format!("{}: it is a file", what()))),
        Err(error) => {
            let failure = CommandError::failed(what()).because(&error);
            Err(match OsStr::new(path).to_string_lossy().contains('/') {
                true => failure,
                false => failure
                    .hint(format!("for the image of this name write `docker-image://{}`", path.display())),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(value: &str) -> Result<BuildContextSource, String> {
        format!("name={value}").parse::<BuildContext>().map(|context| context.source)
    }

    #[test]
    fn a_value_says_what_it_is() {
        let image = |name: &str| Ok(BuildContextSource::Image(name.to_owned()));
        assert_eq!(source("docker-image://alpine:3"), image("alpine:3"));
        assert_eq!(source("oci-layout://./here"), image("oci:./here"));
        assert_eq!(source("oci-layout:///there:v1"), image("oci:/there:v1"));
        assert_eq!(source("oci-layout://host:5000/x"), image("oci:host:5000/x"));
        assert_eq!(source("oci-layout://x@sha256:abc"), image("oci:x:sha256:abc"));
        assert_eq!(source("../x"), Ok(BuildContextSource::Folder("../x".into())));
        assert_eq!(source("target:base"), Ok(BuildContextSource::Target("base".to_owned())));
        for remote in ["https://example.org/a.git#v1", "git@example.org:a", "https://example.org/a.tar.gz"] {
            assert!(matches!(source(remote), Ok(BuildContextSource::Remote(_))), "{remote}");
        }
    }

    #[test]
    fn what_is_no_context_is_told() {
        for (text, word) in [
            ("name", "no value"),
            ("=value", "no name"),
            ("a b=value", "no name"),
            ("name=", "no value"),
            ("name=docker-image://", "names no image"),
            ("name=oci-layout://", "names no folder"),
            ("name=oci-layout://x:", "names no folder"),
            ("name=target:", "names no target"),
            ("name=ftp://example.org/", "`ftp://` is not known"),
            ("name=https://example.org/a.git#-x", "begins with `-`"),
        ] {
            let told = text.parse::<BuildContext>().unwrap_err();
            assert!(told.contains(word), "{text}: {told}");
        }
    }
}
