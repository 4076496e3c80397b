//! `tug rebase`: an image on a newer base, without a build.

use serde_json::json;
use tug_layer_store::{Difference, Draft, Image, Kept, RebaseError};
use tug_oci::{BASE_DIGEST, BASE_NAME, Descriptor, Platform, Reference, media_type};

use crate::error::CommandError;
use crate::exit::Exit;
use crate::format::{self, Row, Table};
use crate::mutation::{MutationArguments, Start, Subject};
use crate::settings::Settings;

/// Arguments of `tug rebase`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The layers of the old base are replaced by those of the new one; those of the image stay as they are, and none is read.
Of the config, what the image has from its base becomes as in the new base, and what it changed stays. Which base that
is, `tug build` writes into the image (`org.opencontainers.image.base.name` and `.digest`).

Nothing is run and nothing is compiled: whether the programs of the image get along with the libraries of the new base,
nobody can tell. It is meant for newer builds of the same release.

Examples:
  tug pull debian:12 && tug rebase app          On what `debian:12` is now
  tug rebase app --pull --check                 Whether there is something newer: exit code 1 if so
  tug rebase app --old-base debian:12.1 --new-base debian:12.2 -t app:new
  tug rebase docker://registry.example/app -t registry.example/app:new --push")]
pub(crate) struct RebaseArguments {
    /// The image, by name or id, or `docker://NAME` for one on a registry
    #[arg(value_name = "IMAGE")]
    image: Start,
    /// The image that it stands on [default: what its annotations say]
    #[arg(long, value_name = "IMAGE")]
    old_base: Option<String>,
    /// The image that it is to stand on [default: what the name of its base is now]
    #[arg(long, value_name = "IMAGE")]
    new_base: Option<String>,
    /// Ask registries for the new base, even if the store has one of that name
    #[arg(long)]
    pull: bool,
    /// Make nothing: list which images stand on an old base, and end with exit code 1 if one does
    #[arg(long, conflicts_with_all = ["tags", "push"])]
    check: bool,
    /// With `--check`, write `json`, or what a template says, such as `{{.Status}}`
    #[arg(long, value_name = "FORMAT", requires = "check")]
    format: Option<String>,
    #[command(flatten)]
    mutation: MutationArguments,
}

const TABLE: Table = Table {
    template: "{{.Platform}}\t{{.Status}}\t{{.Base}}\t{{.Old}}\t{{.New}}",
    heads: &[
        ("Platform", "PLATFORM"),
        ("Status", "STATUS"),
        ("Base", "BASE"),
        ("Old", "OLD BASE"),
        ("New", "NEW BASE"),
    ],
};

/// Rebases the image.
pub(super) fn run(arguments: &RebaseArguments, settings: &Settings) -> Result<Exit, CommandError> {
    let subject = arguments.mutation.find(&arguments.image, settings)?;
    let work = Work { arguments, subject: &subject, settings };
    let mut rows = Vec::new();
    let mut is_old = false;
    let mut rebase = |draft: &mut Draft| -> Result<(), CommandError> {
        let platform = draft.config.platform.clone();
        let (old, new) = work.bases(draft)?;
        let outdated = old.diff_ids() != new.image.diff_ids() || old.config.config != new.image.config.config;
        rows.push(row(&platform, &old, &new, outdated));
        is_old |= outdated;
        work.rebase(draft, &old, &new)
    };
    let made = subject.store.change_images(&subject.target, &subject.which, &mut rebase, &mut |_| {});
    let made = made.map_err(|error| subject.behind(error))?;
    if arguments.check {
        format::list(arguments.format.as_deref(), &TABLE, &rows, &settings.output)?;
        return Ok(if is_old { Exit::Failed } else { Exit::Success });
    }
    if !is_old {
        subject.note(format_args!("`{}` stands on that base already", subject.shown), settings);
    }
    arguments.mutation.deliver(&subject, &made, settings)?;
    Ok(Exit::Success)
}

/// The base that the image is to stand on.
struct NewBase {
    image: Image,
    /// As it was called.
    shown: String,
    /// Its full name, if it has one that can be followed.
    name: Option<String>,
}

struct Work<'a> {
    arguments: &'a RebaseArguments,
    subject: &'a Subject,
    settings: &'a Settings,
}

impl Work<'_> {
    /// The old base and the new one, for the platform of the image.
    fn bases(&self, draft: &Draft) -> Result<(Image, NewBase), CommandError> {
        let Self { arguments, subject, settings } = self;
        let platform = &draft.config.platform;
        let noted = draft.annotations.get(BASE_NAME);
        let asks = arguments.mutation.is_remote(&arguments.image);
        let old = match &arguments.old_base {
            Some(name) => arguments.mutation.other_image(name, platform, asks, subject, settings)?,
            None => self.noted_base(draft, noted)?,
        };
        let Some(name) = arguments.new_base.as_ref().or(noted) else {
            let message = format!("`{}` does not say what its base is called", subject.shown);
            return Err(CommandError::failed(message).hint("name the new one with `--new-base`"));
        };
        let asks = asks || arguments.pull;
        let image = arguments.mutation.other_image(name, platform, asks, subject, settings)?;
        Ok((old, NewBase { image, shown: name.clone(), name: tug_builder::followed_name(name) }))
    }

    /// The base that the annotations name.
    fn noted_base(&self, draft: &Draft, name: Option<&String>) -> Result<Image, CommandError> {
        let Self { arguments, subject, settings } = self;
        let Some(digest) = draft.base_digest() else {
            let message = format!("`{}` does not say on which base it was built", subject.shown);
            return Err(CommandError::failed(message).hint(
                "name it with `--old-base`: only images that were built with a recent tug, or another builder that \
                 writes `org.opencontainers.image.base.digest`, say so",
            ));
        };
        let platform = &draft.config.platform;
        if subject.store.has_blob(&digest)? {
            let manifest = Descriptor::new(media_type::OCI_MANIFEST, digest.clone(), 0);
            let index = Descriptor::new(media_type::OCI_INDEX, digest.clone(), 0);
            let found = subject.store.image(&manifest, platform);
            return found.or_else(|_| subject.store.image(&index, platform)).map_err(CommandError::from);
        }
        let gone = || {
            CommandError::failed(format_args!(
                "the base of `{}`, `{digest}`, is not in the store",
                subject.shown
            ))
            .hint("pull it, or name one with the same layers with `--old-base`")
        };
        let repository = name.and_then(|name| name.parse::<Reference>().ok());
        let Some(repository) = repository else { return Err(gone()) };
        let pinned = format!("{}/{}@{digest}", repository.registry(), repository.repository());
        let is_offline = settings.environment.text(crate::environment::OFFLINE).is_some();
        if is_offline {
            return Err(gone());
        }
        arguments.mutation.other_image(&pinned, platform, true, subject, settings).map_err(|error| {
            error.also_hint(
                "this is the base that the image says it was built on; `--old-base` names another one with the same layers",
            )
        })
    }

    /// Puts the image on the new base, and notes which that is.
    fn rebase(&self, draft: &mut Draft, old: &Image, new: &NewBase) -> Result<(), CommandError> {
        let platform = draft.config.platform.clone();
        let rebased = draft.rebase(old, &new.image).map_err(|error| self.refused(&error))?;
        draft.annotations.insert(BASE_DIGEST.to_owned(), new.image.descriptor.digest.to_string());
        draft.annotations.remove(BASE_NAME);
        draft.annotations.extend(new.name.iter().map(|name| (BASE_NAME.to_owned(), name.clone())));
        if self.arguments.check {
            return Ok(());
        }
        for difference in &rebased.differences {
            self.tell(difference, &platform);
        }
        if !new.image.config.config.on_build.is_empty() {
            let message = format!("`{}` has ONBUILD triggers, which were not carried out", new.shown);
            self.settings.output.warning(message);
        }
        Ok(())
    }

    fn refused(&self, error: &RebaseError) -> CommandError {
        let failed =
            CommandError::failed(format_args!("cannot rebase `{}`", self.subject.shown)).because(error);
        match error {
            RebaseError::NotTheBase { .. } if self.arguments.old_base.is_some() => failed.hint(
                "`--old-base` must be what the image was built on, which may not be what that name points to now",
            ),
            RebaseError::NotTheBase { .. } => {
                failed.hint("name the base that it really stands on with `--old-base`")
            }
            _ => failed,
        }
    }

    fn tell(&self, difference: &Difference, platform: &Platform) {
        let value = |value: &Option<String>| match value {
            Some(text) => format!("`{}`", crate::human::one_line(text)),
            None => "nothing".to_owned(),
        };
        let Difference { what, old, new, own, kept } = difference;
        let what = crate::human::one_line(what);
        let [old, new, own] = [old, new, own].map(value);
        match kept {
            Kept::New => self.subject.note(
                format_args!("{platform}: {what} is {new}, as in the new base; it was {old}"),
                self.settings,
            ),
            Kept::Both => self
                .subject
                .note(format_args!("{platform}: {what} had {old} in it, and has {new} now"), self.settings),
            Kept::Own => self.settings.output.warning(format_args!(
                "{platform}: {what} stays {own}; the base has changed it too, from {old} to {new}"
            )),
        }
    }
}

fn row(platform: &Platform, old: &Image, new: &NewBase, outdated: bool) -> Row {
    let status = if outdated { "outdated" } else { "current" };
    let [before, after] = [old, &new.image].map(|image| &image.descriptor.digest);
    Row {
        data: json!({
            "platform": platform.to_string(),
            "status": status,
            "base": new.name.as_deref().unwrap_or(&new.shown),
            "oldBase": before,
            "newBase": after,
        }),
        shown: json!({
            "Platform": crate::human::one_line(&platform.to_string()),
            "Status": status,
            "Base": crate::human::one_line(&new.shown),
            "Old": before.short(),
            "New": after.short(),
        }),
    }
}
