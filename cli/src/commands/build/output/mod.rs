//! Puts the result of a build where it was asked for: the store, archives, folders, standard output.
//!
//! All outputs of a build share its work: steps, layers and what was compressed before. Files are opened before the
//! build, so that a place where nothing can be written is told at once, and they get their names when they are whole.

mod annotation;
pub(super) mod compression;
pub(super) mod fields;
mod files;
mod push;
mod spec;

use std::path::Path;
use std::time::Instant;

use tug_builder::{Annotation, Event, Product, Reporter, Squash};
use tug_layer_store::{
    ArchiveCompression, ArchiveFormat, LayerCompression, Mountable, SaveImage, SaveOptions, Store,
};
use tug_oci::{Descriptor, Reference};
use tug_transfer::Remote;

pub(crate) use annotation::{Annotations, annotations};
pub(crate) use spec::OutputSpec;
use spec::{Kind, Push};

use super::BuildArguments;
use super::arguments::OutputArguments;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::file_output::FileOutput;
use crate::settings::Settings;

/// What was asked for, with its files open.
pub(super) struct Outputs {
    all: Vec<(OutputSpec, Option<FileOutput>)>,
    tags: Vec<Reference>,
    annotations: Vec<Annotation>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(in super::super) struct Put {
    /// What points to the image, in the form of the first output that is one.
    pub(in super::super) image: Option<Descriptor>,
    /// Its names.
    pub(in super::super) names: Vec<Reference>,
    /// What people should know, a line each.
    pub(in super::super) notes: Vec<String>,
}

/// Which layers become one.
pub(super) fn squash(arguments: &OutputArguments) -> Squash {
    match (arguments.squash, arguments.squash_all) {
        (_, true) => Squash::All,
        (true, false) => Squash::New,
        (false, false) => Squash::No,
    }
}

impl Outputs {
    /// Looks whether everything can be put where it was asked for, and opens the files.
    pub(super) fn open(arguments: &BuildArguments, settings: &Settings) -> Result<Self, CommandError> {
        let asked = &arguments.outputs;
        let mut specs = asked.outputs.clone();
        if asked.push {
            let mut images =
                specs.iter_mut().filter(|spec| matches!(spec.kind, Kind::Store { .. })).peekable();
            match images.peek() {
                Some(_) => images.for_each(|spec| spec.pushed = spec.pushed.or(Some(Push::ByName))),
                None => specs.push(OutputSpec::push()),
            }
        }
        if let Some(spec) = specs.iter().find(|spec| spec.pushed.is_some()) {
            push::check(spec, &arguments.what.tags, arguments, &settings.environment)?;
        }
        let is_in_store = |spec: &OutputSpec| matches!(spec.kind, Kind::Store { named: true, .. });
        if specs.is_empty() || asked.load && !specs.iter().any(is_in_store) {
            specs.push(OutputSpec::store());
        }
        if specs.iter().filter(|spec| spec.is_stdout()).count() > 1 {
            return Err(CommandError::usage("only one output can go to standard output")
                .hint("give the others a file: `dest=FILE`"));
        }
        let mut all = Vec::with_capacity(specs.len());
        for spec in specs {
            let file = match &spec.kind {
                Kind::DockerArchive(path) | Kind::OciArchive(path) | Kind::Tar { path, .. } => {
                    Some(FileOutput::open(path.as_deref(), "a tar", &settings.output)?)
                }
                Kind::Folder { path, delete, .. } => {
                    files::check_folder(path, *delete, arguments, settings)?;
                    None
                }
                Kind::OciFolder(path) => {
                    files::check_folder(path, false, arguments, settings)?;
                    None
                }
                Kind::Store { .. } | Kind::Nothing => None,
            };
            all.push((spec, file));
        }
        let annotations = asked.annotations.iter().flat_map(|added| added.0.clone()).collect();
        Ok(Self { all, tags: arguments.what.tags.clone(), annotations })
    }

    /// Whether there is nothing to do but to name the image in the store, which the builder does by itself.
    pub(super) fn is_default(&self) -> bool {
        let is_plain = |(spec, _): &(OutputSpec, _)| {
            spec.pushed.is_none()
                && matches!(spec.kind, Kind::Store { named: true, unpack: false })
                && spec.names.is_empty()
                && spec.annotations.is_empty()
                && spec.form == tug_layer_store::ImageForm::default()
        };
        self.annotations.is_empty() && self.all.len() == 1 && self.all.iter().all(is_plain)
    }

    /// Where layers can be sent while the build runs, and how they are compressed: what the first push asks for.
    pub(super) fn destinations(&self) -> (Vec<Reference>, LayerCompression) {
        let mut compression = None;
        let mut names: Vec<Reference> = Vec::new();
        for (spec, _) in self.all.iter().filter(|(spec, _)| spec.pushed.is_some() && !spec.form.all_layers) {
            let own = spec.form.compression.unwrap_or(compression::USUAL);
            if *compression.get_or_insert(own) == own {
                names.extend(self.tags.iter().chain(&spec.names).cloned());
            }
        }
        // Tags of one repository share its blobs.
        names.sort_by(|one, other| repository(one).cmp(&repository(other)));
        names.dedup_by(|one, other| repository(one) == repository(other));
        (names, compression.unwrap_or(compression::USUAL))
    }

    /// What layers can be compressed with while the build runs: what the first output asks for that is not pushed. A push
    /// compresses by itself.
    pub(super) fn compression(&self) -> Option<LayerCompression> {
        let is_pushed = self.all.iter().any(|(spec, _)| spec.pushed.is_some());
        let asked = || {
            self.all.iter().filter(|(spec, _)| spec.is_image()).find_map(|(spec, _)| spec.form.compression)
        };
        if is_pushed { None } else { asked().filter(|asked| *asked != LayerCompression::Plain) }
    }

    /// Whether standard output is taken.
    pub(super) fn take_stdout(&self) -> bool {
        self.all.iter().any(|(spec, _)| spec.is_stdout())
    }

    /// Writes all of them.
    pub(super) fn write(
        self,
        store: &Store,
        product: &Product,
        remote: Option<&Remote>,
        reporter: &dyn Reporter,
    ) -> Result<Put, CommandError> {
        let mut put = Put::default();
        for (spec, file) in self.all {
            let begun = Instant::now();
            reporter.report(Event::Exporting { output: spec.text.clone() });
            let mut names = self.tags.clone();
            names.extend(spec.names.iter().filter(|name| !self.tags.contains(name)).cloned());
            let mut image = match spec.is_image() {
                false => None,
                true => {
                    let all: Vec<_> = self.annotations.iter().chain(&spec.annotations).cloned().collect();
                    Some(product.write(store, &spec.form, &all)?)
                }
            };
            let output = Output { store, product, spec: &spec, names: &names };
            match &image {
                Some(image) => output.image(image, file)?,
                None => output.files(file, &mut put.notes)?,
            }
            if let (Some(how), Some(made), Some(remote)) = (spec.pushed, &mut image, remote) {
                *made = push::push(store, remote, made, &names, &spec, how)?;
            }
            if put.image.is_none() && image.is_some() {
                (put.image, put.names) = (image.clone(), names.clone());
            }
            let names =
                if image.is_some() { names.iter().map(Reference::familiar).collect() } else { Vec::new() };
            let digest = image.map(|image| image.digest);
            let duration = begun.elapsed();
            reporter.report(Event::Exported { output: spec.text.clone(), duration, digest, names });
        }
        Ok(put)
    }
}

/// One output in the making.
struct Output<'a> {
    store: &'a Store,
    product: &'a Product,
    spec: &'a OutputSpec,
    names: &'a [Reference],
}

impl Output<'_> {
    fn image(&self, image: &Descriptor, file: Option<FileOutput>) -> Result<(), CommandError> {
        match &self.spec.kind {
            Kind::Store { named, unpack } => self.put_into_store(image, *named, *unpack),
            Kind::OciFolder(path) => {
                let platform = &self.product.images()[0].0;
                Ok(self.store.save_layout(&self.to_save(image), platform, path)?)
            }
            Kind::DockerArchive(_) if self.product.images().len() > 1 => {
                Err(CommandError::failed("an archive for docker holds the image of one platform")
                    .hint("use `type=oci`, or build for one platform"))
            }
            Kind::DockerArchive(_) => self.save(image, ArchiveFormat::Docker, file),
            _ => self.save(image, ArchiveFormat::Oci, file),
        }
    }

    fn put_into_store(&self, image: &Descriptor, named: bool, unpack: bool) -> Result<(), CommandError> {
        if named && self.names.is_empty() {
            self.store.keep(image)?;
        } else if named {
            let names = self.names.iter();
            let refs: Vec<_> = names.map(|name| (name.clone(), image.clone())).collect();
            self.store.tag_all(&refs)?;
        }
        if unpack {
            for (_, image) in self.product.images() {
                self.store.ensure_layers(image.layers(), Mountable::Now)?;
                self.store.lower(image.diff_ids())?;
            }
        }
        Ok(())
    }

    fn save(
        &self,
        image: &Descriptor,
        format: ArchiveFormat,
        file: Option<FileOutput>,
    ) -> Result<(), CommandError> {
        let Some(mut out) = file else { return Ok(()) };
        let platform = self.product.images()[0].0.clone();
        let options = SaveOptions { format, compression: ArchiveCompression::Plain, platform };
        match self.store.save(&self.to_save(image), &options, &mut out) {
            Err(_) if out.is_deserted() => Ok(()),
            saved => saved.map_err(CommandError::from).and_then(|()| out.finish()),
        }
    }

    fn to_save(&self, image: &Descriptor) -> Vec<SaveImage> {
        vec![SaveImage { target: image.clone(), names: self.names.to_vec(), written: None }]
    }

    fn files(&self, file: Option<FileOutput>, notes: &mut Vec<String>) -> Result<(), CommandError> {
        match (&self.spec.kind, file) {
            (Kind::Folder { path, delete, split }, _) => {
                let trees = files::trees(self.store, self.product, *split)?;
                files::write_folders(self.store, &trees, path, *delete, notes)
            }
            (Kind::Tar { split, .. }, Some(out)) => {
                files::write_tar(&files::trees(self.store, self.product, *split)?, out)
            }
            _ => Ok(()),
        }
    }
}

fn repository(name: &Reference) -> (&str, &str) {
    (name.registry(), name.repository())
}

/// What cannot be written, for checks before the build.
fn cannot_write(path: &Path, reason: &str) -> CommandError {
    CommandError::new(Exit::Failed, format_args!("cannot write to `{}`: {reason}", path.display()))
}
