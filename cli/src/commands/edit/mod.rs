//! `tug edit`: another config or other annotations for an image, without a build.

mod arguments;
mod change;
mod story;

use tug_builder::AnnotationLevel;
use tug_layer_store::Draft;
use tug_oci::{History, Platform};

pub(crate) use arguments::EditArguments;
use change::Change;

use crate::error::CommandError;
use crate::settings::Settings;
use crate::suggest;

/// What stands in the history beside each line.
const COMMENT: &str = "tug edit";

/// Edits the image.
pub(super) fn run(arguments: &EditArguments, settings: &Settings) -> Result<(), CommandError> {
    let change = Change::new(arguments, settings)?;
    let subject = arguments.mutation.find(&arguments.image, settings)?;
    let is_index = tug_oci::media_type::is_index(&subject.target.media_type)
        && subject.which == tug_layer_store::Which::All;
    if let Some(key) = change.index_only(is_index) {
        let message = format!("the annotation `{key}` is for an index, and `{}` is an image", subject.shown);
        return Err(CommandError::failed(message).hint("leave `index:` out to annotate the image"));
    }
    let mut missed = change.removals();
    let mut seen = Vec::new();
    let made = subject.store.change_images(
        &subject.target,
        &subject.which,
        &mut |draft: &mut Draft| {
            missed.retain(|removal| !removal.is_there(draft));
            seen.push(draft.clone());
            change.apply(draft)
        },
        &mut |annotations| change.annotate_index(annotations),
    );
    let made = made.map_err(|error| subject.behind(error))?;
    for removal in missed {
        let similar = suggest::closest(removal.name(), &removal.known(&seen)).map(str::to_owned);
        let similar = similar.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        settings.output.warning(format_args!("`{}` has no {}{similar}", subject.shown, removal.what()));
    }
    if made.target.digest == subject.target.digest {
        subject.note(format_args!("`{}` is like that already", subject.shown), settings);
    }
    arguments.mutation.deliver(&subject, &made, settings)
}

impl Change<'_> {
    /// Applies it to one image.
    fn apply(&self, draft: &mut Draft) -> Result<(), CommandError> {
        let about = &self.arguments.about;
        let before = draft.clone();
        self.configure(&mut draft.config.config)?;
        if let Some(platform) = &about.set_platform {
            let features = std::mem::take(&mut draft.config.platform.os_features);
            let is_same_os = draft.config.platform.os == platform.os;
            let os_version = draft.config.platform.os_version.take().filter(|_| is_same_os);
            draft.config.platform = Platform { os_features: features, os_version, ..platform.clone() };
        }
        if let Some(author) = &about.author {
            draft.config.author = Some(author.clone()).filter(|author| !author.is_empty());
        }
        self.annotate(draft);
        if let Some(created) = about.created {
            draft.config.created = Some(created.to_string());
        }
        let mut lines = story::lines(&before.config.config, &draft.config.config);
        if draft.config.platform != before.config.platform {
            lines.push(format!("PLATFORM {}", draft.config.platform));
        }
        if draft.config.author != before.config.author {
            lines.push(format!("MAINTAINER {}", draft.config.author.as_deref().unwrap_or_default()));
        }
        if about.omit_history || lines.is_empty() {
            return Ok(());
        }
        // Without a time that somebody gave, the same edit of the same image gives the same image.
        if let Some(epoch) = &self.epoch
            && about.created.is_none()
        {
            draft.config.created = Some(epoch.clone());
        }
        for line in lines {
            draft.note(History {
                created: draft.config.created.clone(),
                created_by: Some(line),
                comment: Some(about.message.clone().unwrap_or_else(|| COMMENT.to_owned())),
                ..History::default()
            });
        }
        Ok(())
    }

    fn annotate(&self, draft: &mut Draft) {
        let own = draft.config.platform.clone();
        for annotation in self.annotations(AnnotationLevel::Manifest) {
            let is_meant = annotation.platform.as_ref().is_none_or(|wanted| own.satisfies(wanted));
            if is_meant {
                draft.annotations.insert(annotation.key.clone(), annotation.value.clone());
            }
        }
        for key in &self.arguments.about.annotation_rm {
            if !key.starts_with(INDEX) {
                draft.annotations.remove(key);
            }
        }
    }

    fn annotate_index(&self, annotations: &mut std::collections::BTreeMap<String, String>) {
        for annotation in self.annotations(AnnotationLevel::Index) {
            annotations.insert(annotation.key.clone(), annotation.value.clone());
        }
        for key in self.arguments.about.annotation_rm.iter().filter_map(|key| key.strip_prefix(INDEX)) {
            annotations.remove(key);
        }
    }

    /// An annotation that only an index can have, if there is none.
    fn index_only(&self, is_index: bool) -> Option<String> {
        let given = self.annotations(AnnotationLevel::Index).map(|it| it.key.clone()).next();
        let removed = self.arguments.about.annotation_rm.iter().find_map(|key| key.strip_prefix(INDEX));
        given.or(removed.map(str::to_owned)).filter(|_| !is_index)
    }
}

/// What stands before the key of an annotation of an index.
const INDEX: &str = "index:";
