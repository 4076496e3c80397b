//! `--filter` of the commands that remove things, as docker spells it.
//!
//! | filter                          | of                 | only                                                    |
//! | ------------------------------- | ------------------ | ------------------------------------------------------- |
//! | `until=24h`, `until=2024-05-31` | images             | those made before                                       |
//! |                                 | build cache        | what was not used since                                 |
//! | `unused-for=24h`                | build cache        | the same                                                |
//! | `label=KEY`, `label=KEY=VALUE`  | images             | those with the label                                    |
//! | `label!=KEY`, `label!=KEY=VALUE` | images            | those without it                                        |
//! | `dangling=true`, `false`        | images             | those without a name; all of them                       |
//! | `type=regular`, …               | build cache        | things of this kind, as buildx calls them               |

use std::str::FromStr;
use std::time::SystemTime;

use tug_dockerfile::closest;
use tug_layer_store::{CacheKind, ImageUsage, Store};
use tug_oci::Platform;

use crate::arguments::moment;
use crate::human;

/// One filter.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    Until(SystemTime),
    Label(LabelFilter),
    Dangling(bool),
    Kind(CacheKind),
}

/// A label that images must have, or must not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LabelFilter {
    name: String,
    value: Option<String>,
    is_wanted: bool,
}

/// The kinds of the build cache as buildx calls them.
pub(super) const KINDS: &[(&str, CacheKind)] = &[
    ("regular", CacheKind::Step),
    ("exec.cachemount", CacheKind::Mount),
    ("source.http", CacheKind::Download),
    ("source.git.checkout", CacheKind::Git),
    ("source.local", CacheKind::Memory),
    ("internal", CacheKind::Memory),
];

/// The name of a kind.
pub(crate) fn kind_name(kind: CacheKind) -> &'static str {
    KINDS.iter().find(|(_, known)| *known == kind).map_or("regular", |(name, _)| name)
}

impl Filter {
    /// Reads one for images.
    pub(super) fn of_images(text: &str) -> Result<Self, String> {
        text.parse().and_then(|filter| match filter {
            Self::Kind(_) => {
                Err("images have no `type`: expected `until=`, `label=`, `label!=` or `dangling=`".to_owned())
            }
            filter => Ok(filter),
        })
    }

    /// Reads one for the build cache.
    pub(super) fn of_cache(text: &str) -> Result<Self, String> {
        text.parse().and_then(|filter| match filter {
            Self::Label(_) | Self::Dangling(_) => {
                Err("the build cache has neither labels nor names: expected `until=` or `type=`".to_owned())
            }
            filter => Ok(filter),
        })
    }

    /// Reads one for everything.
    pub(super) fn of_system(text: &str) -> Result<Self, String> {
        text.parse().and_then(|filter| match filter {
            Self::Dangling(_) | Self::Kind(_) => Err(
                "expected `until=`, `label=` or `label!=`; images alone have more, see `tug image prune`, \
                     and so has the build cache, see `tug cache prune`"
                    .to_owned(),
            ),
            filter => Ok(filter),
        })
    }
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const KEYS: [&str; 6] = ["until", "unused-for", "label", "label!", "dangling", "type"];
        let (key, value) =
            text.split_once('=').ok_or_else(|| "expected `KEY=VALUE`, such as `until=24h`".to_owned())?;
        match key {
            "until" | "unused-for" | "unused" => moment::moment(value).map(Self::Until),
            "label" | "label!" if !value.is_empty() => {
                let (name, wanted) = match value.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (value, None),
                };
                let is_wanted = key == "label";
                Ok(Self::Label(LabelFilter { name: name.to_owned(), value: wanted, is_wanted }))
            }
            "label" | "label!" => Err("expected a label, such as `label=stage=test`".to_owned()),
            "dangling" => match value {
                "true" | "1" | "True" | "TRUE" | "t" | "T" => Ok(Self::Dangling(true)),
                "false" | "0" | "False" | "FALSE" | "f" | "F" => Ok(Self::Dangling(false)),
                _ => Err(format!("`dangling={value}`: expected `true` or `false`")),
            },
            "type" => {
                let known = KINDS.iter().find(|(name, _)| *name == value);
                known.map(|(_, kind)| Self::Kind(*kind)).ok_or_else(|| {
                    let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
                    match closest(value, &names) {
                        Some(similar) => format!("there is no type `{value}`: did you mean `{similar}`?"),
                        None => {
                            format!("there is no type `{value}`: expected one of `{}`", names.join("`, `"))
                        }
                    }
                })
            }
            _ => Err(match closest(key, &KEYS) {
                Some(similar) => format!("there is no filter `{key}`: did you mean `{similar}=`?"),
                None => format!("there is no filter `{key}`: expected one of `{}=`", KEYS.join("=`, `")),
            }),
        }
    }
}

/// Why an image stays, given `filters`; `None` when it does not.
pub(super) fn spared(store: &Store, filters: &[Filter], image: &ImageUsage) -> Option<String> {
    let is_about_content = |filter: &Filter| matches!(filter, Filter::Until(_) | Filter::Label(_));
    if !filters.iter().any(is_about_content) {
        return None;
    }
    let Ok(image) = store.image(&image.target, &Platform::host()) else {
        return Some("cannot be read, so it fits no filter".to_owned());
    };
    filters.iter().find_map(|filter| match filter {
        Filter::Until(moment) => {
            let created =
                image.config.created.as_deref().and_then(|text| text.parse::<jiff::Timestamp>().ok());
            // One that does not say when it was made is older than all others.
            let is_young = created
                .is_some_and(|created| SystemTime::try_from(created).is_ok_and(|created| created >= *moment));
            is_young.then(|| "made too recently".to_owned())
        }
        Filter::Label(label) => {
            let found = image.config.config.labels.get(&label.name);
            let has = match (&label.value, found) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(wanted), Some(value)) => wanted == value,
            };
            (has != label.is_wanted).then(|| {
                let name = human::one_line(&label.name);
                if label.is_wanted {
                    format!("has no such label `{name}`")
                } else {
                    format!("has the label `{name}`")
                }
            })
        }
        Filter::Dangling(_) | Filter::Kind(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_as_docker_spells_them() {
        let label = |text: &str| match text.parse() {
            Ok(Filter::Label(LabelFilter { name, value, is_wanted })) => (name, value, is_wanted),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(label("label=a"), ("a".to_owned(), None, true));
        assert_eq!(label("label=a=b=c"), ("a".to_owned(), Some("b=c".to_owned()), true));
        assert_eq!(label("label!=a=b"), ("a".to_owned(), Some("b".to_owned()), false));
        assert_eq!("dangling=false".parse(), Ok(Filter::Dangling(false)));
        assert_eq!("type=exec.cachemount".parse(), Ok(Filter::Kind(CacheKind::Mount)));
        assert!(matches!("until=24h".parse(), Ok(Filter::Until(_))));
    }

    #[test]
    fn slips_are_mended() {
        let wrong = |text: &str| text.parse::<Filter>().unwrap_err();
        assert_eq!(wrong("untill=24h"), "there is no filter `untill`: did you mean `until=`?");
        assert!(wrong("24h").contains("such as `until=24h`"));
        assert!(wrong("until=soon").contains("neither a length of time"));
        assert!(wrong("type=cachemount").contains("exec.cachemount"));
        assert!(Filter::of_images("type=regular").is_err() && Filter::of_cache("label=a").is_err());
        assert!(Filter::of_system("dangling=true").unwrap_err().contains("tug image prune"));
    }
}
