//! Text.

use super::arguments::{fail, number, text, texts};
use super::{Builtin, Outcome, Surroundings};
use crate::value::Value;

pub(super) const ALL: &[Builtin] = &[
    Builtin::new("basename", 1, 1, |arguments, _| Ok(basename(&text(arguments, 0)?).into())),
    Builtin::new("byteslen", 1, 1, |arguments, _| Ok(text(arguments, 0)?.len().into())),
    Builtin::new("bytesslice", 3, 3, bytesslice),
    Builtin::new("chomp", 1, 1, |arguments, _| Ok(text(arguments, 0)?.trim_end_matches(['\r', '\n']).into())),
    Builtin::new("dirname", 1, 1, |arguments, _| Ok(dirname(&text(arguments, 0)?).into())),
    Builtin::new("homedir", 0, 0, |_, surroundings| Ok(surroundings.home.as_str().into())),
    Builtin::new("indent", 2, 2, indent),
    Builtin::many("join", 1, join),
    Builtin::new("lower", 1, 1, |arguments, _| Ok(text(arguments, 0)?.to_lowercase().into())),
    Builtin::new("replace", 3, 3, replace),
    Builtin::new("reverse", 1, 1, |arguments, _| {
        Ok(text(arguments, 0)?.chars().rev().collect::<String>().into())
    }),
    Builtin::new("sanitize", 1, 1, |arguments, _| Ok(sanitize(&text(arguments, 0)?).into())),
    Builtin::new("split", 2, 2, split),
    Builtin::new("strlen", 1, 1, |arguments, _| Ok(text(arguments, 0)?.chars().count().into())),
    Builtin::new("substr", 3, 3, substr),
    Builtin::new("title", 1, 1, |arguments, _| Ok(title(&text(arguments, 0)?).into())),
    Builtin::new("trim", 2, 2, |arguments, _| {
        let cut = text(arguments, 1)?;
        Ok(text(arguments, 0)?.trim_matches(|letter| cut.contains(letter)).into())
    }),
    Builtin::new("trimprefix", 2, 2, |arguments, _| {
        let (text, cut) = (text(arguments, 0)?, text(arguments, 1)?);
        Ok(text.strip_prefix(&cut).unwrap_or(&text).into())
    }),
    Builtin::new("trimspace", 1, 1, |arguments, _| Ok(text(arguments, 0)?.trim().into())),
    Builtin::new("trimsuffix", 2, 2, |arguments, _| {
        let (text, cut) = (text(arguments, 0)?, text(arguments, 1)?);
        Ok(text.strip_suffix(&cut).unwrap_or(&text).into())
    }),
    Builtin::new("upper", 1, 1, |arguments, _| Ok(text(arguments, 0)?.to_uppercase().into())),
];

/// The last part of a path, as Go's `path.Base` has it.
fn basename(path: &str) -> String {
    let trimmed = path.trim_end_matches('/');
    match (path, trimmed) {
        ("", _) => ".".to_owned(),
        (_, "") => "/".to_owned(),
        (_, trimmed) => trimmed.rsplit('/').next().unwrap_or(trimmed).to_owned(),
    }
}

/// All but the last part of a path, cleaned.
fn dirname(path: &str) -> String {
    let folder = path.rfind('/').map_or("", |at| &path[..=at]);
    crate::path::clean(folder)
}

fn sanitize(name: &str) -> String {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    name.chars().map(|letter| if allowed(letter) { letter } else { '_' }).collect()
}

fn bytesslice(arguments: &[Value], _: &Surroundings) -> Outcome {
    let text = text(arguments, 0)?;
    let start = number(arguments, 1)?.index().ok_or_else(|| fail(1, "an offset is needed"))?;
    let length = number(arguments, 2)?.index().ok_or_else(|| fail(2, "a length is needed"))?;
    let end = start.saturating_add(length);
    text.get(start..end)
        .map(Value::from)
        .ok_or_else(|| fail(1, format!("the text has no bytes {start} to {end}")))
}

fn indent(arguments: &[Value], _: &Surroundings) -> Outcome {
    const MOST: usize = 1000;
    let spaces = number(arguments, 0)?.index().filter(|spaces| *spaces <= MOST);
    let spaces = " ".repeat(spaces.ok_or_else(|| fail(0, "a number of spaces is needed"))?);
    Ok(text(arguments, 1)?.replace('\n', &format!("\n{spaces}")).into())
}

fn join(arguments: &[Value], _: &Surroundings) -> Outcome {
    let mut all = Vec::new();
    for at in 1..arguments.len() {
        all.extend(texts(arguments, at)?);
    }
    Ok(all.join(&text(arguments, 0)?).into())
}

fn replace(arguments: &[Value], _: &Surroundings) -> Outcome {
    let (text, old, new) = (text(arguments, 0)?, text(arguments, 1)?, text(arguments, 2)?);
    const MOST: usize = 16 << 20;
    let count = if old.is_empty() { text.chars().count() + 1 } else { text.matches(&old).count() };
    if count.saturating_mul(new.len()) > MOST {
        return Err(fail(2, "the result would be too long"));
    }
    Ok(text.replace(&old, &new).into())
}

fn split(arguments: &[Value], _: &Surroundings) -> Outcome {
    let (separator, text) = (text(arguments, 0)?, text(arguments, 1)?);
    if separator.is_empty() {
        return Ok(Value::List(text.chars().map(|letter| Value::from(letter.to_string())).collect()));
    }
    Ok(Value::List(text.split(&separator).map(Value::from).collect()))
}

/// By characters; an offset below zero counts from the end, a length below zero means all the rest.
fn substr(arguments: &[Value], _: &Surroundings) -> Outcome {
    let letters: Vec<char> = text(arguments, 0)?.chars().collect();
    let offset = number(arguments, 1)?.whole().ok_or_else(|| fail(1, "a whole number is needed"))?;
    let length = number(arguments, 2)?.whole().ok_or_else(|| fail(2, "a whole number is needed"))?;
    let start = match usize::try_from(offset) {
        Ok(start) => start.min(letters.len()),
        Err(_) if offset < 0 => {
            letters.len().saturating_sub(usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX))
        }
        Err(_) => letters.len(),
    };
    let length = if length < 0 { usize::MAX } else { usize::try_from(length).unwrap_or(usize::MAX) };
    Ok(letters[start..].iter().take(length).collect::<String>().into())
}

fn title(text: &str) -> String {
    let mut inside = false;
    text.chars()
        .flat_map(|letter| {
            let first = !inside;
            inside = letter.is_alphanumeric() || letter == '_' || letter == '\'';
            let upper: Vec<char> = if first { letter.to_uppercase().collect() } else { vec![letter] };
            upper
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart_as_in_go() {
        let both = |path| format!("{} {}", dirname(path), basename(path));
        assert_eq!(both("a/b/c"), "a/b c");
        assert_eq!(both("/a"), "/ a");
        assert_eq!(both("a/b/"), "a/b b");
        assert_eq!(both(""), ". .");
        assert_eq!(both("/"), "/ /");
    }

    #[test]
    fn titles_and_names() {
        assert_eq!(title("hello wörld it's 3d"), "Hello Wörld It's 3d");
        assert_eq!(sanitize("a.b/c-d_é"), "a_b_c-d__");
    }
}
