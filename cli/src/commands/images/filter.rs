//! `tug images --filter`: docker's filters.
//!
//! | filter                     | shows images                                                            |
//! | -------------------------- | ----------------------------------------------------------------------- |
//! | `before=IMAGE`             | made before that one                                                    |
//! | `since=IMAGE`              | made after that one                                                     |
//! | `until=TIME`               | made before a time, or so long ago: `2024-05-06`, `24h`                 |
//! | `label=KEY`, `label=KEY=V` | with the label                                                          |
//! | `reference=PATTERN`        | whose name, or name and tag, is like that; `*` does not go beyond a `/` |
//! | `dangling=true`, `false`   | without a name, with one                                                |
//!
//! Of several filters all must hold, but of several patterns for names one.

use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use tug_dockerfile::Pattern;
use tug_layer_store::{ImageSummary, Store};
use tug_oci::ReferenceError;

use crate::arguments::values::ImageName;
use crate::error::CommandError;
use crate::images;
use crate::suggest;

/// One filter.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    Before(ImageName),
    Since(ImageName),
    Until(Until),
    Label(String, Option<String>),
    Reference(Pattern),
    Dangling(bool),
}

/// A time, or how long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    Time(Timestamp),
    Ago(SignedDuration),
}

const KEYS: [&str; 6] = ["before", "since", "until", "label", "reference", "dangling"];

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("expected {}", KEYS.map(|key| format!("`{key}=…`")).join(", "));
        let Some((key, value)) = text.split_once('=') else {
            return Err(format!("`{text}` is not a filter: {}", expected()));
        };
        let image =
            || value.parse::<ImageName>().map_err(|error: ReferenceError| format!("`{text}`: {error}"));
        Ok(match key {
            "before" => Self::Before(image()?),
            "since" | "after" => Self::Since(image()?),
            "until" => Self::Until(value.parse().map_err(|error| format!("`{text}`: {error}"))?),
            "label" => match value.split_once('=') {
                Some((name, value)) => Self::Label(name.to_owned(), Some(value.to_owned())),
                None => Self::Label(value.to_owned(), None),
            },
            "reference" => {
                Self::Reference(Pattern::parse(value).map_err(|error| format!("`{text}`: {error}"))?)
            }
            "dangling" => match value {
                "true" | "1" => Self::Dangling(true),
                "false" | "0" => Self::Dangling(false),
                _ => return Err(format!("`{text}`: expected `true` or `false`")),
            },
            _ => {
                let known = KEYS.map(str::to_owned);
                let similar = suggest::closest(key, &known);
                return Err(match similar {
                    Some(similar) => format!("images have no filter `{key}`; did you mean `{similar}`?"),
                    None => format!("images have no filter `{key}`: {}", expected()),
                });
            }
        })
    }
}

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let utc = |time: DateTime| Offset::UTC.to_timestamp(time).ok();
        let time = text.parse::<Timestamp>().ok();
        let time = time.or_else(|| utc(text.parse::<DateTime>().ok()?));
        let time =
            time.or_else(|| utc(text.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight())));
        let time = time.or_else(|| Timestamp::from_second(text.parse().ok()?).ok());
        if let Some(time) = time {
            return Ok(Self::Time(time));
        }
        match text.parse::<SignedDuration>() {
            Ok(duration) if duration >= SignedDuration::ZERO => Ok(Self::Ago(duration)),
            _ => Err(format!(
                "`{text}` is no time: expected one such as `2024-05-06T07:08:09Z`, `2024-05-06` or `24h`"
            )),
        }
    }
}

/// The images for which all filters hold.
pub(super) fn filtered(
    images: Vec<ImageSummary>,
    filters: &[Filter],
    store: &Store,
) -> Result<Vec<ImageSummary>, CommandError> {
    let now = Timestamp::now();
    let mut limits = Limits::default();
    for filter in filters {
        match filter {
            Filter::Before(name) => limits.before(time_of(store, name)?),
            Filter::Since(name) => limits.since(time_of(store, name)?),
            Filter::Until(Until::Time(time)) => limits.before(Some(*time)),
            Filter::Until(Until::Ago(ago)) => limits.before(now.checked_sub(*ago).ok()),
            _ => {}
        }
    }
    let patterns: Vec<&Pattern> = filters
        .iter()
        .filter_map(|filter| match filter {
            Filter::Reference(pattern) => Some(pattern),
            _ => None,
        })
        .collect();
    let is_shown = |image: &ImageSummary| {
        let labels = &image.image.config.config.labels;
        let holds = filters.iter().all(|filter| match filter {
            Filter::Label(name, None) => labels.contains_key(name),
            Filter::Label(name, Some(value)) => labels.get(name) == Some(value),
            Filter::Dangling(dangling) => image.name.is_none() == *dangling,
            _ => true,
        });
        holds && limits.hold(super::created(image)) && (patterns.is_empty() || is_called(image, &patterns))
    };
    Ok(images.into_iter().filter(is_shown).collect())
}

/// Between which times.
#[derive(Default)]
struct Limits {
    after: Option<Timestamp>,
    before: Option<Timestamp>,
}

impl Limits {
    /// An image without a time was made before all others.
    fn before(&mut self, time: Option<Timestamp>) {
        let time = time.unwrap_or(Timestamp::MIN);
        self.before = Some(self.before.map_or(time, |before| before.min(time)));
    }

    fn since(&mut self, time: Option<Timestamp>) {
        let time = time.unwrap_or(Timestamp::MIN);
        self.after = Some(self.after.map_or(time, |after| after.max(time)));
    }

    fn hold(&self, time: Option<Timestamp>) -> bool {
        let time = time.unwrap_or(Timestamp::MIN);
        self.after.is_none_or(|after| time > after) && self.before.is_none_or(|before| time < before)
    }
}

/// When an image was made.
fn time_of(store: &Store, name: &ImageName) -> Result<Option<Timestamp>, CommandError> {
    let image = images::find(store, name)?;
    Ok(image.config.created.as_deref().and_then(|time| time.parse().ok()))
}

/// As in docker, the short name and the one with its tag are compared, and the full ones, too.
fn is_called(image: &ImageSummary, patterns: &[&Pattern]) -> bool {
    let Some(name) = &image.name else { return false };
    let names = [
        name.familiar(),
        name.familiar_name(),
        name.to_string(),
        format!("{}/{}", name.registry(), name.repository()),
    ];
    patterns.iter().any(|pattern| names.iter().any(|name| pattern.matches(name.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_understood_or_told() {
        for good in [
            "before=app",
            "since=0123456789ab",
            "after=app:1",
            "until=24h",
            "until=2024-05-06",
            "until=1700000000",
            "until=2024-05-06T07:08:09Z",
            "label=a",
            "label=a=b=c",
            "reference=*/app*",
            "dangling=true",
            "dangling=0",
        ] {
            assert!(good.parse::<Filter>().is_ok(), "{good}");
        }
        for (bad, part) in [
            ("app", "is not a filter"),
            ("befor=app", "did you mean `before`"),
            ("size=1", "expected `before=…`"),
            ("before=App", "must be lower case"),
            ("until=tomorrow", "is no time"),
            ("until=-5h", "is no time"),
            ("dangling=maybe", "expected `true`"),
            ("reference=[", "reference=["),
        ] {
            let error = bad.parse::<Filter>().unwrap_err();
            assert!(error.contains(part), "{bad}: {error}");
        }
    }
}
