//! `--output`: what is made of the result of a build, and where it goes.
//!
//! | written              | is                                                                             |
//! | -------------------- | ------------------------------------------------------------------------------ |
//! | `type=image`         | the image in the store, under its names: the default                           |
//! | `type=registry`      | the image, pushed to where its names lead; `type=image,push=true` keeps it as well |
//! | `type=docker`        | the same as `type=image`; with `dest`, a tar that docker loads                                  |
//! | `type=oci`           | a tar with an image layout; with `tar=false`, a folder                          |
//! | `type=local`         | the files, in a folder                                                          |
//! | `type=tar`           | the files, in a tar                                                             |
//! | `type=cacheonly`     | nothing: only the build cache is filled                                         |
//! | `FOLDER`             | `type=local,dest=FOLDER`                                                        |
//! | `FILE.tar`           | `type=tar,dest=FILE.tar`, where docker would make a folder of that name         |
//! | `-`                  | `type=tar,dest=-`                                                               |

use std::path::{Path, PathBuf};
use std::str::FromStr;

use tug_builder::Annotation;
use tug_layer_store::{ImageForm, LayerCompression, MediaTypes};
use tug_oci::Reference;

use super::{annotation, compression, fields};
use crate::arguments::values;
use crate::suggest;

/// One `--output`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutputSpec {
    pub(super) kind: Kind,
    /// Names besides those of `--tag`.
    pub(super) names: Vec<Reference>,
    /// How images are written.
    pub(super) form: ImageForm,
    /// Annotations of this output alone.
    pub(super) annotations: Vec<Annotation>,
    /// Whether it is pushed to where its names lead.
    pub(super) pushed: Option<Push>,
    /// As it was typed.
    pub(super) text: String,
}

/// What is made, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The image, in the store.
    Store {
        /// Whether it gets its names there.
        named: bool,
        /// Whether its layers are unpacked at once.
        unpack: bool,
    },
    /// A tar for docker; without a file, standard output.
    DockerArchive(Option<PathBuf>),
    /// A tar with an image layout; without a file, standard output.
    OciArchive(Option<PathBuf>),
    /// An image layout.
    OciFolder(PathBuf),
    /// The files, in a folder.
    Folder {
        path: PathBuf,
        /// Whether what else is there is removed.
        delete: bool,
        split: Option<bool>,
    },
    /// The files, in a tar; without a file, standard output.
    Tar { path: Option<PathBuf>, split: Option<bool> },
    /// Nothing.
    Nothing,
}

/// How an image is pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Push {
    /// Under its names.
    ByName,
    /// Without a tag.
    ByDigest,
}

impl OutputSpec {
    /// `--push`: the image in the store, and at its registry.
    pub(super) fn push() -> Self {
        Self { pushed: Some(Push::ByName), ..Self::plain("type=image,push=true", Self::store().kind) }
    }

    /// What happens without `--output`, and with `--load`.
    pub(super) fn store() -> Self {
        Self::plain("type=image", Kind::Store { named: true, unpack: false })
    }

    fn plain(text: &str, kind: Kind) -> Self {
        let (names, annotations) = (Vec::new(), Vec::new());
        let (form, pushed) = (ImageForm::default(), None);
        Self { kind, names, form, annotations, pushed, text: text.to_owned() }
    }

    /// Whether it is an image, and not its files.
    pub(super) fn is_image(&self) -> bool {
        match self.kind {
            Kind::Store { .. } | Kind::DockerArchive(_) | Kind::OciArchive(_) | Kind::OciFolder(_) => true,
            Kind::Folder { .. } | Kind::Tar { .. } | Kind::Nothing => false,
        }
    }

    /// Whether it goes to standard output.
    pub(super) fn is_stdout(&self) -> bool {
        matches!(self.kind, Kind::DockerArchive(None) | Kind::OciArchive(None) | Kind::Tar { path: None, .. })
    }
}

const TYPES: [&str; 7] = ["cacheonly", "docker", "image", "local", "oci", "registry", "tar"];
const OF_IMAGES: [&str; 12] = [
    "annotation.NAME",
    "compatibility-version",
    "compression",
    "compression-level",
    "force-compression",
    "name",
    "name-canonical",
    "oci-artifact",
    "oci-mediatypes",
    "push",
    "push-by-digest",
    "rewrite-timestamp",
];

/// What buildx knows and what cannot be done here, with the reason.
const NOT_HERE: [(&str, &str); 2] = [
    ("registry.insecure", "write `--tls-verify=false`, which holds for the whole command"),
    ("dangling-name-prefix", "images without a name have none in the store of tug"),
];

impl FromStr for OutputSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pairs = fields::parse(text)?;
        if let [(path, None)] = pairs.as_slice() {
            return bare(text, path);
        }
        Keys { text, pairs: fields::with_values(text, pairs)? }.parse()
    }
}

fn bare(text: &str, path: &str) -> Result<OutputSpec, String> {
    if path.is_empty() {
        return Err("it is empty: expected a folder, a file or `type=…`".to_owned());
    }
    let path = PathBuf::from(path);
    let is_tar = path.as_os_str() == "-" || path.extension().is_some_and(|extension| extension == "tar");
    let kind = match is_tar && !path.is_dir() {
        true => Kind::Tar { path: not_dash(path), split: None },
        false => Kind::Folder { path, delete: false, split: None },
    };
    Ok(OutputSpec::plain(text, kind))
}

/// The keys of one `--output`; those that are understood are taken away.
struct Keys<'a> {
    text: &'a str,
    pairs: Vec<(String, String)>,
}

impl Keys<'_> {
    fn parse(mut self) -> Result<OutputSpec, String> {
        let Some(type_name) = self.take("type") else {
            return Err(format!("`{}` has no `type`: expected for example `type=local,dest=out`", self.text));
        };
        let (kind, known): (Kind, &[&str]) = match type_name.as_str() {
            "image" => (self.image()?, &["store", "unpack"]),
            "docker" => (self.docker()?, &["dest", "tar"]),
            "oci" => (self.oci()?, &["dest", "tar"]),
            "local" => (self.local()?, &["dest", "mode", "platform-split"]),
            "tar" => {
                let split = self.boolean("platform-split")?;
                (Kind::Tar { path: self.dest(), split }, &["dest", "platform-split"])
            }
            "cacheonly" => (Kind::Nothing, &[]),
            "registry" => {
                (Kind::Store { named: self.boolean("store")?.unwrap_or(false), unpack: false }, &["store"])
            }
            other => {
                let known = TYPES.map(str::to_owned);
                return Err(match suggest::closest(other, &known) {
                    Some(similar) => format!("`{other}` is no type of output; did you mean `{similar}`?"),
                    None => format!("`{other}` is no type of output: expected one of {}", TYPES.join(", ")),
                });
            }
        };
        let mut spec = OutputSpec::plain(self.text, kind);
        if spec.is_image() {
            spec.pushed = self.push(&type_name)?;
            self.image_keys(&mut spec)?;
        }
        let of_images = if spec.is_image() { &OF_IMAGES[..] } else { &[] };
        match self.pairs.first() {
            None => Ok(spec),
            Some((key, _)) => Err(unknown(key, known.iter().chain(of_images))),
        }
    }

    fn image(&mut self) -> Result<Kind, String> {
        let named = self.boolean("store")?.unwrap_or(true);
        Ok(Kind::Store { named, unpack: self.boolean("unpack")?.unwrap_or(false) })
    }

    /// `push` and `push-by-digest`, which only what goes to the store can have as well.
    fn push(&mut self, kind: &str) -> Result<Option<Push>, String> {
        let by_digest = self.boolean("push-by-digest")?;
        let push = self.boolean("push")?;
        if !matches!(kind, "image" | "registry") && (push == Some(true) || by_digest == Some(true)) {
            return Err(format!("`push` is for `type=image` and `type=registry`, not for `type={kind}`"));
        }
        Ok(match (push.unwrap_or(kind == "registry"), by_digest.unwrap_or(false)) {
            (_, true) => Some(Push::ByDigest),
            (true, false) => Some(Push::ByName),
            (false, false) => None,
        })
    }

    fn docker(&mut self) -> Result<Kind, String> {
        let given = self.pairs.iter().any(|(key, _)| key == "dest");
        let dest = self.dest();
        match (self.boolean("tar")?, given) {
            (Some(false), _) => {
                Err("docker loads tars only: use `type=oci,tar=false` for a folder".to_owned())
            }
            (_, true) => Ok(Kind::DockerArchive(dest)),
            (_, false) => Ok(Kind::Store { named: true, unpack: false }),
        }
    }

    fn oci(&mut self) -> Result<Kind, String> {
        let dest = self.dest();
        match (self.boolean("tar")?.unwrap_or(true), dest) {
            (true, dest) => Ok(Kind::OciArchive(dest)),
            (false, Some(folder)) => Ok(Kind::OciFolder(folder)),
            (false, None) => Err("`tar=false` needs a folder: `dest=FOLDER`".to_owned()),
        }
    }

    fn local(&mut self) -> Result<Kind, String> {
        let Some(path) = self.dest() else {
            return Err("`type=local` needs a folder: `dest=FOLDER`".to_owned());
        };
        let delete = match self.take("mode").as_deref() {
            None | Some("copy") => false,
            Some("delete") => true,
            Some(other) => return Err(format!("`mode={other}` is none: expected `copy` or `delete`")),
        };
        Ok(Kind::Folder { path, delete, split: self.boolean("platform-split")? })
    }

    fn image_keys(&mut self, spec: &mut OutputSpec) -> Result<(), String> {
        if let Some(names) = self.take("name") {
            let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
            spec.names = names.map(values::new_name).collect::<Result<_, _>>()?;
        }
        for (key, reason) in NOT_HERE {
            match self.take(key).as_deref() {
                None | Some("false" | "0") => {}
                Some(_) => return Err(format!("`{key}` cannot be done: {reason}")),
            }
        }
        // A name with the digest is understood wherever the image has a name, and there are no attestations.
        for without_effect in ["name-canonical", "oci-artifact"] {
            self.boolean(without_effect)?;
        }
        // Times are cut whenever `SOURCE_DATE_EPOCH` is set: see docs/differences.md.
        self.boolean("rewrite-timestamp")?;
        let version = match self.take("compatibility-version") {
            None => NEWEST_VERSION,
            Some(text) => text.parse().map_err(|_| {
                format!("`compatibility-version={text}` is no number: expected for example `30`")
            })?,
        };
        let oci_types = self.boolean("oci-mediatypes")?;
        spec.form.compression = self.compression()?;
        spec.form.all_layers = self.boolean("force-compression")?.unwrap_or(false);
        let is_zstd = matches!(spec.form.compression, Some(LayerCompression::Zstd(_)));
        spec.form.media_types = match oci_types.unwrap_or(version >= NEWEST_VERSION || is_zstd) {
            true => MediaTypes::Oci,
            false if is_zstd => {
                return Err(
                    "docker's media types have no name for zstd: leave `oci-mediatypes` away".to_owned()
                );
            }
            false => MediaTypes::Docker,
        };
        let mut others = Vec::new();
        for (key, value) in std::mem::take(&mut self.pairs) {
            match annotation::of_key(&key, &value) {
                Some(annotation) => spec.annotations.push(annotation?),
                None => others.push((key, value)),
            }
        }
        self.pairs = others;
        Ok(())
    }

    fn compression(&mut self) -> Result<Option<LayerCompression>, String> {
        let kind = self.take("compression");
        let level = self.take("compression-level").map(|text| compression::level(&text)).transpose()?;
        let Some(kind) = kind else {
            return match level {
                None => Ok(None),
                Some(_) => {
                    Err("`compression-level` needs `compression=gzip` or `compression=zstd`".to_owned())
                }
            };
        };
        if let Some(compression) = compression::of(&kind, level)? {
            return Ok(Some(compression));
        }
        if kind == "estargz" {
            return Err(
                "`compression=estargz` is not supported: use `gzip`, which every registry and engine \
                        reads, or `zstd`"
                    .to_owned(),
            );
        }
        let known = ["estargz", "gzip", "uncompressed", "zstd"].map(str::to_owned);
        Err(match suggest::closest(&kind, &known) {
            Some(similar) => format!("`compression={kind}` is none; did you mean `{similar}`?"),
            None => format!("`compression={kind}` is none: expected `uncompressed`, `gzip` or `zstd`"),
        })
    }

    fn dest(&mut self) -> Option<PathBuf> {
        self.take("dest").map(PathBuf::from).filter(|path| !path.as_os_str().is_empty()).and_then(not_dash)
    }

    fn take(&mut self, key: &str) -> Option<String> {
        fields::take(&mut self.pairs, key)
    }

    fn boolean(&mut self, key: &str) -> Result<Option<bool>, String> {
        match self.take(key).as_deref() {
            None => Ok(None),
            Some("true" | "1" | "t" | "T" | "TRUE" | "True") => Ok(Some(true)),
            Some("false" | "0" | "f" | "F" | "FALSE" | "False") => Ok(Some(false)),
            Some(other) => Err(format!("`{key}={other}` is neither `true` nor `false`")),
        }
    }
}

/// From this one on, OCI's media types are the default.
const NEWEST_VERSION: u32 = 30;

fn not_dash(path: PathBuf) -> Option<PathBuf> {
    (path != Path::new("-")).then_some(path)
}

fn unknown<'a>(key: &str, known: impl Iterator<Item = &'a &'a str>) -> String {
    let known: Vec<String> = known.map(|name| (*name).to_owned()).collect();
    match suggest::closest(key, &known) {
        Some(similar) => format!("`{key}` is no key of this output; did you mean `{similar}`?"),
        None => format!("`{key}` is no key of this output: it knows {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Kind {
        text.parse::<OutputSpec>().unwrap_or_else(|error| panic!("{text}: {error}")).kind
    }

    #[test]
    fn every_type_and_the_short_forms_are_understood() {
        let path = |text: &str| PathBuf::from(text);
        let folder = |delete, split| Kind::Folder { path: path("out"), delete, split };
        for (text, expected) in [
            ("out", folder(false, None)),
            ("type=local,dest=out", folder(false, None)),
            ("type=local,dest=out,mode=delete,platform-split=false", folder(true, Some(false))),
            ("-", Kind::Tar { path: None, split: None }),
            ("out.tar", Kind::Tar { path: Some(path("out.tar")), split: None }),
            ("type=tar", Kind::Tar { path: None, split: None }),
            ("type=tar,dest=-,platform-split=1", Kind::Tar { path: None, split: Some(true) }),
            ("type=image", Kind::Store { named: true, unpack: false }),
            ("type=image,store=false,unpack=true", Kind::Store { named: false, unpack: true }),
            ("type=image,push=false", Kind::Store { named: true, unpack: false }),
            ("type=image,push=true", Kind::Store { named: true, unpack: false }),
            ("type=registry", Kind::Store { named: false, unpack: false }),
            ("type=docker", Kind::Store { named: true, unpack: false }),
            ("type=docker,dest=a.tar", Kind::DockerArchive(Some(path("a.tar")))),
            ("type=docker,dest=-", Kind::DockerArchive(None)),
            ("type=oci", Kind::OciArchive(None)),
            ("type=oci,dest=a=b.tar", Kind::OciArchive(Some(path("a=b.tar")))),
            ("type=oci,dest=dir,tar=false", Kind::OciFolder(path("dir"))),
            ("type=cacheonly", Kind::Nothing),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }

    #[test]
    fn the_form_of_an_image_can_be_chosen() {
        let spec: OutputSpec =
            "type=oci,\"name=a,b:1\",compression=zstd,compression-level=7,force-compression=true,\
             annotation.x=y,annotation-index.z=1,rewrite-timestamp=true,oci-artifact=true"
                .parse()
                .unwrap();
        assert_eq!(spec.form.compression, Some(LayerCompression::Zstd(7)));
        assert!(spec.form.all_layers && spec.form.media_types == MediaTypes::Oci);
        assert_eq!((spec.names.len(), spec.annotations.len()), (2, 2));
        let types = |text: &str| text.parse::<OutputSpec>().unwrap().form.media_types;
        assert_eq!(types("type=image,oci-mediatypes=false"), MediaTypes::Docker);
        assert_eq!(types("type=image,compatibility-version=20"), MediaTypes::Docker);
        assert_eq!(types("type=image,compatibility-version=20,compression=zstd"), MediaTypes::Oci);
    }

    #[test]
    fn what_is_pushed_is_told_apart() {
        let pushed = |text: &str| text.parse::<OutputSpec>().unwrap().pushed;
        assert_eq!(pushed("type=image"), None);
        assert_eq!(pushed("type=registry,push=false"), None);
        assert_eq!(pushed("type=registry"), Some(Push::ByName));
        assert_eq!(pushed("type=image,push=true"), Some(Push::ByName));
        assert_eq!(pushed("type=image,name=a,push-by-digest=true"), Some(Push::ByDigest));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("", "it is empty"),
            ("dest=out", "has no `type`"),
            ("type=locla,dest=x", "did you mean `local`?"),
            ("type=pipe", "expected one of cacheonly"),
            ("type=local", "needs a folder"),
            ("type=local,dest=-", "needs a folder"),
            ("type=local,dest=x,mode=move", "expected `copy` or `delete`"),
            ("type=local,dest=x,dest=y", "`dest` is given twice"),
            ("type=local,dest=x,name=y", "`name` is no key of this output"),
            ("type=local,dset=x", "needs a folder"),
            ("type=tar,dset=x", "did you mean `dest`?"),
            ("type=oci,compresion=gzip", "did you mean `compression`?"),
            ("type=oci,compression=gzipp", "did you mean `gzip`?"),
            ("type=oci,compression=estargz", "is not supported"),
            ("type=oci,compression-level=3", "needs `compression=gzip`"),
            ("type=oci,compression=gzip,compression-level=13", "between 1 and 12"),
            ("type=oci,compression=gzip,compression-level=x", "is no number"),
            ("type=oci,tar=false", "needs a folder"),
            ("type=oci,tar=maybe", "neither `true` nor `false`"),
            ("type=oci,compression=zstd,oci-mediatypes=false", "no name for zstd"),
            ("type=docker,tar=false", "loads tars only"),
            ("type=oci,push=true", "`push` is for `type=image`"),
            ("type=image,registry.insecure=true", "`--tls-verify=false`"),
            ("type=image,name=App", "App"),
            ("type=image,unpack", "has no value"),
            ("type=image,\"name=a", "not closed"),
            ("type=image,annotation-inde.a=b", "did you mean `index`?"),
        ] {
            let error = text.parse::<OutputSpec>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
