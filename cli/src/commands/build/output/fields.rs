//! `KEY=VALUE,KEY=VALUE`, as docker writes lists of settings in one word.

/// The fields of `text`: separated by commas, and one in double quotes may hold commas, and `""` for a quote.
pub(super) fn split(text: &str) -> Result<Vec<String>, String> {
    let mut fields = vec![String::new()];
    let mut rest = text.chars().peekable();
    let mut is_quoted = false;
    while let Some(letter) = rest.next() {
        let field = fields.last_mut().expect("there is always one");
        match letter {
            '"' if is_quoted && rest.peek() == Some(&'"') => {
                rest.next();
                field.push('"');
            }
            '"' if is_quoted => {
                is_quoted = false;
                if !matches!(rest.peek(), None | Some(',')) {
                    return Err(format!("a quote ends in the middle of a field in `{text}`"));
                }
            }
            '"' if field.is_empty() => is_quoted = true,
            ',' if !is_quoted => fields.push(String::new()),
            other => field.push(other),
        }
    }
    match is_quoted {
        true => Err(format!("a quote is not closed in `{text}`")),
        false => Ok(fields),
    }
}

/// The fields of `text` as keys, in lower case, and values. A field without `=` has none.
pub(in super::super) fn parse(text: &str) -> Result<Vec<(String, Option<String>)>, String> {
    let fields = split(text)?;
    let pairs = fields.into_iter().map(|field| match field.split_once('=') {
        // The names of annotations have upper and lower case.
        Some((key, value)) if key.starts_with("annotation") => (key.to_owned(), Some(value.to_owned())),
        Some((key, value)) => (key.trim().to_lowercase(), Some(value.to_owned())),
        None => (field.trim().to_owned(), None),
    });
    Ok(pairs.collect())
}

/// The same fields of `text`, where each must have a value and may be there once.
pub(in super::super) fn with_values(
    text: &str,
    fields: Vec<(String, Option<String>)>,
) -> Result<Vec<(String, String)>, String> {
    let mut pairs: Vec<(String, String)> = Vec::with_capacity(fields.len());
    for (key, value) in fields {
        let Some(value) = value else {
            return Err(format!("`{key}` in `{text}` has no value: expected `KEY=VALUE`"));
        };
        if pairs.iter().any(|(known, _)| *known == key) {
            return Err(format!("`{key}` is given twice in `{text}`"));
        }
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// The value of `key`, which is gone from `pairs` then.
pub(in super::super) fn take(pairs: &mut Vec<(String, String)>, key: &str) -> Option<String> {
    let place = pairs.iter().position(|(known, _)| known == key)?;
    Some(pairs.remove(place).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_commas_and_quotes() {
        assert_eq!(split("a,b=c").unwrap(), ["a", "b=c"]);
        assert_eq!(split(r#"type=image,"name=a,b",x="#).unwrap(), ["type=image", "name=a,b", "x="]);
        assert_eq!(split(r#""a=""b""""#).unwrap(), [r#"a="b""#]);
        assert_eq!(split("").unwrap(), [""]);
        assert_eq!(split(r#"a="b""#).unwrap(), [r#"a="b""#]);
        assert!(split(r#""a"#).is_err() && split(r#""a"b"#).is_err());
    }

    #[test]
    fn keys_are_in_lower_case_but_those_of_annotations() {
        let pairs = parse("Type=image,annotation.A=b=c,Push").unwrap();
        let pair = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
        assert_eq!(
            pairs,
            [pair("type", Some("image")), pair("annotation.A", Some("b=c")), pair("Push", None)]
        );
    }
}
