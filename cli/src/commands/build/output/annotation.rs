//! Annotations on the command line: `--annotation` and the keys `annotation…` of `--output`.

use tug_builder::{Annotation, AnnotationLevel};
use tug_oci::Platform;

use super::fields;
use crate::suggest;

const LEVELS: [(&str, AnnotationLevel); 4] = [
    ("manifest", AnnotationLevel::Manifest),
    ("manifest-descriptor", AnnotationLevel::ManifestDescriptor),
    ("index", AnnotationLevel::Index),
    ("index-descriptor", AnnotationLevel::IndexDescriptor),
];

/// One `--annotation`: the same note in one document or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Annotations(pub(crate) Vec<Annotation>);

/// `[LEVEL[[PLATFORM]][,LEVEL…]:]KEY=VALUE`.
pub(crate) fn annotations(text: &str) -> Result<Annotations, String> {
    let Some((names, value)) = text.split_once('=') else {
        return Err(format!("`{text}` has no value: expected `KEY=VALUE`"));
    };
    let (places, key) = places_and_key(names)?;
    if key.is_empty() {
        return Err(format!("`{text}` has no key: expected `KEY=VALUE`"));
    }
    let made = places.into_iter().map(|(level, platform)| Annotation {
        level,
        platform,
        key: key.to_owned(),
        value: value.to_owned(),
    });
    Ok(Annotations(made.collect()))
}

type Place = (AnnotationLevel, Option<Platform>);

/// A key may have colons of its own: what stands before the first one is only a level if it looks like one.
fn places_and_key(names: &str) -> Result<(Vec<Place>, &str), String> {
    let manifest = || vec![(AnnotationLevel::Manifest, None)];
    let Some((before, key)) = names.split_once(':') else { return Ok((manifest(), names)) };
    let bare = |word: &str| word.split('[').next().unwrap_or_default().to_owned();
    let words = fields::split(before)?;
    let is_level = |word: &String| LEVELS.iter().any(|(name, _)| *name == bare(word));
    if words.iter().any(is_level) {
        return Ok((words.iter().map(|word| place(word)).collect::<Result<_, _>>()?, key));
    }
    match suggested(&bare(before)) {
        Some(similar) => Err(format!("`{before}` is no document of an image; did you mean `{similar}`?")),
        None => Ok((manifest(), names)),
    }
}

/// `manifest` or `manifest[linux/arm64]`.
fn place(word: &str) -> Result<Place, String> {
    let (name, platform) = match word.split_once('[') {
        Some((name, rest)) => match rest.strip_suffix(']') {
            Some(platform) => (name, Some(platform)),
            None => return Err(format!("`{word}` lacks its `]`")),
        },
        None => (word, None),
    };
    let Some((_, level)) = LEVELS.iter().find(|(known, _)| *known == name) else {
        let known = LEVELS.map(|(name, _)| format!("`{name}`")).join(", ");
        return Err(match suggested(name) {
            Some(similar) => format!("`{name}` is no document of an image; did you mean `{similar}`?"),
            None => format!("`{name}` is no document of an image: expected one of {known}"),
        });
    };
    let platform = match platform {
        None => None,
        Some(_) if matches!(level, AnnotationLevel::Index | AnnotationLevel::IndexDescriptor) => {
            return Err(format!("`{word}`: an index is for all platforms"));
        }
        Some(text) => Some(text.parse::<Platform>().map_err(|error| error.to_string())?),
    };
    Ok((*level, platform))
}

fn suggested(name: &str) -> Option<String> {
    let known = LEVELS.map(|(name, _)| name.to_owned());
    suggest::closest(name, &known).map(str::to_owned)
}

/// A key of `--output` that is an annotation: `annotation.KEY`, `annotation-index.KEY`,
/// `annotation-manifest[linux/arm64].KEY`. `None` when it is another key.
pub(super) fn of_key(key: &str, value: &str) -> Option<Result<Annotation, String>> {
    let rest = key.strip_prefix("annotation")?;
    // The name of the platform has no dot, and that of the annotation has.
    let (place_words, name) = match rest.split_once('.') {
        Some((words, name)) if !name.is_empty() => (words, name),
        _ => return Some(Err(format!("`{key}` has no name: expected `annotation.NAME=VALUE`"))),
    };
    let words = match place_words.strip_prefix('-') {
        Some(words) => words.to_owned(),
        None if place_words.is_empty() || place_words.starts_with('[') => format!("manifest{place_words}"),
        None => return None,
    };
    let made = place(&words).map(|(level, platform)| Annotation {
        level,
        platform,
        key: name.to_owned(),
        value: value.to_owned(),
    });
    Some(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(made: &[Annotation]) -> String {
        let lines = made.iter().map(|annotation| {
            let platform = annotation.platform.as_ref().map(|platform| format!("[{platform}]"));
            let (level, platform) = (annotation.level, platform.unwrap_or_default());
            format!("{level:?}{platform} {}={}", annotation.key, annotation.value)
        });
        lines.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn the_flag_names_documents_and_platforms() {
        for (text, expected) in [
            ("a=b", "Manifest a=b"),
            ("org.example:a=b=c", "Manifest org.example:a=b=c"),
            ("a=b:c", "Manifest a=b:c"),
            ("index:a=", "Index a="),
            ("index,manifest:a=b", "Index a=b; Manifest a=b"),
            ("manifest[linux/arm64]:a=b", "Manifest[linux/arm64] a=b"),
            ("manifest-descriptor:a=b", "ManifestDescriptor a=b"),
            ("index-descriptor:a=b", "IndexDescriptor a=b"),
        ] {
            assert_eq!(annotations(text).map(|made| shown(&made.0)), Ok(expected.to_owned()), "{text}");
        }
        for (text, expected) in [
            ("a", "has no value"),
            ("=b", "has no key"),
            ("index:=b", "has no key"),
            ("idnex:a=b", "did you mean `index`?"),
            ("index,manifst:a=b", "did you mean `manifest`?"),
            ("manifest[linux/arm64:a=b", "lacks its `]`"),
            ("manifest[a/b/c/d]:a=b", "is not a platform"),
            ("index[linux/arm64]:a=b", "is for all platforms"),
        ] {
            let error = annotations(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn keys_of_outputs_name_them_too() {
        let of = |key: &str| of_key(key, "v").map(|made| made.map(|made| shown(&[made])));
        assert_eq!(of("annotation.A.b"), Some(Ok("Manifest A.b=v".to_owned())));
        assert_eq!(of("annotation[linux/arm64].a"), Some(Ok("Manifest[linux/arm64] a=v".to_owned())));
        assert_eq!(of("annotation-index.a"), Some(Ok("Index a=v".to_owned())));
        assert_eq!(
            of("annotation-manifest-descriptor[linux/amd64].a"),
            Some(Ok("ManifestDescriptor[linux/amd64] a=v".to_owned()))
        );
        assert_eq!(of("dest"), None);
        assert!(matches!(of("annotation"), Some(Err(_))));
        assert!(matches!(of("annotation-idx.a"), Some(Err(_))));
    }
}
