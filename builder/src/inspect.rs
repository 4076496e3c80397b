//! Reads a Dockerfile to look at it: nothing is built, no image is needed, and neither a store nor a runtime.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use tug_dockerfile::{
    Dockerfile, Ignore, LintOptions, MAX_SOURCE_BYTES, Mended, Outline, Target, outline, targets,
};
use tug_layer_store::tar::{Limits, TarReader};
use tug_layer_store::{Decompressed, DecompressionLimits, NewEntryKind, Store};
use tug_oci::{ImageConfig, Platform};

use crate::error::{Error, Problem, Source};
use crate::lint::{self, Findings, LintContext};
use crate::options::{ContextSource, DockerfileSource};
use crate::{context, frontend, images, plan};

/// A Dockerfile, read.
pub struct Inspected {
    /// Its name and its text.
    pub source: Source,
    /// What could be understood of it.
    pub dockerfile: Dockerfile,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// Where it lies, if it is a file.
    pub path: Option<PathBuf>,
    /// Its bytes as they were read.
    pub bytes: Vec<u8>,
    ignore: Option<Ignore>,
}

/// What a build would be asked for.
#[derive(Clone, Debug)]
pub struct InspectOptions {
    /// The stage, by name or number.
    pub target: Option<String>,
    /// `--build-arg`: values of ARG.
    pub build_args: BTreeMap<String, String>,
    /// What the image would be for.
    pub platform: Platform,
}

impl Default for InspectOptions {
    /// Nothing in particular, for this machine.
    fn default() -> Self {
        Self { target: None, build_args: BTreeMap::new(), platform: Platform::host() }
    }
}

impl Inspected {
    /// Reads the Dockerfile that a build with these sources would take. What is wrong in it is no error here, see
    /// [`Inspected::problems`]. Of a tar no more is read than is needed.
    pub fn read(
        context: ContextSource,
        dockerfile: DockerfileSource,
        build_args: &BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let found = match (context, dockerfile) {
            (ContextSource::Folder(folder), dockerfile) => context::look_into_folder(&folder, dockerfile)?,
            (ContextSource::Tar(tar), DockerfileSource::InContext(wanted)) => in_tar(tar, wanted.as_deref())?,
            (_, DockerfileSource::Text { name, text, path }) => {
                context::Found { name, text, path, ignore: None }
            }
            (ContextSource::Remote(remote), DockerfileSource::InContext(_)) => {
                return Err(Error::Context(format!(
                    "the Dockerfile of `{remote}` cannot be looked at from here: fetch it, and name the folder"
                )));
            }
            (_, DockerfileSource::InContext(name)) => {
                return Err(Error::NoDockerfile { folder: PathBuf::from("the context"), name });
            }
        };
        let (dockerfile, problems) = frontend::parse(&found.text, build_args);
        let text = String::from_utf8_lossy(&found.text).into_owned();
        Ok(Self {
            source: Source { name: found.name, text },
            dockerfile,
            problems,
            path: found.path,
            bytes: found.text,
            ignore: found.ignore,
        })
    }

    /// Applies the lint rules: to the stages that the target needs, or to all of them. Base images are asked only if they
    /// are in `store`.
    pub fn lint(&self, options: &InspectOptions, store: Option<&Store>) -> Result<Findings, Error> {
        let lints = self.with_rules(options, store, |rules| tug_dockerfile::lint(&self.dockerfile, rules))?;
        Ok(Findings { source: self.source.clone(), lints })
    }

    fn with_rules<T>(
        &self,
        options: &InspectOptions,
        store: Option<&Store>,
        apply: impl FnOnce(&LintOptions<'_>) -> T,
    ) -> Result<T, Error> {
        let target = match &options.target {
            Some(_) => Some(self.target(options)?),
            None => None,
        };
        let image = |name: &str, platform: &Platform| -> Option<ImageConfig> {
            let image = images::in_store(store?, name, platform).ok()??;
            Some((*image.config).clone())
        };
        let context = LintContext {
            build_args: &options.build_args,
            platform: &options.platform,
            target,
            ignore: self.ignore.as_ref(),
            image: &image,
        };
        lint::with_options(&self.dockerfile, &context, apply).map_err(|problem| self.failed(vec![problem]))
    }

    /// The file with everything mended that can be without changing what is built. `None` if there is nothing to mend.
    pub fn fix(&self, options: &InspectOptions, store: Option<&Store>) -> Result<Option<Mended>, Error> {
        self.refuse_problems()?;
        self.with_rules(options, store, |rules| tug_dockerfile::fix(&self.bytes, rules))
    }

    /// The same file with another text.
    pub fn with_text(&self, bytes: Vec<u8>, build_args: &BTreeMap<String, String>) -> Self {
        let (dockerfile, problems) = frontend::parse(&bytes, build_args);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let source = Source { name: self.source.name.clone(), text };
        Self { source, dockerfile, problems, path: self.path.clone(), bytes, ignore: self.ignore.clone() }
    }

    /// What the target takes.
    pub fn outline(&self, options: &InspectOptions) -> Result<Outline, Error> {
        self.refuse_problems()?;
        let target = self.target(options)?;
        let arguments = lint::arguments(&self.dockerfile, &options.build_args, &options.platform, target);
        Ok(outline(&self.dockerfile, target, &arguments))
    }

    /// Everything that can be built.
    pub fn targets(&self) -> Result<Vec<Target>, Error> {
        self.refuse_problems()?;
        Ok(targets(&self.dockerfile))
    }

    /// An error if anything is wrong with the file.
    pub fn refuse_problems(&self) -> Result<(), Error> {
        if self.problems.is_empty() { Ok(()) } else { Err(self.failed(self.problems.clone())) }
    }

    fn target(&self, options: &InspectOptions) -> Result<usize, Error> {
        if self.dockerfile.stages.is_empty() {
            return Err(self.failed(self.problems.clone()));
        }
        plan::find_target(&self.dockerfile, options.target.as_deref())
            .map_err(|problems| self.failed(problems))
    }

    fn failed(&self, problems: Vec<Problem>) -> Error {
        Error::Dockerfile { source_text: self.source.clone(), problems }
    }
}

/// Finds the Dockerfile in a tar. Rules of an ignore file do not hold for tars.
fn in_tar(tar: Box<dyn Read + Send>, wanted: Option<&str>) -> Result<context::Found, Error> {
    let failed = |source: tug_layer_store::Error| Error::ContextTar { place: "its tar".to_owned(), source };
    let unreadable = |source| Error::Io { action: "read", path: PathBuf::from("the tar"), source };
    let names: Vec<&str> = wanted.map_or_else(|| context::NAMES.to_vec(), |name| vec![name]);
    let names: Vec<Vec<u8>> = names.iter().map(|name| crate::files::clean(name.as_bytes())).collect();
    let plain = Decompressed::new(tar, DecompressionLimits::default()).map_err(unreadable)?;
    let mut reader = TarReader::new(plain, Limits::default());
    let mut best: Option<(usize, Vec<u8>)> = None;
    while let Some(entry) = reader.next_entry().map_err(|error| failed(error.into()))? {
        let Some(rank) = names.iter().position(|name| *name == entry.path) else { continue };
        if !matches!(entry.kind, NewEntryKind::File { .. })
            || best.as_ref().is_some_and(|(better, _)| *better < rank)
        {
            continue;
        }
        let mut text = Vec::new();
        let mut buffer = [0; 8192];
        while text.len() <= MAX_SOURCE_BYTES {
            match reader.read_content(&mut buffer).map_err(|error| failed(error.into()))? {
                0 => break,
                length => text.extend_from_slice(&buffer[..length]),
            }
        }
        best = Some((rank, text));
        if rank == 0 {
            break;
        }
    }
    let (rank, text) = best.ok_or_else(|| Error::NoDockerfile {
        folder: PathBuf::from("the tar"),
        name: wanted.map(str::to_owned),
    })?;
    let name = String::from_utf8_lossy(&names[rank]).into_owned();
    Ok(context::Found { name, text, path: None, ignore: None })
}
