//! `--cache-from` and `--cache-to`: where results of steps come from and go to.
//!
//! | written                              | is                                                              |
//! | ------------------------------------ | --------------------------------------------------------------- |
//! | `REF`, `REF,REF`                     | `type=registry,ref=REF`: buildx's and buildah's short form      |
//! | `type=registry,ref=REF`              | a cache in a registry; to read, also an image with one inside   |
//! | `type=local,src=DIR`, `…,dest=DIR`   | a cache in a folder, an OCI layout                              |
//! | `type=inline`                        | only to write: a cache inside the image                         |

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tug_layer_store::LayerCompression;
use tug_oci::{Digest, Reference};
use tug_transfer::cache::{Bounds, CacheMode, CachePlace};

use super::super::output::{compression, fields};
use crate::arguments::values;
use crate::suggest;

/// One `--cache-from`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CacheFrom {
    pub(super) places: Vec<CachePlace>,
}

/// One `--cache-to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CacheTo {
    pub(super) targets: Vec<CacheTarget>,
}

/// Where a cache is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CacheTarget {
    /// Inside the image.
    Inline,
    Elsewhere(Box<CacheExport>),
}

/// How a cache is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CacheExport {
    pub(super) place: CachePlace,
    pub(super) mode: CacheMode,
    pub(super) compression: LayerCompression,
    pub(super) all_layers: bool,
    pub(super) bounds: Bounds,
    /// Whether a failure is only told.
    pub(super) ignores_errors: bool,
}

const OF_TARGETS: [&str; 7] =
    ["compression", "compression-level", "force-compression", "ignore-error", "max-age", "max-size", "mode"];

impl FromStr for CacheFrom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(places) = references(text, "src")? {
            return Ok(Self { places });
        }
        let mut keys = Keys::parse(text)?;
        let (place, known): (_, &[&str]) = match keys.kind()?.as_str() {
            "registry" => (keys.registry()?, &["ref"]),
            "local" => {
                let path = keys.path("src", "dest")?;
                let digest = match keys.take("digest") {
                    None => None,
                    Some(text) => Some(text.parse::<Digest>().map_err(|error| format!("`digest`: {error}"))?),
                };
                (CachePlace::Folder { path, tag: keys.tag()?, digest }, &["src", "digest", "tag"])
            }
            "inline" => {
                return Err("`type=inline` says where a cache is written: to read it, name the image with \
                            `type=registry,ref=IMAGE`"
                    .to_owned());
            }
            other => return Err(unknown_type(other, &["registry", "local"])),
        };
        keys.finish(known.iter())?;
        Ok(Self { places: vec![place] })
    }
}

impl FromStr for CacheTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(places) = references(text, "dest")? {
            let targets = places.into_iter().map(|place| target(place, &mut Keys::default()));
            return Ok(Self { targets: targets.collect::<Result<_, _>>()? });
        }
        let mut keys = Keys::parse(text)?;
        let (place, known): (_, &[&str]) = match keys.kind()?.as_str() {
            "registry" => {
                let place = keys.registry()?;
                // It is always an OCI manifest of its own: what both ask for by default.
                for (key, otherwise) in [("image-manifest", "an index"), ("oci-mediatypes", "docker's types")]
                {
                    if keys.boolean(key)? == Some(false) {
                        return Err(format!(
                            "`{key}=false`: a cache is an OCI manifest, and nothing reads it as {otherwise}"
                        ));
                    }
                }
                (place, &["ref", "image-manifest", "oci-mediatypes"])
            }
            "local" => {
                let path = keys.path("dest", "src")?;
                // What nothing leads to any more is removed by itself.
                keys.boolean("reset")?;
                keys.boolean("image-manifest")?;
                keys.boolean("oci-mediatypes")?;
                (CachePlace::Folder { path, tag: keys.tag()?, digest: None }, &["dest", "tag", "reset"])
            }
            "inline" => {
                keys.boolean("ignore-error")?;
                if keys.take("mode").is_some_and(|mode| mode != "min") {
                    return Err(
                        "`type=inline` has the layers of the image, which is `mode=min`: for those of all \
                                steps use `type=registry`"
                            .to_owned(),
                    );
                }
                keys.finish(["ignore-error", "mode"].iter())?;
                return Ok(Self { targets: vec![CacheTarget::Inline] });
            }
            other => return Err(unknown_type(other, &["registry", "local", "inline"])),
        };
        let target = target(place, &mut keys)?;
        keys.finish(known.iter().chain(&OF_TARGETS))?;
        Ok(Self { targets: vec![target] })
    }
}

/// A target with what its keys say.
fn target(place: CachePlace, keys: &mut Keys<'_>) -> Result<CacheTarget, String> {
    if let CachePlace::Registry(reference) = &place
        && let Some(digest) = reference.digest()
    {
        return Err(format!(
            "`{digest}` is what a cache is now, and it cannot become another one: give a tag"
        ));
    }
    let mode = match keys.take("mode").as_deref() {
        None | Some("min") => CacheMode::Min,
        Some("max") => CacheMode::Max,
        Some(other) => return Err(format!("`mode={other}` is none: expected `min` or `max`")),
    };
    let default = Bounds::default();
    let bounds = Bounds {
        max_size: match keys.take("max-size") {
            None => default.max_size,
            Some(text) => values::bytes(&text).map_err(|error| format!("`max-size`: {error}"))?,
        },
        max_age: match keys.take("max-age") {
            None => default.max_age,
            Some(text) => age(&text)?,
        },
    };
    Ok(CacheTarget::Elsewhere(Box::new(CacheExport {
        place,
        mode,
        compression: keys.compression()?,
        all_layers: keys.boolean("force-compression")?.unwrap_or(false),
        bounds,
        ignores_errors: keys.boolean("ignore-error")?.unwrap_or(true),
    })))
}

/// `REF`, or several with commas; `None` when there are keys. `key` is the one that a folder would need.
fn references(text: &str, key: &str) -> Result<Option<Vec<CachePlace>>, String> {
    let pairs = fields::parse(text)?;
    if pairs.iter().any(|(_, value)| value.is_some()) {
        return Ok(None);
    }
    let place = |(name, _): (String, Option<String>)| {
        let is_path = name.starts_with(['/', '.', '~']);
        match name.parse::<Reference>() {
            Ok(reference) if !is_path => Ok(CachePlace::Registry(reference)),
            _ if is_path => Err(format!("`{name}` is a path: expected `type=local,{key}={name}`")),
            _ if name.is_empty() => Err(format!("it is empty: expected a name, or `type=local,{key}=DIR`")),
            Err(error) => Err(error.to_string()),
            Ok(_) => Err(format!("`{name}` is no name")),
        }
    };
    pairs.into_iter().map(place).collect::<Result<_, _>>().map(Some)
}

/// The keys of one flag; those that are understood are taken away.
#[derive(Default)]
struct Keys<'a> {
    text: &'a str,
    pairs: Vec<(String, String)>,
}

impl<'a> Keys<'a> {
    fn parse(text: &'a str) -> Result<Self, String> {
        Ok(Self { text, pairs: fields::with_values(text, fields::parse(text)?)? })
    }

    fn kind(&mut self) -> Result<String, String> {
        self.take("type").ok_or_else(|| {
            format!("`{}` has no `type`: expected for example `type=registry,ref=REF`", self.text)
        })
    }

    fn registry(&mut self) -> Result<CachePlace, String> {
        let Some(text) = self.take("ref").filter(|text| !text.is_empty()) else {
            return Err(format!("`type=registry` needs `ref`{}", self.instead("ref")));
        };
        let reference = text.parse::<Reference>().map_err(|error| format!("`ref`: {error}"))?;
        Ok(CachePlace::Registry(reference))
    }

    fn path(&mut self, key: &str, other: &str) -> Result<PathBuf, String> {
        let Some(text) = self.take(key).filter(|text| !text.is_empty()) else {
            return Err(match self.take(other) {
                Some(value) => format!("`{other}` is of the other flag: here it is `{key}={value}`"),
                None => format!("`type=local` needs `{key}=DIR`{}", self.instead(key)),
            });
        };
        std::path::absolute(Path::new(&text)).map_err(|error| format!("`{key}={text}`: {error}"))
    }

    fn tag(&mut self) -> Result<String, String> {
        let tag = self.take("tag").unwrap_or_else(|| "latest".to_owned());
        match format!("x:{tag}").parse::<Reference>() {
            Ok(_) => Ok(tag),
            Err(_) => Err(format!("`tag={tag}` is none: expected letters, digits, `_`, `.` and `-`")),
        }
    }

    fn boolean(&mut self, key: &str) -> Result<Option<bool>, String> {
        match self.take(key).as_deref() {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(other) => Err(format!("`{key}={other}` is none: expected `true` or `false`")),
        }
    }

    fn compression(&mut self) -> Result<LayerCompression, String> {
        let kind = self.take("compression");
        let level = self.take("compression-level").map(|text| compression::level(&text)).transpose()?;
        let kind = kind.as_deref().unwrap_or("gzip");
        if let Some(compression) = compression::of(kind, level)? {
            return Ok(compression);
        }
        if kind == "estargz" {
            return Err("`compression=estargz` is not supported: use `gzip` or `zstd`".to_owned());
        }
        let known = ["gzip", "uncompressed", "zstd"].map(str::to_owned);
        Err(match suggest::closest(kind, &known) {
            Some(similar) => format!("`compression={kind}` is none; did you mean `{similar}`?"),
            None => format!("`compression={kind}` is none: expected `gzip`, `zstd` or `uncompressed`"),
        })
    }

    /// The key that was probably meant to be `wanted`.
    fn instead(&self, wanted: &str) -> String {
        let known = [wanted.to_owned()];
        let similar = self.pairs.iter().find(|(key, _)| suggest::closest(key, &known).is_some());
        similar.map_or_else(String::new, |(key, _)| format!(", and has `{key}`"))
    }

    fn take(&mut self, key: &str) -> Option<String> {
        fields::take(&mut self.pairs, key)
    }

    /// What is left is not understood.
    fn finish<'k>(&self, known: impl Iterator<Item = &'k &'k str>) -> Result<(), String> {
        let Some((key, _)) = self.pairs.first() else { return Ok(()) };
        let known: Vec<String> = known.map(|key| (*key).to_owned()).collect();
        Err(match suggest::closest(key, &known) {
            Some(similar) => format!("`{key}` is no key of it; did you mean `{similar}`?"),
            None if known.is_empty() => format!("`{key}` is no key of it"),
            None => format!("`{key}` is no key of it: there are `type`, `{}`", known.join("`, `")),
        })
    }
}

fn unknown_type(kind: &str, known: &[&str]) -> String {
    if let "gha" | "s3" | "azblob" = kind {
        return format!(
            "`type={kind}` is not supported: a registry (`type=registry,ref=…`) or a folder (`type=local,…`), \
             which the CI's own cache action keeps, does the same"
        );
    }
    let owned: Vec<String> = known.iter().map(|kind| (*kind).to_owned()).collect();
    match suggest::closest(kind, &owned) {
        Some(similar) => format!("`{kind}` is no type of cache; did you mean `{similar}`?"),
        None => format!("`{kind}` is no type of cache: expected one of `{}`", known.join("`, `")),
    }
}

/// `72h`, `30d`, `2w`.
fn age(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`max-age={text}` is no time: expected for example `72h` or `30d`");
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let seconds: u64 = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> Result<Vec<CachePlace>, String> {
        text.parse::<CacheFrom>().map(|from| from.places)
    }

    fn to(text: &str) -> CacheExport {
        let CacheTo { mut targets } = text.parse().unwrap();
        match targets.remove(0) {
            CacheTarget::Elsewhere(export) => *export,
            CacheTarget::Inline => panic!("`{text}` is inline"),
        }
    }

    fn registry(name: &str) -> CachePlace {
        CachePlace::Registry(name.parse().unwrap())
    }

    #[test]
    fn the_short_forms_are_names() {
        assert_eq!(from("app").unwrap(), [registry("docker.io/library/app")]);
        assert_eq!(
            from("a.example/x:1,b.example/y").unwrap(),
            [registry("a.example/x:1"), registry("b.example/y")]
        );
        assert_eq!(from("type=registry,ref=a.example/x").unwrap(), [registry("a.example/x")]);
        let plain = to("a.example/x:cache");
        assert_eq!(
            (plain.place, plain.mode, plain.ignores_errors),
            (registry("a.example/x:cache"), CacheMode::Min, true)
        );
        assert_eq!(plain.compression, LayerCompression::Gzip(6));
    }

    #[test]
    fn a_folder_is_seen_from_here() {
        let here = std::env::current_dir().unwrap();
        let at = |tag: &str| CachePlace::Folder { path: here.join("c"), tag: tag.to_owned(), digest: None };
        assert_eq!(from("type=local,src=c").unwrap(), [at("latest")]);
        assert_eq!(to("type=local,dest=./c,tag=main,reset=true").place, at("main"));
        let digest = Digest::of(b"x");
        let found = from(&format!("type=local,src=/c,digest={digest}")).unwrap();
        assert!(matches!(&found[..], [CachePlace::Folder { digest: Some(found), .. }] if *found == digest));
    }

    #[test]
    fn every_key_of_a_target_counts() {
        let export = to("type=registry,ref=a.example/x,mode=max,image-manifest=true,oci-mediatypes=true,\
                         compression=zstd,compression-level=22,force-compression=true,ignore-error=false,\
                         max-size=2g,max-age=2w");
        assert_eq!(
            export,
            CacheExport {
                place: registry("a.example/x"),
                mode: CacheMode::Max,
                compression: LayerCompression::Zstd(19),
                all_layers: true,
                bounds: Bounds { max_size: 2 << 30, max_age: Duration::from_secs(14 * 24 * 60 * 60) },
                ignores_errors: false,
            }
        );
        let inline: CacheTo = "type=inline".parse().unwrap();
        assert_eq!(inline.targets, [CacheTarget::Inline]);
    }

    #[test]
    fn what_is_wrong_is_named_and_mended() {
        let digest = Digest::of(b"x");
        let mut told = Vec::new();
        for text in [
            "",
            "./cache",
            "UPPER",
            "type=regsitry,ref=x",
            "type=gha",
            "type=inline",
            "type=registry",
            "type=registry,reff=x",
            "type=registry,ref=x,mod=max",
            "type=local,dest=x",
            "type=local,src=x,digest=y",
            "type=local,src=x,tag=a b",
            "ref=x",
            "type=local,src",
            "type=local,src=x,src=y",
        ] {
            told.push(format!("--cache-from {text}: {}", from(text).unwrap_err()));
        }
        for text in [
            "type=s3,bucket=x",
            "type=nothing",
            "type=local,src=x",
            "type=registry,ref=x,mode=all",
            "type=registry,ref=x,image-manifest=false",
            "type=registry,ref=x,ignore-error=maybe",
            "type=registry,ref=x,compression=gzpi",
            "type=registry,ref=x,compression-level=99",
            "type=registry,ref=x,max-age=soon",
            "type=registry,ref=x,max-size=much",
            "type=registry,ref=x,tag=y",
            "type=inline,mode=max",
            "type=local,dest=x,azure=1",
        ] {
            told.push(format!("--cache-to {text}: {}", text.parse::<CacheTo>().unwrap_err()));
        }
        told.push(format!("x@{digest}").parse::<CacheTo>().unwrap_err());
        insta::assert_snapshot!(told.join("\n"));
    }
}
