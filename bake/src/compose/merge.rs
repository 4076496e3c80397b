//! Compose files that are merged, and services that extend others.

use super::node::{Content, Key, Node, Tag};
use super::wrong;
use crate::error::Result;
use crate::suggest;

/// Puts `new` over `old`: maps are merged, lists are added to, all else is replaced. `!reset` takes something away,
/// `!override` replaces it as a whole.
pub(super) fn merge(old: &mut Node, new: Node) {
    match (&mut old.content, new.content) {
        (Content::Map(old_fields), Content::Map(fields)) => {
            for (key, value) in fields {
                let at = old_fields.iter().position(|(known, _)| known.text == key.text);
                match (at, value.tag) {
                    (Some(at), Tag::Reset) => drop(old_fields.remove(at)),
                    (None, Tag::Reset) => {}
                    (Some(at), Tag::Override) => old_fields[at] = (key, value),
                    (Some(at), Tag::None) if key.text == "build" => {
                        let (old, new) = (as_map(&old_fields[at].1), as_map(&value));
                        old_fields[at].1 = old;
                        merge(&mut old_fields[at].1, new);
                    }
                    (Some(at), Tag::None) => merge(&mut old_fields[at].1, value),
                    (None, _) => old_fields.push((key, value)),
                }
            }
        }
        (Content::List(old_values), Content::List(values)) => old_values.extend(values),
        (_, content) => *old = Node { content, ..new },
    }
}

/// A build that is only a folder is a build with that context.
fn as_map(build: &Node) -> Node {
    match &build.content {
        Content::Scalar(_) => {
            let key = Key { text: "context".to_owned(), place: build.place };
            Node::new(Content::Map(vec![(key, build.clone())]), build.place)
        }
        _ => build.clone(),
    }
}

/// The services, each with what it extends. Services of other files cannot be had here.
pub(super) fn extended(services: &Node) -> Result<Vec<(Key, Node)>> {
    let mut result = Vec::new();
    for (key, service) in services.fields() {
        let mut path = vec![key.text.clone()];
        result.push((key.clone(), extend(service, services, &mut path)?));
    }
    Ok(result)
}

fn extend(service: &Node, services: &Node, path: &mut Vec<String>) -> Result<Node> {
    let Some(extends) = service.field("extends").filter(|extends| !extends.is_null()) else {
        return Ok(service.clone());
    };
    if let Some(file) = extends.field("file").filter(|file| !file.is_null()) {
        // What is built here does not need the other file.
        if service.field("build").is_some() {
            return Ok(service.clone());
        }
        return Err(wrong(file, "services of other files cannot be extended")
            .help("name both files with `-f`, and extend the service without `file`"));
    }
    let name = match extends.field("service") {
        Some(name) => name,
        None => extends,
    };
    let text = name.text()?;
    let Some(base) = services.field(&text) else {
        let known = services.fields().iter().map(|(key, _)| key.text.as_str());
        return Err(
            wrong(name, format!("there is no service `{text}`")).meant(suggest::closest(&text, known))
        );
    };
    if path.contains(&text) {
        path.push(text);
        return Err(wrong(name, "the service extends itself").label(path.join(" → ")));
    }
    const DEEPEST: usize = 50;
    if path.len() >= DEEPEST {
        return Err(wrong(name, format!("services extend each other more than {DEEPEST} times")));
    }
    path.push(text);
    let mut base = extend(base, services, path)?;
    let place = service.place;
    merge(&mut base, service.clone());
    base.place = place;
    Ok(base)
}
