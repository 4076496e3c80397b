//! The file `.env` beside a compose file.

use std::collections::BTreeMap;

use crate::error::{Problem, Result};

/// The variables of the file. What the environment has already wins, also in values that name it.
pub(super) fn parse(text: &str, environment: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    let mut variables = BTreeMap::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line = 0;
    while !rest.is_empty() {
        line += 1;
        let (first, behind) = rest.split_once('\n').unwrap_or((rest, ""));
        let entry = first.trim();
        if entry.is_empty() || entry.starts_with('#') {
            rest = behind;
            continue;
        }
        let entry = entry.strip_prefix("export ").unwrap_or(entry);
        let Some((name, value)) = entry.split_once(['=', ':']) else {
            // A name alone takes its value from the environment, which is there anyway.
            rest = behind;
            continue;
        };
        let name = name.trim();
        let wrong = |what: &str| Problem::elsewhere(format!("line {line} of `.env`: {what}"));
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || "_.-[]".contains(letter);
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(wrong(&format!("`{name}` cannot be the name of a variable")));
        }
        let value = value.trim_start();
        let known = |name: &str| environment.get(name).or_else(|| variables.get(name)).cloned();
        let value = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                // Quoted values may go on over lines.
                let from = rest.find(value).unwrap_or_default() + 1;
                let body = &rest[from..];
                let end = quote_end(body, quote).ok_or_else(|| wrong("a quote does not end"))?;
                line += body[..end].matches('\n').count();
                let after = &body[end + 1..];
                rest = after.split_once('\n').map_or("", |(_, behind)| behind);
                let text = &body[..end];
                let value = if quote == '"' { expand(&unescape(text), &known) } else { text.to_owned() };
                variables.insert(name.to_owned(), value);
                continue;
            }
            _ => {
                let end = value.find(" #").unwrap_or(value.len());
                let plain = value[..end].trim();
                expand(if plain.starts_with('#') { "" } else { plain }, &known)
            }
        };
        variables.insert(name.to_owned(), value);
        rest = behind;
    }
    Ok(variables)
}

fn quote_end(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, letter)| {
        let ends = letter == quote && !escaped;
        escaped = letter == '\\' && !escaped && quote == '"';
        ends.then_some(at)
    })
}

fn unescape(text: &str) -> String {
    let mut result = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '\\') {
            (_, true) => match letters.next() {
                Some('n') => result.push('\n'),
                Some('r') => result.push('\r'),
                Some('t') => result.push('\t'),
                Some('$') => result.push_str("\\$"),
                Some(other) => result.push(other),
                None => result.push('\\'),
            },
            (letter, false) => result.push(letter),
        }
    }
    result
}

/// `$NAME` and `${NAME}`; a dollar sign behind a backslash is one.
fn expand(text: &str, known: &dyn Fn(&str) -> Option<String>) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        result += &rest[..at];
        let tail = &rest[at + 1..];
        if result.ends_with('\\') {
            result.pop();
            result.push('$');
            rest = tail;
            continue;
        }
        let braces = tail.strip_prefix('{').and_then(|inner| Some((&inner[..inner.find('}')?], inner)));
        let (name, behind) = match braces {
            Some((name, inner)) => (name, &inner[name.len() + 1..]),
            None => {
                let end = tail.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
                tail.split_at(end.unwrap_or(tail.len()))
            }
        };
        let (name, default) = name.split_once(":-").unwrap_or((name, ""));
        if name.is_empty() {
            result.push('$');
            rest = tail;
            continue;
        }
        result += &known(name).filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned());
        rest = behind;
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_variables() {
        let text = "# c\nA=1\nexport B = two words # c\nC='$A \\n'\nD=\"$A\\n${B}\"\nE=\nF=\"x\ny\"\nG=${Z:-d}\\$A\nH: 5\nI\n";
        let environment = BTreeMap::from([("A".to_owned(), "env".to_owned())]);
        let variables = parse(text, &environment).unwrap();
        let find = |name: &str| variables[name].as_str();
        assert_eq!(find("A"), "1");
        assert_eq!(find("B"), "two words");
        assert_eq!(find("C"), "$A \\n");
        assert_eq!(find("D"), "env\ntwo words");
        assert_eq!(find("E"), "");
        assert_eq!(find("F"), "x\ny");
        assert_eq!(find("G"), "d$A");
        assert_eq!(find("H"), "5");
        assert_eq!(variables.len(), 8);
    }

    #[test]
    fn mistakes_name_their_line() {
        let wrong = |text: &str| parse(text, &BTreeMap::new()).unwrap_err().message;
        assert_eq!(wrong("A=1\nB=\"x\n"), "line 2 of `.env`: a quote does not end");
        assert_eq!(wrong("A B=1"), "line 1 of `.env`: `A B` cannot be the name of a variable");
    }
}
